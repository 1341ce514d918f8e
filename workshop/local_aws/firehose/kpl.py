"""Records of the Kinesis Producer Library: many in one, which Firehose takes apart ("writing-with-kinesis-streams").

The format is that of the library's own document, "KPL Aggregated Record Format": a magic number, a message of protocol
buffers, and the MD5 of that message.
"""

import hashlib
from collections.abc import Iterator

_MAGIC = b"\xf3\x89\x9a\xc2"
_CHECKSUM = 16
_KEY_TABLE, _RECORD = 1, 3  # fields of the message
_KEY_INDEX, _DATA = 1, 3  # fields of a record in it


def user_records(data: bytes) -> list[tuple[str, bytes]] | None:
    """Return the partition key and the data of each record in an aggregated one; None for any other."""
    message, checksum = data[len(_MAGIC) : -_CHECKSUM], data[-_CHECKSUM:]
    if not data.startswith(_MAGIC) or hashlib.md5(message, usedforsecurity=False).digest() != checksum:
        return None
    fields = list(_fields(message))
    keys = [value.decode() for field, value in fields if field == _KEY_TABLE and isinstance(value, bytes)]
    records = []
    for field, value in fields:
        if field == _RECORD and isinstance(value, bytes):
            record = dict(_fields(value))
            index, held = record[_KEY_INDEX], record[_DATA]
            if isinstance(index, int) and isinstance(held, bytes):
                records.append((keys[index], held))
    return records


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field of a message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                value, at = _varint(message, at)
                yield tag >> 3, value
            case 2:
                size, at = _varint(message, at)
                yield tag >> 3, message[at : at + size]
                at += size
            case other:
                raise ValueError(f"wire type {other} does not occur in aggregated records")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number at a position, seven bits to a byte, and the position after it."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
