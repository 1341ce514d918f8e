"""Calling trucks: one run of the delivery workflow per alert."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from aws_lambda_powertools import Logger

from lambdas.core.deliveries import Call, called_for

logger = Logger(service="truck-dispatch")


class Workflow(Protocol):
    """What drives a delivery from the depot to the shelf."""

    def start(self, name: str, detail: dict[str, Any]) -> None:
        """Start a run, or do nothing when there was one of that name."""


def call(records: Iterable[Mapping[str, Any]], *, workflow: Workflow) -> list[str]:
    """Start a run named after each alert, and return the ids of the messages that could not be done.

    A record is an SQS message whose body is the EventBridge envelope of a StockBelowThreshold. Each is tried, whatever
    became of the ones before it; why one failed is logged.
    """
    failed = []
    for record in records:
        try:
            detail = called_for(record["body"])
            workflow.start(Call.parse(detail).alert_id, detail)
        except Exception as error:
            logger.exception("No truck was called", extra={"message_id": record["messageId"], "reason": str(error)})
            failed.append(record["messageId"])
    return failed
