"""The steps of the delivery workflow."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from lambdas.adapters.deliveries import DeliveriesTable
from lambdas.adapters.shelves import dynamodb
from lambdas.core.deliveries import Status, traced
from lambdas.core.settings import setting
from lambdas.delivery import driving

logger = Logger(service="delivery")
metrics = Metrics(namespace="InventoryWorkshop", service="delivery")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take one step: `{"step": "dispatch" | "unload" | "fail", "execution": …, "detail": …}`, and its own part."""
    names = ("DELIVERIES_TABLE_NAME", "SHELVES_TABLE_NAME", "TRUCK_SPEEDUP")
    table, shelves, speedup = (setting(os.environ, name, passed_by="TrucksStack") for name in names)
    deliveries = DeliveriesTable(dynamodb(), table, shelves)
    answer = _take(event, deliveries, int(speedup))
    unloaded, failed = event["step"] == "unload", answer.get("status") == Status.FAILED
    if unloaded or failed:
        metrics.add_metric("TrucksUnloaded" if unloaded else "DeliveriesFailed", MetricUnit.Count, 1)
        metrics.flush_metrics()
    known = traced(event.get("detail"))
    logger.info("Took a step", extra={**known, "step": event["step"], "execution": event["execution"], **answer})
    return answer


def _take(event: dict[str, Any], deliveries: DeliveriesTable, speedup: int) -> dict[str, Any]:
    execution = event["execution"]
    match event["step"]:
        case "dispatch":
            return driving.dispatch(event["detail"], execution, deliveries=deliveries, now=_now, speedup=speedup)
        case "unload":
            return driving.unload(event["delivery_id"], execution, deliveries=deliveries, now=_now)
        case "fail":
            return driving.fail(
                event["detail"], execution, event["error"], deliveries=deliveries, now=_now, speedup=speedup
            )
        case step:
            raise ValueError(f"step must be dispatch, unload or fail, not {step!a}.")


def _now() -> datetime:
    return datetime.now(UTC)
