"""What the live page asks the lake: the statements of glue/console, over events that came twice, late and long ago."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lambdas.core.contract import timestamp
from tests.local_aws.athena import asking
from tests.local_aws.athena.conftest import Opens
from tests.local_aws.athena.events import deliver, event, simulate
from tests.local_aws.athena.lake import NOW, Lake, workshop_tables
from workshop.ask import Answer
from workshop.console import looking
from workshop.local_aws.athena import Athena
from workshop.target import Target

Events = list[dict[str, Any]]
TARGET = Target(name="local", region="us-east-1", endpoint="http://127.0.0.1:1")
HOSTILE = "<img src=x onerror=alert(1)>\u2028'\"; DROP TABLE"
_READ: dict[str, Callable[[str], Any]] = {"integer": int, "timestamp": datetime.fromisoformat, "varchar": str}


@pytest.fixture
def over(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> Callable[[Events], None]:
    """Return what fills the lake that `looking` asks."""

    def fill(events: Events) -> None:
        lake = Lake(workshop_tables())
        half = len(events) // 2
        lake.put_events(events[:half], "first")
        lake.put_events(events[half:], "second")
        athena = opens(lake)
        monkeypatch.setattr(looking, "ask", lambda _, __, statement, *, texts: answer(athena, statement, texts))

    return fill


def answer(athena: Athena, statement: str, texts: Sequence[str]) -> Answer:
    assert statement.startswith("-- ")
    told = asking.ask(athena, statement, [f"'{text}'" for text in texts])
    assert told.reason == ""
    kinds = [kind for _, kind in told.columns]
    rows = [
        [value if value is None else _READ[kind](value) for kind, value in zip(kinds, row, strict=True)]
        for row in told.rows
    ]
    return Answer([name for name, _ in told.columns], kinds, rows, told.scanned, 1)


IS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "latest": bool,
    "low": lambda one: one["stock"] < one["threshold"] <= one["stock"] + one["units_sold"] - one["units_received"],
    "received": lambda one: one["units_received"] > 0,
}


@pytest.mark.parametrize("kind", IS)
@pytest.mark.parametrize("seed", range(3))
def test_the_latest_events_of_a_kind_are_told_each_once(over: Callable[[Events], None], kind: str, seed: int) -> None:
    arrived = deliver(simulate(seed), seed)
    over(arrived)
    latest: dict[str, dict[str, Any]] = {}
    for one in sorted(filter(IS[kind], arrived), key=lambda one: one["received_at"]):
        latest[one["event_id"]] = one
    expected = sorted(latest.values(), key=lambda one: str(one["event_id"]))
    expected.sort(key=lambda one: (one["received_at"], one["event_time"]), reverse=True)
    shown = looking.recent(TARGET, {}, kind=kind, now=NOW)
    assert shown["query"]["data_scanned_bytes"] > 0
    assert [each["event_id"] for each in shown["events"]] == [each["event_id"] for each in expected[:100]]
    for each, one in zip(shown["events"], expected, strict=False):
        assert each == {
            name: timestamp(one[name].replace(tzinfo=UTC)) if isinstance(one[name], datetime) else one[name]
            for name in each
        }
        assert set(each) == {
            "event_id", "event_time", "store_id", "store_name", "product_id", "product_name", "stock", "threshold",
            "units_sold", "units_received", "received_at",
        }  # fmt: skip


def test_days_long_past_are_searched_only_when_the_latest_two_have_nothing(over: Callable[[Events], None]) -> None:
    old = {**event("S1", "P1", 1, 9), "store_name": HOSTILE, "received_at": datetime(2026, 3, 1, 12)}  # noqa: DTZ001
    new = event("S1", "P1", 2, 8)
    over([old, new])
    found = [
        [each["event_id"] for each in looking.recent(TARGET, {}, kind="latest", now=NOW + later)["events"]]
        for later in (timedelta(0), timedelta(days=9))
    ]
    assert found == [["S1-P1-2"], ["S1-P1-2", "S1-P1-1"]]
    over([old])
    assert looking.recent(TARGET, {}, kind="latest", now=NOW)["events"][0]["store_name"] == HOSTILE
    over([])
    assert looking.recent(TARGET, {}, kind="latest", now=NOW)["events"] == []


@pytest.mark.parametrize("seed", range(3))
def test_a_shelf_is_told_tick_by_tick_the_oldest_first(over: Callable[[Events], None], seed: int) -> None:
    events = simulate(seed)
    over(deliver(events, seed))
    shown = looking.shelf(TARGET, {}, store="S1", product="P2")
    assert shown["threshold"] == 5
    assert shown["points"] == [
        [timestamp(one["event_time"].replace(tzinfo=UTC)), one["stock"], one["units_sold"], one["units_received"]]
        for one in events
        if (one["store_id"], one["product_id"]) == ("S1", "P2")
    ]
    with pytest.raises(looking.Unknown, match="no event of P9"):
        looking.shelf(TARGET, {}, store="S1", product="P9")


def test_of_a_shelf_with_a_long_past_the_latest_is_told(over: Callable[[Events], None]) -> None:
    over([event("S1", "P1", tick, tick % 7, received_at=datetime(2026, 11, 20, 12)) for tick in range(1, 2_101)])  # noqa: DTZ001
    points = looking.shelf(TARGET, {}, store="S1", product="P1")["points"]
    assert len(points) == looking.MOST_POINTS
    assert [points[place][1] for place in (0, -1)] == [101 % 7, 2_100 % 7]
