"""The closed loop in memory: the functions' own code, with every message, call and truck in the open.

Workers take turns from one adapter call to the next, in an order that is an argument, and faults strike at calls that
are arguments too: the same arguments, the same history.
"""

import base64
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, TypeVar, cast

from lambdas.core import messages
from lambdas.core.deliveries import UnknownStore
from lambdas.core.ledger import Receipt
from lambdas.core.master_data import Product, Store, product_id, store_id
from lambdas.core.sightings import Sighting, sighting, tick_of
from lambdas.core.simulation import Run
from lambdas.core.trading_calendar import WORKSHOP_CALENDAR
from lambdas.core.versions import Conflict
from lambdas.delivery import driving
from lambdas.delivery.driving import NotItsDelivery
from lambdas.intake.transformation import transform
from lambdas.stock_alert.noticing import notice
from lambdas.store_app import trading
from lambdas.truck_dispatch.calling import call
from tests.adapters.in_memory import Alerts
from tests.adapters.in_memory_trucks import Deliveries, Shelves
from workshop import redrive

Port = TypeVar("Port")
Shelf = tuple[str, str]
SEED: Final = 7
STORES, PRODUCTS = 2, 2
THRESHOLDS: Final = (2, 6)
FULL: Final = (9, 20)
"""Units on a shelf when it opens, by the product's place."""
SPEEDUP: Final = 1_000
MOST_ROUNDS: Final = 100


class Fault(Enum):
    """What can go wrong at an adapter call."""

    CRASH_BEFORE = "the process dies before the call takes effect"
    CRASH_AFTER = "the process dies after the call took effect"
    THROTTLED = "the call is refused, nothing took effect"
    TIMED_OUT = "the call took effect, its answer is lost"
    REPEATED = "the answer is lost and the client, as botocore does, sends the same call again"


class Crash(BaseException):
    """The process is gone: no `except Exception` sees it."""


class Unavailable(Exception):
    """What an adapter raises when AWS does not answer in time, or refuses."""


class Workers:
    """Functions at work, at most so many: one runs at a time, from one adapter call to the next, the others stand."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._standing: list[_Turn] = []
        self._mine = threading.local()
        self._faults: Mapping[int, Fault] = {}
        self._calls = 0
        self.counts: Counter[str] = Counter()

    def start(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Let jobs begin; where there are too many, those that began first have to come to their end."""
        while len(self._standing) + len(jobs) > self._most:
            self._finish(self._standing[0])
        self._standing += [_Turn(job, self._mine) for job in jobs]

    def go_on(self, order: Iterable[int], faults: Mapping[int, Fault]) -> None:
        """Go on from call to call; `order` says whose turn it is, and `faults` which of the calls fails how."""
        self._faults, self._calls = faults, 0
        for place in order:
            if self._standing:
                turn = self._standing[place % len(self._standing)]
                if turn.go_on():
                    self._standing.remove(turn)
        self._faults = {}

    def finish(self) -> None:
        """Let everybody come to an end."""
        while self._standing:
            self._finish(self._standing[0])

    def abandon(self) -> None:
        """Let everybody die."""
        for turn in self._standing:
            turn.die()
        self._standing.clear()

    def _finish(self, turn: "_Turn") -> None:
        while not turn.go_on():
            pass
        self._standing.remove(turn)

    def call(self, name: str, method: Callable[[], Any]) -> Any:
        """Make an adapter call as one worker among others."""
        self._pause()
        self._calls += 1
        self.counts[name] += 1
        fault = self._faults.get(self._calls)
        if fault is Fault.CRASH_BEFORE:
            raise Crash(name)
        if fault is Fault.THROTTLED:
            raise Unavailable(name)
        answer = method()
        if fault is Fault.REPEATED:
            self._pause()
            answer = method()
        if fault is Fault.CRASH_AFTER:
            raise Crash(name)
        if fault is Fault.TIMED_OUT:
            raise Unavailable(name)
        self._pause()
        return answer

    def _pause(self) -> None:
        if turn := getattr(self._mine, "turn", None):
            turn.pause()

    def port(self, adapter: Port) -> Port:
        """Return the adapter behind this machinery."""
        return cast(Port, _Watched(adapter, self))


class _Watched:
    def __init__(self, adapter: object, workers: Workers) -> None:
        self._adapter = adapter
        self._workers = workers

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._adapter, name)
        return lambda *given, **named: self._workers.call(name, lambda: method(*given, **named))


class _Turn:
    """One job on a thread of its own that runs only while it has the baton."""

    def __init__(self, job: Callable[[], None], mine: threading.local) -> None:
        self._baton = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._is_over = self._has_to_die = False
        self._raised: BaseException | None = None

        def work() -> None:
            self._baton.acquire()
            mine.turn = self
            try:
                if not self._has_to_die:
                    job()
            except BaseException as error:
                self._raised = error
            self._is_over = True
            self._back.release()

        threading.Thread(target=work, daemon=True).start()

    def go_on(self) -> bool:
        """Let the job run to its next call; say whether it is over, and raise what it raised."""
        self._baton.release()
        self._back.acquire()
        if self._raised:
            raise self._raised
        return self._is_over

    def die(self) -> None:
        """Let the job end at the call where it stands."""
        self._has_to_die = True
        while not self._is_over:
            self._baton.release()
            self._back.acquire()

    def pause(self) -> None:
        """Give the baton back and wait for it."""
        self._back.release()
        self._baton.acquire()
        if self._has_to_die:
            raise Crash


@dataclass
class Message:
    """A message of a queue; its copies have the same id."""

    message_id: str
    body: str
    receives: int = 0


class Queue:
    """A standard queue: at least once, in no order; received so many times in vain, a message is a dead letter."""

    def __init__(self, name: str, max_receives: int = 5) -> None:
        self.sent: list[Message] = []
        self.visible: list[Message] = []
        self.dead: list[Message] = []
        self._name = name
        self._max_receives = max_receives

    def send(self, bodies: Iterable[str]) -> None:
        """Take messages."""
        for body in bodies:
            self.sent.append(Message(f"{self._name}-{len(self.sent)}", body))
            self.visible.append(replace(self.sent[-1]))

    def deliver_again(self, ago: int, times: int) -> None:
        """Let a message, counted from the last one sent, come so many times more: before it was deleted, or after."""
        self.visible += (replace(self.sent[-1 - ago % len(self.sent)]) for _ in range(times))

    def work(self, function: Callable[[list[dict[str, Any]]], Iterable[str]], place: int, most: int) -> None:
        """Hand a batch to a function that returns the ids it could not do; what it dies over comes again."""
        batch = [self.visible.pop(place % len(self.visible)) for _ in range(min(most, len(self.visible)))]
        if not batch:
            return
        failed: Iterable[str] = [message.message_id for message in batch]
        with suppress(Crash, Unavailable):
            failed = function([{"messageId": message.message_id, "body": message.body} for message in batch])
        for message in batch:
            if message.message_id in failed:
                message.receives += 1
                (self.dead if message.receives >= self._max_receives else self.visible).append(message)

    def redrive(self) -> None:
        """Put the dead letters back: new messages with the bodies they had."""
        bodies = [message.body for message in self.dead]
        self.dead.clear()
        self.send(bodies)


class Bus:
    """EventBridge: what is put on it goes to the queue of its rule."""

    def __init__(self, detail_type: str, target: Queue) -> None:
        self.put: list[dict[str, Any]] = []
        self._detail_type = detail_type
        self._target = target

    def announce(self, details: Sequence[dict[str, Any]]) -> None:
        """Take events."""
        self.put += details
        self._target.send(json.dumps({"detail-type": self._detail_type, "detail": detail}) for detail in details)


@dataclass
class Execution:
    """One run of the delivery workflow: dispatch, unload, announce; or what it fails for."""

    name: str
    detail: dict[str, Any]
    status: str = "RUNNING"
    step: str = "dispatch"
    failures: int = 0
    completed: dict[str, Any] | None = None
    error: dict[str, str] = field(default_factory=dict)


class StepFunctions:
    """The delivery workflow's runs, each name taken for ever: a port of the truck dispatch, a client of the tool."""

    class exceptions:  # noqa: N801 - as boto3 has it
        class ExecutionAlreadyExists(Exception):
            pass

        class ExecutionDoesNotExist(Exception):
            pass

    def __init__(self) -> None:
        self.runs: list[Execution] = []

    def start(self, name: str, detail: Mapping[str, Any]) -> None:
        """Start a run, unless there was one of that name."""
        if self._named(name) is None:
            self.runs.append(Execution(name, dict(detail)))

    def running(self) -> list[Execution]:
        """Return the runs that have not ended."""
        return [run for run in self.runs if run.status == "RUNNING"]

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> None:  # noqa: ARG002, N803
        """Start a run, as the client does."""
        if self._named(name):
            raise self.exceptions.ExecutionAlreadyExists
        self.start(name, json.loads(input))

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        """Describe a run, as the client does."""
        run = self._named(executionArn.rpartition(":")[2])
        if run is None:
            raise self.exceptions.ExecutionDoesNotExist
        return {
            "name": run.name,
            "status": run.status,
            "input": json.dumps(run.detail),
            "error": run.error.get("Error"),
        }

    def get_paginator(self, operation: str) -> "StepFunctions":
        """Return what lists the runs."""
        assert operation == "list_executions"
        return self

    def paginate(self, *, stateMachineArn: str, statusFilter: str) -> list[dict[str, Any]]:  # noqa: ARG002, N803
        """List the runs that have a status, as the client's paginator does."""
        return [{"executions": [{"name": run.name} for run in self.runs if run.status == statusFilter]}]

    def _named(self, name: str) -> Execution | None:
        return next((run for run in self.runs if run.name == name), None)


class Firehose:
    """What StoreApp has sent and the intake has not screened, and the lake: each event that the intake let pass."""

    def __init__(self) -> None:
        self.buffer: list[bytes] = []
        self.lake: dict[str, dict[str, Any]] = {}

    def send(self, records: Sequence[bytes], within: float) -> None:
        """Take records, each line in one of its own: Firehose may part them as it likes."""
        assert within > 0
        self.buffer += (line for record in records for line in record.splitlines())

    def deliver(self, results: Sequence[Mapping[str, str]]) -> None:
        """Write a batch to the lake; an event that comes again has the same bytes but for its arrival."""
        for result in results:
            assert result["result"] == "Ok"
            for line in base64.b64decode(result["data"]).splitlines():
                event = json.loads(line)
                before = self.lake.setdefault(event["event_id"], event)
                assert before | {"received_at": ""} == event | {"received_at": ""}


class Demand:
    """What customers ask for, told beforehand; what was asked for in a tick stays so, however often it is simulated."""

    def __init__(self) -> None:
        self._wanted: dict[Shelf, list[int]] = defaultdict(list)
        self._asked: dict[tuple[Shelf, int], int] = {}

    def want(self, shelf: Shelf, units: Iterable[int]) -> None:
        """Let customers ask for units, tick by tick, after what they have been said to ask for."""
        self._wanted[shelf] += units

    def stop(self) -> None:
        """Let nobody come any more."""
        self._wanted.clear()

    def asked(self, shelf: Shelf, tick: int) -> int:
        """Return what is asked for in a tick."""
        if (shelf, tick) not in self._asked:
            wanted = self._wanted[shelf]
            self._asked[shelf, tick] = wanted.pop(0) if wanted else 0
        return self._asked[shelf, tick]

    def shop(self, _seed: int, store: Store, products: Sequence[Product], *, overnight: bool) -> "Shop":
        """Return the shop of a store, in the place of the one that simulates customers."""
        assert not overnight
        return Shop(store, products, self)


@dataclass
class Shop:
    """A store's shelves with a demand that is told."""

    store: Store
    products: Sequence[Product]
    demand: Demand

    def opening_stock(self) -> tuple[int, ...]:
        """Return the units on each shelf when it is new."""
        return FULL[: len(self.products)]

    def simulate(self, on_hand: Sequence[int], ticks: range, receipts: Mapping[str, int]) -> Run:
        """Book what trucks unloaded in the first tick, and sell what is asked for as far as it is there."""
        stock, lines, sold_in_all, received_in_all = list(on_hand), [], 0, 0
        for tick in ticks:
            for place, product in enumerate(self.products):
                received = receipts.get(product.product_id, 0) if tick == ticks.start else 0
                asked = self.demand.asked((self.store.store_id, product.product_id), tick)
                sold = min(asked, stock[place] + received)
                if not sold and not received:
                    continue
                stock[place] += received - sold
                sold_in_all, received_in_all = sold_in_all + sold, received_in_all + received
                event = {
                    "event_id": f"{self.store.store_id}-{product.product_id}-{tick}",
                    "event_time": WORKSHOP_CALENDAR.end_of(tick),
                    **asdict(self.store),
                    **asdict(product),
                    "stock": stock[place],
                    "threshold": THRESHOLDS[place],
                    "units_sold": sold,
                    "units_received": received,
                }
                lines.append(json.dumps(event, separators=(",", ":")))
        return Run(tuple(stock), lines, sold_in_all, received_in_all)


class World:
    """Two stores, their trucks and everything between them."""

    def __init__(self) -> None:
        self.workers = Workers()
        self.demand = Demand()
        self.firehose = Firehose()
        self.shelves = Shelves()
        self.alerts = Alerts()
        self.deliveries = Deliveries(self.shelves)
        self.step_functions = StepFunctions()
        self.sightings = Queue("sightings")
        self.truck_calls = Queue("truck calls")
        self.bus = Bus("StockBelowThreshold", self.truck_calls)
        self.truck_bus = Bus("DeliveryCompleted", self.sightings)
        self.reasons: list[str] = []
        self.noticed_in_time: dict[Shelf, set[int]] = defaultdict(set)
        self._latest_tick: dict[Shelf, int] = defaultdict(int)
        self._supplied: Counter[Shelf] = Counter()
        self._invocations = 0
        self._now = datetime(2026, 11, 20, tzinfo=UTC)

    # ---- one invocation each ----

    def trade(self, number: int, _most: int) -> None:
        """StoreApp trades an hour in one store."""
        with suppress(Crash, Unavailable):
            trading.trade(
                trading.Request(hours=1, stores=1, products=PRODUCTS, first_store=1 + number % STORES),
                shelves=self.workers.port(self.shelves),
                stream=self.workers.port(self.firehose),
                seed=SEED,
                overnight=False,
                run_id=self._invocation(),
                remaining=lambda: 900.0,
                clock=lambda: 0.0,
            )

    def screen(self, place: int, most: int) -> None:
        """Firehose has the intake screen a batch; it repeats what fails."""
        buffer = self.firehose.buffer
        lines = [buffer.pop(place % len(buffer)) for _ in range(min(most, len(buffer)))]
        request_id = self._invocation()
        try:
            batch = transform([self._record(line, number) for number, line in enumerate(lines)])
            if batch.sightings:
                self.workers.port(self.sightings).send(messages.write(batch.sightings, request_id))
        except (Crash, Unavailable):
            buffer += lines
        else:
            self.firehose.deliver(batch.results)

    def notice(self, place: int, most: int) -> None:
        """The stock alert takes messages."""

        def function(records: list[dict[str, Any]]) -> Iterable[str]:
            for seen in _sightings(records):
                shelf = seen.store_id, seen.product_id
                self._latest_tick[shelf] = max(seen.tick, self._latest_tick[shelf])
            noticed = notice(
                records, alerts=self.workers.port(self.alerts), bus=self.workers.port(self.bus), now=self._clock
            )
            self.reasons += noticed.failed.values()
            self._note_order(records, noticed.failed)
            return noticed.failed

        self.sightings.work(function, place, most)

    def call(self, place: int, most: int) -> None:
        """The truck dispatch takes messages."""
        self.truck_calls.work(
            lambda records: call(records, workflow=self.workers.port(self.step_functions)).failed, place, most
        )

    def drive(self, place: int, _most: int) -> None:
        """Step Functions takes the next step of a run; after three failures in a row it gives up."""
        running = self.step_functions.running()
        if not running:
            return
        run = running[place % len(running)]
        step = run.step
        try:
            after = self._take(run, step)
        except (Crash, Unavailable, Conflict, NotItsDelivery, UnknownStore) as error:
            run.failures += 1
            if run.failures < 3:
                return
            after = "over" if step == "fail" else "fail"
            run.error = {"Error": type(error).__name__, "Cause": str(error)}
        if run.step == step:  # unless the same step, taken twice, was quicker the other time
            run.step, run.failures = after, 0
            if after == "over":
                run.status = "FAILED" if step == "fail" else "SUCCEEDED"

    def _take(self, run: Execution, step: str) -> str:
        """Take a step of a run and return the next one."""
        deliveries = self.workers.port(self.deliveries)
        if step == "announce":
            self.workers.port(self.truck_bus).announce([run.completed or {}])
            return "over"
        if step == "unload":
            run.completed = driving.unload(run.detail["alert_id"], run.name, deliveries=deliveries, now=self._clock)
            return "announce"
        named: Any = {"deliveries": deliveries, "now": self._clock, "speedup": SPEEDUP}
        if step == "dispatch":
            driving.dispatch(run.detail, run.name, **named)
            return "unload"
        driving.fail(run.detail, run.name, run.error, **named)
        return "over"

    def supply(self, shelf: Shelf, units: int) -> None:
        """A supplier whom nobody called unloads at a store."""
        with suppress(UnknownStore):
            self.shelves.append(shelf[0], Receipt("supplier", shelf[1], units))
            self._supplied[shelf] += units

    def hour(self, number: int, wants: Sequence[Sequence[int]]) -> None:
        """Let a store trade an hour in which customers ask for its products, tick by tick."""
        for place, units in enumerate(wants, start=1):
            self.demand.want((store_id(number), product_id(place)), units)
        self.trade(number - 1, 1)

    def move_on(self) -> None:
        """Let each hop do what it finds, in the order of the flow."""
        for function in (self.screen, self.notice, self.call):
            function(0, 10)
        for place in reversed(range(len(self.step_functions.running()))):
            self.drive(place, 1)

    def ready(self) -> list[Callable[[int, int], None]]:
        """Return the functions that have something to do, and StoreApp beside them."""
        has_work = {
            self.screen: self.firehose.buffer,
            self.notice: self.sightings.visible,
            self.call: self.truck_calls.visible,
            self.drive: self.step_functions.running(),
        }
        busy = [function for function, work in has_work.items() if work]
        return [*busy, self.trade] if busy else []

    def restart(self) -> None:
        """An operator restarts the deliveries that no run drives any more."""
        for stranded in self.stranded():
            assert not stranded.poison
            self._operator().restart(stranded)

    def stranded(self) -> list[redrive.Stranded]:
        """Return the deliveries that no run drives any more."""
        return self._operator().stranded()

    def _operator(self) -> redrive.Workflow:
        return redrive.Workflow(self.step_functions, "arn", self.deliveries, now=self._clock)

    def redrive(self) -> None:
        """An operator puts the dead letters back."""
        self.sightings.redrive()
        self.truck_calls.redrive()

    def settle(self) -> None:
        """Let everything on its way arrive, nothing failing, and the stores book what the trucks brought."""
        self.workers.finish()
        self.demand.stop()
        for _ in range(MOST_ROUNDS):
            self._drain()
            for number in range(STORES):
                self.trade(number, 0)
            if self._is_still():
                return
        raise AssertionError("The loop does not come to rest.")

    def _drain(self) -> None:
        for _ in range(MOST_ROUNDS):
            if self._is_still():
                return
            self.redrive()
            self.restart()
            self.reasons.clear()
            self.move_on()
            assert not self.reasons
        raise AssertionError("The loop does not come to rest.")

    def _is_still(self) -> bool:
        queues = (self.sightings, self.truck_calls)
        return (
            not self.firehose.buffer
            and not any(queue.visible or queue.dead for queue in queues)
            and not self.step_functions.running()
            and not self.stranded()
        )

    # ---- the rest ----

    def _note_order(self, records: Iterable[Mapping[str, Any]], failed: Container[str]) -> None:
        """Note the beginnings that were taken before anything later about the shelf was even received."""
        for seen in _sightings(record for record in records if record["messageId"] not in failed):
            shelf = seen.store_id, seen.product_id
            if seen.is_low and seen.crosses and seen.tick == self._latest_tick[shelf]:
                self.noticed_in_time[shelf].add(seen.tick)

    def _record(self, line: bytes, number: int) -> dict[str, Any]:
        arrival = round(self._clock().timestamp() * 1_000)
        data = base64.b64encode(line).decode()
        return {"recordId": str(number), "data": data, "approximateArrivalTimestamp": arrival}

    def _invocation(self) -> str:
        self._invocations += 1
        return f"invocation {self._invocations}"

    def _clock(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now

    # ---- what must hold once everything has arrived ----

    def check(self) -> None:
        """Compare everything written down with what the events alone tell."""
        events: dict[Shelf, list[dict[str, Any]]] = defaultdict(list)
        for event in sorted(self.firehose.lake.values(), key=lambda event: tick_of(event["event_id"])):
            events[event["store_id"], event["product_id"]].append(event)
        for number in range(1, STORES + 1):
            ledger = self.shelves.read(store_id(number))
            assert not ledger.plan
            assert not ledger.receipts
            for place, on_hand in enumerate(ledger.on_hand):
                shelf = ledger.store_id, product_id(place + 1)
                self._check_units(shelf, events[shelf], opening=FULL[place], on_hand=on_hand)
                self._check_episodes(shelf, events[shelf])
        self._check_trucks()

    def _check_units(self, shelf: Shelf, events: list[dict[str, Any]], *, opening: int, on_hand: int) -> None:
        stock = opening
        for event in events:
            stock += event["units_received"] - event["units_sold"]
            assert event["stock"] == stock, "units came from nowhere or went nowhere"
        assert on_hand == stock, "the shelf holds other units than its events tell"
        brought = sum(d.units for d in self.deliveries.deliveries.values() if (d.store_id, d.product_id) == shelf)
        received = sum(event["units_received"] for event in events)
        assert received == brought + self._supplied[shelf], "units delivered are not units received"

    def _check_episodes(self, shelf: Shelf, events: list[dict[str, Any]]) -> None:
        truth = dict(episodes(events))
        known = [episode for key, episode in sorted(self.alerts.episodes.items()) if key[:2] == shelf]
        low_now = [tick for tick, closed in truth.items() if closed is None]
        assert [e.opened_tick for e in known if e.state == "OPEN"] == low_now, "open episodes are not low shelves"
        opened = {e.opened_tick: e.closed_tick for e in known if e.opened_tick is not None}
        assert len(opened) + sum(e.opened_tick is None for e in known) == len(known), "an episode was opened twice"
        if self._supplied[shelf]:
            return  # what nobody was called for may fill a shelf and empty out again between two sightings
        assert opened.items() <= truth.items(), "an episode is none, by its events"
        assert len(opened) == len(known), "an episode over before it was noticed, though nobody filled the shelf"
        assert self.noticed_in_time[shelf] <= opened.keys(), "an episode noticed in time was not opened"

    def _check_trucks(self) -> None:
        announced = {detail["alert_id"] for detail in self.bus.put}
        for episode in self.alerts.episodes.values():
            if episode.opened_tick is None:
                assert episode.alert_id not in announced, "a truck was called for a full shelf"
            elif episode.state == "OPEN":
                assert episode.alert_id in announced, "an open episode called no truck"
        assert self.deliveries.deliveries.keys() == announced, "deliveries are not alerts"
        made = Counter(run.detail["alert_id"] for run in self.step_functions.runs if run.status == "SUCCEEDED")
        assert made == dict.fromkeys(announced, 1), "a delivery was driven twice"
        noted = {e.alert_id: e.delivered_units for e in self.alerts.episodes.values() if e.delivered_units is not None}
        brought = {delivery.delivery_id: delivery.units for delivery in self.deliveries.deliveries.values()}
        assert noted == brought, "the alerts do not know what came"


def _sightings(records: Iterable[Mapping[str, Any]]) -> Iterator[Sighting]:
    for record in records:
        for event in json.loads(record["body"]).get("events", []):
            if seen := sighting(event):
                yield seen


def episodes(events: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, int | None]]:
    """Yield the ticks of a shelf's events between which it was low; None while it is."""
    began = None
    for event in events:
        tick, is_low = tick_of(event["event_id"]), event["stock"] < event["threshold"]
        if is_low and began is None:
            began = tick
        elif not is_low and began is not None:
            yield began, tick
            began = None
    if began is not None:
        yield began, None
