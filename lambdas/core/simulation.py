"""What happens on the shelves of one store: exact bookkeeping, one line per product and tick that moved stock."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from lambdas.core.demand import Customers, ShelfPolicy, product_level, shelf_policy, store_level
from lambdas.core.master_data import Product, Store
from lambdas.core.trading_calendar import TICKS_PER_HOUR, WORKSHOP_CALENDAR, TradingCalendar, local_quarter

REPLENISHED_AT: Final = 5 * TICKS_PER_HOUR
"""The quarter of the store's own day in which the overnight replenishment is booked, before the doors open."""


class Run(NamedTuple):
    """What ticks did to a store: units on hand after them, one event per line (no newline), and the units moved."""

    on_hand: tuple[int, ...]
    lines: list[str]
    units_sold: int
    units_received: int


@dataclass(frozen=True, slots=True)
class Shop:
    """A store and its assortment, a shelf per product.

    `overnight` says whether every shelf is filled up to its order-up-to level before the doors open.
    """

    seed: int
    store: Store
    products: Sequence[Product]
    calendar: TradingCalendar = WORKSHOP_CALENDAR
    overnight: bool = True

    def opening_stock(self) -> tuple[int, ...]:
        """Return the units on each shelf when it is new: its order-up-to level."""
        return tuple(shelf_policy(level).order_up_to for level in self._levels())

    def simulate(self, on_hand: Sequence[int], ticks: range, receipts: Mapping[str, int] | None = None) -> Run:
        """Run the store through consecutive ticks, from the units on hand before the first.

        `receipts` are the units per product id that trucks unloaded, put on the shelf in the first tick. A tick books
        what arrives, then sells what is asked for as far as it is there. An event is written when anything was sold or
        received, also when both are equal and stock stands where it stood, so that consecutive events always conserve.
        Lines are ASCII in the contract's order; the same arguments give the same bytes.
        """
        stock = list(on_hand)
        levels = self._levels()
        policies = [shelf_policy(level) for level in levels]
        customers = Customers(self.seed, self.store, levels)
        store_text = _members(self.store)
        texts = [
            (f'{{"event_id":"{self.store.store_id}-{product.product_id}-', _members(product), policy.reorder_point)
            for product, policy in zip(self.products, policies, strict=True)
        ]
        lines: list[str] = []
        units_sold = units_received = 0
        for tick in ticks:
            arriving = self._receipts_by_place(receipts) if receipts and tick == ticks.start else {}
            if self.overnight and local_quarter(tick, self.store.utc_offset)[1] == REPLENISHED_AT:
                arriving = _filled_up(stock, arriving, policies)
            asked = customers.asked(tick)
            if arriving:
                units_received += sum(arriving.values())
                asked = sorted((dict.fromkeys(arriving, 0) | dict(asked)).items())
            if not asked:
                continue
            moment = f'{tick}","event_time":"{self.calendar.end_of(tick)}",{store_text},'
            for place, units in asked:
                received = arriving.get(place, 0) if arriving else 0
                before = stock[place] + received
                if before:
                    sold = units if units < before else before
                    units_sold += sold
                    stock[place] = after = before - sold
                    id_text, product_text, threshold = texts[place]
                    lines.append(
                        f'{id_text}{moment}{product_text},"stock":{after},"threshold":{threshold},'
                        f'"units_sold":{sold},"units_received":{received}}}'
                    )
        return Run(tuple(stock), lines, units_sold, units_received)

    def _levels(self) -> list[int]:
        size = store_level(self.seed, self.store.store_id)
        return [size + product_level(self.seed, place) for place in range(len(self.products))]

    def _receipts_by_place(self, receipts: Mapping[str, int]) -> dict[int, int]:
        places = {product.product_id: place for place, product in enumerate(self.products)}
        return {places[product_id]: units for product_id, units in receipts.items() if units}


def _filled_up(stock: Sequence[int], arriving: Mapping[int, int], policies: Sequence[ShelfPolicy]) -> dict[int, int]:
    """Return what arrives when every shelf below its order-up-to level is filled up besides."""
    filled = dict(arriving)
    for place, (units, policy) in enumerate(zip(stock, policies, strict=True)):
        missing = policy.order_up_to - units - arriving.get(place, 0)
        if missing > 0:
            filled[place] = arriving.get(place, 0) + missing
    return filled


@lru_cache(maxsize=2_000)
def _members(facts: Store | Product) -> str:
    """Write a store's or a product's facts as the members of a JSON object, without its braces."""
    return json.dumps(asdict(facts), separators=(",", ":"))[1:-1]
