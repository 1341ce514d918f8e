-- Which events are there, each once?
SELECT * FROM stock_events
