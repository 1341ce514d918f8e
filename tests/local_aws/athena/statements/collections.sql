-- https://trino.io/docs/current/functions/array.html
-- https://trino.io/docs/current/functions/map.html
-- https://trino.io/docs/current/functions/lambda.html
-- https://trino.io/docs/current/sql/select.html#unnest

-- How arrays, maps and rows are shown
SELECT ARRAY[1, NULL, 3] AS a, map(ARRAY['x', 'y'], ARRAY[1e7, 2e0]) AS b, CAST(row(1, 'z') AS row(n integer, t varchar)) AS c;
--> a array, b map, c row
--> "[1, null, 3]","{x=1.0E7, y=2.0}","{n=1, t=z}"

-- element_at is null beyond the end, a subscript fails there
SELECT element_at(ARRAY[1], 2) AS a, element_at(map(ARRAY['x'], ARRAY[1]), 'y') AS b, ARRAY[5, 6][2] AS c, element_at(ARRAY[1, 2], -1) AS d;
--> a integer, b integer, c integer, d integer
-->,,"6","2"

-- A subscript beyond the end
SELECT ARRAY[1][2];
--! INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: 2 > 1

-- A key that is not in the map
SELECT map(ARRAY['x'], ARRAY[1])['y'];
--! INVALID_FUNCTION_ARGUMENT: Key not present in map: y

-- Lambdas
SELECT transform(ARRAY[1, 2], x -> x * 10) AS a, filter(ARRAY[1, 2, 3], x -> x > 1) AS b, any_match(ARRAY[1, 2], x -> x = 2) AS c, all_match(ARRAY[1, 2], x -> x = 2) AS d;
--> a array, b array, c boolean, d boolean
--> "[10, 20]","[2, 3]","true","false"

-- Sets of values
SELECT array_distinct(ARRAY[3, 1, 3, NULL, NULL]) AS a, array_sort(ARRAY[3, NULL, 1]) AS b, array_max(ARRAY[1, NULL]) AS c, array_join(ARRAY['a', NULL, 'b'], '-') AS d, contains(ARRAY[1, 2], 2) AS e, cardinality(ARRAY[1, 2]) AS f;
--> a array, b array, c integer, d varchar, e boolean, f bigint
--> "[3, 1, null]","[1, 3, null]",,"a-b","true","2"

-- UNNEST beside a table, with positions
SELECT t.id, u.v, u.n FROM (VALUES (1, ARRAY['a', 'b']), (2, ARRAY['c'])) AS t (id, vs) CROSS JOIN UNNEST(t.vs) WITH ORDINALITY AS u (v, n) ORDER BY 1, 3;
--> id integer, v varchar, n bigint
--> "1","a","1"
--> "1","b","2"
--> "2","c","1"

-- UNNEST of a map
SELECT k, v FROM UNNEST(map(ARRAY['a', 'b'], ARRAY[1, 2])) AS t (k, v) ORDER BY k;
--> k varchar, v integer
--> "a","1"
--> "b","2"

-- Aggregates that collect
SELECT array_agg(x ORDER BY x DESC) AS a, map_agg(k, x) AS b, histogram(k) AS c FROM (VALUES ('p', 1), ('q', 2)) AS t (k, x);
--> a array, b map, c map
--> "[2, 1]","{p=1, q=2}","{p=1, q=1}"

-- A function that is known and not there yet says so
SELECT combinations(ARRAY[1, 2], 2);
--! NOT_SUPPORTED: line 1:8: The function combinations is not supported by the embedded Athena
