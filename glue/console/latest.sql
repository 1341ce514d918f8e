-- Which events arrived last?
SELECT
    event_id, event_time, store_id, store_name, product_id, product_name, stock, threshold, units_sold, units_received,
    max(received_at) AS received_at
FROM stock_events
WHERE dt >= ?
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
ORDER BY received_at DESC, event_time DESC, event_id
LIMIT 100
