-- Which events are there, each once? A repeated delivery carries the same bytes, so the first one received stands for all.
SELECT
    event_id, event_time, store_id, store_name, city, country, latitude, longitude, product_id, product_name, category,
    unit_price, stock, threshold, units_sold, units_received, received_at, dt
FROM (
    SELECT *, row_number() OVER (PARTITION BY event_id ORDER BY received_at) AS delivery
    FROM stock_events
)
WHERE delivery = 1
