-- https://trino.io/docs/current/functions/json.html

-- Documents are kept with their keys in order
SELECT json_format(JSON '{"b": 1.0, "a": [1, 1e3, "x"]}') AS a, json_format(json_extract('{"b": {"d": 1, "c": 2}}', '$.b')) AS b;
--> a varchar, b varchar
--> "{""a"":[1,1000.0,""x""],""b"":1.0}","{""d"":1,""c"":2}"

-- Values become documents
SELECT CAST('a"b' AS json) AS a, CAST(1e7 AS json) AS b, CAST(ARRAY[1, NULL] AS json) AS c, CAST(map(ARRAY['k2', 'k1'], ARRAY[1, 2]) AS json) AS d, CAST(CAST(ROW(1, 'x') AS ROW(a integer, b varchar)) AS json) AS e, CAST(DATE '2026-01-02' AS json) AS f;
--> a json, b json, c json, d json, e json, f json
--> """a\""b""","1.0E7","[1,null]","{""k1"":2,""k2"":1}","{""a"":1,""b"":""x""}","""2026-01-02"""

-- Documents become values
SELECT CAST(JSON '[1, 2]' AS array(integer)) AS a, CAST(JSON '{"k": 1}' AS map(varchar, bigint)) AS b, CAST(JSON '"x"' AS varchar) AS c, CAST(JSON 'null' AS varchar) AS d, CAST(JSON '{"a": 1, "b": "y"}' AS ROW(a integer, b varchar)) AS e, CAST(JSON '2.5' AS bigint) AS f;
--> a array, b map, c varchar, d varchar, e row, f bigint
--> "[1, 2]","{k=1}","x",,"{a=1, b=y}","3"

-- Parts of documents
SELECT json_extract_scalar('{"a b": [1, {"c": true}]}', '$["a b"][1].c') AS a, json_size('{"x": {"a": 1, "b": 2}}', '$.x') AS b, json_size('{"x": 1}', '$.x') AS c, json_array_get('["a", [3, 9], "c"]', 1) AS d, json_array_get('["a", "b"]', 9) AS e;
--> a varchar, b bigint, c bigint, d json, e json
--> "true","2","0","[3,9]",

-- What is in an array
SELECT json_array_contains('[1, 2]', 2) AS a, json_array_contains('["x"]', 'y') AS b, json_array_contains('[true]', true) AS c, json_array_contains('{}', 1) AS d, is_json_scalar('[1]') AS e;
--> a boolean, b boolean, c boolean, d boolean, e boolean
--> "true","false","true",,"false"

-- Paths of the standard: lax opens arrays, strict does not
SELECT json_value('{"a": [{"b": 1}]}', 'lax $.a.b') AS a, json_value('{"a": [{"b": 1}]}', 'strict $.a.b') AS b, json_exists('{"a": 1}', 'lax $.b') AS c, json_query('{"a": [1, 2]}', 'lax $.a') AS d, json_value('{"a": "x"}', 'lax $.a') AS e;
--> a varchar, b varchar, c boolean, d varchar, e varchar
--> "1",,"false","[1,2]","x"

-- What is no document
SELECT json_parse('{');
--! INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON: '{'

-- A path that may mean another thing is refused
SELECT json_extract('{}', '$..a');
--! NOT_SUPPORTED: line 1:27: The JSON path $..a is not supported by the embedded Athena

-- An object has no text
SELECT CAST(JSON '{"a":1}' AS varchar);
--! INVALID_CAST_ARGUMENT: Cannot cast '{"a":1}' to VARCHAR

-- A scalar of a type; what cannot be cast is null: https://trino.io/docs/current/functions/json.html#json-value
SELECT json_value('{"b": 5}', 'lax $.b' RETURNING integer NULL ON EMPTY) AS a, json_value('{"b": 500}', '$.b' RETURNING tinyint) AS b, json_value('{"b": "x"}', '$.b' RETURNING bigint) AS c, json_value('{"b": 1.5}', '$.b' RETURNING double) AS d, json_value('{"b": true}', '$.b' RETURNING boolean) AS e;
--> a integer, b tinyint, c bigint, d double, e boolean
--> "5",,,"1.5","true"

-- A scalar whose cast may round is refused
SELECT json_value('{"b": 1.5}', '$.b' RETURNING integer);
--! NOT_SUPPORTED: JSON_VALUE of 1.5 returning integer is not supported by the embedded Athena

-- What the clauses say that are there unsaid
SELECT json_query('{"b": [5]}', 'lax $.b' RETURNING varchar WITHOUT ARRAY WRAPPER NULL ON EMPTY) AS a, json_exists('{"b": 5}', 'lax $.c' FALSE ON ERROR) AS b;
--> a varchar, b boolean
--> "[5]","false"

-- Other clauses are refused by name
SELECT json_query('{"b": 5}', 'lax $.b' WITH ARRAY WRAPPER);
--! NOT_SUPPORTED: JSON_QUERY with WITH ARRAY WRAPPER is not supported by the embedded Athena

-- So are tables made of documents
SELECT * FROM json_table('{}', 'lax $' COLUMNS(x integer));
--! NOT_SUPPORTED: The function json_table is not supported by the embedded Athena
