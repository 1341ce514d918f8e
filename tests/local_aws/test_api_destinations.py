"""API destinations deliver at least once or leave a dead letter that says why, whatever the receiver does.

What AWS does is read in the EventBridge user guide: "API destinations as targets", "How EventBridge retries delivering
events", "Using dead-letter queues to process undelivered events", "De-authorizing connections".
"""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import eventually
from tests.local_aws.conftest import FREE, served
from workshop.local_aws import launcher
from workshop.local_aws.api_destinations import (
    ApiDestinations,
    Failure,
    GiveUp,
    Policy,
    UnknownMinistack,
    after,
    pause,
    retry_after,
)
from workshop.local_aws.clients import client
from workshop.local_aws.home import Home

FACTOR = 0.001
"""A second of waiting is a millisecond here; the 24 hours that an event may take are 86 seconds."""


@dataclass(frozen=True)
class Call:
    """What the receiver was sent, and when."""

    at: float
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def alert(self) -> str:
        assert self.headers["Idempotency-Key"] == self.body["alert_id"]
        return str(self.body["alert_id"])


Answer = Callable[[Call, int], tuple[int, dict[str, str]]]
"""What the receiver answers a call, the how manyth (from 1) of its alert it is."""


class Receiver:
    """Somebody's truck system, on a free port of this machine."""

    def __init__(self, answer: Answer) -> None:
        self.calls: list[Call] = []
        self.answer = answer
        self.ended = threading.Event()
        lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                call = Call(time.monotonic(), self.path, dict(self.headers), body)
                with lock:
                    receiver.calls.append(call)
                    number = sum(other.alert == call.alert for other in receiver.calls)
                status, headers = receiver.answer(call, number)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None: ...

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            # EventBridge hangs up on a receiver that takes too long.
            def handle_error(self, request: object, client_address: object) -> None: ...

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/alerts"

    @contextmanager
    def open(self) -> Iterator["Receiver"]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.ended.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def hang(self, *_: object) -> tuple[int, dict[str, str]]:
        self.ended.wait(30)
        return 200, {}


def receiver(*statuses: int, headers: dict[str, str] | None = None) -> Receiver:
    """Return a receiver that gives the copies of an alert these answers in turn, and the last for ever."""
    return Receiver(lambda _, number: (statuses[min(number, len(statuses)) - 1], headers or {}))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("destinations"), interval_factor=FACTOR) as endpoint:
        yield endpoint


def template(url: str, **policy: int) -> dict[str, Any]:
    """Return what `stacks/truck_webhook.py` comes to, with a queue that hears of every alert beside the webhook."""
    witness = {"Id": "Witness", "Arn": {"Fn::GetAtt": ["Witness", "Arn"]}}
    webhook = {
        "Id": "Webhook",
        "Arn": {"Fn::GetAtt": ["Destination", "Arn"]},
        "RoleArn": "arn:aws:iam::000000000000:role/events",
        "InputPath": "$.detail",
        "HttpParameters": {"HeaderParameters": {"Idempotency-Key": "$.detail.alert_id"}},
        "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["DeadLetters", "Arn"]}},
        "RetryPolicy": policy,
    }
    key = {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": "Key"}, ":SecretString:::}}"]]}
    resources = {
        "Key": ("AWS::SecretsManager::Secret", {"GenerateSecretString": {"ExcludeCharacters": ":,\\\"'"}}),
        "Connection": (
            "AWS::Events::Connection",
            {
                "AuthorizationType": "API_KEY",
                "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "x-api-key", "ApiKeyValue": key}},
            },
        ),
        "Destination": (
            "AWS::Events::ApiDestination",
            {
                "ConnectionArn": {"Fn::GetAtt": ["Connection", "Arn"]},
                "HttpMethod": "POST",
                "InvocationEndpoint": url,
            },
        ),
        "Bus": ("AWS::Events::EventBus", {"Name": {"Ref": "AWS::StackName"}}),
        "DeadLetters": ("AWS::SQS::Queue", {}),
        "Witness": ("AWS::SQS::Queue", {}),
        "LowStock": (
            "AWS::Events::Rule",
            {
                "EventBusName": {"Ref": "Bus"},
                "EventPattern": {"detail-type": ["StockBelowThreshold"]},
                "Targets": [webhook, witness],
            },
        ),
    }
    outputs = ("Key", "Connection", "Destination", "Bus", "DeadLetters", "Witness")
    return {
        "Resources": {name: {"Type": kind, "Properties": given} for name, (kind, given) in resources.items()},
        "Outputs": {
            **{name: {"Value": {"Ref": name}} for name in outputs},
            "Rule": {"Value": {"Fn::GetAtt": ["LowStock", "Arn"]}},
            "DestinationArn": {"Value": {"Fn::GetAtt": ["Destination", "Arn"]}},
        },
    }


@dataclass
class Webhook:
    """A deployed webhook: what is put on its bus, and where it comes out."""

    endpoint: str
    stack: str
    names: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def deploy(endpoint: str, stack: str, url: str, **policy: int) -> "Webhook":
        cloudformation = client("cloudformation", endpoint)
        cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template(url, **policy)))
        webhook = Webhook(endpoint, stack)
        webhook.wait("CREATE_COMPLETE")
        return webhook

    def wait(self, state: str) -> None:
        def settled() -> dict[str, Any] | None:
            [found] = client("cloudformation", self.endpoint).describe_stacks(StackName=self.stack)["Stacks"]
            return None if found["StackStatus"].endswith("_IN_PROGRESS") else dict(found)

        found = eventually(settled, within=20)
        assert found["StackStatus"] == state, found
        self.names = {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}

    def alert(self, *alerts: str) -> None:
        entries = [
            {
                "EventBusName": self.names["Bus"],
                "Source": "inventory.alerts",
                "DetailType": "StockBelowThreshold",
                "Detail": json.dumps({"alert_id": alert, "stock": 3}),
            }
            for alert in alerts
        ]
        answer = client("events", self.endpoint).put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0

    def messages(self, queue: str) -> list[dict[str, Any]]:
        answer = client("sqs", self.endpoint).receive_message(
            QueueUrl=self.names[queue], MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
        )
        return list(answer.get("Messages", []))

    def dead_letter(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the event and the attributes of the one dead letter."""
        [letter] = eventually(lambda: self.messages("DeadLetters"), within=20)
        return json.loads(letter["Body"]), {
            name: value["StringValue"] for name, value in letter["MessageAttributes"].items()
        }


def arrived(receiver: Receiver, *, calls: int) -> list[Call]:
    return eventually(lambda: receiver.calls if len(receiver.calls) >= calls else None, within=20)[:]


def test_an_alert_arrives_once_with_the_key_that_proves_who_calls(endpoint: str) -> None:
    with receiver(200).open() as trucks:
        webhook = Webhook.deploy(endpoint, "fine", trucks.address)
        webhook.alert("A-S1-P1-1")
        [call] = arrived(trucks, calls=1)
        key = client("secretsmanager", endpoint).get_secret_value(SecretId=webhook.names["Key"])["SecretString"]
        assert call.body == {"alert_id": "A-S1-P1-1", "stock": 3}
        assert call.headers["x-api-key"] == key
        assert call.headers["Content-Type"] == "application/json; charset=utf-8"
        assert call.headers["User-Agent"] == "Amazon/EventBridge/ApiDestinations"
        assert call.path == "/alerts"
