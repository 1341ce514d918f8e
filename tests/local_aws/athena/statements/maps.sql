-- https://trino.io/docs/current/functions/map.html
-- https://trino.io/docs/current/functions/array.html

-- Maps are filtered and changed
SELECT map_filter(map(ARRAY['k1', 'k2', 'k3'], ARRAY[20, 3, 15]), (k, v) -> v > 10) AS a, transform_values(map(ARRAY[1, 2, 3], ARRAY[10, 20, 30]), (k, v) -> v + k) AS b, transform_keys(map(ARRAY['a', 'b'], ARRAY[1, 2]), (k, v) -> k || CAST(v AS varchar)) AS c;
--> a map, b map, c map
--> "{k1=20, k3=15}","{1=11, 2=22, 3=33}","{a1=1, b2=2}"

-- Maps side by side
SELECT map_zip_with(map(ARRAY['k1', 'k2'], ARRAY[1, 2]), map(ARRAY['k2', 'k3'], ARRAY[4, 9]), (k, v1, v2) -> (v1, v2)) AS a, map_concat(map(ARRAY['a'], ARRAY[1]), map(ARRAY['a', 'b'], ARRAY[2, 3])) AS b;
--> a map, b map
--> "{k1={field0=1, field1=null}, k2={field0=2, field1=4}, k3={field0=null, field1=9}}","{a=2, b=3}"

-- Entries
SELECT map_entries(map(ARRAY[1, 2], ARRAY['x', 'y'])) AS a, map_from_entries(ARRAY[(1, 'x'), (2, 'y')]) AS b, cardinality(map(ARRAY[1], ARRAY[2])) AS c, split_to_map('a=1,b=2', ',', '=') AS d, split_to_multimap('a=1,a=2', ',', '=') AS e;
--> a array, b map, c bigint, d map, e map
--> "[{field0=1, field1=x}, {field0=2, field1=y}]","{1=x, 2=y}","1","{a=1, b=2}","{a=[1, 2]}"

-- A key twice
SELECT map(ARRAY['a', 'a'], ARRAY[1, 2]);
--! INVALID_FUNCTION_ARGUMENT: Duplicate map keys are not allowed

-- Reduced to one value
SELECT reduce(ARRAY[5, 20, NULL, 50], 0, (s, x) -> s + coalesce(x, 0), s -> s) AS a, reduce(ARRAY[5, 20, NULL, 50], 0, (s, x) -> s + x, s -> s) AS b, reduce(ARRAY[5, 6, 10, 20], CAST(ROW(0.0, 0) AS ROW(sum DOUBLE, count INTEGER)), (s, x) -> CAST(ROW(x + s.sum, s.count + 1) AS ROW(sum DOUBLE, count INTEGER)), s -> IF(s.count = 0, NULL, s.sum / s.count)) AS c;
--> a integer, b integer, c double
--> "75",,"10.25"

-- Arrays side by side
SELECT zip(ARRAY[1, 2], ARRAY['1b', NULL, '3b']) AS a, zip_with(ARRAY[1, 2], ARRAY[3, 4], (x, y) -> x + y) AS b, zip_with(ARRAY['a'], ARRAY['d', NULL, 'f'], (x, y) -> coalesce(x, y)) AS c;
--> a array, b array, c array
--> "[{field0=1, field1=1b}, {field0=2, field1=null}, {field0=null, field1=3b}]","[4, 6]","[a, null, f]"

-- Sets with nulls
SELECT array_except(ARRAY[1, 2, 2, NULL], ARRAY[1]) AS a, array_intersect(ARRAY[1, 2, 2, NULL], ARRAY[2, NULL]) AS b, array_union(ARRAY[1, NULL], ARRAY[1, 3]) AS c, arrays_overlap(ARRAY[1, NULL], ARRAY[2]) AS d, contains(ARRAY[1, NULL], 2) AS e, array_position(ARRAY['a', 'b'], 'b') AS f;
--> a array, b array, c array, d boolean, e boolean, f bigint
--> "[2, null]","[2, null]","[1, null, 3]",,,"2"

-- Parts of arrays
SELECT slice(ARRAY[1, 2, 3, 4], -2, 2) AS a, trim_array(ARRAY[1, 2, 3, 4], 1) AS b, ngrams(ARRAY['foo', 'bar', 'baz', 'foo'], 2) AS c, flatten(ARRAY[ARRAY[1], ARRAY[2, 3]]) AS d, repeat('a', 2) AS e, array_remove(ARRAY[1, 2, 1], 1) AS f, ARRAY[1] || 2 AS g, contains_sequence(ARRAY[1, 2, 3], ARRAY[2, 3]) AS h;
--> a array, b array, c array, d array, e array, f array, g array, h boolean
--> "[3, 4]","[1, 2, 3]","[[foo, bar], [bar, baz], [baz, foo]]","[1, 2, 3]","[a, a]","[2]","[1, 2]","true"

-- Rows of days and numbers
SELECT sequence(5, 1) AS a, sequence(0, 10, 5) AS b, sequence(DATE '2026-01-15', DATE '2026-03-31', INTERVAL '1' MONTH) AS c, sequence(TIMESTAMP '2026-01-01 00:00:00', TIMESTAMP '2026-01-01 12:00:00', INTERVAL '12' HOUR) AS d;
--> a array, b array, c array, d array
--> "[5, 4, 3, 2, 1]","[0, 5, 10]","[2026-01-15, 2026-02-15, 2026-03-15]","[2026-01-01 00:00:00.000, 2026-01-01 12:00:00.000]"

-- Matches that are not known
SELECT any_match(ARRAY[1, NULL], x -> x > 1) AS a, all_match(ARRAY[2, NULL], x -> x > 1) AS b, none_match(ARRAY[0], x -> x > 1) AS c, all_match(ARRAY[], x -> true) AS d;
--> a boolean, b boolean, c boolean, d boolean
-->,,"true","true"

-- A lambda in a lambda, and a column in it
SELECT transform(ARRAY[ARRAY[1, NULL, 2], ARRAY[3, NULL]], a -> filter(a, x -> x IS NOT NULL)) AS a, transform(ARRAY[1, 2], x -> x + k) AS b FROM (VALUES 10) AS t (k);
--> a array, b array
--> "[[1, 2], [3]]","[11, 12]"

-- Texts of arrays
SELECT array_join(ARRAY[1e7, NULL, 2e0], ',', '-') AS a, array_join(ARRAY[DATE '2026-01-01'], ',') AS b;
--> a varchar, b varchar
--> "1.0E7,-,2.0","2026-01-01"

-- Rows have fields
SELECT r.a AS a, r AS b, CAST(r AS ROW(x double, y varchar)).x AS c, typeof(r) AS d FROM (SELECT CAST(ROW(1, 'x') AS ROW(a integer, b varchar)) AS r);
--> a integer, b row, c double, d varchar
--> "1","{a=1, b=x}","1.0","row(a integer, b varchar)"

-- A slice from zero
SELECT slice(ARRAY[1], 0, 1);
--! INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1

-- A lambda that sorts is refused
SELECT array_sort(ARRAY[1, 2], (x, y) -> IF(x < y, 1, -1));
--! NOT_SUPPORTED: line 1:8: array_sort with a lambda is not supported by the embedded Athena
