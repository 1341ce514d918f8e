"""Watches a deployment while somebody looks: sources are read over and over, and numbers are published as they change.

Each source has a thread of its own, so that one that is slow or fails leaves the others alone. After a reading it rests
at least nine times as long as the reading took: however large a table is, reading it takes at most a tenth of the time.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import boto3
import botocore.session

from lambdas.core.contract import timestamp
from workshop.console.board import Board
from workshop.console.readings import SOURCES, Deployment, Pauses, Source, deployment
from workshop.console.running import IDLE
from workshop.errors import WorkshopError
from workshop.target import PROMPT, Target, aws_in_plain_words

_log = logging.getLogger(__name__)

MOST_A_SECOND: Final = 5
"""How many snapshots are published at most."""
_REST: Final = 9
_FINDING: Final = "deployment"
_FINDING_PAUSES: Final = Pauses(2, 300)
_AFTER_A_PROBLEM: Final = Pauses(1, 30)
_WINDOWS: Final = Pauses(5, 60)
"""Over how many seconds rates are means: several readings' worth."""


class Turn:
    """When a source is to be read next: in seconds of a clock that only goes forward."""

    def __init__(self) -> None:
        self.due = float("-inf")

    def over(self, begun: float, ended: float, pause: float, most: float = float("inf")) -> None:
        """Rest for the pause, and at least nine times as long as the reading took, if that is no more than `most`."""
        self.due = ended + max(pause, min(_REST * (ended - begun), most))


class Watcher:
    """The latest numbers of whatever `find` finds, for any number of readers."""

    def __init__(
        self,
        find: Callable[[], Target],
        *,
        run: Callable[[], Mapping[str, Any]] = lambda: IDLE,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        expected: Literal["local", "aws"] = "local",
        sources: Sequence[Source] = SOURCES,
        deployment: Callable[[Target, Mapping[str, str]], Deployment] = deployment,
    ) -> None:
        """Begin at rest: nothing is found and nothing read until somebody watches or asks for the target.

        `run` tells what StoreApp is doing; `clock` counts seconds, `now` tells the time of day; `expected` is the
        target that a snapshot names before one was found.
        """
        self._find = find
        self._run = run
        self._clock = clock
        self._now = now
        self._target = {"name": expected, "region": None, "endpoint": None}
        self._deployment = deployment
        self._one_finds = threading.Lock()
        self._stale = threading.Event()
        # Guards all that follows, and tells the threads that there may be something to do.
        self._state = threading.Condition()
        self._watching = 0
        self._closed = False
        self._deployed: Deployment | None = None
        self._board = Board()
        self._problems: dict[str, _Problem] = {}
        self._finding = Turn()
        self._version = 0
        self._document: dict[str, Any] = {}
        self._waiting: set[_Waiter] = set()
        self._world: dict[str, Any] | None = None
        self._publish()
        self._threads = [
            threading.Thread(target=self._keep_finding, name="console finding", daemon=True),
            threading.Thread(target=self._keep_publishing, name="console snapshots", daemon=True),
            *(
                threading.Thread(target=self._keep_reading, args=(source,), name=f"console {source.name}", daemon=True)
                for source in sources
            ),
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End all threads, waiting for a reading that is under way, and let everybody go who waits for a change."""
        with self._state:
            self._closed = True
            self._state.notify_all()
            self._wake()
        self._stale.set()
        for thread in self._threads:
            thread.join()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Have the sources read while this is entered."""
        with self._state:
            self._watching += 1
            self._state.notify_all()
        try:
            yield
        finally:
            with self._state:
                self._watching -= 1

    def snapshot(self) -> tuple[int, dict[str, Any]]:
        """Return the version of the latest document, which grows whenever that changes, and the document."""
        with self._state:
            return self._version, self._document

    async def changed(self, after: int, *, within: float) -> tuple[int, dict[str, Any]]:
        """Wait until a version newer than `after` is published, at most `within` seconds, and return the latest."""
        loop = asyncio.get_running_loop()
        waiter = loop, loop.create_future()
        with self._state:
            if self._version > after or self._closed:
                return self._version, self._document
            self._waiting.add(waiter)
        try:
            await asyncio.wait([waiter[1]], timeout=within)
        finally:
            with self._state:
                self._waiting.discard(waiter)
        return self.snapshot()

    def poke(self) -> None:
        """Publish soon: what StoreApp is doing has changed."""
        self._stale.set()

    def target(self) -> tuple[Target, Mapping[str, str]]:
        """Return the target and what is deployed there, looking for it when nobody has watched yet.

        Raises:
            WorkshopError: nothing is deployed, or it is out of reach.
        """
        with self._state:
            deployed, problem = self._deployed, self._problems.get(_FINDING)
        if problem is not None and self._watching:
            raise WorkshopError(problem.message, problem.next_step)
        if deployed is None or problem is not None:
            with aws_in_plain_words():
                deployed = self._find_out()
        return deployed.target, deployed.resources

    def world(self) -> dict[str, Any] | None:
        """Return the stores, products and depots, or None before the books were read."""
        with self._state:
            shelves, version, world = self._board.shelves, self._board.versions["world"], self._world
        if shelves is None:
            return None
        if world is None or world["version"] != version:
            self._world = world = shelves.world(version)
        return world

    def pace(self) -> float:
        """Return how long trips take, as a multiple of what they would take on AWS."""
        with self._state:
            return self._board.pace

    def stock(self) -> bytes | None:
        """Return all shelves as `Shelves.as_bytes` writes them, or None before the books were read."""
        with self._state:
            shelves, version = self._board.shelves, self._board.versions["stock"]
        return shelves.as_bytes(version) if shelves else None

    def _keep_finding(self) -> None:
        while self._await(self._finding, lambda: True):
            begun = self._clock()
            found = self._attempt(_FINDING, self._find_out)
            with self._state:
                local = self._is_local(self._deployed)
                pause = (_FINDING_PAUSES if found else _AFTER_A_PROBLEM).of(local)
                self._finding.over(begun, self._clock(), pause, _longest_rest(found, local))

    def _find_out(self) -> Deployment:
        """Find the target anew and what is deployed there; what was learnt of the same deployment is kept."""
        with self._one_finds:
            target = self._find()
            with self._state:
                before, failed = self._deployed, _FINDING in self._problems
            if before and before.is_at(target) and not failed:
                target = before.target
            elif target.endpoint is None:
                _forget_credentials()
            found = self._deployment(target, target.resources())
            if before and found == before and target is before.target:
                return before
            with self._state:
                self._deployed = found
                self._problems = {name: each for name, each in self._problems.items() if name == _FINDING}
                if not (before and before.is_at(target) and before.resources == found.resources):
                    self._board.begin(_WINDOWS.of(found.is_local), found.hints)
                self._state.notify_all()
            return found

    def _keep_reading(self, source: Source) -> None:
        turn = Turn()
        while self._await(turn, lambda: self._deployed is not None):
            with self._state:
                deployed = self._deployed
            if deployed is None:
                continue
            begun = self._clock()
            read = self._attempt(source.name, partial(self._read, source, deployed), deployed)
            local = deployed.is_local
            turn.over(begun, self._clock(), source.pauses.of(local), _longest_rest(read, local))

    def _read(self, source: Source, deployed: Deployment) -> None:
        reading = source.read(deployed)
        with self._state:
            if deployed is self._deployed:
                self._board.note(source.name, reading, self._clock())

    def _await(self, turn: Turn, ready: Callable[[], bool]) -> bool:
        """Wait until somebody watches and it is a source's turn; say False when it is all over."""
        with self._state:
            while not self._closed:
                left = turn.due - self._clock()
                if self._watching and left <= 0 and ready():
                    return True
                self._state.wait(left if self._watching and left > 0 else None)
        return False

    def _attempt(self, source: str, work: Callable[[], object], deployed: Deployment | None = None) -> bool:
        """Do something that AWS may refuse; what goes wrong is shown until the same goes well."""
        problem: WorkshopError | None = None
        try:
            with aws_in_plain_words():
                work()
        except WorkshopError as error:
            problem = error
        except Exception as error:  # whatever it is, the page has to say so and go on
            _log.exception("Reading %s failed", source)
            problem = WorkshopError(f"The {source} could not be read: {error!r:.200}", "The console's log says more.")
        with self._state:
            if problem is None:
                self._problems.pop(source, None)
            elif deployed is self._deployed or source == _FINDING:
                since = before.since if (before := self._problems.get(source)) else timestamp(self._now())
                self._problems[source] = _Problem(problem.message, problem.next_step, since)
                if source != _FINDING:
                    soon = self._clock() + _AFTER_A_PROBLEM.of(self._is_local(deployed))
                    self._finding.due = min(self._finding.due, soon)
                    self._state.notify_all()
        self._stale.set()
        return problem is None

    def _is_local(self, deployed: Deployment | None) -> bool:
        return deployed.is_local if deployed else self._target["name"] == "local"

    def _keep_publishing(self) -> None:
        while not self._closed:
            self._stale.wait()
            self._stale.clear()
            try:
                self._publish()
            except Exception:  # a number that cannot be told must not end all others
                _log.exception("No snapshot could be made")
            with self._state:
                self._state.wait_for(lambda: self._closed, timeout=1 / MOST_A_SECOND)

    def _publish(self) -> None:
        run = dict(self._run())
        with self._state:
            document = {
                "target": self._deployed.as_document() if self._deployed else self._target,
                "problem": self._problem(),
                "run": run,
                **self._board.parts(self._clock()),
            }
            if document != {name: value for name, value in self._document.items() if name != "at"}:
                self._document = {"at": timestamp(self._now()), **document}
                self._version += 1
                self._wake()

    def _problem(self) -> dict[str, Any] | None:
        """Return the one to show: that nothing is there explains all others; else the one that has lasted longest."""
        if not self._problems:
            return None
        first = min(self._problems.values(), key=lambda problem: problem.since)
        return self._problems.get(_FINDING, first)._asdict()

    def _wake(self) -> None:
        for loop, told in self._waiting:
            with suppress(RuntimeError):  # its loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(_done, told)
        self._waiting.clear()


class _Problem(NamedTuple):
    message: str
    next_step: str
    since: str


_Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


def _longest_rest(went_well: bool, local: bool) -> float:
    """Return the seconds that a rest takes at most: waiting for an answer that did not come was no work."""
    return float("inf") if went_well else _AFTER_A_PROBLEM.of(local)


def _forget_credentials() -> None:
    """Have clients made from now on read credentials anew, and wait no longer for those who lend them than for AWS."""
    session = botocore.session.get_session()
    session.set_default_client_config(PROMPT)
    boto3.setup_default_session(botocore_session=session)


def _done(told: "asyncio.Future[None]") -> None:
    if not told.done():
        told.set_result(None)
