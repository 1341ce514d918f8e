"""AWS as moto imitates it, in this process; no call leaves it."""

from collections.abc import Iterator
from typing import Final

import pytest
from moto import mock_aws

from lambdas.adapters.bus import events
from lambdas.adapters.delivery_stream import firehose
from lambdas.adapters.quarantine import s3
from lambdas.adapters.shelves import dynamodb
from lambdas.adapters.sightings_queue import sqs
from lambdas.adapters.workflow import stepfunctions

REGION: Final = "eu-west-1"
BUCKET, TABLE, STREAM = "lake", "shelves", "stock-events"
QUEUE_URL: Final = f"https://sqs.{REGION}.amazonaws.com/123456789012/sightings"
ALERTS, BUS = "alerts", "trucks"
DELIVERIES: Final = "deliveries"
_CLIENTS: Final = (firehose, s3, dynamodb, sqs, events, stepfunctions)


@pytest.fixture(scope="session")
def _clients() -> Iterator[None]:
    """Clients with credentials that open nothing, made once: making one takes a tenth of a second."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "testing")
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
            environment.delenv(name, raising=False)
        for client in _CLIENTS:
            client.cache_clear()
        yield
        for client in _CLIENTS:
            client.cache_clear()


@pytest.fixture
def aws(_clients: None) -> Iterator[None]:
    """An account with the lake's bucket, the shelves' table, and a stream that writes records as they come."""
    with mock_aws():
        s3().create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        dynamodb().create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "store_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "store_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        firehose().create_delivery_stream(
            DeliveryStreamName=STREAM,
            S3DestinationConfiguration={
                "RoleARN": "arn:aws:iam::123456789012:role/firehose",
                "BucketARN": f"arn:aws:s3:::{BUCKET}",
                "Prefix": "events/",
            },
        )
        sqs().create_queue(QueueName="sightings")
        dynamodb().create_table(
            TableName=ALERTS,
            KeySchema=[
                {"AttributeName": "shelf", "KeyType": "HASH"},
                {"AttributeName": "number", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "shelf", "AttributeType": "S"},
                {"AttributeName": "number", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        events().create_event_bus(Name=BUS)
        dynamodb().create_table(
            TableName=DELIVERIES,
            KeySchema=[{"AttributeName": "delivery_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "delivery_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield
