"""Lines into Firehose records, records into calls."""

from collections.abc import Iterable, Iterator
from typing import Final

MAX_RECORD_BYTES: Final = 1_000 * 1_024
MAX_CALL_BYTES: Final = 4 * 1_024 * 1_024
MAX_CALL_RECORDS: Final = 500
"""Limits of PutRecordBatch before base64: the API reference's page of that name."""


class LineTooLong(ValueError):
    """A line does not fit into any Firehose record."""


def pack(lines: Iterable[str], limit: int = MAX_RECORD_BYTES) -> Iterator[bytes]:
    """Join lines into records of at most `limit` bytes, each line with its newline; raise `LineTooLong`.

    Firehose bills each record rounded up to 5 KB, so few large ones are cheap.
    """
    record: list[bytes] = []
    size = 0
    for line in lines:
        encoded = line.encode()
        length = len(encoded) + 1
        if size + length > limit:
            if length > limit:
                raise LineTooLong(f"A line of {length} bytes does not fit into a record of {limit}; shorten it.")
            yield b"\n".join(record) + b"\n"
            record, size = [], 0
        record.append(encoded)
        size += length
    if record:
        yield b"\n".join(record) + b"\n"


def batches(
    records: Iterable[bytes], max_records: int = MAX_CALL_RECORDS, max_bytes: int = MAX_CALL_BYTES
) -> Iterator[list[bytes]]:
    """Group records, in order, into as few calls of PutRecordBatch as its limits allow."""
    batch: list[bytes] = []
    size = 0
    for record in records:
        if batch and (len(batch) == max_records or size + len(record) > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield batch
