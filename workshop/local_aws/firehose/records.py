"""A record on its way, and what becomes of one that fails."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """Bytes that a producer put, under the id it was told, with the time they came (seconds since 1970)."""

    id: str
    data: bytes
    arrived: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Bytes that could not be processed or converted: a whole record, or one document of it at a position."""

    record: Record
    data: bytes
    code: str
    message: str
    attempts: int = 1
    position: int = 0
