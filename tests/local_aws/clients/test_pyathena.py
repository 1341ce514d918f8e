"""PyAthena's cursors, by the patterns of its manual and of its own tests."""

import asyncio
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pandas as pd
import pyarrow.fs
import pytest
from pyathena import connect
from pyathena.arrow.cursor import ArrowCursor
from pyathena.async_cursor import AsyncCursor, AsyncDictCursor
from pyathena.cursor import DictCursor
from pyathena.error import OperationalError
from pyathena.pandas.async_cursor import AsyncPandasCursor
from pyathena.pandas.cursor import PandasCursor
from pyathena.pandas.util import to_sql
from pyathena.s3fs.cursor import S3FSCursor

from tests.local_aws.athena.lake import DATABASE
from tests.local_aws.clients.lake import BUCKET, WORKGROUP
from tests.local_aws.clients.listed import PYATHENA, tries

pytestmark = pytest.mark.usefixtures("endpoint")

STAGING = f"s3://{BUCKET}/pyathena/"
SHELF = "SELECT stock, event_time, unit_price, dt FROM unique_events WHERE store_id = 'A' ORDER BY stock"


def connected(**more: Any) -> Any:
    return connect(work_group=WORKGROUP, schema_name=DATABASE, s3_staging_dir=STAGING, poll_interval=0.02, **more)


@tries(PYATHENA, "Cursor: rows with their types, what is told of the query", "usage.html")
def test_cursor_reads_rows_with_their_types() -> None:
    with connected() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_id, event_time, stock, unit_price, dt, ARRAY[1, 2] AS a, CAST(1.5 AS decimal(5, 2)) AS d, "
            "CAST(NULL AS varchar) AS n, '' AS e, DATE '2026-11-20' AS day, X'00ff' AS b, "
            "CAST(MAP(ARRAY['k'], ARRAY[1]) AS json) AS j FROM unique_events WHERE store_id = 'A' "
            "ORDER BY event_time LIMIT 1"
        )
        assert [column[1] for column in cursor.description][:5] == [
            *("varchar", "timestamp", "integer", "double", "varchar"),
        ]
        assert cursor.fetchone() == (
            *("A-P1-1", datetime(2026, 11, 20, 0, 15), 9, 2.0, "2026-11-20", [1, 2], Decimal("1.50"), None, ""),  # noqa: DTZ001
            *(date(2026, 11, 20), b"\x00\xff", {"k": 1}),
        )
        assert cursor.fetchone() is None
        assert (cursor.state, cursor.statement_type, cursor.work_group) == ("SUCCEEDED", "DML", WORKGROUP)
        assert cursor.data_scanned_in_bytes > 0
        assert cursor.output_location.startswith(STAGING)
        assert cursor.effective_engine_version == "Athena engine version 3"


@tries(PYATHENA, "Cursor: many pages, fetchmany, iteration", "usage.html#cursor-iteration")
def test_cursor_reads_many_pages() -> None:
    with connected() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT x FROM UNNEST(sequence(1, 2500)) AS t (x) ORDER BY x")
        assert cursor.fetchmany(3) == [(1,), (2,), (3,)]
        assert [row[0] for row in cursor] == list(range(4, 2501))


@tries(PYATHENA, "Cursor: parameters, pyformat and qmark", "usage.html#query-with-parameters")
def test_cursor_passes_parameters() -> None:
    with connected() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT %(name)s AS a, %(number)d AS b", {"name": "it's", "number": 3})
        assert cursor.fetchall() == [("it's", 3)]
        cursor.execute("SELECT count(*) FROM stock_events WHERE dt IN %(days)s", {"days": ["2026-11-21", "no"]})
        assert cursor.fetchone() == (2,)
        cursor.execute("SELECT stock FROM unique_events WHERE stock > ?", ["8"], paramstyle="qmark")
        assert cursor.fetchall() == [(9,)]
        cursor.execute("SELECT count(*) FROM unique_events WHERE store_id = ?", ["'B'"], paramstyle="qmark")
        assert cursor.fetchall() == [(1,)]


@tries(PYATHENA, "Cursor: an earlier result is found again, or reused", "usage.html#result-reuse-configuration")
def test_cursor_finds_an_earlier_result() -> None:
    with connected() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 41 + 1")
        first = cursor.query_id
        cursor.execute("SELECT 41 + 1", cache_size=10)
        assert cursor.query_id == first
        cursor.execute("SELECT 41 + 1", result_reuse_enable=True, result_reuse_minutes=5)
        assert (cursor.query_id != first, cursor.reused_previous_result) == (True, True)


@tries(PYATHENA, "Cursor: errors in Athena's words", "usage.html")
def test_cursor_raises_athenas_words() -> None:
    with connected() as connection, connection.cursor() as cursor:
        with pytest.raises(OperationalError, match="COLUMN_NOT_FOUND: line 1:8: Column 'nothing' cannot be resolved"):
            cursor.execute("SELECT nothing FROM stock_events")
        with pytest.raises(Exception, match="line 1:8: mismatched input 'FROM'"):
            cursor.execute("SELECT FROM stock_events")


@tries(PYATHENA, "Cursor: CTAS, INSERT INTO, DROP TABLE", "usage.html")
def test_cursor_makes_fills_and_drops_a_table() -> None:
    with connected() as connection, connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {DATABASE}.shelves WITH (format = 'PARQUET', external_location = '{STAGING}shelves/') "
            "AS SELECT store_id, min(stock) AS stock FROM unique_events GROUP BY store_id"
        )
        assert cursor.rowcount == 2
        cursor.execute("INSERT INTO shelves VALUES ('C', 7)")
        assert cursor.rowcount == 1
        assert cursor.execute("SELECT * FROM shelves ORDER BY store_id").fetchall() == [("A", 3), ("B", 2), ("C", 7)]
        cursor.execute("DROP TABLE shelves")
        cursor.execute("SHOW TABLES LIKE 'shel*'")
        assert cursor.fetchall() == []


@tries(PYATHENA, "Cursor: databases and tables by the API", "api/connection.html")
def test_cursor_lists_databases_and_tables() -> None:
    with connected() as connection, connection.cursor() as cursor:
        assert DATABASE in [database.name for database in cursor.list_databases("AwsDataCatalog")]
        assert {"quarantine", "stock_events", "unique_events"} <= {table.name for table in cursor.list_table_metadata()}
        table = cursor.get_table_metadata("stock_events")
        assert [key.name for key in table.partition_keys] == ["dt"]
        assert (table.location, table.file_format) == (f"s3://{BUCKET}/stock_events/", table.file_format)


@tries(PYATHENA, "DictCursor", "cursor.html#dictcursor")
def test_dict_cursor() -> None:
    with connected() as connection:
        assert connection.cursor(DictCursor).execute(SHELF).fetchone()["stock"] == 3


@tries(PYATHENA, "AsyncCursor and AsyncDictCursor: futures, cancelling", "cursor.html#asynccursor")
def test_async_cursor() -> None:
    with connected(cursor_class=AsyncCursor) as connection:
        cursor = connection.cursor()
        futures = [cursor.execute(f"SELECT {n}")[1] for n in range(4)]
        assert [future.result().fetchone() for future in futures] == [(0,), (1,), (2,), (3,)]
        query_id, future = cursor.execute("SELECT sum(a * b) FROM UNNEST(sequence(1, 10000)) AS t (a) "
                                          "CROSS JOIN UNNEST(sequence(1, 10000)) AS u (b)")  # fmt: skip
        cursor.cancel(query_id).result()
        assert future.result().state in {"CANCELLED", "SUCCEEDED"}
        assert connection.cursor(AsyncDictCursor).execute("SELECT 1 AS a")[1].result().fetchone() == {"a": 1}


@tries(PYATHENA, "AioCursor: async and await", "aio.html")
def test_aio_cursor() -> None:
    from pyathena import aio_connect

    async def shelf() -> Any:
        async with await aio_connect(work_group=WORKGROUP, schema_name=DATABASE, poll_interval=0.02) as connection:
            cursor = connection.cursor()
            await cursor.execute(SHELF)
            return await cursor.fetchone()

    assert asyncio.run(shelf())[0] == 3


@tries(PYATHENA, "PandasCursor: data frames from the CSV, whole or by chunks", "pandas.html#pandascursor")
def test_pandas_cursor_reads_the_csv() -> None:
    with connected(cursor_class=PandasCursor) as connection, connection.cursor() as cursor:
        frame = cursor.execute(SHELF).as_pandas()
        assert list(frame["stock"]) == [3, 4, 5, 6, 7, 8, 9]
        assert str(frame["event_time"].dtype).startswith("datetime64")
        assert frame["unit_price"].dtype == "float64"
        chunks = cursor.execute(SHELF, chunksize=3).as_pandas()
        assert [len(chunk) for chunk in chunks] == [3, 3, 1]
        assert cursor.execute('SELECT reason, "position", received_at FROM quarantine').as_pandas().shape == (1, 3)


@tries(PYATHENA, "PandasCursor: data frames from the Parquet of an UNLOAD", "pandas.html#unload-options")
def test_pandas_cursor_reads_an_unload() -> None:
    with connected(cursor_class=PandasCursor) as connection, connection.cursor(unload=True) as cursor:
        frame = cursor.execute(SHELF).as_pandas()
        assert (list(frame["stock"]), frame["stock"].dtype) == ([3, 4, 5, 6, 7, 8, 9], "int32")


@tries(PYATHENA, "AsyncPandasCursor", "pandas.html#asyncpandascursor")
def test_async_pandas_cursor() -> None:
    with connected(cursor_class=AsyncPandasCursor) as connection:
        assert len(connection.cursor().execute(SHELF)[1].result().as_pandas()) == 7


@tries(PYATHENA, "to_sql: a data frame becomes a table", "pandas.html#to-sql")
def test_to_sql_of_a_data_frame() -> None:
    frame = pd.DataFrame({"shop": ["A", "B"], "units": [1, 2], "price": [1.5, 2.5], "day": ["mon", "tue"]})
    with connected() as connection:
        place = f"{STAGING}sold/"
        to_sql(frame, "sold", connection, place, schema=DATABASE, if_exists="replace", partitions=["day"])
        rows = connection.cursor().execute("SELECT shop, units, price, day FROM sold ORDER BY shop").fetchall()
        assert rows == [("A", 1, 1.5, "mon"), ("B", 2, 2.5, "tue")]


@tries(PYATHENA, "S3FSCursor: rows from the CSV, by fsspec", "s3fs.html")
def test_s3fs_cursor() -> None:
    with connected(cursor_class=S3FSCursor) as connection:
        assert connection.cursor().execute(SHELF).fetchone()[0] == 3


ARROW_NEEDS = (
    "`pyarrow.fs.S3FileSystem = functools.partial(pyarrow.fs.S3FileSystem, endpoint_override=…)`: Arrow's S3 does not "
    "read AWS_ENDPOINT_URL (apache/arrow #49643)"
)


@tries(PYATHENA, "ArrowCursor: tables from the CSV or from an UNLOAD", "arrow.html#arrowcursor", needs=ARROW_NEEDS)
def test_arrow_cursor(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    untold = pyarrow.fs.S3FileSystem(region="us-east-1").__reduce__()[1][0]
    assert untold["endpoint_override"] == "", "Arrow now reads AWS_ENDPOINT_URL: this test no longer has to tell it"
    told = partial(pyarrow.fs.S3FileSystem, endpoint_override=endpoint)
    monkeypatch.setattr(pyarrow.fs, "S3FileSystem", told)
    with connected(cursor_class=ArrowCursor) as connection:
        table = connection.cursor().execute(SHELF).as_arrow()
        assert table.column("stock").to_pylist() == [3, 4, 5, 6, 7, 8, 9]
        unloaded = connection.cursor(unload=True).execute(SHELF).as_arrow()
        assert unloaded.column("stock").to_pylist() == [3, 4, 5, 6, 7, 8, 9]
        assert str(unloaded.schema.field("stock").type) == "int32"
