-- https://trino.io/docs/current/sql/select.html
-- https://docs.aws.amazon.com/athena/latest/ug/select.html

-- Nulls come last, up and down
SELECT x FROM (VALUES 1, NULL, 2) AS t (x) ORDER BY x DESC;
--> x integer
--> "2"
--> "1"
-->

-- A column without a name is called after its place
SELECT 1, count(*) FROM (VALUES 1) AS t (x);
--> _col0 integer, _col1 bigint
--> "1","1"

-- Names are the same in upper and lower case
SELECT T.X AS "Total" FROM (VALUES 1) AS t (x);
--> Total integer
--> "1"

-- GROUP BY takes places, ORDER BY takes names
SELECT k, sum(x) AS total FROM (VALUES ('a', 1), ('b', 5), ('a', 2)) AS t (k, x) GROUP BY 1 ORDER BY total DESC, k;
--> k varchar, total bigint
--> "b","5"
--> "a","3"

-- GROUP BY does not take names
SELECT upper(k) AS big FROM (VALUES 'a') AS t (k) GROUP BY big;
--! COLUMN_NOT_FOUND: line 1:60: Column 'big' cannot be resolved or requester is not authorized to access requested resources

-- What is not grouped must be aggregated
SELECT k, count(*) FROM (VALUES ('a', 1)) AS t (k, x) GROUP BY x;
--! EXPRESSION_NOT_AGGREGATE: line 1:8: 'k' must be an aggregate expression or appear in GROUP BY clause

-- ROLLUP
SELECT k, sum(x) AS s, grouping(k) AS g FROM (VALUES ('a', 1), ('b', 2)) AS t (k, x) GROUP BY ROLLUP (k) ORDER BY k;
--> k varchar, s bigint, g integer
--> "a","1","0"
--> "b","2","0"
-->,"3","1"

-- HAVING, FILTER and DISTINCT
SELECT k, count(*) FILTER (WHERE x > 1) AS a, count(DISTINCT x) AS b, sum(DISTINCT x) AS c FROM (VALUES ('a', 1), ('a', 2), ('a', 2), ('b', 1)) AS t (k, x) GROUP BY k HAVING count(*) > 1;
--> k varchar, a bigint, b bigint, c bigint
--> "a","2","2","3"

-- Windows
SELECT x, lag(x) OVER w AS before, sum(x) OVER (ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS running, row_number() OVER (ORDER BY x DESC) AS n FROM (VALUES 1, 2, 4) AS t (x) WINDOW w AS (ORDER BY x) ORDER BY x;
--> x integer, before integer, running bigint, n bigint
--> "1",,"1","3"
--> "2","1","3","2"
--> "4","2","7","1"

-- Nulls left out of a window
SELECT x, last_value(x) IGNORE NULLS OVER (ORDER BY n) AS seen FROM (VALUES (1, 5), (2, NULL)) AS t (n, x) ORDER BY n;
--> x integer, seen integer
--> "5","5"
-->,"5"

-- A window over an aggregate
SELECT k, sum(sum(x)) OVER (ORDER BY k) AS s FROM (VALUES ('a', 1), ('b', 2), ('b', 3)) AS t (k, x) GROUP BY k ORDER BY k;
--> k varchar, s bigint
--> "a","1"
--> "b","6"

-- min_by and max_by keep a null
SELECT max_by(v, k) AS a, min_by(v, k) AS b FROM (VALUES (1, 'x'), (2, NULL)) AS t (k, v);
--> a varchar, b varchar
-->,"x"

-- JOIN USING gives one column
SELECT * FROM (VALUES (1, 'a')) AS l (id, x) FULL JOIN (VALUES (2, 'b')) AS r (id, y) USING (id) ORDER BY id;
--> id integer, x varchar, y varchar
--> "1","a",
--> "2",,"b"

-- A correlated subquery
SELECT x, (SELECT count(*) FROM (VALUES 1, 2, 3) AS u (y) WHERE u.y < t.x) AS smaller FROM (VALUES 1, 3) AS t (x) WHERE EXISTS (SELECT 1 WHERE t.x > 0) ORDER BY x;
--> x integer, smaller bigint
--> "1","0"
--> "3","2"

-- WITH, and WITH RECURSIVE
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4), total AS (SELECT sum(i) AS s FROM n) SELECT s FROM total;
--> s bigint
--> "10"

-- Sets of rows
SELECT x FROM (VALUES 1, 2, 2) AS t (x) EXCEPT SELECT 1 UNION ALL SELECT 9 ORDER BY 1;
--> x integer
--> "2"
--> "9"

-- IN with a null is neither true nor false
SELECT x FROM (VALUES 1, 2) AS t (x) WHERE x NOT IN (1, NULL);
--> x integer

-- CASE and IF and COALESCE and NULLIF
SELECT CASE x WHEN 1 THEN 'one' ELSE 'many' END AS a, IF(x > 1, 'big') AS b, coalesce(nullif(x, 1), 0) AS c, x IS DISTINCT FROM NULL AS d FROM (VALUES 1) AS t (x);
--> a varchar, b varchar, c integer, d boolean
--> "one",,"0","true"

-- OFFSET comes before LIMIT
SELECT x FROM (VALUES 1, 2, 3) AS t (x) ORDER BY x OFFSET 1 LIMIT 1;
--> x integer
--> "2"

-- A name that two relations have
SELECT x FROM (VALUES 1) AS a (x), (VALUES 2) AS b (x);
--! AMBIGUOUS_NAME: line 1:8: Column 'x' is ambiguous

-- A column that is not there
SELECT colour FROM stock_events;
--! COLUMN_NOT_FOUND: line 1:8: Column 'colour' cannot be resolved or requester is not authorized to access requested resources

-- A table that is not there
SELECT * FROM shelves;
--! TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.workshop.shelves' does not exist

-- A database that is not there
SELECT * FROM nowhere.shelves;
--! SCHEMA_NOT_FOUND: line 1:15: Schema 'nowhere' does not exist

-- A function that is not there
SELECT colour_of(1);
--! FUNCTION_NOT_FOUND: line 1:8: Function 'colour_of' not registered

-- Statements that are not there
DELETE FROM stock_events;
--! NOT_SUPPORTED: The statement DELETE is not supported by the embedded Athena

-- TABLESAMPLE takes all of the rows, or none
SELECT (SELECT count(*) FROM (VALUES 1, 2, 3) AS t (x) TABLESAMPLE BERNOULLI (100)) AS a, (SELECT count(*) FROM (VALUES 1, 2, 3) AS t (x) TABLESAMPLE SYSTEM (0)) AS b;
--> a bigint, b bigint
--> "3","0"
