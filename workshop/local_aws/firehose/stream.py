"""One delivery stream: records gather, go through the processor, gather again, and are delivered."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from workshop.local_aws.firehose.configuration import MIB, Configuration, Hints
from workshop.local_aws.firehose.destination import PROCESSING_FAILED, Destination, UndeliverableError
from workshop.local_aws.firehose.journal import Entry, Journal
from workshop.local_aws.firehose.processor import Processor
from workshop.local_aws.firehose.records import Record

HEADROOM = 1024 * MIB
"""Bytes, on disk, that a stream may fall behind beyond one full batch before producers are told to slow down."""

GATHERING_HEADROOM = 16 * MIB
"""Bytes, in memory, that processed records may take beyond one full batch before the processor waits."""

_RECORD_WEIGHT = 256  # what is kept for a record besides its data, roughly
_AT_ONCE = Hints(4 * MIB, 0.0)
_LONGEST_PAUSE = 30.0

log = logging.getLogger(__name__)


class OutOfPatienceError(Exception):
    """Closing has taken as long as it may, and something is left."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits in a stream: `seconds` is the longest it can take until the next delivery begins, None if empty."""

    records: int
    bytes: int
    seconds: float | None


class Buffer(Protocol):
    """A queue of records: the journal of what was accepted, or what gathers in memory."""

    records: int
    """How many wait to be taken."""
    bytes: int
    """The data of those."""

    def append(self, records: Sequence[Record], at: float) -> None:
        """Add records that came in at a time, all or none. Raises OSError."""

    def since(self) -> float | None:
        """Return when the next record to be taken came in; None when there is none."""

    def take(self, size: int) -> list[Entry]:
        """Take records from the front, of at most so many bytes of data, or one that is larger."""

    def give_back(self, entries: Sequence[Entry]) -> None:
        """Put what was taken last to the front again."""


class Memory:
    """A buffer in memory. The positions of its entries say nothing."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self.records = 0
        self.bytes = 0

    def append(self, records: Sequence[Record], at: float) -> None:
        """Add records that came in at a time."""
        entries = [Entry(0, each, at) for each in records]
        self._entries.extend(entries)
        self._count(entries, 1)

    def since(self) -> float | None:
        """Return when the next record to be taken came in; None when there is none."""
        return self._entries[0].at if self._entries else None

    def take(self, size: int) -> list[Entry]:
        """Take records from the front, of at most so many bytes of data, or one that is larger."""
        taken: list[Entry] = []
        while self._entries:
            size -= len(self._entries[0].record.data)
            if taken and size < 0:
                break
            taken.append(self._entries.popleft())
        self._count(taken, -1)
        return taken

    def give_back(self, entries: Sequence[Entry]) -> None:
        """Put what was taken last to the front again."""
        self._entries.extendleft(reversed(entries))
        self._count(entries, 1)

    def _count(self, entries: Sequence[Entry], sign: int) -> None:
        self.records += sign * len(entries)
        self.bytes += sign * _size(entries)


class Stage:
    """A buffer, and the work that is done with each batch that is large or old enough, one batch at a time, in order.

    A batch stays until its work has succeeded.
    """

    def __init__(
        self,
        buffer: Buffer,
        hints: Hints,
        work: Callable[[list[Entry]], None],
        now: Callable[[], float],
        headroom: int = GATHERING_HEADROOM,
    ) -> None:
        """Prepare. `hints` may be replaced at any time; `now` is in seconds; `headroom` is beyond one full batch."""
        self.hints = hints
        self._buffer = buffer
        self._work = work
        self._now = now
        self._headroom = headroom
        self._batch: list[Entry] = []  # what is being worked on
        self._crowded = False  # somebody waits for room
        self._draining = False
        self._ended = False
        self._one_at_a_time = threading.Lock()
        self._changed = threading.Condition()

    def offer(self, records: Sequence[Record]) -> int:
        """Take as many records from the front as there is room for, and return how many; none while draining.

        Raises:
            OSError: they could not be kept, and none was taken.
        """
        with self._changed:
            return 0 if self._draining else self._take(records, self._now())

    def put(self, records: Sequence[Record], at: float) -> None:
        """Take all records, which came in at a time, and wait for room where there is none.

        Raises:
            OutOfPatienceError: there will be no more room.
        """
        with self._changed:
            taken = self._take(records, at)
            while taken < len(records):
                if self._ended:
                    raise OutOfPatienceError
                self._crowded = True  # records that are small fill the memory before they fill a batch
                self._changed.notify_all()
                self._changed.wait()
                taken += self._take(records[taken:], at)

    def step(self, *, early: bool = False) -> bool:
        """Work on one batch if one is due, or with `early` if there is any; return whether there was one.

        What the work raises is raised, and the batch is the next one again.
        """
        with self._one_at_a_time:
            with self._changed:
                if not (self._buffer.records and (early or self._is_due())):
                    return False
                batch = self._batch = self._buffer.take(self.hints.size)
                self._crowded = False
            try:
                self._work(batch)
            except BaseException:
                with self._changed:
                    self._buffer.give_back(batch)
                    self._batch = []
                raise
            with self._changed:
                self._batch = []
                self._changed.notify_all()
            return True

    def run(self, pause: Callable[[float], None]) -> None:
        """Work on every batch that becomes due, until drained; what raises is logged and tried again after a pause.

        While draining `pause` is asked before each batch, too, and ends it by raising OutOfPatienceError.
        """
        wait = 0.1
        try:
            while self._wait_until_due():
                if self._draining:
                    pause(0)
                try:
                    self.step(early=self._draining)
                    wait = 0.1
                except OutOfPatienceError:
                    raise
                except Exception:
                    log.exception("A batch failed and will be tried again")
                    pause(wait)
                    wait = min(wait * 2, _LONGEST_PAUSE)
        except OutOfPatienceError:
            log.warning("%d records are left for the next start", self._buffer.records)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def drain(self) -> None:
        """Refuse offers from now on and let `run` return when all is done, however young it is."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()

    def backlog(self) -> Backlog:
        """Return what is buffered or being worked on; `seconds` are those until the buffer is due."""
        with self._changed:
            records, size = self._buffer.records + len(self._batch), self._buffer.bytes + _size(self._batch)
            seconds = None if self._buffer.since() is None else max(0.0, self._due_at() - self._now())
            return Backlog(records, size, 0.0 if self._batch else seconds)

    def _take(self, records: Sequence[Record], at: float) -> int:
        held = _weight(self._buffer.records, self._buffer.bytes) + _weight(len(self._batch), _size(self._batch))
        room = self.hints.size + self._headroom - held
        taken = 0
        for record in records:
            room -= _weight(1, len(record.data))
            if room < 0 and (held or taken):
                break
            taken += 1
        if taken:
            self._buffer.append(records[:taken], at)
            self._changed.notify_all()
        return taken

    def _due_at(self) -> float:
        since = self._buffer.since()
        return float("inf") if since is None else since + self.hints.interval

    def _is_due(self) -> bool:
        return self._crowded or self._buffer.bytes >= self.hints.size or self._now() >= self._due_at()

    def _wait_until_due(self) -> bool:
        """Wait for a batch that is due; return False when drained and empty instead."""
        with self._changed:
            while not self._draining and not (self._buffer.records and self._is_due()):
                self._changed.wait(max(0.0, self._due_at() - self._now()) if self._buffer.records else None)
            return self._buffer.records > 0


def _size(entries: Sequence[Entry]) -> int:
    return sum(len(each.record.data) for each in entries)


def _weight(records: int, size: int) -> int:
    return size + records * _RECORD_WEIGHT


@dataclass(slots=True)
class _Underway:
    """A batch that was processed: how many of its records are not delivered yet, and where the next one begins."""

    records: int
    next: int


class DeliveryStream:
    """The two stages of a delivery stream, and the version of its configuration that they follow.

    What it has accepted is in its journal until it is delivered, dropped by the processor or below the error prefix.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        journal: Journal,
        processor: Processor,
        destination: Destination,
        describe: Callable[[], Configuration | None],
        interval_factor: float,
        now: Callable[[], float],
        headroom: int = HEADROOM,
    ) -> None:
        """Prepare without starting. `describe` returns what is deployed under the stream's name, if anything is."""
        self._journal = journal
        self._processor = processor
        self._destination = destination
        self._describe = describe
        self._factor = interval_factor
        self._now = now
        self._processing = Stage(journal, configuration.hints, self._process, now, headroom)
        self._delivering = Stage(Memory(), configuration.hints, self._deliver, now)
        self._underway: deque[_Underway] = deque()
        self._settling = threading.Lock()
        self._deleted = False
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
        self._processing.hints = self._locally(configuration.processor.hints if configuration.processor else _AT_ONCE)

    def accept(self, records: Sequence[Record]) -> int:
        """Take as many records from the front as there is room for, and return how many; they survive a kill.

        Raises:
            OSError: the journal cannot be written, and none was taken.
        """
        return self._processing.offer(records)

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
        for name, work in (("process", self._run_processing), ("deliver", self._run_delivering)):
            label = f"{self._configuration.name}-{name}"
            self._threads.append(threading.Thread(target=work, args=(pause,), name=label, daemon=True))
            self._threads[-1].start()

    def drain(self) -> None:
        """Accept nothing more, and let both threads end when all is delivered."""
        self._processing.drain()

    def retire(self) -> None:
        """Drain, for the stream was deleted; its journal goes with it."""
        self._deleted = True
        self.drain()

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

    def _run_delivering(self, pause: Callable[[float], None]) -> None:
        self._delivering.run(pause)
        self._threads[0].join()
        if self._deleted and not self.backlog().records:
            self._journal.remove()
        else:
            self._journal.close()

    def _locally(self, hints: Hints) -> Hints:
        return Hints(hints.size, hints.interval * self._factor)

    def _refresh(self) -> None:
        """Follow UpdateDestination. A stream that was deleted is emptied by the last version that was seen."""
        described = self._describe()
        self._deleted = described is None or described.created != self._configuration.created
        if described and not self._deleted:
            self.follow(described)

    def _process(self, batch: list[Entry]) -> None:
        if self._configuration.processor:
            self._refresh()
        stream, records, at = self._configuration, [each.record for each in batch], batch[0].at
        if stream.processor:
            with self._losing(len(records)):
                self._destination.back_up(stream, records)
            transformed = self._processor.transform(stream, stream.processor, records)
            if transformed.failures:
                with self._losing(len(transformed.failures)):
                    self._destination.fail(stream, PROCESSING_FAILED, transformed.failures)
            records, at = transformed.records, self._now()  # they gather anew
        with self._settling:
            self._underway.append(_Underway(len(records), batch[-1].position + 1))
        self._delivering.put(records, at)
        self._settle(0)

    def _deliver(self, batch: list[Entry]) -> None:
        self._refresh()
        with self._losing(len(batch)):
            self._destination.deliver(self._configuration, [each.record for each in batch])
        self._settle(len(batch))

    @contextmanager
    def _losing(self, records: int) -> Iterator[None]:
        """Go on without records that cannot be delivered any more, and say so."""
        try:
            yield
        except UndeliverableError as error:
            log.error("%d records of %s are lost: %s", records, self._configuration.name, error)

    def _settle(self, delivered: int) -> None:
        """Acknowledge the batches of which nothing is underway any more, after so many more records were delivered."""
        settled = None
        with self._settling:
            while self._underway:
                oldest = self._underway[0]
                done = min(delivered, oldest.records)
                oldest.records -= done
                delivered -= done
                if oldest.records:
                    break
                settled = self._underway.popleft().next
            if settled is not None:
                self._journal.acknowledge(settled)
