"""JSON to columns: /firehose/latest/dev/record-format-conversion.html and API_OpenXJsonSerDe.html."""

import json
import tempfile
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.local_aws.firehose.samples import ALL_PLAIN, COLUMNS, records
from workshop.local_aws.firehose.conversion import Converter, UnsupportedColumnError, write_parquet
from workshop.local_aws.firehose.records import Record


def value(kind: str, given: str, **options: Any) -> Any:
    """Convert one JSON value to a column of one type, in a document of its own."""
    table, failures = Converter([{"Name": "v", "Type": kind}], **options).convert(records(f'{{"v":{given}}}'.encode()))
    assert table.num_rows + len(failures) == 1
    return failures[0].code if failures else table.column("v")[0].as_py()


time = datetime.fromisoformat
MISFIT = "DataFormatConversion.MalformedData"


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("string", '"a"', "a"),
        ("string", "1", "1"),
        ("string", "1.5", "1.5"),
        ("string", "true", "true"),
        ("string", '{"a":[1,null]}', '{"a":[1,null]}'),
        ("string", r'"\ud800"', MISFIT),
        ("string", "NaN", MISFIT),
        ("int", '"12"', 12),
        ("int", "2147483647", 2147483647),
        ("int", "2147483648", MISFIT),
        ("int", "1.5", MISFIT),
        ("int", "true", MISFIT),
        ("int", '"1_0"', MISFIT),
        ("tinyint", "-128", -128),
        ("tinyint", "128", MISFIT),
        ("smallint", "32768", MISFIT),
        ("bigint", "9223372036854775807", 9223372036854775807),
        ("bigint", "9223372036854775808", MISFIT),
        ("boolean", "true", True),
        ("boolean", '"FALSE"', False),
        ("boolean", "1", MISFIT),
        ("double", "1", 1.0),
        ("double", '"1e3"', 1000.0),
        ("double", "NaN", MISFIT),
        ("double", "-Infinity", MISFIT),
        ("double", '"abc"', MISFIT),
        ("float", "0.5", 0.5),
        ("decimal(5,2)", "1.5", Decimal("1.50")),
        ("decimal(5,2)", "1.005", Decimal("1.01")),
        ("decimal(5,2)", '"7"', Decimal("7.00")),
        ("decimal(5,2)", "1000", MISFIT),
        ("date", '"2026-11-20"', date(2026, 11, 20)),
        ("date", '"2026-13-20"', MISFIT),
        ("date", "20", MISFIT),
        ("array<int>", "[1,null,2]", [1, None, 2]),
        ("array<int>", '[1,"x"]', MISFIT),
        ("struct<a:int,b:array<string>>", '{"A":1,"b":["x"],"c":0}', {"a": 1, "b": ["x"]}),
        ("map<string,int>", '{"x":1,"y":null}', [("x", 1), ("y", None)]),
        ("struct<a:int>", "[1]", MISFIT),
    ],
)
def test_a_value_becomes_its_columns_type_or_does_not_match_the_schema(kind: str, given: str, expected: Any) -> None:
    assert value(kind, given) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('"2026-11-20T12:00:00Z"', time("2026-11-20 12:00:00")),
        ('"2026-11-20T12:00:00.000Z"', time("2026-11-20 12:00:00")),
        ('"2017-02-07T15:13:01.39256Z"', time("2017-02-07 15:13:01.392560")),
        ('"2017-02-07T15:13:01.123456789Z"', time("2017-02-07 15:13:01.123456")),
        ('"2017-02-07 15:13:01.14"', time("2017-02-07 15:13:01.140000")),
        ('"2017-2-7 15:13:01"', time("2017-02-07 15:13:01")),
        ("1518033528", time("2018-02-07 19:58:48")),
        ("1518033528123", time("2018-02-07 19:58:48.123000")),
        ("1518033528.123", time("2018-02-07 19:58:48.123000")),
        ('"1518033528123"', time("2018-02-07 19:58:48.123000")),
        ('"2026-11-20T12:00:00+01:00"', MISFIT),
        ('"2026-11-20T12:00:00"', MISFIT),
        ('"2026-11-20"', MISFIT),
        ('"2026-02-30T12:00:00Z"', MISFIT),
        ('"2026-11-20 12:00:00Z"', MISFIT),
        ("true", MISFIT),
    ],
)
def test_timestamps_are_read_in_the_forms_the_page_lists(given: str, expected: Any) -> None:
    assert value("timestamp", given) == expected


def test_columns_may_mix_the_forms_of_timestamps() -> None:
    batch = records(b'{"at":"2026-11-20T12:00:00Z"}', b'{"at":"2026-11-20 12:00:00"}', b'{"at":null}')
    table, failures = Converter(COLUMNS).convert(batch)
    assert table.column("at").to_pylist() == [time("2026-11-20 12:00:00")] * 2 + [None]
    assert failures == []


def test_documents_may_be_concatenated_or_on_lines_of_their_own() -> None:
    """ "{"a":1}{"a":2}" is the correct input."""
    batch = records(b'{"n":1}{"n":2}', b' {"n":3}\n\n{"n":4} {\n"n":5}\n')
    table, failures = Converter(COLUMNS).convert(batch)
    assert table.column("n").to_pylist() == [1, 2, 3, 4, 5]
    assert failures == []


def test_an_array_of_documents_is_not_a_valid_input() -> None:
    table, failures = Converter(COLUMNS).convert(records(b'[{"n":1},{"n":2}]', b'{"n":3}'))
    assert table.column("n").to_pylist() == [3]
    assert [(each.data, each.code) for each in failures] == [(b'[{"n":1},{"n":2}]', MISFIT)]


def test_keys_match_columns_in_any_case() -> None:
    """API_OpenXJsonSerDe: CaseInsensitive is true by default."""
    table, _ = Converter(COLUMNS).convert(records(b'{"ID":"a","N":1}\n{"id":"b","n":2}'))
    assert table.column("id").to_pylist() == ["a", "b"]
    assert table.column("n").to_pylist() == [1, 2]
    table, _ = Converter(COLUMNS).convert(records(b'{"\\u0049D":"c"}'))
    assert table.column("id").to_pylist() == ["c"]


def test_keys_match_in_their_own_case_when_asked() -> None:
    table, _ = Converter(COLUMNS, case_insensitive=False).convert(records(b'{"ID":"a"}\n{"id":"b"}'))
    assert table.column("id").to_pylist() == [None, "b"]


def test_dots_in_keys_can_become_underscores() -> None:
    """API_OpenXJsonSerDe: ConvertDotsInJsonKeysToUnderscores."""
    assert value("int", '1,"w":0', dots_to_underscores=True) == 1
    table, _ = Converter([{"Name": "a_b", "Type": "int"}], dots_to_underscores=True).convert(records(b'{"a.b":7}'))
    assert table.column("a_b").to_pylist() == [7]


def test_a_column_can_have_another_key() -> None:
    """API_OpenXJsonSerDe: ColumnToJsonKeyMappings."""
    converter = Converter([{"Name": "ts", "Type": "int"}], keys={"ts": "timestamp"})
    table, _ = converter.convert(records(b'{"timestamp":7,"ts":8}'))
    assert table.column("ts").to_pylist() == [7]


def test_a_column_type_that_cannot_be_converted_is_named() -> None:
    with pytest.raises(UnsupportedColumnError, match="Column v has the type uniontype<int>"):
        Converter([{"Name": "v", "Type": "uniontype<int>"}])


def test_a_table_without_columns_holds_no_documents() -> None:
    with pytest.raises(UnsupportedColumnError, match="no columns"):
        Converter([])


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999999Z"])
def test_any_timestamp_can_be_written_to_parquet(at: str) -> None:
    """DuckDB reads it back: Arrow itself would read INT96 as nanoseconds, which reach from 1677 to 2262."""
    table, _ = Converter([{"Name": "at", "Type": "timestamp"}]).convert(records(f'{{"at":"{at}"}}'.encode()))
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        write_parquet(file, [table], "SNAPPY")
        file.flush()
        read = duckdb.execute('SELECT "at" FROM read_parquet(?)', [file.name]).fetchall()
    assert read == [(time(at.removesuffix("Z")),)]


@pytest.mark.parametrize(
    ("data", "delivered", "failed"),
    [
        (b'{"n":1}\n{oops\n{"n":2}', [1, 2], [b"{oops"]),
        (b'{"n":1}{oops}{"n":2}', [1], [b'{oops}{"n":2}']),
        (b"", [], [b""]),
        (b" \n", [], [b" \n"]),
        (b'null\n{"n":1}', [1], [b"null"]),
        (b'{"n":1}\nnull', [1], [b"null"]),
        (b'{"n":1}\nnull\n{"n":2}', [1, 2], [b"null"]),
        (b'{"n":1}\n{"id":"\xff"}\n{"n":2}', [1, 2], [b'{"id":"\xff"}']),
        (b'{"n":1}\n{"other":"\xff"}', [1], [b'{"other":"\xff"}']),
        (b'{"n":1', [], [b'{"n":1']),
        (b"[" * 100_000, [], [b"[" * 100_000]),
    ],
)
def test_what_cannot_be_parsed_fails_and_its_neighbours_do_not(
    data: bytes, delivered: list[int], failed: list[bytes]
) -> None:
    table, failures = Converter(COLUMNS).convert(records(data))
    assert table.column("n").to_pylist() == delivered
    assert [each.data for each in failures] == failed


def test_a_document_does_not_reach_into_the_next_record() -> None:
    table, failures = Converter(COLUMNS).convert(records(b'{"n":', b"1}", b'{"n":2}'))
    assert table.column("n").to_pylist() == [2]
    assert b"".join(each.data for each in failures) == b'{"n":1}'


def test_bulk_reading_is_what_serves_ordinary_documents() -> None:
    """Otherwise the comparison below compares nothing."""
    document = b'{"id":"a","n":1,"tiny":2,"large":3,"ok":true,"x":1.5,"price":1.25,"day":"2026-11-20",'
    document += b'"at":"2026-11-20T12:00:00.000Z","unknown":{"a":[1]}}'
    assert Converter(ALL_PLAIN).in_bulk(records(document, b'{"id":null}\n' + document)) is not None


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-300, 300),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True),
    st.decimals(-100, 100, places=2).map(float),
    st.text(max_size=5),
    st.sampled_from(["2026-11-20", "2026-11-20T12:00:00.000Z", "2026-11-20 12:00:00.5", "12", "true", "null", "}"]),
    st.just([{"n": 1}]),
    st.just({"id": None}),
)
_FITTING = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=5),
        "n": st.integers(-(2**31), 2**31 - 1),
        "tiny": st.integers(-128, 127),
        "large": st.integers(-(2**63), 2**63 - 1),
        "ok": st.booleans(),
        "x": st.floats(allow_nan=False, allow_infinity=False),
        "price": st.integers(-(10**8), 10**8).map(lambda cents: cents / 100),
        "day": st.dates().map(str),
        "at": st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z"),
        "ID": st.text(max_size=3),
    },
)
_ANY = st.dictionaries(
    st.sampled_from(["id", "n", "N", "tiny", "large", "ok", "x", "price", "day", "at", "?"]), _SCALARS
)
_DOCUMENT = st.one_of(_FITTING, _ANY).map(lambda fields: json.dumps(fields).encode())
_NOISE = st.one_of(
    st.binary(max_size=12), st.sampled_from([b"null", b"[]", b"{", b"}", b'{"n":1', b"{}", b'"x"', b"\xff", b"{'n':1}"])
)
_PIECES = st.lists(
    st.tuples(st.one_of(_DOCUMENT, _DOCUMENT, _DOCUMENT, _NOISE), st.sampled_from([b"\n", b"", b" ", b"\r\n"])),
    max_size=5,
)
_RECORD = _PIECES.map(lambda pieces: b"".join(document + end for document, end in pieces))


@settings(max_examples=120, deadline=None)
@given(st.lists(_RECORD, min_size=1, max_size=4))
@example([b"null"])
@example([b'{"n":1}null{"n":2}'])
@example([b'{"n":1}', b'{"N":2}'])
@example([b'{"x":NaN}'])
@example([b'{"?":"\xff"}'])
@example([b'{"n":{"n":1}', b"}"])
def test_bulk_reading_agrees_with_reading_one_by_one(data: list[bytes]) -> None:
    batch = records(*data)
    converter = Converter(ALL_PLAIN)
    bulk = converter.in_bulk(batch)
    if bulk is not None:
        table, failures = converter.one_by_one(batch)
        assert failures == []
        assert bulk.to_pylist() == table.to_pylist()
        assert bulk.schema == table.schema


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.one_of(_FITTING, _ANY), min_size=1, max_size=4), min_size=1, max_size=4), st.randoms())
def test_every_document_is_a_row_or_a_failure_exactly_once(documents: list[list[dict[str, Any]]], random: Any) -> None:
    columns = [*ALL_PLAIN, {"Name": "number", "Type": "int"}]
    numbered = iter(range(100))
    batch = []
    for index, group in enumerate(documents):
        lines = [json.dumps({**fields, "number": next(numbered)}).encode() for fields in group]
        batch.append(Record(str(index), random.choice([b"\n", b"", b" \n"]).join(lines), 0.0))
    table, failures = Converter(columns).convert(batch)
    seen = table.column("number").to_pylist() + [json.loads(each.data)["number"] for each in failures]
    assert sorted(seen) == list(range(next(numbered)))
    assert table.schema.field("at").type == pa.timestamp("us")
    for failure in failures:  # the position leads back to the document in its record
        assert (
            json.loads(failure.data)["number"] == sum(map(len, documents[: int(failure.record.id)])) + failure.position
        )
