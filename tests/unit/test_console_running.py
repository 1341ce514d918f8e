"""The page's run of StoreApp: one at a time, ended between two portions, and every ending told."""

import io
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import eventually
from workshop.console.running import NothingRuns, Runs, RunUnderWay
from workshop.errors import WorkshopError
from workshop.target import Target
from workshop.trade import PORTION_HOURS

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOLD = {"events": 7, "from": "a", "to": "b", "units_sold": 5, "units_received": 2}


class StoreApp:
    """Answers as the function does, and has `meanwhile` happen in the portion of that number."""

    def __init__(self, meanwhile: Mapping[int, Callable[[], None]] | None = None) -> None:
        self.payloads: list[dict[str, int]] = []
        self._meanwhile = meanwhile or {}

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        assert FunctionName == "its name"
        self.payloads.append(json.loads(Payload))
        self._meanwhile.get(len(self.payloads), lambda: None)()
        return {"Payload": io.BytesIO(json.dumps(TOLD).encode())}


def runs_of(store_app: StoreApp, poke: Callable[[], None] = lambda: None) -> Runs:
    target = Target(name="local", region="us-east-1", _clients={"invoker": store_app})
    return Runs(lambda: (target, {"store_app": "its name"}), poke=poke, now=lambda: NOW)


def ended(runs: Runs) -> dict[str, Any]:
    eventually(lambda: runs.document()["ended_at"], within=10)
    return runs.document()


def test_a_run_is_told_from_its_beginning_to_its_summary() -> None:
    seen: list[tuple[str, float]] = []
    store_app = StoreApp()
    runs = runs_of(store_app, poke=lambda: seen.append((runs.document()["state"], runs.document()["progress"])))
    assert runs.document()["state"] == "idle"
    begun = runs.begin(hours=48, stores=30, products=20)
    assert begun["begun_at"] == NOW.isoformat()
    assert (begun["hours"], begun["stores"], begun["products"]) == (48, 30, 20)
    done = ended(runs)
    assert (done["state"], done["progress"], done["problem"]) == ("done", 1.0, None)
    assert done["summary"]["events"] == 7 * len(store_app.payloads)
    eventually(lambda: ("done", 1.0) in seen, within=10)
    assert {0.25, 0.5, 0.75} <= {progress for _, progress in seen}


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.data())
def test_stopped_it_ends_after_the_portion_under_way(days: int, data: st.DataObject) -> None:
    portion = data.draw(st.integers(1, days))
    store_app = StoreApp({portion: lambda: (runs.stop(), None)[1]})
    runs = runs_of(store_app)
    runs.begin(hours=days * PORTION_HOURS, stores=1, products=1)
    assert ended(runs)["state"] == ("stopped" if portion < days else "done")
    assert len(store_app.payloads) == portion


def test_there_is_one_run_at_a_time_until_it_has_ended() -> None:
    go_on = threading.Event()
    runs = runs_of(StoreApp({1: lambda: (go_on.wait(10), None)[1]}))
    runs.begin(hours=48, stores=1, products=1)
    with pytest.raises(RunUnderWay):
        runs.begin(hours=1, stores=1, products=1)
    assert runs.stop()["state"] == "stopping"
    with pytest.raises(RunUnderWay):
        runs.begin(hours=1, stores=1, products=1)
    go_on.set()
    assert ended(runs)["state"] == "stopped"
    with pytest.raises(NothingRuns):
        runs.stop()
    again = runs.begin(hours=1, stores=1, products=1)
    assert again["ended_at"] is None
    assert ended(runs)["state"] == "done"


def refuse(error: Exception) -> Callable[[], None]:
    def refused() -> None:
        raise error

    return refused


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (WorkshopError("Nothing is deployed here yet.", "Run `up`."), "Nothing is deployed here yet."),
        (
            ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "The token is expired"}}, "Invoke"),
            "AWS refused Invoke: The token is expired (ExpiredTokenException).",
        ),
        (NoCredentialsError(), "AWS could not be reached: Unable to locate credentials."),
        (ZeroDivisionError("unforeseen"), "The page's server failed."),
    ],
)
def test_a_failure_is_a_sentence_and_the_next_run_is_free_to_begin(error: Exception, says: str) -> None:
    runs = runs_of(StoreApp({1: refuse(error)}))
    runs.begin(hours=1, stores=1, products=1)
    document = ended(runs)
    assert document["state"] == "failed"
    assert document["problem"]["message"] == says
    assert document["problem"]["next_step"]
    runs.begin(hours=1, stores=1, products=1)
    assert ended(runs)["state"] == "done"
