"""The whole way over HTTP: boto3, our Firehose, and ministack's Firehose API, Lambda, Glue, S3 and CloudFormation."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from botocore.exceptions import ClientError

from tests.conftest import eventually
from tests.local_aws.conftest import served
from tests.local_aws.firehose.samples import COLUMNS
from workshop.local_aws.clients import client
from workshop.local_aws.home import Home

ROLE = "arn:aws:iam::000000000000:role/firehose"

FUNCTION = """
import base64, json

def handler(event, context):
    def one(record):
        lines = base64.b64decode(record["data"]).decode().splitlines()
        if "poison" in lines:
            return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]}
        data = "".join(json.dumps({**json.loads(line), "id": "seen"}) for line in lines)
        return {"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(data.encode()).decode()}
    return {"records": [one(record) for record in event["records"]]}
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("firehose"), interval_factor=0.001) as endpoint:
        client("s3", endpoint).create_bucket(Bucket="lake")
        client("glue", endpoint).create_database(DatabaseInput={"Name": "inventory"})
        table = {"Name": "events", "StorageDescriptor": {"Columns": COLUMNS}}
        client("glue", endpoint).create_table(DatabaseName="inventory", TableInput=table)
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("index.py", FUNCTION)
        client("lambda", endpoint).create_function(
            FunctionName="intake",
            Runtime="python3.12",
            Role=ROLE,
            Handler="index.handler",
            Code={"ZipFile": archive.getvalue()},
        )
        yield endpoint


def destination(name: str) -> dict[str, Any]:
    """Return a destination as the CDK deploys one: a Lambda processor, then Parquet."""
    function = "arn:aws:lambda:us-east-1:000000000000:function:intake"
    return {
        "RoleARN": ROLE,
        "BucketARN": "arn:aws:s3:::lake",
        "Prefix": f"{name}/dt=!{{timestamp:yyyy-MM-dd}}/",
        "ErrorOutputPrefix": f"{name}-errors/!{{firehose:error-output-type}}/",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        "ProcessingConfiguration": {
            "Enabled": True,
            "Processors": [
                {"Type": "Lambda", "Parameters": [{"ParameterName": "LambdaArn", "ParameterValue": function}]}
            ],
        },
        "DataFormatConversionConfiguration": {
            "Enabled": True,
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
            "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
            "SchemaConfiguration": {"RoleARN": ROLE, "DatabaseName": "inventory", "TableName": "events"},
        },
    }


def objects(endpoint: str, prefix: str) -> dict[str, bytes]:
    s3 = client("s3", endpoint)
    found = s3.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])
    return {each["Key"]: s3.get_object(Bucket="lake", Key=each["Key"])["Body"].read() for each in found}


def numbers(endpoint: str, prefix: str) -> list[int]:
    bodies = objects(endpoint, prefix).values()
    return sorted(n for body in bodies for n in pyarrow.parquet.read_table(io.BytesIO(body)).column("n").to_pylist())


def test_documents_go_through_the_function_into_parquet(endpoint: str) -> None:
    firehose = client("firehose", endpoint)
    firehose.create_delivery_stream(DeliveryStreamName="flow", ExtendedS3DestinationConfiguration=destination("flow"))
    lines = [json.dumps({"n": n, "at": "2026-11-20T12:00:00.000Z"}) for n in range(100)]
    good = [{"Data": "\n".join(lines[first : first + 10]).encode()} for first in range(0, 100, 10)]
    response = firehose.put_record_batch(DeliveryStreamName="flow", Records=[*good, {"Data": b"poison"}])
    assert response["FailedPutCount"] == 0
    firehose.put_record(DeliveryStreamName="flow", Record={"Data": b'{"n": "misfit"}'})

    eventually(lambda: numbers(endpoint, "flow/") == list(range(100)), within=30)
    eventually(lambda: len(objects(endpoint, "flow-errors/")) == 2, within=30)
    (key,) = [key for key in objects(endpoint, "flow/") if key.endswith(".parquet")]
    assert key.startswith("flow/dt=")
    table = pyarrow.parquet.read_table(io.BytesIO(objects(endpoint, "flow/")[key]))
    assert set(table.column("id").to_pylist()) == {"seen"}
    ((_, poisoned),) = objects(endpoint, "flow-errors/processing-failed/").items()
    assert json.loads(poisoned)["errorCode"] == "Lambda.ProcessingFailedStatus"
    ((_, misfit),) = objects(endpoint, "flow-errors/format-conversion-failed/").items()
    assert json.loads(misfit)["lastErrorCode"] == "DataFormatConversion.MalformedData"


def test_a_stream_that_cloudformation_made_is_served(endpoint: str) -> None:
    resource = {
        "Type": "AWS::KinesisFirehose::DeliveryStream",
        "Properties": {"DeliveryStreamType": "DirectPut", "ExtendedS3DestinationConfiguration": destination("cfn")},
    }
    template = {"Resources": {"Stream": resource}, "Outputs": {"Name": {"Value": {"Ref": "Stream"}}}}
    cloudformation = client("cloudformation", endpoint)
    cloudformation.create_stack(StackName="ingest", TemplateBody=json.dumps(template))

    def outputs() -> list[dict[str, str]]:
        found: list[dict[str, str]] = cloudformation.describe_stacks(StackName="ingest")["Stacks"][0].get("Outputs", [])
        return found

    eventually(lambda: bool(outputs()), within=30)
    name = outputs()[0]["OutputValue"]
    client("firehose", endpoint).put_record(DeliveryStreamName=name, Record={"Data": b'{"n": 7}'})
    eventually(lambda: numbers(endpoint, "cfn/") == [7], within=30)


def test_errors_reach_boto3_with_their_type(endpoint: str) -> None:
    firehose = client("firehose", endpoint)
    with pytest.raises(firehose.exceptions.ResourceNotFoundException):
        firehose.put_record(DeliveryStreamName="nobody", Record={"Data": b"a"})
    with pytest.raises(ClientError, match="Records size exceeds 4 MB limit") as caught:
        firehose.put_record_batch(DeliveryStreamName="nobody", Records=[{"Data": b"a" * 1_000_000}] * 5)
    assert caught.value.response["Error"]["Code"] == "InvalidArgumentException"


def test_a_server_that_is_told_to_stop_delivers_first(tmp_path: Path) -> None:
    with served(tmp_path, interval_factor=100) as endpoint:
        client("s3", endpoint).create_bucket(Bucket="lake")
        given = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake"}
        firehose = client("firehose", endpoint)
        firehose.create_delivery_stream(DeliveryStreamName="plain", ExtendedS3DestinationConfiguration=given)
        firehose.put_record(DeliveryStreamName="plain", Record={"Data": b"the last word"})
        assert objects(endpoint, "") == {}
    kept = Home(tmp_path).objects
    assert any(path.read_bytes() == b"the last word" for path in kept.rglob("*") if path.is_file())
