"""An account with the workshop's tables as moto imitates it, in this process; no call leaves it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from unittest import mock

from moto import mock_aws

from workshop.target import Target

TABLES = {
    "alerts": {"shelf": "S", "number": "N"},
    "deliveries": {"delivery_id": "S"},
    "shelves": {"store_id": "S"},
}


@contextmanager
def imitated_aws() -> Iterator[Target]:
    """Open a fresh account with empty tables."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with mock.patch.dict(os.environ, clean, clear=True), mock_aws():
        target = _target()
        for table, keys in TABLES.items():
            target.client("dynamodb").create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()],
                BillingMode="PAY_PER_REQUEST",
            )
        yield target


@cache
def _target() -> Target:
    """Its clients are made once: making one takes a tenth of a second."""
    return Target(name="aws", region="us-east-1")
