"""The lake's objects: how many, how large, and how many rows, without a query.

Firehose writes an object once and never again, so its Parquet footer is read once. Of a long-lived lake only the two
latest days are listed each time: names begin with the day of arrival, and what comes late lies in the day before.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

EVENTS: Final = "stock_events/"
_TAIL_BYTES: Final = 16 * 1024
"""What is read of an object's end at first; the footer of a stock event's columns takes 2 KB a row group."""
_FRAME_BYTES: Final = 8
"""A Parquet file ends with its footer, the footer's length in four bytes, little endian, and PAR1 (Apache Parquet, File
Format)."""


class Unreadable(Exception):
    """An object that is not a Parquet file."""


@dataclass(frozen=True, slots=True)
class Lake:
    """The lake at one moment. `rows` are those of the objects whose footers could be read.

    `unread` objects are left for the next reading; `unreadable` ones, by key, are no Parquet files.
    """

    objects: int
    bytes: int
    partitions: int
    rows: int
    unread: int
    unreadable: tuple[str, ...]


class LakeObjects:
    """The objects under a prefix, kept up by listing what may have changed."""

    def __init__(
        self,
        s3: Any,
        bucket: str,
        prefix: str = EVENTS,
        *,
        clock: Callable[[], float],
        relist_seconds: float,
        most_footers: int = 400,
    ) -> None:
        """Prepare to read a bucket: all of its listing every `relist_seconds`, so many footers in one reading."""
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._clock = clock
        self._relist_seconds = relist_seconds
        self._most_footers = most_footers
        self._relist_at = clock()
        self._objects: dict[str, tuple[str, int]] = {}
        self._rows: dict[tuple[str, str], int | None] = {}

    def read(self) -> Lake:
        """Return the lake as it is now."""
        self._list()
        known = {(key, etag): size for key, (etag, size) in self._objects.items()}
        self._rows = {stored: rows for stored, rows in self._rows.items() if stored in known}
        new = [(stored, size) for stored, size in known.items() if stored not in self._rows]
        self._count(new[: self._most_footers])
        return Lake(
            objects=len(self._objects),
            bytes=sum(known.values()),
            partitions=len({key.rpartition("/")[0] for key in self._objects}),
            rows=sum(rows for rows in self._rows.values() if rows is not None),
            unread=len(known) - len(self._rows),
            unreadable=tuple(sorted(key for (key, _), rows in self._rows.items() if rows is None)),
        )

    def _list(self) -> None:
        after = ""
        if self._clock() >= self._relist_at:
            self._relist_at = self._clock() + self._relist_seconds
        elif partitions := sorted({key.rpartition("/")[0] for key in self._objects}):
            after = partitions[-2] if len(partitions) > 1 else ""
        found = {key: stored for key, stored in self._objects.items() if key <= after}
        for page in self._pages(after):
            found |= {entry["Key"]: (entry["ETag"], entry["Size"]) for entry in page.get("Contents", ())}
        self._objects = found

    def _pages(self, after: str) -> Iterator[dict[str, Any]]:
        asked = {"StartAfter": after} if after else {}
        pages = self._s3.get_paginator("list_objects_v2")
        yield from pages.paginate(Bucket=self._bucket, Prefix=self._prefix, **asked)

    def _count(self, new: list[tuple[tuple[str, str], int]]) -> None:
        """Read footers, several at a time: one takes as long as the way to AWS and back."""

        def rows(one: tuple[tuple[str, str], int]) -> None:
            stored, size = one
            try:
                self._rows[stored] = rows_of(self._s3, self._bucket, stored[0], size)
            except Unreadable:
                self._rows[stored] = None
            except self._s3.exceptions.NoSuchKey:
                self._objects.pop(stored[0], None)  # taken away since it was listed

        if len(new) == 1:
            rows(new[0])
        elif new:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(rows, new))


_AT_ONCE: Final = 8
"""Below the ten connections that a client keeps open."""


def rows_of(s3: Any, bucket: str, key: str, size: int) -> int:
    """Return the rows of a Parquet object from its footer, or raise `Unreadable`."""
    tail = _tail(s3, bucket, key, min(size, _TAIL_BYTES)) if size >= _FRAME_BYTES else b""
    if not tail.endswith(b"PAR1"):
        raise Unreadable(key)
    needed = int.from_bytes(tail[-_FRAME_BYTES:-4], "little") + _FRAME_BYTES
    if needed > size:
        raise Unreadable(key)
    if needed > len(tail):
        tail = _tail(s3, bucket, key, needed)
    pyarrow, parquet = _arrow()
    try:
        rows: int = parquet.read_metadata(pyarrow.BufferReader(tail)).num_rows
    except (pyarrow.ArrowException, OSError) as error:
        raise Unreadable(key) from error
    return rows


def _tail(s3: Any, bucket: str, key: str, size: int) -> bytes:
    body: bytes = s3.get_object(Bucket=bucket, Key=key, Range=f"bytes=-{size}")["Body"].read()
    return body


@cache
def _arrow() -> tuple[Any, Any]:
    """Return pyarrow, imported when the first footer is read: it takes a tenth of a second."""
    import pyarrow
    import pyarrow.parquet

    return pyarrow, pyarrow.parquet
