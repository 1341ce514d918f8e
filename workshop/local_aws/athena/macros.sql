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
    WHEN i > len(a) THEN trino_fail(
        'INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: ' || i || ' > ' || len(a)
    )
    WHEN i = 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1')
    WHEN i < 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Array subscript is negative: ' || i)
    ELSE list_extract(a, i)
END;
CREATE MACRO trino_map_value(m, k) AS CASE
    WHEN k IS NOT NULL AND NOT map_contains(m, k)
    THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Key not present in map: ' || k) ELSE map_extract_value(m, k)
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
CREATE MACRO trino_divisor(x) AS CASE WHEN x = 0 THEN trino_fail('DIVISION_BY_ZERO: Division by zero') ELSE x END;
CREATE MACRO trino_whole(x) AS CAST(replace(CAST(x AS VARCHAR), '.', '') AS HUGEINT);
CREATE MACRO trino_halves_up(n, d) AS CASE WHEN (n < 0) = (d < 0) THEN 1 ELSE -1 END * ((2 * abs(n) + abs(d)) // (2 * abs(d)));
CREATE MACRO trino_scaled(n, scale) AS
    (CASE WHEN n < 0 THEN '-' ELSE '' END)
    || left(lpad(CAST(abs(n) AS VARCHAR), CAST(greatest(length(CAST(abs(n) AS VARCHAR)), scale + 1) AS INTEGER), '0'), -scale)
    || '.' || right(lpad(CAST(abs(n) AS VARCHAR), CAST(greatest(length(CAST(abs(n) AS VARCHAR)), scale + 1) AS INTEGER), '0'), scale);
-- The quotient of two decimals, rounded to a scale, halves away from zero; `shift` is how many digits the dividend lacks.
CREATE MACRO trino_quotient(a, b, shift, scale) AS CASE WHEN scale = 0
    THEN CAST(trino_halves_up(trino_whole(a) * CAST('1' || repeat('0', shift) AS HUGEINT), trino_whole(b)) AS VARCHAR)
    ELSE trino_scaled(trino_halves_up(trino_whole(a) * CAST('1' || repeat('0', shift) AS HUGEINT), trino_whole(b)), scale)
END;
CREATE MACRO trino_average(total, n, scale) AS CASE WHEN n > 0 THEN trino_quotient(total, CAST(n AS HUGEINT), 0, scale) END;

CREATE MACRO trino_random(low, high) AS low + CAST(floor(random() * (high - low)) AS BIGINT);
CREATE MACRO trino_bit_count(x, bits) AS CASE
    WHEN bits < 2 OR bits > 64 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Bits specified in bit_count must be between 2 and 64, got ' || bits)
    WHEN bits < 64 AND (x >= pow(2, bits - 1) OR x < -pow(2, bits - 1)) THEN trino_fail(
        'INVALID_FUNCTION_ARGUMENT: Number must be representable with the bits specified. ' || x || ' cannot be represented with ' || bits || ' bits'
    )
    WHEN x < 0 THEN CAST(bit_count(x) AS BIGINT) - (64 - bits) ELSE CAST(bit_count(x) AS BIGINT)
END;
CREATE MACRO trino_width_bucket(x, low, high, n) AS CASE
    WHEN n <= 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: bucketCount must be greater than 0')
    WHEN low = high THEN trino_fail('INVALID_FUNCTION_ARGUMENT: bounds cannot equal each other')
    WHEN low < high THEN CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1 ELSE CAST(floor(n * (x - low) / (high - low)) AS BIGINT) + 1 END
    ELSE CASE WHEN x > low THEN 0 WHEN x <= high THEN n + 1 ELSE CAST(floor(n * (low - x) / (low - high)) AS BIGINT) + 1 END
END;

-- DuckDB trims spaces alone, Trino everything that Java's Character.isWhitespace is true for.
CREATE MACRO trino_spaces() AS
    chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(28) || chr(29) || chr(30) || chr(31) || ' ' || chr(5760)
    || chr(8192) || chr(8193) || chr(8194) || chr(8195) || chr(8196) || chr(8197) || chr(8198) || chr(8200) || chr(8201)
    || chr(8202) || chr(8232) || chr(8233) || chr(8287) || chr(12288);
CREATE MACRO trino_pad_size(n) AS CASE
    WHEN n < 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Target length must be in the range [0..2147483647]') ELSE CAST(n AS INTEGER)
END;
CREATE MACRO trino_pad_text(text) AS CASE
    WHEN text = '' THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Padding string must not be empty') ELSE text
END;
CREATE MACRO trino_positive_index(i) AS CASE
    WHEN i < 1 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Index must be greater than zero') ELSE i
END;
CREATE MACRO trino_split(text, delimiter, n) AS CASE
    WHEN n < 1 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Limit must be positive')
    WHEN len(string_split(text, delimiter)) <= n THEN string_split(text, delimiter)
    ELSE list_append(
        list_slice(string_split(text, delimiter), 1, n - 1),
        array_to_string(list_slice(string_split(text, delimiter), n, len(string_split(text, delimiter))), delimiter)
    )
END;
CREATE MACRO trino_strpos(text, part, n) AS CASE
    WHEN n = 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: ''instance'' must be a positive or negative number.')
    WHEN n < 0 THEN CASE
        WHEN part = '' THEN 0
        WHEN len(string_split(reverse(text), reverse(part))) <= -n THEN 0
        ELSE length(text) - length(array_to_string(list_slice(string_split(reverse(text), reverse(part)), 1, -n), part)) - length(part) + 1
    END
    WHEN len(string_split(text, part)) <= n THEN 0
    ELSE length(array_to_string(list_slice(string_split(text, part), 1, n), part)) + 1
END;

CREATE MACRO trino_offset(minutes, colon) AS
    CASE WHEN minutes < 0 THEN '-' ELSE '+' END || lpad(CAST(abs(minutes) // 60 AS VARCHAR), 2, '0') || colon
    || lpad(CAST(abs(minutes) % 60 AS VARCHAR), 2, '0');

-- RE2 gives '' for a group that takes no part in a match, where Trino gives null: Python's re tells them apart.
CREATE MACRO trino_regexp_extract(text, pattern, g) AS CASE
    WHEN NOT regexp_matches(text, pattern) THEN NULL
    WHEN g > 0 AND regexp_extract(text, pattern, g) = '' THEN trino_group(text, pattern, g, regexp_extract(text, pattern))
    ELSE regexp_extract(text, pattern, g)
END;
CREATE MACRO trino_regexp_extract_all(text, pattern, g) AS CASE
    WHEN g > 0 AND list_contains(regexp_extract_all(text, pattern, g), '')
    THEN trino_groups(text, pattern, g, regexp_extract_all(text, pattern))
    ELSE regexp_extract_all(text, pattern, g)
END;

CREATE MACRO trino_iso8601(text, zone) AS CASE
    WHEN regexp_full_match(text, '\d{4}-\d\d-\d\d(T(\d\d:\d\d(:\d\d([.,]\d{1,9})?)?)?' || zone || ')?') THEN CAST(
        CASE WHEN text LIKE '%T' THEN left(text, -1) ELSE
            regexp_replace(regexp_replace(replace(text, ',', '.'), '(T\d\d:\d\d)($|Z|[+-])', '\1:00\2'), '([.]\d{3})\d+', '\1')
        END AS TIMESTAMPTZ
    )
    WHEN regexp_full_match(text, '\d{4}-\d\d-\d\dT.*\d[+-]\d\d(:?\d\d)?') THEN error(
        'NOT_SUPPORTED: from_iso8601_timestamp of a column with offsets (' || text || ') is not supported by the embedded Athena'
    )
    WHEN text IS NOT NULL THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Invalid format: "' || text || '"')
END;
CREATE MACRO trino_iso8601_date(text) AS CASE
    WHEN regexp_full_match(text, '\d{4}-\d\d-\d\d') THEN CAST(text AS DATE)
    WHEN regexp_full_match(text, '\d{4}-W\d\d') THEN CAST(strptime(text || '-1', '%G-W%V-%u') AS DATE)
    WHEN regexp_full_match(text, '\d{4}-W\d\d-\d') THEN CAST(strptime(text, '%G-W%V-%u') AS DATE)
    WHEN regexp_full_match(text, '\d{4}-\d{3}') THEN CAST(strptime(text, '%Y-%j') AS DATE)
    WHEN text IS NOT NULL THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Invalid format: "' || text || '"')
END;

-- A text in a document is itself, and null is null; what is neither has no text in Trino.
CREATE MACRO trino_json_text(document) AS CASE
    WHEN json_type(document) IN ('OBJECT', 'ARRAY')
    THEN trino_fail('INVALID_CAST_ARGUMENT: Cannot cast ''' || CAST(document AS VARCHAR) || ''' to VARCHAR')
    ELSE json_extract_string(document, '$')
END;
CREATE MACRO trino_json_size(document, path) AS CASE json_type(document, path)
    WHEN 'ARRAY' THEN CAST(json_array_length(document, path) AS BIGINT)
    WHEN 'OBJECT' THEN CAST(len(json_keys(document, path)) AS BIGINT)
    ELSE CASE WHEN json_type(document, path) IS NOT NULL THEN CAST(0 AS BIGINT) END
END;
CREATE MACRO trino_json_contains(document, kinds, text) AS CASE WHEN json_type(document) = 'ARRAY' AND text IS NOT NULL THEN
    len(list_filter(json_extract(document, '$[*]'), lambda item:
        list_contains(string_split(kinds, ','), json_type(item)) AND json_extract_string(item, '$') = text
    )) > 0
END;

CREATE MACRO trino_has(a, x) AS CASE WHEN x IS NULL THEN len(a) > list_count(a) ELSE list_contains(a, x) END;
CREATE MACRO trino_contains(a, x) AS CASE
    WHEN x IS NULL THEN NULL WHEN list_contains(a, x) THEN true WHEN len(a) > list_count(a) THEN NULL ELSE list_contains(a, x)
END;
CREATE MACRO trino_any(answers) AS CASE
    WHEN list_contains(answers, true) THEN true WHEN len(answers) > list_count(answers) THEN NULL WHEN answers IS NOT NULL THEN false
END;
CREATE MACRO trino_arrays_overlap(a, b) AS CASE
    WHEN list_has_any(list_filter(a, lambda v: v IS NOT NULL), list_filter(b, lambda v: v IS NOT NULL)) THEN true
    WHEN len(a) > list_count(a) OR len(b) > list_count(b) THEN NULL WHEN a IS NOT NULL AND b IS NOT NULL THEN false
END;
CREATE MACRO trino_slice(a, start, n) AS CASE
    WHEN start = 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1')
    WHEN n < 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: length must be greater than or equal to 0')
    WHEN start < 0 AND -start > len(a) THEN a[1:0]
    WHEN start < 0 THEN list_slice(a, len(a) + start + 1, len(a) + start + n)
    ELSE list_slice(a, start, start + n - 1)
END;
CREATE MACRO trino_step(first, last, step) AS CASE
    WHEN step = 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: step must not be zero')
    WHEN (first < last AND step < 0) OR (first > last AND step > 0)
    THEN trino_fail('INVALID_FUNCTION_ARGUMENT: sequence stop value should be greater than or equal to start value if step is greater than zero otherwise stop should be less than or equal to start')
    ELSE step
END;
CREATE MACRO trino_map_of(ks, vs) AS CASE
    WHEN len(ks) <> len(vs) THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Key and value arrays must be the same length')
    WHEN len(ks) > list_count(ks) THEN trino_fail('INVALID_FUNCTION_ARGUMENT: map key cannot be null')
    WHEN len(ks) > len(list_distinct(ks)) THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Duplicate map keys are not allowed')
    ELSE map(ks, vs)
END;
CREATE MACRO trino_multimap(pairs) AS map_from_entries(list_transform(
    trino_array_distinct(list_transform(list_filter(pairs, lambda p: p.k IS NOT NULL), lambda p: p.k)),
    lambda key: struct_pack(k := key, v := list_transform(list_filter(pairs, lambda p: p.k = key), lambda p: p.v))
));

-- The value at which the weights of the values up to it reach a share of all weights.
CREATE MACRO trino_weighted(pairs) AS flatten(list_transform(
    list_sort(list_filter(pairs, lambda p: p.v IS NOT NULL AND p.w IS NOT NULL)), lambda p: list_transform(generate_series(1, p.w), lambda i: p.v)
));
CREATE MACRO trino_percentile(pairs, share) AS
    list_extract(trino_weighted(pairs), greatest(1, CAST(ceil(share * len(trino_weighted(pairs))) AS BIGINT)));
CREATE MACRO trino_percentiles(pairs, shares) AS list_transform(shares, lambda s: trino_percentile(pairs, s));
CREATE MACRO trino_entropy(counts) AS CASE
    WHEN list_min(counts) < 0 THEN trino_fail('INVALID_FUNCTION_ARGUMENT: Entropy count argument must be non-negative')
    WHEN coalesce(list_sum(counts), 0) = 0 THEN 0.0
    ELSE list_sum(list_transform(list_filter(counts, lambda c: c > 0), lambda c:
        CAST(c AS DOUBLE) / CAST(list_sum(counts) AS DOUBLE) * log2(CAST(list_sum(counts) AS DOUBLE) / CAST(c AS DOUBLE))
    ))
END;
