-- https://trino.io/docs/current/functions/comparison.html and, for nulls inside, Trino's TestArrayOperators and TestRowOperators

-- Whether arrays with nulls are equal is not known, unless they differ elsewhere
SELECT ARRAY[1, null] = ARRAY[1, null] AS a, ARRAY[1, null] <> ARRAY[1, null] AS b, ARRAY[1, null] = ARRAY[2, null] AS c, ARRAY[1, null] = ARRAY[1] AS d, ARRAY[1, 2] = ARRAY[1, 2] AS e, CAST(null AS array(integer)) = ARRAY[1] AS f;
--> a boolean, b boolean, c boolean, d boolean, e boolean, f boolean
--> ,,"false","false","true",

-- Rows
SELECT ROW(1, null) = ROW(1, null) AS a, ROW(1, null) = ROW(2, null) AS b, (1, 2) = (1, 2) AS c, (1, null) IN ((2, 3), (1, 3)) AS d, (1, 2) IN ((2, 3), (1, 2)) AS e, ROW(1, null) IS NOT DISTINCT FROM ROW(1, null) AS f;
--> a boolean, b boolean, c boolean, d boolean, e boolean, f boolean
--> ,"false","true",,"true","true"

-- Maps
SELECT MAP(ARRAY['a'], ARRAY[null]) = MAP(ARRAY['a'], ARRAY[null]) AS a, MAP(ARRAY['a'], ARRAY[1]) = MAP(ARRAY['b'], ARRAY[1]) AS b, MAP(ARRAY['a', 'b'], ARRAY[1, 2]) = MAP(ARRAY['b', 'a'], ARRAY[2, 1]) AS c;
--> a boolean, b boolean, c boolean
--> ,"false","true"

-- Nested
SELECT ARRAY[ROW(1, null)] = ARRAY[ROW(1, null)] AS a, ARRAY[ROW(1, null)] = ARRAY[ROW(2, null)] AS b, contains(ARRAY[ROW(1, 2)], ROW(1, 2)) AS c, contains(ARRAY[ROW(1, null)], ROW(1, 2)) AS d, nullif(ARRAY[null, 1], ARRAY[null, 1]) AS e;
--> a boolean, b boolean, c boolean, d boolean, e array
--> ,"false","true",,"[null, 1]"

-- In CASE and in USING
SELECT CASE ARRAY[1] WHEN ARRAY[null] THEN 1 WHEN ARRAY[1] THEN 2 END AS a, (SELECT count(*) FROM (VALUES ARRAY[1], ARRAY[null]) AS t (x) JOIN (VALUES ARRAY[1], ARRAY[null]) AS u (x) USING (x)) AS b;
--> a integer, b bigint
--> "2","1"

-- Arrays and rows are put in order
SELECT ARRAY[1, 2] < ARRAY[1, 3] AS a, ROW(1, 'a') >= ROW(1, 'a') AS b, ARRAY[1, 2] BETWEEN ARRAY[1] AND ARRAY[2] AS c, (SELECT max(ROW(x, y)) FROM (VALUES (1, 'b'), (2, 'a')) AS t (x, y)) AS d;
--> a boolean, b boolean, c boolean, d row
--> "true","true","true","{field0=2, field1=a}"

-- Unless there is a null in an array
SELECT ARRAY[1, null] < ARRAY[1, 3];
--! NOT_SUPPORTED: ARRAY comparison not supported for arrays with null elements

-- Or in a row
SELECT max(ROW(x, y)) FROM (VALUES (1, null), (2, 'a')) AS t (x, y);
--! NOT_SUPPORTED: ROW comparison not supported for fields with null elements

-- Maps have no order
SELECT MAP(ARRAY['a'], ARRAY[1]) < MAP(ARRAY['a'], ARRAY[1]);
--! TYPE_MISMATCH: line 1:8: Cannot apply operator: map(varchar(1), integer) < map(varchar(1), integer)

-- A row in a subquery is refused
SELECT (1, 2) IN (SELECT ROW(1, 2));
--! NOT_SUPPORTED: line 1:9: IN over arrays, maps or rows is not supported by the embedded Athena

-- A column of arrays is put in order by no other name
SELECT a FROM (VALUES ARRAY[2], ARRAY[1]) AS t (a) ORDER BY 1;
--! NOT_SUPPORTED: line 1:61: ORDER BY a column of type array(integer) by its name or number is not supported by the embedded Athena
