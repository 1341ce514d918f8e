"""Delivery streams and records to try things on, and fakes that remember what was asked of them."""

import base64
import itertools
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import IO, Any

from workshop.local_aws.firehose.configuration import Configuration
from workshop.local_aws.firehose.records import Record

ARRIVED = datetime(2026, 11, 20, 12, 34, 56, 789_000, tzinfo=UTC).timestamp()
LAMBDA_ARN = "arn:aws:lambda:us-east-1:000000000000:function:intake"
COLUMNS = [{"Name": "id", "Type": "string"}, {"Name": "n", "Type": "int"}, {"Name": "at", "Type": "timestamp"}]

ALL_PLAIN = [
    {"Name": name, "Type": kind}
    for name, kind in {
        "id": "string",
        "n": "int",
        "tiny": "tinyint",
        "large": "bigint",
        "ok": "boolean",
        "x": "double",
        "price": "decimal(9,2)",
        "day": "date",
        "at": "timestamp",
    }.items()
]

PARQUET: dict[str, Any] = {
    "Enabled": True,
    "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
    "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
    "SchemaConfiguration": {"DatabaseName": "inventory", "TableName": "events"},
}


def processing(**parameters: str) -> dict[str, Any]:
    given = {"LambdaArn": LAMBDA_ARN} | parameters
    listed = [{"ParameterName": name, "ParameterValue": value} for name, value in given.items()]
    return {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": listed}]}


def description(**destination: Any) -> dict[str, Any]:
    """Return what DescribeDeliveryStream tells of a stream to S3, with some of the destination given."""
    s3 = {
        "BucketARN": "arn:aws:s3:::lake",
        "RoleARN": "arn:aws:iam::000000000000:role/firehose",
        "BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 300},
        "CompressionFormat": "UNCOMPRESSED",
        "Prefix": "",
        "ErrorOutputPrefix": "",
        "S3BackupMode": "Disabled",
    }
    return {
        "DeliveryStreamName": "events",
        "DeliveryStreamARN": "arn:aws:firehose:us-east-1:000000000000:deliverystream/events",
        "DeliveryStreamType": "DirectPut",
        "VersionId": "1",
        "CreateTimestamp": datetime(2026, 11, 1, tzinfo=UTC),
        "Destinations": [
            {"DestinationId": "destinationId-000000000001", "ExtendedS3DestinationDescription": s3 | destination}
        ],
    }


def configuration(**destination: Any) -> Configuration:
    return Configuration.read(description(**destination))


def records(*data: bytes, arrived: float = ARRIVED) -> list[Record]:
    return [Record(f"r{number}", each, arrived) for number, each in enumerate(data)]


def ids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):08x}-0000-4000-8000-000000000000"


class Bucket:
    """A place for objects, by key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.kept_until = 0.0

    def put(self, stream: Configuration, key: str, body: IO[bytes], keep_until: float) -> None:
        """Take the place of a destination's PutObject."""
        body.seek(0)
        self.hold(stream.bucket, key, body.read())
        self.kept_until = keep_until

    def hold(self, bucket: str, key: str, body: bytes) -> None:
        assert bucket == "lake"
        assert key not in self.objects
        self.objects[key] = body

    def below(self, prefix: str) -> list[bytes]:
        return [body for key, body in self.objects.items() if key.startswith(prefix)]

    def envelopes(self, prefix: str) -> list[dict[str, Any]]:
        return [json.loads(line) for body in self.below(prefix) for line in body.decode().splitlines()]


def answer(*items: tuple[str, str, bytes]) -> bytes:
    """Return a processor's answer of (recordId, result, data)."""
    listed = [{"recordId": i, "result": r, "data": base64.b64encode(d).decode()} for i, r, d in items]
    return json.dumps({"records": listed}).encode()


def sent(payload: bytes) -> Sequence[tuple[str, bytes]]:
    """Return the (recordId, data) of a processor's event."""
    return [(each["recordId"], base64.b64decode(each["data"])) for each in json.loads(payload)["records"]]
