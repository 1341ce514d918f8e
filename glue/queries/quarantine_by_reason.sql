-- What was wrong with the documents that were refused?
SELECT reason, field, count(*) AS documents
FROM quarantine
GROUP BY reason, field
ORDER BY documents DESC, reason, field
