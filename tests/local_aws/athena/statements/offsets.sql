-- https://trino.io/docs/current/functions/datetime.html#java-date-functions: patterns of Joda that name a zone

-- A text that says its offset is in that zone
SELECT parse_datetime('2026-11-20 10:00 +0230', 'yyyy-MM-dd HH:mm Z') AS a, parse_datetime('2026-11-20 10:00-01:00', 'yyyy-MM-dd HH:mmZZ') AS b, parse_datetime('2026-11-20', 'yyyy-MM-dd') AS c;
--> a timestamp with time zone, b timestamp with time zone, c timestamp with time zone
--> "2026-11-20 10:00:00.000 +02:30","2026-11-20 10:00:00.000 -01:00","2026-11-20 00:00:00.000 UTC"

-- Texts of different offsets are moments
SELECT to_unixtime(parse_datetime(t, 'yyyy-MM-dd HH:mm Z')) AS a FROM (VALUES '2026-11-20 10:00 +0230', '2026-11-20 07:30 +0000') AS v (t);
--> a double
--> "1.7951598E9"
--> "1.7951598E9"

-- Which are not shown
SELECT parse_datetime(t, 'yyyy-MM-dd HH:mm Z') FROM (VALUES '2026-11-20 10:00 +0230') AS v (t);
--! NOT_SUPPORTED: Column 1 of the result, timestamp(3) with time zone of unknown zone, is not supported by the embedded Athena

-- A zone's name is not parsed
SELECT parse_datetime('2026-11-20 10:00 CET', 'yyyy-MM-dd HH:mm z');
--! NOT_SUPPORTED: line 1:8: The date pattern yyyy-MM-dd HH:mm z in parse_datetime is not supported by the embedded Athena

-- A moment is shown with the offset of its zone
SELECT format_datetime(TIMESTAMP '2026-11-20 10:00:00 Europe/Berlin', 'HH:mm Z ZZ ZZZ') AS a, format_datetime(TIMESTAMP '2026-07-20 10:00:00 Europe/Berlin', 'ZZ') AS b, format_datetime(TIMESTAMP '2026-07-20 10:00:00 UTC', 'HH:mm Z ZZ z''Z''') AS c, format_datetime(TIMESTAMP '2026-11-20 10:00:00 -03:30', 'yyyyZ') AS d;
--> a varchar, b varchar, c varchar, d varchar
--> "10:00 +0100 +01:00 Europe/Berlin","+02:00","10:00 +0000 +00:00 UTCZ","2026-0330"

-- The short name of another zone than UTC is not known
SELECT format_datetime(TIMESTAMP '2026-11-20 10:00:00 Europe/Berlin', 'z');
--! NOT_SUPPORTED: line 1:8: The date pattern z in another time zone than UTC is not supported by the embedded Athena

-- A timestamp without a zone has none to show
SELECT format_datetime(TIMESTAMP '2026-11-20 10:00:00', 'HH:mm Z');
--! INVALID_FUNCTION_ARGUMENT: line 1:8: format_datetime for TIMESTAMP type, cannot use 'Z' nor 'z' in format, as this type does not contain TZ information
