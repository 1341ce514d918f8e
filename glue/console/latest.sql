-- Which events arrived last?
SELECT DISTINCT
    event_id, event_time, store_id, store_name, product_id, product_name, stock, threshold, units_sold, units_received,
    received_at
FROM stock_events
WHERE dt >= ?
ORDER BY received_at DESC, event_time DESC, event_id
LIMIT 100
