"""Runs of StoreApp that are killed, repeated and interleaved at every call of a port, against in-memory ports."""

import json
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core import catalogue
from lambdas.core.ledger import Ledger, Receipt
from lambdas.core.packing import batches, pack
from lambdas.core.simulation import Shop
from lambdas.core.versions import Conflict
from lambdas.store_app import trading
from lambdas.store_app.trading import BadRequest, OutOfTime, Request, trade

SEED = 7


class Killed(BaseException):
    """The process ends here."""


Hook = Callable[[], None]


def nothing() -> None:
    pass


@dataclass
class World:
    """What outlives a process: the table, and what the stream has accepted."""

    ledgers: dict[str, Ledger] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)

    def lines(self) -> dict[str, str]:
        """The events that were sent, by id; each id has always had the same bytes."""
        lines: dict[str, str] = {}
        for line in self.accepted:
            assert lines.setdefault(json.loads(line)["event_id"], line) == line
        return lines

    def unload(self, store_id: str, receipt: Receipt) -> None:
        """What a truck does: one write of its own."""
        ledger = self.ledgers.get(store_id, Ledger(store_id))
        self.ledgers[store_id] = replace(ledger, version=ledger.version + 1, receipts=(*ledger.receipts, receipt))


@dataclass
class Ports:
    """The two ports of one process. `step` is called before and after the effect of every call."""

    world: World
    step: Hook = nothing

    def read(self, store_id: str) -> Ledger:
        self.step()
        ledger = self.world.ledgers.get(store_id, Ledger(store_id))
        self.step()
        return ledger

    def write(self, ledger: Ledger) -> None:
        self.step()
        if self.world.ledgers.get(ledger.store_id, Ledger(ledger.store_id)).version != ledger.version - 1:
            raise Conflict(ledger.store_id)
        self.world.ledgers[ledger.store_id] = ledger
        self.step()

    def send(self, records: Sequence[bytes], within: float) -> None:
        assert within > 0
        self.step()
        self.world.accepted += b"".join(records).decode().splitlines()
        self.step()


def run(world: World, request: Request, step: Hook = nothing, run_id: str = "run") -> dict[str, Any]:
    ports = Ports(world, both(step, at(2_000, endless)))
    return trade(
        request, shelves=ports, stream=ports, seed=SEED, overnight=True, run_id=run_id,
        remaining=lambda: 900.0, clock=lambda: 0.0,
    )  # fmt: skip


def at(number: int, action: Hook) -> Hook:
    """Do something at the given step, counted from 0."""
    steps = iter(range(10**9))

    def step() -> None:
        if next(steps) == number:
            action()

    return step


def both(first: Hook, second: Hook) -> Hook:
    def step() -> None:
        first()
        second()

    return step


def kill() -> None:
    raise Killed


def endless() -> None:
    raise AssertionError("The run does not come to an end.")


def killed_at(number: int | None) -> Hook:
    return nothing if number is None else at(number, kill)


def steps_of(world: World, request: Request) -> int:
    taken: list[None] = []
    run(world, request, step=lambda: taken.append(None))
    return len(taken)


def open_at_noon(stores: int, products: int) -> World:
    """A chain in the middle of its first day, with little on the shelves."""
    return World({f"S{n:05}": Ledger(f"S{n:05}", 1, 45, (9,) * products) for n in range(1, stores + 1)})


@pytest.fixture(autouse=True)
def _small_records() -> Iterator[None]:
    """Records of a few lines and calls of a few records, so that a plan takes several calls."""
    with mock.patch.multiple(trading, pack=partial(pack, limit=1_500), batches=partial(batches, max_records=4)):
        yield


def expected(request: Request, opening: World, ends: dict[str, int]) -> dict[str, str]:
    """The events that the stores must have sent up to their clocks, simulated in one go."""
    lines: list[str] = []
    for number in request.store_numbers():
        shop = Shop(SEED, catalogue.store(SEED, number), catalogue.products(SEED, request.products))
        ledger = opening.ledgers.get(shop.store.store_id, Ledger(shop.store.store_id))
        on_hand = ledger.on_hand + shop.opening_stock()[len(ledger.on_hand) :]
        lines += shop.simulate(on_hand, range(ledger.next_tick, ends[shop.store.store_id])).lines
    return {json.loads(line)["event_id"]: line for line in lines}


def assert_conserved(world: World, opening: World) -> None:
    """From the opening stock to the booked one, along the events that were sent."""
    stock: dict[tuple[str, str], int] = {}
    for line in sorted(world.lines().values(), key=lambda line: int(json.loads(line)["event_id"].rpartition("-")[2])):
        event = json.loads(line)
        shelf = event["store_id"], event["product_id"]
        if shelf not in stock:
            stock[shelf] = opening_stock(opening, *shelf)
        stock[shelf] += event["units_received"] - event["units_sold"]
        assert stock[shelf] == event["stock"]
    assert sum(ledger.events_sent for ledger in world.ledgers.values()) == len(world.lines())
    for store_id, ledger in world.ledgers.items():
        assert ledger.plan is None
        for place, units in enumerate(ledger.on_hand):
            shelf = store_id, f"P{place + 1:04}"
            assert stock.get(shelf, opening_stock(opening, *shelf)) == units


def opening_stock(opening: World, store_id: str, product_id: str) -> int:
    place = int(product_id[1:]) - 1
    on_hand = opening.ledgers[store_id].on_hand if store_id in opening.ledgers else ()
    if place < len(on_hand):
        return on_hand[place]
    shop = Shop(SEED, catalogue.store(SEED, int(store_id[1:])), catalogue.products(SEED, place + 1))
    return shop.opening_stock()[place]


def ends(world: World) -> dict[str, int]:
    return {store_id: ledger.next_tick for store_id, ledger in world.ledgers.items()}


# --- A run that nothing disturbs -------------------------------------------------------------------------------------


def test_a_run_reports_what_it_sent() -> None:
    world = World()
    report = run(world, Request(hours=30, stores=3, products=4))
    events = [json.loads(line) for line in world.accepted]
    assert report == {
        "events": len(events),
        "stores": 3,
        "ticks": 120,
        "from": "2026-01-05T00:00:00.000Z",
        "to": "2026-01-06T06:00:00.000Z",
        "units_sold": sum(event["units_sold"] for event in events),
        "units_received": sum(event["units_received"] for event in events),
        "milliseconds": 0,
    }
    assert world.lines() == expected(Request(stores=3, products=4), World(), ends(world))
    assert len(world.accepted) == len(world.lines()) > 100
    assert_conserved(world, World())


def test_time_advances_from_the_stores_own_clock() -> None:
    world = World()
    run(world, Request(hours=2, stores=1, products=2))
    report = run(world, Request(hours=3, stores=2, products=2))
    assert (report["from"], report["to"], report["ticks"]) == (
        "2026-01-05T00:00:00.000Z",
        "2026-01-05T05:00:00.000Z",
        12,
    )
    assert ends(world) == {"S00001": 21, "S00002": 13}


def test_new_shelves_open_full_and_no_shelf_is_lost() -> None:
    world = open_at_noon(1, 3)
    opening = World(dict(world.ledgers))
    run(world, Request(hours=1, stores=1, products=6))
    assert len(world.ledgers["S00001"].on_hand) == 6
    run(world, Request(hours=1, stores=1, products=2))
    assert len(world.ledgers["S00001"].on_hand) == 6
    assert_conserved(world, opening)


def test_stores_share_records_and_days_are_traded_side_by_side() -> None:
    world = World()
    with mock.patch.multiple(trading, _SHELVES_AT_ONCE=4, pack=pack), mock.patch.object(Ports, "send") as send:
        run(world, Request(hours=48, stores=4, products=2))
    records = [record for call in send.call_args_list for record in call.args[0]]
    carried = [{json.loads(line)["event_id"][:6] for line in record.splitlines()} for record in records]
    assert carried == [{"S00001", "S00002"}, {"S00003", "S00004"}] * 2


def test_the_limit_of_work_is_kept_in_memory_too() -> None:
    """Lines of earlier days are not kept: a run holds a group's day at most."""

    def discard(ports: Ports, records: Sequence[bytes], within: float) -> None:
        pass

    def peak(hours: int) -> int:
        tracemalloc.start()
        try:
            with mock.patch.object(Ports, "send", discard):
                run(World(), Request(hours=hours, stores=1, products=20))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(24)
    assert peak(120) < 1.5 * peak(24)


# --- Killed at every call --------------------------------------------------------------------------------------------

SMALL = Request(hours=3, stores=2, products=3)
STEPS = steps_of(open_at_noon(2, 3), SMALL)


@pytest.mark.parametrize("request_", [SMALL, Request(hours=30, stores=1, products=2)], ids=["two stores", "two days"])
def test_killed_at_any_call_and_repeated_every_event_is_sent_with_the_same_bytes(request_: Request) -> None:
    opening = open_at_noon(request_.stores, request_.products)
    steps = steps_of(World(dict(opening.ledgers)), request_)
    assert steps >= 12
    for number in range(steps):
        world = World(dict(opening.ledgers))
        with pytest.raises(Killed):
            run(world, request_, at(number, kill), "first")
        run(world, request_, run_id="second")
        assert world.lines() == expected(request_, opening, ends(world))
        assert_conserved(world, opening)


def test_killed_at_any_two_calls() -> None:
    request = Request(hours=1, stores=1, products=2)
    opening = open_at_noon(1, 2)
    for first in range(steps_of(World(dict(opening.ledgers)), request)):
        for second in range(steps_of(World(dict(opening.ledgers)), request)):
            world = World(dict(opening.ledgers))
            for number, run_id in ((first, "first"), (second, "second")):
                with suppress(Killed):
                    run(world, request, at(number, kill), run_id)
            run(world, request, run_id="third")
            assert world.lines() == expected(request, opening, ends(world))
            assert_conserved(world, opening)


def test_what_cannot_be_sent_leaves_the_state_as_it_was() -> None:
    opening = open_at_noon(2, 3)
    world = World(dict(opening.ledgers))
    with mock.patch.object(Ports, "send", side_effect=TimeoutError), pytest.raises(TimeoutError):
        run(world, SMALL)
    assert {i: (x.next_tick, x.on_hand) for i, x in world.ledgers.items()} == {
        i: (x.next_tick, x.on_hand) for i, x in opening.ledgers.items()
    }


def test_an_unfinished_plan_is_finished_with_its_own_seed_and_products() -> None:
    opening = open_at_noon(1, 2)
    world = World(dict(opening.ledgers))
    with mock.patch.object(Ports, "send", side_effect=Killed), pytest.raises(Killed):
        run(world, Request(hours=1, stores=1, products=3), run_id="first")
    ports = Ports(world)
    report = trade(
        Request(hours=1, stores=1, products=2),
        shelves=ports, stream=ports, seed=8, overnight=False, run_id="second",
        remaining=lambda: 900.0, clock=lambda: 0.0,
    )  # fmt: skip
    first = {i: line for i, line in world.lines().items() if int(i.rpartition("-")[2]) < 49}
    assert first == expected(Request(hours=1, stores=1, products=3), opening, {"S00001": 49})
    assert (report["ticks"], report["events"], ends(world)) == (4, len(world.accepted), {"S00001": 53})


# --- Trucks ----------------------------------------------------------------------------------------------------------

TRUCK = Receipt("D1", "P0002", 40)


@pytest.mark.parametrize("end", [None, *range(0, STEPS, 3)])
def test_a_truck_that_unloads_at_any_moment_is_booked_exactly_once(end: int | None) -> None:
    opening = open_at_noon(2, 3)
    for number in range(STEPS):
        world = World(dict(opening.ledgers))
        unload = at(number, partial(world.unload, "S00001", TRUCK))
        with suppress(Killed):
            run(world, SMALL, both(unload, killed_at(end)), "first")
        has_unloaded = end is None or number <= end
        run(world, Request(hours=1, stores=2, products=3), run_id="second")
        booked = [event for event in map(json.loads, world.lines().values()) if event["units_received"]]
        shelves = [(event["store_id"], event["product_id"], event["units_received"]) for event in booked]
        assert shelves == ([("S00001", "P0002", 40)] if has_unloaded else [])
        assert_conserved(world, opening)


def test_a_truck_that_unloads_while_events_are_sent_does_not_send_them_again() -> None:
    world = open_at_noon(1, 3)
    send = Ports.send

    def unload_and_send(ports: Ports, records: Sequence[bytes], within: float) -> None:
        world.unload("S00001", TRUCK)
        send(ports, records, within)

    with mock.patch.object(Ports, "send", unload_and_send):
        run(world, Request(hours=1, stores=1, products=3))
    assert len(world.accepted) == len(world.lines())
    assert set(world.ledgers["S00001"].receipts) == {TRUCK}


def test_deliveries_of_one_product_add_up_and_others_wait_for_their_shelf() -> None:
    world = open_at_noon(1, 2)
    for receipt in (TRUCK, replace(TRUCK, delivery_id="D2"), Receipt("D3", "P0003", 5)):
        world.unload("S00001", receipt)
    assert run(world, Request(hours=1, stores=1, products=2))["units_received"] == 80
    assert world.ledgers["S00001"].receipts == (Receipt("D3", "P0003", 5),)
    assert run(world, Request(hours=1, stores=1, products=3))["units_received"] == 5


# --- Runs at the same time -------------------------------------------------------------------------------------------


class Turns:
    """Lets threads proceed one step at a time, in the order of a schedule, then the rest one after another."""

    def __init__(self, bodies: Sequence[Callable[[Hook], None]]) -> None:
        self._go = [threading.Semaphore(0) for _ in bodies]
        self._stopped = threading.Semaphore(0)
        self._alive = [True] * len(bodies)
        self.errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, args=item, daemon=True) for item in enumerate(bodies)]

    def _work(self, number: int, body: Callable[[Hook], None]) -> None:
        def step() -> None:
            self._stopped.release()
            assert self._go[number].acquire(timeout=10)

        try:
            assert self._go[number].acquire(timeout=10)
            body(step)
        except Killed:
            pass
        except BaseException as error:
            self.errors.append(error)
        finally:
            self._alive[number] = False
            self._stopped.release()

    def play(self, schedule: Sequence[int]) -> None:
        for thread in self._threads:
            thread.start()
        rest = (number for number in range(len(self._threads)) for _ in range(1_000))
        for number in (*schedule, *rest):
            if self._alive[number]:
                self._go[number].release()
                assert self._stopped.acquire(timeout=10)
        for thread in self._threads:
            thread.join(timeout=10)
        assert not self.errors, self.errors


REQUESTS = st.builds(Request, hours=st.integers(1, 2), stores=st.integers(1, 2), products=st.integers(1, 3))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(REQUESTS, st.none() | st.integers(0, 30)), min_size=2, max_size=3),
    st.lists(st.integers(0, 2), max_size=80),
)
def test_interleaved_runs_never_corrupt_a_store_and_each_does_its_own_hours(
    runs: list[tuple[Request, int | None]], schedule: list[int]
) -> None:
    opening = open_at_noon(2, 3)
    world = World(dict(opening.ledgers))

    def body(number: int, request: Request, end: int | None, step: Hook) -> None:
        run(world, request, both(step, killed_at(end)), f"run {number}")

    turns = Turns([partial(body, number, *item) for number, item in enumerate(runs)])
    turns.play([number for number in schedule if number < len(runs)])
    if all(end is None for _, end in runs):
        for store in (1, 2):
            hours = sum(request.hours for request, _ in runs if store in request.store_numbers())
            assert world.ledgers[f"S{store:05}"].next_tick == 45 + 4 * hours
    last = Request(hours=1, stores=2, products=3)
    run(world, last, run_id="last")
    assert world.lines() == expected(last, opening, ends(world))
    assert_conserved(world, opening)


@pytest.mark.parametrize("number", range(STEPS))
def test_another_run_at_any_call_of_a_run(number: int) -> None:
    opening = open_at_noon(2, 3)
    world = World(dict(opening.ledgers))

    def other() -> None:
        run(world, SMALL, run_id="other")

    run(world, SMALL, at(number, other), "one")
    assert ends(world) == {"S00001": 45 + 24, "S00002": 45 + 24}
    assert world.lines() == expected(SMALL, opening, ends(world))
    assert_conserved(world, opening)


def test_a_plan_whose_answer_was_lost_is_not_made_twice() -> None:
    world = open_at_noon(1, 2)
    write = Ports.write

    def write_and_lose_the_answer(ports: Ports, ledger: Ledger) -> None:
        write(ports, ledger)
        raise Conflict(ledger.store_id)  # what the repeated write meets

    with mock.patch.object(Ports, "write", write_and_lose_the_answer):
        run(world, Request(hours=1, stores=1, products=2))
    assert ends(world) == {"S00001": 49}
    assert len(world.accepted) == len(world.lines())


# --- Time and requests -----------------------------------------------------------------------------------------------


def test_a_run_out_of_time_stops_between_groups_and_says_how_far_it_came() -> None:
    world, times = open_at_noon(2, 3), iter([900.0] * 4 + [59.0])
    ports = Ports(world)
    with (
        mock.patch.multiple(trading, _SHELVES_AT_ONCE=1, batches=batches, pack=pack),
        pytest.raises(OutOfTime, match="when 0 of 2 stores had traded all 30 hours and the others a part"),
    ):
        trade(
            Request(hours=30, stores=2, products=3),
            shelves=ports, stream=ports, seed=SEED, overnight=True, run_id="r",
            remaining=lambda: next(times), clock=lambda: 0.0,
        )  # fmt: skip
    assert {ledger.plan for ledger in world.ledgers.values()} == {None}
    assert set(ends(world).values()) == {45 + 96}


def test_a_request_is_read_with_its_defaults() -> None:
    assert Request.parse({}) == Request(hours=1, stores=10, products=50, first_store=1)
    assert Request.parse({"hours": 24, "first_store": 99_991}) == Request(24, 10, 50, 99_991)


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (None, 'The payload must be an object such as {"hours": 24}, not NoneType.'),
        ([], 'The payload must be an object such as {"hours": 24}, not list.'),
        ({"hour": 1}, "'hour' is not known; the payload may have hours, stores, products, first_store."),
        ({"hours": 0}, "hours must be a whole number from 1 to 168, not 0."),
        ({"hours": 169}, "hours must be a whole number from 1 to 168, not 169."),
        ({"hours": True}, "hours must be a whole number from 1 to 168, not True."),
        ({"hours": 1.5}, "hours must be a whole number from 1 to 168, not 1.5."),
        ({"hours": 1.0}, "hours must be a whole number from 1 to 168, not 1.0."),
        ({"hours": "1"}, "hours must be a whole number from 1 to 168, not '1'."),
        ({"hours": None}, "hours must be a whole number from 1 to 168, not None."),
        ({"stores": 1_001}, "stores must be a whole number from 1 to 1000, not 1001."),
        ({"stores": -1}, "stores must be a whole number from 1 to 1000, not -1."),
        ({"products": 501}, "products must be a whole number from 1 to 500, not 501."),
        ({"first_store": 100_001}, "first_store must be a whole number from 1 to 100000, not 100001."),
        ({"first_store": 99_992}, "There are stores 1 to 100000, so none is number 100001."),
        (
            {"hours": 168, "stores": 1_000, "products": 500},
            "4 x hours x stores x products must be at most 4000000, not 336000000; ask for less at a time.",
        ),
    ],
)
def test_a_bad_request_is_refused_with_a_sentence(payload: object, sentence: str) -> None:
    with pytest.raises(BadRequest) as refused:
        Request.parse(payload)
    assert str(refused.value) == sentence


def test_the_largest_request_is_one_that_is_meant() -> None:
    assert Request.parse({"hours": 100, "stores": 200, "products": 50}).ticks == 400
