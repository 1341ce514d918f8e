-- What is on every shelf now?
-- A repeated delivery says the same again, so the latest event is right without unique_events, for fewer bytes.
SELECT
    store_id,
    store_name,
    product_id,
    product_name,
    category,
    max_by(stock, event_time) AS stock,
    max_by(threshold, event_time) AS threshold,
    max(event_time) AS as_of
FROM stock_events
GROUP BY store_id, store_name, product_id, product_name, category
ORDER BY store_id, product_id
