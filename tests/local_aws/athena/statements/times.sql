-- https://trino.io/docs/current/functions/datetime.html

-- It is noon on 2026-11-21
SELECT current_date AS a, now() AS b, localtimestamp AS c;
--> a date, b timestamp with time zone, c timestamp
--> "2026-11-21","2026-11-21 12:00:00.000 UTC","2026-11-21 12:00:00.000"

-- A date stays a date when days are added
SELECT current_date - INTERVAL '7' DAY AS a, date_add('month', 1, DATE '2026-01-31') AS b, date_trunc('month', DATE '2026-11-21') AS c;
--> a date, b date, c date
--> "2026-11-14","2026-02-28","2026-11-01"

-- date_diff counts whole units, not boundaries
SELECT date_diff('day', TIMESTAMP '2026-01-01 23:00:00', TIMESTAMP '2026-01-02 01:00:00') AS a, date_diff('hour', TIMESTAMP '2026-01-01 00:59:00', TIMESTAMP '2026-01-01 02:00:00') AS b, date_diff('month', DATE '2026-01-15', DATE '2026-03-14') AS c;
--> a bigint, b bigint, c bigint
--> "0","1","1"

-- A difference of times is an interval
SELECT TIMESTAMP '2026-01-02 01:30:00' - TIMESTAMP '2026-01-01 00:00:00' AS a, to_milliseconds(INTERVAL '2' SECOND) AS b;
--> a interval day to second, b bigint
--> "1 01:30:00.000","2000"

-- Dates are written with MySQL's patterns and with Joda's
SELECT date_format(TIMESTAMP '2026-11-20 09:05:07', '%Y-%m-%d %H:%i:%s %a %b') AS a, format_datetime(TIMESTAMP '2026-11-20 09:05:07', 'yyyy/MM/dd''T''HH:mm:ss.SSS EEE') AS b;
--> a varchar, b varchar
--> "2026-11-20 09:05:07 Fri Nov","2026/11/20T09:05:07.000 Fri"

-- And read
SELECT date_parse('20/11/2026 07:45', '%d/%m/%Y %H:%i') AS a, from_iso8601_timestamp('2026-11-20T09:00:00+02:00') AS b, date('2026-11-20') AS c;
--> a timestamp, b timestamp with time zone, c date
--> "2026-11-20 07:45:00.000","2026-11-20 09:00:00.000 +02:00","2026-11-20"

-- A pattern without a counterpart is refused by name
SELECT date_format(now(), '%U');
--! NOT_SUPPORTED: line 1:27: The date pattern %U is not supported by the embedded Athena

-- The parts of a time
SELECT year(t) AS a, day_of_week(t) AS b, week(t) AS c, hour(t) AS d, millisecond(t) AS e, extract(minute FROM t) AS f, quarter(t) AS g FROM (VALUES TIMESTAMP '2027-01-03 04:05:06.789') AS x (t);
--> a bigint, b bigint, c bigint, d bigint, e bigint, f bigint, g bigint
--> "2027","7","53","4","789","5","1"

-- The hour in another time zone
SELECT hour(TIMESTAMP '2026-11-20 12:00:00' AT TIME ZONE 'Europe/Berlin') AS a, date_format(at_timezone(now(), 'America/New_York'), '%H:%i') AS b;
--> a bigint, b varchar
--> "13","07:00"

-- A time in a zone that a column names can be taken apart and compared
SELECT hour(at_timezone(now(), z)) AS h, at_timezone(now(), z) = now() AS same FROM (VALUES 'Europe/Berlin') AS t (z);
--> h bigint, same boolean
--> "13","true"

-- And not be shown
SELECT at_timezone(now(), z) FROM (VALUES 'Europe/Berlin') AS t (z);
--! NOT_SUPPORTED: Column 1 of the result, timestamp(3) with time zone of unknown zone, is not supported by the embedded Athena

-- Unix time
SELECT to_unixtime(TIMESTAMP '1970-01-02 00:00:00') AS a, from_unixtime(1.5) AS b;
--> a double, b timestamp with time zone
--> "86400.0","1970-01-01 00:00:01.500 UTC"

-- A time is no text
SELECT 1 WHERE current_date > '2026-01-01';
--! TYPE_MISMATCH: line 1:31: Cannot apply operator: date > varchar(10)

-- Times as texts
SELECT CAST(TIMESTAMP '2026-11-20 09:00:00' AS varchar) AS a, to_iso8601(TIMESTAMP '2026-11-20 09:00:00') AS b, CAST('2026-11-20 09:00:00' AS timestamp) AS c;
--> a varchar, b varchar, c timestamp
--> "2026-11-20 09:00:00.000","2026-11-20T09:00:00.000","2026-11-20 09:00:00.000"

-- A day for each day of a week
SELECT count(*) AS n, max(day) AS last FROM UNNEST(sequence(DATE '2026-11-14', DATE '2026-11-20', INTERVAL '1' DAY)) AS t (day);
--> n bigint, last date
--> "7","2026-11-20"
