-- https://trino.io/docs/current/functions/window.html
-- https://trino.io/docs/current/sql/select.html#window-clause

-- Ranks
SELECT x, rank() OVER w AS r, dense_rank() OVER w AS d, percent_rank() OVER w AS p, cume_dist() OVER w AS c, ntile(2) OVER w AS n FROM (VALUES 1, 1, 2, 3) AS t (x) WINDOW w AS (ORDER BY x) ORDER BY x, n;
--> x integer, r bigint, d bigint, p double, c double, n bigint
--> "1","1","1","0.0","0.5","1"
--> "1","1","1","0.0","0.5","1"
--> "2","3","2","0.6666666666666666","0.75","2"
--> "3","4","3","1.0","1.0","2"

-- lag and lead with an offset and a default
SELECT x, lag(x, 2, 0) OVER (ORDER BY x) AS a, lead(x) OVER (ORDER BY x) AS b FROM (VALUES 1, 2, 3) AS t (x) ORDER BY x;
--> x integer, a integer, b integer
--> "1","0","2"
--> "2","0","3"
--> "3","1",

-- nth_value, first_value and last_value in a frame
SELECT x, nth_value(x, 2) OVER w AS n, first_value(x) OVER w AS f, last_value(x) OVER w AS l FROM (VALUES 1, 2, 3) AS t (x) WINDOW w AS (ORDER BY x ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) ORDER BY x;
--> x integer, n integer, f integer, l integer
--> "1","2","1","2"
--> "2","2","1","3"
--> "3","3","2","3"

-- A frame of values
SELECT x, sum(x) OVER (ORDER BY x RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM (VALUES 1, 2, 4) AS t (x) ORDER BY x;
--> x integer, s bigint
--> "1","1"
--> "2","3"
--> "4","4"

-- A frame of groups
SELECT x, count(*) OVER (ORDER BY x GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) AS n FROM (VALUES 1, 1, 2, 4) AS t (x) ORDER BY x, n;
--> x integer, n bigint
--> "1","2"
--> "1","2"
--> "2","3"
--> "4","2"

-- Nulls left out of lag
SELECT n, lag(x) IGNORE NULLS OVER (ORDER BY n) AS a FROM (VALUES (1, 7), (2, NULL), (3, 9)) AS t (n, x) ORDER BY n;
--> n integer, a integer
--> "1",
--> "2","7"
--> "3","7"

-- A filter and a partition
SELECT k, x, count(*) FILTER (WHERE x > 1) OVER (PARTITION BY k) AS n FROM (VALUES ('a', 1), ('a', 2), ('b', 3)) AS t (k, x) ORDER BY k, x;
--> k varchar, x integer, n bigint
--> "a","1","1"
--> "a","2","1"
--> "b","3","1"

-- A window function needs OVER
SELECT rank() FROM (VALUES 1) AS t (x);
--! MISSING_OVER: line 1:8: Window function rank requires an OVER clause

-- A scalar has no window
SELECT upper('a') OVER (ORDER BY 1);
--! FUNCTION_NOT_WINDOW: line 1:8: upper is scalar
