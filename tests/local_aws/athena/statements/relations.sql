-- https://trino.io/docs/current/sql/select.html

-- LATERAL
SELECT x, y FROM (VALUES 1, 2) AS t (x) CROSS JOIN LATERAL (SELECT t.x + 1 AS y) AS u ORDER BY x;
--> x integer, y integer
--> "1","2"
--> "2","3"

-- UNNEST keeps rows of empty arrays under LEFT JOIN
SELECT id, v FROM (VALUES (1, ARRAY[7]), (2, ARRAY[])) AS t (id, vs) LEFT JOIN UNNEST(vs) AS u (v) ON TRUE ORDER BY id;
--> id integer, v integer
--> "1","7"
--> "2",

-- UNNEST of several arrays
SELECT a, b, n FROM UNNEST(ARRAY[1, 2], ARRAY['x']) WITH ORDINALITY AS t (a, b, n) ORDER BY n;
--> a integer, b varchar, n bigint
--> "1","x","1"
--> "2",,"2"

-- UNNEST of rows
SELECT t.id, r.a, r.b FROM (VALUES (1, ARRAY[CAST(ROW(1, 'x') AS ROW(a integer, b varchar))])) AS t (id, rs) CROSS JOIN UNNEST(t.rs) AS r (a, b);
--> id integer, a integer, b varchar
--> "1","1","x"

-- Joins in parentheses
SELECT a.x, b.y, c.z FROM (VALUES 1) AS a (x) LEFT JOIN ((SELECT 1 AS y) AS b JOIN (SELECT 1 AS z) AS c ON y = z) ON x = y;
--> x integer, y integer, z integer
--> "1","1","1"

-- Rows of values in IN
SELECT x FROM (VALUES (1, 'a'), (2, 'b')) AS t (x, k) WHERE (x, k) IN ((1, 'a'), (2, 'x'));
--> x integer
--> "1"

-- ANY and ALL
SELECT 2 > ANY (SELECT x FROM (VALUES 1, 3) AS t (x)) AS a, 2 > ALL (SELECT x FROM (VALUES 1, 3) AS t (x)) AS b;
--> a boolean, b boolean
--> "true","false"

-- INTERSECT and EXCEPT ALL
SELECT x FROM (VALUES 1, 1, 2) AS t (x) INTERSECT SELECT 1 UNION ALL (SELECT x FROM (VALUES 3, 3) AS u (x) EXCEPT ALL SELECT 3);
--> x integer
--> "1"
--> "3"

-- A correlated IN and NOT EXISTS
SELECT x FROM (VALUES 1, 2, 3) AS t (x) WHERE x IN (SELECT y FROM (VALUES 1, 2) AS u (y)) AND NOT EXISTS (SELECT 1 FROM (VALUES 2) AS v (z) WHERE v.z = t.x);
--> x integer
--> "1"

-- FETCH FIRST
SELECT x FROM (VALUES 3, 1, 2) AS t (x) ORDER BY x FETCH FIRST 2 ROWS ONLY;
--> x integer
--> "1"
--> "2"

-- NATURAL JOIN
SELECT * FROM (VALUES (1, 'a')) AS l (id, x) NATURAL JOIN (VALUES (1, 'b')) AS r (id, y);
--> id integer, x varchar, y varchar
--> "1","a","b"

-- A hidden column that is not read here
SELECT "$file_size" FROM stock_events;
--! NOT_SUPPORTED: line 1:8: The hidden column "$file_size" is not supported by the embedded Athena

-- A subquery of several rows
SELECT (SELECT x FROM (VALUES 1, 2) AS t (x));
--! SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows

-- Columns that are too many
WITH t (a, b) AS (SELECT 1) SELECT * FROM t;
--! MISMATCHED_COLUMN_ALIASES: line 1:6: Column alias list has 2 entries but relation has 1 columns

-- Sets of different width
SELECT 1 UNION SELECT 1, 2;
--! TYPE_MISMATCH: line 1:8: UNION query has different number of fields: 1, 2
