"""Tables of every SerDe that is read, and what objects that do not fit their table are answered with.

https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html
"""

import bz2
import gzip
import io
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import orc

from tests.local_aws.athena.asking import ask
from tests.local_aws.athena.conftest import Opens
from tests.local_aws.athena.lake import BUCKET, JSON_SERDE, PARQUET_SERDE, Lake, json_lines, parquet, table
from tests.local_aws.athena.test_pruning import _chunks
from workshop.local_aws.athena import Athena
from workshop.local_aws.athena.sources import write_values

LAZY_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
ORC_SERDE = "org.apache.hadoop.hive.ql.io.orc.OrcSerde"
HIVE_JSON_SERDE = "org.apache.hive.hcatalog.data.JsonSerDe"
CSV_SERDE = "org.apache.hadoop.hive.serde2.OpenCSVSerde"


def put(lake: Lake, name: str, columns: dict[str, str], serde: str, **properties: str) -> None:
    """Describe a table in the lake with a SerDe and its properties."""
    described = table(name, columns, f"s3://{BUCKET}/{name}/", serde=serde)
    described["StorageDescriptor"]["SerdeInfo"]["Parameters"] = {
        key.replace("_", "."): value for key, value in properties.items()
    }
    lake.tables[name] = described


def test_delimited_text(lake: Lake, athena: Athena) -> None:
    """What cannot be read is null, as is the text of nulls; a field too few is null, one too many is not there.

    https://docs.aws.amazon.com/athena/latest/ug/lazy-simple-serde.html
    """
    columns = {"n": "int", "name": "string", "at": "timestamp", "on": "boolean"}
    put(lake, "t", columns, LAZY_SERDE, field_delim=",", skip_header_line_count="1")
    lines = "n,name,at,on\n1,a,2026-11-20 09:00:00.5,TRUE\n1.5,\\N,2026-11-20T09:00:00,yes\n2\n\n3,,,false,more\n"
    lake.put("t/a.csv", lines.encode())
    assert ask(athena, "SELECT * FROM t").rows == [
        ("1", "a", "2026-11-20 09:00:00.500", "true"),
        (None, None, None, None),
        ("2", None, None, None),
        (None, None, None, None),
        ("3", "", None, "false"),
    ]


def test_escapes_and_collections_of_delimited_text(lake: Lake, athena: Athena) -> None:
    columns = {"name": "string", "tags": "array<int>", "counts": "map<string,int>", "at": "struct<x:int,y:string>"}
    properties = {"field_delim": "|", "escape_delim": "\\", "collection_delim": ",", "mapkey_delim": ":"}
    put(lake, "t", columns, LAZY_SERDE, **properties, serialization_null_format="none")
    lake.put("t/a", b"a\\|b\\\\|1,2,x|k:1,l:2|7,z\nnone|none|none|none\n")
    assert ask(athena, "SELECT name, tags, counts, at, at.y FROM t").rows == [
        ("a|b\\", "[1, 2, null]", "{k=1, l=2}", "{x=7, y=z}", "z"),
        (None, None, None, None, None),
    ]


def test_quoted_text(lake: Lake, athena: Athena) -> None:
    """Times are numbers, an empty field is an empty text, and no number: https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html."""
    columns = {"name": "string", "n": "int", "day": "date", "at": "timestamp"}
    put(lake, "t", columns, CSV_SERDE, separatorChar=";", quoteChar="'", escapeChar="\\")
    lake.put("t/a", b"'a;''b';'1';18276;1579059880000\n\\'q;2;0;0\n;3;0;0\n")
    assert ask(athena, "SELECT * FROM t").rows == [
        ("a;'b", "1", "2020-01-15", "2020-01-15 03:44:40.000"),
        ("'q", "2", "1970-01-01", "1970-01-01 00:00:00.000"),
        ("", "3", "1970-01-01", "1970-01-01 00:00:00.000"),
    ]
    lake.put("t/b", b"x;;0;0\n")
    assert ask(athena, "SELECT name FROM t WHERE name = 'x'").rows == [("x",)]
    reason = ask(athena, "SELECT n FROM t").reason
    assert reason == "HIVE_BAD_DATA: Error parsing field value '' for field 1: For input string: \"\""


@pytest.mark.parametrize(("name", "packed"), [("a.gz", gzip.compress), ("a.bz2", bz2.compress), ("a.zst", "zstd")])
def test_text_is_decompressed_by_its_name_and_billed_as_it_is_stored(
    lake: Lake, athena: Athena, name: str, packed: Any
) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/compression-formats.html."""
    put(lake, "t", {"n": "int"}, LAZY_SERDE, field_delim=",")
    text = b"1\n" * 1000
    body = pa.compress(text, packed, asbytes=True) if packed == "zstd" else packed(text)
    lake.put(f"t/{name}", body)
    answer = ask(athena, "SELECT sum(n) FROM t")
    assert (answer.reason, answer.rows, answer.scanned) == ("", [("1000",)], len(body))


def test_what_cannot_be_read_is_refused_by_name(lake: Lake, athena: Athena) -> None:
    put(lake, "t", {"n": "int"}, LAZY_SERDE)
    lake.put("t/a.snappy", b"x")
    assert "The compression .snappy of t/a.snappy is not supported" in ask(athena, "SELECT n FROM t").reason
    put(lake, "avro", {"n": "int"}, "org.apache.hadoop.hive.serde2.avro.AvroSerDe")
    assert "AvroSerDe is not supported" in ask(athena, "SELECT n FROM avro").reason


def test_json_that_is_no_number(lake: Lake, athena: Athena) -> None:
    """https://repost.aws/knowledge-center/athena-hive-bad-data-parsing-field-value."""
    put(lake, "t", {"name": "string", "id": "int"}, JSON_SERDE)
    lake.put("t/a.gz", json_lines([{"name": "a", "id": 50}, {"name": "b", "id": 0.54}]))
    reason = ask(athena, "SELECT id FROM t").reason
    assert reason == "HIVE_BAD_DATA: Error parsing field value '0.54' for field 1: For input string: \"0.54\""
    assert ask(athena, "SELECT name FROM t").rows == [("a",), ("b",)]


def test_json_nested_that_does_not_fit_fails_where_it_is_read(lake: Lake, athena: Athena) -> None:
    put(lake, "t", {"n": "int", "m": "array<int>"}, JSON_SERDE)
    lake.put("t/a", b'{"n":"x","m":[1]}\n{"n":2,"m":["y"]}\n')
    assert ask(athena, "SELECT count(*) FROM t").rows == [("2",)]
    assert ask(athena, "SELECT n FROM t").reason.startswith("HIVE_BAD_DATA: Error parsing field value 'x' for field 0")
    assert ask(athena, "SELECT m FROM t").reason.startswith("INVALID_CAST_ARGUMENT: ")
    put(lake, "t", {"n": "int", "m": "array<int>"}, JSON_SERDE, **{"use.null.for.invalid.data": "true"})
    assert ask(athena, "SELECT n, m FROM t").rows == [(None, "[1]"), ("2", None)]


@pytest.mark.parametrize("serde", [JSON_SERDE, HIVE_JSON_SERDE])
def test_json_keys_in_any_case(lake: Lake, athena: Athena, serde: str) -> None:
    """Keys are columns and fields in lower case; those of a map are as they stand.

    https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html, of maps Trino's OpenXJsonDeserializer.
    """
    columns = {"id": "int", "at": "struct<city:string,zip:int>", "counts": "map<string,int>"}
    put(lake, "t", columns, serde)
    lake.put("t/a", b'{"ID":1,"At":{"City":"B","zip":5},"counts":{"K":1}}\n{"id":2}\n\n')
    assert ask(athena, "SELECT id, at, counts FROM t").rows == [("1", "{city=B, zip=5}", "{K=1}"), ("2", None, None)]


def test_json_keys_by_other_names(lake: Lake, athena: Athena) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html: mapping.*, dots.in.keys, case.insensitive."""
    put(lake, "t", {"ts": "int", "a_b": "string"}, JSON_SERDE, mapping_ts="Timestamp", dots_in_keys="TRUE")
    lake.put("t/a", b'{"timestamp":7,"a.b":"q"}\n')
    assert ask(athena, "SELECT ts, a_b FROM t").rows == [("7", "q")]
    put(lake, "t", {"a_b": "string"}, JSON_SERDE)
    assert ask(athena, "SELECT a_b FROM t").rows == [(None,)]
    properties = {"mapping.other": "URL", "case.insensitive": "FALSE"}
    put(lake, "exact", {"url": "string", "other": "string", "name": "string"}, JSON_SERDE, **properties)
    lake.put("exact/a", b'{"url":"u","URL":"v","Name":"n"}\n')
    assert ask(athena, "SELECT url, other, name FROM exact").rows == [("u", "v", None)]


@pytest.mark.parametrize("document", [b'{"url":"u","URL":"v"}', b'{"url":"u","url":"v"}', b'{"at":{"x":1,"X":2}}'])
def test_a_json_key_that_comes_twice(lake: Lake, athena: Athena, document: bytes) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html; documents may differ in their keys' case."""
    put(lake, "t", {"url": "string", "at": "struct<x:int>"}, JSON_SERDE)
    lake.put("t/a", b'{"url":"u"}\n{"URL":"v"}\n')
    assert ask(athena, "SELECT url FROM t").rows == [("u",), ("v",)]
    lake.put("t/b", document)
    reason = ask(athena, "SELECT url FROM t").reason
    assert reason.startswith("HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: Duplicate key")


def test_json_lines_that_are_no_documents(lake: Lake, athena: Athena) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html: ignore.malformed.json."""
    put(lake, "t", {"n": "int"}, JSON_SERDE)
    for line in (b"{bad", b"[1]"):
        lake.put("t/a", b'{"n":1}\n' + line + b"\n")
        assert ask(athena, "SELECT count(*) FROM t").reason == "HIVE_CURSOR_ERROR: Row is not a valid JSON Object"
    put(lake, "t", {"n": "int"}, JSON_SERDE, **{"ignore.malformed.json": "TRUE"})
    lake.put("t/a", b'{"n":1}\n{bad\n[1]\n{"n":3}\n')
    assert ask(athena, "SELECT n FROM t").rows == [("1",), (None,), (None,), ("3",)]


def test_an_object_is_converted_once_for_each_way_to_read_it(
    lake: Lake, athena: Athena, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, "t", {"n": "int"}, JSON_SERDE)
    lake.put("t/a", b'{"n":1}\n')
    assert ask(athena, "SELECT n FROM t").rows == [("1",)]
    converted: list[str] = []

    def noted(*arguments: Any) -> None:
        converted.append(arguments[3])
        write_values(*arguments)

    monkeypatch.setattr("workshop.local_aws.athena.engine.write_values", noted)
    assert ask(athena, "SELECT n + 1 FROM t").rows == [("2",)]
    assert converted == []
    put(lake, "t", {"n": "string"}, JSON_SERDE)
    assert ask(athena, "SELECT n FROM t").rows == [("1",)]
    lake.put("t/a", b'{"n":2}\n')
    assert ask(athena, "SELECT n FROM t").rows == [("2",)]
    assert converted == ["t/a", "t/a"]
    monkeypatch.setattr("workshop.local_aws.athena.sources._CODE", "another way to convert")
    assert ask(athena, "SELECT n FROM t").rows == [("2",)]
    assert converted == ["t/a", "t/a", "t/a"]


def test_orc(lake: Lake, athena: Athena) -> None:
    """Columns are found by their place, or by their name where the table says so.

    https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html
    """
    rows = pa.table({"X": pa.array([1, None], pa.int32()), "s": ["a", "b"], "m": [[1], None]})
    sink = io.BytesIO()
    orc.write_table(rows, sink)
    lake.put("t/a", sink.getvalue())
    put(lake, "t", {"n": "int", "s": "string", "m": "array<bigint>", "more": "int"}, ORC_SERDE)
    answer = ask(athena, "SELECT * FROM t")
    assert (answer.rows, answer.scanned) == ([("1", "a", "[1]", None), (None, "b", None, None)], len(sink.getvalue()))
    put(lake, "t", {"s": "string", "n": "int", "x": "int"}, ORC_SERDE, **{"orc.column.index.access": "false"})
    assert ask(athena, "SELECT * FROM t").rows == [("a", None, "1"), ("b", None, None)]
    put(lake, "t", {"n": "string"}, ORC_SERDE)
    reason = ask(athena, "SELECT n FROM t").reason
    assert reason == "HIVE_BAD_DATA: Column n of ORC type int32 in t/a is incompatible with type varchar"


def test_parquet_by_place_is_refused_by_name(lake: Lake, athena: Athena) -> None:
    put(lake, "t", {"n": "int"}, PARQUET_SERDE, **{"parquet.column.index.access": "true"})
    assert "parquet.column.index.access is not supported" in ask(athena, "SELECT n FROM t").reason


def test_registered_partitions_are_listed(lake: Lake, athena: Athena) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/querying-glue-catalog-listing-partitions.html."""
    lake.tables["t"] = table("t", {"n": "int"}, f"s3://{BUCKET}/t/", keys={"dt": "date", "hour": "int"})
    lake.partitions["t"] = [
        {"Values": values, "StorageDescriptor": {"Location": f"s3://{BUCKET}/t/{values[0]}/{values[1]}"}}
        for values in (["2026-11-20", "9"], ["2026-11-21", "10"], ["2026-11-21", "__HIVE_DEFAULT_PARTITION__"])
    ]
    answer = ask(athena, "SELECT * FROM \"t$partitions\" WHERE dt > DATE '2026-11-20' ORDER BY hour")
    assert answer.columns == [("dt", "date"), ("hour", "integer")]
    assert (answer.rows, answer.scanned) == ([("2026-11-21", "10"), ("2026-11-21", None)], 0)


def test_parquet_of_another_type(lake: Lake, athena: Athena) -> None:
    """An int may be read as a bigint; a text may not: https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html."""
    lake.tables["t"] = table("t", {"n": "bigint", "s": "int"}, f"s3://{BUCKET}/t/")
    lake.put("t/a", parquet([{"n": 1, "s": "x"}], {"n": "int", "s": "string"}))
    assert ask(athena, "SELECT n FROM t").rows == [("1",)]
    assert ask(athena, "SELECT s FROM t").reason == (
        "HIVE_BAD_DATA: Field s's type BINARY in parquet file s3://lake/t/a is incompatible with type integer "
        "defined in table schema"
    )


@pytest.mark.parametrize(
    ("condition", "groups"),
    [
        ("n = 150", [1]),
        ("150 = n", [1]),
        ("n < 100", [0]),
        ("n >= 300", [3]),
        ("300 <= n", [3]),
        ("n BETWEEN 90 AND 110", [0, 1]),
        ("n IN (5, 399)", [0, 3]),
        ("n > 1000", []),
        ("s > 'b'", [2, 3]),
        ("n + 0 = 150", [0, 1, 2, 3]),
        ("n = 150 OR s = 'd'", [0, 1, 2, 3]),
        ("n <> 150", [0, 1, 2, 3]),
    ],
)
def test_row_groups_that_statistics_exclude_are_not_billed(
    lake: Lake, opens: Opens, condition: str, groups: list[int]
) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/columnar-storage.html."""
    athena = opens(lake)
    kinds = {"n": "int", "s": "string"}
    lake.tables["t"] = table("t", kinds, f"s3://{BUCKET}/t/")
    body = parquet([{"n": n, "s": "aabcd"[n // 100 + 1]} for n in range(400)], kinds, row_group_size=100)
    lake.put("t/a", body)
    answer = ask(athena, f"SELECT count(n), count(s) FROM t WHERE {condition}")
    assert answer.reason == ""
    parts = [parquet([{"n": n, "s": "aabcd"[g + 1]} for n in range(g * 100, g * 100 + 100)], kinds) for g in groups]
    assert answer.scanned == sum(_chunks(part, "n", "s") for part in parts)


def test_an_injected_partition_key_is_asked_for(lake: Lake, athena: Athena) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/partition-projection-dynamic-id-partitioning.html."""
    parameters = {
        "projection.enabled": "true",
        "projection.device.type": "injected",
        "storage.location.template": f"s3://{BUCKET}/by-device/${{device}}",
    }
    lake.tables["t"] = table("t", {"n": "int"}, "s3://x/", keys={"device": "string"}, parameters=parameters)
    for device in ("a", "b"):
        lake.put(f"by-device/{device}/part", parquet([{"n": ord(device)}], {"n": "int"}))
    assert ask(athena, "SELECT n, device FROM t WHERE device IN ('b', 'c')").rows == [("98", "b")]
    reason = ask(athena, "SELECT n FROM t").reason
    assert reason.startswith("CONSTRAINT_VIOLATION: For the injected projected partition column device, ")
