"""Refused documents in S3, where Athena reads them."""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@cache
def s3() -> "S3Client":
    """Return the client, made at the first call."""
    return boto3.client("s3")


class Quarantine:
    """The quarantine of a lake's bucket: `quarantine/dt=YYYY-MM-DD/<digest of the batch>.json.gz`."""

    def __init__(self, client: "S3Client", bucket_name: str) -> None:
        self._client = client
        self._bucket_name = bucket_name

    def keep(self, record_ids: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Store a batch's refused documents, one object for each day on which their records arrived.

        The object is named after the batch's record ids, so a batch that Firehose repeats replaces what it wrote.
        """
        digest = hashlib.sha256(json.dumps(record_ids).encode()).hexdigest()[:32]
        for day, of_day in groupby(sorted(rows, key=_day), key=_day):
            text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in of_day)
            self._client.put_object(
                Bucket=self._bucket_name,
                Key=f"quarantine/dt={day}/{digest}.json.gz",
                Body=gzip.compress(text.encode(), mtime=0),
            )


def _day(row: Mapping[str, Any]) -> str:
    return str(row["received_at"][:10])
