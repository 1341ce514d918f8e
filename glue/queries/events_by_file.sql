-- How many events does each file hold, and when had they been received?
SELECT
    dt,
    "$path" AS path,
    count(*) AS events,
    min(received_at) AS first_received_at,
    max(received_at) AS last_received_at
FROM stock_events
GROUP BY dt, "$path"
ORDER BY last_received_at, path
