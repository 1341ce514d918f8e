"""Rules of Athena's SQL, which is Trino's, and of how its mistakes are worded."""

import re

from botocore.exceptions import ClientError

from tests.local_aws.contract.account import Account, Differs, holds, same
from tests.local_aws.contract.athena_executions import INVALID
from tests.local_aws.contract.rules import rule

FUNCTIONS = "https://docs.aws.amazon.com/athena/latest/ug/functions.html"
_TRINO = "https://trino.io/docs/current/"
DATES = _TRINO + "functions/datetime.html"
AGGREGATES = _TRINO + "functions/aggregate.html"
ARRAYS = _TRINO + "functions/array.html"
MAPS = _TRINO + "functions/map.html"
JSON = _TRINO + "functions/json.html"
CONDITIONAL = _TRINO + "functions/conditional.html"
STRINGS = _TRINO + "functions/string.html"
REGEXP = _TRINO + "functions/regexp.html"
LAMBDAS = _TRINO + "functions/lambda.html"
WINDOWS = _TRINO + "functions/window.html"
MATHS = _TRINO + "functions/math.html"
URLS = _TRINO + "functions/url.html"
SELECT = _TRINO + "sql/select.html"
AT = "TIMESTAMP '2026-11-20 13:45:30.000'"

# How mistakes are worded no page of AWS tells, but users do, and where theirs are the same words, Trino's.
COLUMN_NOT_FOUND = "https://github.com/aws-samples/aiml-genai-multimodal-agent/issues/17"
TABLE_NOT_FOUND = "https://github.com/c6fc/warcannon/issues/20"
SCHEMA_NOT_FOUND = "https://github.com/awslabs/amazon-asdi/issues/42"
TYPE_MISMATCH = "https://github.com/OWOX/owox-data-marts/pull/557"
MISMATCHED_INPUT = "https://github.com/guardian/athena-cli/issues/39"
BAD_CAST = "https://github.com/ministryofjustice/analytical-platform/issues/2148"

# ---- mistakes -------------------------------------------------------------------------------------------------------


def _worded(aws: Account, statement: str, pattern: str, *, database: str = "default") -> None:
    """Expect a statement to fail, or to be refused, with a message of some form."""
    try:
        answer = aws.fails(statement, database=database)
    except ClientError as error:
        same("the error", error.response["Error"]["Code"], INVALID)
        reason = error.response["Error"]["Message"]
    else:
        holds(f"{answer.state} instead of FAILED", answer.state == "FAILED")
        reason = answer.reason
    if not re.search(pattern, reason):
        raise Differs(f"worded {reason!r}")


@rule("column-not-found", "An unknown column is COLUMN_NOT_FOUND, with its line and column.", COLUMN_NOT_FOUND)
def column_not_found(aws: Account) -> None:
    _worded(
        aws,
        "SELECT nothing FROM (VALUES (1)) AS t(n)",
        r"COLUMN_NOT_FOUND: line 1:8: Column 'nothing' cannot be resolved",
    )


@rule(
    "table-not-found", "An unknown table is TABLE_NOT_FOUND, with its line and column and full name.", TABLE_NOT_FOUND
)
def table_not_found(aws: Account) -> None:
    database = aws.database()
    pattern = rf"TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog\.{database}\.nowhere' does not exist"
    _worded(aws, "SELECT * FROM nowhere", pattern, database=database)


@rule("schema-not-found", "An unknown database is SCHEMA_NOT_FOUND.", SCHEMA_NOT_FOUND)
def schema_not_found(aws: Account) -> None:
    _worded(
        aws,
        "SELECT * FROM no_such_database.events",
        r"SCHEMA_NOT_FOUND: line 1:15: Schema 'no_such_database' does not exist",
    )


@rule("function-not-found", "An unknown function is an error that names it.", FUNCTIONS)
def function_not_found(aws: Account) -> None:
    _worded(aws, "SELECT no_such_function(1)", r"no_such_function")


@rule("type-mismatch", "An operator between types that do not go together is TYPE_MISMATCH.", TYPE_MISMATCH)
def type_mismatch(aws: Account) -> None:
    _worded(aws, "SELECT 1 = 'a'", r"TYPE_MISMATCH: line 1:\d+: Cannot apply operator: integer = varchar")


@rule(
    "syntax-error",
    "A broken statement is a syntax error: mismatched input, with its line and column.",
    MISMATCHED_INPUT,
)
def syntax_error(aws: Account) -> None:
    _worded(aws, "SELECT 1 FROM WHERE", r"line 1:15: mismatched input 'WHERE'")


@rule("division-by-zero", "Dividing an integer by zero is an error.", CONDITIONAL)
def division_by_zero(aws: Account) -> None:
    _worded(aws, "SELECT 1 / (n - 1) FROM (VALUES (1)) AS t(n)", r"(?i)division.by.zero")


@rule("bad-cast", "A text that cannot be cast is INVALID_CAST_ARGUMENT.", BAD_CAST)
def bad_cast(aws: Account) -> None:
    _worded(
        aws, "SELECT CAST(s AS integer) FROM (VALUES ('x')) AS t(s)", r"INVALID_CAST_ARGUMENT: Cannot cast 'x' to INT"
    )


@rule("group-by-needed", "A column beside an aggregate has to be grouped.", SELECT)
def group_by_needed(aws: Account) -> None:
    _worded(aws, "SELECT n, count(*) FROM (VALUES (1)) AS t(n)", r"(?i)group by")


# ---- what statements answer -----------------------------------------------------------------------------------------


def _answers(rule_id: str, sentence: str, page: str, statement: str, *rows: tuple[str | None, ...]) -> None:
    """Register the rule that a statement answers just these rows."""

    def observe(aws: Account) -> None:
        aws.answers(statement, *rows)

    rule(rule_id, sentence, page)(observe)


_answers(
    "date-format",
    "date_format takes MySQL's letters, format_datetime Joda's.",
    DATES,
    f"SELECT date_format({AT}, '%Y-%m-%d %H:%i:%s'), format_datetime({AT}, 'yyyy/MM/dd HH:mm')",
    ("2026-11-20 13:45:30", "2026/11/20 13:45"),
)
_answers(
    "date-parse",
    "date_parse and parse_datetime read the same letters; the second answers a time with a zone.",
    DATES,
    "SELECT date_parse('20/11/2026', '%d/%m/%Y'), to_iso8601(parse_datetime('2026-11-20 13', 'yyyy-MM-dd HH'))",
    ("2026-11-20 00:00:00.000", "2026-11-20T13:00:00.000Z"),
)
_answers(
    "date-arithmetic",
    "date_trunc, date_add and date_diff count in whole units.",
    DATES,
    f"SELECT date_trunc('hour', {AT}), date_add('day', -1, {AT}), "
    f"date_diff('minute', {AT}, {AT} + INTERVAL '90' SECOND)",
    ("2026-11-20 13:00:00.000", "2026-11-19 13:45:30.000", "1"),
)
_answers(
    "iso-8601",
    "from_iso8601_timestamp answers a timestamp with a time zone, shown with its name.",
    DATES,
    "SELECT from_iso8601_timestamp('2026-11-20T13:45:30Z')",
    ("2026-11-20 13:45:30.000 UTC",),
)
_answers(
    "unix-time",
    "to_unixtime answers seconds as a double, from_unixtime takes them.",
    DATES,
    f"SELECT to_unixtime({AT}), date_format(from_unixtime(0), '%Y')",
    ("1.79518233E9", "1970"),
)
_answers(
    "time-zones",
    "AT TIME ZONE shows the same moment elsewhere.",
    DATES,
    "SELECT TIMESTAMP '2026-11-20 13:00:00.000 UTC' AT TIME ZONE 'America/New_York'",
    ("2026-11-20 08:00:00.000 America/New_York",),
)
_answers(
    "approx-distinct",
    "approx_distinct of a few values is exact, and nulls do not count.",
    AGGREGATES,
    "SELECT approx_distinct(n) FROM (VALUES (1), (2), (2), (NULL)) AS t(n)",
    ("2",),
)
_answers(
    "approx-percentile",
    "approx_percentile answers a value that is there.",
    AGGREGATES,
    "SELECT approx_percentile(n, 0.5) FROM (VALUES (1), (2), (3)) AS t(n)",
    ("2",),
)
_answers(
    "aggregates",
    "max_by, count_if, arbitrary, bool_or and FILTER aggregate as Trino's do.",
    AGGREGATES,
    "SELECT max_by(s, n), count_if(n > 1), bool_or(n = 2), sum(n) FILTER (WHERE n < 3) "
    "FROM (VALUES (1, 'a'), (3, 'c'), (2, 'b')) AS t(n, s)",
    ("c", "2", "true", "3"),
)
_answers(
    "array-agg",
    "array_agg and listagg keep the order they are told.",
    AGGREGATES,
    "SELECT array_agg(n ORDER BY n DESC), listagg(s, '-') WITHIN GROUP (ORDER BY n) "
    "FROM (VALUES (1, 'a'), (3, 'c'), (2, 'b')) AS t(n, s)",
    ("[3, 2, 1]", "a-b-c"),
)
_answers(
    "map-agg",
    "map_agg and histogram make maps.",
    AGGREGATES,
    "SELECT map_agg(s, n), element_at(histogram(s), 'a') FROM (VALUES ('a', 1)) AS t(s, n)",
    ("{a=1}", "1"),
)
_answers(
    "unnest",
    "UNNEST makes rows of an array, WITH ORDINALITY counts them from one, and a map becomes two columns.",
    SELECT,
    "SELECT i, x, k, v FROM UNNEST(ARRAY['a', 'b']) WITH ORDINALITY AS t(x, i) "
    "CROSS JOIN UNNEST(MAP(ARRAY['k'], ARRAY[9])) AS m(k, v) ORDER BY i",
    ("1", "a", "k", "9"),
    ("2", "b", "k", "9"),
)
_answers(
    "unnest-uneven",
    "UNNEST of arrays of uneven length fills up with nulls.",
    SELECT,
    "SELECT a, b FROM UNNEST(ARRAY[1, 2], ARRAY['x']) AS t(a, b) ORDER BY a",
    ("1", "x"),
    ("2", None),
)
_answers(
    "arrays",
    "Arrays count from one; element_at beyond the end is null; cardinality, contains and slice.",
    ARRAYS,
    "SELECT ARRAY[7, 8][1], element_at(ARRAY[7, 8], 3), element_at(ARRAY[7, 8], -1), cardinality(ARRAY[7, 8]), "
    "contains(ARRAY[7, 8], 8), slice(ARRAY[7, 8, 9], 2, 2), array_join(ARRAY['a', 'b'], '+')",
    ("7", None, "8", "2", "true", "[8, 9]", "a+b"),
)
_answers(
    "maps",
    "A map's value is found by its key; element_at of a key that is not there is null.",
    MAPS,
    "SELECT m['a'], element_at(m, 'z'), cardinality(m), map_keys(m) FROM (VALUES (MAP(ARRAY['a'], ARRAY[1]))) AS t(m)",
    ("1", None, "1", "[a]"),
)
_answers(
    "lambdas",
    "transform, filter, reduce and any_match take lambda expressions.",
    LAMBDAS,
    "SELECT transform(ARRAY[1, 2], x -> x * 10), filter(ARRAY[1, 2, 3], x -> x > 1), "
    "reduce(ARRAY[1, 2, 3], 0, (s, x) -> s + x, s -> s), any_match(ARRAY[1, 2], x -> x = 2)",
    ("[10, 20]", "[2, 3]", "6", "true"),
)
_answers(
    "json",
    "json_extract_scalar finds a text, or null; json_extract JSON; a path may have indices.",
    JSON,
    """SELECT json_extract_scalar(j, '$.a.b'), json_extract_scalar(j, '$.l[1]'), json_extract_scalar(j, '$.none'),
    json_extract_scalar(j, '$.a'), json_array_length(json_extract(j, '$.l'))
    FROM (VALUES ('{"a": {"b": "x"}, "l": [1, 2]}')) AS t(j)""",
    ("x", "2", None, None, "2"),
)
_answers(
    "json-cast",
    "JSON is cast to maps and arrays, and back with json_format.",
    JSON,
    """SELECT CAST(json_parse('{"a": 1}') AS MAP(varchar, integer))['a'], json_format(CAST(ARRAY[1, 2] AS JSON))""",
    ("1", "[1,2]"),
)
_answers(
    "try",
    "try answers null where its argument fails, try_cast where a cast does.",
    CONDITIONAL,
    "SELECT try(1 / (n - 1)), try_cast('x' AS integer), coalesce(try(CAST(s AS integer)), -1) "
    "FROM (VALUES (1, 'x')) AS t(n, s)",
    (None, None, "-1"),
)
_answers(
    "conditional",
    "if, nullif, coalesce and CASE choose.",
    CONDITIONAL,
    "SELECT if(n > 1, 'more', 'one'), if(n > 1, 'more'), nullif(n, 1), CASE n WHEN 1 THEN 'one' ELSE 'more' END "
    "FROM (VALUES (1)) AS t(n)",
    ("one", None, None, "one"),
)
_answers(
    "integer-division",
    "The quotient of integers is an integer, cut towards zero, and % keeps the dividend's sign.",
    MATHS,
    "SELECT n / 2, -n / 2, -n % 3, n / 2e0 FROM (VALUES (7)) AS t(n)",
    ("3", "-3", "-1", "3.5"),
)
_answers(
    "rounding",
    "round goes away from zero at the half; truncate, ceil, power and width_bucket.",
    MATHS,
    "SELECT round(2.5e0), round(-2.5e0), truncate(2.7e0), ceil(2.1e0), power(2, 3), width_bucket(5e0, 0e0, 10e0, 4)",
    ("3.0", "-3.0", "2.0", "3.0", "8.0", "3"),
)
_answers(
    "strings",
    "split, split_part, strpos, substr, lpad and || as in Trino, counting from one.",
    STRINGS,
    "SELECT split('a-b', '-'), split_part('a-b', '-', 2), strpos('abc', 'c'), substr('abc', 2), lpad('7', 3, '0'), "
    "'a' || 'b', length('äb')",
    ("[a, b]", "b", "3", "bc", "007", "ab", "2"),
)
_answers(
    "regexp",
    "regexp_extract answers a group, regexp_replace takes $1, regexp_like finds anywhere.",
    REGEXP,
    r"SELECT regexp_extract('S01-P2', 'P(\d+)', 1), regexp_replace('ab', '(a)(b)', '$2$1'), regexp_like('xay', 'a'), "
    r"regexp_extract('none', '\d+')",
    ("2", "ba", "true", None),
)
_answers(
    "urls",
    "url_extract_host and url_extract_parameter take a URL apart.",
    URLS,
    "SELECT url_extract_host('https://example.com/a?b=c'), url_extract_parameter('https://example.com/a?b=c', 'b')",
    ("example.com", "c"),
)
_answers(
    "windows",
    "row_number, lag, sum and first_value work over windows.",
    WINDOWS,
    "SELECT n, row_number() OVER (ORDER BY n DESC), lag(n) OVER (ORDER BY n), sum(n) OVER (ORDER BY n) "
    "FROM (VALUES (1), (2), (3)) AS t(n) ORDER BY n",
    ("1", "3", None, "1"),
    ("2", "2", "1", "3"),
    ("3", "1", "2", "6"),
)
_answers(
    "grouping-sets",
    "GROUPING SETS, ROLLUP and CUBE group several ways at once.",
    SELECT,
    "SELECT s, sum(n) FROM (VALUES ('a', 1), ('b', 2)) AS t(s, n) GROUP BY ROLLUP (s) ORDER BY s NULLS LAST",
    ("a", "1"),
    ("b", "2"),
    (None, "3"),
)
_answers(
    "with-and-limit",
    "WITH names queries, and OFFSET stands before LIMIT.",
    SELECT,
    "WITH a AS (SELECT n FROM UNNEST(sequence(1, 10)) AS t(n)) SELECT n FROM a ORDER BY n OFFSET 2 LIMIT 2",
    ("3",),
    ("4",),
)
_answers(
    "nulls-last",
    "ORDER BY puts nulls last, whichever way it sorts, unless it is told otherwise.",
    SELECT,
    "SELECT n FROM (VALUES (1), (NULL), (2)) AS t(n) ORDER BY n DESC",
    ("2",),
    ("1",),
    (None,),
)
_answers(
    "rows",
    "A ROW's fields are found by name.",
    _TRINO + "language/types.html",
    "SELECT r.n, r.s FROM (SELECT CAST(ROW(1, 'a') AS ROW(n integer, s varchar)) AS r)",
    ("1", "a"),
)
_answers(
    "is-distinct-from",
    "IS DISTINCT FROM compares nulls as values.",
    _TRINO + "functions/comparison.html",
    "SELECT NULL IS DISTINCT FROM 1, NULL IS NOT DISTINCT FROM NULL, greatest(1, 3, 2)",
    ("true", "true", "3"),
)
_answers(
    "hashes",
    "md5 and sha256 take and answer varbinary; to_hex shows it in capitals.",
    _TRINO + "functions/binary.html",
    "SELECT to_hex(md5(to_utf8('a'))), from_utf8(from_base64('aGk='))",
    ("0CC175B9C0F1B6A831C399E269772661", "hi"),
)
_answers(
    "bare-values",
    "A VALUES list needs no parentheses around single values.",
    _TRINO + "sql/values.html",
    "SELECT n FROM (VALUES 1, 2) AS t(n) ORDER BY n",
    ("1",),
    ("2",),
)
