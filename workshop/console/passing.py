"""What passes from hop to hop, reckoned from counts that are read now and then: rates, what is on the way, since when.

Times are seconds of any clock that only goes forward.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from heapq import nlargest
from operator import attrgetter
from statistics import median
from typing import Final, NamedTuple


class Rate:
    """How many a second, over the latest window: between its first and its last reading."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._readings: deque[tuple[float, int]] = deque()

    def note(self, at: float, count: int) -> None:
        """Take in what had been counted at a time. A count that falls begins anew: something was emptied."""
        if self._readings and count < self._readings[-1][1]:
            self._readings.clear()
        self._readings.append((at, count))
        # One reading from before the window stays: without it, the first in the window had no time to be reached in.
        while len(self._readings) > 2 and self._readings[1][0] <= at - self._window:
            self._readings.popleft()

    @property
    def per_second(self) -> float | None:
        """The mean of the window, or None before two readings."""
        if len(self._readings) < 2:
            return None
        (begun, first), (ended, last) = self._readings[0], self._readings[-1]
        return (last - first) / (ended - begun) if ended > begun else None


class _Mark(NamedTuple):
    at: float
    sent: int


_REMEMBERED: Final = 20
_MOST_MARKS: Final = 1_000


class OnTheWay:
    """What was sent and is not in the lake: how much, how long the oldest of it has waited, how long that takes.

    Events are taken to arrive in the order in which they were sent. Those that were on the way before the first
    reading are as old as that reading. A repeated delivery counts as an arrival, for it cannot be told from one here.
    """

    def __init__(self) -> None:
        self._marks: deque[_Mark] = deque()
        self._waits: deque[float] = deque(maxlen=_REMEMBERED)
        self._sent: int | None = None
        self._arrived: int | None = None

    def sent(self, at: float, count: int) -> None:
        """Take in how many had been sent by a time."""
        before = self._sent
        if before is not None and count < before:
            self._marks.clear()
            before = None
        self._sent = count
        if count > (self._arrived or 0) and (before is None or count > before):
            self._marks.append(_Mark(at, count))
            if len(self._marks) > _MOST_MARKS:
                # The second oldest goes: the oldest tells since when something waits.
                del self._marks[1]

    def arrived(self, at: float, count: int) -> None:
        """Take in how many had arrived by a time."""
        grew = self._arrived is not None and count > self._arrived
        self._arrived = count
        if grew and self._marks:
            self._waits.append(at - self._marks[0].at)
        while self._marks and self._marks[0].sent <= count:
            self._marks.popleft()

    @property
    def events(self) -> int | None:
        """How many are on the way; None before both counts are known."""
        if self._sent is None or self._arrived is None:
            return None
        return max(0, self._sent - self._arrived)

    def oldest(self, now: float) -> float | None:
        """Return for how long the oldest has waited; None when nothing is on the way."""
        return now - self._marks[0].at if self.events and self._marks else None

    @property
    def typical(self) -> float | None:
        """The median of how long the oldest had waited when a delivery came, of the last 20 deliveries."""
        return median(self._waits) if self._waits else None


class Trip(NamedTuple):
    """A truck's way, by the clock on the wall and as reckoned when it left."""

    dispatched_at: str
    delivered_at: str
    travel_seconds: int


def pace(arrived: Iterable[Trip]) -> float:
    """Return how long trips take as a multiple of their `travel_seconds`: the median of the last 20, 1 without any.

    The embedded AWS shortens what a workflow waits for; on AWS trucks are a little late, never early.
    """
    latest = nlargest(_REMEMBERED, arrived, key=attrgetter("delivered_at"))
    return median(_seconds(trip) / trip.travel_seconds for trip in latest) if latest else 1.0


def _seconds(trip: Trip) -> float:
    return (datetime.fromisoformat(trip.delivered_at) - datetime.fromisoformat(trip.dispatched_at)).total_seconds()
