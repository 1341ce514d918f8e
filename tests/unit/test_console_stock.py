"""The matrix of all shelves: it agrees with the ledgers, with the catalogue, and with what StoreApp writes."""

import json
import struct
from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core import catalogue
from lambdas.core.ledger import Ledger
from lambdas.core.master_data import store_id
from lambdas.core.simulation import Shop
from workshop.console.stock import NOT_CARRIED, shelves, thresholds

SEEDS = st.integers(0, 2**32)
STORES = st.dictionaries(st.integers(1, 100_000), st.lists(st.integers(0, 1_000_000), max_size=12), max_size=8)


def ledgers(stores: dict[int, list[int]]) -> list[Ledger]:
    return [Ledger(store_id(number), version=1, on_hand=tuple(on_hand)) for number, on_hand in stores.items()]


@given(SEEDS, STORES)
def test_the_bytes_say_what_the_ledgers_say(seed: int, stores: dict[int, list[int]]) -> None:
    matrix = shelves(seed, ledgers(stores))
    packed = matrix.as_bytes(version=41)
    version, rows, columns, zero = struct.unpack_from("<4I", packed)
    assert (version, rows, zero) == (41, len(stores), 0)
    assert columns == max(map(len, stores.values()), default=0)
    numbers = struct.unpack_from(f"<{2 * rows * columns}h", packed, 16)
    assert len(packed) == 16 + 2 * len(numbers)
    stock, threshold = numbers[: rows * columns], numbers[rows * columns :]
    low = out = 0
    for row, number in enumerate(sorted(stores, key=store_id)):
        on_hand = stores[number]
        expected = thresholds(seed, store_id(number), len(on_hand)).tolist()
        missing = [NOT_CARRIED] * (columns - len(on_hand))
        place = slice(row * columns, (row + 1) * columns)
        assert list(stock[place]) == [min(units, 32_767) for units in on_hand] + missing
        assert list(threshold[place]) == expected + missing
        low += sum(units < point for units, point in zip(on_hand, expected, strict=True))
        out += on_hand.count(0)
    assert (matrix.total, matrix.low, matrix.out) == (sum(map(len, stores.values())), low, out)


@settings(deadline=None, max_examples=25)  # the first of a seed makes its catalogue
@given(st.integers(0, 1_000), st.integers(1, 100_000), st.integers(10, 30))
def test_thresholds_are_those_that_store_app_writes_into_its_events(seed: int, number: int, products: int) -> None:
    shop = Shop(seed, catalogue.store(seed, number), catalogue.products(seed, products))
    run = shop.simulate(shop.opening_stock(), range(1, 97))
    expected = thresholds(seed, store_id(number), products)
    events = [json.loads(line) for line in run.lines]
    assert events, "a store sells something of ten products in a day"
    for event in events:
        assert event["threshold"] == expected[int(event["product_id"][1:]) - 1]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 50), STORES.filter(bool))
def test_rows_and_columns_are_the_catalogues_in_its_order(seed: int, stores: dict[int, list[int]]) -> None:
    matrix = shelves(seed, ledgers(stores))
    world = matrix.world(version=3)
    assert world["version"] == 3
    assert [each["id"] for each in world["stores"]] == sorted(map(store_id, stores))
    for each in world["stores"]:
        made = catalogue.store(seed, int(each["id"][1:]))
        assert (each["name"], each["city"], each["latitude"]) == (made.store_name, made.city, made.latitude)
    assert [each["id"] for each in world["products"]] == [f"P{place:04}" for place in range(1, matrix.products + 1)]


def test_a_ledger_that_is_not_of_the_catalogue_is_left_out() -> None:
    strange = ("S1", "X00001", "S00000", "S999999", "<img src=x>")
    matrix = shelves(7, [Ledger(name, version=1, on_hand=(1,)) for name in (*strange, "S00001")])
    assert matrix.stores == ("S00001",)
    assert matrix.stock == array("h", [1])
