"""API destinations deliver at least once or leave a dead letter that says why, whatever the receiver does.

What AWS does is read in the EventBridge user guide: "API destinations as targets", "How EventBridge retries delivering
events", "Using dead-letter queues to process undelivered events", "De-authorizing connections".
"""

import json
import os
import signal
import socket
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
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
from workshop.places import ROOT

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
        def settled() -> dict[str, Any]:
            [found] = client("cloudformation", self.endpoint).describe_stacks(StackName=self.stack)["Stacks"]
            return {} if found["StackStatus"].endswith("_IN_PROGRESS") else dict(found)

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
    eventually(lambda: len(receiver.calls) >= calls, within=20)
    return receiver.calls[:]


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


@pytest.mark.parametrize("status", [500, 503, 409])
def test_an_alert_is_sent_again_until_the_receiver_takes_it(endpoint: str, status: int) -> None:
    with receiver(status, status, status, 200).open() as trucks:
        webhook = Webhook.deploy(endpoint, f"again-{status}", trucks.address)
        webhook.alert("A-S1-P1-1")
        copies = arrived(trucks, calls=4)
        assert {copy.alert for copy in copies} == {"A-S1-P1-1"}
        assert all(copy.body == copies[0].body for copy in copies)
        webhook.alert("A-S1-P1-2")
        assert [call.alert for call in arrived(trucks, calls=8)[4:]] == ["A-S1-P1-2"] * 4
        assert webhook.messages("DeadLetters") == []


def test_a_receiver_that_asks_for_time_is_given_it(endpoint: str) -> None:
    with Receiver(lambda _, number: (429, {"Retry-After": "700"}) if number == 1 else (200, {})).open() as trucks:
        Webhook.deploy(endpoint, "asks", trucks.address).alert("A-S1-P1-1")
        first, second = arrived(trucks, calls=2)
        # The first pause alone is at most a second, here a millisecond.
        assert second.at - first.at >= 700 * FACTOR
        assert second.alert == first.alert


def test_a_receiver_that_wants_no_further_call_gets_none(endpoint: str) -> None:
    with receiver(503, headers={"Retry-After": "-1"}).open() as trucks:
        webhook = Webhook.deploy(endpoint, "no-further", trucks.address)
        webhook.alert("A-S1-P1-1")
        _, reason = webhook.dead_letter()
        assert reason["RETRY_ATTEMPTS"] == "0"
        assert len(trucks.calls) == 1


def test_a_receiver_that_was_too_slow_is_called_again_and_nobody_waits_for_it(endpoint: str) -> None:
    slow = Receiver(lambda _, number: slow.hang() if number == 1 else (200, {}))
    with slow.open() as slow, receiver(200).open() as quick:
        webhook = Webhook.deploy(endpoint, "slow", slow.address)
        other = Webhook.deploy(endpoint, "quick", quick.address)
        webhook.alert("A-S1-P1-1")
        arrived(slow, calls=1)
        other.alert("A-S2-P1-1")
        arrived(quick, calls=1)
        eventually(lambda: webhook.messages("Witness"), within=20)
        assert len(slow.calls) == 1, "the other receiver and the other target were served while this one hung"
        first, second = arrived(slow, calls=2)
        assert second.alert == first.alert
        assert webhook.messages("DeadLetters") == []


def test_a_receiver_that_never_answers_leaves_a_dead_letter(endpoint: str) -> None:
    trucks = Receiver(lambda *_: trucks.hang())
    with trucks.open():
        webhook = Webhook.deploy(endpoint, "never", trucks.address, MaximumRetryAttempts=0)
        webhook.alert("A-S1-P1-1")
        event, reason = webhook.dead_letter()
        assert event["detail"]["alert_id"] == "A-S1-P1-1"
        assert reason["ERROR_CODE"] == "TIMEOUT"


def nobody() -> str:
    """Return an address of this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/alerts"


def test_a_dead_letter_holds_the_event_and_says_why_it_could_not_be_delivered(endpoint: str) -> None:
    webhook = Webhook.deploy(endpoint, "nobody", nobody(), MaximumRetryAttempts=2)
    webhook.alert("A-S1-P1-1")
    event, reason = webhook.dead_letter()
    assert (event["source"], event["detail-type"]) == ("inventory.alerts", "StockBelowThreshold")
    assert event["detail"] == {"alert_id": "A-S1-P1-1", "stock": 3}
    assert "cannot be reached" in reason.pop("ERROR_MESSAGE")
    assert reason == {
        "RULE_ARN": webhook.names["Rule"],
        "TARGET_ARN": webhook.names["DestinationArn"],
        "ERROR_CODE": "SDK_CLIENT_ERROR",
        "EXHAUSTED_RETRY_CONDITION": "MaximumRetryAttempts",
        "RETRY_ATTEMPTS": "2",
    }


@pytest.mark.parametrize("said", [b"", b"\x00\x1b[2J\xff \r\n\r\n", b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 " + b"2" * 100_000])
def test_a_receiver_that_speaks_no_http_leaves_a_dead_letter_that_can_be_read(endpoint: str, said: bytes) -> None:
    class Nonsense(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100_000)
            with suppress(OSError):  # It hangs up when it has heard enough.
                self.request.sendall(said)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Nonsense) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}/alerts"
            webhook = Webhook.deploy(endpoint, f"nonsense-{len(said)}", address, MaximumRetryAttempts=0)
            webhook.alert("A-S1-P1-1")
            event, reason = webhook.dead_letter()
        finally:
            server.shutdown()
    assert event["detail"]["alert_id"] == "A-S1-P1-1"
    assert reason["ERROR_CODE"] == "SDK_CLIENT_ERROR"
    assert reason["ERROR_MESSAGE"].isprintable()


def test_an_alert_that_gets_too_old_becomes_a_dead_letter(endpoint: str) -> None:
    with receiver(500).open() as trucks:
        webhook = Webhook.deploy(endpoint, "old", trucks.address, MaximumEventAgeInSeconds=60)
        webhook.alert("A-S1-P1-1")
        _, reason = webhook.dead_letter()
        assert reason["EXHAUSTED_RETRY_CONDITION"] == "MaximumEventAgeInSeconds"
        assert int(reason["RETRY_ATTEMPTS"]) == len(trucks.calls) - 1


@pytest.mark.parametrize("status", [301, 400, 404, 410])
def test_an_alert_that_the_receiver_refuses_is_not_sent_again(endpoint: str, status: int) -> None:
    elsewhere = receiver(200)
    with receiver(status, headers={"Location": elsewhere.address}).open() as trucks, elsewhere.open():
        webhook = Webhook.deploy(endpoint, f"refused-{status}", trucks.address)
        webhook.alert("A-S1-P1-1")
        event, reason = webhook.dead_letter()
        assert event["detail"]["alert_id"] == "A-S1-P1-1"
        assert (reason["ERROR_CODE"], reason["RETRY_ATTEMPTS"]) == ("ERROR_FROM_TARGET", "0")
        assert "EXHAUSTED_RETRY_CONDITION" not in reason
        assert str(status) in reason["ERROR_MESSAGE"]
        assert (len(trucks.calls), len(elsewhere.calls)) == (1, 0)


def test_a_refused_key_stops_the_connection_until_it_is_given_another(endpoint: str) -> None:
    def answer(call: Call, _: int) -> tuple[int, dict[str, str]]:
        return (200 if call.headers["x-api-key"] == "new" else 401), {}

    with Receiver(answer).open() as trucks:
        webhook = Webhook.deploy(endpoint, "key", trucks.address)
        events = client("events", endpoint)
        webhook.alert("A-S1-P1-1")
        name = webhook.names["Connection"]
        eventually(lambda: events.describe_connection(Name=name)["ConnectionState"] == "DEAUTHORIZED", within=20)
        webhook.alert("A-S1-P1-2")
        eventually(lambda: len(webhook.messages("Witness")) == 2, within=20)
        assert len(trucks.calls) == 1, "a key that was refused is not shown again"
        events.update_connection(
            Name=name,
            AuthorizationType="API_KEY",
            AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "x-api-key", "ApiKeyValue": "new"}},
        )
        assert sorted(call.alert for call in arrived(trucks, calls=3)[1:]) == ["A-S1-P1-1", "A-S1-P1-2"]
        assert webhook.messages("DeadLetters") == []


@pytest.mark.parametrize("change", [("us-east-1", "eu-west-1"), ("Destination", "Elsewhere")])
def test_a_destination_that_is_not_there_leaves_a_dead_letter(endpoint: str, change: tuple[str, str]) -> None:
    with receiver(200).open() as trucks:
        webhook = Webhook.deploy(endpoint, f"gone-{change[1]}", trucks.address)
        events, rule = client("events", endpoint), webhook.names["Rule"].split("/")[-1]
        [target] = [
            target
            for target in events.list_targets_by_rule(Rule=rule, EventBusName=webhook.names["Bus"])["Targets"]
            if target["Id"] == "Webhook"
        ]
        target["Arn"] = target["Arn"].replace(*change)
        events.put_targets(Rule=rule, EventBusName=webhook.names["Bus"], Targets=[target])
        webhook.alert("A-S1-P1-1")
        _, reason = webhook.dead_letter()
        assert (reason["ERROR_CODE"], reason["RETRY_ATTEMPTS"]) == ("NO_RESOURCE", "0")
        assert trucks.calls == []


def test_what_an_event_brings_cannot_add_a_header(endpoint: str) -> None:
    with receiver(200).open() as trucks:
        webhook = Webhook.deploy(endpoint, "header", trucks.address)
        webhook.alert("A-S1-P1-1\r\nx-api-key: mine")
        _, reason = webhook.dead_letter()
        assert reason["ERROR_CODE"] == "INVALID_PARAMETER"
        assert trucks.calls == []


def test_of_many_alerts_to_a_receiver_that_fails_every_other_way_none_is_lost(endpoint: str) -> None:
    answers = (500, 200, 429, 503, 200, 400, 409, 502)
    seen = threading.Semaphore(0)

    def answer(call: Call, number: int) -> tuple[int, dict[str, str]]:
        seen.release()
        return answers[(number + int(call.alert.rpartition("-")[2])) % len(answers)], {}

    alerts = [f"A-S1-P1-{number}" for number in range(1, 101)]
    with Receiver(answer).open() as trucks:
        webhook = Webhook.deploy(endpoint, "many", trucks.address)
        for first in range(0, 100, 10):
            webhook.alert(*alerts[first : first + 10])

        def taken() -> set[str]:
            copies: dict[str, int] = {}
            for call in list(trucks.calls):
                copies[call.alert] = copies.get(call.alert, 0) + 1
            return {
                alert
                for alert, number in copies.items()
                if any(answers[(n + int(alert.rpartition("-")[2])) % len(answers)] == 200 for n in range(1, number + 1))
            }

        sqs, queue = client("sqs", endpoint), webhook.names["DeadLetters"]
        dead: set[str] = set()

        def everywhere() -> bool:
            answer = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600)
            dead.update(json.loads(message["Body"])["detail"]["alert_id"] for message in answer.get("Messages", []))
            return taken() | dead == set(alerts)

        eventually(everywhere, within=30)
        assert taken() & dead == set(), "an alert is a dead letter or it was taken, never both"


def test_the_receiver_in_the_docs_takes_each_alert_once_from_whoever_has_the_key(endpoint: str, tmp_path: Path) -> None:
    code = (ROOT / "docs" / "truck-webhook.md").read_text().split("```python\n")[1].split("```")[0]
    webhook = Webhook.deploy(endpoint, "docs", nobody())
    key = client("secretsmanager", endpoint).get_secret_value(SecretId=webhook.names["Key"])["SecretString"]
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "TRUCK_WEBHOOK_KEYS": f"an-old-one {key}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    try:
        address = process.stdout.readline().strip()
        update = json.dumps(template(address))
        client("cloudformation", endpoint).update_stack(StackName="docs", TemplateBody=update)
        webhook.wait("UPDATE_COMPLETE")
        webhook.alert("A-S1-P1-1", "A-S1-P1-1", "A-S1-P1-2")

        def orders() -> list[str]:
            with closing(sqlite3.connect(tmp_path / "orders.db")) as database:
                return [alert for (alert,) in database.execute("SELECT alert_id FROM orders ORDER BY alert_id")]

        eventually(lambda: orders() == ["A-S1-P1-1", "A-S1-P1-2"], within=20)
        stranger = urllib.request.Request(address, data=b'{"alert_id": "A-S9-P9-9"}', headers={"x-api-key": "guess"})  # noqa: S310 - this machine
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(stranger, timeout=10)  # noqa: S310 - this machine
        assert orders() == ["A-S1-P1-1", "A-S1-P1-2"]
        assert webhook.messages("DeadLetters") == []
    finally:
        process.kill()
        process.communicate()


def test_a_stack_changes_and_removes_its_destination(endpoint: str) -> None:
    with receiver(500).open() as before, receiver(200).open() as then:
        webhook = Webhook.deploy(endpoint, "changes", before.address)
        connection, destination = webhook.names["Connection"], webhook.names["Destination"]
        webhook.alert("A-S1-P1-1")
        arrived(before, calls=1)
        cloudformation, events = client("cloudformation", endpoint), client("events", endpoint)
        cloudformation.update_stack(StackName="changes", TemplateBody=json.dumps(template(then.address)))
        webhook.wait("UPDATE_COMPLETE")
        assert webhook.names["Destination"] == destination
        [call] = arrived(then, calls=1)
        assert call.alert == "A-S1-P1-1", "what was under way goes to the new address"
        cloudformation.delete_stack(StackName="changes")
        eventually(lambda: not events.list_api_destinations(NamePrefix=destination)["ApiDestinations"], within=20)
        eventually(lambda: not events.list_connections(NamePrefix=connection)["Connections"], within=20)


def stop(home: Home, _: Webhook) -> None:
    assert launcher.stop(home)


def kill(home: Home, webhook: Webhook) -> None:
    # A killed server forgets what is newer than its last snapshot: the destination must not be.
    snapshot = home.state / "eventbridge.json"
    eventually(lambda: snapshot.exists() and webhook.names["Destination"] in snapshot.read_text(), within=30)
    address = home.address()
    assert address is not None
    os.kill(address.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(address.pid)] if psutil.pid_exists(address.pid) else [], timeout=10)


@pytest.mark.parametrize("end", [stop, kill])
def test_an_alert_under_way_outlives_the_server(tmp_path: Path, end: Callable[[Home, Webhook], None]) -> None:
    home = Home(tmp_path)
    with receiver(500, 500, 200).open() as trucks:
        try:
            # A second becomes months, so that the second call cannot come before the end.
            before = launcher.start(home, port=FREE, interval_factor=10_000_000)
            webhook = Webhook.deploy(before.endpoint, "outlives", trucks.address)
            webhook.alert("A-S1-P1-1", "A-S1-P1-2")
            arrived(trucks, calls=1)
            end(home, webhook)
            assert len(trucks.calls) == 1, "at most 300 calls a second, and a second is months"
            launcher.start(home, port=FREE, interval_factor=FACTOR)
            assert {call.alert for call in arrived(trucks, calls=6)} == {"A-S1-P1-1", "A-S1-P1-2"}
        finally:
            launcher.stop(home)


def test_a_ministack_that_has_changed_is_not_run_upon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ministack.services import eventbridge

    monkeypatch.setattr(eventbridge, "_dispatch_to_api_destination", eventbridge._deliver_to_api_destination)
    with pytest.raises(UnknownMinistack, match="has other parameters than spec, payload, target"):
        ApiDestinations("http://127.0.0.1:1", tmp_path, FACTOR).install()


FAILED = Failure(code="ERROR_FROM_TARGET", message="500", retried=True)
JITTER = st.floats(0, 1, exclude_max=True)


@given(retries=st.integers(0, 185), jitter=JITTER)
def test_pauses_grow_and_end_at_a_quarter_of_an_hour(retries: int, jitter: float) -> None:
    assert 0 <= pause(retries, jitter) <= pause(retries + 1, jitter) <= 900


def test_185_retries_take_about_the_day_they_may_take() -> None:
    hours = sum(pause(retries, 0.5) for retries in range(185)) / 3600
    assert 20 <= hours <= 24


@given(
    retries=st.integers(0, 200),
    age=st.floats(0, 100_000),
    jitter=JITTER,
    asked=st.floats(-10, 200_000),
    most=st.integers(0, 185),
    longest=st.integers(60, 86_400),
)
def test_no_retry_is_past_the_policy_or_sooner_than_the_receiver_asked(
    retries: int, age: float, jitter: float, asked: float, most: int, longest: int
) -> None:
    policy = Policy(most_retries=most, longest_age=longest)
    failure = Failure(code="THROTTLING", message="429", retried=True, retry_after=asked)
    wait = after(failure, policy, retries=retries, age=age, jitter=jitter)
    if isinstance(wait, GiveUp):
        assert wait == GiveUp() if asked < 0 else wait.exhausted in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
    else:
        assert retries < most
        assert wait >= asked >= 0
        assert age + wait <= longest


@given(jitter=JITTER)
def test_a_policy_is_used_to_its_end(jitter: float) -> None:
    assert after(FAILED, Policy(most_retries=3), retries=2, age=0, jitter=jitter) == pause(2, jitter)
    assert after(FAILED, Policy(most_retries=3), retries=3, age=0, jitter=jitter) == GiveUp("MaximumRetryAttempts")
    policy = Policy.of({"RetryPolicy": {"MaximumRetryAttempts": 0}})
    assert (policy.most_retries, policy.longest_age) == (0, 86_400)
    assert Policy.of({}) == Policy(most_retries=185, longest_age=86_400)


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("120", 120),
        (" 120 ", 120),
        ("-1", -1),
        ("1.5", 0),
        ("1e999", 0),
        ("soon", 0),
        ("9" * 400, 0),
        (format_datetime(NOW.replace(minute=2), usegmt=True), 120),
        (format_datetime(NOW.replace(hour=11), usegmt=True), 0),
        ("Fri, 20 Nov 99999 12:00:00 GMT", 0),
    ],
)
def test_what_a_receiver_asks_for(value: str | None, seconds: float) -> None:
    assert retry_after(value, NOW.timestamp()) == seconds


@given(st.text())
def test_no_text_of_a_receivers_breaks_a_delivery(value: str) -> None:
    assert retry_after(value, NOW.timestamp()) >= -1e9
