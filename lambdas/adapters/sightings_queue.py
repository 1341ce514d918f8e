"""Sightings into SQS, many in a message."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

from lambdas.core.messages import MAX_MESSAGE_BYTES
from lambdas.core.packing import batches

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_MAX_CALL_MESSAGES: Final = 10
_CONFIG: Final = Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})


@cache
def sqs() -> "SQSClient":
    """Return the client, made at the first call."""
    return boto3.client("sqs", config=_CONFIG)


class NotSent(Exception):
    """SQS did not take some messages; send the whole batch again: a sighting that comes twice does no harm."""


class SightingsQueue:
    """The queue of sightings."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, messages: Iterable[str]) -> None:
        """Send messages in as few calls as there can be; raise `NotSent` unless all were taken."""
        for call in batches((body.encode() for body in messages), _MAX_CALL_MESSAGES, MAX_MESSAGE_BYTES):
            answer = self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(place), "MessageBody": body.decode()} for place, body in enumerate(call)],
            )
            if failed := answer.get("Failed"):
                codes = ", ".join(sorted({entry["Code"] for entry in failed}))
                raise NotSent(f"{len(failed)} of {len(call)} messages were not taken ({codes}).")
