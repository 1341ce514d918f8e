"""Trading: stores advance by whole ticks, and every event is sent before it is booked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from lambdas.core import catalogue
from lambdas.core.ledger import Ledger, Plan
from lambdas.core.master_data import store_id
from lambdas.core.packing import batches, pack
from lambdas.core.simulation import Run, Shop
from lambdas.core.trading_calendar import TICKS_PER_DAY, TICKS_PER_HOUR, WORKSHOP_CALENDAR
from lambdas.core.versions import Conflict

MAX_SHELF_TICKS: Final = 4_000_000
"""Ticks times shelves of one invocation: about 1.1 million events or 450 MB, half of what 15 minutes take at 1 MiB/s,
the smallest quota of a delivery stream (Amazon Data Firehose Quota)."""
_SHELVES_AT_ONCE: Final = 1_000
"""Stores trade a day at a time in groups of about so many shelves: some 10 MB of full records."""
_SECONDS_FOR_A_GROUP: Final = 60.0
_SECONDS_TO_COMMIT: Final = 30.0
"""What is kept back from sending: the last call's time-out, and the commits of a group."""


class BadRequest(ValueError):
    """A payload that is refused before anything is read or sent; the message is one sentence."""


class OutOfTime(Exception):
    """The invocation's time ran out between two groups. What was committed stays committed."""


class Shelves(Protocol):
    """Where the stores' ledgers are kept."""

    def read(self, store_id: str) -> Ledger:
        """Return a store's ledger as last written, or version 0."""

    def write(self, ledger: Ledger) -> None:
        """Write a ledger, or raise `Conflict` when the version before it is not the stored one."""


class Stream(Protocol):
    """Where the events go, at least once."""

    def send(self, records: Sequence[bytes], within: float) -> None:
        """Send one call's worth of records within so many seconds, or raise."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to trade: how many hours, in which stores, with how many products each."""

    hours: int = 1
    stores: int = 10
    products: int = 50
    first_store: int = 1

    @classmethod
    def parse(cls, payload: object) -> "Request":
        """Read an invocation's payload, everything in it optional; raise `BadRequest` when it cannot be done."""
        if not isinstance(payload, dict):
            raise BadRequest(f'The payload must be an object such as {{"hours": 24}}, not {type(payload).__name__}.')
        for name, value in payload.items():
            if name not in _MOST:
                raise BadRequest(f"{str(name)[:40]!a} is not known; the payload may have {', '.join(_MOST)}.")
            if type(value) is not int or not 1 <= value <= _MOST[name]:
                raise BadRequest(f"{name} must be a whole number from 1 to {_MOST[name]}, not {repr(value)[:40]}.")
        request = cls(**payload)
        last_store = request.first_store + request.stores - 1
        if last_store > catalogue.MAX_STORES:
            raise BadRequest(f"There are stores 1 to {catalogue.MAX_STORES}, so none is number {last_store}.")
        if (work := request.ticks * request.stores * request.products) > MAX_SHELF_TICKS:
            raise BadRequest(
                f"4 x hours x stores x products must be at most {MAX_SHELF_TICKS}, not {work}; ask for less at a time."
            )
        return request

    @property
    def ticks(self) -> int:
        """Ticks by which each store advances."""
        return self.hours * TICKS_PER_HOUR

    def store_numbers(self) -> range:
        """Return the numbers of the stores that trade."""
        return range(self.first_store, self.first_store + self.stores)


_MOST: Final = {"hours": 168, "stores": 1_000, "products": catalogue.MAX_PRODUCTS, "first_store": catalogue.MAX_STORES}


def trade(
    request: Request,
    *,
    shelves: Shelves,
    stream: Stream,
    seed: int,
    overnight: bool,
    run_id: str,
    remaining: Callable[[], float],
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Let stores trade for some hours, and return what `generate --json` shows.

    Day by day, and within a day in groups of stores: write each store's plan, send the events, commit. A plan found
    unfinished is finished first, and what that sends is counted; `ticks` is the request's own part alone. Killed
    anywhere and called again, it sends every event at least once, with the same bytes; a run that meets another one in
    a store goes on from where that one got to. `overnight` says whether shelves are filled up every night, for want of
    trucks. `remaining` tells the invocation's time left, `clock` the time, both in
    seconds. Raises `OutOfTime` between two groups, and whatever the ports raise.
    """
    started = clock()
    stores = [_Store(number, shelves, request, seed, overnight, run_id) for number in request.store_numbers()]
    booked: list[_Booked] = []
    while unfinished := [store for store in stores if not store.is_done()]:
        for group in _groups(unfinished, request.products):
            if remaining() < _SECONDS_FOR_A_GROUP:
                raise OutOfTime(
                    f"Time ran out when {len(stores) - len(unfinished)} of {len(stores)} stores had traded all "
                    f"{request.hours} hours and the others a part; what was sent is booked. Ask for less at a time."
                )
            booked += _trade_once(group, stream, remaining)
    return {
        "events": sum(part.events for part in booked),
        "stores": request.stores,
        "ticks": request.ticks,
        "from": WORKSHOP_CALENDAR.end_of(min(part.ticks.start for part in booked) - 1),
        "to": WORKSHOP_CALENDAR.end_of(max(part.ticks.stop for part in booked) - 1),
        "units_sold": sum(part.units_sold for part in booked),
        "units_received": sum(part.units_received for part in booked),
        "milliseconds": round((clock() - started) * 1_000),
    }


class _Booked(NamedTuple):
    ticks: range
    events: int
    units_sold: int
    units_received: int


def _trade_once(group: list["_Store"], stream: Stream, remaining: Callable[[], float]) -> list[_Booked]:
    """Bring each store of a group one plan further, its events packed together with its neighbours'."""
    plans = [store.plan() for store in group]
    runs: list[Run] = []

    def lines() -> Iterator[str]:
        for store, plan in zip(group, plans, strict=True):
            runs.append(run := store.run(plan))
            yield from run.lines

    for batch in batches(pack(lines())):
        stream.send(batch, within=remaining() - _SECONDS_TO_COMMIT)
    for store, plan, run in zip(group, plans, runs, strict=True):
        store.commit(plan, run)
    return [
        _Booked(plan.ticks, len(run.lines), run.units_sold, run.units_received)
        for plan, run in zip(plans, runs, strict=True)
    ]


class _Store:
    """One store's way through a run: its ledger as last seen, and the ticks that are still to be planned."""

    def __init__(
        self, number: int, shelves: Shelves, request: Request, seed: int, overnight: bool, run_id: str
    ) -> None:
        self._number = number
        self._shelves = shelves
        self._products = request.products
        self._seed = seed
        self._overnight = overnight
        self._run_id = run_id
        self._unplanned = request.ticks
        self._ledger: Ledger | None = None

    def is_done(self) -> bool:
        """Say whether all ticks of this run were planned; between two groups no plan of it is unfinished."""
        return not self._unplanned

    def plan(self) -> Plan:
        """Return the store's unfinished plan, whoever made it; else write the next one of this run."""
        while not (plan := self._seen().plan):
            ledger = self._seen()
            products = catalogue.products(self._seed, max(self._products, len(ledger.on_hand)))
            ticks = min(self._unplanned, TICKS_PER_DAY)
            product_ids = [product.product_id for product in products]
            planned = ledger.planned(self._run_id, self._seed, ticks, product_ids, overnight=self._overnight)
            self._write(planned)
            if self._seen().plan == planned.plan:  # also when the answer to the write was lost
                self._unplanned -= ticks
        return plan

    def run(self, plan: Plan) -> Run:
        """Simulate a plan from the units on hand; shelves that are new in it open full."""
        store = catalogue.store(plan.seed, self._number)
        shop = Shop(plan.seed, store, catalogue.products(plan.seed, plan.products), overnight=plan.overnight)
        on_hand = self._seen().on_hand
        return shop.simulate(on_hand + shop.opening_stock()[len(on_hand) :], plan.ticks, plan.units_received())

    def commit(self, plan: Plan, run: Run) -> None:
        """Book a plan's run, unless another run that found the plan was quicker."""
        while self._seen().plan == plan:  # a truck that unloads meanwhile changes the version, not the plan
            self._write(self._seen().committed(plan, run.on_hand, len(run.lines)))

    def _seen(self) -> Ledger:
        if self._ledger is None:
            self._ledger = self._shelves.read(store_id(self._number))
        return self._ledger

    def _write(self, ledger: Ledger) -> None:
        try:
            self._shelves.write(ledger)
        except Conflict:
            self._ledger = None
        else:
            self._ledger = ledger


def _groups(stores: list[_Store], products: int) -> Iterator[list[_Store]]:
    size = max(1, _SHELVES_AT_ONCE // products)
    for first in range(0, len(stores), size):
        yield stores[first : first + size]
