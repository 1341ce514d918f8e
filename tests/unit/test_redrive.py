"""Dead letters and halted deliveries live again: judged as their consumers judge, under kills at every call."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.deliveries import Delivery, Status
from lambdas.core.episodes import Episode
from lambdas.core.versions import Conflict
from lambdas.delivery import driving
from lambdas.stock_alert.noticing import notice
from lambdas.truck_dispatch.calling import call
from tests.unit.queues import Killed, Queues
from tests.unit.stock_events import damaged_events, event, good_events
from workshop.errors import WorkshopError
from workshop.movers import DeadLetter, Letter, MoveTask, SendThenDelete, look, to_queue
from workshop.redrive import (
    Lane,
    Redriven,
    Workflow,
    chosen,
    event_fault,
    lanes,
    redrive_deliveries,
    redrive_lane,
    sightings_fault,
    to_targets,
    truck_call_fault,
)

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ALERT = "A-S1-P1-1"
CALL = {
    "version": 1,
    "alert_id": ALERT,
    "store": {"store_id": "S1", "latitude": 51.0, "longitude": 4.0},
    "product": {"product_id": "P1"},
    "recommended_quantity": 20,
}
ARRIVAL = {
    "version": 1, "delivery_id": ALERT, "alert_id": ALERT, "store_id": "S1", "product_id": "P1", "units": 20,
    "delivered_at": "2026-11-20T12:00:00Z",
}  # fmt: skip


def no_report(_: float) -> None:
    pass


# --- What is poison is what the consumer would refuse for ever -------------------------------------------------------


class AnyAlerts:
    """Episodes that accept everything, so that only what a message says can fail it."""

    def recent(self, _store_id: str, _product_id: str) -> list[Episode]:
        return []

    def one(self, store_id: str, product_id: str, number: int) -> Episode | None:
        return Episode(
            store_id=store_id, product_id=product_id, number=number, state="OPEN", stock=0, threshold=1,
            noticed_at="2026-11-20T12:00:00.000Z", version=1,
        )  # fmt: skip

    def write(self, episode: Episode) -> None:
        pass


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_damaged = st.one_of(st.just(None), st.tuples(st.sampled_from([*ARRIVAL, *CALL, "more"]), _json))


def _damage(document: Mapping[str, Any], damage: tuple[str, Any] | None) -> dict[str, Any]:
    return dict(document) if damage is None else {**document, damage[0]: damage[1]}


_sightings = st.builds(
    lambda token, events: {"token": token, "events": events},
    st.sampled_from(["t/0", "t/1", "", "x" * 200]) | _json,
    st.lists(st.one_of(good_events(), damaged_events(), _json), max_size=3),
)
_arrivals = st.builds(
    lambda kind, damage: {"detail-type": kind, "source": "x", "detail": _damage(ARRIVAL, damage)},
    st.sampled_from(["DeliveryCompleted", "StockBelowThreshold"]),
    _damaged,
)
_bodies = st.one_of(
    st.text(), st.sampled_from(["[" * 100_000, "{", "null"]), st.one_of(_sightings, _arrivals, _json).map(json.dumps)
)


@settings(max_examples=100)
@given(_bodies)
def test_a_sightings_message_is_poison_exactly_when_the_alert_function_cannot_read_it(body: str) -> None:
    bus = SimpleNamespace(announce=lambda _: None)
    noticed = notice([{"messageId": "m", "body": body}], alerts=AnyAlerts(), bus=bus, now=lambda: NOW)
    assert (sightings_fault(body) is not None) == bool(noticed.failed), noticed.failed


@settings(max_examples=100)
@given(st.one_of(_bodies, _damaged.map(lambda damage: json.dumps({"detail": _damage(CALL, damage)}))))
def test_a_truck_call_is_poison_exactly_when_the_dispatcher_cannot_read_it(body: str) -> None:
    workflow = SimpleNamespace(start=lambda _name, _detail: None)
    failed = call([{"messageId": "m", "body": body}], workflow=workflow).failed
    assert (truck_call_fault(body) is not None) == bool(failed)


def test_poison_is_named_with_its_fault() -> None:
    assert sightings_fault("{") == "The message is not JSON."
    fault = sightings_fault(json.dumps({"token": "t", "events": [event(), event(stock=-1)]}))
    assert fault is not None
    assert fault.startswith("Event 1: stock must be from 0")
    assert (
        sightings_fault(json.dumps({"token": "t", "events": [event(received_at="2026-11-20T12:00:00.000Z")]})) is None
    )
    assert truck_call_fault(json.dumps({"detail": {**CALL, "version": 2}})) == "version must be 1, not 2."


# --- Our own mover ---------------------------------------------------------------------------------------------------


def judge(letter: Letter) -> DeadLetter:
    poison = letter.body.startswith("poison")
    return DeadLetter(letter.message_id, "unreadable" if poison else "failed", poison=poison)


def lane(queues: Queues) -> Lane:
    def ours() -> SendThenDelete:
        return SendThenDelete(queues, "dead", to_queue(queues, "queue"), clock=lambda: queues.now, sleep=queues.sleep)

    return Lane("queue", "dead", judge, ours, ours)


def buried(*bodies: str, **options: Any) -> Queues:
    queues = Queues(**options)
    queues.make("queue")
    queues.make("dead", dead_letters_of=["queue"])
    for body in bodies:
        queues.put("dead", body)
    return queues


def run(queues: Queues, *, rate: int = 500, dry_run: bool = False) -> Redriven:
    return redrive_lane(queues, lane(queues), rate=rate, dry_run=dry_run, progress=no_report)


def test_poison_stays_visible_and_is_named() -> None:
    queues = buried("a", "poison 1", "b", "poison 2")
    outcome = run(queues)
    assert (outcome.dead, outcome.moved) == (4, 2)
    assert sorted(letter.message_id for letter in outcome.left) == ["m1", "m3"]
    assert queues.bodies("queue") == ["a", "b"]
    assert queues.bodies("dead") == ["poison 1", "poison 2"]
    assert queues.hidden("dead") == []


def test_a_dry_run_tells_everything_and_moves_nothing() -> None:
    queues = buried("a", "poison")
    outcome = run(queues, dry_run=True)
    assert outcome.as_document() == {
        "dead": 2, "moved": 0,
        "left": [{"message_id": "m1", "reason": "unreadable"}], "ready": [{"message_id": "m0", "reason": "failed"}],
    }  # fmt: skip
    assert (queues.bodies("queue"), queues.bodies("dead"), queues.hidden("dead")) == ([], ["a", "poison"], [])
    assert "send" not in queues.calls


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(["a", "b", "poison"]), max_size=35),
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=3),
    st.integers(0, 1_000),
)
def test_killed_at_any_call_nothing_is_lost(kinds: list[str], kills: list[tuple[int, bool]], seed: int) -> None:
    bodies = [f"{kind} {number}" for number, kind in enumerate(kinds)]
    queues = buried(*bodies, rng=random.Random(seed))
    for kill_at, queues.kill_after in kills:
        queues.kill_at = len(queues.calls) + kill_at
        with suppress(Killed):
            run(queues)
        assert set(queues.bodies("dead")) | set(queues.bodies("queue")) == set(bodies), "lost in between"
        queues.revive()
    run(queues)
    arrived = Counter(queues.bodies("queue"))
    assert set(arrived) == {body for body in bodies if not body.startswith("poison")}
    assert queues.bodies("dead") == sorted(body for body in bodies if body.startswith("poison"))
    assert sum(arrived.values()) <= len(arrived) + 10 * len(kills), "a kill doubles one call's messages at most"


def test_interrupted_it_gives_back_what_it_holds() -> None:
    queues = buried(*(str(number) for number in range(30)))

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    mover = SendThenDelete(queues, "dead", to_queue(queues, "queue"), clock=lambda: 0, sleep=interrupt)
    with pytest.raises(KeyboardInterrupt):
        mover.move([f"m{number}" for number in range(30)], rate=500, progress=no_report)
    assert len(queues.bodies("queue")) == 10
    assert len(queues.bodies("dead")) == 20
    assert queues.hidden("dead") == []


@given(st.integers(1, 500), st.integers(1, 60))
def test_no_faster_than_asked(rate: int, count: int) -> None:
    queues = buried(*(str(number) for number in range(count)))
    run(queues, rate=rate)
    sent = sorted(queues.sent_at)
    assert len(sent) == count
    for place, at in enumerate(sent):
        within_a_second = sum(at <= other < at + 1 for other in sent[place:])
        assert within_a_second <= rate + 10, "a call of ten is the finest step"
    assert sent[-1] - sent[0] >= (count - 10) / rate - 1e-9


def test_what_the_queue_does_not_take_stays_dead() -> None:
    queues = buried("a", "b", "c", refuses=lambda body: body == "b")
    outcome = run(queues)
    assert outcome.moved == 2
    assert [(letter.message_id, letter.reason) for letter in outcome.left] == [
        ("m1", "SQS did not take it: InternalError")
    ]
    assert (queues.bodies("dead"), queues.hidden("dead")) == (["b"], [])


def test_large_messages_fit_into_the_calls() -> None:
    queues = buried(*("x" * 100_000 + str(number) for number in range(9)))
    assert run(queues).moved == 9


def test_what_dies_again_meanwhile_is_not_moved_twice() -> None:
    """A consumer that fails at once would otherwise keep the redrive busy for ever."""
    queues = buried("a", "b")
    send = to_queue(queues, "queue")

    def dies_again(letters: Sequence[Letter]) -> Mapping[str, str]:
        refused = send(letters)
        queues.messages["dead"] += queues.messages["queue"]
        queues.messages["queue"] = []
        return refused

    mover = SendThenDelete(queues, "dead", dies_again, clock=lambda: queues.now, sleep=queues.sleep)
    moved = mover.move([letter.message_id for letter in look(queues, "dead", judge)], rate=500, progress=no_report)
    assert moved.count == 2
    assert queues.bodies("dead") == ["a", "b"]


@pytest.mark.parametrize(("endpoint", "mover"), [(None, MoveTask), ("http://127.0.0.1:4566", SendThenDelete)])
def test_sqs_moves_on_aws_what_it_need_not_choose_from(endpoint: str | None, mover: type) -> None:
    queues = Queues()
    outputs = {"sightings_queue": "q", "sightings_dead_letters": "d", "truck_bus": "b", "truck_bus_dead_letters": "e"}
    target: Any = SimpleNamespace(client=lambda _: queues, endpoint=endpoint)
    found = lanes(target, {**outputs, "lake_bucket": "lake"})
    assert list(found) == ["sightings", "truck_bus"]
    assert isinstance(found["sightings"].mover(), mover)
    assert isinstance(found["sightings"].chooser(), SendThenDelete)
    assert isinstance(found["truck_bus"].mover(), SendThenDelete), "a bus's dead letters are no queue's"


@pytest.mark.parametrize("bodies", [["a", "b"], ["a", "poison"]])
def test_what_moves_everything_is_used_only_where_there_is_no_poison(bodies: list[str]) -> None:
    queues = buried(*bodies)
    whole = replace(lane(queues), mover=lambda: MoveTask(queues, "dead", "queue", sleep=queues.sleep))
    redrive_lane(queues, whole, rate=500, dry_run=False, progress=no_report)
    assert bool(queues.tasks) == ("poison" not in bodies)
    assert queues.bodies("dead") == [body for body in bodies if body == "poison"]


# --- A bus's dead letters --------------------------------------------------------------------------------------------


def bus_letter(target: str, **event: Any) -> Letter:
    body = {"version": "0", "detail-type": "StockBelowThreshold", "source": "inventory.alerts", "detail": CALL, **event}
    attributes = {"TARGET_ARN": {"DataType": "String", "StringValue": target}}
    return Letter(f"for {target}", "r", json.dumps(body), attributes, {})


def test_a_bus_sends_what_a_queue_missed_to_that_queue_alone_and_the_rest_out_again() -> None:
    queues = Queues()
    queues.make("calls")
    put: list[dict[str, Any]] = []

    def put_events(*, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        put.extend(Entries)
        return {"Entries": [{"ErrorCode": "ThrottlingException"} if "detail-type 2" in str(e) else {} for e in Entries]}

    send = to_targets(queues, SimpleNamespace(put_events=put_events), "bus", {"arn:calls": "calls"})
    letters = [
        bus_letter("arn:calls"),
        bus_letter("arn:webhook"),
        bus_letter("arn:2", **{"detail-type": "detail-type 2"}),
    ]
    assert send(letters) == {"for arn:2": "The bus did not take it: ThrottlingException"}
    assert queues.bodies("calls") == [letters[0].body]
    assert queues.messages["calls"][0].attributes == {}, "the target would not have had them"
    assert put[0] == {
        "EventBusName": "bus", "Source": "inventory.alerts", "DetailType": "StockBelowThreshold",
        "Detail": json.dumps(CALL),
    }  # fmt: skip


@pytest.mark.parametrize("body", ["", "[]", "{", '{"detail": {}}', '{"detail-type": 1, "source": "s", "detail": {}}'])
def test_what_is_no_event_is_poison_to_a_bus(body: str) -> None:
    assert event_fault(body)


def test_lanes_are_named_as_status_names_them_or_by_their_outputs() -> None:
    known = ["sightings", "truck_bus", "deliveries"]
    assert chosen([], known) == known
    assert chosen(["truck_bus_dead_letters", "sightings_queue"], known) == ["sightings", "truck_bus"]
    with pytest.raises(WorkshopError, match="'sighting'"):
        chosen(["sighting"], known)


# --- Deliveries ------------------------------------------------------------------------------------------------------


class AlreadyExists(Exception):
    pass


class DoesNotExist(Exception):
    pass


@dataclass
class Runs:
    """Step Functions as its API reference describes runs by name, and the deliveries' own code as what is run."""

    stored: dict[str, Delivery] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    now: datetime = NOW
    exceptions: Any = field(
        default_factory=lambda: SimpleNamespace(
            ExecutionAlreadyExists=AlreadyExists, ExecutionDoesNotExist=DoesNotExist
        )
    )

    def read(self, delivery_id: str) -> Delivery | None:
        return self.stored.get(delivery_id)

    def write(self, delivery: Delivery) -> None:
        before = self.stored.get(delivery.delivery_id)
        if (before.version if before else 0) != delivery.version - 1:
            raise Conflict
        self.stored[delivery.delivery_id] = delivery

    def unload(self, delivery: Delivery) -> None:
        self.write(delivery)

    def start_execution(self, *, name: str, input: str, **_: Any) -> None:
        if name in self.runs:
            raise AlreadyExists
        self.runs[name] = {"name": name, "status": "RUNNING", "input": input}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        machine, _, name = executionArn.rpartition(":")
        assert machine == "arn:aws:states:us-east-1:000000000000:execution:Workflow"
        if name not in self.runs:
            raise DoesNotExist
        return self.runs[name]

    def get_paginator(self, _: str) -> "Runs":
        return self

    def paginate(self, *, statusFilter: str, **_: Any) -> Iterator[dict[str, Any]]:  # noqa: N803
        for run in self.runs.values():
            if run["status"] == statusFilter:
                yield {"executions": [{"name": run["name"]}]}

    def workflow(self) -> Workflow:
        arn = "arn:aws:states:us-east-1:000000000000:stateMachine:Workflow"
        return Workflow(self, arn, self, now=self.clock)

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def end(self, name: str, status: str, **why: str) -> None:
        self.runs[name] |= {"status": status, **why}

    def dispatch(self, name: str) -> None:
        detail = json.loads(self.runs[name]["input"])
        driving.dispatch(detail, name, deliveries=self, now=self.clock, speedup=60)

    def fail(self, name: str) -> None:
        detail = json.loads(self.runs[name]["input"])
        error = {"Error": "UnknownStore", "Cause": "S1 has never traded."}
        driving.fail(detail, name, error, deliveries=self, now=self.clock, speedup=60)
        self.end(name, "FAILED", error="UnknownStore", cause="S1 has never traded.")

    def redrive(self, *, dry_run: bool = False) -> Redriven:
        return redrive_deliveries(self.workflow(), rate=500, dry_run=dry_run, sleep=no_report, progress=no_report)


def called() -> Runs:
    runs = Runs()
    runs.start_execution(name=ALERT, input=json.dumps(CALL))
    return runs


def test_a_failed_delivery_is_restarted_once_with_what_called_it() -> None:
    runs = called()
    runs.dispatch(ALERT)
    runs.fail(ALERT)
    told = runs.redrive(dry_run=True)
    assert told.as_document("delivery_id")["ready"] == [
        {"delivery_id": ALERT, "reason": "UnknownStore: S1 has never traded."}
    ]
    assert len(runs.runs) == 1
    assert runs.redrive().moved == 1
    assert runs.runs[f"{ALERT}-2"]["input"] == json.dumps(CALL)
    assert runs.redrive().as_document() == {"dead": 0, "moved": 0, "left": [], "ready": []}
    runs.dispatch(f"{ALERT}-2")
    delivery = runs.stored[ALERT]
    assert (delivery.status, delivery.attempt) == (Status.IN_TRANSIT, 2)


def test_one_that_fails_again_is_restarted_again_under_a_name_of_its_own() -> None:
    runs = called()
    runs.fail(ALERT)
    runs.redrive()
    runs.end(f"{ALERT}-2", "FAILED")  # before it wrote anything, so the delivery's attempt is still the first
    assert runs.redrive().moved == 1
    assert f"{ALERT}-3" in runs.runs


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_one_whose_run_ended_on_the_road_is_written_down_as_failed_and_driven_on(status: str) -> None:
    runs = called()
    runs.dispatch(ALERT)
    assert runs.redrive().dead == 0, "its run drives it"
    runs.end(ALERT, status)
    assert runs.redrive().moved == 1
    assert [step.status for step in runs.stored[ALERT].history] == [Status.IN_TRANSIT, Status.FAILED]
    runs.dispatch(f"{ALERT}-2")
    assert runs.stored[ALERT].status == Status.IN_TRANSIT


def test_one_that_another_run_drives_is_left_to_it() -> None:
    runs = called()
    runs.fail(ALERT)
    runs.start_execution(name="by hand", input=json.dumps(CALL))
    runs.dispatch("by hand")
    assert runs.redrive().dead == 0


def test_one_that_was_delivered_but_not_announced_announces_without_a_second_truck() -> None:
    runs = called()
    runs.dispatch(ALERT)
    driving.unload(ALERT, ALERT, deliveries=runs, now=runs.clock)
    runs.end(ALERT, "FAILED", error="EventBridge.Unavailable")
    assert runs.redrive().moved == 1
    before = runs.stored[ALERT]
    runs.dispatch(f"{ALERT}-2")
    driving.unload(ALERT, f"{ALERT}-2", deliveries=runs, now=runs.clock)
    runs.end(f"{ALERT}-2", "SUCCEEDED")
    assert runs.stored[ALERT] == before
    assert runs.redrive().dead == 0


def test_one_that_nothing_was_written_of_is_restarted() -> None:
    runs = called()
    runs.end(ALERT, "FAILED", error="Lambda.Unknown", cause="no answer")
    assert runs.redrive(dry_run=True).ready == [DeadLetter(ALERT, "Lambda.Unknown: no answer", poison=False)]
    assert runs.redrive().moved == 1


@pytest.mark.parametrize("detail", ["{", json.dumps({**CALL, "recommended_quantity": 0})])
def test_one_that_no_truck_can_follow_stays_and_is_named(detail: str) -> None:
    runs = called()
    runs.runs[ALERT]["input"] = detail
    runs.end(ALERT, "FAILED")
    outcome = runs.redrive()
    assert (outcome.dead, outcome.moved, len(outcome.left)) == (1, 0, 1)
    assert list(runs.runs) == [ALERT]


@pytest.mark.parametrize("is_on_the_road", [False, True])
def test_two_redrives_at_a_time_start_one_run(is_on_the_road: bool) -> None:
    runs = called()
    if is_on_the_road:
        runs.dispatch(ALERT)
    runs.end(ALERT, "ABORTED")
    first, second = runs.workflow(), runs.workflow()
    [mine], [theirs] = first.stranded(), second.stranded()
    assert first.restart(mine) is None
    assert second.restart(theirs) == "Somebody else took it up meanwhile."
    assert list(runs.runs) == [ALERT, f"{ALERT}-2"]


def test_a_kill_between_writing_and_starting_leaves_it_to_the_next_redrive() -> None:
    runs = called()
    runs.dispatch(ALERT)
    runs.end(ALERT, "ABORTED")
    start: Callable[..., None] = runs.start_execution

    def killed(**_: Any) -> None:
        raise Killed

    runs.start_execution = killed  # type: ignore[method-assign]
    with pytest.raises(Killed):
        runs.redrive()
    runs.start_execution = start  # type: ignore[method-assign]
    assert runs.redrive().moved == 1
    assert [step.status for step in runs.stored[ALERT].history] == [Status.IN_TRANSIT, Status.FAILED]
