"""No record that was accepted is lost: not to a kill, not to a stop, not to many producers at once."""

import io
import os
import random
import signal
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.conftest import eventually
from tests.local_aws.conftest import FREE
from workshop.local_aws import launcher
from workshop.local_aws.clients import client
from workshop.local_aws.home import Address, Home

ROLE = "arn:aws:iam::000000000000:role/firehose"
PRODUCERS = 200
CALLS = 5


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    launcher.stop(home)


def start(home: Home, interval_factor: float) -> Address:
    return launcher.start(home, port=FREE, interval_factor=interval_factor)


def kill(address: Address) -> None:
    os.killpg(address.pid, signal.SIGKILL)
    eventually(lambda: not launcher._lives(address.pid), within=10)


def deploy(endpoint: str, **given: Any) -> None:
    client("s3", endpoint).create_bucket(Bucket="lake")
    client("firehose", endpoint).create_delivery_stream(
        DeliveryStreamName="events",
        ExtendedS3DestinationConfiguration={
            "RoleARN": ROLE,
            "BucketARN": "arn:aws:s3:::lake",
            "Prefix": "events/!{timestamp:yyyy}/",
            "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
        }
        | given,
    )


def put(endpoint: str, *lines: str) -> list[str]:
    """Put lines and return those that were accepted."""
    records = [{"Data": f"{line}\n".encode()} for line in lines]
    answer = client("firehose", endpoint).put_record_batch(DeliveryStreamName="events", Records=records)
    return [line for line, each in zip(lines, answer["RequestResponses"], strict=True) if "RecordId" in each]


def delivered(endpoint: str) -> Counter[str]:
    s3 = client("s3", endpoint)
    lines: Counter[str] = Counter()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="lake", Prefix="events/"):
        for found in page.get("Contents", []):
            lines.update(s3.get_object(Bucket="lake", Key=found["Key"])["Body"].read().decode().split())
    return lines


def test_many_producers_lose_nothing_and_nothing_comes_twice(home: Home) -> None:
    endpoint = start(home, interval_factor=0.005).endpoint
    deploy(endpoint)

    def produce(producer: int) -> list[str]:
        accepted = []
        for call in range(CALLS):
            waiting = [f"{producer}.{call}.{number}" for number in range(3)]
            while waiting:
                accepted += (kept := put(endpoint, *waiting))
                waiting = [line for line in waiting if line not in kept]
        return accepted

    with ThreadPoolExecutor(PRODUCERS) as producers:
        accepted = [line for lines in producers.map(produce, range(PRODUCERS)) for line in lines]
    assert len(accepted) == PRODUCERS * CALLS * 3
    eventually(lambda: delivered(endpoint).total() >= len(accepted), within=30)
    assert delivered(endpoint) == Counter(accepted)


def test_a_server_that_is_killed_at_any_moment_has_lost_nothing(home: Home) -> None:
    chance = random.Random(4)
    accepted: list[str] = []
    address = start(home, interval_factor=0.002)
    deploy(address.endpoint)
    for life in range(3):
        moment = threading.Event()

        def produce(producer: int, *, endpoint: str = address.endpoint, life: int = life) -> None:
            for call in range(1_000_000):
                try:
                    accepted.extend(put(endpoint, *(f"{life}.{producer}.{call}.{n}" * 20 for n in range(50))))
                except (BotoCoreError, ClientError):
                    return

        producers = [threading.Thread(target=produce, args=(number,)) for number in range(2)]
        for producer in producers:
            producer.start()
        before = len(accepted)
        eventually(lambda before=before: len(accepted) > before, within=20)  # type: ignore[misc]
        moment.wait(chance.uniform(0, 0.4))
        kill(address)
        for producer in producers:
            producer.join()
        address = start(home, interval_factor=0.002)
    # No producer calls any more: what is in the journal is delivered all the same.
    eventually(lambda: not set(accepted) - set(delivered(address.endpoint)), within=30)


def test_a_stream_that_was_just_made_survives_a_kill_and_its_records_go_through_the_function(home: Home) -> None:
    function = """
import base64

def handler(event, context):
    def one(record):
        line = base64.b64decode(record["data"]).decode().upper()
        return {"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(line.encode()).decode()}
    return {"records": [one(record) for record in event["records"]]}
"""
    address = start(home, interval_factor=0.01)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("index.py", function)
    client("lambda", address.endpoint).create_function(
        FunctionName="shout",
        Runtime="python3.12",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    arn = "arn:aws:lambda:us-east-1:000000000000:function:shout"
    given = [{"ParameterName": "LambdaArn", "ParameterValue": arn}]
    deploy(
        address.endpoint,
        BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900},
        ProcessingConfiguration={"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": given}]},
    )
    put(address.endpoint, *(f"line{n}" for n in range(10)))
    kill(address)
    address = start(home, interval_factor=0.001)
    eventually(lambda: delivered(address.endpoint) == Counter(f"LINE{n}" for n in range(10)), within=20)
