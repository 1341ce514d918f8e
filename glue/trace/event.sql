-- How did an event reach the lake? One row for each time it was delivered, the first one first.
SELECT "$path" AS object, dt, received_at, event_time, stock, threshold, units_sold, units_received
FROM stock_events
WHERE event_id = ?
ORDER BY received_at, "$path"
