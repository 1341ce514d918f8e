"""What AWS charges: the one price file, and what an amount of usage comes to."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PRICE_FILE = Path(__file__).parent / "prices.json"


class Use(NamedTuple):
    """What is billed and for what: the unit as the price file names it, and the part of the system that uses it."""

    unit: str
    part: str


Usage = Counter[Use]
"""Amounts of billed units; a Counter holds fractions as well."""


@dataclass(frozen=True, slots=True)
class Price:
    """One price of the file: `usd` for `per` units. `always_free` units a month cost nothing, for ever."""

    service: str
    unit: str
    usd: float
    per: float
    tier: str
    source: str
    confirmed: bool
    always_free: float = 0
    free_source: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class PriceList:
    """All prices of one region at one date."""

    version: int
    region: str
    date: str
    prices: Mapping[str, Price]

    def list_price(self, usage: Usage) -> float:
        """Return what usage costs without any allowance, in US dollars."""
        return sum(amount * self._each(use.unit) for use, amount in usage.items())

    def lines(self, usage: Usage) -> list["Line"]:
        """Return a month's bill, a line per price, dearest first; always-free allowances are taken off."""
        totals: Counter[str] = Counter()
        for use, amount in usage.items():
            totals[use.unit] += amount
        found = [Line(unit, self.prices[unit], amount) for unit, amount in totals.items() if amount]
        return sorted(found, key=lambda line: (-line.list_usd, line.unit))

    def _each(self, unit: str) -> float:
        price = self.prices[unit]
        return price.usd / price.per


@dataclass(frozen=True, slots=True)
class Line:
    """What a month's usage of one unit costs."""

    unit: str
    price: Price
    amount: float

    @property
    def list_usd(self) -> float:
        """Without the allowance."""
        return self.amount / self.price.per * self.price.usd

    @property
    def usd(self) -> float:
        """After the always-free allowance, as if nothing else in the account used it."""
        return max(0.0, self.amount - self.price.always_free) / self.price.per * self.price.usd


@cache
def price_list() -> PriceList:
    """Return the prices of the file."""
    document: dict[str, Any] = json.loads(PRICE_FILE.read_text(encoding="utf-8"))
    prices = {name: Price(**price) for name, price in document["prices"].items()}
    return PriceList(document["version"], document["region"], document["date"], prices)


def by_service(lines: Iterable[Line]) -> dict[str, tuple[float, float]]:
    """Return (list price, price after allowances) per service, dearest first."""
    totals: dict[str, tuple[float, float]] = {}
    for line in lines:
        listed, paid = totals.get(line.price.service, (0.0, 0.0))
        totals[line.price.service] = listed + line.list_usd, paid + line.usd
    return dict(sorted(totals.items(), key=lambda item: -item[1][0]))
