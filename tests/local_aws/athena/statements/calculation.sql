-- https://trino.io/docs/current/functions/math.html
-- https://trino.io/docs/current/functions/decimal.html
-- https://trino.io/docs/current/functions/bitwise.html

-- Decimals divide to every digit
SELECT DECIMAL '12345678901234567890.12' / DECIMAL '3.1' AS a, -1.00 / 3 AS b, avg(x) AS c FROM (VALUES DECIMAL '12345678901234567.1', DECIMAL '12345678901234567.2') AS t (x);
--> a decimal, b decimal, c decimal
--> "3982477064914376738.75","-0.33","12345678901234567.2"

-- Rounding
SELECT round(2.345, 2) AS a, round(-2.5) AS b, truncate(12.345, 2) AS c, truncate(-1.5) AS d, ceil(1.2) AS e, floor(-1.2) AS f, sign(-2.5) AS g, round(1234, -2) AS h;
--> a decimal, b decimal, c decimal, d decimal, e decimal, f decimal, g decimal, h integer
--> "2.350","-3","12.340","-1","2","-2","-1","1200"

-- Buckets
SELECT width_bucket(5.0, 0, 10, 4) AS a, width_bucket(11, 0, 10, 4) AS b, width_bucket(3, ARRAY[1.0, 2.0, 5.0]) AS c;
--> a bigint, b bigint, c bigint
--> "3","5","2"

-- Bases and bits
SELECT to_base(255, 16) AS a, from_base('-ff', 16) AS b, bit_count(9, 64) AS c, bit_count(-7, 64) AS d, bit_count(-7, 8) AS e, bitwise_not(19) AS f, bitwise_xor(19, 25) AS g;
--> a varchar, b bigint, c bigint, d bigint, e bigint, f bigint, g bigint
--> "ff","-255","2","62","6","-20","10"

-- Numbers of one type become those of another
SELECT CAST(1.5 AS integer) AS a, CAST(2.49e0 AS bigint) AS b, CAST(true AS integer) AS c, CAST('12' AS smallint) AS d, CAST(1 AS decimal(5, 2)) AS e, CAST('1e2' AS double) AS f;
--> a integer, b bigint, c integer, d smallint, e decimal, f double
--> "2","2","1","12","1.00","100.0"

-- An integer that is too large
SELECT 2147483647 + 1;
--! NUMERIC_VALUE_OUT_OF_RANGE: integer addition overflow: 2147483647 + 1

-- A bigint that is too large
SELECT 9223372036854775807 * 2;
--! NUMERIC_VALUE_OUT_OF_RANGE: bigint multiplication overflow: 9223372036854775807 * 2

-- A value that is too large for a type
SELECT CAST(300 AS tinyint);
--! NUMERIC_VALUE_OUT_OF_RANGE: Out of range for tinyint: 300

-- A digit that the base does not have
SELECT from_base('9', 8);
--! INVALID_FUNCTION_ARGUMENT: Not a valid base-8 number: 9

-- Random numbers are in their range
SELECT random(5) < 5 AS a, rand() < 1 AS b, random(3, 4) AS c;
--> a boolean, b boolean, c bigint
--> "true","true","3"
