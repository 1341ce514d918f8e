"""The journal of a delivery stream: what was accepted and is not acknowledged comes again, and nothing else."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.local_aws.firehose.samples import ARRIVED
from workshop.local_aws.firehose import journal as module
from workshop.local_aws.firehose.journal import Journal
from workshop.local_aws.firehose.records import Record

ALL = 1 << 40


def record(number: int, size: int = 3) -> Record:
    return Record(f"r{number}", f"{number:03}".encode().ljust(size, b"."), ARRIVED + number)


def taken(journal: Journal, size: int = ALL) -> list[Record]:
    return [each.record for each in journal.take(size)]


def test_records_come_back_whole_with_the_time_they_came_in(tmp_path: Path) -> None:
    whole = Record("r", bytes(range(256)), ARRIVED, partition=(("k", "ü"),), origin=(("shardId", "s-0"),))
    journal = Journal(tmp_path)
    journal.append([whole, record(1, 0)], ARRIVED + 60)
    journal.close()
    entries = Journal(tmp_path).take(ALL)
    assert [each.record for each in entries] == [whole, Record("r1", b"001", ARRIVED + 1)]
    assert {each.at for each in entries} == {ARRIVED + 60}


def test_a_batch_is_no_larger_than_asked_for_unless_one_record_is(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([record(n) for n in range(3)], ARRIVED)
    journal.append([record(3, 10)], ARRIVED)
    assert [len(journal.take(7)) for _ in range(3)] == [2, 1, 1]
    assert journal.since() is None


def test_what_is_given_back_is_taken_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([record(n) for n in range(3)], ARRIVED)
    batch = journal.take(6)
    assert (journal.records, journal.bytes) == (1, 3)
    journal.give_back(batch)
    assert (journal.records, journal.bytes) == (3, 9)
    assert taken(journal) == [record(n) for n in range(3)]


def test_a_segment_is_deleted_when_all_of_it_is_acknowledged(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_size=1)
    for number in range(3):
        journal.append([record(2 * number), record(2 * number + 1)], ARRIVED)
    journal.take(ALL)
    counts = []
    for position in range(7):
        journal.acknowledge(position)
        counts.append(len(list(tmp_path.glob("*.records"))))
    assert counts == [3, 3, 2, 2, 1, 1, 0]


def test_a_journal_that_is_removed_leaves_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "events")
    journal.append([record(0)], ARRIVED)
    journal.remove()
    assert list(tmp_path.iterdir()) == []


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.records"))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_exactly_what_was_accepted_and_not_acknowledged_comes_again(data: st.DataObject) -> None:
    """After any history, and with the last append torn at any byte."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = Journal(folder, segment_size=400)
        accepted: list[Record] = []
        begun = acknowledged = number = 0  # begun: how many were taken
        for step in data.draw(st.lists(st.sampled_from(["append", "append", "take", "acknowledge", "stop", "kill"]))):
            match step:
                case "append" | "kill":
                    sizes = data.draw(st.lists(st.integers(3, 200), min_size=1, max_size=4))
                    batch = [record(number + index, size) for index, size in enumerate(sizes)]
                    number += len(batch)
                    before = {path: path.stat().st_size for path in segments(folder)}
                    journal.append(batch, ARRIVED)
                    if step == "append":
                        accepted += batch
                        continue
                    # The kill came while this was written: a part of it is there.
                    written = segments(folder)[-1]
                    start, end = before.get(written, 0), written.stat().st_size
                    os.truncate(written, data.draw(st.integers(start, end - 1)))
                    journal.close()
                    journal, begun = Journal(folder, segment_size=400), acknowledged
                case "stop":
                    journal.close()
                    journal, begun = Journal(folder, segment_size=400), acknowledged
                case "take":
                    batch = taken(journal, data.draw(st.integers(1, 600)))
                    assert batch == accepted[begun : begun + len(batch)]
                    assert batch or begun == len(accepted)
                    begun += len(batch)
                case "acknowledge" if begun > acknowledged:
                    acknowledged = data.draw(st.integers(acknowledged + 1, begun))
                    journal.acknowledge(acknowledged)
            assert journal.records == len(accepted) - begun
            assert journal.bytes == sum(len(each.data) for each in accepted[begun:])
        journal.close()
        journal = Journal(folder)
        assert taken(journal) == accepted[acknowledged:]
        journal.close()


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(3, 60), min_size=1, max_size=6), data=st.data())
def test_a_segment_that_is_cut_anywhere_gives_the_whole_appends_before(sizes: list[int], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name))
        ends = []
        for number, size in enumerate(sizes):
            journal.append([record(number, size)], ARRIVED)
            ends.append(segments(Path(name))[0].stat().st_size)
        journal.close()
        cut = data.draw(st.integers(0, ends[-1]))
        os.truncate(segments(Path(name))[0], cut)
        journal = Journal(Path(name))
        whole = sum(end <= cut for end in ends)
        assert taken(journal) == [record(number, size) for number, size in enumerate(sizes[:whole])]
        journal.close()


def test_a_byte_that_was_changed_ends_what_is_believed(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([record(0)], ARRIVED)
    first = segments(tmp_path)[0].stat().st_size
    journal.append([record(1)], ARRIVED)
    journal.close()
    content = bytearray(segments(tmp_path)[0].read_bytes())
    content[first + 40] ^= 1
    segments(tmp_path)[0].write_bytes(content)
    assert taken(Journal(tmp_path)) == [record(0)]


def test_an_append_that_fails_takes_nothing_and_the_next_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append([record(0)], ARRIVED)

    def half(file: int, data: bytes, offset: int) -> None:
        os.pwrite(file, data[: len(data) // 2], offset)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(module, "_write", half)
        with pytest.raises(OSError, match="No space left"):
            journal.append([record(1, 500)], ARRIVED)
    assert journal.records == 1
    journal.append([record(2)], ARRIVED)
    journal.close()
    assert taken(Journal(tmp_path)) == [record(0), record(2)]


FILLS_THE_DISK = """
import resource, sys
from pathlib import Path
from workshop.local_aws.firehose.journal import Journal
from workshop.local_aws.firehose.records import Record

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
journal = Journal(Path(sys.argv[1]))
accepted = 0
try:
    while True:
        journal.append([Record(f"r{accepted}", b"x" * 7_000, 0.0)], 0.0)
        accepted += 1
except OSError:
    print(accepted)
"""


def test_where_no_more_can_be_written_what_was_accepted_stays(tmp_path: Path) -> None:
    """A limit of the system takes the place of a full disk."""
    command = [sys.executable, "-c", FILLS_THE_DISK, str(tmp_path)]
    accepted = int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert accepted == 100_000 // 7_100
    assert [each.id for each in taken(Journal(tmp_path))] == [f"r{number}" for number in range(accepted)]


def test_many_threads_append_and_one_takes_every_record_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_size=10_000)

    def produce(producer: int) -> None:
        for call in range(50):
            journal.append([record(producer * 1_000 + 2 * call), record(producer * 1_000 + 2 * call + 1)], ARRIVED)

    threads = [threading.Thread(target=produce, args=(producer,)) for producer in range(8)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    while any(thread.is_alive() for thread in threads) or journal.records:
        if batch := journal.take(500):
            seen += [each.record.id for each in batch]
            journal.acknowledge(batch[-1].position + 1)
    assert sorted(seen) == sorted(f"r{producer * 1_000 + n}" for producer in range(8) for n in range(100))
    assert segments(tmp_path) == []
