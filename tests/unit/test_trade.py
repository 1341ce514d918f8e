"""A request for StoreApp is split into portions that cover it exactly."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from workshop.trade import PORTION_HOURS, PORTION_STORES, portions


@given(st.integers(1, 300), st.integers(1, 200))
def test_every_store_trades_every_hour_once(hours: int, stores: int) -> None:
    traded: Counter[int] = Counter()
    for portion in portions(hours, stores):
        assert 1 <= portion["hours"] <= PORTION_HOURS
        assert 1 <= portion["stores"] <= PORTION_STORES
        for store in range(portion["first_store"], portion["first_store"] + portion["stores"]):
            traded[store] += portion["hours"]
    assert traded == dict.fromkeys(range(1, stores + 1), hours)


@given(st.integers(1, 300), st.integers(1, 200))
def test_no_store_begins_a_day_before_all_have_had_the_last(hours: int, stores: int) -> None:
    traded: Counter[int] = Counter()
    for portion in portions(hours, stores):
        for store in range(portion["first_store"], portion["first_store"] + portion["stores"]):
            traded[store] += portion["hours"]
        assert max(traded.values()) - min(traded[store] for store in range(1, stores + 1)) <= PORTION_HOURS
