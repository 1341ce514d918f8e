"""An app of somebody else's: deployed with the real cdk command, fed, queried, and taken down again."""

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.local_aws.conftest import served
from workshop import cdk
from workshop.local_aws.clients import client
from workshop.local_aws.isolation import isolated
from workshop.local_aws.protocol import ACCOUNT, REGION

APP = Path(__file__).parent / "foreign_app"
STACK = "Clickstream"
CLICKS = [
    {"visitor": f"v{n}", "page": f"/{n % 7}", "seconds": n, "site": "shop" if n % 3 else "blog"} for n in range(60)
]


@dataclass
class Deployed:
    """The app as it runs: where, and what its outputs name."""

    endpoint: str
    run: Callable[..., None]
    names: dict[str, str]

    def client(self, service: str) -> Any:
        return client(service, self.endpoint)

    def objects(self, prefix: str) -> dict[str, bytes]:
        s3, bucket = self.client("s3"), self.names["Bucket"]
        found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in found}

    def rows(self, **question: Any) -> list[list[str]]:
        athena = self.client("athena")
        execution = athena.start_query_execution(
            WorkGroup="analysts", QueryExecutionContext={"Database": "web"}, **question
        )["QueryExecutionId"]

        def ended() -> dict[str, Any] | None:
            status = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]["Status"]
            return status if status["State"] not in ("QUEUED", "RUNNING") else None

        status = eventually(ended, within=60)
        assert status
        assert status["State"] == "SUCCEEDED", status
        listed = athena.get_query_results(QueryExecutionId=execution)["ResultSet"]["Rows"]
        return [[value.get("VarCharValue", "") for value in row["Data"]] for row in listed[1:]]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("foreign")
    with served(folder / "home", interval_factor=0.02) as endpoint:
        environment = isolated(os.environ, endpoint)
        log = folder / "cdk.log"
        cdk.bootstrap(ACCOUNT, REGION, environment=environment, log=log)

        def run(*words: str) -> None:
            app = ["--app", f'"{sys.executable}" app.py', "--output", str(folder / "cdk.out")]
            with cdk.Command([*words, *app], environment=environment, log=log, folder=APP) as command:
                command.wait()

        run("deploy", STACK, "--require-approval", "never")
        [stack] = client("cloudformation", endpoint).describe_stacks(StackName=STACK)["Stacks"]
        names = {each["OutputKey"].removesuffix("Name"): each["OutputValue"] for each in stack["Outputs"]}
        yield Deployed(endpoint, run, names)


def lines(bodies: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for body in bodies for line in body.decode().splitlines()]


def test_what_a_kinesis_stream_gets_lands_as_compressed_lines_and_can_be_queried(deployed: Deployed) -> None:
    records = [{"Data": json.dumps(each).encode(), "PartitionKey": each["visitor"]} for each in CLICKS]
    deployed.client("kinesis").put_records(StreamName=deployed.names["Arrivals"], Records=records)

    def landed() -> list[dict[str, Any]]:
        return lines([gzip.decompress(body) for body in deployed.objects("raw/").values()])

    eventually(lambda: len(landed()) == len(CLICKS), within=60)
    assert sorted(landed(), key=lambda click: click["seconds"]) == CLICKS
    assert all(key.endswith(".json.gz") for key in deployed.objects("raw/"))
    assert deployed.rows(QueryString="SELECT count(*), sum(seconds) FROM hits") == [["60", "1770"]]


def test_what_a_function_sorts_lands_by_its_keys_and_answers_the_named_query(deployed: Deployed) -> None:
    firehose = deployed.client("firehose")
    records = [{"Data": json.dumps(each).encode()} for each in [*CLICKS, {"visitor": "nowhere"}]]
    answer = firehose.put_record_batch(DeliveryStreamName=deployed.names["BySite"], Records=records)
    assert answer["FailedPutCount"] == 0
    eventually(lambda: len(lines(list(deployed.objects("sites/").values()))) == len(CLICKS), within=60)
    shop = [body for key, body in deployed.objects("sites/").items() if key.startswith("sites/site=shop/")]
    assert sorted(click["seconds"] for click in lines(shop)) == [n for n in range(60) if n % 3]
    [lost] = lines(list(eventually(lambda: deployed.objects("lost/processing-failed/"), within=60).values()))
    assert lost["errorCode"] == "DynamicPartitioning.MetadataExtractionFailed"

    athena = deployed.client("athena")
    [known] = athena.list_named_queries(WorkGroup="analysts")["NamedQueryIds"]
    query = athena.get_named_query(NamedQueryId=known)["NamedQuery"]["QueryString"]
    assert deployed.rows(QueryString=query) == [["blog", "20", "570"], ["shop", "40", "1200"]]


def test_it_is_taken_down_without_a_trace(deployed: Deployed) -> None:
    s3 = deployed.client("s3")
    for key in deployed.objects(""):  # as on AWS, a bucket that holds something is not deleted
        s3.delete_object(Bucket=deployed.names["Bucket"], Key=key)
    deployed.run("destroy", STACK, "--force")
    assert deployed.client("firehose").list_delivery_streams()["DeliveryStreamNames"] == []
    assert deployed.client("kinesis").list_streams()["StreamNames"] == []
    assert "analysts" not in [each["Name"] for each in deployed.client("athena").list_work_groups()["WorkGroups"]]
