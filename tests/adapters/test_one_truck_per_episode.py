"""One truck per episode, whatever comes twice, late or in disorder: histories over the functions' own code."""

import logging
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final
from unittest import mock

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, get_state_machine_test, invariant, rule

from lambdas.core.deliveries import Delivery
from lambdas.core.episodes import Decision, Episode, Step, decide
from lambdas.core.ledger import Receipt
from lambdas.core.master_data import product_id, store_id
from lambdas.stock_alert import noticing
from lambdas.store_app import trading
from tests.adapters.in_memory import Alerts
from tests.adapters.in_memory_trucks import Deliveries, Shelves
from tests.adapters.loop import PRODUCTS, STORES, Execution, Fault, StepFunctions, Workers, World
from workshop.places import ROOT

THIS_FILE: Final = Path(__file__).relative_to(ROOT)
EXAMPLES: Final = 220
STEPS: Final = 50
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
    """Customers, stores, functions, queues and trucks, in any order. Nobody but trucks fills a shelf."""

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.world = self.make_world()
        self._shop = mock.patch.object(trading, "Shop", self.world.demand.shop)
        self._shop.start()
        Loop.steps -= 1  # the invariant is asked for before the first step too

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
        name, place, most = job
        getattr(self.world, name)(place, most)

    @rule(jobs=st.lists(JOBS, min_size=2, max_size=8), order=ORDERS, faults=FAULTS)
    def workers_at_once(self, jobs: list[tuple[str, int, int]], order: bytes, faults: dict[int, Fault]) -> None:
        self._run(jobs, order, faults)

    @rule(place=PLACES, times=st.integers(1, 10))
    def a_sighting_comes_again(self, place: int, times: int) -> None:
        self.world.sightings.duplicate(place, times)

    @rule(place=PLACES, times=st.integers(1, 10))
    def a_call_comes_again(self, place: int, times: int) -> None:
        self.world.truck_calls.duplicate(place, times)

    @rule(order=ORDERS, faults=FAULTS)
    def workers_go_on(self, order: bytes, faults: dict[int, Fault]) -> None:
        self.world.workers.go_on(order, faults)

    @rule()
    def dead_letters_are_put_back(self) -> None:
        self.world.redrive()

    @rule()
    def failed_deliveries_are_restarted(self) -> None:
        self.world.restart()

    @invariant()
    def no_truck_drives_uncalled(self) -> None:
        Loop.steps += 1
        assert self.world.deliveries.deliveries.keys() <= {detail["alert_id"] for detail in self.world.bus.put}

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.world.settle()
                self.world.check()
        finally:
            self.world.workers.abandon()
            self._shop.stop()

    def _run(self, jobs: list[tuple[str, int, int]], order: bytes, faults: dict[int, Fault]) -> None:
        workers = self.world.workers
        workers.start([partial(getattr(self.world, name), place, most) for name, place, most in jobs])
        workers.go_on(order, faults)


class Supplied(Loop):
    """The same, and shelves may also be filled by somebody who was not called."""

    @rule(shelf=SHELVES, units=st.integers(1, 20))
    def a_supplier_comes(self, shelf: tuple[str, str], units: int) -> None:
        self.world.supply(shelf, units)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def run(machine: type[Loop], *, examples: int, seed: int, phases: Sequence[Phase]) -> None:
    """Run a machine; the same seed, the same histories."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    hypothesis.seed(seed)(get_state_machine_test(machine, settings=chosen))()


def test_there_is_one_truck_per_episode(request: pytest.FixtureRequest) -> None:
    given = request.config.getoption("--hypothesis-seed")
    seed = secrets.randbelow(2**32) if given in (None, "random") else int(given)
    Loop.steps = 0
    try:
        run(Loop, examples=EXAMPLES, seed=seed, phases=[Phase.generate, Phase.shrink])
    except BaseException as error:
        error.add_note(f"Once more: python3 -m workshop test {THIS_FILE} --hypothesis-seed={seed}")
        raise
    assert Loop.steps >= 10_000


# ---- the safeguards: without any one of them, a history is found that breaks the promise ------------------------------


class UnconditionalAlerts(Alerts):
    """Alerts that are written whatever is there."""

    def write(self, episode: Episode) -> None:
        self.episodes[episode.store_id, episode.product_id, episode.number] = episode


class NamelessRuns(StepFunctions):
    """Runs that may have the name of another one."""

    def start(self, name: str, detail: Mapping[str, Any]) -> None:
        self.runs.append(Execution(name, dict(detail)))


class TwoWrites(Deliveries):
    """Deliveries whose unloading is no transaction: the process can die, or another one come, between two writes."""

    def __init__(self, shelves: Shelves, workers: Workers) -> None:
        super().__init__(shelves)
        self._workers = workers

    def unload(self, delivery: Delivery) -> None:
        receipt = Receipt(delivery.delivery_id, delivery.product_id, delivery.units)
        self._workers.call("book", lambda: self._shelves.append(delivery.store_id, receipt))
        self._workers.call("write", lambda: self.write(delivery))


class WithoutCondition(World):
    def __init__(self) -> None:
        super().__init__()
        self.alerts = UnconditionalAlerts()


class WithoutName(World):
    def __init__(self) -> None:
        super().__init__()
        self.step_functions = NamelessRuns()


class WithoutTransaction(World):
    def __init__(self) -> None:
        super().__init__()
        self.deliveries = TwoWrites(self.shelves, self.workers)


def assert_broken(make_world: Callable[[], World], promise: str) -> None:
    class Broken(Loop):
        def make_world(self) -> World:
            return make_world()

    with pytest.raises(AssertionError, match=promise):
        run(Broken, examples=EXAMPLES, seed=1, phases=[Phase.generate])


def test_the_conditional_write_is_needed() -> None:
    assert_broken(WithoutCondition, "opened twice|an open episode called no truck")


def test_the_name_of_a_run_is_needed() -> None:
    assert_broken(WithoutName, "driven twice")


def test_the_transaction_is_needed() -> None:
    assert_broken(WithoutTransaction, "units delivered are not units received")


def test_the_second_announcement_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never_again(*given: Any, **named: Any) -> Decision | None:
        decision = decide(*given, **named)
        return None if decision and decision.step is Step.ANNOUNCE_AGAIN else decision

    monkeypatch.setattr(noticing, "decide", never_again)
    assert_broken(World, "an open episode called no truck")
