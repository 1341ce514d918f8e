"""One truck per episode, whatever comes twice, late, out of order or not at all: a simulation over the functions' code."""

import logging
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, ClassVar, Final
from unittest import mock

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from lambdas.core.master_data import product_id, store_id
from lambdas.store_app import trading
from tests.adapters.loop import PRODUCTS, STORES, Fault, World

SHELVES = st.tuples(st.integers(1, STORES).map(store_id), st.integers(1, PRODUCTS).map(product_id))
PLACES = st.integers(0, 7)
JOBS = st.tuples(st.sampled_from(["trade", "screen", "notice", "call", "drive"]), PLACES, st.integers(1, 5))
EVERYBODY = [
    *(("trade", number, 1) for number in range(STORES)),
    *((name, 0, 10) for name in ("screen", "notice", "call")),
    *(("drive", place, 1) for place in range(3)),
]
WANTS = st.lists(st.integers(0, 12), min_size=1, max_size=8)
ORDERS = st.binary(max_size=60)
FAULTS = st.dictionaries(st.integers(1, 25), st.sampled_from(Fault), max_size=3)
OUTAGES = st.sampled_from(Fault).map(lambda fault: dict.fromkeys(range(1, 200), fault))


class Loop(RuleBasedStateMachine):
    """Customers, stores, functions, queues and trucks, in any order."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.world = self.make_world()
        self._shop = mock.patch.object(trading, "Shop", self.world.demand.shop)
        self._shop.start()

    def make_world(self) -> World:
        return World()

    @rule(wants=st.dictionaries(SHELVES, WANTS, min_size=1))
    def customers_come(self, wants: dict[tuple[str, str], list[int]]) -> None:
        for shelf, units in wants.items():
            self.world.demand.want(shelf, units)

    @rule(wants=st.dictionaries(SHELVES, WANTS), order=ORDERS, faults=FAULTS)
    def an_hour_passes(self, wants: dict[tuple[str, str], list[int]], order: bytes, faults: dict[int, Fault]) -> None:
        self.customers_come(wants)
        self._run(EVERYBODY, order, faults)

    @rule(jobs=st.lists(JOBS, min_size=1, max_size=8), order=ORDERS, faults=OUTAGES)
    def aws_is_down(self, jobs: list[tuple[str, int, int]], order: bytes, faults: dict[int, Fault]) -> None:
        self._run(jobs, order, faults)

    @rule(job=JOBS)
    def one_worker(self, job: tuple[str, int, int]) -> None:
        self._run([job], b"", {})

    @rule(jobs=st.lists(JOBS, min_size=2, max_size=8), order=ORDERS, faults=FAULTS)
    def workers_at_once(self, jobs: list[tuple[str, int, int]], order: bytes, faults: dict[int, Fault]) -> None:
        self._run(jobs, order, faults)

    @rule(place=PLACES, times=st.integers(1, 10))
    def a_sighting_comes_again(self, place: int, times: int) -> None:
        self.world.sightings.duplicate(place, times)

    @rule(place=PLACES, times=st.integers(1, 10))
    def a_call_comes_again(self, place: int, times: int) -> None:
        self.world.truck_calls.duplicate(place, times)

    @rule(shelf=SHELVES, units=st.integers(1, 20))
    def a_supplier_comes_uncalled(self, shelf: tuple[str, str], units: int) -> None:
        self.world.supply(shelf, units)

    @rule()
    def dead_letters_are_put_back(self) -> None:
        self.world.redrive()

    @rule()
    def failed_deliveries_are_restarted(self) -> None:
        self.world.restart()

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.world.settle()
                self.world.check()
        finally:
            self._shop.stop()

    def _run(self, jobs: list[tuple[str, int, int]], order: bytes, faults: dict[int, Fault]) -> None:
        Loop.steps += 1
        self.world.workers.run(
            [partial(getattr(self.world, name), place, most) for name, place, most in jobs], order, faults
        )


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_the_loop() -> None:
    run_state_machine_as_test(Loop, settings=settings(max_examples=220, stateful_step_count=50, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)))
