"""What a delivery stream has accepted and not yet delivered, on disk: an append-only journal that survives a kill."""

import json
import logging
import os
import shutil
import struct
import threading
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from workshop.local_aws.firehose.records import Record

SEGMENT_SIZE = 64 * (1 << 20)
"""Bytes after which a new segment is begun. One is deleted when every record in it is acknowledged."""

# A frame is what one append wrote: a checksum of the rest, this header, the records' description as JSON, their data.
_CHECKSUM = struct.Struct(">I")
_HEADER = struct.Struct(">IIIQd")  # bytes of description, bytes of data, records, position of the first, time
_PREFIX = _CHECKSUM.size + _HEADER.size
_POSITION = struct.Struct(">Q")
_OPTIONAL = tuple(each.name for each in fields(Record) if each.name not in ("id", "data", "arrived"))

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A record on its way: its position in the journal, and when it came in (seconds since 1970)."""

    position: int
    record: Record
    at: float


@dataclass(slots=True)
class _Segment:
    """One file of frames, named after the position of its first record."""

    path: Path
    file: int
    first: int
    count: int = 0
    end: int = 0
    """Where the last whole frame ends; whatever follows it was never accepted."""


class Journal:
    """A queue of records in a folder: appended, taken and acknowledged in the same order, by any thread.

    An append has reached the operating system when it returns, so a killed process loses nothing. It is not forced to
    the disk: a power cut may take the last seconds with it, as it may take them from the objects that were delivered.
    """

    def __init__(self, folder: Path, segment_size: int = SEGMENT_SIZE) -> None:
        """Open the journal of a folder, which is made if need be; what was not acknowledged can be taken again.

        Raises:
            OSError: the folder cannot be written to.
        """
        self._folder = folder
        self._segment_size = segment_size
        self._lock = threading.Lock()
        self._segments: deque[_Segment] = deque()
        self._writable: _Segment | None = None  # the last one, unless it was there before
        self._ahead: deque[Entry] = deque()  # read, and not yet taken
        self._reading = 0  # the segment, and below the offset in it, where reading goes on
        self._offset = 0
        self.records = 0
        """How many wait to be taken."""
        self.bytes = 0
        """The data of those."""
        folder.mkdir(parents=True, exist_ok=True)
        self._mark = os.open(folder / "acknowledged", os.O_RDWR | os.O_CREAT, 0o600)
        self._acknowledged = self._next = self._read_mark()
        self._write_mark()  # takes the room that it needs, so that a full disk cannot keep it from being moved
        for path in sorted(folder.glob("*.records")):
            self._recover(path)

    def append(self, records: Sequence[Record], at: float) -> None:
        """Keep records, all of them or none.

        Raises:
            OSError: they could not be written, as on a full disk. The journal is what it was before.
        """
        if not records:
            return
        with self._lock:
            segment = self._segment_to_write()
            frame = _encode(records, self._next, at)
            try:
                _write(segment.file, frame, segment.end)
            except OSError:
                with suppress(OSError):  # what is left of it is written over, or told by its checksum
                    os.ftruncate(segment.file, segment.end)
                raise
            segment.end += len(frame)
            segment.count += len(records)
            self._next += len(records)
            self.records += len(records)
            self.bytes += _size(records)

    def since(self) -> float | None:
        """Return when the next record to be taken came in; None when there is none."""
        with self._lock:
            return self._ahead[0].at if self._ahead or self._read_on() else None

    def take(self, size: int) -> list[Entry]:
        """Take records from the front, of at most so many bytes of data, or one that is larger."""
        taken: list[Entry] = []
        with self._lock:
            while self._ahead or self._read_on():
                size -= len(self._ahead[0].record.data)
                if taken and size < 0:
                    break
                taken.append(self._ahead.popleft())
            self._count(taken, -1)
        return taken

    def give_back(self, entries: Sequence[Entry]) -> None:
        """Put what was taken last to the front again."""
        with self._lock:
            self._ahead.extendleft(reversed(entries))
            self._count(entries, 1)

    def acknowledge(self, position: int) -> None:
        """Forget the records before a position, all of which were taken: they do not come again, even after a kill."""
        with self._lock:
            self._acknowledged = position
            try:
                self._write_mark()
                while self._segments and self._segments[0].first + self._segments[0].count <= position:
                    self._delete_first()
            except OSError as error:  # they were delivered; at worst they are once more, after a kill
                log.warning("The journal in %s could not be shortened: %s", self._folder, error)

    def close(self) -> None:
        """Close the files. What is not acknowledged stays."""
        with self._lock:
            for segment in self._segments:
                os.close(segment.file)
            self._segments.clear()
            self._ahead.clear()
            self.records = self.bytes = 0
            os.close(self._mark)

    def remove(self) -> None:
        """Close the journal and delete its folder."""
        self.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _segment_to_write(self) -> _Segment:
        if self._writable is None or self._writable.end >= self._segment_size:
            path = self._folder / f"{self._next:020}.records"
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            self._writable = _Segment(path, file, self._next)
            self._segments.append(self._writable)
        return self._writable

    def _recover(self, path: Path) -> None:
        """Read a segment through, up to where it is torn or ends. New records go to a segment of their own."""
        segment = _Segment(path, os.open(path, os.O_RDWR), int(path.stem))
        self._segments.append(segment)
        for frame in _frames(segment):
            segment.count += frame.count
            segment.end += frame.size
            waiting = [size for position, size in frame.sizes() if position >= self._acknowledged]
            self.records += len(waiting)
            self.bytes += sum(waiting)
        self._next = max(self._next, segment.first + segment.count)
        if segment.first + segment.count <= self._acknowledged or not segment.count:
            self._segments.pop()
            _delete(segment)

    def _read_on(self) -> bool:
        """Read frames until there is a record ahead that is not acknowledged; return whether there is one."""
        while self._reading < len(self._segments):
            segment = self._segments[self._reading]
            if self._offset < segment.end:
                frame = _read_frame(segment, self._offset)
                self._offset += frame.size
                self._ahead.extend(each for each in frame.entries() if each.position >= self._acknowledged)
                if self._ahead:
                    return True
            elif segment is self._writable:
                return False
            else:
                self._reading += 1
                self._offset = 0
        return False

    def _delete_first(self) -> None:
        segment = self._segments.popleft()
        if segment is self._writable:
            self._writable = None
        if self._reading:
            self._reading -= 1
        else:
            self._offset = 0
        _delete(segment)

    def _count(self, entries: Sequence[Entry], sign: int) -> None:
        self.records += sign * len(entries)
        self.bytes += sign * sum(len(each.record.data) for each in entries)

    def _read_mark(self) -> int:
        noted = os.pread(self._mark, _POSITION.size + _CHECKSUM.size, 0)
        position = noted[: _POSITION.size]
        if noted[_POSITION.size :] != _CHECKSUM.pack(zlib.crc32(position)):
            return 0  # a new journal, or one that a power cut has torn: then what was delivered comes again
        return int(_POSITION.unpack(position)[0])

    def _write_mark(self) -> None:
        position = _POSITION.pack(self._acknowledged)
        _write(self._mark, position + _CHECKSUM.pack(zlib.crc32(position)), 0)


@dataclass(frozen=True, slots=True)
class _Frame:
    """What one append wrote, as it is read again."""

    count: int
    first: int
    at: float
    size: int
    described: list[list[Any]]
    data: memoryview

    def sizes(self) -> Iterator[tuple[int, int]]:
        """Yield the position of each record and the bytes of its data."""
        return ((position, each[2]) for position, each in enumerate(self.described, self.first))

    def entries(self) -> Iterator[Entry]:
        """Yield each record."""
        start = 0
        for position, (record_id, arrived, size, *optional) in enumerate(self.described, self.first):
            given = {name: _frozen(value) for name, value in zip(_OPTIONAL, optional, strict=False)}
            yield Entry(position, Record(record_id, bytes(self.data[start : start + size]), arrived, **given), self.at)
            start += size


def _encode(records: Sequence[Record], first: int, at: float) -> bytes:
    described = json.dumps(
        [[each.id, each.arrived, len(each.data), *(getattr(each, name) for name in _OPTIONAL)] for each in records],
        separators=(",", ":"),
    ).encode()
    header = _HEADER.pack(len(described), _size(records), len(records), first, at)
    parts = [header, described, *(each.data for each in records)]
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    return b"".join([_CHECKSUM.pack(checksum), *parts])


def _read_frame(segment: _Segment, offset: int) -> _Frame:
    """Read a frame.

    Raises:
        ValueError: no whole one is there.
    """
    prefix = os.pread(segment.file, _PREFIX, offset)
    if len(prefix) < _PREFIX:
        raise ValueError("the header is torn")
    described, data, count, first, at = _HEADER.unpack_from(prefix, _CHECKSUM.size)
    if described + data > os.fstat(segment.file).st_size - offset - _PREFIX:
        raise ValueError("the records are torn")
    body = os.pread(segment.file, described + data, offset + _PREFIX)
    if zlib.crc32(body, zlib.crc32(prefix[_CHECKSUM.size :])) != _CHECKSUM.unpack_from(prefix)[0]:
        raise ValueError("the checksum is of something else")
    view = memoryview(body)
    return _Frame(count, first, at, _PREFIX + len(body), json.loads(bytes(view[:described])), view[described:])


def _frames(segment: _Segment) -> Iterator[_Frame]:
    """Yield the frames of a segment up to where it is torn or ends."""
    offset = 0
    while True:
        try:
            frame = _read_frame(segment, offset)
        except ValueError:
            return
        yield frame
        offset += frame.size


def _write(file: int, data: bytes, offset: int) -> None:
    """Write all of the data, or raise OSError."""
    left = memoryview(data)
    while left:
        written = os.pwrite(file, left, offset)
        left, offset = left[written:], offset + written


def _delete(segment: _Segment) -> None:
    os.close(segment.file)
    segment.path.unlink(missing_ok=True)


def _size(records: Sequence[Record]) -> int:
    return sum(len(each.data) for each in records)


def _frozen(value: Any) -> Any:
    """Return lists as tuples, which is what records hold: JSON knows no difference."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
