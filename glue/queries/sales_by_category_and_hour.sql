-- What does each category sell in each hour?
-- An event stands at the end of its tick, so what is sold until nine o'clock sharp belongs to the hour before.
SELECT
    date_trunc('hour', event_time - INTERVAL '1' SECOND) AS hour,
    category,
    sum(units_sold) AS units_sold,
    round(sum(units_sold * unit_price), 2) AS revenue
FROM unique_events
GROUP BY date_trunc('hour', event_time - INTERVAL '1' SECOND), category
ORDER BY hour, category
