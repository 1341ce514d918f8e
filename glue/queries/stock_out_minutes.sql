-- How long was each product sold out, over all stores?
-- A shelf stays as its last event left it until its next one, or until the last that the store sent.
WITH shelf AS (
    SELECT
        store_id,
        product_id,
        product_name,
        stock,
        event_time,
        lag(stock) OVER (PARTITION BY store_id, product_id ORDER BY event_time) AS stock_before,
        lead(event_time) OVER (PARTITION BY store_id, product_id ORDER BY event_time) AS next_event_time,
        max(event_time) OVER (PARTITION BY store_id) AS last_event_time
    FROM unique_events
)
SELECT
    product_id,
    product_name,
    count(DISTINCT store_id) AS stores,
    count_if(stock_before IS NULL OR stock_before > 0) AS stock_outs,
    sum(date_diff('minute', event_time, coalesce(next_event_time, last_event_time))) AS stock_out_minutes
FROM shelf
WHERE stock = 0
GROUP BY product_id, product_name
ORDER BY stock_out_minutes DESC, product_id
