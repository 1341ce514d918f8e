"""Deliveries under repeated, interleaved and killed steps, and the calls that start them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.deliveries import BadCall, Call, Delivery, Status, UnknownStore, run_name, traced
from lambdas.core.ledger import Ledger
from lambdas.core.versions import Conflict
from lambdas.delivery.driving import NotItsDelivery, dispatch, fail, unload
from lambdas.truck_dispatch.calling import call
from tests.adapters.in_memory_trucks import Deliveries, Shelves, Workflow
from workshop.places import ROOT

ALERT = "A-S00001-P0001-1"
ERROR = {"Error": "Lambda.Unknown", "Cause": "The truck broke down."}
LEGAL = {
    (None, Status.IN_TRANSIT),
    (None, Status.FAILED),
    (Status.IN_TRANSIT, Status.DELIVERED),
    (Status.IN_TRANSIT, Status.FAILED),
    (Status.FAILED, Status.IN_TRANSIT),
}


def detail(alert_id: str = ALERT, units: int = 40, **changes: Any) -> dict[str, Any]:
    """A StockBelowThreshold from Bonn, 85 km from the Rhine depot."""
    _, store_id, product_id, _ = alert_id.split("-")
    store = {"store_id": store_id, "store_name": "Bonner Markt", "city": "Bonn", "country": "DE"}
    product = {"product_id": product_id, "product_name": "baguette", "category": "Bakery", "unit_price": 1.29}
    return {
        "version": 1,
        "alert_id": alert_id,
        "store": {**store, "latitude": 50.7, "longitude": 7.1},
        "product": product,
        "stock": 3,
        "threshold": 9,
        "recommended_quantity": units,
        "happened_at": "2026-01-05T12:15:00.000Z",
        "noticed_at": "2026-11-20T12:00:00.000Z",
        "event_id": f"{store_id}-{product_id}-49",
        **changes,
    }


def validate(document: object, schema: str) -> None:
    contract = json.loads((ROOT / "glue" / schema).read_bytes())
    jsonschema.validate(document, contract, format_checker=jsonschema.FormatChecker())


def clock() -> Callable[[], datetime]:
    moments: Iterator[datetime] = (datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=n) for n in range(10**6))
    return lambda: next(moments)


class World:
    """A store that trades, and trucks."""

    def __init__(self, *stores: str) -> None:
        self.shelves = Shelves()
        self.deliveries = Deliveries(self.shelves)
        self.now = clock()
        for store_id in stores:
            self.open(store_id)

    def open(self, store_id: str) -> None:
        self.shelves.ledgers.setdefault(store_id, Ledger(store_id, version=1))

    def dispatch(self, execution: str = ALERT, alert: str = ALERT) -> dict[str, Any]:
        return dispatch(detail(alert), execution, deliveries=self.deliveries, now=self.now, speedup=60)

    def unload(self, execution: str = ALERT, alert: str = ALERT) -> dict[str, Any]:
        return unload(alert, execution, deliveries=self.deliveries, now=self.now)

    def fail(self, execution: str = ALERT, alert: str = ALERT, error: dict[str, str] = ERROR) -> dict[str, Any]:
        return fail(detail(alert), execution, error, deliveries=self.deliveries, now=self.now, speedup=60)

    @property
    def delivery(self) -> Delivery:
        return self.deliveries.deliveries[ALERT]

    def receipts(self) -> Counter[str]:
        """Units that were put into stores, by delivery; each delivery once."""
        receipts = [receipt for ledger in self.shelves.ledgers.values() for receipt in ledger.receipts]
        assert len({receipt.delivery_id for receipt in receipts}) == len(receipts)
        return Counter({receipt.delivery_id: receipt.units for receipt in receipts})


def test_a_truck_goes_from_the_nearest_depot_and_its_units_reach_the_shelf() -> None:
    world = World("S00001")
    validate(detail(), "stock_below_threshold.schema.json")
    # 84.6 km as the crow flies are 110 by road: 110 minutes and 15 for loading, at sixty times the pace.
    assert world.dispatch() == {"delivery_id": ALERT, "travel_seconds": 125}
    assert (world.delivery.depot, world.delivery.truck, world.delivery.distance_km) == ("Rhine", "Rhine-11", 110.0)
    assert not world.receipts()
    completed = world.unload()
    validate(completed, "delivery_completed.schema.json")
    assert (completed["alert_id"], completed["units"], completed["truck"]) == (ALERT, 40, "Rhine-11")
    assert world.receipts() == {ALERT: 40}
    assert [(step.status, step.at) for step in world.delivery.history] == [
        ("IN_TRANSIT", completed["dispatched_at"]),
        ("DELIVERED", completed["delivered_at"]),
    ]


def test_a_step_that_is_repeated_answers_the_same_and_takes_effect_once() -> None:
    world = World("S00001")
    assert world.dispatch() == world.dispatch()
    assert world.unload() == world.unload()
    assert world.delivery.version == 2
    assert world.receipts() == {ALERT: 40}


def test_another_run_for_a_delivery_on_its_way_is_refused_and_cannot_fail_it() -> None:
    world = World("S00001")
    world.dispatch()
    for step in (world.dispatch, world.unload):
        with pytest.raises(NotItsDelivery, match=f"another cannot drive {ALERT}: it is IN_TRANSIT by {ALERT}"):
            step("another")
    assert world.fail("another")["status"] == "IN_TRANSIT"
    world.unload()
    assert world.receipts() == {ALERT: 40}


def test_a_run_that_finds_the_delivery_made_drives_nowhere_and_announces_again() -> None:
    world = World("S00001")
    world.dispatch()
    completed = world.unload()
    assert world.dispatch("another") == {"delivery_id": ALERT, "travel_seconds": 0}
    assert world.unload("another") == completed
    assert world.fail("another")["status"] == "DELIVERED"
    assert (world.delivery.version, world.receipts()) == (2, {ALERT: 40})


def test_a_failed_delivery_shows_its_reason_and_is_restarted_by_a_run_of_the_next_name() -> None:
    world = World()
    world.dispatch()
    with pytest.raises(UnknownStore):
        world.unload()
    raised = {"errorMessage": "S00001 has never traded.", "errorType": "UnknownStore", "stackTrace": ["…"]}
    world.fail(error={"Error": "UnknownStore", "Cause": json.dumps(raised)})
    assert (world.delivery.status, world.delivery.reason) == ("FAILED", "UnknownStore: S00001 has never traded.")
    assert not world.receipts()

    for late in (world.dispatch, world.unload):  # calls of the run that has given up, which come late
        with pytest.raises(NotItsDelivery):
            late()
    world.open("S00001")
    second = run_name(world.delivery.alert_id, world.delivery.attempt + 1)
    assert second == f"{ALERT}-2"
    world.dispatch(second)
    with pytest.raises(NotItsDelivery):
        world.unload()
    world.unload(second)
    assert [step.status for step in world.delivery.history] == ["IN_TRANSIT", "FAILED", "IN_TRANSIT", "DELIVERED"]
    assert (world.delivery.attempt, world.delivery.execution) == (2, second)
    assert world.receipts() == {ALERT: 40}


def test_a_delivery_that_could_not_even_be_dispatched_is_visible_as_failed() -> None:
    world = World("S00001")
    world.fail(error={"Error": "Lambda.ServiceException", "Cause": "no function " * 100})
    assert world.delivery.status == "FAILED"
    assert len(world.delivery.reason or "") == 500
    assert world.delivery.dispatched_at is None
    world.dispatch(run_name(world.delivery.alert_id, world.delivery.attempt + 1))
    assert [step.status for step in world.delivery.history] == ["FAILED", "IN_TRANSIT"]


def test_what_was_never_dispatched_cannot_be_unloaded() -> None:
    with pytest.raises(NotItsDelivery, match="was not dispatched"):
        World("S00001").unload()


class Killed(BaseException):
    """The step's process ends here."""


class Port:
    """The deliveries as one step sees them: others act between its calls, and it may be killed at one of them."""

    def __init__(self, world: World, meanwhile: Callable[[], None], killed_at: int | None) -> None:
        self._world = world
        self._meanwhile = meanwhile
        self._killed_at = killed_at
        self._moments = 0

    def _moment(self) -> None:
        if self._moments == self._killed_at:
            raise Killed
        self._moments += 1

    def read(self, delivery_id: str) -> Delivery | None:
        self._moment()
        found = self._world.deliveries.read(delivery_id)
        self._meanwhile()
        return found

    def write(self, delivery: Delivery) -> None:
        self._moment()
        self._world.deliveries.write(delivery)
        self._moment()

    def unload(self, delivery: Delivery) -> None:
        self._moment()
        self._world.deliveries.unload(delivery)
        self._moment()


ALERTS = [ALERT, "A-S00001-P0002-1", "A-S00002-P0001-1"]
ACTIONS = st.tuples(
    st.sampled_from(ALERTS),
    st.sampled_from(["dispatch", "dispatch", "unload", "unload", "fail"]),
    st.integers(1, 3),
    st.none() | st.integers(0, 2),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(ACTIONS, max_size=40), st.integers(0, 40))
def test_whatever_is_repeated_interleaved_and_killed_units_received_are_units_delivered(
    actions: list[tuple[str, str, int, int | None]], opening: int
) -> None:
    """Runs take their steps in any order, each while the next ones happen between its calls; one store opens late."""
    world = World("S00001")
    pending = iter(enumerate(actions))

    def act() -> None:
        number, (alert, step, run, killed_at) = next(pending)
        if number == opening:
            world.open("S00002")
        execution = alert if run == 1 else f"{alert}-{run}"
        port = Port(world, lambda: act() if number % 3 else None, killed_at)
        with suppress(Killed, Conflict, NotItsDelivery, UnknownStore):
            if step == "dispatch":
                dispatch(detail(alert), execution, deliveries=port, now=world.now, speedup=60)
            elif step == "unload":
                unload(alert, execution, deliveries=port, now=world.now)
            else:
                fail(detail(alert), execution, ERROR, deliveries=port, now=world.now, speedup=60)
        check()

    def check() -> None:
        delivered = {}
        for delivery in world.deliveries.deliveries.values():
            statuses = [None, *(step.status for step in delivery.history)]
            assert set(pairwise(statuses)) <= LEGAL
            assert delivery.attempt <= statuses.count(Status.FAILED) + 1
            if delivery.status == Status.DELIVERED:
                delivered[delivery.delivery_id] = delivery.units
        assert world.receipts() == delivered

    with suppress(StopIteration):
        while True:
            act()
    check()


@pytest.mark.parametrize("killed_at", range(6))
@pytest.mark.parametrize("step", ["dispatch", "unload"])
def test_killed_at_any_call_and_repeated_it_is_as_if_nothing_had_happened(step: str, killed_at: int) -> None:
    world = World("S00001")
    kill: dict[str, int] = {step: killed_at}
    for name in ("dispatch", "unload"):
        port = Port(world, lambda: None, kill.get(name))
        with suppress(Killed):
            if name == "dispatch":
                dispatch(detail(), ALERT, deliveries=port, now=world.now, speedup=60)
            else:
                unload(ALERT, ALERT, deliveries=port, now=world.now)
        getattr(world, name)()
    assert [step.status for step in world.delivery.history] == ["IN_TRANSIT", "DELIVERED"]
    assert world.receipts() == {ALERT: 40}


def changed(path: str, value: Any) -> dict[str, Any]:
    document = detail()
    *parents, last = path.split(".")
    part = document
    for parent in parents:
        part = part[parent]
    part[last] = value
    return document


BAD_CALLS = {
    "no object": ([], "The detail must be an object"),
    "another version": (changed("version", 2), "version must be 1, not 2"),
    "an id of another form": (changed("alert_id", "A-S00001-P0001-0"), "alert_id must be A-store-product-number"),
    "an id that is no text": (changed("alert_id", 7), "alert_id must be A-store-product-number, not 7"),
    "no units": (changed("recommended_quantity", 0), "recommended_quantity must be a whole number from 1"),
    "units that are true": (changed("recommended_quantity", True), "recommended_quantity must be a whole number"),
    "half a unit": (changed("recommended_quantity", 0.5), "recommended_quantity must be a whole number"),
    "absurdly many": (changed("recommended_quantity", 10**7), "recommended_quantity must be .* not 10000000"),
    "no store": (changed("store", None), "store must be an object, not None"),
    "no product": (changed("product", "P0001"), "product must be an object, not 'P0001'"),
    "another store": (changed("store.store_id", "S00002"), "store_id must be the alert's, S00001, not 'S00002'"),
    "another product": (changed("product.product_id", "P2"), "product_id must be the alert's, P0001, not 'P2'"),
    "beyond the pole": (changed("store.latitude", 90.1), "latitude must be a number from -90 to 90, not 90.1"),
    "nowhere": (changed("store.longitude", float("nan")), "longitude must be a number from -180 to 180, not nan"),
    "a place as text": (changed("store.longitude", "7.1"), "longitude must be a number from -180 to 180, not '7.1'"),
    "a long mistake": (changed("alert_id", "x" * 10_000), "^.{1,150}$"),
}


@pytest.mark.parametrize(("document", "message"), BAD_CALLS.values(), ids=BAD_CALLS)
def test_a_call_that_no_truck_can_follow_is_refused_in_one_sentence(document: Any, message: str) -> None:
    with pytest.raises(BadCall, match=message):
        Call.parse(document)


def message(message_id: str, document: object) -> dict[str, Any]:
    """An SQS record of an event that EventBridge passed on."""
    envelope = {"version": "0", "source": "inventory.alerts", "detail-type": "StockBelowThreshold", "detail": document}
    return {"messageId": message_id, "body": json.dumps(envelope)}


def test_a_run_is_named_after_its_alert_and_a_second_call_starts_none() -> None:
    workflow = Workflow()
    called = call([message("1", detail()), message("2", detail())], workflow=workflow)
    assert (called.details, called.failed) == ([detail(), detail()], {})
    assert workflow.runs == {ALERT: detail()}


@pytest.mark.parametrize(
    "body", ["", "{", "[]", "null", '{"detail": null}', '{"detail": {}}', json.dumps({"detail": detail(version=2)})]
)
def test_a_poisonous_message_fails_alone_and_says_why(body: str) -> None:
    workflow = Workflow()
    others = [message("1", detail()), message("3", detail("A-S00001-P0002-1"))]
    poison = {"messageId": "2", "body": body}
    called = call([others[0], poison, others[1]], workflow=workflow)
    assert list(called.failed) == ["2"]
    assert list(workflow.runs) == [ALERT, "A-S00001-P0002-1"]
    assert str(called.failed["2"]).endswith(".")


def test_a_run_that_could_not_be_started_is_asked_for_again_and_harms_no_other() -> None:
    class Throttled(Workflow):
        def start(self, name: str, detail: dict[str, Any]) -> None:
            if name == ALERT:
                raise TimeoutError("throttled")
            super().start(name, detail)

    workflow = Throttled()
    failed = call([message("1", detail()), message("2", detail("A-S00001-P0002-1"))], workflow=workflow).failed
    assert (list(failed), list(workflow.runs)) == (["1"], ["A-S00001-P0002-1"])


def test_what_a_log_says_of_a_call_is_two_ids_whatever_the_call_holds() -> None:
    assert traced(detail()) == {"correlation_id": detail()["event_id"], "alert_id": ALERT}
    strangers: tuple[object, ...] = (None, [], {}, {"event_id": 1, "alert_id": ["A"]}, {"event_id": "E" * 10_000})
    for strange in strangers:
        assert traced(strange) == {"correlation_id": None, "alert_id": None}
