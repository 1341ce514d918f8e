"""The embedded AWS starts, is found, keeps what it holds, and goes when told to."""

import io
import json
import os
import signal
import socket
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import eventually
from tests.local_aws.conftest import FREE, served
from workshop.local_aws import launcher
from workshop.local_aws.clients import client
from workshop.local_aws.home import USUAL_PORT, Address, Home, HomeInUse


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "a home")
    yield home
    launcher.stop(home)


def bucket_names(endpoint: str) -> list[str]:
    return [bucket["Name"] for bucket in client("s3", endpoint).list_buckets()["Buckets"]]


def test_it_answers_where_it_says_and_only_on_this_machine(home: Home) -> None:
    address = launcher.start(home, port=FREE)
    assert home.address() == address
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(address.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}


def test_starting_it_twice_finds_the_one_that_runs(home: Home) -> None:
    assert launcher.start(home, port=FREE) == launcher.start(home, port=FREE)


def test_one_that_is_too_busy_to_answer_is_stopped_all_the_same(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher.start(home, port=FREE)
    monkeypatch.setattr(Address, "answers", lambda _: False)
    assert launcher.stop(home)
    assert not home.is_served()


def test_what_it_holds_is_there_again_after_a_stop(home: Home) -> None:
    s3 = client("s3", launcher.start(home, port=FREE).endpoint)
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="a/b", Body=b"bytes")
    assert launcher.stop(home)
    assert home.address() is None
    s3 = client("s3", launcher.start(home, port=FREE).endpoint)
    assert s3.get_object(Bucket="kept", Key="a/b")["Body"].read() == b"bytes"


def test_it_comes_back_where_it_was_and_elsewhere_its_queues_are_known_by_the_new_address(home: Home) -> None:
    first = launcher.start(home, port=FREE).endpoint
    url = client("sqs", first).create_queue(QueueName="kept")["QueueUrl"]
    client("sqs", first).send_message(QueueUrl=url, MessageBody="a letter")
    launcher.stop(home)
    assert launcher.start(home).endpoint == first
    launcher.stop(home)
    with socket.socket() as another_program:
        another_program.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        another_program.bind(("127.0.0.1", int(first.rpartition(":")[2])))
        another_program.listen()
        second = launcher.start(home).endpoint
        assert second != first
        sqs = client("sqs", second)
        assert sqs.list_queues()["QueueUrls"] == [url.replace(first, second)]
        assert sqs.get_queue_url(QueueName="kept")["QueueUrl"] == url.replace(first, second)
        assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "a letter"


def test_a_run_of_a_workflow_goes_on_after_a_stop(home: Home) -> None:
    definition = {
        "StartAt": "Wait",
        "States": {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Done"}, "Done": {"Type": "Succeed"}},
    }
    # A second becomes so long that the run cannot end before the stop, and then a thousandth.
    runs = client("stepfunctions", launcher.start(home, port=FREE, interval_factor=3_600).endpoint)
    machine = runs.create_state_machine(
        name="machine", definition=json.dumps(definition), roleArn="arn:aws:iam::000000000000:role/r"
    )["stateMachineArn"]
    run = runs.start_execution(stateMachineArn=machine, name="run", input='{"a":1}')["executionArn"]
    assert launcher.stop(home)
    runs = client("stepfunctions", launcher.start(home, port=FREE, interval_factor=0.001).endpoint)
    ended = eventually(
        lambda: (seen := runs.describe_execution(executionArn=run))["status"] != "RUNNING" and seen, within=20
    )
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"a": 1})


def test_a_message_that_a_function_was_at_work_on_comes_again_after_a_stop(home: Home, tmp_path: Path) -> None:
    may_end = tmp_path / "may end"
    source = f"""
import pathlib, time

def handler(event, context):
    while not pathlib.Path({str(may_end)!r}).exists():
        time.sleep(0.02)
"""
    endpoint = launcher.start(home, port=FREE).endpoint
    client("lambda", endpoint).create_function(
        FunctionName="waits",
        Runtime="python3.14",
        Role="arn:aws:iam::000000000000:role/r",
        Handler="waits.handler",
        Code={"ZipFile": zipped("waits.py", source)},
        Timeout=100,
    )
    sqs = client("sqs", endpoint)
    url = sqs.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("lambda", endpoint).create_event_source_mapping(FunctionName="waits", EventSourceArn=arn)
    sqs.send_message(QueueUrl=url, MessageBody="work")
    eventually(lambda: depths(endpoint, url) == (0, 1), within=20)
    launcher.stop(home)
    may_end.touch()
    endpoint = launcher.start(home, port=FREE).endpoint
    eventually(lambda: depths(endpoint, url) == (0, 0), within=20)


def depths(endpoint: str, url: str) -> tuple[int, int]:
    """Return how many messages of a queue wait, and how many somebody is at work on."""
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    told = client("sqs", endpoint).get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(told[names[0]]), int(told[names[1]])


def zipped(name: str, source: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, source)
    return file.getvalue()


def test_a_killed_one_leaves_nothing_that_hinders_the_next(home: Home) -> None:
    address = launcher.start(home, port=FREE)
    os.kill(address.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(address.pid)] if psutil.pid_exists(address.pid) else [], timeout=10)
    assert home.address() is None
    again = launcher.start(home, port=FREE)
    assert again.identity != address.identity
    assert bucket_names(again.endpoint) == []


def test_a_home_serves_one_at_a_time(home: Home) -> None:
    with home.served(), pytest.raises(HomeInUse), Home(home.root).served():
        pass


def test_looking_whether_it_runs_does_not_keep_it_from_starting(home: Home) -> None:
    with home.served():
        assert home.is_served()
    assert not home.is_served()
    with home.served():
        assert home.is_served()


def test_another_program_on_the_usual_port_is_left_alone(home: Home) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            pass  # Somebody is there already, which is the case to be shown.
        else:
            other.listen()
        address = launcher.start(home)
        assert not address.endpoint.endswith(f":{USUAL_PORT}")
        assert bucket_names(address.endpoint) == []


def test_a_server_that_cannot_start_says_why(home: Home) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(launcher.NotStarted, match="Address already in use"):
            launcher.start(home, port=other.getsockname()[1])
    assert home.address() is None


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("gateway")) as endpoint:
        yield endpoint


def post(endpoint: str, target: str, body: bytes, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(endpoint, data=body, headers={"X-Amz-Target": target, **headers})  # noqa: S310 - this machine
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - this machine
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff"])
def test_a_request_that_is_no_json_object_is_refused(endpoint: str, body: bytes) -> None:
    status, answer = post(endpoint, "Firehose_20150804.PutRecord", body)
    assert status == 400
    assert "SerializationException" in answer


def test_actions_we_do_not_answer_are_ministacks(endpoint: str) -> None:
    status, answer = post(endpoint, "Firehose_20150804.ListDeliveryStreams", b"{}")
    assert status == 200
    assert "DeliveryStreamNames" in answer


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1.elsewhere.example"},
        {"Host": "rebound.elsewhere.example:4566"},
        {"Host": "localhost.elsewhere.example"},
    ],
)
def test_a_web_page_from_elsewhere_is_refused(endpoint: str, headers: dict[str, str]) -> None:
    for target in ("Firehose_20150804.PutRecord", "Firehose_20150804.ListDeliveryStreams"):
        status, answer = post(endpoint, target, b"{}", **headers)
        assert status == 403
        assert "AccessDeniedException" in answer


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8888", "http://localhost:8888"])
def test_a_page_that_this_machine_serves_is_answered(endpoint: str, origin: str) -> None:
    status, _ = post(endpoint, "Firehose_20150804.ListDeliveryStreams", b"{}", Origin=origin)
    assert status == 200
