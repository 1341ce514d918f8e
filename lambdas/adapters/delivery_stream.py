"""Records into Amazon Data Firehose."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

if TYPE_CHECKING:
    from random import Random

    from mypy_boto3_firehose import FirehoseClient

CALL_SECONDS: Final = 20
"""How long one call may take; after that it counts as not accepted."""
_MAX_ATTEMPTS: Final = 40
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_TRANSIENT: Final = {"ServiceUnavailableException", "ThrottlingException", "LimitExceededException"}

# Repeating is this module's: botocore would repeat the whole batch, records that were accepted included.
_CONFIG: Final = Config(connect_timeout=3, read_timeout=CALL_SECONDS - 3, retries={"total_max_attempts": 1})


@cache
def firehose() -> "FirehoseClient":
    """Return the client, made at the first call."""
    return boto3.client("firehose", config=_CONFIG)


class NotAccepted(Exception):
    """Firehose did not accept some records in the time there was. `records` are those, in order."""

    def __init__(self, stream: str, records: Sequence[bytes], cause: str) -> None:
        super().__init__(f"{stream} did not accept {len(records)} records ({cause}); send them again.")
        self.records = records


class DeliveryStream:
    """A delivery stream that takes records at least once."""

    def __init__(
        self,
        client: "FirehoseClient",
        name: str,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        rng: "Random",
    ) -> None:
        self._client = client
        self._name = name
        self._clock = clock
        self._sleep = sleep
        self._rng = rng

    def send(self, records: Sequence[bytes], within: float) -> None:
        """Send one call's worth of records, and again those not accepted, for at most `within` seconds.

        Waits with full jitter between calls: a random time up to an exponentially growing bound (AWS Architecture Blog,
        Exponential Backoff And Jitter). A call that fails as a whole may have written, so records can arrive twice.
        Raises `NotAccepted`, at once when repeating cannot help.
        """
        deadline = self._clock() + within
        for attempt in range(_MAX_ATTEMPTS):
            records, cause = self._put(records)
            if not records:
                return
            pause = self._rng.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt))
            if self._clock() + pause >= deadline:
                break
            self._sleep(pause)
        raise NotAccepted(self._name, records, cause)

    def _put(self, records: Sequence[bytes]) -> tuple[Sequence[bytes], str]:
        """Return the records that one call did not get accepted, and why."""
        try:
            answer = self._client.put_record_batch(
                DeliveryStreamName=self._name, Records=[{"Data": record} for record in records]
            )
        except (ConnectionError, HTTPClientError) as error:
            return records, type(error).__name__
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in _TRANSIENT or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                return records, code
            raise NotAccepted(self._name, records, code) from error
        failed = [
            (record, result["ErrorCode"])
            for record, result in zip(records, answer["RequestResponses"], strict=True)
            if "ErrorCode" in result
        ]
        return [record for record, _ in failed], ", ".join(sorted({code for _, code in failed}))
