"""One event's hops follow from the evidence: each that was seen at its time, each that is due and was not by name."""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lambdas.adapters.alerts import AlertsTable
from lambdas.adapters.deliveries import DeliveriesTable
from lambdas.adapters.shelves import ShelvesTable
from lambdas.core.deliveries import Delivery
from lambdas.core.episodes import Episode
from lambdas.core.ledger import Ledger, Plan
from lambdas.core.sightings import sighting
from tests.adapters.imitated_aws import imitated_aws
from tests.unit.stock_events import event, line
from workshop import ask, screen, tracing
from workshop.target import Target
from workshop.tracing import Detour, Evidence, Receipt, Row, Trace, UnknownEvent, follow, trace

RESOURCES = {
    "store_app": "app",
    "delivery_stream": "stream",
    "database": "inventory",
    "stock_alert": "alert-function",
    "alerts_table": "alerts",
    "deliveries_table": "deliveries",
    "shelves_table": "shelves",
}
WITHOUT_TRUCKS = {name: value for name, value in RESOURCES.items() if name != "deliveries_table"}

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
INTO_THE_LAKE = ["produced", "accepted", "object", "row"]
FROM_THE_ALERT = ["sighting", "alert", "truck", "unloaded", "shelf", "closed"]


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def iso(seconds: float) -> str:
    return after(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_id(tick: int) -> str:
    return f"S00001-P0001-{tick}"


def row(tick: int = 50, received: float = 0.0, stock: int = 3, sold: int = 4, units_received: int = 0) -> Row:
    """A row of the shelf whose threshold is 5."""
    seen = sighting(
        event(
            event_id=event_id(tick),
            store_id="S00001",
            product_id="P0001",
            stock=stock,
            threshold=5,
            units_sold=sold,
            units_received=units_received,
        )
    )
    return Row("s3://lake/stock_events/dt=2026-11-20/a.parquet", "2026-11-20", after(received), NOON, seen)


def episode(number: int = 1, opened: int | None = 50, closed: int | None = None, **changes: Any) -> Episode:
    ends: dict[str, Any] = {}
    if opened is not None:
        ends |= {"opened_tick": opened, "opened_at": iso(0), "opened_event": event_id(opened), "opened_exactly": True}
    if closed is not None:
        ends |= {"closed_tick": closed, "closed_at": iso(9), "closed_event": event_id(closed), "closed_exactly": True}
    return Episode(
        store_id="S00001",
        product_id="P0001",
        number=number,
        state="OPEN" if closed is None else "CLOSED",
        stock=3,
        threshold=5,
        version=1,
        **{"noticed_at": iso(1), "ordered": 0 if opened is None else 20, **ends, **changes},
    )


def delivery(number: int = 1) -> Delivery:
    return Delivery(
        delivery_id=f"A-S00001-P0001-{number}",
        store_id="S00001",
        product_id="P0001",
        units=20,
        depot="Ghent",
        truck="T-7",
        distance_km=12.0,
        travel_seconds=3,
        execution=f"A-S00001-P0001-{number}",
    )


def evidence(**changes: Any) -> Evidence:
    left = delivery().dispatched(iso(2))
    whole: dict[str, Any] = {
        "event_id": event_id(50),
        "rows": [row()],
        "written_at": after(60),
        "episodes": [episode(closed=70, delivered_at=iso(5))],
        "deliveries": {left.delivery_id: left.delivered(iso(5))},
        "receipts": [Receipt(event_id(70), after(8), "s3://lake/stock_events/b.parquet", 20)],
    }
    return Evidence(**{**whole, **changes})


def names(found: Trace) -> list[str]:
    return [hop.name for hop in found.hops]


def hop(found: Trace, name: str) -> Any:
    [one] = [each for each in found.hops if each.name == name]
    return one


def test_a_low_event_is_followed_from_the_store_to_the_filled_shelf() -> None:
    found = follow(evidence(), RESOURCES)
    # The alert does not wait for the lake: Firehose buffers for a minute, and the truck has come and gone by then.
    assert names(found) == ["produced", "accepted", *FROM_THE_ALERT, "object", "row"]
    assert found.missing == ()
    assert found.waits() == [None, None, 1, 0, 1, 3, 3, None, 52, 0]
    assert {each.name: each.where for each in found.hops} == {
        "produced": "app",
        "accepted": "stream",
        "object": "s3://lake/stock_events/dt=2026-11-20/a.parquet",
        "row": "inventory.stock_events, dt=2026-11-20",
        "sighting": "alert-function",
        "alert": "alerts/S00001-P0001/1",
        "truck": "A-S00001-P0001-1",
        "unloaded": "deliveries/A-S00001-P0001-1",
        "shelf": "s3://lake/stock_events/b.parquet",
        "closed": "alerts/S00001-P0001/1",
    }


def test_the_document_has_the_four_keys_of_each_hop_and_what_is_missing() -> None:
    document = follow(evidence(episodes=[]), RESOURCES).as_document()
    assert document == {
        "event_id": event_id(50),
        "hops": [
            {"hop": "produced", "at": None, "seconds_since_previous": None, "where": "app"},
            {"hop": "accepted", "at": iso(0), "seconds_since_previous": None, "where": "stream"},
            {"hop": "object", "at": iso(60), "seconds_since_previous": 60.0, "where": row().object},
            {
                "hop": "row",
                "at": iso(60),
                "seconds_since_previous": 0.0,
                "where": "inventory.stock_events, dt=2026-11-20",
            },
        ],
        "missing": ["sighting", "alert"],
    }


@pytest.mark.parametrize("units_received", [0, 3])
def test_nothing_is_due_after_the_lake_when_the_shelf_is_not_low(units_received: int) -> None:
    found = follow(evidence(rows=[row(stock=9, units_received=units_received)], episodes=[]), RESOURCES)
    assert names(found) == INTO_THE_LAKE
    assert found.missing == ()


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"deliveries": {}, "episodes": [episode()]}, ("truck", "unloaded", "shelf", "closed")),
        (
            {"deliveries": {"A-S00001-P0001-1": delivery().dispatched(iso(2))}, "episodes": [episode()]},
            ("unloaded", "shelf", "closed"),
        ),
        ({"receipts": [], "episodes": [episode()]}, ("shelf", "closed")),
        ({"episodes": [episode()]}, ("closed",)),
        ({"written_at": None}, ("object",)),
        ({"rows": [], "written_at": None}, ("object", "row")),
    ],
)
def test_what_is_due_and_was_not_seen_is_named(changes: dict[str, Any], missing: tuple[str, ...]) -> None:
    found = follow(evidence(**changes), RESOURCES)
    assert found.missing == missing
    assert set(names(found)) == {*INTO_THE_LAKE, *FROM_THE_ALERT} - set(missing)


def test_a_failed_delivery_says_why() -> None:
    failed = delivery().dispatched(iso(2)).failed("The store is not known.", iso(4))
    found = follow(evidence(deliveries={failed.delivery_id: failed}, episodes=[episode()]), RESOURCES)
    assert "FAILED: The store is not known." in hop(found, "truck").note
    assert found.missing == ("unloaded", "shelf", "closed")


def test_a_receipt_from_before_the_truck_had_unloaded_is_not_the_truck_s() -> None:
    overnight = Receipt(event_id(60), after(4.999), "s3://lake/night.parquet", 7)
    truck = Receipt(event_id(70), after(5), "s3://lake/truck.parquet", 20)
    assert hop(follow(evidence(receipts=[overnight, truck]), RESOURCES), "shelf").where == truck.object
    assert "shelf" in follow(evidence(receipts=[overnight]), RESOURCES).missing


def test_without_our_trucks_only_what_they_delivered_is_due() -> None:
    waiting = follow(evidence(deliveries={}, episodes=[episode()]), WITHOUT_TRUCKS)
    assert waiting.missing == ("closed",)
    came = follow(evidence(deliveries={}), WITHOUT_TRUCKS)
    assert came.missing == ()
    assert hop(came, "unloaded").where == "alerts/S00001-P0001/1"
    assert "truck" not in names(came)


def test_a_low_event_within_an_episode_belongs_to_it_without_a_sighting_of_its_own() -> None:
    found = follow(evidence(event_id=event_id(55), rows=[row(tick=55)]), RESOURCES)
    assert "sighting" not in (*names(found), *found.missing)
    assert event_id(50) in hop(found, "alert").note


def test_of_two_open_episodes_the_later_one_that_had_begun_is_the_event_s() -> None:
    both = [episode(1), episode(2, opened=80)]
    at_70 = follow(evidence(event_id=event_id(70), rows=[row(tick=70)], episodes=both), RESOURCES)
    at_90 = follow(evidence(event_id=event_id(90), rows=[row(tick=90)], episodes=both), RESOURCES)
    assert hop(at_70, "alert").where.endswith("/1")
    assert hop(at_90, "alert").where.endswith("/2")


def test_an_episode_that_began_for_certain_after_a_low_event_is_not_its_own() -> None:
    later = episode(2, opened=60)
    assert follow(evidence(episodes=[later]), RESOURCES).missing == ("sighting", "alert")
    unsure = replace(later, opened_exactly=False)
    assert hop(follow(evidence(episodes=[unsure]), RESOURCES), "alert").where.endswith("/2")


def test_an_episode_that_was_over_before_it_was_noticed_called_no_truck() -> None:
    found = follow(evidence(episodes=[episode(opened=None, closed=70)], deliveries={}), RESOURCES)
    assert {"truck", "unloaded", "shelf"}.isdisjoint((*names(found), *found.missing))
    assert "no truck" in hop(found, "alert").note
    assert hop(found, "closed").at == after(1)


def test_an_event_that_closed_an_episode_shows_that() -> None:
    back = row(tick=70, stock=20, sold=0, units_received=18)
    found = follow(evidence(event_id=event_id(70), rows=[back]), RESOURCES)
    assert names(found) == [*INTO_THE_LAKE, "sighting", "closed"]
    assert found.missing == ()


def test_an_event_that_brought_the_shelf_back_has_to_be_seen() -> None:
    back = row(tick=70, stock=20, sold=0, units_received=18)
    unseen = follow(evidence(event_id=event_id(70), rows=[back], episodes=[episode()]), RESOURCES)
    assert unseen.missing == ("sighting", "closed")
    told_later = follow(evidence(event_id=event_id(70), rows=[back], episodes=[episode(closed=72)]), RESOURCES)
    assert hop(told_later, "closed").where.endswith("/1")
    assert told_later.missing == ()


@pytest.mark.parametrize(("kind", "missing"), [("quarantined", ()), ("failed", ("object", "row"))])
def test_an_event_that_did_not_get_into_the_lake_lies_elsewhere_with_the_reason(
    kind: str, missing: tuple[str, ...]
) -> None:
    detour = Detour(kind, "s3://lake/elsewhere", after(1), "It is not good enough.")
    found = follow(evidence(rows=[], detour=detour, episodes=[]), RESOURCES)
    assert names(found) == ["produced", "accepted", kind]
    assert found.waits() == [None, None, 59]
    assert (hop(found, kind).where, hop(found, kind).note) == (detour.object, detour.reason)
    assert found.missing == missing


def test_an_object_is_not_written_before_its_record_was_accepted() -> None:
    """S3 tells that in whole seconds: its Last-Modified is an HTTP date (HeadObject, S3 API reference)."""
    found = follow(evidence(rows=[row(received=0.7)], written_at=after(0), episodes=[]), RESOURCES)
    assert found.waits() == [None, None, 0, 0]


def test_a_repeated_delivery_is_mentioned_and_the_first_one_followed() -> None:
    again = replace(row(received=5), object="s3://lake/again.parquet")
    found = follow(evidence(rows=[row(), again]), RESOURCES)
    assert hop(found, "row").note == "delivered 1 more time"
    assert hop(found, "accepted").at == NOON


MOMENTS = st.floats(-100, 100).map(lambda seconds: round(seconds, 3))


@given(received=MOMENTS, written=st.none() | MOMENTS, noticed=MOMENTS, left=MOMENTS, came=MOMENTS, booked=MOMENTS)
def test_no_hop_waits_less_than_nothing_whatever_the_clocks_say(
    received: float, written: float | None, noticed: float, left: float, came: float, booked: float
) -> None:
    on_the_way = delivery().dispatched(iso(left))
    found = follow(
        evidence(
            rows=[row(received=received)],
            written_at=None if written is None else after(written),
            episodes=[episode(noticed_at=iso(noticed), closed=70)],
            deliveries={on_the_way.delivery_id: on_the_way.delivered(iso(came))},
            receipts=[Receipt(event_id(70), after(booked), "s3://lake/b.parquet", 20)],
        ),
        RESOURCES,
    )
    assert all(wait is None or wait >= 0 for wait in found.waits())
    assert sorted([*names(found), *found.missing]) == sorted([*INTO_THE_LAKE, *FROM_THE_ALERT])
    assert names(found)[0] == "produced"


class NoClients(Target):
    """A target on which nothing may be asked."""

    def client(self, service: str) -> Any:
        raise AssertionError(service)


@pytest.mark.parametrize(
    "malformed", ["", "S1", "S1-P1", "S1-P1-x", "s1-p1-1", "S1-P1-1\n", "S1-P1-1' OR '1'='1", "S1-P1-١", "A" * 10_000]
)
def test_a_malformed_id_is_refused_before_anything_is_asked(malformed: str) -> None:
    with pytest.raises(UnknownEvent) as refused:
        trace(NoClients(name="local", region="us-east-1"), RESOURCES, malformed)
    assert "is no event id" in refused.value.message
    assert len(refused.value.message) < 100


IN_AWS = {**RESOURCES, "lake_bucket": "lake", "workgroup": "group"}


class Lake:
    """What Athena would answer, by the first words of the questions, and the texts that it was asked with."""

    def __init__(self, answers: dict[str, list[list[Any]]]) -> None:
        self.answers = answers
        self.asked: dict[str, list[str]] = {}

    def ask(self, _: Target, __: object, statement: str, *, texts: list[str]) -> ask.Answer:
        question = ask.question(statement)
        assert statement.removeprefix(f"-- {question}").count("?") == len(texts)
        self.asked[question] = list(texts)
        rows = next((rows for begins, rows in self.answers.items() if question.startswith(begins)), [])
        return ask.Answer(columns=[], types=[], rows=rows, data_scanned_bytes=0, milliseconds=0)


@pytest.fixture
def aws() -> Iterator[Target]:
    with imitated_aws() as target:
        target.client("s3").create_bucket(Bucket="lake")
        yield target


def lake(monkeypatch: pytest.MonkeyPatch, **answers: list[list[Any]]) -> Lake:
    begins = {"event": "How did an event", "receipts": "When were units", "refused": "Why was a document"}
    stand_in = Lake({begins[name]: rows for name, rows in answers.items()})
    monkeypatch.setattr(tracing, "ask", stand_in.ask)
    return stand_in


def naive(seconds: float) -> datetime:
    """A moment as PyAthena returns it."""
    return after(seconds).replace(tzinfo=None)


def test_the_evidence_is_gathered_from_athena_s3_and_dynamodb(aws: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = lake(
        monkeypatch,
        event=[["s3://lake/stock_events/a.parquet", "2026-11-20", naive(0), naive(-9), 3, 5, 4, 0]],
        receipts=[
            [event_id(49), naive(7), "s3://lake/before_but_late.parquet", 7],
            [event_id(70), naive(8), "s3://lake/b.parquet", 20],
        ],
    )
    aws.client("s3").put_object(Bucket="lake", Key="stock_events/a.parquet", Body=b"PAR1")
    AlertsTable(aws.client("dynamodb"), "alerts").write(episode())
    deliveries = DeliveriesTable(aws.client("dynamodb"), "deliveries", "shelves")
    deliveries.write(delivery().dispatched(iso(2)))
    deliveries.write(delivery().dispatched(iso(2)).delivered(iso(5)))
    found = trace(aws, IN_AWS, event_id(50))
    assert set(names(found)) == {*INTO_THE_LAKE, *FROM_THE_ALERT} - {"closed"}
    assert found.missing == ("closed",)
    assert hop(found, "shelf").where == "s3://lake/b.parquet"
    assert asked.asked == {
        "How did an event reach the lake? One row for each time it was delivered, the first one first.": [event_id(50)],
        "When were units put on a shelf? In the order of the store's own time.": ["S00001", "P0001"],
    }


def test_an_object_that_is_gone_is_missing(aws: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    lake(monkeypatch, event=[["s3://lake/gone.parquet", "2026-11-20", naive(0), naive(-9), 9, 5, 4, 0]])
    assert trace(aws, IN_AWS, event_id(50)).missing == ("object",)


def test_an_event_is_found_in_the_batch_that_firehose_failed_on(aws: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    lake(monkeypatch)
    lines = line(event_id=event_id(500)) + "\n" + line(event_id=event_id(50))
    envelope = {
        "attemptsMade": 4,
        "arrivalTimestamp": round(NOON.timestamp() * 1000),
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "The quarantine was not there.",
        "attemptEndingTimestamp": 0,
        "rawData": base64.b64encode(lines.encode()).decode(),
        "lambdaArn": "arn",
    }
    for key, body in (("a", "no JSON"), ("b", json.dumps(envelope))):
        aws.client("s3").put_object(Bucket="lake", Key=f"errors/processing-failed/{key}", Body=body.encode())
    found = trace(aws, IN_AWS, event_id(50))
    assert hop(found, "failed").where == "s3://lake/errors/processing-failed/b"
    assert "The quarantine was not there." in hop(found, "failed").note
    assert hop(found, "accepted").at == NOON
    assert found.missing == ("object", "row")
    with pytest.raises(UnknownEvent):
        trace(aws, IN_AWS, event_id(5))


def test_an_alert_may_be_there_before_the_row(aws: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    lake(monkeypatch)
    AlertsTable(aws.client("dynamodb"), "alerts").write(episode())
    found = trace(aws, IN_AWS, event_id(50))
    assert names(found) == ["produced", "accepted", "sighting", "alert"]
    assert found.missing == ("object", "row", "truck", "unloaded", "shelf", "closed")


@pytest.mark.parametrize(
    ("ledger", "says"),
    [
        (None, "no store S00001 has traded"),
        (Ledger("S00001", 1, next_tick=50), "has not happened yet: S00001 has traded until tick 49"),
        (Ledger("S00001", 1, next_tick=51), "Firehose still buffers it"),
        (Ledger("S00001", 1, 49, plan=Plan("run", 7, range(49, 51), 1, overnight=False)), "Firehose still buffers it"),
    ],
)
def test_an_event_that_nothing_has_seen_is_an_error_that_says_what_the_books_know(
    aws: Target, monkeypatch: pytest.MonkeyPatch, ledger: Ledger | None, says: str
) -> None:
    lake(monkeypatch)
    if ledger:
        ShelvesTable(aws.client("dynamodb"), "shelves").write(ledger)
    with pytest.raises(UnknownEvent, match=says) as refused:
        trace(aws, IN_AWS, event_id(50))
    assert refused.value.next_step


def test_what_is_seen_in_a_trace_is_shown_and_never_obeyed() -> None:
    evil = Detour("quarantined", "s3://lake/[red]x", after(1), "bad \x1b]0;owned\x07[bold]")
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    console.print(screen.trace_table(follow(evidence(rows=[], detour=evil), RESOURCES)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b]0" not in text
    assert "[bold]" in text
    assert "s3://lake/[red]x" in text
