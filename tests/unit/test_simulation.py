import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from statistics import correlation
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core import catalogue, contract, demand
from lambdas.core.contract import FIELDS
from lambdas.core.master_data import Store
from lambdas.core.simulation import Run, Shop
from lambdas.core.trading_calendar import TICKS_PER_DAY, TradingCalendar, local_quarter

SEEDS = st.integers(0, 2**32)
NUMBERS = st.integers(1, 100_000)
NOON = range(45, 61)
"""Ticks of the first day in which every store of the catalogue is open, and no shelf is replenished."""


def shop(seed: int = 7, number: int = 1, products: int = 5, *, overnight: bool = True) -> Shop:
    return Shop(seed, catalogue.store(seed, number), catalogue.products(seed, products), overnight=overnight)


def events(run: Run) -> list[dict[str, Any]]:
    return [contract.read(line) for line in run.lines]


@settings(max_examples=30)
@given(SEEDS, NUMBERS, st.integers(1, 8), st.integers(1, 250), st.integers(1, 300), st.data())
def test_units_are_conserved_from_the_first_state_to_the_last(
    seed: int, number: int, products: int, first: int, ticks: int, data: st.DataObject
) -> None:
    store = shop(seed, number, products, overnight=data.draw(st.booleans()))
    opening = data.draw(st.lists(st.integers(0, 60), min_size=products, max_size=products))
    product_ids = [product.product_id for product in store.products]
    receipts = data.draw(st.dictionaries(st.sampled_from(product_ids), st.integers(1, 50)))
    run = store.simulate(opening, range(first, first + ticks), receipts)

    stock = dict(zip(product_ids, opening, strict=True))
    sold = received = 0
    for event in events(run):  # the contract says that none of the numbers is negative
        product = event["product_id"]
        assert event["units_sold"] or event["units_received"]
        stock[product] += event["units_received"] - event["units_sold"]
        assert event["stock"] == stock[product]
        sold += event["units_sold"]
        received += event["units_received"]
    assert tuple(stock.values()) == run.on_hand
    assert (sold, received) == (run.units_sold, run.units_received)
    assert received == sum(receipts.values()) or store.overnight


def test_lines_are_compact_ascii_in_the_contracts_order() -> None:
    run = shop(number=2).simulate([9] * 5, NOON)
    assert run.lines
    for line, event in zip(run.lines, events(run), strict=True):
        assert line.isascii()
        assert tuple(event) == FIELDS
        assert line == json.dumps(event, separators=(",", ":"))


def test_an_event_tells_store_product_threshold_and_the_end_of_its_tick() -> None:
    store = shop()
    event = events(store.simulate([1_000] * 5, range(50, 51)))[0]
    tick = int(event["event_id"].split("-")[2])
    place = int(event["product_id"][1:]) - 1
    facts = {name: getattr(store.store, name) for name in Store.__slots__}
    product = store.products[place]
    facts |= {name: getattr(product, name) for name in ("product_id", "product_name", "category", "unit_price")}
    assert facts.items() <= event.items()
    assert event["event_id"] == f"S00001-{product.product_id}-50"
    assert (tick, event["event_time"]) == (50, "2026-01-05T12:30:00.000Z")
    size = demand.store_level(7, "S00001")
    assert event["threshold"] == demand.shelf_policy(size + demand.product_level(7, place)).reorder_point


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 96), st.lists(st.integers(1, 60), min_size=2, max_size=4))
def test_it_does_not_matter_how_time_is_cut_into_runs(seed: int, first: int, lengths: list[int]) -> None:
    store = shop(seed)
    whole = store.simulate(store.opening_stock(), range(first, first + sum(lengths)))
    on_hand = store.opening_stock()
    lines: list[str] = []
    for start, end in pairwise(accumulate(lengths, initial=first)):
        part = store.simulate(on_hand, range(start, end))
        on_hand = part.on_hand
        lines += part.lines
    assert (on_hand, lines) == (whole.on_hand, whole.lines)


@settings(max_examples=20)
@given(SEEDS, st.integers(1, 6), st.integers(0, 6))
def test_more_products_leave_the_first_ones_as_they_were(seed: int, few: int, more: int) -> None:
    small, large = shop(seed, products=few), shop(seed, products=few + more)
    small_run = small.simulate(small.opening_stock(), range(30, 80))
    large_run = large.simulate(large.opening_stock(), range(30, 80))
    last_id = small.products[-1].product_id
    assert [line for line in large_run.lines if json.loads(line)["product_id"] <= last_id] == small_run.lines


def test_the_same_arguments_give_the_same_bytes_in_every_process() -> None:
    code = (
        "import hashlib\n"
        "from lambdas.core import catalogue\n"
        "from lambdas.core.simulation import Shop\n"
        "shop = Shop(7, catalogue.store(7, 3), catalogue.products(7, 20))\n"
        "lines = shop.simulate(shop.opening_stock(), range(1, 200)).lines\n"
        "print(hashlib.sha256('\\n'.join(lines).encode()).hexdigest())\n"
    )
    store = shop(number=3, products=20)
    lines = store.simulate(store.opening_stock(), range(1, 200)).lines
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert answer.stdout.strip() == digest, answer.stderr


def test_draws_of_another_seed_another_store_and_another_tick_have_nothing_in_common() -> None:
    def asked(seed: int, number: int, first: int) -> list[int]:
        customers = demand.Customers(seed, catalogue.store(7, number), [16] * 50)
        ticks = [dict(customers.asked(tick)) for tick in range(first, first + 10)]
        return [units.get(place, 0) for units in ticks for place in range(50)]

    one = asked(7, 1, 45)
    assert correlation(one, one) == pytest.approx(1)
    for other in (asked(8, 1, 45), asked(7, 2, 45), asked(7, 1, 46), asked(7, 1, 45 + TICKS_PER_DAY)):
        assert abs(correlation(one, other)) < 0.2


# --- Bookings --------------------------------------------------------------------------------------------------------


def test_what_trucks_unloaded_is_on_the_shelf_in_the_first_tick_alone() -> None:
    run = shop().simulate([0] * 5, NOON, {"P0002": 70})
    assert [(e["event_id"], e["units_received"]) for e in events(run) if e["units_received"]] == [
        (f"S00001-P0002-{NOON.start}", 70)
    ]
    assert {event["product_id"] for event in events(run)} == {"P0002"}  # nothing else was there to be sold


def test_a_tick_that_sells_just_what_it_received_is_an_event() -> None:
    run = shop().simulate([0] * 5, range(70, 71), {f"P000{n}": 1 for n in range(1, 6)})
    even = [event for event in events(run) if event["units_sold"] == event["units_received"] == 1]
    assert even
    assert all(event["stock"] == 0 for event in even)
    assert len(run.lines) == 5


def test_receipts_come_also_while_the_store_is_closed() -> None:
    run = shop().simulate([3] * 5, range(1, 2), {"P0001": 4})
    assert [(event["stock"], event["units_received"], event["units_sold"]) for event in events(run)] == [(7, 4, 0)]


def test_overnight_every_shelf_is_filled_up_to_its_order_up_to_level_and_no_further() -> None:
    store = shop()
    levels = store.opening_stock()
    on_hand = [0, levels[1], levels[2] + 5, levels[3] - 1, 0]
    dawn = next(tick for tick in range(1, 97) if local_quarter(tick, store.store.utc_offset)[1] == 20)
    run = store.simulate(on_hand, range(dawn, dawn + 1), {"P0001": 2, "P0005": levels[4] + 9})
    assert run.on_hand == (levels[0], levels[1], levels[2] + 5, levels[3], levels[4] + 9)
    assert [(event["product_id"], event["units_received"]) for event in events(run)] == [
        ("P0001", levels[0]),
        ("P0004", 1),
        ("P0005", levels[4] + 9),
    ]


def test_without_overnight_replenishment_shelves_run_dry() -> None:
    store = shop(overnight=False)
    run = store.simulate(store.opening_stock(), range(1, 15 * TICKS_PER_DAY))
    assert run.units_received == 0
    assert sum(run.on_hand) < sum(store.opening_stock()) / 10


def test_nothing_is_sold_at_night() -> None:
    for number in range(1, 11):
        store = shop(number=number)
        run = store.simulate([10**5] * 5, range(1, 2 * TICKS_PER_DAY + 1))
        for event in events(run):
            _, quarter = local_quarter(int(event["event_id"].rpartition("-")[2]), store.store.utc_offset)
            assert 7 * 4 <= quarter < 22 * 4


# --- Demand ----------------------------------------------------------------------------------------------------------


def test_a_chain_looks_like_a_retailers() -> None:
    stores, products, days = 4, 50, 7
    low: dict[tuple[str, str, int], bool] = defaultdict(bool)
    empty: dict[tuple[str, str, int], bool] = defaultdict(bool)
    sales = 0
    for number in range(1, stores + 1):
        store = shop(number=number, products=products)
        for event in map(json.loads, store.simulate(store.opening_stock(), range(1, days * 96 + 1)).lines):
            store_id, product_id, tick = event["event_id"].split("-")
            shelf = store_id, product_id, (int(tick) - 1) // 96
            low[shelf] |= event["stock"] < event["threshold"]
            empty[shelf] |= event["stock"] == 0
            sales += event["units_sold"] > 0
    shelf_days = stores * products * days
    assert 0.05 < sum(low.values()) / shelf_days < 0.15
    assert 0.01 < sum(empty.values()) / shelf_days < 0.06
    assert 0.35 < sales / (shelf_days * 60) < 0.50


@pytest.mark.parametrize("level", range(-96, 97, 16))
def test_a_levels_table_has_the_mean_and_the_spread_of_a_poisson_distribution(level: int) -> None:
    table = demand.units_table(level)
    chances = [(entry - before) / 65_536 for before, entry in pairwise((0, *table))]
    mean = sum(units * chance for units, chance in enumerate(chances))
    variance = sum((units - mean) ** 2 * chance for units, chance in enumerate(chances))
    assert table[-1] == 65_536
    assert mean == pytest.approx(2 ** (level / 16), rel=0.01, abs=1e-3)
    assert variance == pytest.approx(2 ** (level / 16), rel=0.02, abs=1e-3)


def test_levels_beyond_the_grid_are_its_ends() -> None:
    assert demand.units_table(-10_000) == demand.units_table(-128)
    assert demand.units_table(10_000) == demand.units_table(96)


def test_the_reorder_point_is_lead_time_demand_plus_safety_stock() -> None:
    # One unit per tick: 8 in the lead time, and 1.65 standard deviations of sqrt(8) more.
    assert demand.shelf_policy(0).reorder_point == 13
    # Read back from 13, the demand is 1.032 units per tick. A trading day of 60 ticks and the lead time ask for 70.2,
    # and 1.5 standard deviations of sqrt(70.2 + (0.3 * 70.2)**2) more.
    assert demand.shelf_policy(0).order_up_to == 105


@given(st.integers(-200, 150))
def test_a_full_shelf_is_never_low(level: int) -> None:
    policy = demand.shelf_policy(level)
    assert 0 < policy.reorder_point < policy.order_up_to


def test_the_first_products_are_as_popular_as_all() -> None:
    levels = [demand.rate(demand.product_level(7, place)) for place in range(500)]
    assert sum(levels[:50]) / 50 == pytest.approx(sum(levels) / 500, rel=0.2)
    assert max(levels) > 10 * min(levels)


# --- The calendar ----------------------------------------------------------------------------------------------------


def test_ticks_are_counted_from_the_epoch() -> None:
    calendar = TradingCalendar(datetime(2026, 1, 5, tzinfo=UTC))
    assert calendar.epoch.weekday() == 0
    assert calendar.end_of(0) == "2026-01-05T00:00:00.000Z"
    assert calendar.end_of(1) == "2026-01-05T00:15:00.000Z"
    assert calendar.end_of(96 * 365) == "2027-01-05T00:00:00.000Z"


def test_a_stores_day_follows_its_longitude() -> None:
    assert local_quarter(1, 0) == (0, 0)
    assert local_quarter(96, 0) == (0, 95)
    assert local_quarter(1, 2) == (0, 8)
    assert local_quarter(1, -1) == (-1, 92)
    store = Store("S1", "n", "c", "FI", 60.0, 24.9)
    assert store.utc_offset == 2
