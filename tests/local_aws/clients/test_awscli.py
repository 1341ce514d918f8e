"""The AWS CLI, with nothing but the endpoint in the environment."""

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any

import boto3
import pytest

from tests.local_aws.athena.lake import DATABASE
from tests.local_aws.clients.lake import BUCKET, WORKGROUP
from tests.local_aws.clients.listed import CLI, tries
from tests.local_aws.clients.test_boto3 import eventually, function_package

pytestmark = pytest.mark.usefixtures("endpoint")

AWS = Path(sys.executable).with_name("aws")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([AWS, *arguments], capture_output=True, text=True, timeout=60, check=False)


def aws(*arguments: str) -> Any:
    """Run a command that succeeds, and return its JSON, or its text where it prints none."""
    done = run(*arguments, *(() if arguments[0] == "s3" else ("--output", "json")))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.startswith(("{", "[", '"')) else done.stdout


@tries(CLI, "aws athena start-query-execution, get-query-execution, get-query-results", "athena/get-query-results.html")
def test_athena_runs_a_query() -> None:
    started = aws(
        *("athena", "start-query-execution", "--query-string", "SELECT count(*) AS n FROM stock_events WHERE dt = ?"),
        *("--execution-parameters", "'2026-11-20'", "--work-group", WORKGROUP),
        *("--query-execution-context", f"Database={DATABASE},Catalog=AwsDataCatalog"),
    )["QueryExecutionId"]
    command = ("athena", "get-query-execution", "--query-execution-id", started)
    deadline = monotonic() + 20
    while (state := aws(*command, "--query", "QueryExecution.Status.State")) in {"QUEUED", "RUNNING"}:
        assert monotonic() < deadline
    assert state == "SUCCEEDED"
    rows = aws("athena", "get-query-results", "--query-execution-id", started)["ResultSet"]["Rows"]
    assert rows == [{"Data": [{"VarCharValue": "n"}]}, {"Data": [{"VarCharValue": "8"}]}]


@tries(CLI, "aws athena list-table-metadata, get-work-group; aws glue get-tables", "athena/list-table-metadata.html")
def test_athena_and_glue_list_tables() -> None:
    listed = aws(
        *("athena", "list-table-metadata", "--catalog-name", "AwsDataCatalog", "--database-name", DATABASE),
        *("--expression", "stock.*", "--query", "TableMetadataList[].Name"),
    )
    assert listed == ["stock_events"]
    assert aws("glue", "get-tables", "--database-name", DATABASE, "--query", "TableList[].Name") == [
        *("stock_events", "quarantine", "unique_events"),
    ]
    location = "WorkGroup.Configuration.ResultConfiguration.OutputLocation"
    assert aws("athena", "get-work-group", "--work-group", WORKGROUP, "--query", location) == f"s3://{BUCKET}/results/"
    refused = run("athena", "get-work-group", "--work-group", "no-such")
    assert refused.returncode != 0
    assert "(InvalidRequestException)" in refused.stderr


@tries(CLI, "aws s3 mb, cp, ls, sync, rm", "s3/sync.html")
def test_s3_copies_and_synchronises(tmp_path: Path) -> None:
    (tmp_path / "here" / "deep").mkdir(parents=True)
    (tmp_path / "here" / "a.txt").write_text("a")
    (tmp_path / "here" / "deep" / "b.txt").write_text("b")
    aws("s3", "mb", "s3://from-cli")
    aws("s3", "sync", str(tmp_path / "here"), "s3://from-cli/there")
    aws("s3", "cp", "s3://from-cli/there/a.txt", "s3://from-cli/c.txt")
    listed = aws("s3", "ls", "s3://from-cli", "--recursive").split()
    assert listed[3::4] == ["c.txt", "there/a.txt", "there/deep/b.txt"]
    aws("s3", "sync", "s3://from-cli/there", str(tmp_path / "back"))
    assert (tmp_path / "back" / "deep" / "b.txt").read_text() == "b"
    aws("s3", "rb", "s3://from-cli", "--force")


@tries(CLI, "aws firehose put-record, put-record-batch", "firehose/put-record-batch.html")
def test_firehose_takes_records() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="cli-stream")
    destination = {
        "RoleARN": "arn:aws:iam::000000000000:role/firehose",
        "BucketARN": "arn:aws:s3:::cli-stream",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 300},
    }
    aws(
        *("firehose", "create-delivery-stream", "--delivery-stream-name", "cli"),
        *("--extended-s3-destination-configuration", json.dumps(destination)),
    )
    firehose = boto3.client("firehose")

    def active() -> bool:
        described = firehose.describe_delivery_stream(DeliveryStreamName="cli")["DeliveryStreamDescription"]
        return bool(described["DeliveryStreamStatus"] == "ACTIVE")

    assert eventually(active)
    aws("firehose", "put-record", "--delivery-stream-name", "cli", "--record", '{"Data": "a\\n"}')
    batch = (
        "firehose",
        "put-record-batch",
        "--delivery-stream-name",
        "cli",
        "--records",
        '[{"Data": "b"}, {"Data": "c"}]',
    )
    assert aws(*batch)["FailedPutCount"] == 0

    def delivered() -> bytes | None:
        keys = [stored["Key"] for stored in s3.list_objects_v2(Bucket="cli-stream").get("Contents", [])]
        bodies = b"".join(s3.get_object(Bucket="cli-stream", Key=key)["Body"].read() for key in keys)
        return bodies if bodies.endswith(b"c") else None

    assert eventually(delivered) == b"a\nbc"


@tries(CLI, "aws lambda invoke", "lambda/invoke.html")
def test_lambda_is_invoked(tmp_path: Path) -> None:
    boto3.client("lambda").create_function(
        FunctionName="doubled",
        Runtime="python3.11",
        Handler="handler.handler",
        Role="arn:aws:iam::000000000000:role/lambda",
        Code={"ZipFile": function_package("def handler(event, context):\n    return {'n': event['n'] * 2}\n")},
    )
    answer = tmp_path / "answer.json"
    called = aws("lambda", "invoke", "--function-name", "doubled", "--payload", '{"n": 21}', str(answer))
    assert called["StatusCode"] == 200
    assert json.loads(answer.read_text()) == {"n": 42}


@tries(CLI, "aws cloudformation deploy, list-stacks", "cloudformation/deploy/index.html")
def test_cloudformation_deploys_a_template(tmp_path: Path) -> None:
    template = tmp_path / "template.json"
    query = {"Type": "AWS::Athena::NamedQuery", "Properties": {"Database": DATABASE, "QueryString": "SELECT 1"}}
    template.write_text(json.dumps({"Resources": {"Query": query}}))
    aws("cloudformation", "deploy", "--stack-name", "from-cli", "--template-file", str(template))
    shown = aws("cloudformation", "list-stacks", "--query", "StackSummaries[].[StackName, StackStatus]")
    assert ["from-cli", "CREATE_COMPLETE"] in shown
    assert len(aws("athena", "list-named-queries")["NamedQueryIds"]) == 1
