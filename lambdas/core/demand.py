"""How much customers want, when, and how much a shelf has to hold for it.

Rates are levels on a logarithmic grid, 16 to the octave: level 0 is one unit per tick, and adding levels multiplies
rates. So a rate is a sum of small integers, the same on every machine, and a table per level turns a random number into
units.
"""

import hashlib
import math
import struct
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist
from typing import Final, NamedTuple

from lambdas.core import replenishment
from lambdas.core.master_data import Store
from lambdas.core.replenishment import DAY_SPREAD
from lambdas.core.trading_calendar import TICKS_PER_HOUR, local_quarter

_LEVELS_PER_OCTAVE: Final = 16
_LOWEST, _HIGHEST = -8 * _LEVELS_PER_OCTAVE, 6 * _LEVELS_PER_OCTAVE

_HOURLY = (0.45, 0.8, 0.95, 1.0, 1.15, 1.35, 1.1, 0.85, 0.85, 1.0, 1.4, 1.6, 1.2, 0.75, 0.4)
"""Demand relative to the mean of an open hour, from the hour that begins at 07:00 on: a lunch and an evening peak."""
_WEEKDAYS = (0.9, 0.9, 0.95, 1.0, 1.15, 1.3, 0.8)
"""Demand relative to the week's mean, Monday to Sunday."""
_OPENING_HOUR: Final = 7


class ShelfPolicy(NamedTuple):
    """When a shelf is low, and up to how much it is filled; in units."""

    reorder_point: int
    order_up_to: int


def level(rate: float) -> int:
    """Return the level nearest to a rate in units per tick."""
    return round(math.log2(rate) * _LEVELS_PER_OCTAVE)


def rate(level: int) -> float:
    """Return a level's rate in units per tick."""
    return math.exp2(level / _LEVELS_PER_OCTAVE)


@cache
def units_table(level: int) -> tuple[int, ...]:
    """Return the Poisson distribution of a level: entry k is the chance of at most k units, times 65,536.

    `bisect_right(table, u)` of a uniform 16-bit `u` is the units asked for. Levels beyond the grid are its ends.
    """
    mean = rate(min(max(level, _LOWEST), _HIGHEST))
    table: list[int] = []
    probability = cumulative = math.exp(-mean)
    while (entry := round(cumulative * 65_536)) < 65_536:
        table.append(entry)
        probability *= mean / len(table)
        cumulative += probability
    return (*table, 65_536)


class Customers:
    """What the customers of one store ask for, tick by tick. Draws are keyed by the seed, the store and the tick.

    A product's draw depends on its place among the store's products alone, not on how many follow.
    """

    def __init__(self, seed: int, store: Store, levels: Sequence[int]) -> None:
        self._key = f"{seed}/{store.store_id}"
        self._utc_offset = store.utc_offset
        self._levels = levels
        self._places = range(len(levels))
        self._unpack = struct.Struct(f"<{len(levels)}H").unpack
        self._hour: tuple[int, int] | None = None
        self._tables: list[tuple[int, ...]] = []
        self._nothing: list[int] = []

    def asked(self, tick: int) -> list[tuple[int, int]]:
        """Return the places of the products asked for in a tick, ascending, with the units; none while closed."""
        day, quarter = local_quarter(tick, self._utc_offset)
        hour = quarter // TICKS_PER_HOUR - _OPENING_HOUR
        if not 0 <= hour < len(_HOURLY):
            return []
        if self._hour != (day, hour):
            self._hour = day, hour
            shape = level(_HOURLY[hour] * _WEEKDAYS[day % 7])
            whims = hashlib.shake_128(f"{self._key}/day {day}".encode()).digest(len(self._levels))
            self._tables = [
                units_table(mean + shape + _WHIMS[whim]) for mean, whim in zip(self._levels, whims, strict=True)
            ]
            self._nothing = [table[0] for table in self._tables]
        draws = self._unpack(hashlib.shake_128(f"{self._key}/{tick}".encode()).digest(2 * len(self._levels)))
        return [
            (place, bisect_right(table, draw))
            for place, draw, nothing, table in zip(self._places, draws, self._nothing, self._tables, strict=True)
            if draw >= nothing
        ]


@cache
def product_level(seed: int, number: int) -> int:
    """Return a product's popularity: its mean rate in a store of ordinary size while stores are open.

    Zipf-like: the rate falls with the rank. Ranks are spread evenly over the numbers, so that any first n products hold
    popular and unpopular ones alike.
    """
    offset = int.from_bytes(hashlib.shake_128(f"{seed}/popularity".encode()).digest(4), "little") / 2**32
    rank = 1 + 24 * ((offset + number * _GOLDEN) % 1)
    return level(4.2 / rank**0.85)


def store_level(seed: int, store_id: str) -> int:
    """Return how a store's size compares with an ordinary store: half to twice."""
    draw = hashlib.shake_128(f"{seed}/{store_id}/size".encode()).digest(1)[0]
    return round((draw / 255 * 2 - 1) * _LEVELS_PER_OCTAVE * 0.8)


@cache
def shelf_policy(mean: int) -> ShelfPolicy:
    """Return the reorder point and the order-up-to level of a shelf from its mean level."""
    low = replenishment.reorder_point(rate(mean))
    return ShelfPolicy(low, replenishment.order_up_to(low))


_GOLDEN: Final = (math.sqrt(5) - 1) / 2
_WHIMS: Final = tuple(
    round(NormalDist(-(DAY_SPREAD**2) / 2, DAY_SPREAD).inv_cdf((draw + 0.5) / 256) / math.log(2) * _LEVELS_PER_OCTAVE)
    for draw in range(256)
)
"""How a product's demand in one store deviates on one day (weather, offers, whims): log-normal, mean 1, by a byte."""
