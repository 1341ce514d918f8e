"""Simulated time: ticks of fifteen minutes, counted from an epoch, and what hour it is in a store."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lambdas.core.contract import timestamp

TICK: Final = timedelta(minutes=15)
TICKS_PER_HOUR: Final = 4
TICKS_PER_DAY: Final = 96
FIRST_TICK: Final = 1


@dataclass(frozen=True, slots=True)
class TradingCalendar:
    """Tick n ends at `epoch` + 15 n minutes, so tick 1 is the first. The epoch is a Monday, midnight UTC."""

    epoch: datetime = datetime(2026, 1, 5, tzinfo=UTC)

    def end_of(self, tick: int) -> str:
        """Return the moment a tick ends, as the contract writes it."""
        return timestamp(self.epoch + tick * TICK)


WORKSHOP_CALENDAR: Final = TradingCalendar()


def local_quarter(tick: int, utc_offset: int) -> tuple[int, int]:
    """Return the store's own day (0 is the epoch's Monday) and quarter of an hour (0 to 95) in which a tick passes."""
    return divmod(tick - 1 + utc_offset * TICKS_PER_HOUR, TICKS_PER_DAY)
