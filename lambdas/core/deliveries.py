"""A delivery: what one truck brings for one alert, and every step of its way."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from lambdas.core import fleet

_ALERT_ID: Final = re.compile(r"A-([A-Z0-9]{1,16})-([A-Z0-9]{1,16})-[1-9][0-9]{0,8}")
_MAX_UNITS: Final = 1_000_000
_LONGEST_ID: Final = 100


class BadCall(ValueError):
    """A call that no truck can follow; the message says in one sentence what is wrong with it."""


class UnknownStore(Exception):
    """There is no such store to unload at; let StoreApp open it, and restart the delivery."""


class Status(StrEnum):
    """Where a delivery stands. DELIVERED is final; FAILED can be restarted."""

    IN_TRANSIT = "IN_TRANSIT"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Call:
    """What a truck is called for: the parts of a StockBelowThreshold that matter to it; coordinates in degrees."""

    alert_id: str
    store_id: str
    product_id: str
    units: int
    latitude: float
    longitude: float

    @classmethod
    def parse(cls, detail: object) -> "Call":
        """Read the detail of a StockBelowThreshold event, or raise `BadCall`; what no truck needs is not read."""
        if not isinstance(detail, Mapping):
            raise BadCall(f"The detail must be an object, not {_shown(detail)}.")
        if detail.get("version") != 1:
            raise BadCall(f"version must be 1, not {_shown(detail.get('version'))}.")
        alert_id, units = detail.get("alert_id"), detail.get("recommended_quantity")
        if not isinstance(alert_id, str) or not (match := _ALERT_ID.fullmatch(alert_id)):
            raise BadCall(f"alert_id must be A-store-product-number, not {_shown(alert_id)}.")
        if type(units) is not int or not 1 <= units <= _MAX_UNITS:
            raise BadCall(f"recommended_quantity must be a whole number from 1 to {_MAX_UNITS}, not {_shown(units)}.")
        store, product = _part(detail, "store"), _part(detail, "product")
        for name, given, expected in (
            ("store_id", store.get("store_id"), match[1]),
            ("product_id", product.get("product_id"), match[2]),
        ):
            if given != expected:
                raise BadCall(f"{name} must be the alert's, {expected}, not {_shown(given)}.")
        return cls(
            alert_id=alert_id,
            store_id=match[1],
            product_id=match[2],
            units=units,
            latitude=_degrees(store, "latitude", 90),
            longitude=_degrees(store, "longitude", 180),
        )


def traced(detail: object) -> dict[str, str | None]:
    """Return what a log line says of a StockBelowThreshold: the alert, and the event that opened it.

    That event's id is the correlation id of all logs. A foreign call may lack it, or hold anything instead.
    """
    known = detail if isinstance(detail, Mapping) else {}

    def id_or_none(name: str) -> str | None:
        given = known.get(name)
        return given if isinstance(given, str) and len(given) <= _LONGEST_ID else None

    return {"correlation_id": id_or_none("event_id"), "alert_id": id_or_none("alert_id")}


def run_name(alert_id: str, attempt: int) -> str:
    """Return the name of a delivery's run of the workflow: who starts the same attempt again is refused by the name."""
    return alert_id if attempt == 1 else f"{alert_id}-{attempt}"


def called_for(body: str) -> dict[str, Any]:
    """Return the detail of a message that holds an event as EventBridge delivers it, or raise `BadCall`."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise BadCall("The message is not JSON.") from None
    match event:
        case {"detail": dict(detail)}:
            return detail
        case _:
            raise BadCall("The message is not an EventBridge event: it has no detail.")


def _part(detail: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = detail.get(name)
    if not isinstance(part, Mapping):
        raise BadCall(f"{name} must be an object, not {_shown(part)}.")
    return part


def _degrees(store: Mapping[str, Any], name: str, most: int) -> float:
    value = store.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        raise BadCall(f"{name} must be a number from -{most} to {most}, not {_shown(value)}.")
    return float(value)


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 60 else text[:60] + "…"


@dataclass(frozen=True, slots=True)
class Step:
    """A status that a delivery took: when (UTC, ISO 8601), and what happened, as a sentence."""

    status: Status
    at: str
    note: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """The one delivery of an alert, named after it.

    It gains a step with every change, so the number of its steps is its version; version 0 has not been written yet.
    Whoever changes it writes on the condition that the version before is still there. `execution` names the run of the
    workflow that drives it; `travel_seconds` is how long that run waits for the truck.
    """

    delivery_id: str
    store_id: str
    product_id: str
    units: int
    depot: str
    truck: str
    distance_km: float
    travel_seconds: int
    execution: str
    attempt: int = 1
    history: tuple[Step, ...] = ()

    @classmethod
    def called(cls, call: Call, execution: str, speedup: int) -> "Delivery":
        """Choose depot and truck for a call: version 0."""
        depot = fleet.nearest_depot(call.latitude, call.longitude)
        distance_km = fleet.road_km(depot, call.latitude, call.longitude)
        return cls(
            delivery_id=call.alert_id,
            store_id=call.store_id,
            product_id=call.product_id,
            units=call.units,
            depot=depot.name,
            truck=fleet.truck(depot, call.alert_id),
            distance_km=distance_km,
            travel_seconds=fleet.travel_seconds(distance_km, speedup),
            execution=execution,
        )

    @property
    def alert_id(self) -> str:
        """The alert that called the truck."""
        return self.delivery_id

    @property
    def version(self) -> int:
        """How often the delivery was written."""
        return len(self.history)

    @property
    def status(self) -> Status | None:
        """Where it stands, or None at version 0."""
        return self.history[-1].status if self.history else None

    @property
    def dispatched_at(self) -> str | None:
        """When the truck last left."""
        return next((step.at for step in reversed(self.history) if step.status == Status.IN_TRANSIT), None)

    @property
    def delivered_at(self) -> str | None:
        """When the truck had unloaded."""
        return self.history[-1].at if self.status == Status.DELIVERED else None

    @property
    def reason(self) -> str | None:
        """Why it failed, if it stands so."""
        return self.history[-1].note if self.status == Status.FAILED else None

    def dispatched(self, at: str) -> "Delivery":
        """Return the next version, in which the truck has left."""
        return self._step(Status.IN_TRANSIT, at, f"{self.truck} left {self.depot}, {self.distance_km} km away.")

    def restarted(self, execution: str, at: str) -> "Delivery":
        """Return the next version of a failed delivery, in which the truck has left again."""
        return replace(self, execution=execution, attempt=self.attempt + 1).dispatched(at)

    def delivered(self, at: str) -> "Delivery":
        """Return the next and last version, in which the units are at the store."""
        return self._step(Status.DELIVERED, at, f"{self.truck} unloaded {self.units} units.")

    def failed(self, reason: str, at: str) -> "Delivery":
        """Return the next version, in which the truck has given up."""
        return self._step(Status.FAILED, at, reason)

    def completed(self) -> dict[str, Any]:
        """Return the detail of the DeliveryCompleted event, glue/delivery_completed.schema.json."""
        return {
            "version": 1,
            "delivery_id": self.delivery_id,
            "alert_id": self.alert_id,
            "store_id": self.store_id,
            "product_id": self.product_id,
            "units": self.units,
            "depot": self.depot,
            "truck": self.truck,
            "dispatched_at": self.dispatched_at,
            "delivered_at": self.delivered_at,
        }

    def _step(self, status: Status, at: str, note: str) -> "Delivery":
        return replace(self, history=(*self.history, Step(status, at, note)))
