"""What passes over the trucks' bus: `StockBelowThreshold` out, `DeliveryCompleted` in."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lambdas.core.contract import Refused, timestamp
from lambdas.core.episodes import Episode, alert_id

STOCK_BELOW_THRESHOLD: Final = "StockBelowThreshold"
DELIVERY_COMPLETED: Final = "DeliveryCompleted"
ALERTS_SOURCE: Final = "inventory.alerts"

_STORE: Final = ("store_id", "store_name", "city", "country", "latitude", "longitude")
_PRODUCT: Final = ("product_id", "product_name", "category", "unit_price")


def stock_below_threshold(episode: Episode, event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notification that calls the truck: `glue/stock_below_threshold.schema.json`.

    `event` is any stock event of the shelf; what happened is taken from the episode, so a repeated call says the same.
    """
    return {
        "version": 1,
        "alert_id": episode.alert_id,
        "store": {name: event[name] for name in _STORE},
        "product": {name: event[name] for name in _PRODUCT},
        "stock": episode.stock,
        "threshold": episode.threshold,
        "recommended_quantity": episode.ordered,
        "happened_at": episode.opened_at,
        "noticed_at": episode.noticed_at,
        "event_id": episode.opened_event,
    }


@dataclass(frozen=True, slots=True)
class Arrival:
    """A truck's having unloaded, as far as its alert is concerned: the `number` of the shelf's episode, and when."""

    store_id: str
    product_id: str
    number: int
    units: int
    delivered_at: str

    @property
    def alert_id(self) -> str:
        """Return the alert that called the truck."""
        return alert_id(self.store_id, self.product_id, self.number)


def delivery_completed(detail: object) -> Arrival:
    """Read a `DeliveryCompleted`, or raise `Refused` unless it is as `glue/delivery_completed.schema.json` says.

    Stricter than the schema: 5.0 is no integer, moments need a time and an offset, and the alert must be one of the
    store and the product.
    """
    if not isinstance(detail, dict):
        raise Refused("The detail of DeliveryCompleted is not an object.", None)
    for name in _REQUIRED:
        if name not in detail:
            raise Refused(f"{name} is missing.", name)
    for name, value in detail.items():
        fits, expected = _RULES.get(name, _UNKNOWN)
        if not fits(value):
            shown = ascii(name)[1:-1][:60]
            raise Refused(f"{shown} {expected}.", shown)
    store_id, product_id = detail["store_id"], detail["product_id"]
    shelf, _, number = detail["alert_id"].rpartition("-")
    if shelf != f"A-{store_id}-{product_id}":
        raise Refused(f"alert_id must be A-{store_id}-{product_id}-number, not {detail['alert_id']}.", "alert_id")
    delivered_at = timestamp(datetime.fromisoformat(detail["delivered_at"]))
    return Arrival(store_id, product_id, int(number), detail["units"], delivered_at)


_Rule = tuple[Callable[[Any], bool], str]


def _matching(pattern: str, expected: str) -> _Rule:
    matches = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: type(value) is str and matches(value) is not None, expected


def _text(shortest: int) -> _Rule:
    return (
        lambda value: type(value) is str and shortest <= len(value) <= 120,
        f"must be a string of {shortest} to 120 characters",
    )


def _is_moment(value: object) -> bool:
    if type(value) is not str or not _MOMENT(value):
        return False
    try:
        timestamp(datetime.fromisoformat(value))
    except (ValueError, OverflowError):  # no such day; or a year that ends elsewhere
        return False
    return True


_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT([01]\d|2[0-3])(:\d\d){2}(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_ID: Final = _matching("[A-Z0-9]{1,16}", "must be 1 to 16 capital letters and digits")
_A_MOMENT: Final[_Rule] = _is_moment, "must be a moment such as 2026-11-20T12:00:00Z"
_UNKNOWN: Final[_Rule] = (lambda _: False), "is not a field of DeliveryCompleted"
_RULES: Final[dict[str, _Rule]] = {
    "version": (lambda value: type(value) is int and value == 1, "must be 1"),
    "delivery_id": _text(1),
    "alert_id": _matching(
        "A-[A-Z0-9]{1,16}-[A-Z0-9]{1,16}-[1-9][0-9]{0,8}", "must be an alert's id such as A-S00001-P0001-1"
    ),
    "store_id": _ID,
    "product_id": _ID,
    "units": (
        lambda value: type(value) is int and 1 <= value <= 1_000_000,
        "must be a whole number from 1 to 1000000",
    ),
    "depot": _text(0),
    "truck": _text(0),
    "dispatched_at": _A_MOMENT,
    "delivered_at": _A_MOMENT,
}
_REQUIRED: Final = ("version", "delivery_id", "alert_id", "store_id", "product_id", "units", "delivered_at")
