"""AWS SDK for pandas, by the patterns of its tutorials and of its own tests."""

from typing import Any

import awswrangler as wr
import boto3
import numpy as np
import pandas as pd
import pytest

from tests.local_aws.athena.lake import DATABASE
from tests.local_aws.clients.lake import BUCKET, WORKGROUP
from tests.local_aws.clients.listed import AWSWRANGLER, tries

pytestmark = [
    pytest.mark.usefixtures("endpoint"),
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]

OUT = f"s3://{BUCKET}/wrangler/"
SHELF = "SELECT stock, event_time, unit_price, dt FROM unique_events WHERE store_id = 'A' ORDER BY stock"
READ: dict[str, Any] = {"database": DATABASE, "workgroup": WORKGROUP, "athena_query_wait_polling_delay": 0.02}
STUBS = "stubs/awswrangler."

APPROACHES: dict[str, dict[str, Any]] = {
    "csv": {"ctas_approach": False},
    "ctas": {"ctas_approach": True},
    "unload": {"ctas_approach": False, "unload_approach": True},
}


@pytest.fixture(scope="module")
def sold(endpoint: str) -> str:
    """A database with a partitioned table that awswrangler has written."""
    wr.catalog.create_database("wrangled", description="by awswrangler", exist_ok=True)
    wr.s3.to_parquet(
        sales(),
        path=f"{OUT}sold/",
        dataset=True,
        database="wrangled",
        table="sold",
        partition_cols=["day"],
        mode="overwrite",
        glue_table_settings={
            "description": "what was sold",
            "parameters": {"owner": "us"},
            "columns_comments": {"units": "how many"},
        },
    )
    return "wrangled"


def sales() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "shop": pd.array(["A", "B", None], dtype="string"),
            "units": pd.array([1, 2, None], dtype="Int32"),
            "price": [1.5, 2.5, np.nan],
            "at": pd.to_datetime(["2026-11-20 10:00:00.123", "2026-11-21 00:00:00.000", "2026-11-21 01:00:00.000"]),
            "day": pd.array(["mon", "tue", "tue"], dtype="string"),
        }
    )


@pytest.mark.parametrize("approach", APPROACHES.values(), ids=APPROACHES)
@tries(AWSWRANGLER, "athena.read_sql_query: by CTAS, by UNLOAD, by the CSV", STUBS + "athena.read_sql_query.html")
def test_read_sql_query(approach: dict[str, Any]) -> None:
    frame = wr.athena.read_sql_query(SHELF, s3_output=f"{OUT}read/", keep_files=False, **approach, **READ)
    frame = frame.sort_values("stock")
    assert list(frame["stock"]) == [3, 4, 5, 6, 7, 8, 9]
    assert [str(kind) for kind in frame.dtypes] == ["Int32", frame["event_time"].dtype, "float64", "string"]
    assert frame["event_time"].iloc[0] == pd.Timestamp("2026-11-20 01:45")
    assert not wr.s3.list_objects(f"{OUT}read/"), "keep_files=False leaves nothing"
    assert [table["Name"] for table in wr.catalog.get_tables(database=DATABASE, name_prefix="temp_table")] == []


@pytest.mark.parametrize("approach", APPROACHES.values(), ids=APPROACHES)
@tries(AWSWRANGLER, "athena.read_sql_query: chunk by chunk", STUBS + "athena.read_sql_query.html")
def test_read_sql_query_by_chunks(approach: dict[str, Any]) -> None:
    chunks = list(
        wr.athena.read_sql_query(SHELF, s3_output=f"{OUT}chunks/{len(approach)}/", chunksize=3, **approach, **READ)
    )
    assert sum(len(chunk) for chunk in chunks) == 7
    assert max(len(chunk) for chunk in chunks) == 3


@pytest.mark.parametrize("approach", APPROACHES.values(), ids=APPROACHES)
@tries(AWSWRANGLER, "athena.read_sql_query: named and qmark parameters", STUBS + "athena.read_sql_query.html")
def test_read_sql_query_with_parameters(approach: dict[str, Any]) -> None:
    settings: dict[str, Any] = {**approach, **READ, "s3_output": f"{OUT}parameters/", "keep_files": False}
    named = wr.athena.read_sql_query(
        "SELECT stock FROM unique_events WHERE stock > :least AND store_id = :store",
        params={"least": 5, "store": "A"},
        **settings,
    )
    assert sorted(named["stock"]) == [6, 7, 8, 9]
    marked = wr.athena.read_sql_query(
        "SELECT stock FROM unique_events WHERE stock > ? AND store_id = ?",
        params=["5", "A"],
        paramstyle="qmark",
        **settings,
    )
    assert sorted(marked["stock"]) == [6, 7, 8, 9]


@tries(AWSWRANGLER, "athena.read_sql_query: categories, cache", "tutorials/006%20-%20Amazon%20Athena.html")
def test_read_sql_query_with_categories_and_cache() -> None:
    frame = wr.athena.read_sql_query(SHELF, ctas_approach=False, categories=["dt"], **READ)
    assert str(frame["dt"].dtype) == "category"
    settings: dict[str, Any] = {"athena_cache_settings": {"max_cache_seconds": 900}}
    again = wr.athena.read_sql_query(SHELF, ctas_approach=False, **settings, **READ)
    assert again.query_metadata["QueryExecutionId"] == frame.query_metadata["QueryExecutionId"]


@tries(AWSWRANGLER, "athena.read_sql_table of a table from s3.to_parquet", STUBS + "athena.read_sql_table.html")
def test_read_sql_table(sold: str) -> None:
    for approach in APPROACHES.values():
        frame = wr.athena.read_sql_table(
            "sold", sold, workgroup=WORKGROUP, s3_output=f"{OUT}table/", keep_files=False, **approach
        )
        frame = frame.sort_values("at").reset_index(drop=True)
        expected = sales().astype({"at": frame["at"].dtype})
        pd.testing.assert_frame_equal(frame[expected.columns], expected, check_dtype=False)
    assert [str(kind) for kind in frame.dtypes][:3] == ["string", "Int32", "float64"]


@tries(AWSWRANGLER, "s3.to_parquet: append, overwrite_partitions", "tutorials/004%20-%20Parquet%20Datasets.html")
def test_to_parquet_changes_a_table(endpoint: str) -> None:
    wr.catalog.create_database("datasets", exist_ok=True)
    where: dict[str, Any] = {
        "path": f"{OUT}datasets/",
        "dataset": True,
        "database": "datasets",
        "table": "t",
        "partition_cols": ["day"],
    }

    def counted() -> dict[str, int]:
        sql = "SELECT day, count(*) AS n FROM t GROUP BY day"
        frame = wr.athena.read_sql_query(sql, "datasets", workgroup=WORKGROUP, ctas_approach=False)
        return dict(zip(frame["day"], frame["n"], strict=True))

    wr.s3.to_parquet(sales(), mode="overwrite", **where)
    assert counted() == {"mon": 1, "tue": 2}
    wr.s3.to_parquet(sales(), mode="append", **where)
    assert counted() == {"mon": 2, "tue": 4}
    wr.s3.to_parquet(sales().head(1), mode="overwrite_partitions", **where)
    assert counted() == {"mon": 1, "tue": 4}
    assert len(wr.s3.read_parquet_table(database="datasets", table="t")) == 5
    wider = sales().assign(rebate=1)
    wr.s3.to_parquet(wider, mode="append", **where)
    frame = wr.athena.read_sql_query(
        "SELECT count(rebate) AS n FROM t", "datasets", workgroup=WORKGROUP, ctas_approach=False
    )
    assert list(frame["n"]) == [3]


@tries(AWSWRANGLER, "s3.to_csv, s3.to_json: tables of text", "tutorials/005%20-%20Glue%20Catalog.html")
def test_tables_of_text(sold: str) -> None:
    frame = sales()[["shop", "units", "price"]]
    csv: dict[str, Any] = {"index": False, "sep": ",", "na_rep": ""}
    wr.s3.to_csv(frame, path=f"{OUT}csv/", dataset=True, database=sold, table="as_csv", mode="overwrite", **csv)
    lines: dict[str, Any] = {"orient": "records", "lines": True, "index": None}
    wr.s3.to_json(frame, path=f"{OUT}json/", dataset=True, database=sold, table="as_json", mode="overwrite", **lines)
    for table in ("as_csv", "as_json"):
        read = wr.athena.read_sql_query(
            f"SELECT shop, units, price FROM {table} WHERE units > 1", sold, workgroup=WORKGROUP, ctas_approach=False
        )
        assert read.to_dict("list") == {"shop": ["B"], "units": [2], "price": [2.5]}


@tries(AWSWRANGLER, "athena.unload", STUBS + "athena.unload.html")
def test_unload(endpoint: str) -> None:
    wr.athena.unload(
        SHELF, f"{OUT}unloaded/", DATABASE, workgroup=WORKGROUP, file_format="PARQUET", partitioned_by=["dt"]
    )
    # The manifest and the result's metadata lie beside the files, as wr.athena.unload names one place for all.
    frame = wr.s3.read_parquet(f"{OUT}unloaded/", dataset=True, path_ignore_suffix=[".csv", ".metadata"])
    assert sorted(frame["stock"]) == [3, 4, 5, 6, 7, 8, 9]
    assert set(frame["dt"].astype(str)) == {"2026-11-20"}


@tries(AWSWRANGLER, "athena.start_query_execution, wait_query, get_query_results", STUBS + "athena.wait_query.html")
def test_a_query_step_by_step(endpoint: str) -> None:
    started = wr.athena.start_query_execution(SHELF, DATABASE, workgroup=WORKGROUP)
    assert wr.athena.wait_query(started)["Status"]["State"] == "SUCCEEDED"
    assert list(wr.athena.get_query_results(started)["stock"]) == [3, 4, 5, 6, 7, 8, 9]
    assert wr.athena.get_query_columns_types(started)["event_time"] == "timestamp"
    assert started in wr.athena.list_query_executions(workgroup=WORKGROUP)
    executions = wr.athena.get_query_executions([started])
    assert isinstance(executions, pd.DataFrame)
    assert list(executions["QueryExecutionId"]) == [started]
    wr.athena.stop_query_execution(started)
    assert wr.athena.create_athena_bucket() == "s3://aws-athena-query-results-000000000000-us-east-1/"


@tries(AWSWRANGLER, "athena.repair_table, describe_table, show_create_table", STUBS + "athena.repair_table.html")
def test_a_table_is_described_and_repaired(sold: str) -> None:
    described = wr.athena.describe_table("sold", sold, workgroup=WORKGROUP)
    assert described.to_dict() == wr.catalog.table(database=sold, table="sold").to_dict()
    statement = wr.athena.show_create_table("sold", sold, workgroup=WORKGROUP)
    assert statement.startswith(
        "CREATE EXTERNAL TABLE `sold`( `shop` string, `units` int COMMENT 'how many', `price` double, `at` timestamp) "
        "PARTITIONED BY ( `day` string) ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'"
    )
    assert "CREATE EXTERNAL TABLE `sold`" in wr.athena.generate_create_query("sold", sold)
    view = wr.athena.generate_create_query("unique_events", DATABASE)
    assert view.startswith('CREATE OR REPLACE VIEW "unique_events" AS')
    wr.catalog.delete_all_partitions("sold", sold)
    assert wr.athena.repair_table("sold", sold, workgroup=WORKGROUP) == "SUCCEEDED"
    assert sorted(wr.catalog.get_partitions(sold, "sold").values()) == [["mon"], ["tue"]]


@tries(AWSWRANGLER, "athena.create_ctas_table", STUBS + "athena.create_ctas_table.html")
def test_create_ctas_table(sold: str) -> None:
    made = wr.athena.create_ctas_table(
        "SELECT stock, dt FROM unique_events WHERE store_id = :store",
        database=DATABASE,
        ctas_database=sold,
        ctas_table="copied",
        partitioning_info=["dt"],
        params={"store": "A"},
        s3_output=f"{OUT}copied/",
        workgroup=WORKGROUP,
        wait=True,
    )
    assert (made["ctas_database"], made["ctas_table"]) == (sold, "copied")
    assert list(wr.catalog.get_partitions(sold, "copied").values()) == [["2026-11-20"]]
    wr.athena.create_ctas_table(
        f"SELECT * FROM {DATABASE}.unique_events",
        database=sold,
        ctas_table="empty",
        schema_only=True,
        s3_output=f"{OUT}empty/",
        workgroup=WORKGROUP,
        wait=True,
    )
    assert (wr.catalog.get_table_types(sold, "empty") or {})["stock"] == "int"


@tries(AWSWRANGLER, "athena prepared statements and named queries", STUBS + "athena.create_prepared_statement.html")
def test_prepared_statements_and_named_queries(endpoint: str) -> None:
    wr.athena.create_prepared_statement("SELECT 1 AS n", "above", workgroup=WORKGROUP)
    wr.athena.create_prepared_statement("SELECT stock FROM unique_events WHERE stock > ?", "above", workgroup=WORKGROUP)
    with pytest.raises(wr.exceptions.AlreadyExists):
        wr.athena.create_prepared_statement("SELECT 1", "above", workgroup=WORKGROUP, mode="error")
    assert [each["StatementName"] for each in wr.athena.list_prepared_statements(WORKGROUP)] == ["above"]
    using = wr.athena.read_sql_query('EXECUTE "above" USING 7', ctas_approach=False, **READ)
    passed = wr.athena.read_sql_query('EXECUTE "above"', ctas_approach=False, params=["7"], paramstyle="qmark", **READ)
    assert sorted(using["stock"]) == sorted(passed["stock"]) == [8, 9]
    wr.athena.delete_prepared_statement("above", workgroup=WORKGROUP)
    assert wr.athena.list_prepared_statements(WORKGROUP) == []
    named = boto3.client("athena").create_named_query(Name="n", Database=DATABASE, QueryString=SHELF)
    assert wr.athena.get_named_query_statement(named["NamedQueryId"]) == SHELF


@tries(
    AWSWRANGLER, "catalog: databases, tables, types, partitions, versions", "tutorials/005%20-%20Glue%20Catalog.html"
)
def test_catalog(sold: str) -> None:
    assert {DATABASE, sold} <= set(wr.catalog.databases()["Database"])
    assert "sold" in set(wr.catalog.tables(database=sold)["Table"])
    types = {"shop": "string", "units": "int", "price": "double", "at": "timestamp", "day": "string"}
    assert wr.catalog.get_table_types(database=sold, table="sold") == types
    assert wr.catalog.get_table_location(sold, "sold") == f"{OUT}sold/"
    assert wr.catalog.get_table_description(sold, "sold") == "what was sold"
    assert (wr.catalog.get_table_parameters(sold, "sold") or {})["owner"] == "us"
    assert (wr.catalog.get_columns_comments(sold, "sold") or {})["units"] == "how many"
    assert "sold" in [table["Name"] for table in wr.catalog.search_tables("sold")]
    by_day = wr.catalog.get_parquet_partitions(sold, "sold", expression="day = 'mon'")
    assert by_day == {f"{OUT}sold/day=mon/": ["mon"]}

    wr.catalog.create_parquet_table(
        sold, "made", f"{OUT}made/", columns_types={"a": "int", "b": "string"}, partitions_types={"day": "string"}
    )
    wr.catalog.add_parquet_partitions(sold, "made", {f"{OUT}made/day=mon/": ["mon"]})
    wr.catalog.upsert_table_parameters({"x": "y"}, sold, "made")
    wr.catalog.add_column(sold, "made", "c", "int", column_comment="new")
    wr.catalog.delete_column(sold, "made", "b")
    assert wr.catalog.get_table_types(sold, "made") == {"a": "int", "c": "int", "day": "string"}
    assert wr.catalog.get_table_number_of_versions(sold, "made") >= 2
    assert wr.catalog.delete_table_if_exists(sold, "made")
    assert not wr.catalog.does_table_exist(sold, "made")


@tries(AWSWRANGLER, "athena.to_iceberg is refused by name", STUBS + "athena.to_iceberg.html")
def test_iceberg_is_refused_by_name(sold: str) -> None:
    with pytest.raises(wr.exceptions.QueryFailed, match=r"NOT_SUPPORTED: .*Iceberg"):
        wr.athena.to_iceberg(
            *(sales(), sold, "ice", f"{OUT}ice-temporary/"), table_location=f"{OUT}ice/", workgroup=WORKGROUP
        )


@tries(AWSWRANGLER, "wr.config names the endpoints", "tutorials/021%20-%20Global%20Configurations.html")
def test_configured_endpoints(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    services = ("athena", "s3", "glue", "sts")
    try:
        for service in services:
            setattr(wr.config, f"{service}_endpoint_url", endpoint)
        assert len(wr.athena.read_sql_query(SHELF, ctas_approach=False, **READ)) == 7
    finally:
        for service in services:
            wr.config.reset(f"{service}_endpoint_url")
