-- When were units put on a shelf? In the order of the store's own time.
SELECT event_id, min(received_at) AS received_at, min_by("$path", received_at) AS object, units_received
FROM stock_events
WHERE store_id = ? AND product_id = ? AND units_received > 0
GROUP BY event_id, event_time, units_received
ORDER BY event_time
