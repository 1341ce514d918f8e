"""Public clients run against it unchanged, over HTTP: boto3 and PyAthena."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyathena
import pytest
from pyathena.error import OperationalError
from pyathena.pandas.cursor import PandasCursor

from tests.local_aws.athena.events import event
from tests.local_aws.athena.lake import DATABASE, glue_types, json_lines, parquet, workshop_tables
from tests.local_aws.conftest import served as serve
from workshop.local_aws.clients import client

BUCKET = "athena-clients"


class Served(NamedTuple):
    """Where the embedded AWS answers."""

    endpoint: str

    def connect(self, **more: Any) -> Any:
        return pyathena.connect(
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            work_group="clients",
            schema_name=DATABASE,
            poll_interval=0.02,
            **more,
        )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve an embedded AWS with a lake of one day in it."""
    with serve(tmp_path_factory.mktemp("served")) as endpoint:
        _fill(endpoint)
        yield Served(endpoint)


def _fill(endpoint: str) -> None:
    s3, glue = client("s3", endpoint), client("glue", endpoint)
    s3.create_bucket(Bucket=BUCKET)
    glue.create_database(DatabaseInput={"Name": DATABASE})
    for table in json.loads(json.dumps(workshop_tables()).replace("s3://lake/", f"s3://{BUCKET}/")):
        glue.create_table(DatabaseName=DATABASE, TableInput=table)
    client("athena", endpoint).create_work_group(
        Name="clients",
        Configuration={
            "EnforceWorkGroupConfiguration": True,
            "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/results/"},
        },
    )
    events = [event("A", "P1", n, 10 - n, sold=1) for n in range(1, 8)]
    body = parquet([*events, events[0]], glue_types("properties"))
    s3.put_object(Bucket=BUCKET, Key="stock_events/dt=2026-11-20/a.parquet", Body=body)
    refused = json_lines([{"reason": "bad", "position": 1, "received_at": "2026-11-20T00:00:00.000Z"}])
    s3.put_object(Bucket=BUCKET, Key="quarantine/dt=2026-11-20/a.json.gz", Body=refused)


def test_pyathena_reads_rows_with_their_types(served: Served) -> None:
    with served.connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_id, event_time, stock, unit_price, dt, ARRAY[1, 2] AS a, CAST(1.5 AS decimal(5, 2)) AS d, "
            "CAST(NULL AS varchar) AS n, '' AS e FROM unique_events ORDER BY event_time LIMIT 1"
        )
        row = cursor.fetchone()
        assert [column[1] for column in cursor.description][:5] == [
            "varchar",
            "timestamp",
            "integer",
            "double",
            "varchar",
        ]
        assert row[0] == "A-P1-1"
        assert row[1].isoformat() == "2026-11-20T00:15:00"
        assert (row[2], row[3], row[4], row[5], str(row[6]), row[7], row[8]) == (
            9,
            2.0,
            "2026-11-20",
            [1, 2],
            "1.50",
            None,
            "",
        )
        assert cursor.data_scanned_in_bytes > 0
        assert cursor.output_location.startswith(f"s3://{BUCKET}/results/")


def test_pyathena_reads_many_pages_and_passes_parameters(served: Served) -> None:
    with served.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT x FROM UNNEST(sequence(1, 2500)) AS t (x) ORDER BY x")
        assert [row[0] for row in cursor.fetchall()] == list(range(1, 2501))
        cursor.execute("SELECT %(name)s AS a, %(number)d AS b", {"name": "it's", "number": 3})
        assert cursor.fetchall() == [("it's", 3)]
        cursor.execute("SELECT stock FROM unique_events WHERE stock > ?", ["8"], paramstyle="qmark")
        assert cursor.fetchall() == [(9,)]


def test_pyathenas_pandas_cursor_reads_the_csv(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    # PyAthena gives its endpoint_url to Athena alone; S3's is botocore's own setting.
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", served.endpoint)
    with served.connect(cursor_class=PandasCursor) as connection, connection.cursor() as cursor:
        frame = cursor.execute(
            "SELECT store_id, event_time, stock, unit_price FROM unique_events ORDER BY stock"
        ).as_pandas()
        assert list(frame["stock"]) == [3, 4, 5, 6, 7, 8, 9]
        assert str(frame["event_time"].dtype).startswith("datetime64")
        assert frame["unit_price"].dtype == "float64"
        assert cursor.execute('SELECT reason, "position", received_at FROM quarantine').as_pandas().shape == (1, 3)


def test_pyathena_raises_athenas_words(served: Served) -> None:
    with served.connect() as connection, connection.cursor() as cursor:
        with pytest.raises(OperationalError, match="COLUMN_NOT_FOUND: line 1:8: Column 'nothing' cannot be resolved"):
            cursor.execute("SELECT nothing FROM stock_events")
        with pytest.raises(Exception, match="line 1:8: mismatched input 'FROM'"):
            cursor.execute("SELECT FROM stock_events")


def test_boto3_waits_lists_and_pages_as_on_aws(served: Served) -> None:
    athena = client("athena", served.endpoint)
    started = athena.start_query_execution(
        QueryString="SELECT count(*) FROM stock_events WHERE dt = '2026-11-20'",
        QueryExecutionContext={"Database": DATABASE, "Catalog": "AwsDataCatalog"},
        WorkGroup="clients",
    )["QueryExecutionId"]
    while athena.get_query_execution(QueryExecutionId=started)["QueryExecution"]["Status"]["State"] in {
        "QUEUED",
        "RUNNING",
    }:
        pass
    rows = athena.get_query_results(QueryExecutionId=started)["ResultSet"]["Rows"]
    assert rows == [{"Data": [{"VarCharValue": "_col0"}]}, {"Data": [{"VarCharValue": "8"}]}]
    assert athena.list_query_executions(WorkGroup="clients")["QueryExecutionIds"][0] == started
    statistics = athena.get_query_runtime_statistics(QueryExecutionId=started)["QueryRuntimeStatistics"]
    assert statistics["Rows"]["OutputRows"] == 1
    with pytest.raises(athena.exceptions.InvalidRequestException) as caught:
        athena.start_query_execution(QueryString="SELECT 1", WorkGroup="no-such")
    assert caught.value.response["AthenaErrorCode"] == "INVALID_INPUT"


def test_what_ministack_answers_is_passed_on(served: Served) -> None:
    workgroup = client("athena", served.endpoint).get_work_group(WorkGroup="clients")["WorkGroup"]
    assert workgroup["Configuration"]["EnforceWorkGroupConfiguration"] is True
