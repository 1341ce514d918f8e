"""What turns a StockBelowThreshold into a run of the delivery workflow."""

import os
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from lambdas.adapters.workflow import DeliveryWorkflow, stepfunctions
from lambdas.core.deliveries import traced
from lambdas.core.settings import setting
from lambdas.truck_dispatch.calling import call

logger = Logger(service="truck-dispatch")
metrics = Metrics(namespace="InventoryWorkshop", service="truck-dispatch")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Call a truck for each message, and name the messages that SQS has to bring again."""
    arn = setting(os.environ, "DELIVERY_WORKFLOW_ARN", passed_by="TrucksStack")
    called = call(event["Records"], workflow=DeliveryWorkflow(stepfunctions(), arn))
    for message_id, error in called.failed.items():
        extra = {"message_id": message_id, "reason": str(error)}
        logger.error("No truck was called", exc_info=error, extra=extra)
    metrics.add_metric("TrucksCalled", MetricUnit.Count, len(called.details))
    metrics.flush_metrics()
    logger.info("Called trucks", extra={"called": [traced(detail) for detail in called.details]})
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in called.failed]}
