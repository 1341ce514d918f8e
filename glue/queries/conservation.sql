-- How many events break stock = stock before + units received - units sold?
-- None may.
SELECT count(*) AS violations
FROM (
    SELECT
        stock,
        units_received,
        units_sold,
        lag(stock) OVER (PARTITION BY store_id, product_id ORDER BY event_time) AS stock_before
    FROM unique_events
)
WHERE stock <> stock_before + units_received - units_sold
