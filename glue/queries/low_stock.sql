-- Which shelves are below their threshold, most urgent first?
-- The threshold is the demand over the lead time plus safety stock: the smaller the share that is left, the sooner it is gone.
WITH latest AS (
    SELECT
        store_id,
        store_name,
        product_id,
        product_name,
        max_by(stock, event_time) AS stock,
        max_by(threshold, event_time) AS threshold,
        max(event_time) AS as_of
    FROM stock_events
    GROUP BY store_id, store_name, product_id, product_name
)
SELECT
    store_id,
    store_name,
    product_id,
    product_name,
    stock,
    threshold,
    threshold - stock AS missing,
    round(CAST(stock AS double) / threshold, 3) AS share_left,
    as_of
FROM latest
WHERE stock < threshold
ORDER BY CAST(stock AS double) / threshold, threshold - stock DESC, store_id, product_id
