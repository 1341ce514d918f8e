"""A record on its way, and what becomes of one that fails."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """Bytes that a producer put, under the id it was told, with the time they came (seconds since 1970)."""

    id: str
    data: bytes
    arrived: float
    partition: tuple[tuple[str, str], ...] = ()
    """The partition keys of dynamic partitioning: expressions as they stand in the prefix, each with its value."""
    origin: tuple[tuple[str, str], ...] = ()
    """Where a record that was read from a Kinesis data stream stood there, as kinesisRecordMetadata names it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Bytes that could not be processed or converted: a whole record, or one document of it at a position."""

    record: Record
    data: bytes
    code: str
    message: str
    attempts: int = 1
    position: int = 0
    kind: str | None = None
    """The error-output-type, where it is not the usual one of the step that failed."""
