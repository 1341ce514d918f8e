"""One delivery stream: records gather, go through the processor, gather again, and are delivered."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workshop.local_aws.firehose.configuration import Configuration, Hints
from workshop.local_aws.firehose.destination import PROCESSING_FAILED, Destination
from workshop.local_aws.firehose.processor import Processor
from workshop.local_aws.firehose.records import Record

HEADROOM = 128 * (1 << 20)
"""Bytes that a stage may hold beyond one full batch before those who feed it must wait or are refused."""

_RECORD_WEIGHT = 256  # what Python keeps for a record besides its data, roughly
_LONGEST_PAUSE = 30.0

log = logging.getLogger(__name__)


class OutOfPatienceError(Exception):
    """Closing has taken as long as it may, and something still fails."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a stream: `seconds` is the longest it can take until the next delivery begins, None if empty."""

    records: int
    bytes: int
    seconds: float | None


class Stage:
    """A buffer, and the work that is done with each batch that is large or old enough, one batch at a time, in order.

    A batch stays until its work has succeeded.
    """

    def __init__(
        self, hints: Hints, work: Callable[[list[Record]], None], now: Callable[[], float], headroom: int = HEADROOM
    ) -> None:
        """Prepare an empty stage. `hints` may be replaced at any time; `now` is in seconds."""
        self.hints = hints
        self._work = work
        self._now = now
        self._headroom = headroom
        self._entries: deque[tuple[float, Record]] = deque()  # with the time each came in
        self._batch: list[tuple[float, Record]] = []  # what is being worked on
        self._bytes = 0
        self._held = 0  # weight of what is buffered or being worked on
        self._draining = False
        self._one_at_a_time = threading.Lock()
        self._changed = threading.Condition()

    def offer(self, records: Sequence[Record]) -> int:
        """Take as many records from the front as there is room for, and return how many; none while draining."""
        with self._changed:
            return 0 if self._draining else self._take(records)

    def put(self, records: Sequence[Record]) -> None:
        """Take all records, and wait for room where there is none."""
        with self._changed:
            taken = self._take(records)
            while taken < len(records):
                self._changed.wait()
                taken += self._take(records[taken:])

    def step(self, *, early: bool = False) -> bool:
        """Work on one batch if one is due, or with `early` if there is any; return whether there was one.

        What the work raises is raised, and the batch is the next one again.
        """
        with self._one_at_a_time:
            with self._changed:
                if not (self._entries and (early or self._is_due())):
                    return False
                batch = self._batch = self._pop()
            try:
                self._work([record for _, record in batch])
            except BaseException:
                with self._changed:
                    self._entries.extendleft(reversed(batch))
                    self._bytes += _size(batch)
                    self._batch = []
                raise
            with self._changed:
                self._held -= sum(_weight(record) for _, record in batch)
                self._batch = []
                self._changed.notify_all()
            return True

    def run(self, pause: Callable[[float], None]) -> None:
        """Work on every batch that becomes due, until drained; what raises is logged and tried again after a pause."""
        wait = 0.1
        while self._wait_until_due():
            try:
                self.step(early=self._draining)
                wait = 0.1
            except OutOfPatienceError:
                log.error("%d records could not be delivered before the end", len(self._entries))
                return
            except Exception:
                log.exception("A batch failed and will be tried again")
                try:
                    pause(wait)
                except OutOfPatienceError:
                    log.error("%d records could not be delivered before the end", len(self._entries))
                    return
                wait = min(wait * 2, _LONGEST_PAUSE)

    def drain(self) -> None:
        """Refuse offers from now on and let `run` return when all is done, however young it is."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()

    def backlog(self) -> Backlog:
        """Return what is buffered or being worked on; `seconds` are those until the buffer is due."""
        with self._changed:
            records, size = len(self._entries) + len(self._batch), self._bytes + _size(self._batch)
            seconds = 0.0 if self._batch else max(0.0, self._due_at() - self._now()) if self._entries else None
            return Backlog(records, size, seconds)

    def _take(self, records: Sequence[Record]) -> int:
        room = self.hints.size + self._headroom - self._held
        at, taken = self._now(), 0
        for record in records:
            weight = _weight(record)
            if weight > room and self._held:
                break
            self._entries.append((at, record))
            self._bytes += len(record.data)
            self._held += weight
            room -= weight
            taken += 1
        if taken:
            self._changed.notify_all()
        return taken

    def _pop(self) -> list[tuple[float, Record]]:
        batch: list[tuple[float, Record]] = []
        size = 0
        while self._entries and (not batch or size + len(self._entries[0][1].data) <= self.hints.size):
            batch.append(self._entries.popleft())
            size += len(batch[-1][1].data)
        self._bytes -= size
        return batch

    def _due_at(self) -> float:
        return self._entries[0][0] + self.hints.interval

    def _is_due(self) -> bool:
        return bool(self._entries) and (self._bytes >= self.hints.size or self._now() >= self._due_at())

    def _wait_until_due(self) -> bool:
        """Wait for a batch that is due; return False when drained and empty instead."""
        with self._changed:
            while not self._draining and not self._is_due():
                self._changed.wait(max(0.0, self._due_at() - self._now()) if self._entries else None)
            return bool(self._entries)


def _size(batch: list[tuple[float, Record]]) -> int:
    return sum(len(record.data) for _, record in batch)


def _weight(record: Record) -> int:
    return len(record.data) + _RECORD_WEIGHT


class DeliveryStream:
    """The two stages of a delivery stream, and the version of its configuration that they follow."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        processor: Processor,
        destination: Destination,
        describe: Callable[[], Configuration | None],
        interval_factor: float,
        now: Callable[[], float],
        headroom: int = HEADROOM,
    ) -> None:
        """Prepare without starting. `describe` returns what is deployed under the stream's name, if anything is."""
        self._processor = processor
        self._destination = destination
        self._describe = describe
        self._factor = interval_factor
        self._processing = Stage(configuration.hints, self._process, now, headroom)
        self._delivering = Stage(configuration.hints, self._deliver, now, headroom)
        self._threads: list[threading.Thread] = []
        self.follow(configuration)

    @property
    def configuration(self) -> Configuration:
        """The version that the stream follows."""
        return self._configuration

    def follow(self, configuration: Configuration) -> None:
        """Take on a new version of the configuration; what is buffered is delivered by it."""
        self._configuration = configuration
        self._delivering.hints = self._locally(configuration.hints)
        if configuration.processor:
            self._processing.hints = self._locally(configuration.processor.hints)

    def accept(self, records: Sequence[Record]) -> int:
        """Take as many records from the front as there is room for, and return how many."""
        return (self._processing if self._configuration.processor else self._delivering).offer(records)

    def flush(self) -> None:
        """Process and deliver all that is buffered, in the calling thread; raise what fails."""
        for stage in (self._processing, self._delivering):
            while stage.step(early=True):
                pass

    def backlog(self) -> Backlog:
        """Return what waits in both stages, and how long at most until the next delivery begins."""
        processing, delivering = self._processing.backlog(), self._delivering.backlog()
        seconds = delivering.seconds
        if seconds is None and processing.seconds is not None:
            seconds = processing.seconds + self._delivering.hints.interval
        return Backlog(processing.records + delivering.records, processing.bytes + delivering.bytes, seconds)

    def start(self, pause: Callable[[float], None]) -> None:
        """Process and deliver in two threads from now on, so that a slow function does not hold up deliveries."""
        for name, work in (("process", self._run_processing), ("deliver", self._delivering.run)):
            label = f"{self._configuration.name}-{name}"
            self._threads.append(threading.Thread(target=work, args=(pause,), name=label, daemon=True))
            self._threads[-1].start()

    def drain(self) -> None:
        """Accept nothing more, and let both threads end when all is delivered."""
        self._processing.drain()

    def is_running(self) -> bool:
        """Tell whether a thread is still at work."""
        return any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        """Wait until both threads have ended."""
        for thread in self._threads:
            thread.join()

    def _run_processing(self, pause: Callable[[float], None]) -> None:
        self._processing.run(pause)
        self._delivering.drain()  # only now: until here the processor had more to bring

    def _locally(self, hints: Hints) -> Hints:
        return Hints(hints.size, hints.interval * self._factor)

    def _refresh(self) -> None:
        """Follow UpdateDestination. A stream that was deleted is emptied by the last version that was seen."""
        described = self._describe()
        if described and described.created == self._configuration.created:
            self.follow(described)

    def _process(self, batch: list[Record]) -> None:
        self._refresh()
        stream = self._configuration
        if stream.processor is None:
            self._delivering.put(batch)
            return
        transformed = self._processor.transform(stream, stream.processor, batch)
        if transformed.failures:
            self._destination.fail(stream, PROCESSING_FAILED, transformed.failures)
        self._delivering.put(transformed.records)

    def _deliver(self, batch: list[Record]) -> None:
        self._refresh()
        self._destination.deliver(self._configuration, batch)
