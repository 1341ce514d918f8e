-- How many units did each shelf not sell because it was empty?
-- An estimate: had it not been empty, it would have sold in the proportion to the store's other shelves in which it sells
-- otherwise. Those who found the last units gone within the same quarter of an hour are not counted.
WITH shelf AS (
    SELECT
        store_id,
        product_id,
        stock,
        event_time,
        lead(event_time) OVER (PARTITION BY store_id, product_id ORDER BY event_time) AS next_event_time
    FROM unique_events
),
quarter_hour AS (
    SELECT store_id, event_time, sum(units_sold) AS units_sold
    FROM unique_events
    GROUP BY store_id, event_time
    HAVING sum(units_sold) > 0
),
sold_out AS (
    SELECT shelf.store_id, shelf.product_id, count(*) AS quarter_hours, sum(quarter_hour.units_sold) AS units_of_others
    FROM shelf
    INNER JOIN quarter_hour
        ON quarter_hour.store_id = shelf.store_id
        AND quarter_hour.event_time > shelf.event_time
        AND (shelf.next_event_time IS NULL OR quarter_hour.event_time < shelf.next_event_time)
    WHERE shelf.stock = 0
    GROUP BY shelf.store_id, shelf.product_id
),
store AS (SELECT store_id, sum(units_sold) AS units_sold FROM unique_events GROUP BY store_id),
sales AS (
    SELECT
        store_id,
        product_id,
        product_name,
        sum(units_sold) AS units_sold,
        max_by(unit_price, event_time) AS unit_price
    FROM unique_events
    GROUP BY store_id, product_id, product_name
),
estimate AS (
    SELECT
        sales.*,
        15 * coalesce(sold_out.quarter_hours, 0) AS sold_out_minutes,
        coalesce(
            1e0 * sales.units_sold * sold_out.units_of_others
            / nullif(store.units_sold - sales.units_sold - sold_out.units_of_others, 0),
            0
        ) AS units_lost
    FROM sales
    INNER JOIN store ON store.store_id = sales.store_id
    LEFT JOIN sold_out ON sold_out.store_id = sales.store_id AND sold_out.product_id = sales.product_id
)
SELECT
    store_id,
    product_id,
    product_name,
    units_sold,
    sold_out_minutes,
    round(units_lost, 1) AS units_lost,
    round(units_lost * unit_price, 2) AS revenue_lost
FROM estimate
ORDER BY units_lost DESC, store_id, product_id
