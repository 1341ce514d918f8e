-- How did the shelf that sells most go through its last day, against its threshold?
WITH busiest AS (
    SELECT store_id, product_id, max(event_time) AS until
    FROM unique_events
    GROUP BY store_id, product_id
    ORDER BY sum(units_sold) DESC, store_id, product_id
    LIMIT 1
)
SELECT
    event.event_time,
    event.store_name,
    event.product_name,
    event.stock,
    event.threshold,
    event.units_sold,
    event.units_received
FROM unique_events AS event
INNER JOIN busiest ON event.store_id = busiest.store_id AND event.product_id = busiest.product_id
WHERE event.event_time > busiest.until - INTERVAL '1' DAY
ORDER BY event.event_time
