-- https://trino.io/docs/current/functions/string.html
-- https://trino.io/docs/current/functions/regexp.html
-- https://trino.io/docs/current/functions/url.html
-- https://trino.io/docs/current/functions/conversion.html

-- Every kind of space is trimmed
SELECT length(trim(chr(9) || ' a ' || chr(10))) AS a, trim(BOTH '$' FROM '$var$') AS b, trim(TRAILING 'ER' FROM upper('worker')) AS c, ltrim('  a') AS d;
--> a bigint, b varchar, c varchar, d varchar
--> "1","var","WORK","a"

-- Places of a text
SELECT strpos('a-b-c', '-', 2) AS a, strpos('a-b-c', '-', -1) AS b, strpos('abc', 'x', 1) AS c, split('a-b-c', '-', 2) AS d, lpad('abc', 2, 'x') AS e, rpad('a', 3, 'xy') AS f;
--> a bigint, b bigint, c bigint, d array, e varchar, f varchar
--> "4","4","0","[a, b-c]","ab","axy"

-- Characters
SELECT translate('abcd', 'ac', 'z') AS a, chr(8364) AS b, codepoint('a') AS c, length(normalize('é', NFD)) AS d, soundex('CHYNA') AS e, levenshtein_distance('kitten', 'sitting') AS f, hamming_distance('ab', 'ac') AS g, luhn_check('79927398713') AS h;
--> a varchar, b varchar, c integer, d bigint, e varchar, f bigint, g bigint, h boolean
--> "zbd","€","97","2","C500","3","1","true"

-- Regular expressions in full
SELECT regexp_extract_all('1a 2b 14m', '(\d+)([a-z]+)', 2) AS a, regexp_replace('1a 2b 14m', '(\d+)([ab]) ', '3c$2 ') AS b, regexp_split('1a 2b 14m', '\s*[a-z]+\s*') AS c, regexp_count('1a 2b 14m', '\s*[a-z]+\s*') AS d, regexp_position('I have 23 apples, 5 pears and 13 oranges', '\b\d+\b') AS e;
--> a array, b varchar, c array, d bigint, e integer
--> "[a, b, m]","3ca 3cb 14m","[1, 2, 14, ]","3","8"

-- Look-ahead is refused
SELECT regexp_like('ab', 'a(?=b)');
--! NOT_SUPPORTED: The embedded Athena's regular expressions have no look-around

-- A replacement by a lambda is refused
SELECT regexp_replace('new york', '(\w)(\w*)', x -> upper(x[1]) || lower(x[2]));
--! NOT_SUPPORTED: line 1:48: A replacement that is not a literal is not supported by the embedded Athena

-- URLs
SELECT url_extract_host('https://example.com:8080/a?x=1#f') AS a, url_extract_port('https://example.com:8080/a') AS b, url_extract_parameter('http://x/?a=1&b=2', 'b') AS c, url_extract_path('http://x/p/q?z') AS d, url_encode('a b&c') AS e, url_decode('a+b%26') AS f;
--> a varchar, b bigint, c varchar, d varchar, e varchar, f varchar
--> "example.com","8080","2","/p/q","a+b%26c","a b&"

-- Formats of Java
SELECT format('%s%%', 123) AS a, format('%.5f', pi()) AS b, format('%03d', 8) AS c, format('%,.2f', 1234567.89) AS d, format('%s %s', 'a', NULL) AS e, format('%.1f', 0.25e0) AS f;
--> a varchar, b varchar, c varchar, d varchar, e varchar, f varchar
--> "123%","3.14159","008","1,234,567.89","a null","0.3"

-- A format of another kind is refused
SELECT format('%e', 1e0);
--! NOT_SUPPORTED: line 1:8: The format %e of double is not supported by the embedded Athena

-- Hashes and codes
SELECT to_hex(sha512(to_utf8(''))) = 'CF83E1357EEFB8BDF1542850D66D8007D620E4050B5715DC83F4A921D36CE9CE47D0D13C5D85F2B0FF8318D2877EEC2F63B931BD47417A81A538327AF927DA3E' AS a, crc32(to_utf8('a')) AS b, to_hex(sha1(to_utf8('a'))) AS c, from_utf8(from_base64('YQ==')) AS d, X'65' || to_utf8('a') AS e;
--> a boolean, b bigint, c varchar, d varchar, e varbinary
--> "true","3904355907","86F7E437FAA5A7FCE15D1DDCB9EAEAEA377667B8","a","65 61"

-- Codepoint takes one character
SELECT codepoint('ab');
--! INVALID_FUNCTION_ARGUMENT: Input string must be a single character string

-- A stem is refused
SELECT word_stem('running');
--! NOT_SUPPORTED: line 1:8: The function word_stem is not supported by the embedded Athena

-- Types of values
SELECT typeof(1) AS a, typeof('abc') AS b, typeof(1.50) AS c, typeof(ARRAY[1e0]) AS d, typeof(now()) AS e, typeof(map(ARRAY[1], ARRAY['x'])) AS f, typeof(NULL) AS g;
--> a varchar, b varchar, c varchar, d varchar, e varchar, f varchar, g varchar
--> "integer","varchar(3)","decimal(3, 2)","array(double)","timestamp(3) with time zone","map(integer, varchar(1))","unknown"
