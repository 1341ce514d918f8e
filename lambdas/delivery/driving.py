"""The steps of a delivery. Each may be repeated after a lost answer, and takes effect once."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from lambdas.core.contract import timestamp
from lambdas.core.deliveries import Call, Delivery, Status

_LONGEST_REASON: Final = 500


class NotItsDelivery(Exception):
    """Another run of the workflow drives this delivery, or this run has given it up already."""


class Deliveries(Protocol):
    """Where the deliveries are kept."""

    def read(self, delivery_id: str) -> Delivery | None:
        """Return a delivery as last written."""

    def write(self, delivery: Delivery) -> None:
        """Write a delivery, or raise `Conflict` when the version before it is not the stored one."""

    def unload(self, delivery: Delivery) -> None:
        """Write a delivery and put its units into the store's receipts, both or neither.

        Raises `Conflict` as `write` does, and `UnknownStore`.
        """


def dispatch(
    detail: object, execution: str, *, deliveries: Deliveries, now: Callable[[], datetime], speedup: int
) -> dict[str, Any]:
    """Send a truck, unless one is on its way or has been there, and return how long it takes.

    `execution` names the run of the workflow. A run that finds the delivery made ends without a truck: it waits for
    nothing, and announces once more. Raises `BadCall`, `NotItsDelivery` and `Conflict`.
    """
    call = Call.parse(detail)
    delivery = deliveries.read(call.alert_id) or Delivery.called(call, execution, speedup)
    is_own = delivery.execution == execution
    if delivery.status is None:
        deliveries.write(delivery.dispatched(timestamp(now())))
    elif delivery.status == Status.FAILED and not is_own:
        deliveries.write(delivery.restarted(execution, timestamp(now())))
    elif delivery.status == Status.FAILED or not (is_own or delivery.status == Status.DELIVERED):
        raise _not_its(delivery, execution)
    return {
        "delivery_id": delivery.delivery_id,
        "travel_seconds": 0 if delivery.status == Status.DELIVERED else delivery.travel_seconds,
    }


def unload(delivery_id: str, execution: str, *, deliveries: Deliveries, now: Callable[[], datetime]) -> dict[str, Any]:
    """Put the truck's units into the store, once, and return the detail of the DeliveryCompleted to announce.

    Raises `UnknownStore`, `NotItsDelivery` and `Conflict`.
    """
    delivery = deliveries.read(delivery_id)
    if delivery is None:
        raise NotItsDelivery(f"{execution} cannot unload {delivery_id}: it was not dispatched.")
    if delivery.status != Status.DELIVERED:
        if delivery.status != Status.IN_TRANSIT or delivery.execution != execution:
            raise _not_its(delivery, execution)
        delivery = delivery.delivered(timestamp(now()))
        deliveries.unload(delivery)
    return delivery.completed()


def fail(
    detail: object,
    execution: str,
    error: Mapping[str, Any],
    *,
    deliveries: Deliveries,
    now: Callable[[], datetime],
    speedup: int,
) -> dict[str, Any]:
    """Mark the delivery as failed with its reason, unless it was made, or is another run's, and return where it stands.

    `error` is what Step Functions caught: `{"Error": …, "Cause": …}`. Raises `BadCall` and `Conflict`.
    """
    call = Call.parse(detail)
    delivery = deliveries.read(call.alert_id) or Delivery.called(call, execution, speedup)
    if delivery.execution == execution and delivery.status in (None, Status.IN_TRANSIT):
        delivery = delivery.failed(_reason(error), timestamp(now()))
        deliveries.write(delivery)
    return {"delivery_id": delivery.delivery_id, "status": delivery.status}


def _not_its(delivery: Delivery, execution: str) -> NotItsDelivery:
    return NotItsDelivery(
        f"{execution} cannot drive {delivery.delivery_id}: it is {delivery.status} by {delivery.execution}."
    )


def _reason(error: Mapping[str, Any]) -> str:
    """Return an error as a sentence; of one that a function raised, its message without the stack."""
    cause = str(error.get("Cause", ""))
    try:
        raised = json.loads(cause)
    except ValueError:
        raised = None
    if isinstance(raised, dict):
        cause = str(raised.get("errorMessage", cause))
    return f"{error.get('Error', 'Error')}: {cause}"[:_LONGEST_REASON]
