"""StoreApp: stores trade for some simulated hours, and Firehose gets what happened on their shelves."""

import os
from random import SystemRandom
from time import monotonic, sleep
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters.delivery_stream import DeliveryStream, firehose
from lambdas.adapters.shelves import ShelvesTable, dynamodb
from lambdas.core.settings import setting
from lambdas.store_app.trading import Request, trade

logger = Logger(service="store-app")
metrics = Metrics(namespace="InventoryWorkshop", service="store-app")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Trade as the payload says: `{"hours": 1, "stores": 10, "products": 50, "first_store": 1}`, all optional."""
    request = Request.parse(event)
    names = ("DELIVERY_STREAM_NAME", "SHELVES_TABLE_NAME", "SEED", "OVERNIGHT_REPLENISHMENT")
    stream, table, seed, overnight = (setting(os.environ, name, passed_by="IngestStack") for name in names)
    report = trade(
        request,
        shelves=ShelvesTable(dynamodb(), table),
        stream=DeliveryStream(firehose(), stream, clock=monotonic, sleep=sleep, rng=SystemRandom()),
        seed=int(seed),
        overnight=overnight == "yes",
        run_id=context.aws_request_id,
        remaining=lambda: context.get_remaining_time_in_millis() / 1_000,
        clock=monotonic,
    )
    metrics.add_metric("EventsSent", MetricUnit.Count, report["events"])
    metrics.flush_metrics()
    # An event is of this run when its store is one of these and its time is after `from` and not after `to`.
    logger.info("Stores traded", extra={"run_id": context.aws_request_id, "first_store": request.first_store, **report})
    return report
