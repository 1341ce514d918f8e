-- How many events came, twice or late, and how many documents were refused?
-- Late is what arrived after a later event of the same shelf had been received.
WITH arrival AS (
    SELECT
        event_time,
        max(event_time) OVER (
            PARTITION BY store_id, product_id
            ORDER BY received_at, event_time
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS newest_before
    FROM unique_events
),
delivered AS (SELECT count(*) AS events, count(DISTINCT event_id) AS unique_events FROM stock_events),
judged AS (SELECT count_if(newest_before > event_time) AS late FROM arrival),
refused AS (SELECT count(*) AS quarantined FROM quarantine)
SELECT events, unique_events, events - unique_events AS duplicates, late, quarantined
FROM delivered
CROSS JOIN judged
CROSS JOIN refused
