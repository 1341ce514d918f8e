-- https://trino.io/docs/current/functions/string.html
-- https://trino.io/docs/current/functions/regexp.html
-- https://trino.io/docs/current/functions/json.html

-- concat is null when one of its texts is
SELECT concat('a', NULL) AS a, 'a' || 'b' AS b, concat_ws(',', 'a', NULL, 'b') AS c;
--> a varchar, b varchar, c varchar
-->,"ab","a,b"

-- Pieces of a text count from one, from the end when negative, and there is none at zero
SELECT substr('abc', 2) AS a, substr('abc', -2) AS b, substr('abc', 0) AS c, substr('abc', -5) AS d, substring('abc' FROM 1 FOR 2) AS e;
--> a varchar, b varchar, c varchar, d varchar, e varchar
--> "bc","bc","","","ab"

-- A piece that is not there is null
SELECT split_part('a,b', ',', 2) AS a, split_part('a,b', ',', 3) AS b, split('a,b', ',') AS c, strpos('abc', 'c') AS d, position('b' IN 'abc') AS e;
--> a varchar, b varchar, c array, d bigint, e bigint
--> "b",,"[a, b]","3","2"

-- Regular expressions
SELECT regexp_like('S1-P1-9', '^S\d') AS a, regexp_extract('S1-P1-9', '-(\d+)$', 1) AS b, regexp_extract('x', '\d') AS c, regexp_replace('a1b2', '(\d)', '<$1>') AS d;
--> a boolean, b varchar, c varchar, d varchar
--> "true","9",,"a<1>b<2>"

-- Trimming and filling
SELECT trim('  a ') AS a, lpad('7', 3, '0') AS b, replace('a-b', '-') AS c, upper('a') AS d, reverse('ab') AS e, length('é') AS f;
--> a varchar, b varchar, c varchar, d varchar, e varchar, f bigint
--> "a","007","ab","A","ba","1"

-- LIKE, and its escape
SELECT 'a_b' LIKE 'a$_b' ESCAPE '$' AS a, 'axb' LIKE 'a_b' AS b, 'A' LIKE 'a' AS c;
--> a boolean, b boolean, c boolean
--> "true","true","false"

-- JSON: a scalar is a text, what is no scalar has none, and what is no JSON is null
SELECT json_extract_scalar('{"a": {"b": 1}}', '$.a.b') AS a, json_extract_scalar('{"a": {"b": 1}}', '$.a') AS b, json_extract_scalar('{', '$.a') AS c, json_array_length('[1, 2]') AS d, CAST(json_extract('{"a": 3}', '$.a') AS bigint) AS e;
--> a varchar, b varchar, c varchar, d bigint, e bigint
--> "1",,,"2","3"

-- Quotes, commas and lines in a value
SELECT 'say "hi", you' AS a, '' AS b, NULL AS c;
--> a varchar, b varchar, c unknown
--> "say ""hi"", you","",

-- Hashes
SELECT to_hex(md5(to_utf8('a'))) AS a, to_base64(to_utf8('a')) AS b;
--> a varchar, b varchar
--> "0CC175B9C0F1B6A831C399E269772661","YQ=="

-- Numbers as texts
SELECT CAST(1e7 AS varchar) AS a, CAST(1.50 AS varchar) AS b, CAST(true AS varchar) AS c, CAST('abc' AS varchar(2)) AS d;
--> a varchar, b varchar, c varchar, d varchar
--> "1.0E7","1.50","true","ab"

-- Texts in a list
SELECT listagg(x, ',') WITHIN GROUP (ORDER BY x DESC) AS a FROM (VALUES 'b', 'a', 'c') AS t (x);
--> a varchar
--> "c,b,a"

-- A group that takes no part in a match is null, one that matches nothing is empty
SELECT regexp_extract('b', '(a)?(b)', 1) AS a, regexp_extract('b', '(a*)(b)', 1) AS b, regexp_extract('ab', '(a)?(b)', 1) AS c, regexp_extract_all('b ab', '(a)?(b)', 1) AS d, regexp_extract_all('b ab', '(a*)b', 1) AS e;
--> a varchar, b varchar, c varchar, d array, e array
--> ,"","a","[null, a]","[, a]"

-- A group of which that is not known
SELECT regexp_extract('b', '(\p{L}+)?(1)?', 2);
--! NOT_SUPPORTED: An empty group of (\p{L}+)?(1)? is not supported by the embedded Athena

-- Or where Python and RE2 find other matches
SELECT regexp_extract(chr(11) || ' ', '(x)?\s', 1);
--! NOT_SUPPORTED: An empty group of (x)?\s is not supported by the embedded Athena
