"""All shelves of all stores at once: what stands on each, and its threshold, as a matrix of small integers."""

import re
import struct
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from operator import lt
from typing import Any, Final

from lambdas.core import catalogue
from lambdas.core.demand import product_level, shelf_policy, store_level
from lambdas.core.fleet import DEPOTS
from lambdas.core.ledger import Ledger

NOT_CARRIED: Final = -1
_MOST: Final = 2**15 - 1
_STORE_ID: Final = re.compile(r"S([0-9]{5,6})")


@dataclass(frozen=True, slots=True)
class Shelves:
    """The shelves of some stores, row by row: `stock` and `threshold` of `products` shelves for each of `stores`.

    Of the `total` that stores carry, `low` are below their threshold and `out` are empty.
    """

    seed: int
    stores: tuple[str, ...]
    products: int
    stock: "array[int]"
    threshold: "array[int]"
    total: int
    low: int
    out: int

    def as_bytes(self, version: int) -> bytes:
        """Return version, stores, products and 0 as uint32, then stock, then threshold as int16, all little endian."""
        head = struct.pack("<4I", version, len(self.stores), self.products, 0)
        return head + _little(self.stock) + _little(self.threshold)

    def world(self, version: int) -> dict[str, Any]:
        """Return who and what the rows and columns are, and where the trucks come from."""
        return {
            "version": version,
            "stores": [
                {
                    "id": store.store_id,
                    "name": store.store_name,
                    "city": store.city,
                    "country": store.country,
                    "latitude": store.latitude,
                    "longitude": store.longitude,
                }
                for store in (catalogue.store(self.seed, _number(store_id)) for store_id in self.stores)
            ],
            "products": [
                {
                    "id": product.product_id,
                    "name": product.product_name,
                    "category": product.category,
                    "price": product.unit_price,
                }
                for product in (catalogue.products(self.seed, self.products) if self.products else ())
            ],
            "depots": [
                {"name": depot.name, "latitude": depot.latitude, "longitude": depot.longitude} for depot in DEPOTS
            ],
        }


def shelves(seed: int, ledgers: Iterable[Ledger]) -> Shelves:
    """Return the shelves of the stores whose ledgers are given, in the order of their ids.

    A ledger of a store that the catalogue does not have is left out: it is not StoreApp's.
    """
    known = sorted((each for each in ledgers if _number(each.store_id)), key=lambda each: each.store_id)
    products = max((len(ledger.on_hand) for ledger in known), default=0)
    stock, threshold = array("h"), array("h")
    for ledger in known:
        missing = array("h", [NOT_CARRIED]) * (products - len(ledger.on_hand))
        stock.extend(min(units, _MOST) for units in ledger.on_hand)
        stock.extend(missing)
        threshold.extend(thresholds(seed, ledger.store_id, len(ledger.on_hand)))
        threshold.extend(missing)
    return Shelves(
        seed,
        tuple(ledger.store_id for ledger in known),
        products,
        stock,
        threshold,
        total=len(stock) - stock.count(NOT_CARRIED),
        low=sum(map(lt, stock, threshold)),
        out=stock.count(0),
    )


@lru_cache(maxsize=10_000)
def thresholds(seed: int, store_id: str, products: int) -> "array[int]":
    """Return the reorder points of a store's shelves, reckoned as StoreApp does (`Shop` in lambdas/core/simulation)."""
    size = store_level(seed, store_id)
    return array("h", [shelf_policy(size + product_level(seed, place)).reorder_point for place in range(products)])


def _number(store_id: str) -> int:
    """Return the number of a store of the catalogue, or 0."""
    match = _STORE_ID.fullmatch(store_id)
    return number if match and (number := int(match[1])) <= catalogue.MAX_STORES else 0


def _little(numbers: "array[int]") -> bytes:
    if sys.byteorder == "big":
        numbers = array("h", numbers)
        numbers.byteswap()
    return numbers.tobytes()
