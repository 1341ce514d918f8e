"""Deliveries on the DynamoDB that moto imitates: the table, and the function's steps over it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.adapters.deliveries import DeliveriesTable
from lambdas.adapters.shelves import ShelvesTable, dynamodb
from lambdas.core.deliveries import Delivery, Status, Step, UnknownStore, traced
from lambdas.core.ledger import Ledger, Receipt
from lambdas.core.settings import MissingSetting
from lambdas.core.versions import Conflict
from lambdas.delivery.driving import NotItsDelivery
from lambdas.delivery.handler import handler
from tests.adapters.conftest import DELIVERIES, TABLE
from tests.unit.test_deliveries import ALERT, ERROR, detail

DELIVERY = Delivery(ALERT, "S00001", "P0001", 40, "Rhine", "Rhine-11", 110.4, 125, ALERT)
HISTORIES = st.lists(st.builds(Step, st.sampled_from(Status), st.text(min_size=1), st.text()), min_size=1, max_size=4)


@pytest.fixture
def deliveries(aws: None) -> DeliveriesTable:
    ShelvesTable(dynamodb(), TABLE).write(Ledger("S00001", 1, receipts=(Receipt("earlier", "P0002", 3),)))
    return DeliveriesTable(dynamodb(), DELIVERIES, TABLE)


def ledger() -> Ledger:
    return ShelvesTable(dynamodb(), TABLE).read("S00001")


def receipts() -> list[tuple[str, int]]:
    return [(receipt.delivery_id, receipt.units) for receipt in ledger().receipts if receipt.delivery_id != "earlier"]


def test_what_was_never_written_is_none(deliveries: DeliveriesTable) -> None:
    assert deliveries.read(ALERT) is None


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(HISTORIES, st.integers(1, 10**6), st.floats(0, 26_000).map(lambda km: round(km, 1)), st.integers(0, 10**8))
def test_a_delivery_is_read_as_it_was_written(
    deliveries: DeliveriesTable, history: list[Step], units: int, distance_km: float, seconds: int
) -> None:
    dynamodb().delete_item(TableName=DELIVERIES, Key={"delivery_id": {"S": ALERT}})
    delivery = replace(DELIVERY, units=units, distance_km=distance_km, travel_seconds=seconds)
    for end in range(1, len(history) + 1):
        delivery = replace(delivery, history=tuple(history[:end]))
        deliveries.write(delivery)
    assert deliveries.read(ALERT) == delivery


def test_an_item_shows_where_the_delivery_stands(deliveries: DeliveriesTable) -> None:
    left = DELIVERY.dispatched("2026-11-20T12:00:00.000Z")

    def shown() -> dict[str, Any]:
        item = dynamodb().get_item(TableName=DELIVERIES, Key={"delivery_id": {"S": ALERT}})["Item"]
        return {name: next(iter(value.values())) for name, value in item.items() if name != "history"}

    deliveries.write(left)
    assert shown() == {
        "delivery_id": ALERT, "alert_id": ALERT, "store_id": "S00001", "product_id": "P0001", "units": "40",
        "depot": "Rhine", "truck": "Rhine-11", "distance_km": "110.4", "travel_seconds": "125", "execution": ALERT,
        "attempt": "1", "version": "1", "status": "IN_TRANSIT", "dispatched_at": "2026-11-20T12:00:00.000Z",
    }  # fmt: skip
    deliveries.write(left.failed("Lambda.Unknown: out of petrol", "2026-11-20T12:01:00.000Z"))
    assert (shown()["status"], shown()["reason"]) == ("FAILED", "Lambda.Unknown: out of petrol")


@pytest.mark.parametrize("stored", [0, 1, 2, 4])
def test_a_version_follows_only_the_one_before(deliveries: DeliveriesTable, stored: int) -> None:
    steps = tuple(Step(Status.IN_TRANSIT, "2026-11-20T12:00:00.000Z", str(number)) for number in range(6))
    for version in range(1, stored + 1):
        deliveries.write(replace(DELIVERY, history=steps[:version]))
    before = ledger()
    for version in {1, 2, 3, 4, 5} - {stored + 1}:
        for write in (deliveries.write, deliveries.unload):
            with pytest.raises(Conflict, match=ALERT):
                write(replace(DELIVERY, history=steps[:version], units=1))
    kept = deliveries.read(ALERT)
    assert kept == (replace(DELIVERY, history=steps[:stored]) if stored else None)
    # Neither half of a refused transaction took place.
    assert ledger() == before


def test_unloading_writes_the_delivery_and_the_receipt_and_raises_the_ledgers_version(
    deliveries: DeliveriesTable,
) -> None:
    before = ledger()
    deliveries.write(left := DELIVERY.dispatched("2026-11-20T12:00:00.000Z"))
    deliveries.unload(delivered := left.delivered("2026-11-20T12:02:00.000Z"))
    assert deliveries.read(ALERT) == delivered
    assert ledger() == replace(before, version=2, receipts=(*before.receipts, Receipt(ALERT, "P0001", 40)))
    with pytest.raises(Conflict):  # so a plan that StoreApp made meanwhile is made anew, with the receipt
        ShelvesTable(dynamodb(), TABLE).write(replace(before, version=2))


def test_at_a_store_without_a_ledger_nothing_is_unloaded_and_the_delivery_stays(deliveries: DeliveriesTable) -> None:
    deliveries.write(left := replace(DELIVERY, store_id="S00099").dispatched("2026-11-20T12:00:00.000Z"))
    with pytest.raises(UnknownStore, match="S00099 has never traded"):
        deliveries.unload(left.delivered("2026-11-20T12:02:00.000Z"))
    assert deliveries.read(ALERT) == left
    assert ShelvesTable(dynamodb(), TABLE).read("S00099") == Ledger("S00099")


@contextmanager
def answering(**reasons: str) -> Iterator[None]:
    """Have DynamoDB cancel the next transaction for these reasons, as it does under contention."""
    client = dynamodb()
    codes = [{"Code": reasons.get(part, "None")} for part in ("written", "booked")]
    error = {"Error": {"Code": "TransactionCanceledException", "Message": "…"}, "CancellationReasons": codes}
    with pytest.MonkeyPatch.context() as patch:

        def cancel(**_: Any) -> None:
            raise client.exceptions.TransactionCanceledException(error, "TransactWriteItems")  # type: ignore[arg-type]

        patch.setattr(client, "transact_write_items", cancel)
        yield


@pytest.mark.parametrize("part", ["written", "booked"])
def test_a_transaction_that_meets_another_is_a_conflict(deliveries: DeliveriesTable, part: str) -> None:
    with answering(**{part: "TransactionConflict"}), pytest.raises(Conflict):
        deliveries.unload(DELIVERY.delivered("2026-11-20T12:02:00.000Z"))


def test_any_other_cancellation_is_raised_as_it_is(deliveries: DeliveriesTable) -> None:
    with (
        answering(booked="ThrottlingError"),
        pytest.raises(dynamodb().exceptions.TransactionCanceledException),
    ):
        deliveries.unload(DELIVERY.delivered("2026-11-20T12:02:00.000Z"))


def test_any_other_error_is_not_a_conflict(aws: None) -> None:
    nowhere = DeliveriesTable(dynamodb(), "elsewhere", TABLE)
    for write in (nowhere.write, nowhere.unload):
        with pytest.raises(dynamodb().exceptions.ResourceNotFoundException):
            write(DELIVERY.dispatched("2026-11-20T12:00:00.000Z"))


# ---- the function ----


@pytest.fixture
def function(deliveries: DeliveriesTable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    for name, value in (
        ("DELIVERIES_TABLE_NAME", DELIVERIES),
        ("SHELVES_TABLE_NAME", TABLE),
        ("TRUCK_SPEEDUP", "60"),
    ):
        monkeypatch.setenv(name, value)
    return lambda step, **part: handler({"step": step, "execution": ALERT, **part}, None)


class Killed(BaseException):
    pass


@contextmanager
def killed_at(number: int, *, after_the_effect: bool) -> Iterator[None]:
    """Kill the process at its API call of a number, before the call reaches DynamoDB or after it took effect."""
    calls = iter(range(10**9))

    def kill(**_: Any) -> None:
        if next(calls) == number:
            raise Killed

    event = f"{'after' if after_the_effect else 'before'}-call.dynamodb"
    dynamodb().meta.events.register(event, kill)
    try:
        yield
    finally:
        dynamodb().meta.events.unregister(event, kill)


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("after_the_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", ["dispatch", "unload"])
def test_killed_at_an_api_call_and_repeated_there_is_one_delivery_and_one_receipt(
    function: Callable[..., dict[str, Any]],
    deliveries: DeliveriesTable,
    step: str,
    number: int,
    after_the_effect: bool,
) -> None:
    """Killed between two API calls, the delivery and the receipt must not have parted."""
    parts: dict[str, dict[str, Any]] = {"dispatch": {"detail": detail()}, "unload": {"delivery_id": ALERT}}
    for name, part in parts.items():
        if name == step:
            with suppress(Killed), killed_at(number, after_the_effect=after_the_effect):
                function(name, **part)
            delivery = deliveries.read(ALERT)
            assert receipts() == ([(ALERT, 40)] if delivery and delivery.status == Status.DELIVERED else [])
        function(name, **part)
    delivery = deliveries.read(ALERT)
    assert delivery is not None
    assert [step.status for step in delivery.history] == ["IN_TRANSIT", "DELIVERED"]
    assert receipts() == [(ALERT, 40)]


def test_the_steps_of_a_delivery_that_fails(
    function: Callable[..., dict[str, Any]], deliveries: DeliveriesTable
) -> None:
    assert function("dispatch", detail=detail()) == {"delivery_id": ALERT, "travel_seconds": 125}
    assert function("fail", detail=detail(), error=ERROR) == {"delivery_id": ALERT, "status": "FAILED"}
    delivery = deliveries.read(ALERT)
    assert delivery is not None
    assert delivery.reason == "Lambda.Unknown: The truck broke down."
    with pytest.raises(NotItsDelivery):
        function("unload", delivery_id=ALERT)


def test_a_step_is_billed_one_read_and_one_write(function: Callable[..., dict[str, Any]]) -> None:
    calls: list[str] = []

    def count(model: Any, **_: Any) -> None:
        calls.append(model.name)

    dynamodb().meta.events.register("before-call.dynamodb", count)
    try:
        for _ in range(2):
            function("dispatch", detail=detail())
            function("unload", delivery_id=ALERT)
    finally:
        dynamodb().meta.events.unregister("before-call.dynamodb", count)
    assert calls == ["GetItem", "PutItem", "GetItem", "TransactWriteItems", "GetItem", "GetItem"]


def test_an_unknown_step_is_refused(function: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="step must be dispatch, unload or fail, not 'drive'"):
        function("drive")


@pytest.mark.parametrize("name", ["DELIVERIES_TABLE_NAME", "SHELVES_TABLE_NAME", "TRUCK_SPEEDUP"])
def test_a_missing_setting_names_the_stack_that_passes_it(
    function: Callable[..., dict[str, Any]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(MissingSetting, match=rf"^{name} is not set; TrucksStack passes it\.$"):
        function("dispatch", detail=detail())


def test_a_step_is_one_log_line_with_the_ids_of_its_alert_and_what_came_of_it_is_counted(
    function: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    function("dispatch", detail=detail())
    function("unload", detail=detail(), delivery_id=ALERT)
    function("fail", detail=detail(), error=ERROR)  # too late: it was made
    other = detail("A-S00001-P0002-1")
    handler({"step": "fail", "execution": "A-S00001-P0002-1", "detail": other, "error": ERROR}, None)
    lines = [vars(record) for record in caplog.records]
    assert [line["step"] for line in lines] == ["dispatch", "unload", "fail", "fail"]
    for line, called in zip(lines, [detail(), detail(), detail(), other], strict=True):
        assert traced(called).items() <= line.items()
    counted = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    names = ("TrucksUnloaded", "DeliveriesFailed")
    assert [{name: metrics[name] for name in names if name in metrics} for metrics in counted] == [
        {"TrucksUnloaded": [1]},
        {"DeliveriesFailed": [1]},
    ]
