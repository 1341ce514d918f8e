"""What turns a StockBelowThreshold into a run of the delivery workflow."""

import os
from typing import Any

from lambdas.adapters.workflow import DeliveryWorkflow, stepfunctions
from lambdas.core.settings import setting
from lambdas.truck_dispatch.calling import call


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Call a truck for each message, and name the messages that SQS has to bring again."""
    arn = setting(os.environ, "DELIVERY_WORKFLOW_ARN", passed_by="TrucksStack")
    failed = call(event["Records"], workflow=DeliveryWorkflow(stepfunctions(), arn))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
