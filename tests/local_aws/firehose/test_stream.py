"""Buffering and flow: /firehose/latest/dev/buffering-hints.html, data-transformation.html and retry.html."""

import io
import json
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local_aws.firehose.samples import (
    ARRIVED,
    COLUMNS,
    PARQUET,
    Bucket,
    answer,
    configuration,
    ids,
    processing,
    records,
    sent,
)
from workshop.local_aws.firehose.configuration import Configuration, Hints
from workshop.local_aws.firehose.destination import Destination
from workshop.local_aws.firehose.journal import Entry, Journal
from workshop.local_aws.firehose.processor import InvocationError, Processor
from workshop.local_aws.firehose.records import Record
from workshop.local_aws.firehose.stream import Backlog, DeliveryStream, Memory, OutOfPatienceError, Stage

SOON = 10.0


class Clock:
    """A time that passes when told."""

    def __init__(self) -> None:
        self.time = ARRIVED

    def __call__(self) -> float:
        return self.time


class Work:
    """Remembers its batches, and fails as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.batches: list[list[bytes]] = []
        self.failures = failures

    def __call__(self, batch: list[Entry]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no")
        self.batches.append([each.record.data for each in batch])


def waiting(stage: Stage | DeliveryStream) -> tuple[int, int, int]:
    backlog = stage.backlog()
    assert backlog.seconds is not None
    return backlog.records, backlog.bytes, round(backlog.seconds)


def test_a_batch_is_due_when_it_reaches_the_size() -> None:
    """buffering-hints: "whichever condition is satisfied first"."""
    work = Work()
    stage = Stage(Memory(), Hints(4, 300), work, Clock())
    stage.offer(records(b"aa"))
    assert not stage.step()
    stage.offer(records(b"bb"))
    assert stage.step()
    assert work.batches == [[b"aa", b"bb"]]


def test_a_batch_is_due_when_its_oldest_record_has_waited_the_interval() -> None:
    clock, work = Clock(), Work()
    stage = Stage(Memory(), Hints(100, 60), work, clock)
    stage.offer(records(b"a"))
    clock.time += 59
    stage.offer(records(b"b"))
    assert not stage.step()
    assert waiting(stage) == (2, 2, 1)
    clock.time += 1
    assert stage.step()
    assert work.batches == [[b"a", b"b"]]
    assert stage.backlog() == Backlog(0, 0, None)


def test_a_batch_is_no_larger_than_the_size_unless_one_record_is() -> None:
    work = Work()
    stage = Stage(Memory(), Hints(4, 300), work, Clock())
    stage.offer(records(b"aaa", b"bbb", b"cccccc", b"d"))
    while stage.step(early=True):
        pass
    assert work.batches == [[b"aaa"], [b"bbb"], [b"cccccc"], [b"d"]]


def test_a_batch_whose_work_fails_is_the_next_batch_again() -> None:
    work = Work(failures=1)
    stage = Stage(Memory(), Hints(2, 300), work, Clock())
    stage.offer(records(b"a", b"b", b"c"))
    with pytest.raises(OSError, match="no"):
        stage.step()
    assert stage.backlog().records == 3
    assert stage.step()
    assert work.batches == [[b"a", b"b"]]


def test_what_does_not_fit_is_refused_and_fits_when_a_batch_is_done() -> None:
    stage = Stage(Memory(), Hints(100, 300), Work(), Clock(), headroom=500)
    batch = records(b"a" * 100, b"b" * 100)
    assert stage.offer(batch) == 1
    stage.step(early=True)
    assert stage.offer(batch[1:]) == 1


def test_one_record_is_always_taken_by_an_empty_stage() -> None:
    assert Stage(Memory(), Hints(1, 300), Work(), Clock(), headroom=0).offer(records(b"a" * 100)) == 1


def test_putting_waits_for_room() -> None:
    work = Work()
    stage = Stage(Memory(), Hints(100, 300), work, Clock(), headroom=300)
    batch = [b"a" * 100, b"b" * 100]
    thread = threading.Thread(target=stage.put, args=(records(*batch), ARRIVED))
    thread.start()
    while len(work.batches) < 2:  # the second batch exists only if the first one made room for it
        stage.step(early=True)
    thread.join(SOON)
    assert not thread.is_alive()
    assert [data for each in work.batches for data in each] == batch


def test_draining_works_on_everything_and_refuses_more() -> None:
    work = Work(failures=2)
    stage = Stage(Memory(), Hints(100, 300), work, Clock())
    stage.offer(records(b"a", b"b"))
    stage.drain()
    stage.run(lambda _: None)
    assert work.batches == [[b"a", b"b"]]
    assert stage.offer(records(b"c")) == 0


def test_a_stage_out_of_patience_ends_and_says_what_is_left(caplog: pytest.LogCaptureFixture) -> None:
    def give_up(_: float) -> None:
        raise OutOfPatienceError

    stage = Stage(Memory(), Hints(100, 300), Work(failures=99), Clock())
    stage.offer(records(b"a", b"b"))
    stage.drain()
    stage.run(give_up)
    assert "2 records are left for the next start" in caplog.text


class Deployed:
    """A delivery stream whose function, bucket and clock are at hand."""

    def __init__(
        self,
        folder: Path,
        function: Callable[[bytes], bytes] | None = None,
        factor: float = 1.0,
        **destination: Any,
    ) -> None:
        self.bucket = Bucket()
        self.clock = Clock()
        self.described: Configuration | None = configuration(**destination)
        self.events: list[list[bytes]] = []

        def invoke(_: str, payload: bytes) -> bytes:
            assert function is not None
            self.events.append([data for _, data in sent(payload)])
            return function(payload)

        self.journal = Journal(folder)
        self.stream = DeliveryStream(
            self.described,
            journal=self.journal,
            processor=Processor(invoke, lambda _: None, ids()),
            destination=Destination(self.bucket.put, lambda *_: COLUMNS, self.clock, ids()),
            describe=lambda: self.described,
            interval_factor=factor,
            now=self.clock,
        )

    def step(self) -> None:
        self.stream._processing.step()
        self.stream._delivering.step()


def shout(payload: bytes) -> bytes:
    return answer(*((each, "Ok", data.upper()) for each, data in sent(payload)))


def test_records_gather_for_the_function_and_again_for_the_destination(tmp_path: Path) -> None:
    """data-transformation: "The transformed data is sent from Lambda to Amazon Data Firehose [for buffering]"."""
    deployed = Deployed(tmp_path, shout, ProcessingConfiguration=processing())
    deployed.stream.accept(records(b"a", b"b"))
    deployed.clock.time += 59
    deployed.step()
    assert deployed.events == []
    assert waiting(deployed.stream) == (2, 2, 301)
    deployed.clock.time += 1
    deployed.step()
    assert deployed.events == [[b"a", b"b"]]
    assert deployed.bucket.objects == {}
    assert waiting(deployed.stream) == (2, 2, 300)
    deployed.clock.time += 300
    deployed.step()
    assert list(deployed.bucket.objects.values()) == [b"AB"]


def test_the_interval_factor_shortens_intervals(tmp_path: Path) -> None:
    deployed = Deployed(tmp_path, factor=0.02)
    deployed.stream.accept(records(b"a"))
    deployed.clock.time += 5.9
    deployed.step()
    assert deployed.bucket.objects == {}
    deployed.clock.time += 0.2
    deployed.step()
    assert list(deployed.bucket.objects.values()) == [b"a"]


def test_a_skipped_batch_is_written_to_the_error_prefix_and_nothing_is_delivered(tmp_path: Path) -> None:
    """data-transformation-failure-handling."""

    def broken(_: bytes) -> bytes:
        raise InvocationError("Lambda.FunctionError", "boom")

    deployed = Deployed(tmp_path, broken, ProcessingConfiguration=processing())
    deployed.stream.accept(records(b"a", b"b"))
    deployed.stream.flush()
    assert [each["attemptsMade"] for each in deployed.bucket.envelopes("processing-failed/")] == [4, 4]
    assert len(deployed.bucket.objects) == 1


def test_an_updated_destination_is_followed_at_the_next_flush(tmp_path: Path) -> None:
    """API_UpdateDestination."""
    deployed = Deployed(tmp_path)
    deployed.stream.accept(records(b"a"))
    deployed.described = configuration(Prefix="new/")
    deployed.stream.flush()
    assert deployed.bucket.below("new/") == [b"a"]


def test_a_deleted_stream_is_emptied_by_its_last_configuration(tmp_path: Path) -> None:
    deployed = Deployed(tmp_path, Prefix="old/")
    deployed.stream.accept(records(b"a"))
    deployed.described = None
    deployed.stream.flush()
    assert deployed.bucket.below("old/") == [b"a"]


def test_a_call_comes_again_after_a_kill_until_all_of_it_is_delivered(tmp_path: Path) -> None:
    large = b"x" * 600_000
    deployed = Deployed(tmp_path, shout, ProcessingConfiguration=processing(), BufferingHints={"SizeInMBs": 1})
    deployed.stream.accept(records(b"a" + large))
    deployed.stream.accept(records(b"b" + large))
    again = []
    for _ in range(3):
        deployed.stream._processing.step(early=True)
        again.append([each.record.data[:1] for each in Journal(copied(tmp_path)).take(1 << 30)])
        deployed.stream._delivering.step(early=True)
    again.append([each.record.data[:1] for each in Journal(copied(tmp_path)).take(1 << 30)])
    assert again == [[b"a", b"b"], [b"b"], [], []]


def test_a_batch_of_which_a_part_is_delivered_comes_again_as_a_whole(tmp_path: Path) -> None:
    large = b"x" * 600_000
    deployed = Deployed(tmp_path, BufferingHints={"SizeInMBs": 1})
    deployed.stream.accept(records(b"a" + large, b"b" + large))
    deployed.stream._processing.step()
    deployed.stream._delivering.step()
    assert [body[:1] for body in deployed.bucket.objects.values()] == [b"a"]
    assert [each.record.data[:1] for each in Journal(copied(tmp_path)).take(1 << 30)] == [b"a", b"b"]
    deployed.stream._delivering.step(early=True)
    assert Journal(copied(tmp_path)).take(1 << 30) == []


def copied(folder: Path) -> Path:
    """Return a copy of a journal, as a kill would leave it at this moment."""
    return Path(shutil.copytree(folder, Path(tempfile.mkdtemp(dir=folder.parent)) / "journal"))


def test_a_processor_that_was_taken_away_does_not_strand_what_waited_for_it(tmp_path: Path) -> None:
    deployed = Deployed(tmp_path, shout, ProcessingConfiguration=processing())
    deployed.stream.accept(records(b"a"))
    deployed.described = configuration()
    deployed.stream.flush()
    assert list(deployed.bucket.objects.values()) == [b"a"]


def test_draining_delivers_all_that_was_accepted(tmp_path: Path) -> None:
    deployed = Deployed(tmp_path, shout, ProcessingConfiguration=processing())
    deployed.stream.start(lambda _: None)
    assert deployed.stream.accept(records(b"a", b"b")) == 2
    deployed.stream.drain()
    deployed.stream.join()
    assert list(deployed.bucket.objects.values()) == [b"AB"]
    assert deployed.stream.accept(records(b"c")) == 0


_OUTCOMES = st.sampled_from(["Ok", "Dropped", "ProcessingFailed", "missing", "twice", "unreadable", "misfit"])


@settings(max_examples=100, deadline=None)
@given(outcomes=st.lists(st.lists(_OUTCOMES, min_size=1, max_size=4), max_size=6), broken=st.sets(st.integers(0, 5)))
def test_every_record_is_delivered_dropped_or_below_the_error_prefix_exactly_once(
    outcomes: list[list[str]], broken: set[int]
) -> None:
    fates: dict[int, str] = {}

    def function(payload: bytes) -> bytes:
        items = []
        for record_id, data in sent(payload):
            number = json.loads(data)["n"]
            if number // 10 in broken:
                raise InvocationError("Lambda.FunctionError", "boom")
            match fates[number]:
                case "missing":
                    pass
                case "twice":
                    items += [(record_id, "Ok", data)] * 2
                case "unreadable":
                    items.append((record_id, "Fine", data))
                case "misfit":
                    items.append((record_id, "Ok", b'{"n":"x"}'))
                case result:
                    items.append((record_id, result, data))
        return answer(*items)

    with tempfile.TemporaryDirectory() as folder:
        converting: dict[str, Any] = {
            "ProcessingConfiguration": processing(),
            "DataFormatConversionConfiguration": PARQUET,
        }
        deployed = Deployed(Path(folder), function, **converting)
        deliver_all(deployed, outcomes, fates)
    check(deployed, fates, broken)


def deliver_all(deployed: Deployed, outcomes: list[list[str]], fates: dict[int, str]) -> None:
    for call, fate in enumerate(outcomes):
        batch = []
        for index, each in enumerate(fate):
            fates[number := call * 10 + index] = each
            batch.append(Record(str(number), json.dumps({"n": number}).encode(), ARRIVED))
        deployed.stream.accept(batch)
        deployed.stream._processing.step(early=True)
    deployed.stream.flush()
    assert deployed.journal._segments == deque()  # every record is acknowledged


def check(deployed: Deployed, fates: dict[int, str], broken: set[int]) -> None:
    rows = [
        row
        for key, body in deployed.bucket.objects.items()
        if key.endswith(".parquet")
        for row in pyarrow.parquet.read_table(io.BytesIO(body)).column("n").to_pylist()
    ]
    failed = len(deployed.bucket.envelopes("processing-failed/"))
    misfits = len(deployed.bucket.envelopes("format-conversion-failed/"))
    processed = {number: fate for number, fate in fates.items() if number // 10 not in broken}
    counts = {each: list(processed.values()).count(each) for each in ("Ok", "misfit", "Dropped")}
    assert sorted(rows) == sorted(number for number, fate in processed.items() if fate == "Ok")
    assert misfits == counts["misfit"]
    assert failed == len(fates) - sum(counts.values())
