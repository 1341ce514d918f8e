"""Messages through the ports: what is written, whom it calls, and what fails alone."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from unittest import mock

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.contract import Refused
from lambdas.core.episodes import Episode, Step
from lambdas.core.notification import delivery_completed
from lambdas.core.versions import Conflict
from lambdas.stock_alert.noticing import Noticed, notice
from tests.adapters.in_memory import Alerts, Bus
from tests.unit.stock_events import GOOD

GLUE = Path(__file__).parents[2] / "glue"
CALL_SCHEMA, ARRIVAL_SCHEMA = (
    json.loads((GLUE / f"{name}.schema.json").read_bytes()) for name in ("stock_below_threshold", "delivery_completed")
)
FIRST: Final = "T"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ARRIVAL: dict[str, Any] = {
    "version": 1,
    "delivery_id": "D1",
    "alert_id": "A-S00001-P0006-1",
    "store_id": "S00001",
    "product_id": "P0006",
    "units": 80,
    "delivered_at": "2026-11-20T14:00:00.000+01:00",
}


def low(tick: int = 29, product: str = "P0006", **changes: Any) -> dict[str, Any]:
    """An event with which a shelf ran low, as the intake sends it."""
    changes = {
        "product_id": product,
        "stock": 20,
        "units_sold": 10,
        "received_at": "2026-11-20T12:00:00.123Z",
    } | changes
    return GOOD | {"event_id": f"S00001-{product}-{tick}"} | changes


def back(tick: int, product: str = "P0006") -> dict[str, Any]:
    return low(tick, product, stock=90, units_sold=0, units_received=80)


def message(*events: Any, token: str = FIRST) -> dict[str, Any]:
    return {"messageId": f"id of {token}", "body": json.dumps({"token": token, "events": events})}


def arrival(**changes: Any) -> dict[str, Any]:
    envelope = {"detail-type": "DeliveryCompleted", "source": "inventory.trucks", "detail": ARRIVAL | changes}
    return {"messageId": "arrival", "body": json.dumps(envelope)}


class Shop:
    """The stock alert over its ports."""

    def __init__(self) -> None:
        self.alerts, self.bus = Alerts(), Bus()

    def take(self, *records: dict[str, Any]) -> Noticed:
        return notice(records, alerts=self.alerts, bus=self.bus, now=lambda: NOON)

    def calls(self) -> list[str]:
        return [detail["alert_id"] for detail in self.bus.details]

    def states(self) -> dict[str, str]:
        return {episode.alert_id: episode.state for episode in self.alerts.episodes.values()}

    def episode(self) -> Episode:
        (episode,) = self.alerts.episodes.values()
        return episode


@pytest.fixture
def shop() -> Shop:
    return Shop()


class Killed(BaseException):
    """The process is gone."""


class Throttled(Exception):
    """The service does not take it now."""


def test_a_shelf_that_ran_low_calls_a_truck(shop: Shop) -> None:
    noticed = shop.take(message(low()))
    assert (noticed.failed, dict(noticed.steps), noticed.announced) == ({}, {Step.OPEN: 1}, 1)
    assert shop.bus.details == [
        {
            "version": 1,
            "alert_id": "A-S00001-P0006-1",
            "store": {
                "store_id": "S00001",
                "store_name": "Łódź & Söhne",
                "city": "Houthalen",
                "country": "BE",
                "latitude": 51.03408,
                "longitude": 5.37446,
            },
            "product": {
                "product_id": "P0006",
                "product_name": "Barlow rolled oats 500 g",
                "category": "Breakfast",
                "unit_price": 1.32,
            },
            "stock": 20,
            "threshold": 28,
            "recommended_quantity": shop.episode().ordered,
            "happened_at": "2026-01-05T07:15:00.000Z",
            "noticed_at": "2026-11-20T12:00:00.000Z",
            "event_id": "S00001-P0006-29",
        }
    ]
    jsonschema.validate(shop.bus.details[0], CALL_SCHEMA, cls=jsonschema.Draft202012Validator)


def test_what_is_nothing_new_writes_nothing_and_calls_nobody(shop: Shop) -> None:
    shop.take(message(low(29)))
    shop.take(message(low(30, units_sold=1), low(29), low(31, "P0007", stock=50), token="U"))
    assert (shop.alerts.writes, shop.calls()) == (1, ["A-S00001-P0006-1"])


def test_a_message_that_comes_ten_times_costs_one_write_and_one_call_more(shop: Shop) -> None:
    for _ in range(10):
        assert shop.take(message(low())).failed == {}
    assert (shop.alerts.writes, shop.calls()) == (2, ["A-S00001-P0006-1"] * 2)
    assert shop.bus.details[0] == shop.bus.details[1]


def test_a_whole_episode_is_one_write_for_each_thing_that_happened(shop: Shop) -> None:
    for record in (message(low(29)), arrival(), message(back(35), token="U"), message(low(40), token="V")):
        assert shop.take(record).failed == {}
    assert (shop.alerts.writes, shop.calls()) == (4, ["A-S00001-P0006-1", "A-S00001-P0006-2"])
    assert shop.states() == {"A-S00001-P0006-1": "CLOSED", "A-S00001-P0006-2": "OPEN"}


def test_in_a_message_the_earlier_event_comes_first_whatever_its_place(shop: Shop) -> None:
    shop.take(message(low(29)))
    shop.take(message(low(40, units_sold=1), back(35), token="U"))
    assert shop.states() == {"A-S00001-P0006-1": "CLOSED", "A-S00001-P0006-2": "OPEN"}


def test_what_was_over_within_the_message_calls_no_truck(shop: Shop) -> None:
    shop.take(message(low(29), back(35), low(31, "P0007")))
    assert (shop.states()["A-S00001-P0006-1"], shop.calls()) == ("CLOSED", ["A-S00001-P0007-1"])


@pytest.mark.parametrize("error", [Killed, Throttled])
@pytest.mark.parametrize("at", ["before", "after"])
def test_an_alert_that_was_written_and_perhaps_not_announced_is_announced_when_the_message_comes_again(
    shop: Shop, error: type[BaseException], at: str
) -> None:
    announce = shop.bus.announce

    def failing(details: Sequence[dict[str, Any]]) -> None:
        if at == "after":
            announce(details)
        raise error("bus")

    with mock.patch.object(shop.bus, "announce", failing):
        try:
            assert shop.take(message(low())).failed == {"id of T": "Throttled: bus"}
        except Killed:
            assert error is Killed
    assert shop.take(message(low(), token="U")).announced == 0
    assert shop.take(message(low())).announced == 1
    assert set(shop.calls()) == {"A-S00001-P0006-1"}
    assert shop.take(message(low())).announced == 0


def test_an_answer_that_was_lost_loses_no_call(shop: Shop) -> None:
    """The client repeats the write and is refused: the episode is there, and it is this message's own."""

    def written_twice(episode: Episode) -> None:
        Alerts.write(shop.alerts, episode)
        Alerts.write(shop.alerts, episode)

    with mock.patch.object(shop.alerts, "write", written_twice):
        assert shop.take(message(low())).failed == {}
    assert shop.calls() == ["A-S00001-P0006-1"]


def test_a_throttled_sighting_fails_its_message_and_stops_no_other(shop: Shop) -> None:
    def write(episode: Episode) -> None:
        if episode.product_id == "P0002":
            raise Throttled("try later")
        Alerts.write(shop.alerts, episode)

    events = [low(29, f"P000{number}") for number in (1, 2, 3)]
    with mock.patch.object(shop.alerts, "write", write):
        noticed = shop.take(message(*events), message(low(29, "P0004"), token="U"))
    assert noticed.failed == {"id of T": "Throttled: try later"}
    assert sorted(shop.calls()) == ["A-S00001-P0001-1", "A-S00001-P0003-1", "A-S00001-P0004-1"]
    assert shop.take(message(*events)).failed == {}
    assert set(shop.calls()) == {f"A-S00001-P000{number}-1" for number in (1, 2, 3, 4)}


def test_a_confirmation_that_fails_brings_the_message_again(shop: Shop) -> None:
    shop.take(message(low()))
    with mock.patch.object(shop.alerts, "write", side_effect=Throttled("try later")):
        assert shop.take(message(low())).failed == {"id of T": "Throttled: try later"}
    with mock.patch.object(shop.alerts, "write", side_effect=Conflict("somebody else")):
        assert shop.take(message(low())).failed == {}
    assert shop.episode().token == "T"


def test_whoever_is_refused_decides_anew_on_what_the_other_wrote(shop: Shop) -> None:
    """Another worker opens the episode between this one's reading and its writing."""
    recent = shop.alerts.recent
    other = Shop()
    other.alerts, other.bus = shop.alerts, shop.bus

    def overtaken(store_id: str, product_id: str) -> list[Episode]:
        read = recent(store_id, product_id)
        if not read:
            with mock.patch.object(shop.alerts, "recent", recent):
                other.take(message(low(), token="U"))
        return read

    with mock.patch.object(shop.alerts, "recent", overtaken):
        assert shop.take(message(low())).failed == {}
    assert (shop.calls(), shop.episode().token) == (["A-S00001-P0006-1"], "U")


def test_a_dispute_without_end_fails_the_message(shop: Shop) -> None:
    with mock.patch.object(shop.alerts, "write", side_effect=Conflict("always")) as write:
        assert shop.take(message(low())).failed == {"id of T": "Conflict: always"}
    assert write.call_count == 20


def test_a_truck_that_came_is_written_down_once(shop: Shop) -> None:
    shop.take(message(low()))
    for _ in range(3):
        assert shop.take(arrival()).failed == {}
    episode = shop.episode()
    assert (episode.delivered_at, episode.delivered_units, episode.token) == ("2026-11-20T13:00:00.000Z", 80, None)
    assert shop.alerts.writes == 2


def test_a_truck_that_came_while_the_episode_changed_is_written_down(shop: Shop) -> None:
    shop.take(message(low()))
    one = shop.alerts.one

    def overtaken(*shelf: Any) -> Episode | None:
        read = one(*shelf)
        shop.take(message(back(35), token="U"))
        return read

    with mock.patch.object(shop.alerts, "one", overtaken):
        assert shop.take(arrival()).failed == {}
    assert (shop.episode().state, shop.episode().delivered_units) == ("CLOSED", 80)


def test_a_truck_that_nobody_called_says_so(shop: Shop) -> None:
    assert shop.take(arrival()).failed == {
        "arrival": "UnknownAlert: A-S00001-P0006-1 is no alert; send the delivery again under the right one."
    }


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "The message is not JSON."),
        ("[" * 100_000, "The message is not JSON."),
        ("9" * 5_000, "The message is not JSON."),
        ("[]", "neither sightings with their token nor a DeliveryCompleted"),
        ('{"token": "", "events": []}', "neither sightings"),
        ('{"token": 5, "events": []}', "neither sightings"),
        (json.dumps({"token": "T" * 101, "events": []}), "neither sightings"),
        ('{"token": "T", "events": {}}', "neither sightings"),
        ('{"detail-type": "StockBelowThreshold", "detail": {}}', "neither sightings"),
        ('{"detail-type": "DeliveryCompleted", "detail": []}', "The detail of DeliveryCompleted is not an object."),
        ('{"detail-type": "DeliveryCompleted", "detail": {}}', "version is missing."),
        ('{"token": "T", "events": [null]}', "Event 0: The document is null, not an object."),
        ('{"token": "T", "events": [{}]}', "Event 0: event_id is missing."),
        (message(low(stock=-1))["body"], "Event 0: stock must be from 0 to 1000000, not -1."),
        (message(low(stock=10**9))["body"], "Event 0: stock must be from 0 to 1000000, not 1000000000."),
        (message(low(stock=True))["body"], "Event 0: stock must be an integer, not true."),
        (message(low(latitude=float("nan")))["body"], "Event 0: latitude must be from -90 to 90, not nan."),
        (message(*[{}] * 5)["body"], "Event 2: event_id is missing. And 2 more."),
    ],
)
def test_a_poison_message_fails_alone_with_its_reason(shop: Shop, body: str, reason: str) -> None:
    noticed = shop.take(message(low(29, "P0001")), {"messageId": "poison", "body": body}, message(low(), token="U"))
    assert noticed.failed.keys() == {"poison"}
    assert reason in noticed.failed["poison"]
    assert shop.calls() == ["A-S00001-P0001-1", "A-S00001-P0006-1"]


def test_a_malformed_event_fails_its_message_and_harms_no_neighbour(shop: Shop) -> None:
    noticed = shop.take(message(low(29, "P0001"), low(event_id="S1-P1-1"), low()))
    assert noticed.failed == {"id of T": "Event 1: event_id must be S00001-P0006-tick, not 'S1-P1-1'."}
    assert shop.calls() == ["A-S00001-P0001-1", "A-S00001-P0006-1"]


def test_a_reason_is_never_long(shop: Shop) -> None:
    with mock.patch.object(shop.alerts, "recent", side_effect=Throttled("x" * 100_000)):
        (reason,) = shop.take(message(*(low(29, f"P{number}") for number in range(500)))).failed.values()
    assert len(reason) < 1_000
    assert reason.endswith("And 497 more.")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([low(), ARRIVAL]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["token", "events", "detail-type", "detail", "x"]), inner, max_size=3)
    ),
)
BODIES = st.one_of(
    st.text(max_size=20),
    JSON_VALUES.map(json.dumps),
    st.lists(JSON_VALUES, max_size=3).map(lambda events: json.dumps({"token": "T", "events": events})),
    JSON_VALUES.map(lambda detail: json.dumps({"detail-type": "DeliveryCompleted", "detail": detail})),
)


@settings(max_examples=300, deadline=None)
@given(BODIES)
def test_no_body_whatever_raises(body: str) -> None:
    shop = Shop()
    noticed = shop.take({"messageId": "strange", "body": body}, message(low(40, "P0007"), token="U"))
    assert noticed.failed.keys() <= {"strange"}
    assert "A-S00001-P0007-1" in shop.calls()


MOMENTS = ("dispatched_at", "delivered_at")
VALUES: list[Any] = [
    None, True, False, 0, 1, 2, 1.0, 1_000_000, 1_000_001, -1, "", "x", "x" * 120, "x" * 121, "S1", "S00002",
    "Ａ1", "A-S00001-P0006-12", "A-S00001-P0006-0", [], {},
]  # fmt: skip
DAMAGE = st.one_of(
    st.tuples(st.sampled_from(sorted({*ARRIVAL_SCHEMA["properties"], "x"} - {*MOMENTS})), st.sampled_from(VALUES)),
    st.tuples(st.sampled_from(sorted(ARRIVAL)), st.just(...)),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(DAMAGE, max_size=2).map(dict))
def test_an_arrival_is_read_exactly_when_the_schema_allows_it(damage: dict[str, Any]) -> None:
    """And when its parts agree, and no integer is written as 1.0."""
    detail = {name: value for name, value in (ARRIVAL | damage).items() if value is not ...}
    allowed = jsonschema.Draft202012Validator(ARRIVAL_SCHEMA).is_valid(detail) and not any(
        isinstance(value, float) for value in detail.values()
    )
    allowed = allowed and detail["alert_id"].startswith(f"A-{detail['store_id']}-{detail['product_id']}-")
    if allowed:
        read = delivery_completed(detail)
        assert (read.alert_id, read.units) == (detail["alert_id"], detail["units"])
    else:
        with pytest.raises(Refused, match=r"^\w+ (is|must) .*\.$"):
            delivery_completed(detail)


@pytest.mark.parametrize("name", ["alert_id", "store_id", "product_id"])
def test_an_id_does_not_end_in_a_newline(name: str) -> None:
    with pytest.raises(Refused, match=name):
        delivery_completed(ARRIVAL | {name: f"{ARRIVAL[name]}\n"})


@pytest.mark.parametrize("name", MOMENTS)
@pytest.mark.parametrize(
    ("moment", "utc"),
    [
        ("2026-11-20T12:00:00Z", "2026-11-20T12:00:00.000Z"),
        ("2026-11-20T12:00:00.1234567Z", "2026-11-20T12:00:00.123Z"),
        ("2026-11-20T23:30:00-01:00", "2026-11-21T00:30:00.000Z"),
        ("2026-11-20T12:00:00", None),
        ("2026-11-20", None),
        ("2026-11-31T12:00:00Z", None),
        ("2026-11-20T24:00:00Z", None),
        ("2026-11-20T12:00:00Z\n", None),
        ("٢٠٢٦-11-20T12:00:00Z", None),
        ("9999-12-31T23:59:59-01:00", None),
        (20261120, None),
    ],
)
def test_moments_have_a_date_a_time_and_an_offset(name: str, moment: object, utc: str | None) -> None:
    if utc is None:
        with pytest.raises(Refused, match=rf"^{name} must be a moment such as 2026-11-20T12:00:00Z\.$"):
            delivery_completed(ARRIVAL | {name: moment})
    else:
        read = delivery_completed(ARRIVAL | {name: moment})
        assert name != "delivered_at" or read.delivered_at == utc
