-- For how many days does each shelf last at the rate of its last seven days?
-- The first day counts whole: a store that opens at seven sells nothing in the night before.
WITH event AS (
    SELECT
        store_id,
        product_id,
        product_name,
        stock,
        units_sold,
        event_time,
        max(event_time) OVER (PARTITION BY store_id) AS until,
        greatest(
            date_trunc('day', min(event_time) OVER (PARTITION BY store_id)),
            max(event_time) OVER (PARTITION BY store_id) - INTERVAL '7' DAY
        ) AS since
    FROM unique_events
),
shelf AS (
    SELECT
        store_id,
        product_id,
        product_name,
        max_by(stock, event_time) AS stock,
        sum(IF(event_time > since, units_sold, 0)) AS units_sold,
        date_diff('minute', max(since), max(until)) AS minutes
    FROM event
    GROUP BY store_id, product_id, product_name
)
SELECT
    store_id,
    product_id,
    product_name,
    stock,
    round(1440e0 * units_sold / nullif(minutes, 0), 1) AS units_sold_per_day,
    round(stock * minutes / (1440e0 * nullif(units_sold, 0)), 2) AS days_of_cover
FROM shelf
ORDER BY days_of_cover, store_id, product_id
