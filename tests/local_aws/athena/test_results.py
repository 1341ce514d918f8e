"""How values are written and read back."""

import io
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local_aws.athena.asking import as_csv, ask
from tests.local_aws.athena.conftest import Opens
from tests.local_aws.athena.lake import Lake
from workshop.local_aws.athena import Athena, dates
from workshop.local_aws.athena.functions import WINDOW_ONLY, Function, functions
from workshop.local_aws.athena.results import csv_rows, java_double, shown
from workshop.local_aws.athena.trino_types import INTEGER, Type, parse_type


@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(st.none() | st.text(), min_size=n, max_size=n), min_size=1))
)
def test_a_null_an_empty_text_and_every_other_text_come_back_from_csv(rows: list[list[str | None]]) -> None:
    header = [f"c{position}" for position in range(len(rows[0]))]
    body = as_csv(header, rows)
    assert csv_rows(io.BytesIO(body), 0, len(body)) == ([header, *rows], None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (0.001, "0.001"),
        (0.0009, "9.0E-4"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (-1.25e-10, "-1.25E-10"),
        (1.7976931348623157e308, "1.7976931348623157E308"),
        (5e-324, "5.0E-324"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
    ],
)
def test_doubles_are_written_as_java_does(value: float, text: str) -> None:
    assert java_double(value) == text


@settings(max_examples=20)
@given(values=st.lists(st.floats(width=64), min_size=1, max_size=50))
def test_doubles_are_written_the_same_inside_a_statement(athena: Athena, values: list[float]) -> None:
    rows = ", ".join(f"({position}, CAST('{value!r}' AS double))" for position, value in enumerate(values))
    answer = ask(athena, f"SELECT CAST(x AS varchar), x FROM (VALUES {rows}) AS t (n, x) ORDER BY n")
    assert answer.rows == [(java_double(value), java_double(value)) for value in values]


def test_intervals() -> None:
    kind = Type("interval day to second")
    assert shown(timedelta(days=1, hours=2, milliseconds=3), kind) == "1 02:00:00.003"
    assert shown(timedelta(hours=-1), kind) == "-0 01:00:00.000"


@pytest.mark.parametrize(
    ("hive", "trino"),
    [
        ("int", "integer"),
        ("map<string,array<bigint>>", "map(varchar, array(bigint))"),
        ("struct<a:int,b:struct<c:decimal(10,2)>>", "row(a integer, b row(c decimal(10, 2)))"),
        ("varchar(3)", "varchar(3)"),
        ("timestamp", "timestamp(3)"),
        ("float", "real"),
    ],
)
def test_a_type_is_the_same_in_hives_and_in_trinos_words(hive: str, trino: str) -> None:
    assert str(parse_type(hive)) == trino
    assert parse_type(trino) == parse_type(hive)


def test_a_type_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        parse_type("array<colour>")


def test_date_patterns() -> None:
    assert dates.from_mysql("%Y-%m-%d %H:%i:%s.%f %%") == "%Y-%m-%d %H:%M:%S.%f %%"
    assert dates.from_joda("yyyy-MM-dd'T'HH:mm:ss.SSS''") == "%Y-%m-%dT%H:%M:%S.%g'"
    with pytest.raises(dates.UnknownPattern):
        dates.from_joda("QQQ")


ARGUMENTS = {
    "varchar": "'1'",
    "varbinary": "to_utf8('a')",
    "json": "JSON '[1]'",
    "unit": "'day'",
    "pattern": "'%Y'",
    "joda": "'yyyy'",
    "timestamp with time zone": "now()",
    "timestamp": "localtimestamp",
    "date": "current_date",
    "interval day to second": "INTERVAL '1' DAY",
    "boolean": "true",
    "double": "0.5e0",
    "bigint": "1",
    "D": "1.5",
    "array(T)": "ARRAY[1]",
    "array(K)": "ARRAY['k']",
    "array(V)": "ARRAY[1]",
    "array(double)": "ARRAY[0.5e0]",
    "array(array(T))": "ARRAY[ARRAY[1]]",
    "map(K, V)": "map(ARRAY['k'], ARRAY[1])",
    "K": "'k'",
    "array(U)": "ARRAY[1]",
    "array(row(K, V))": "ARRAY[('k', 1)]",
    "map(K, U)": "map(ARRAY['k'], ARRAY[1])",
    "interval year to month": "INTERVAL '1' MONTH",
    "moment": "now()",
    "zoned": "now()",
    "path": "'$.a'",
    "replacement": "'$1'",
    "T->U": "x -> x + 1",
    "S->U": "x -> x",
    "S T->S": "(s, x) -> s + x",
    "S S->S": "(s, x) -> s + x",
    "T U->V": "(x, y) -> x + y",
    "K V->boolean": "(k, v) -> v > 0",
    "K V->W": "(k, v) -> k || 'x'",
    "K V U->W": "(k, v, u) -> v + u",
    "T->boolean": "x -> x > 0",
}


@pytest.fixture(scope="module")
def athena(opens: Opens) -> Athena:
    return opens(Lake())


SPECIAL = {
    "bit_count(bigint, bigint)": "9, 64",
    "concat_ws(varchar, array(varchar))": "',', ARRAY['a']",
    "date_format(moment, pattern)": "now(), '%Y'",
    "format_datetime(moment, joda)": "now(), 'yyyy'",
    "from_base(varchar, bigint)": "'7', 8",
    "json_exists(varchar, varchar)": "'{}', '$.a'",
    "json_query(varchar, varchar)": "'{}', '$.a'",
    "json_value(varchar, varchar)": "'{}', '$.a'",
    "regexp_replace(varchar, varchar, replacement)": "'a', '(a)', '$1'",
    "split_to_map(varchar, varchar, varchar)": "'a=1', ',', '='",
    "split_to_multimap(varchar, varchar, varchar)": "'a=1', ',', '='",
    "to_base(bigint, bigint)": "7, 8",
    "width_bucket(double, double, double, bigint)": "1, 0, 10, 4",
    "date(varchar)": "'2026-01-01'",
    "date_parse(varchar, pattern)": "'2026', '%Y'",
    "from_base64(varchar)": "'YQ=='",
    "from_hex(varchar)": "'61'",
    "from_iso8601_date(varchar)": "'2026-01-01'",
    "from_iso8601_timestamp(varchar)": "'2026-01-01T00:00:00Z'",
    "map_concat(map(K, V)...)": "map(ARRAY['k'], ARRAY[1]), map(ARRAY['l'], ARRAY[2])",
    "parse_datetime(varchar, joda)": "'2026', 'yyyy'",
    "regexp_extract(varchar, varchar, bigint)": "'a', '(a)', 1",
    "regexp_extract_all(varchar, varchar, bigint)": "'a', '(a)', 1",
    "with_timezone(timestamp, varchar)": "localtimestamp, 'Europe/Berlin'",
}


def signature(function: Function) -> str:
    return f"{function.name}({', '.join(function.parameters)})"


@pytest.mark.parametrize(
    "function",
    [each for overloads in functions().overloads.values() for each in overloads],
    ids=signature,
)
def test_every_function_runs(athena: Athena, function: Function) -> None:
    """A line of functions.txt that DuckDB does not know would fail on the first user."""
    plain = ", ".join(ARGUMENTS.get(parameter.removesuffix("..."), "1") for parameter in function.parameters)
    arguments = SPECIAL.get(signature(function), "*" if signature(function) == "count()" else plain)
    over = " OVER (ORDER BY 1)" if function.name in WINDOW_ONLY else ""
    assert ask(athena, f"SELECT {function.name}({arguments}){over}").reason == ""


def test_integers_are_written_plainly() -> None:
    assert shown(-5, INTEGER) == "-5"
