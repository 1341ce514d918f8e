"""Runs of the delivery workflow in Step Functions."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_CONFIG: Final = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 5})


@cache
def stepfunctions() -> "SFNClient":
    """Return the client, made at the first call."""
    return boto3.client("stepfunctions", config=_CONFIG)


class DeliveryWorkflow:
    """The state machine that drives deliveries, each run under a name of its own."""

    def __init__(self, client: "SFNClient", arn: str) -> None:
        self._client = client
        self._arn = arn

    def start(self, name: str, detail: dict[str, Any]) -> None:
        """Start a run for the detail of a StockBelowThreshold, unless there was one of that name.

        Step Functions refuses a name for 90 days after its run has ended; while it runs, the same name with the same
        input is answered as if it were new (StartExecution, Step Functions API reference).
        """
        try:
            self._client.start_execution(
                stateMachineArn=self._arn, name=name, input=json.dumps(detail, separators=(",", ":"))
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return
