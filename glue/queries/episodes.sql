-- Which shelves ran low, when, and when were they back?
-- Told from the events alone: an episode begins with the event that leaves a shelf below its threshold and ends with the
-- one that leaves it at or above; one that is open lasts until the last event that its store sent.
WITH event AS (
    SELECT
        event_id,
        event_time,
        store_id,
        product_id,
        stock,
        stock < threshold AS is_low,
        lag(stock < threshold, 1, false) OVER (PARTITION BY store_id, product_id ORDER BY event_time) AS was_low,
        max(event_time) OVER (PARTITION BY store_id) AS last_event_time
    FROM unique_events
),
island AS (
    SELECT
        *,
        sum(IF(is_low AND NOT was_low, 1, 0)) OVER (
            PARTITION BY store_id, product_id
            ORDER BY event_time
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS number
    FROM event
    WHERE is_low OR was_low
)
SELECT
    store_id,
    product_id,
    number,
    min(event_time) AS opened_at,
    min_by(event_id, event_time) AS opened_event,
    max(IF(is_low, NULL, event_time)) AS closed_at,
    max(IF(is_low, NULL, event_id)) AS closed_event,
    min(IF(is_low, stock, NULL)) AS lowest_stock,
    date_diff(
        'minute', min(event_time), coalesce(max(IF(is_low, NULL, event_time)), max(last_event_time))
    ) AS minutes
FROM island
GROUP BY store_id, product_id, number
ORDER BY store_id, product_id, number
