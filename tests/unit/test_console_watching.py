"""The page's numbers: rates and what is on the way, when sources are read, and what happens when they fail."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate, count, pairwise
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workshop.console import watching as watching_module
from workshop.console.board import Board
from workshop.console.lake_objects import Lake
from workshop.console.passing import OnTheWay, Rate
from workshop.console.readings import Books, Deployment, Hints, Pauses, Prefix, Source, Tables
from workshop.console.stock import shelves
from workshop.console.watching import MOST_A_SECOND, Turn, Watcher
from workshop.errors import WorkshopError
from workshop.target import Target

pytestmark = pytest.mark.usefixtures("default_session_of_its_own")

PAUSES = st.floats(0.125, 60)
HOSTILE = "<img src=x onerror=alert(1)>\u2028'\"; DROP TABLE"


def eventually(true: Callable[[], bool], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


# --- Rates -----------------------------------------------------------------------------------------------------------


@given(per_second=st.integers(0, 10_000), seconds=st.lists(st.integers(1, 30), min_size=1, max_size=30))
def test_a_steady_flow_has_its_rate_however_it_is_looked_at(per_second: int, seconds: list[int]) -> None:
    rate = Rate(window=5)
    for at in accumulate(seconds, initial=0):
        rate.note(at, per_second * at)
    assert rate.per_second == per_second


@given(st.lists(st.tuples(PAUSES, st.integers(0, 1_000)), min_size=2, max_size=50), st.floats(1, 60))
def test_a_rate_is_what_passed_between_readings_of_its_window(steps: list[tuple[float, int]], window: float) -> None:
    rate, at, total = Rate(window), 0.0, 0
    readings = []
    for pause, passed in steps:
        at, total = at + pause, total + passed
        rate.note(at, total)
        readings.append((at, total))
    begun, first = next(
        reading for reading, following in pairwise(readings) if following[0] > at - window or following == readings[-1]
    )
    assert rate.per_second == pytest.approx((total - first) / (at - begun))


def test_a_rate_ends_when_nothing_passes_any_more_and_is_never_negative() -> None:
    rate = Rate(window=5)
    rate.note(0, 0)
    assert rate.per_second is None
    rate.note(1, 500)
    assert rate.per_second == 500
    for at in range(2, 9):
        rate.note(at, 500)
    assert rate.per_second == 0
    rate.note(9, 10)  # everything was removed and begun anew
    assert rate.per_second is None
    rate.note(10, 30)
    assert rate.per_second == 20


# --- What is on the way ----------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(PAUSES, st.integers(0, 500), st.floats(0, 1)), min_size=1, max_size=60))
def test_what_is_on_the_way_and_since_when(steps: list[tuple[float, int, float]]) -> None:
    """Each step sends some and delivers a share of what is on the way; each event is followed by itself."""
    way = OnTheWay()
    way.sent(0, 0)
    way.arrived(0, 0)
    waiting: list[float] = []  # when each event that is on the way was seen sent, oldest first
    waits: list[float] = []
    at, sent, arrived = 0.0, 0, 0
    for pause, more, share in steps:
        at += pause
        sent += more
        waiting += [at] * more
        way.sent(at, sent)
        at += pause
        coming = round(share * len(waiting))
        if coming:
            waits.append(at - waiting[0])
        arrived += coming
        del waiting[:coming]
        way.arrived(at, arrived)
        assert way.events == len(waiting)
        assert way.oldest(at) == (pytest.approx(at - waiting[0]) if waiting else None)
        assert way.typical == (pytest.approx(median(waits[-20:])) if waits else None)


def test_what_was_sent_before_anybody_looked_is_as_old_as_the_first_look() -> None:
    way = OnTheWay()
    way.sent(100, 50)
    shown: list[float | None] = [way.events]
    way.arrived(101, 20)
    shown += [way.events, way.oldest(103), way.typical]
    way.arrived(104, 50)
    assert [*shown, way.events, way.oldest(105), way.typical] == [None, 30, 3, None, 0, None, 4]


def test_repeated_deliveries_are_no_negative_number() -> None:
    way = OnTheWay()
    way.sent(0, 10)
    way.arrived(1, 15)
    assert (way.events, way.oldest(1)) == (0, None)


def test_however_long_nothing_arrives_little_is_remembered_and_the_oldest_stays_the_oldest() -> None:
    way = OnTheWay()
    way.arrived(0, 0)
    for at in range(1, 5_000):
        way.sent(at, at)
    assert len(way._marks) <= 1_000
    assert (way.events, way.oldest(6_000)) == (4_999, 5_999)
    way.arrived(6_000, 4_998)
    assert (way.typical, way.oldest(6_000)) == (5_999, 1_001)


# --- The board -------------------------------------------------------------------------------------------------------


def lake(rows: int, unread: int = 0) -> Lake:
    return Lake(objects=3, bytes=300, partitions=1, rows=rows, unread=unread, unreadable=())


def books(sent: int) -> Books:
    return Books(sent, 2, "2026-01-05T12:00:00.000Z", 1, shelves(7, ()))


def test_before_the_first_reading_every_number_is_null_and_what_is_not_deployed_is_null_as_a_whole() -> None:
    board = Board()
    hops = board.parts(0)["hops"]
    assert set(hops) == {"store_app", "firehose", "lake", "athena", "sightings", "alerts", "trucks", "shelves"}
    assert {number for hop in hops.values() for number in hop.values()} == {None}
    board.note("tables", Tables(None, 0, None, 0), 1)
    board.note("books", None, 1)
    hops = board.parts(1)["hops"]
    assert [name for name, hop in hops.items() if hop is None] == [
        "store_app", "firehose", "alerts", "trucks", "shelves",
    ]  # fmt: skip


def test_the_next_delivery_is_expected_by_the_hints_until_one_was_seen() -> None:
    board = Board()
    board.begin(5, Hints(60, 128))
    board.note("books", books(0), 0)
    board.note("lake", lake(0), 0)
    assert board.parts(1)["hops"]["firehose"]["next_delivery_seconds"] is None
    board.note("books", books(100), 10)
    firehose = board.parts(25)["hops"]["firehose"]
    assert (firehose["events"], firehose["oldest_seconds"], firehose["next_delivery_seconds"]) == (100, 15, 45)
    assert firehose["typical_seconds"] is None
    board.note("lake", lake(100), 40)
    board.note("books", books(200), 50)
    firehose = board.parts(60)["hops"]["firehose"]
    assert (firehose["typical_seconds"], firehose["next_delivery_seconds"]) == (30, 20)


def test_rows_are_told_once_all_footers_are_read_and_nothing_is_on_the_way_until_then() -> None:
    board = Board()
    board.note("books", books(100), 0)
    board.note("lake", lake(40, unread=2), 0)
    hops = board.parts(1)["hops"]
    assert (hops["lake"]["rows"], hops["firehose"]["events"]) == (None, None)
    board.note("lake", lake(90), 2)
    hops = board.parts(2)["hops"]
    assert (hops["lake"]["rows"], hops["firehose"]["events"]) == (90, 10)


def test_a_part_gets_a_new_version_when_it_changes_and_only_then() -> None:
    board = Board()
    for at in range(3):
        board.note("lake", lake(40), at)
        board.note("tables", Tables(None, 0, None, 0), at)
    before = dict(board.versions)
    board.note("lake", lake(41), 4)
    assert {name for name in before if board.versions[name] > before[name]} == {"lake"}


# --- When sources are read -------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1_000), min_size=1, max_size=40), st.floats(0, 60))
def test_reading_takes_at_most_a_tenth_of_the_time(readings: list[float], pause: float) -> None:
    turn, now = Turn(), 0.0
    for took in readings:
        turn.over(now, now + took, pause)
        assert turn.due >= now + took + pause
        now = turn.due
    assert sum(readings) <= now / 10 + 1e-6


@dataclass(frozen=True, kw_only=True)
class Imitated(Target):
    """A target where only the names of resources can be asked for."""

    found: Mapping[str, str] = field(default_factory=lambda: {"lake_bucket": "lake"})

    def resources(self) -> dict[str, str]:
        return dict(self.found)


HERE = Imitated(name="local", region="us-east-1", endpoint="http://127.0.0.1:1")
THERE = Imitated(name="local", region="us-east-1", endpoint="http://127.0.0.1:2")


@pytest.fixture
def looks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for pauses in ("_FINDING_PAUSES", "_AFTER_A_PROBLEM"):
        monkeypatch.setattr(watching_module, pauses, Pauses(0, 0))


def source(name: str, read: Callable[[Deployment], Any]) -> Source:
    return Source(name, Pauses(0, 0), read)


@contextmanager
def watcher(*sources: Source, find: Callable[[], Target] = lambda: HERE, **given: Any) -> Iterator[Watcher]:
    watching = Watcher(find, sources=sources, deployment=Deployment, **given)
    try:
        yield watching
    finally:
        watching.close()


class Reads:
    """A source that counts how often it is read, and fails while it is told to."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.problem: Exception | None = None
        self.count = 0

    def __call__(self, _: Deployment) -> Any:
        self.count += 1
        if self.problem:
            raise self.problem
        return self.answer


def test_nothing_is_found_and_nothing_read_while_nobody_watches() -> None:
    reads, finds = Reads(), Reads()

    def find() -> Target:
        finds.count += 1
        return HERE

    with watcher(source("refused", reads), find=find) as watching:
        for _ in range(3):
            watching.poke()
        with watching.watched(), watching.watched():
            eventually(lambda: reads.count > 2)
        # Whoever was in the middle of a turn ends it, and then all wait for somebody to watch.
        eventually(lambda: all_rest(watching))
        seen = reads.count, finds.count
        watching.poke()
        watching.snapshot()
        eventually(lambda: all_rest(watching))
        assert (reads.count, finds.count) == seen
    with watcher(source("refused", Reads()), find=find):
        pass
    assert finds.count == seen[1], "a watcher that nobody watched looked for its target"


def all_rest(watching: Watcher) -> bool:
    """Say whether the finding thread and the one source's wait for something to do."""
    with watching._state:
        return len(watching._state._waiters) >= 2  # type: ignore[attr-defined]


def test_a_reading_that_takes_long_rests_four_times_as_long() -> None:
    """The clock is the test's own: a reading takes 1,000 seconds of it."""
    now = [0.0]
    begun: list[float] = []

    def slow(_: Deployment) -> None:
        begun.append(now[0])
        now[0] += 1_000

    with watcher(source("refused", slow), clock=lambda: now[0]) as watching, watching.watched():
        eventually(lambda: len(begun) == 1)
        while len(begun) < 4:
            now[0] += 250
            with watching.watched():  # wakes whoever waits for a turn
                time.sleep(0.001)
            assert now[0] < 100_000
    assert all(after - before >= 5_000 for before, after in pairwise(begun))


def test_what_waited_in_vain_is_read_again_soon_and_not_after_four_times_as_long(looks_at_once: None) -> None:
    """The clock is the test's own and stands still while nothing is read."""
    now = [0.0]
    begun: list[float] = []

    def hangs(_: Deployment) -> None:
        begun.append(now[0])
        now[0] += 1_000
        raise WorkshopError("Nothing answers.", "Wait.")

    with watcher(source("refused", hangs), clock=lambda: now[0]) as watching, watching.watched():
        eventually(lambda: len(begun) >= 3)
    assert begun[:3] == [0, 1_000, 2_000]


# --- Failures --------------------------------------------------------------------------------------------------------


def test_one_source_that_fails_leaves_the_others_alone_is_told_and_heals() -> None:
    broken, sound = Reads({"quarantine": Prefix(1, 10), "errors": Prefix(0, 0)}), Reads({})
    moments = (datetime(2026, 11, 21, 12, 0, second, tzinfo=UTC) for second in count())
    sources = source("refused", broken), source("queues", sound)
    with watcher(*sources, now=lambda: next(moments)) as watching, watching.watched():
        eventually(lambda: watching.snapshot()[1]["quarantine"]["objects"] == 1)
        broken.problem = WorkshopError(f"AWS refused: {HOSTILE}", "Wait a moment.")
        eventually(lambda: watching.snapshot()[1]["problem"] is not None)
        problem = watching.snapshot()[1]["problem"]
        assert (problem["message"], problem["next_step"]) == (f"AWS refused: {HOSTILE}", "Wait a moment.")
        reads = broken.count, sound.count
        eventually(lambda: broken.count > reads[0] + 2 and sound.count > reads[1] + 2)
        shown = watching.snapshot()[1]
        assert shown["problem"]["since"] == problem["since"], "it has lasted since it began"
        assert shown["quarantine"] == {"objects": 1, "bytes": 10}, "the last numbers stay"
        broken.problem = None
        eventually(lambda: watching.snapshot()[1]["problem"] is None)


def test_a_fault_of_our_own_is_shown_and_does_not_end_the_reading() -> None:
    reads = Reads()
    reads.problem = ZeroDivisionError("division by zero")
    with watcher(source("lake", reads)) as watching, watching.watched():
        eventually(lambda: watching.snapshot()[1]["problem"] is not None and reads.count > 2)
        assert "ZeroDivisionError" in watching.snapshot()[1]["problem"]["message"]


def test_an_embedded_aws_that_comes_back_elsewhere_is_found(looks_at_once: None) -> None:
    where: list[Target | None] = [HERE]
    seen: list[str | None] = []

    def find() -> Target:
        if where[0] is None:
            raise WorkshopError("The embedded AWS does not run.", "Run `python3 -m workshop up`.")
        return where[0]

    def read(deployed: Deployment) -> dict[str, Any]:
        seen.append(deployed.target.endpoint)
        if deployed.target is not where[0]:
            raise WorkshopError("Out of reach.", "Wait.")
        return {}

    def shown() -> Any:
        return watching.snapshot()[1]

    with watcher(source("queues", read), find=find) as watching, watching.watched():
        eventually(lambda: seen[-1:] == [HERE.endpoint])
        assert watching.target()[0] == HERE
        where[0] = None
        eventually(lambda: (shown()["problem"] or {}).get("message") == "The embedded AWS does not run.")
        with pytest.raises(WorkshopError, match="does not run"):
            watching.target()
        where[0] = THERE
        eventually(lambda: seen[-1:] == [THERE.endpoint] and shown()["problem"] is None)
        assert shown()["target"]["endpoint"] == THERE.endpoint
        assert watching.target()[0] == THERE


def test_a_reading_of_what_is_gone_is_dropped(looks_at_once: None) -> None:
    where, go_on = [HERE], threading.Event()

    def read(deployed: Deployment) -> Any:
        if deployed.target == HERE:
            begun.set()
            go_on.wait(10)
            return {"quarantine": Prefix(99, 99), "errors": Prefix(0, 0)}
        return {"quarantine": Prefix(1, 1), "errors": Prefix(0, 0)}

    begun = threading.Event()
    published: list[int] = []
    with watcher(source("refused", read), find=lambda: where[0]) as watching, watching.watched():
        begun.wait(10)
        where[0] = THERE
        eventually(lambda: watching.snapshot()[1]["target"]["endpoint"] == THERE.endpoint)
        go_on.set()

        def arrived() -> bool:
            published.append(watching.snapshot()[1]["quarantine"]["objects"])
            return published[-1] == 1

        eventually(arrived)
    assert 99 not in published


def test_the_target_is_looked_for_when_it_is_asked_for() -> None:
    with watcher() as watching:
        assert watching.target() == (HERE, {"lake_bucket": "lake"})


def test_trips_take_the_time_that_they_are_given_until_one_was_seen() -> None:
    tables = Reads(Tables(None, 0, None, 0, pace=0.05))
    with watcher(source("tables", tables)) as watching:
        assert watching.pace() == 1
        with watching.watched():
            eventually(lambda: watching.pace() == 0.05)


# --- Publishing ------------------------------------------------------------------------------------------------------


def test_a_version_is_a_change_and_a_document_of_json_with_any_text_in_it() -> None:
    run = {"state": "idle", "problem": None}
    with watcher(run=lambda: dict(run)) as watching:
        version, document = watching.snapshot()
        assert document["run"] == run
        run["state"] = HOSTILE
        watching.poke()
        later, changed = asyncio.run(watching.changed(version, within=10))
        assert later == version + 1
        assert changed["run"]["state"] == HOSTILE
        watching.poke()  # nothing has changed
        assert asyncio.run(watching.changed(later, within=0.01))[0] == later


def test_at_most_five_snapshots_a_second_are_published() -> None:
    """Every look at the run is a change. Slowness of this machine can only make it take longer."""
    numbers = count()

    async def follow() -> float:
        version, _ = watching.snapshot()
        stamps: list[float] = []
        while len(stamps) < 5:
            watching.poke()
            latest, _ = await watching.changed(version, within=0.01)
            if latest > version:
                assert latest == version + 1
                version = latest
                stamps.append(time.monotonic())
        return stamps[-1] - stamps[0]

    with watcher(run=lambda: {"number": next(numbers)}) as watching:
        assert asyncio.run(follow()) >= 3 / MOST_A_SECOND


def test_who_waits_for_a_change_is_let_go_when_the_watcher_ends() -> None:
    async def wait() -> float:
        begun = time.monotonic()
        asyncio.get_running_loop().call_later(0.01, lambda: threading.Thread(target=watching.close).start())
        await watching.changed(version, within=60)
        return time.monotonic() - begun

    with watcher() as watching:
        version, _ = watching.snapshot()
        assert asyncio.run(wait()) < 30
