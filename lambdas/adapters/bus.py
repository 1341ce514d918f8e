"""Calls for trucks onto an EventBridge bus."""

import json
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

from lambdas.core.notification import ALERTS_SOURCE, STOCK_BELOW_THRESHOLD
from lambdas.core.packing import batches

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

_MAX_CALL_ENTRIES: Final = 10
"""PutEvents in the EventBridge API reference: Entries, "Maximum number of 10 items"."""
_MAX_CALL_BYTES: Final = 250_000
"""Calculating Amazon EventBridge PutEvents event entry size: all entries "less than 256KB", of each its detail, source
and detail type; the latter two are left room for."""
_CONFIG: Final = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 5})


@cache
def events() -> "EventBridgeClient":
    """Return the client, made at the first call."""
    return boto3.client("events", config=_CONFIG)


class NotAnnounced(Exception):
    """The bus did not accept some announcements; announce all again: each has the same alert_id in every copy."""


class TruckBus:
    """The bus on which trucks are called."""

    def __init__(self, client: "EventBridgeClient", name: str) -> None:
        self._client = client
        self._name = name

    def announce(self, details: Sequence[dict[str, Any]]) -> None:
        """Announce each `StockBelowThreshold` in as few calls as there can be.

        All calls are made; then `NotAnnounced` is raised when an entry was not accepted. EventBridge takes and drops
        what goes to a bus that does not exist (Sending events with PutEvents), so the name has to be right.
        """
        codes: list[str] = []
        encoded = (json.dumps(detail, separators=(",", ":")).encode() for detail in details)
        for call in batches(encoded, _MAX_CALL_ENTRIES, _MAX_CALL_BYTES):
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._name,
                        "Source": ALERTS_SOURCE,
                        "DetailType": STOCK_BELOW_THRESHOLD,
                        "Detail": detail.decode(),
                    }
                    for detail in call
                ]
            )
            codes += (entry["ErrorCode"] for entry in answer["Entries"] if "ErrorCode" in entry)
        if codes:
            causes = ", ".join(sorted(set(codes)))
            raise NotAnnounced(f"{self._name} did not accept {len(codes)} of {len(details)} ({causes}).")
