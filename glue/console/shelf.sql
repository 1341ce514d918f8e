-- What happened on a shelf lately? The newest event first.
-- A repeated delivery says the same again; without event_id, which fills most of a file, DISTINCT costs few bytes.
SELECT DISTINCT event_time, threshold, stock, units_sold, units_received
FROM stock_events
WHERE store_id = ? AND product_id = ?
ORDER BY event_time DESC
LIMIT 2000
