"""A store's books: where its clock stands, what is on its shelves, and what has been decided but not yet booked.

A run first writes a plan, then sends the plan's events, then commits. The plan fixes everything that the events depend
on, so whoever finds it unfinished, however often, sends the same bytes. On hand and clock move at the commit alone.
"""

from dataclasses import dataclass, replace

from lambdas.core.trading_calendar import FIRST_TICK


@dataclass(frozen=True, slots=True)
class Receipt:
    """Units of a product that a delivery unloaded at a store."""

    delivery_id: str
    product_id: str
    units: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Ticks that a run has decided to trade, and all that their events depend on besides the units on hand."""

    run_id: str
    seed: int
    ticks: range
    products: int
    overnight: bool
    receipts: tuple[Receipt, ...] = ()

    def units_received(self) -> dict[str, int]:
        """Return the units that trucks unloaded, per product id."""
        units: dict[str, int] = {}
        for receipt in self.receipts:
            units[receipt.product_id] = units.get(receipt.product_id, 0) + receipt.units
        return units


@dataclass(frozen=True, slots=True)
class Ledger:
    """One version of a store's books. `on_hand` follows the catalogue's order; version 0 has not been written yet.

    `receipts` are what trucks unloaded and no plan has taken up. Whoever changes anything raises the version by one and
    writes on the condition that the version before is still there.
    """

    store_id: str
    version: int = 0
    next_tick: int = FIRST_TICK
    on_hand: tuple[int, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    plan: Plan | None = None
    events_sent: int = 0
    """Events of all ticks before `next_tick`, each counted once however often it was sent."""

    def planned(self, run_id: str, seed: int, ticks: int, product_ids: list[str], *, overnight: bool) -> "Ledger":
        """Return the next version, with a plan for the next `ticks` that takes up the receipts of the given products.

        The store carries at least the products it carried. A receipt of a product that it does not carry waits.
        """
        carried = set(product_ids)
        plan = Plan(
            run_id=run_id,
            seed=seed,
            ticks=range(self.next_tick, self.next_tick + ticks),
            products=len(product_ids),
            overnight=overnight,
            receipts=tuple(receipt for receipt in self.receipts if receipt.product_id in carried),
        )
        waiting = tuple(receipt for receipt in self.receipts if receipt.product_id not in carried)
        return replace(self, version=self.version + 1, receipts=waiting, plan=plan)

    def committed(self, plan: Plan, on_hand: tuple[int, ...], events: int) -> "Ledger":
        """Return the next version, in which the plan's ticks are over and its events are counted."""
        return replace(
            self,
            version=self.version + 1,
            next_tick=plan.ticks.stop,
            on_hand=on_hand,
            plan=None,
            events_sent=self.events_sent + events,
        )
