"""Calling trucks: one run of the delivery workflow per alert."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lambdas.core.deliveries import Call, called_for


class Workflow(Protocol):
    """What drives a delivery from the depot to the shelf."""

    def start(self, name: str, detail: dict[str, Any]) -> None:
        """Start a run, or do nothing when there was one of that name."""


@dataclass(slots=True)
class Called:
    """What came of some messages: the details of the alerts that have a run, and what failed, by message id."""

    details: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, Exception] = field(default_factory=dict)


def call(records: Iterable[Mapping[str, Any]], *, workflow: Workflow) -> Called:
    """Start a run named after each alert.

    A record is an SQS message whose body is the EventBridge envelope of a StockBelowThreshold. Each is tried, whatever
    became of the ones before it.
    """
    called = Called()
    for record in records:
        try:
            detail = called_for(record["body"])
            workflow.start(Call.parse(detail).alert_id, detail)
        except Exception as error:
            called.failed[record["messageId"]] = error
        else:
            called.details.append(detail)
    return called
