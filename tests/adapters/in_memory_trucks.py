"""The ports of StoreApp and of the trucks, in memory and exact: the same conditions, the same transaction."""

from dataclasses import replace
from typing import Any

from lambdas.core.deliveries import Delivery, UnknownStore
from lambdas.core.ledger import Ledger, Receipt
from lambdas.core.versions import Conflict


class Shelves:
    """Ledgers by store id."""

    def __init__(self) -> None:
        self.ledgers: dict[str, Ledger] = {}

    def read(self, store_id: str) -> Ledger:
        return self.ledgers.get(store_id, Ledger(store_id))

    def write(self, ledger: Ledger) -> None:
        if self.read(ledger.store_id).version != ledger.version - 1:
            raise Conflict(f"The ledger of {ledger.store_id} is not at version {ledger.version - 1}.")
        self.ledgers[ledger.store_id] = ledger

    def append(self, store_id: str, receipt: Receipt) -> None:
        """Book a receipt in the store's next version, whichever that is."""
        if store_id not in self.ledgers:
            raise UnknownStore(store_id)
        ledger = self.ledgers[store_id]
        self.ledgers[store_id] = replace(ledger, version=ledger.version + 1, receipts=(*ledger.receipts, receipt))


class Deliveries:
    """Deliveries by id; trucks unload at some shelves."""

    def __init__(self, shelves: Shelves) -> None:
        self.deliveries: dict[str, Delivery] = {}
        self._shelves = shelves

    def read(self, delivery_id: str) -> Delivery | None:
        return self.deliveries.get(delivery_id)

    def write(self, delivery: Delivery) -> None:
        self._check(delivery)
        self.deliveries[delivery.delivery_id] = delivery

    def unload(self, delivery: Delivery) -> None:
        """Nothing can fail between the two effects: the refusals come first."""
        self._check(delivery)
        receipt = Receipt(delivery.delivery_id, delivery.product_id, delivery.units)
        self._shelves.append(delivery.store_id, receipt)
        self.deliveries[delivery.delivery_id] = delivery

    def _check(self, delivery: Delivery) -> None:
        stored = self.deliveries.get(delivery.delivery_id)
        if (stored.version if stored else 0) != delivery.version - 1:
            raise Conflict(f"{delivery.delivery_id} is not at version {delivery.version - 1}.")


class Workflow:
    """Runs of the delivery workflow: their details by name, each name taken for ever."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}

    def start(self, name: str, detail: dict[str, Any]) -> None:
        self.runs.setdefault(name, detail)
