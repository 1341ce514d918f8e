-- https://trino.io/docs/current/functions/math.html
-- https://trino.io/docs/current/functions/decimal.html

-- Whole numbers divide to whole numbers, towards zero
SELECT 7 / 2 AS a, -7 / 2 AS b, -7 % 3 AS c;
--> a integer, b integer, c integer
--> "3","-3","-1"

-- Doubles are written as Java writes them
SELECT 1e7 AS a, 1e6 AS b, 1.5e-5 AS c, 1e0 / 3 AS d, 123456789e0 AS e, -1e-3 AS f, 1e22 AS g;
--> a double, b double, c double, d double, e double, f double, g double
--> "1.0E7","1000000.0","1.5E-5","0.3333333333333333","1.23456789E8","-0.001","1.0E22"

-- Doubles divide by zero, numbers that are exact do not
SELECT 1e0 / 0 AS a, -1e0 / 0 AS b, 0e0 / 0 AS c;
--> a double, b double, c double
--> "Infinity","-Infinity","NaN"

-- Whole numbers do not divide by zero
SELECT 1 / 0;
--! DIVISION_BY_ZERO: Division by zero

-- Decimals do not divide by zero
SELECT 1.0 / 0;
--! DIVISION_BY_ZERO: Division by zero

-- A quotient of decimals keeps the larger scale and is rounded
SELECT 1.0 / 3 AS a, 100.0 * 2 / 3 AS b, 2.00 / 3.0 AS c;
--> a decimal, b decimal, c decimal
--> "0.3","66.7","0.67"

-- Decimals add and multiply exactly
SELECT 0.1 + 0.2 AS a, 1.25 * 2 AS b, 10.5 % 3 AS c;
--> a decimal, b decimal, c decimal
--> "0.3","2.50","1.5"

-- The average of whole numbers is a double, their sum a bigint
SELECT avg(x) AS a, sum(x) AS s FROM (VALUES 1, 2) AS t (x);
--> a double, s bigint
--> "1.5","3"

-- The average of decimals is a decimal of the same scale
SELECT avg(x) AS a, sum(x) AS s FROM (VALUES 1.0, 2.5, 2.5) AS t (x);
--> a decimal, s decimal
--> "2.0","6.0"

-- A double becomes a whole number by rounding halves away from zero
SELECT CAST(2.5e0 AS integer) AS a, CAST(-2.5e0 AS bigint) AS b, round(2.5e0) AS c;
--> a integer, b bigint, c double
--> "3","-3","3.0"

-- greatest and least are null when one of theirs is
SELECT greatest(1, NULL) AS a, least(3, 2) AS b;
--> a integer, b integer
-->,"2"

-- A text is no number
SELECT 1 WHERE 1 = '1';
--! TYPE_MISMATCH: line 1:16: Cannot apply operator: integer = varchar(1)

-- A text that is no number cannot become one
SELECT CAST('1.5' AS integer);
--! INVALID_CAST_ARGUMENT: Cannot cast '1.5' to INT

-- try gives null where something fails, and TRY_CAST too
SELECT try(1 / 0) AS a, TRY_CAST('x' AS integer) AS b, TRY_CAST('1.5' AS integer) AS c;
--> a integer, b integer, c integer
-->,,

-- try takes the whole expression back, of every row by itself
SELECT n, try(10 / n) AS a, try(coalesce(10 / n, 7)) AS b, try(ARRAY[5, 6][n]) AS c, try(map(ARRAY[1], ARRAY['x'])[n]) AS d, try(CAST(t AS integer)) AS e FROM (VALUES (0, '1'), (1, '1.5'), (2, 'x')) AS v (n, t) ORDER BY n;
--> n integer, a integer, b integer, c integer, d varchar, e integer
--> "0",,,,,"1"
--> "1","10","10","5","x",
--> "2","5","5","6",,

-- try takes nothing back of what is not supported
SELECT try(levenshtein_distance(t, 'x')) FROM (VALUES 'ü') AS v (t);
--! NOT_SUPPORTED: The embedded Athena cannot run this: TRY can not be used in combination with a volatile function

-- Not even where it shows in a row alone
SELECT try(json_value(t, 'lax $.a')) FROM (VALUES '{"a": 1.5}') AS v (t);
--! NOT_SUPPORTED: line 1:8: try around a JSON path or a regular expression's group is not supported by the embedded Athena

-- Square roots and logarithms of what has none
SELECT sqrt(-1) AS a, ln(0) AS b, log(2, 8) AS c, power(2, 10) AS d;
--> a double, b double, c double, d double
--> "NaN","-Infinity","3.0","1024.0"

-- Statistics
SELECT stddev_pop(x) AS a, var_samp(x) AS b, approx_distinct(x) AS c, approx_percentile(x, 0.5) AS d FROM (VALUES 1, 2, 3, 3, 6) AS t (x);
--> a double, b double, c bigint, d integer
--> "1.6733200530681511","3.5","4","3"

-- The way around the earth, in kilometres
SELECT round(great_circle_distance(36.12, -86.67, 33.94, -118.40)) AS km;
--> km double
--> "2886.0"
