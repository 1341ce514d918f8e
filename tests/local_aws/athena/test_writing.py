"""CTAS, INSERT INTO and UNLOAD: what they leave in S3 and in Glue, also when they fail half-way.

https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html, insert-into.html and unload.html
"""

import gzip
import io
import json
import threading
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import orc

from tests.conftest import eventually
from tests.local_aws.athena.asking import CALLER, ask, ended, start
from tests.local_aws.athena.lake import BUCKET, Lake
from tests.local_aws.athena.lake import table as glue_table
from workshop.local_aws.athena import Athena
from workshop.local_aws.athena.service import Job
from workshop.local_aws.athena.writing import Writing
from workshop.local_aws.protocol import AwsError


@pytest.fixture
def lake() -> Lake:
    lake = Lake()
    lake.workgroup["EnforceWorkGroupConfiguration"] = False
    return lake


def written(athena: Athena, statement: str, **more: Any) -> dict[str, Any]:
    execution = ended(athena, start(athena, statement, **more))
    assert execution["Status"].get("StateChangeReason") is None
    return execution


# ---- what is told of it ----------------------------------------------------------------------------------------------


def test_a_ctas_leaves_its_files_under_tables_and_a_manifest_beside_them(athena: Athena, lake: Lake) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html."""
    execution = written(athena, "CREATE TABLE t AS SELECT 1 AS n, 'x' AS s")
    query_id = execution["QueryExecutionId"]
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    assert execution["ResultConfiguration"]["OutputLocation"] == f"s3://{BUCKET}/athena-results/tables/{query_id}"
    manifest = execution["Statistics"]["DataManifestLocation"]
    assert manifest == f"s3://{BUCKET}/athena-results/tables/{query_id}-manifest.csv"
    [data] = lake.under(f"athena-results/tables/{query_id}/")
    assert lake.objects[BUCKET, manifest.removeprefix(f"s3://{BUCKET}/")].decode() == f"s3://{BUCKET}/{data}\n"
    assert f"athena-results/tables/{query_id}.metadata" in lake.under("")
    assert lake.tables["t"]["StorageDescriptor"]["Location"] == f"s3://{BUCKET}/athena-results/tables/{query_id}/"
    results = athena.get_query_results(CALLER, {"QueryExecutionId": query_id})
    assert (results["UpdateCount"], results["ResultSet"]["Rows"]) == (1, [])
    assert [column["Name"] for column in results["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]] == ["rows"]


@pytest.mark.parametrize(
    ("statement", "kinds", "suffix"),
    [
        ("INSERT INTO t VALUES (2)", ("DML", "INSERT"), ""),
        (f"UNLOAD (SELECT * FROM t) TO 's3://{BUCKET}/u/' WITH (format = 'PARQUET')", ("DML", "UNLOAD"), ""),
        ("SELECT * FROM t", ("DML", "SELECT"), ".csv"),
        ("CREATE VIEW v AS SELECT 1 AS x", ("DDL", "CREATE_VIEW"), ".txt"),
        ("DROP TABLE t", ("DDL", "DROP_TABLE"), ".txt"),
        ("SHOW TABLES", ("UTILITY", "SHOW_TABLES"), ".txt"),
        ("DESCRIBE t", ("UTILITY", "DESCRIBE_TABLE"), ".txt"),
    ],
)
def test_each_kind_of_statement_has_its_types_and_its_result(
    athena: Athena, lake: Lake, statement: str, kinds: tuple[str, str], suffix: str
) -> None:
    written(athena, "CREATE TABLE t AS SELECT 1 AS n")
    execution = written(athena, statement)
    output = execution["ResultConfiguration"]["OutputLocation"]
    assert (execution["StatementType"], execution["SubstatementType"]) == kinds
    assert output == f"s3://{BUCKET}/athena-results/{execution['QueryExecutionId']}{suffix}"
    key = output.removeprefix(f"s3://{BUCKET}/")
    assert f"{key}.metadata" in lake.under("")
    assert (key in lake.under("")) is bool(suffix)
    assert (f"{key}-manifest.csv" in lake.under("")) is not bool(suffix)


def test_an_enforcing_workgroup_decides_where_a_ctas_goes(athena: Athena, lake: Lake) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/workgroups-troubleshooting.html; the words are users' reports."""
    lake.workgroup["EnforceWorkGroupConfiguration"] = True
    with pytest.raises(AwsError, match="enforces a centralized output location for all queries") as caught:
        start(athena, f"CREATE TABLE t WITH (external_location = 's3://{BUCKET}/t/') AS SELECT 1 AS n")
    assert caught.value.error_type == "InvalidRequestException"
    written(athena, "CREATE TABLE t AS SELECT 1 AS n")


@pytest.mark.parametrize(
    ("option", "asked"),
    [
        ({"EncryptionOption": "SSE_S3"}, {"ServerSideEncryption": "AES256"}),
        (
            {"EncryptionOption": "SSE_KMS", "KmsKey": "arn:k"},
            {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:k"},
        ),
    ],
)
def test_everything_is_encrypted_as_the_workgroup_says(
    athena: Athena, lake: Lake, option: dict[str, str], asked: dict[str, str]
) -> None:
    lake.workgroup["ResultConfiguration"]["EncryptionConfiguration"] = option
    written(athena, "CREATE TABLE t AS SELECT 1 AS n")
    execution = written(athena, "SELECT * FROM t")
    assert execution["ResultConfiguration"]["EncryptionConfiguration"] == option
    assert lake.put_options
    assert all(asked.items() <= options.items() for options in lake.put_options.values())


def test_rows_are_scanned_for_a_ctas_and_the_cutoff_counts(athena: Athena, lake: Lake) -> None:
    written(athena, "CREATE TABLE t AS SELECT x AS n FROM UNNEST(sequence(1, 1000)) AS u (x)")
    assert written(athena, "CREATE TABLE u AS SELECT * FROM t")["Statistics"]["DataScannedInBytes"] > 0
    lake.workgroup["BytesScannedCutoffPerQuery"] = 10
    status = ask(athena, "INSERT INTO u SELECT * FROM t").execution["Status"]
    assert (status["State"], status["StateChangeReason"]) == ("CANCELLED", "Bytes scanned limit was exceeded")
    lake.workgroup["BytesScannedCutoffPerQuery"] = 10_000_000
    assert ask(athena, "SELECT count(*) FROM u").rows == [("1000",)]


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["GZIP", "SNAPPY", "ZSTD", "NONE"])
def test_parquet_is_compressed_as_asked(athena: Athena, lake: Lake, name: str) -> None:
    written(
        athena,
        f"CREATE TABLE t WITH (write_compression = '{name}', external_location = 's3://lake/t/') AS SELECT 1 AS n",
    )
    [key] = lake.under("t/")
    file = pq.ParquetFile(io.BytesIO(lake.objects[BUCKET, key]))
    assert file.metadata.row_group(0).column(0).compression == {"NONE": "UNCOMPRESSED"}.get(name, name)


def test_json_and_text_are_gzipped_and_named_so(athena: Athena, lake: Lake) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/unload.html: gzip is used for both."""
    query = "SELECT 1 AS n, CAST(NULL AS varchar) AS s, ARRAY[1e0, 2.5e0] AS xs, DATE '2026-01-02' AS d"
    written(athena, f"UNLOAD ({query}) TO 's3://lake/j/' WITH (format = 'JSON')")
    written(athena, f"UNLOAD ({query}) TO 's3://lake/t' WITH (format = 'TEXTFILE', field_delimiter = ',')")
    [json_key], [text_key] = lake.under("j/"), lake.under("t/")
    assert json_key.endswith(".gz")
    assert text_key.endswith(".gz")
    assert json.loads(gzip.decompress(lake.objects[BUCKET, json_key])) == {
        "n": 1,
        "s": None,
        "xs": [1, 2.5],
        "d": "2026-01-02",
    }
    assert gzip.decompress(lake.objects[BUCKET, text_key]).decode() == "1,\\N,1.0\x022.5,2026-01-02\n"


def test_unload_parts_its_files_by_the_last_columns(athena: Athena, lake: Lake) -> None:
    rows = "(VALUES (1, 'a', 1), (2, 'b', 1), (3, 'a', 2)) AS t (n, k, l)"
    statement = (
        f"UNLOAD (SELECT * FROM {rows}) TO 's3://lake/u/' WITH (format = 'PARQUET', partitioned_by = ARRAY['k', 'l'])"
    )
    written(athena, statement)
    assert [key.rsplit("/", 1)[0] for key in lake.under("u/")] == ["u/k=a/l=1", "u/k=a/l=2", "u/k=b/l=1"]
    assert lake.tables == {}
    assert ask(athena, statement).reason.startswith("HIVE_PATH_ALREADY_EXISTS: ")


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ("compression = 'GZIP'", "INVALID_UNLOAD_PROPERTY: UNLOAD needs the property format"),
        ("format = 'AVRO'", "NOT_SUPPORTED: Writing the format AVRO is not supported by the embedded Athena"),
        ("format = 'PARQUET', colour = 'red'", "INVALID_UNLOAD_PROPERTY: Unknown property colour of UNLOAD"),
        (
            "format = 'TEXTFILE', field_delimiter = '||'",
            "INVALID_TABLE_PROPERTY: line 1:1: The property field_delimiter takes one character",
        ),
    ],
)
def test_unload_refuses_what_it_cannot_do(athena: Athena, lake: Lake, properties: str, reason: str) -> None:
    assert ask(athena, f"UNLOAD (SELECT 1 AS n) TO 's3://lake/u/' WITH ({properties})").reason == reason
    assert lake.under("u/") == []


def test_a_text_that_could_not_be_read_back_is_not_written_into_a_table(athena: Athena, lake: Lake) -> None:
    reason = ask(athena, "CREATE TABLE t WITH (format = 'TEXTFILE', field_delimiter = ',') AS SELECT 'a,b' AS s").reason
    assert reason.startswith("HIVE_WRITER_DATA_ERROR: ")
    assert (lake.tables, lake.under("athena-results/tables/")) == ({}, [])


# ---- all or nothing --------------------------------------------------------------------------------------------------

PARTS = "SELECT x AS n, x % 3 AS k FROM UNNEST(sequence(1, 9)) AS t (x)"


@pytest.mark.parametrize("refused", [{"put_object": 1}, {"create_table": 0}])
def test_a_ctas_that_fails_half_way_leaves_nothing(athena: Athena, lake: Lake, refused: dict[str, int]) -> None:
    lake.refused = refused
    answer = ask(
        athena, f"CREATE TABLE t WITH (external_location = 's3://lake/t/', partitioned_by = ARRAY['k']) AS {PARTS}"
    )
    assert answer.execution["Status"]["State"] == "FAILED"
    assert (lake.under("t/"), lake.tables, lake.partitions) == ([], {}, {})


def test_an_insert_that_fails_half_way_leaves_no_row(athena: Athena, lake: Lake) -> None:
    written(athena, f"CREATE TABLE t WITH (external_location = 's3://lake/t/', partitioned_by = ARRAY['k']) AS {PARTS}")
    before = lake.under("t/")
    lake.refused = {"put_object": 2}
    assert ask(athena, f"INSERT INTO t {PARTS}").execution["Status"]["State"] == "FAILED"
    assert lake.under("t/") == before


def test_a_stopped_ctas_leaves_no_table(athena: Athena, lake: Lake) -> None:
    slow = "FROM UNNEST(sequence(1, 50000)) AS a (x), UNNEST(sequence(1, 50000)) AS b (y) WHERE x * y % 7 = 3"
    query_id = start(athena, f"CREATE TABLE t WITH (external_location = 's3://lake/t/') AS SELECT x {slow}")
    eventually(lambda: any((athena._scratch).rglob("0")), within=10)
    athena.stop_query_execution(CALLER, {"QueryExecutionId": query_id})
    eventually(lambda: query_id not in athena._jobs, within=5)
    assert ended(athena, query_id)["Status"]["State"] == "CANCELLED"
    assert (lake.under("t/"), lake.tables, list(athena._scratch.iterdir())) == ([], {}, [])


def test_a_stop_just_before_the_files_are_put_leaves_no_table(
    athena: Athena, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement has run; what it wrote must not appear after it was said to be cancelled."""
    ran, stopped = threading.Event(), threading.Event()
    commit = Athena._commit

    def late(self: Athena, job: Job) -> None:
        ran.set()
        stopped.wait(10)
        commit(self, job)

    monkeypatch.setattr(Athena, "_commit", late)
    query_id = start(athena, "CREATE TABLE t AS SELECT 1 AS n")
    assert ran.wait(10)
    athena.stop_query_execution(CALLER, {"QueryExecutionId": query_id})
    stopped.set()
    eventually(lambda: query_id not in athena._jobs, within=5)
    assert ended(athena, query_id)["Status"]["State"] == "CANCELLED"
    assert (lake.tables, lake.under("athena-results/tables/")) == ({}, [])


def test_a_stop_while_the_files_are_put_comes_too_late(
    athena: Athena, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    putting, go_on = threading.Event(), threading.Event()
    publish = Writing.publish

    def held(self: Writing, *args: Any) -> list[str]:
        putting.set()
        go_on.wait(10)
        return publish(self, *args)

    monkeypatch.setattr(Writing, "publish", held)
    query_id = start(athena, "CREATE TABLE t AS SELECT 1 AS n")
    assert putting.wait(10)
    athena.stop_query_execution(CALLER, {"QueryExecutionId": query_id})
    go_on.set()
    assert ended(athena, query_id)["Status"]["State"] == "SUCCEEDED"
    assert ask(athena, "SELECT * FROM t").rows == [("1",)]


# ---- what is written is read back ------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
KINDS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "boolean": (pa.bool_(), st.booleans()),
    "tinyint": (pa.int8(), st.integers(-128, 127)),
    "int": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "bigint": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "double": (pa.float64(), st.floats(width=64)),
    "decimal(20,5)": (
        pa.decimal128(20, 5),
        st.integers(-(10**20) + 1, 10**20 - 1).map(lambda n: Decimal(n).scaleb(-5)),
    ),
    "string": (pa.string(), TEXTS),
    "date": (pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "timestamp": (
        pa.timestamp("ms"),
        st.datetimes().map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)),
    ),
    "array<string>": (pa.list_(pa.string()), st.lists(st.none() | TEXTS, max_size=3)),
    "map<string,double>": (
        pa.map_(pa.string(), pa.float64()),
        st.dictionaries(TEXTS, st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=3).map(
            lambda d: list(d.items())
        ),
    ),
    "struct<a:int,b:array<string>>": (
        pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))]),
        st.fixed_dictionaries({"a": st.none() | st.integers(-5, 5), "b": st.none() | st.lists(TEXTS, max_size=2)}),
    ),
}
ROWS = st.lists(st.tuples(*(st.none() | values for _, values in KINDS.values())), max_size=6)


def source(lake: Lake, rows: Sequence[Sequence[Any]]) -> None:
    """Put rows into a table of Parquet."""
    names = [f"c{position}" for position in range(len(KINDS))]
    types = [kind for kind, _ in KINDS.values()]
    columns = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(types)]
    table = pa.table([pa.array(range(len(rows)), pa.int32()), *columns], names=["n", *names])
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    lake.put("source/part", buffer.getvalue())
    described = {"n": "int", **dict(zip(names, KINDS, strict=True))}
    lake.tables["source"] = glue_table("source", described, f"s3://{BUCKET}/source/")


def clear(lake: Lake) -> None:
    lake.tables.clear()
    for key in lake.under(""):
        del lake.objects[BUCKET, key]


@pytest.mark.parametrize("form", ["PARQUET", "JSON"])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_whatever_is_written_is_read_back_equal(
    athena: Athena, lake: Lake, form: str, rows: list[tuple[Any, ...]]
) -> None:
    clear(lake)
    source(lake, rows)
    written(athena, f"CREATE TABLE copy WITH (format = '{form}') AS SELECT * FROM source")
    expected = ask(athena, "SELECT * FROM source ORDER BY n")
    found = ask(athena, "SELECT * FROM copy ORDER BY n")
    assert found.reason == ""
    assert (found.columns, found.rows) == (expected.columns, expected.rows)
    written(athena, "INSERT INTO copy SELECT * FROM source")
    assert ask(athena, "SELECT count(*) FROM copy").rows == [(str(2 * len(rows)),)]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS.filter(bool))
def test_what_is_unloaded_as_orc_is_what_was_there(athena: Athena, lake: Lake, rows: list[tuple[Any, ...]]) -> None:
    clear(lake)
    source(lake, rows)
    columns = "n, c0, c1, c2, c3, c5, c6, c7, c9, c11"
    written(athena, f"UNLOAD (SELECT {columns} FROM source) TO 's3://lake/orc/' WITH (format = 'ORC')")
    [key] = lake.under("orc/")
    found = orc.read_table(io.BytesIO(lake.objects[BUCKET, key]))
    there = pq.read_table(io.BytesIO(lake.objects[BUCKET, "source/part"])).select(columns.split(", "))
    assert found.cast(there.schema).to_pylist() == there.to_pylist()


PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12).filter(r"\N".__ne__)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, texts=st.lists(PRINTED, min_size=6, max_size=6))
def test_what_is_written_as_text_is_read_back_equal(
    athena: Athena, lake: Lake, rows: list[tuple[Any, ...]], texts: list[str]
) -> None:
    clear(lake)
    at = list(KINDS).index("string")
    source(lake, [(*row[:at], text, *row[at + 1 :]) for row, text in zip(rows, texts, strict=False)])
    columns = "n, c0, c1, c2, c3, c4, c5, c6, c7, c8"
    written(athena, f"CREATE TABLE copy WITH (format = 'TEXTFILE') AS SELECT {columns} FROM source")
    expected = ask(athena, f"SELECT {columns} FROM source ORDER BY n")
    found = ask(athena, f"SELECT {columns} FROM copy ORDER BY n")
    assert (found.reason, found.columns, found.rows) == ("", expected.columns, expected.rows)


@pytest.mark.parametrize("text", ["a\x01b", "a\nb", "a\rb", "\\N"])
def test_a_text_is_written_only_where_it_means_itself(athena: Athena, lake: Lake, text: str) -> None:
    query = f"SELECT from_utf8(from_hex('{text.encode().hex()}')) AS s"
    assert ask(athena, f"CREATE TABLE t WITH (format = 'TEXTFILE') AS {query}").reason.startswith(
        "HIVE_WRITER_DATA_ERROR"
    )
    written(athena, f"UNLOAD ({query}) TO 's3://lake/u/' WITH (format = 'TEXTFILE')")
