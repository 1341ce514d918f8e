-- Why was a document that mentions an event refused?
SELECT "$path" AS object, received_at, reason
FROM quarantine
WHERE strpos(document, ?) > 0
ORDER BY received_at
