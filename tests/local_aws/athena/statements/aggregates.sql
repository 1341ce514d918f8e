-- https://trino.io/docs/current/functions/aggregate.html

-- Several least and greatest
SELECT max(x, 2) AS a, min(x, 2) AS b, max_by(k, x, 2) AS c, min_by(k, x, 2) AS d FROM (VALUES ('a', 1), ('b', 2), ('c', 3)) AS t (k, x);
--> a array, b array, c array, d array
--> "[3, 2]","[1, 2]","[c, b]","[a, b]"

-- Maps of what is collected
SELECT multimap_agg(k, x ORDER BY x) AS a, histogram(x) AS b FROM (VALUES ('a', 1), ('b', 2), ('a', 2)) AS t (k, x);
--> a map, b map
--> "{a=[1, 2], b=[2]}","{1=1, 2=2}"

-- Maps are united
SELECT map_union(m) AS a FROM (VALUES map(ARRAY['a'], ARRAY[1]), map(ARRAY['b'], ARRAY[2])) AS t (m);
--> a map
--> "{a=1, b=2}"

-- Percentiles, with weights and of several shares
SELECT approx_percentile(x, ARRAY[0.25, 0.5]) AS a, approx_percentile(x, w, 0.5) AS b, approx_percentile(d, 0.5) AS c FROM (VALUES (1, 1, 1e0), (2, 1, 2e0), (3, 1, 3e0), (4, 9, 4e0)) AS t (x, w, d);
--> a array, b integer, c double
--> "[1, 2]","4","2.0"

-- Counts of what is true and of what differs
SELECT count_if(x > 1) AS a, approx_distinct(x) AS b, bool_and(x > 0) AS c, bool_or(x > 2) AS d, every(x > 1) AS e FROM (VALUES 1, 2, 2) AS t (x);
--> a bigint, b bigint, c boolean, d boolean, e boolean
--> "2","2","true","false","false"

-- Statistics of two columns
SELECT corr(y, x) AS a, covar_pop(y, x) AS b, regr_slope(y, x) AS c, regr_intercept(y, x) AS d FROM (VALUES (1, 3), (2, 5), (3, 7)) AS t (x, y);
--> a double, b double, c double, d double
--> "1.0","1.3333333333333333","2.0","1.0"

-- Statistics of one
SELECT stddev(x) AS a, variance(x) AS b, var_pop(x) AS c, skewness(x) AS d, entropy(x) AS e, geometric_mean(x) AS f FROM (VALUES 1, 2, 4, 8) AS t (x);
--> a double, b double, c double, d double, e double, f double
--> "3.095695936834452","9.583333333333334","7.1875","0.6568077344996989","1.6402239289418519","2.82842712474619"

-- Of nothing there is no sum, and there are no rows
SELECT sum(x) AS a, count(x) AS b, array_agg(x) AS c, max(x) AS d FROM (VALUES 1) AS t (x) WHERE x > 1;
--> a bigint, b bigint, c array, d integer
-->,"0",,

-- array_agg keeps nulls unless told otherwise
SELECT array_agg(x ORDER BY x) AS a, array_agg(x ORDER BY x) FILTER (WHERE x IS NOT NULL) AS b, array_agg(DISTINCT x) FILTER (WHERE x = 2) AS c FROM (VALUES 2, NULL, 1, 2) AS t (x);
--> a array, b array, c array
--> "[1, 2, 2, null]","[1, 2, 2]","[2]"

-- listagg in groups
SELECT id, listagg(v, ',') WITHIN GROUP (ORDER BY o) AS csv FROM (VALUES (100, 1, 'a'), (200, 3, 'c'), (200, 2, 'b')) AS t (id, o, v) GROUP BY id ORDER BY id;
--> id integer, csv varchar
--> "100","a"
--> "200","b,c"

-- Bits
SELECT bitwise_and_agg(x) AS a, bitwise_or_agg(x) AS b, bitwise_xor_agg(x) AS c FROM (VALUES 6, 3) AS t (x);
--> a bigint, b bigint, c bigint
--> "2","7","5"

-- reduce_agg
SELECT reduce_agg(x, 0, (a, b) -> a + b, (a, b) -> a + b) AS s FROM (VALUES 1, 2, 3) AS t (x);
--> s integer
--> "6"

-- GROUPING SETS and CUBE
SELECT a, b, count(*) AS n, grouping(a, b) AS g FROM (VALUES (1, 'x'), (2, 'x')) AS t (a, b) GROUP BY GROUPING SETS ((a, b), (b), ()) ORDER BY g, a;
--> a integer, b varchar, n bigint, g integer
--> "1","x","1","0"
--> "2","x","1","0"
-->,"x","2","2"
-->,,"2","3"

-- The cube of two
SELECT count(*) AS n FROM (SELECT a, b FROM (VALUES (1, 2), (3, 4)) AS t (a, b) GROUP BY CUBE (a, b));
--> n bigint
--> "7"

-- A sum that is too large
SELECT sum(x) FROM (VALUES 9223372036854775807, 1) AS t (x);
--! NUMERIC_VALUE_OUT_OF_RANGE: Out of range for bigint: 9223372036854775808

-- A checksum is refused
SELECT checksum(x) FROM (VALUES 1) AS t (x);
--! NOT_SUPPORTED: line 1:8: The function checksum is not supported by the embedded Athena

-- The shape of a distribution; that of one value is not a number: Trino's CentralMomentsAggregation
SELECT skewness(x) AS a, round(kurtosis(x), 11) AS b, skewness(0 * x) AS c, kurtosis(0 * x) AS d, kurtosis(x) FILTER (WHERE x > 1) AS e FROM (VALUES 1, 2, 5, 9) AS t (x);
--> a double, b double, c double, d double, e double
--> "0.5130239584603056","-0.58189386056","NaN","NaN",

-- A share below none
SELECT approx_percentile(x, -0.5) FROM (VALUES 1, 2) AS t (x);
--! INVALID_FUNCTION_ARGUMENT: line 1:8: Percentile must be between 0 and 1
