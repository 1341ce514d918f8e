"""An embedded AWS with a lake of two days, and an environment that names its endpoint and nothing else."""

import json
import os
from collections.abc import Iterator
from datetime import timedelta

import boto3
import pytest

from tests.local_aws.athena.events import event
from tests.local_aws.athena.lake import DATABASE, glue_types, json_lines, parquet, workshop_tables
from tests.local_aws.clients.lake import BUCKET, WORKGROUP, stored_as
from tests.local_aws.conftest import served as serve
from workshop.local_aws.clients import client
from workshop.local_aws.isolation import isolated


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an embedded AWS that these tests' process finds as its users' do: by AWS_ENDPOINT_URL and test/test."""
    with serve(tmp_path_factory.mktemp("served"), interval_factor=0.01) as at, pytest.MonkeyPatch.context() as patch:
        environment = isolated(os.environ, at)
        for name in set(os.environ) - set(environment):
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        # A client that was made before, by another module's server, is not to be found again.
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        _fill(at)
        yield at


def _fill(endpoint: str) -> None:
    s3, glue = client("s3", endpoint), client("glue", endpoint)
    s3.create_bucket(Bucket=BUCKET)
    glue.create_database(DatabaseInput={"Name": DATABASE, "Description": "What stores report"})
    for table in json.loads(json.dumps(workshop_tables()).replace("s3://lake/", f"s3://{BUCKET}/")):
        glue.create_table(DatabaseName=DATABASE, TableInput=stored_as(table))
    client("athena", endpoint).create_work_group(
        Name=WORKGROUP,
        Configuration={
            "EnforceWorkGroupConfiguration": False,
            "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/results/"},
        },
    )
    events = [event("A", "P1", n, 10 - n, sold=1) for n in range(1, 8)]
    again = {**events[-1], "received_at": events[-1]["received_at"] + timedelta(days=1)}
    for day, rows in (("2026-11-20", [*events, events[0]]), ("2026-11-21", [again, event("B", "P1", 1, 2)])):
        body = parquet(rows, glue_types("properties"))
        s3.put_object(Bucket=BUCKET, Key=f"stock_events/dt={day}/a.parquet", Body=body)
    refused = json_lines([{"reason": "bad", "position": 1, "received_at": "2026-11-20T00:00:00.000Z"}])
    s3.put_object(Bucket=BUCKET, Key="quarantine/dt=2026-11-20/a.json.gz", Body=refused)
