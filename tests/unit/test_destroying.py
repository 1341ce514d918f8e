"""Stacks go in an order that CloudFormation accepts, whatever state a run that broke off has left them in."""

import io
import json
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from tests.unit.cloudformation import CloudFormation, Stack
from workshop import destroying, flow
from workshop.errors import WorkshopError
from workshop.steps import Steps
from workshop.target import Target


def stuck() -> None:
    raise ClientError({"Error": {"Code": "BucketNotEmpty", "Message": "no"}}, "DeleteBucket")


def target_with(**clients: Any) -> Target:
    return Target(name="aws", region="us-east-1", _clients=clients)


def delete_all(cloudformation: CloudFormation) -> list[str]:
    target = target_with(cloudformation=cloudformation)
    stacks = destroying.in_reverse(target, cloudformation.stacks)
    return destroying.delete(target, stacks, Steps(Console(file=io.StringIO())))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workshop.destroying.time.sleep", lambda _: None)


@given(st.permutations(range(6)), st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_who_imports_goes_before_who_exports_whenever_they_were_made(made: Sequence[int], uses: set[Any]) -> None:
    """Stacks 0 to 5 were made in any order; a later number imports from a lower one."""
    uses = {(max(pair), min(pair)) for pair in uses if pair[0] != pair[1]}
    stacks = {
        number: Stack(
            name=f"S{number}",
            exports=(f"value-of-{number}",),
            imports=tuple(f"value-of-{used}" for user, used in sorted(uses) if user == number),
        )
        for number in range(6)
    }
    cloudformation = CloudFormation(*(stacks[number] for number in made))
    gone = delete_all(cloudformation)
    assert len(gone) == 6
    assert all(gone.index(f"S{user}") < gone.index(f"S{used}") for user, used in uses)


def test_of_those_that_do_not_use_one_another_the_youngest_goes_first() -> None:
    assert delete_all(CloudFormation(Stack(name="A"), Stack(name="B"), Stack(name="C"))) == ["C", "B", "A"]


@pytest.mark.parametrize(
    "status",
    [
        "CREATE_FAILED",
        "CREATE_IN_PROGRESS",
        "DELETE_FAILED",
        "DELETE_IN_PROGRESS",
        "ROLLBACK_COMPLETE",
        "ROLLBACK_FAILED",
        "UPDATE_ROLLBACK_FAILED",
        "UPDATE_ROLLBACK_IN_PROGRESS",
    ],
)
def test_a_stack_goes_whatever_state_it_was_left_in(status: str) -> None:
    cloudformation = CloudFormation(Stack(name="Half", status=status))
    delete_all(cloudformation)
    assert cloudformation.stacks == {}


def test_a_stack_whose_first_change_set_never_ran_is_known_by_its_name() -> None:
    ours = Stack(name="InventoryLake", status="REVIEW_IN_PROGRESS", tags=[])
    others = Stack(name="Theirs", status="REVIEW_IN_PROGRESS", tags=[])
    cloudformation = CloudFormation(ours, others)
    assert delete_all(cloudformation) == ["InventoryLake"]
    assert list(cloudformation.stacks) == ["Theirs"]


def test_what_cannot_be_deleted_holds_up_its_stack_twice_and_then_no_more() -> None:
    stack = Stack(name="Held", resources={"queue": "AWS::SQS::Queue"}, on_delete={"queue": stuck})
    cloudformation = CloudFormation(stack, Stack(name="CDKToolkit", tags=[]))
    assert delete_all(cloudformation) == ["Held"]
    assert cloudformation.log == ["STANDARD Held", "STANDARD Held", "FORCE_DELETE_STACK Held"]
    assert list(cloudformation.stacks) == ["CDKToolkit"]


def test_a_stack_that_may_not_go_does_not_keep_the_others() -> None:
    somebodys = Stack(name="Somebody's", tags=[], imports=("bus",))
    stacks = (Stack(name="Used", exports=("bus",)), Stack(name="Kept", is_protected=True), Stack(name="Free"))
    cloudformation = CloudFormation(*stacks, somebodys)
    assert delete_all(cloudformation) == ["Free"]
    assert set(cloudformation.stacks) == {"Used", "Kept", "Somebody's"}
    assert cloudformation.log == ["STANDARD Free"]


class Logs:
    """A log group with these lines; each look takes the next of several states, the last for ever."""

    def __init__(self, *states: Sequence[str]) -> None:
        self._states = list(states)
        self.looks = 0

    def get_paginator(self, _: str) -> "Logs":
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        self.looks += 1
        lines = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return [{"events": [{"message": line} for line in lines]}]


def line(kind: str, run: str) -> str:
    return json.dumps({"time": "2026-11-20T12:00:00Z", "type": f"platform.{kind}", "record": {"requestId": run}})


class Functions:
    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"Timeout": 900, "LoggingConfig": {"LogGroup": "its-own"}}


RESOURCES = {"store_app": "StoreApp", "shelves_table": "shelves"}


def test_store_app_is_idle_when_every_start_has_its_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "books", lambda *_: [7])
    noise = ["START RequestId: 1", "[]", json.dumps({"message": "Stores traded"})]
    retried = [line("start", "a"), line("report", "a"), line("start", "a")]
    logs = Logs([*noise, *retried], [*noise, *retried], [*noise, *retried, line("report", "a")])
    target = target_with(logs=logs, **{"lambda": Functions()})
    destroying._wait_until_idle(target, RESOURCES, lambda _: None)
    assert logs.looks == 3


def test_store_app_is_idle_when_its_books_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([[1, 2], [2, 2], [2, 3], [3, 2]])
    monkeypatch.setattr(flow, "books", lambda *_: next(looks))
    target = target_with(logs=Logs([]), **{"lambda": Functions()})
    destroying._wait_until_idle(target, RESOURCES, lambda _: None)
    assert next(looks, None) is None


def test_a_store_app_that_never_rests_is_given_up_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "books", lambda *_: [7])
    clock = iter(range(0, 100_000, 100))
    monkeypatch.setattr("workshop.destroying.time.monotonic", lambda: float(next(clock)))
    target = target_with(logs=Logs([line("start", "a")]), **{"lambda": Functions()})
    with pytest.raises(WorkshopError, match="still runs after 960 s"):
        destroying._wait_until_idle(target, RESOURCES, lambda _: None)


class Firehose:
    def describe_delivery_stream(self, **_: Any) -> dict[str, Any]:
        processor = {"Parameters": [{"ParameterName": "BufferIntervalInSeconds", "ParameterValue": "15"}]}
        destination = {
            "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 60},
            "ProcessingConfiguration": {"Enabled": True, "Processors": [processor]},
        }
        return {"DeliveryStreamDescription": {"Destinations": [{"ExtendedS3DestinationDescription": destination}]}}


def test_the_stream_is_waited_for_as_long_as_it_may_buffer_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def wait(*_: Any, within: float, **__: Any) -> None:
        waited.append(within)
        raise WorkshopError("3 of 5 events are not in the lake", "Look.")

    monkeypatch.setattr(flow, "wait_until_queryable", wait)
    destroying._drain(target_with(firehose=Firehose()), {"delivery_stream": "s"}, lambda _: None)
    assert waited == [15 + 60 + destroying._BUFFER_SLACK_SECONDS]
