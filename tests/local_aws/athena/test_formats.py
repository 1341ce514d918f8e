"""Tables of every SerDe that is read, and what objects that do not fit their table are answered with.

https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html
"""

import bz2
import gzip
from typing import Any

import pyarrow as pa
import pytest

from tests.local_aws.athena.asking import ask
from tests.local_aws.athena.conftest import Opens
from tests.local_aws.athena.lake import BUCKET, JSON_SERDE, Lake, json_lines, parquet, table
from tests.local_aws.athena.test_pruning import _chunks
from workshop.local_aws.athena import Athena

LAZY_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
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
