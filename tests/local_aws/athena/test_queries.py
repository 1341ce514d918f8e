"""The workshop's queries are right, also when events come twice and late: against rows by hand, and against Python."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pytest

from tests.local_aws.athena.asking import Answer, ask
from tests.local_aws.athena.conftest import Opens
from tests.local_aws.athena.events import deliver, event, simulate
from tests.local_aws.athena.lake import ROOT, Lake, glue_types, json_lines, workshop_tables

QUERIES = {file.stem: file.read_text("utf-8") for file in sorted((ROOT / "glue" / "queries").glob("*.sql"))}
SEEDS = range(3)
Events = list[dict[str, Any]]


def lake_of(events: Events) -> Lake:
    lake = Lake(workshop_tables())
    half = len(events) // 2
    lake.put_events(events[:half], "first")
    lake.put_events(events[half:], "second")
    return lake


@pytest.fixture(scope="module")
def named(opens: Opens) -> Callable[[str, Lake], Answer]:
    def asked(name: str, lake: Lake) -> Answer:
        answer = ask(opens(lake), QUERIES[name])
        assert answer.reason == ""
        return answer

    return asked


# ---- the files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_says_what_it_answers_and_runs_over_an_empty_lake(
    name: str, named: Callable[[str, Lake], Answer]
) -> None:
    assert QUERIES[name].startswith("-- ")
    assert QUERIES[name].splitlines()[0].endswith("?")
    named(name, Lake(workshop_tables()))


def test_unique_events_has_the_columns_of_stock_events(opens: Opens) -> None:
    athena = opens(Lake(workshop_tables()))
    assert ask(athena, "SELECT * FROM unique_events").columns == ask(athena, "SELECT * FROM stock_events").columns
    assert {name for name, _ in ask(athena, "SELECT * FROM unique_events").columns} == {*glue_types("properties"), "dt"}


# ---- by hand ---------------------------------------------------------------------------------------------------------

TWICE = event("A", "P1", 2, 0, sold=4)
SHELVES = [
    event("A", "P1", 1, 4, sold=6),
    TWICE,
    {**TWICE, "received_at": TWICE["received_at"] + timedelta(minutes=20)},
    event("A", "P1", 4, 10, received=10),
    event("A", "P2", 3, 2, sold=1, price=0.5, threshold=8, category="Drinks"),
    # It arrived after the event of tick 3 had been received.
    event("A", "P2", 1, 3, sold=2, price=0.5, threshold=8, category="Drinks",
          received_at=event("A", "P2", 3, 2)["received_at"] + timedelta(seconds=5)),
    event("B", "P1", 4, 0, sold=1, threshold=4),
    event("B", "P1", 8, 3, received=3, threshold=4),
]  # fmt: skip
BY_HAND: dict[str, list[tuple[str | None, ...]]] = {
    "latest_stock": [
        ("A", "Shop A", "P1", "Product P1", "Food", "10", "5", "2026-11-20 01:00:00.000"),
        ("A", "Shop A", "P2", "Product P2", "Drinks", "2", "8", "2026-11-20 00:45:00.000"),
        ("B", "Shop B", "P1", "Product P1", "Food", "3", "4", "2026-11-20 02:00:00.000"),
    ],
    "low_stock": [
        ("A", "Shop A", "P2", "Product P2", "2", "8", "6", "0.25", "2026-11-20 00:45:00.000"),
        ("B", "Shop B", "P1", "Product P1", "3", "4", "1", "0.75", "2026-11-20 02:00:00.000"),
    ],
    "sales_by_category_and_hour": [
        ("2026-11-20 00:00:00.000", "Drinks", "3", "1.5"),
        ("2026-11-20 00:00:00.000", "Food", "11", "22.0"),
        ("2026-11-20 01:00:00.000", "Food", "0", "0.0"),
    ],
    "stock_out_minutes": [("P1", "Product P1", "2", "2", "90")],
    "days_of_cover": [
        ("A", "P2", "Product P2", "2", "72.0", "0.03"),
        ("A", "P1", "Product P1", "10", "240.0", "0.04"),
        ("B", "P1", "Product P1", "3", "12.0", "0.25"),
    ],
    "data_quality": [("8", "7", "1", "1", "2")],
    "conservation": [("0",)],
    # A's P1 is sold out in tick 3 alone, in which P2 sells 1; otherwise it sells 10 where P2 sells 2.
    "lost_sales": [
        ("A", "P1", "Product P1", "10", "15", "5.0", "10.0"),
        ("A", "P2", "Product P2", "3", "0", "0.0", "0.0"),
        ("B", "P1", "Product P1", "1", "0", "0.0", "0.0"),
    ],
    "events_by_file": [
        (
            *("2026-11-20", "s3://lake/stock_events/dt=2026-11-20/first.parquet", "4"),
            *("2026-11-20 00:15:01.000", "2026-11-20 01:00:01.000"),
        ),
        (
            *("2026-11-20", "s3://lake/stock_events/dt=2026-11-20/second.parquet", "4"),
            *("2026-11-20 00:45:01.000", "2026-11-20 02:00:01.000"),
        ),
    ],
    "quarantine_by_reason": [("bad", None, "2")],
    "episodes": [
        ("A", "P1", "1", "2026-11-20 00:15:00.000", "A-P1-1", "2026-11-20 01:00:00.000", "A-P1-4", "0", "45"),
        ("A", "P2", "1", "2026-11-20 00:15:00.000", "A-P2-1", None, None, "2", "45"),
        ("B", "P1", "1", "2026-11-20 01:00:00.000", "B-P1-4", None, None, "0", "60"),
    ],
}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_answers_rows_known_by_hand(name: str, named: Callable[[str, Lake], Answer]) -> None:
    lake = lake_of(SHELVES)
    refused = {"reason": "bad", "record_id": "r", "position": 0, "received_at": "2026-11-20T00:00:00.000Z"}
    lake.put("quarantine/dt=2026-11-20/a.json.gz", json_lines([refused, refused]))
    assert named(name, lake).rows == BY_HAND[name]


def test_conservation_counts_every_event_that_breaks_it(named: Callable[[str, Lake], Answer]) -> None:
    broken = [event("A", "P1", 1, 5), event("A", "P1", 2, 5, sold=1), event("A", "P1", 3, 5, received=2)]
    assert named("conservation", lake_of(broken)).rows == [("2",)]


# ---- against Python --------------------------------------------------------------------------------------------------


def shelves(events: Events) -> Iterator[tuple[tuple[str, str], Events]]:
    """Yield the events of each shelf, each once, in the order of their time."""
    once = {one["event_id"]: one for one in events}

    def shelf(one: dict[str, Any]) -> tuple[str, str]:
        return one["store_id"], one["product_id"]

    for key, group in groupby(sorted(once.values(), key=lambda one: (shelf(one), one["event_time"])), key=shelf):
        yield key, list(group)


def shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}.000"


@pytest.mark.parametrize("seed", SEEDS)
def test_latest_and_low_stock_are_what_python_finds(seed: int, named: Callable[[str, Lake], Answer]) -> None:
    events = deliver(simulate(seed), seed)
    last = {key: group[-1] for key, group in shelves(events)}
    latest = named("latest_stock", lake_of(events))
    assert [(row[0], row[2], row[5], row[7]) for row in latest.rows] == [
        (*key, str(one["stock"]), shown(one["event_time"])) for key, one in sorted(last.items())
    ]
    low = sorted(
        (one["stock"] / one["threshold"], one["stock"] - one["threshold"], *key)
        for key, one in last.items()
        if one["stock"] < one["threshold"]
    )
    assert [(row[0], row[2]) for row in named("low_stock", lake_of(events)).rows] == [key[2:] for key in low]


@pytest.mark.parametrize("seed", SEEDS)
def test_sales_are_what_python_adds_up(seed: int, named: Callable[[str, Lake], Answer]) -> None:
    events = deliver(simulate(seed), seed)
    sold: dict[tuple[str, str], int] = defaultdict(int)
    for _, group in shelves(events):
        for one in group:
            hour = (one["event_time"] - timedelta(seconds=1)).replace(minute=0, second=0)
            sold[shown(hour), one["category"]] += one["units_sold"]
    rows = named("sales_by_category_and_hour", lake_of(events)).rows
    assert [(row[0], row[1], int(row[2] or 0)) for row in rows] == [(*key, sold[key]) for key in sorted(sold)]


@pytest.mark.parametrize("seed", SEEDS)
def test_stock_outs_last_as_long_as_python_finds(seed: int, named: Callable[[str, Lake], Answer]) -> None:
    events = deliver(simulate(seed), seed)
    until: dict[str, datetime] = defaultdict(lambda: datetime.min)  # noqa: DTZ901 - the lake's have no zone
    for one in events:
        until[one["store_id"]] = max(until[one["store_id"]], one["event_time"])
    minutes: dict[str, int] = defaultdict(int)
    for (store, product), group in shelves(events):
        times = [*(one["event_time"] for one in group[1:]), until[store]]
        for one, next_time in zip(group, times, strict=True):
            if one["stock"] == 0:
                minutes[product] += int((next_time - one["event_time"]).total_seconds()) // 60
    rows = named("stock_out_minutes", lake_of(events)).rows
    assert rows
    assert {row[0]: int(row[4] or 0) for row in rows} == minutes


@pytest.mark.parametrize("seed", SEEDS)
def test_lost_sales_are_what_python_estimates(seed: int, named: Callable[[str, Lake], Answer]) -> None:
    events = deliver(simulate(seed, ticks=96), seed)
    sold: dict[tuple[str, datetime], int] = defaultdict(int)
    for (store, _), group in shelves(events):
        for one in group:
            sold[store, one["event_time"]] += one["units_sold"]
    expected = {}
    for (store, product), group in shelves(events):
        times = [*(one["event_time"] for one in group[1:]), datetime.max]  # noqa: DTZ901 - the lake's have no zone
        away = [
            moment
            for one, next_time in zip(group, times, strict=True)
            for at, moment in sold
            if one["stock"] == 0 and at == store and one["event_time"] < moment < next_time and sold[at, moment]
        ]
        mine = sum(one["units_sold"] for one in group)
        others_away = sum(sold[store, moment] for moment in away)
        others = sum(units for (at, _), units in sold.items() if at == store) - mine - others_away
        expected[store, product] = (mine, 15 * len(away), mine * others_away / others)
    rows = named("lost_sales", lake_of(events)).rows
    assert any(float(row[5] or 0) > 1 for row in rows)
    found = {(str(row[0]), str(row[1])): tuple(map(float, (str(value) for value in row[3:6]))) for row in rows}
    assert found.keys() == expected.keys()
    for shelf, values in found.items():
        assert values == pytest.approx(expected[shelf], abs=0.051)


@pytest.mark.parametrize("seed", SEEDS)
def test_quality_is_what_python_counts(seed: int, named: Callable[[str, Lake], Answer]) -> None:
    made = simulate(seed)
    events = deliver(made, seed)
    first: dict[str, dict[str, Any]] = {}
    for one in sorted(events, key=lambda one: one["received_at"]):
        first.setdefault(one["event_id"], one)
    late = sum(
        any(
            other["event_time"] > one["event_time"] and other["received_at"] < one["received_at"]
            for other in first.values()
            if (other["store_id"], other["product_id"]) == (one["store_id"], one["product_id"])
        )
        for one in first.values()
    )
    assert late
    expected = (str(len(events)), str(len(made)), str(len(events) - len(made)), str(late), "0")
    assert named("data_quality", lake_of(events)).rows == [expected]
    assert named("conservation", lake_of(events)).rows == [("0",)]


@pytest.mark.parametrize("seed", SEEDS)
def test_cover_is_what_python_divides(seed: int, named: Callable[[str, Lake], Answer]) -> None:
    # Nine days of simulated time, all arrived before the day that the embedded Athena takes for today.
    early = timedelta(days=10)
    delivered = deliver(simulate(seed, ticks=900, stores=2, products=2), seed)
    events = [{**one, "received_at": one["received_at"] - early} for one in delivered]
    times: dict[str, list[datetime]] = defaultdict(list)
    for one in events:
        times[one["store_id"]].append(one["event_time"])
    expected = {}
    for (store, product), group in shelves(events):
        until = max(times[store])
        opening = min(times[store]).replace(hour=0, minute=0, second=0, microsecond=0)
        since = max(opening, until - timedelta(days=7))
        sold = sum(one["units_sold"] for one in group if one["event_time"] > since)
        per_day = sold / ((until - since) / timedelta(days=1))
        expected[store, product] = (per_day, group[-1]["stock"] / per_day)
    rows = named("days_of_cover", lake_of(events)).rows
    assert {(row[0], row[1]) for row in rows} == expected.keys()
    for row in rows:
        found = (float(row[4] or "nan"), float(row[5] or "nan"))
        assert found == pytest.approx(expected[str(row[0]), str(row[1])], abs=0.051)


@pytest.mark.parametrize("seed", SEEDS)
def test_episodes_are_what_python_finds(seed: int, named: Callable[[str, Lake], Answer]) -> None:
    events = deliver(simulate(seed, ticks=96), seed)
    expected: list[tuple[str | None, ...]] = []
    until: dict[str, datetime] = {}
    for one in events:
        until[one["store_id"]] = max(one["event_time"], until.get(one["store_id"], one["event_time"]))
    for (store_id, product_id), shelf in shelves(events):
        number = 0
        for is_low, group in groupby(shelf, key=lambda one: bool(one["stock"] < one["threshold"])):
            low = list(group)
            if not is_low:
                continue
            number += 1
            later = [one for one in shelf if one["event_time"] > low[-1]["event_time"]]
            closed = later[0] if later else None
            ended = closed["event_time"] if closed else until[store_id]
            expected.append(
                (
                    *(store_id, product_id, str(number)),
                    *(shown(low[0]["event_time"]), low[0]["event_id"]),
                    *((shown(closed["event_time"]), closed["event_id"]) if closed else (None, None)),
                    str(min(one["stock"] for one in low)),
                    str((ended - low[0]["event_time"]) // timedelta(minutes=1)),
                )
            )
    assert len(expected) > 12
    assert named("episodes", lake_of(events)).rows == expected
