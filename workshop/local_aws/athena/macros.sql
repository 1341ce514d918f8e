-- What a Trino function needs that is more than one DuckDB call. Created once in every engine.
-- https://github.com/trinodb/trino: GeoFunctions.java, with its radius of the earth in kilometres
CREATE MACRO trino_great_circle_distance(a, b, c, d) AS atan2(
    sqrt(
        pow(cos(radians(c)) * sin(radians(b) - radians(d)), 2)
        + pow(
            cos(radians(a)) * sin(radians(c)) - sin(radians(a)) * cos(radians(c)) * cos(radians(b) - radians(d)), 2
        )
    ),
    sin(radians(a)) * sin(radians(c)) + cos(radians(a)) * cos(radians(c)) * cos(radians(b) - radians(d))
) * 6371.01;

CREATE MACRO trino_ln(x) AS CASE
    WHEN x > 0 THEN ln(x) WHEN x = 0 THEN CAST('-Infinity' AS DOUBLE) WHEN x < 0 THEN CAST('NaN' AS DOUBLE)
END;

CREATE MACRO trino_number(x) AS CASE WHEN NOT isnan(x) THEN x END;

CREATE MACRO trino_unit(unit) AS CASE unit
    WHEN 'millisecond' THEN INTERVAL 1 MILLISECOND WHEN 'second' THEN INTERVAL 1 SECOND
    WHEN 'minute' THEN INTERVAL 1 MINUTE WHEN 'hour' THEN INTERVAL 1 HOUR WHEN 'day' THEN INTERVAL 1 DAY
    WHEN 'week' THEN INTERVAL 7 DAY WHEN 'month' THEN INTERVAL 1 MONTH WHEN 'quarter' THEN INTERVAL 3 MONTH
    WHEN 'year' THEN INTERVAL 1 YEAR
END;

-- What is no JSON is null, where DuckDB fails.
CREATE MACRO trino_json(text) AS CASE WHEN json_valid(text) THEN text END;

CREATE MACRO trino_json_scalar(document, path) AS CASE
    WHEN json_type(document, path) NOT IN ('OBJECT', 'ARRAY') THEN json_extract_string(document, path)
END;

-- DuckDB's list_distinct drops nulls and the order.
CREATE MACRO trino_array_distinct(a) AS list_filter(
    a, lambda v, i: CASE WHEN v IS NULL THEN len(a[1:i]) - list_count(a[1:i]) = 1 ELSE list_position(a, v) = i END
);

-- Trino keeps one value of a key that comes twice, where DuckDB refuses to make the map.
CREATE MACRO trino_map(pairs) AS map_from_entries(list_filter(
    pairs, lambda p, i: p.k IS NOT NULL AND list_position(list_transform(pairs, lambda q: q.k), p.k) = i
));

-- Trino fails where DuckDB answers NULL.
CREATE MACRO trino_subscript(a, i) AS CASE
    WHEN i > len(a) THEN error(
        'INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: ' || i || ' > ' || len(a)
    )
    WHEN i = 0 THEN error('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1')
    WHEN i < 0 THEN error('INVALID_FUNCTION_ARGUMENT: Array subscript is negative: ' || i)
    ELSE list_extract(a, i)
END;
CREATE MACRO trino_map_value(m, k) AS CASE
    WHEN k IS NOT NULL AND NOT map_contains(m, k)
    THEN error('INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || k) ELSE map_extract_value(m, k)
END;

-- Java's Double.toString: scientific below 10^-3 and from 10^7 on. DuckDB's digits are the same shortest ones.
CREATE MACRO trino_mantissa(digits) AS
    substr(digits, 1, 1) || '.' || CASE WHEN length(digits) > 1 THEN substr(digits, 2) ELSE '0' END;
CREATE MACRO trino_positive(text) AS CASE
    WHEN contains(text, 'e') THEN
        trino_mantissa(rtrim(replace(split_part(text, 'e', 1), '.', ''), '0'))
        || 'E' || CAST(CAST(split_part(text, 'e', 2) AS INTEGER) AS VARCHAR)
    WHEN starts_with(text, '0.') THEN
        trino_mantissa(ltrim(substr(text, 3), '0'))
        || 'E-' || (1 + length(substr(text, 3)) - length(ltrim(substr(text, 3), '0')))
    ELSE
        trino_mantissa(rtrim(replace(split_part(text, '.', 1) || split_part(text, '.', 2), '.', ''), '0'))
        || 'E' || (length(split_part(text, '.', 1)) - 1)
END;
CREATE MACRO trino_double_text(x) AS CASE
    WHEN x = 0 OR (abs(x) >= 1e-3 AND abs(x) < 1e7) THEN CAST(x AS VARCHAR)
    WHEN isnan(x) THEN 'NaN' WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END
    ELSE CASE WHEN x < 0 THEN '-' ELSE '' END || trino_positive(CAST(abs(x) AS VARCHAR))
END;

-- A decimal divided by nothing fails in Trino, where doubles give infinity.
CREATE MACRO trino_divisor(x) AS CASE WHEN x = 0 THEN error('DIVISION_BY_ZERO: Division by zero') ELSE x END;
