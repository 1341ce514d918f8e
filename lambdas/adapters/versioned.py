"""Versioned items in DynamoDB: the condition of a write, and what its refusal means."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.exceptions import ClientError

from lambdas.core.versions import Conflict

# A transaction that is under way refuses the write too (PutItem, DynamoDB API reference).
_SOMEBODY_ELSE: Final = ("ConditionalCheckFailedException", "TransactionConflictException")


def after_version(before: int, key: str) -> dict[str, Any]:
    """Return the condition that version `before` is stored, or for 0 that no item has the partition key `key`."""
    if not before:
        return {"ConditionExpression": f"attribute_not_exists({key})"}
    return {"ConditionExpression": "version = :before", "ExpressionAttributeValues": {":before": {"N": str(before)}}}


@contextmanager
def one_writer(what: str, before: int) -> Iterator[None]:
    """Raise `Conflict` for a write of `what` that was refused because version `before` is not the stored one.

    After a lost answer the repeated write meets its own first one, and a `Conflict` is raised for a write that took
    place: read again and compare.
    """
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _SOMEBODY_ELSE:
            raise
        raise conflict(what, before) from None


def conflict(what: str, before: int) -> Conflict:
    """Return the `Conflict` of a write of `what` upon version `before`."""
    return Conflict(f"{what} is not at version {before}; read it again.")
