-- https://trino.io/docs/current/functions/datetime.html
-- https://docs.aws.amazon.com/athena/latest/ug/athena-supported-time-zones.html

-- A time is shown in its zone
SELECT TIMESTAMP '2012-10-31 01:00 UTC' AT TIME ZONE 'America/Los_Angeles' AS a, with_timezone(TIMESTAMP '2022-11-01 09:08:07.321', 'America/Los_Angeles') AS b, from_iso8601_timestamp('2020-05-11T11:15:05.055+01:00') AS c, TIMESTAMP '2020-01-01 00:00:00 +05:30' AS d;
--> a timestamp with time zone, b timestamp with time zone, c timestamp with time zone, d timestamp with time zone
--> "2012-10-30 18:00:00.000 America/Los_Angeles","2022-11-01 09:08:07.321 America/Los_Angeles","2020-05-11 11:15:05.055 +01:00","2020-01-01 00:00:00.000 +05:30"

-- Times are compared as moments
SELECT TIMESTAMP '2026-01-01 12:00:00 UTC' = TIMESTAMP '2026-01-01 13:00:00 Europe/Berlin' AS a, now() > TIMESTAMP '2026-11-21 12:30:00 Europe/Berlin' AS b, TIMESTAMP '2026-11-21 12:00:00' = now() AS c;
--> a boolean, b boolean, c boolean
--> "true","true","true"

-- Days are added to the clock, hours to the moment
SELECT date_add('day', 1, TIMESTAMP '2026-10-24 12:00:00 Europe/Berlin') AS a, date_add('hour', 24, TIMESTAMP '2026-10-24 12:00:00 Europe/Berlin') AS b, TIMESTAMP '2026-10-24 12:00:00 Europe/Berlin' + INTERVAL '1' DAY AS c;
--> a timestamp with time zone, b timestamp with time zone, c timestamp with time zone
--> "2026-10-25 12:00:00.000 Europe/Berlin","2026-10-25 11:00:00.000 Europe/Berlin","2026-10-25 11:00:00.000 Europe/Berlin"

-- Truncated by the clock of the zone
SELECT date_trunc('day', TIMESTAMP '2026-11-20 23:30:00 UTC' AT TIME ZONE 'Europe/Berlin') AS a, CAST(TIMESTAMP '2026-11-20 23:30:00 UTC' AT TIME ZONE 'Europe/Berlin' AS date) AS b, date_format(TIMESTAMP '2026-11-20 23:30:00 UTC' AT TIME ZONE '+02:00', '%d %H:%i') AS c;
--> a timestamp with time zone, b date, c varchar
--> "2026-11-21 00:00:00.000 Europe/Berlin","2026-11-21","21 01:30"

-- Grouped as moments
SELECT count(*) AS n FROM (SELECT t FROM (VALUES TIMESTAMP '2026-01-01 12:00:00 UTC', TIMESTAMP '2026-01-01 13:00:00 +01:00') AS v (t) GROUP BY t);
--> n bigint
--> "1"

-- ISO 8601
SELECT from_iso8601_timestamp('2020-05-11') AS a, from_iso8601_timestamp('2020-05-11T11:15:05Z') AS b, from_iso8601_date('2020-W10') AS c, from_iso8601_date('2020-123') AS d, to_iso8601(DATE '2026-01-02') AS e, to_iso8601(now()) AS f;
--> a timestamp with time zone, b timestamp with time zone, c date, d date, e varchar, f varchar
--> "2020-05-11 00:00:00.000 UTC","2020-05-11 11:15:05.000 UTC","2020-03-02","2020-05-02","2026-01-02","2026-11-21T12:00:00.000Z"

-- Offsets in a column are not mixed
SELECT from_iso8601_timestamp(t) FROM (VALUES '2026-01-01T00:00:00+02:00') AS v (t);
--! NOT_SUPPORTED: from_iso8601_timestamp of a column with offsets (2026-01-01T00:00:00+02:00) is not supported by the embedded Athena

-- Unix time in a zone
SELECT from_unixtime(0, 'Asia/Tokyo') AS a, to_unixtime(TIMESTAMP '1970-01-01 09:00:00 Asia/Tokyo') AS b;
--> a timestamp with time zone, b double
--> "1970-01-01 09:00:00.000 Asia/Tokyo","0.0"

-- Durations in words, and days
SELECT human_readable_seconds(3762) AS a, last_day_of_month(DATE '2024-02-03') AS b, current_timezone() AS c, year_of_week(DATE '2027-01-03') AS d, extract(doy FROM DATE '2026-02-01') AS e, extract(dow FROM DATE '2026-11-22') AS f;
--> a varchar, b date, c varchar, d bigint, e bigint, f bigint
--> "1 hour, 2 minutes, 42 seconds","2024-02-29","UTC","2026","32","7"

-- Months are added to the end of a month
SELECT DATE '2026-01-31' + INTERVAL '1' MONTH AS a, TIMESTAMP '2012-10-31 01:00' - INTERVAL '1' MONTH AS b, INTERVAL '2' DAY + INTERVAL '3' HOUR AS c, DATE '2012-08-08' + INTERVAL '2' DAY AS d;
--> a date, b timestamp, c interval day to second, d date
--> "2026-02-28","2012-09-30 01:00:00.000","2 03:00:00.000","2012-08-10"

-- A zone that is not there
SELECT now() AT TIME ZONE 'Europe/Nowhere';
--! INVALID_FUNCTION_ARGUMENT: line 1:27: 'Europe/Nowhere' is not a valid time zone

-- A unit that is not there
SELECT date_trunc('decade', now());
--! INVALID_FUNCTION_ARGUMENT: line 1:19: 'decade' is not a valid Timestamp field

-- A text that is no time
SELECT CAST(x AS timestamp) FROM (VALUES '2026-01-01T00:00:00') AS t (x);
--! INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: 2026-01-01T00:00:00

-- More digits than milliseconds
SELECT TIMESTAMP '2026-01-01 00:00:00.123456';
--! NOT_SUPPORTED: line 1:18: A timestamp with more than three digits of a second is not supported by the embedded Athena

-- A pattern that the text does not have
SELECT date_parse('2026', '%d/%m/%Y');
--! INVALID_FUNCTION_ARGUMENT: Could not parse string "2026" according to format specifier "%d/%m/%Y"
