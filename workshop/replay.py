"""Refused documents and failed records back into the stream, once.

What is replayed is taken out of `quarantine/` or `errors/` and kept, as it was, under `replayed/`: so the quarantine
holds what is refused now, and what went back in is counted in the lake and nowhere else. Each object goes in three
steps: Firehose accepts its documents, `replayed/` takes them with their reasons, the object loses them. After a kill
before the second step they are sent again, and `unique_events` has each event once however often it came; after it
nothing is sent again, for a document that is under `replayed/` is only taken out.
"""

import base64
import gzip
import json
import random
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from lambdas.adapters.delivery_stream import DeliveryStream, NotAccepted, firehose
from lambdas.core import contract
from lambdas.core.contract import RECEIVED_AT, Refused
from lambdas.core.packing import MAX_RECORD_BYTES, batches, pack
from lambdas.core.screening import documents
from workshop.errors import WorkshopError
from workshop.steps import Report

QUARANTINE: Final = "quarantine/"
ERRORS: Final = "errors/"
REPLAYED: Final = "replayed/"

Document = str | bytes
Row = dict[str, Any]
Send = Callable[[Sequence[bytes]], None]
"""Send one call's worth of Firehose records, and return when all are accepted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One line of an object: the documents that failed together, and why. `row` is the line itself."""

    row: Row
    reason: str
    documents: tuple[Document, ...]

    def of(self, some: Sequence[Document]) -> Row:
        """Return the line as it would be for some of its documents alone."""
        if len(some) == len(self.documents):
            return self.row
        data = b"".join((each if isinstance(each, bytes) else each.encode()) + b"\n" for each in some)
        return {**self.row, "rawData": base64.b64encode(data).decode()}


@dataclass(slots=True)
class Sorted:
    """The documents of one object: the events to send, and the object's lines split into those that go and stay."""

    events: list[str] = field(default_factory=list)
    going: list[Row] = field(default_factory=list)
    staying: list[Row] = field(default_factory=list)
    left: Counter[str] = field(default_factory=Counter)
    """Documents that the contract still refuses, by its reason."""
    known: int = 0
    """Documents that were replayed before and are still here."""


@dataclass(slots=True)
class Replay:
    """What became of the documents asked for; `skipped` says of objects that could not be handled why."""

    objects: int = 0
    replayed: int = 0
    left: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)

    def as_document(self, *, dry_run: bool) -> Row:
        """Return the `replay --json` document."""
        return {
            "dry_run": dry_run,
            "objects": self.objects,
            "documents": self.replayed + self.left.total(),
            "replayed": self.replayed,
            "left": dict(self.left.most_common()),
            "skipped": self.skipped,
        }


class Unreadable(Exception):
    """An object that is not what its prefix says."""


def replay(
    s3: Any,
    bucket: str,
    send: Send,
    *,
    prefixes: Sequence[str],
    reason: str = "",
    dry_run: bool = False,
    progress: Report = lambda _: None,
) -> Replay:
    """Send each document under the prefixes that is a stock event now and failed for a reason that holds a text.

    A dry run sends and changes nothing; its `replayed` is what would be sent.
    """
    keys = [entry["Key"] for prefix in prefixes for entry in listed(s3, bucket, prefix)]
    outcome = Replay(objects=len(keys))
    for number, key in enumerate(keys, start=1):
        try:
            stored = s3.get_object(Bucket=bucket, Key=key)
            before = _replayed(s3, bucket, key)
            known = {document for failure in before for document in failure.documents}
            found = sort(read(key, stored["Body"].read()), known, reason)
            if not dry_run:
                for call in batches(pack(found.events)):
                    send(call)
                if found.going:
                    _write(s3, bucket, REPLAYED + key, [*(failure.row for failure in before), *found.going])
                if found.going or found.known:
                    _take_out(s3, bucket, key, found.staying, stored["ETag"])
        except Unreadable as error:
            outcome.skipped[key] = str(error)
        else:
            outcome.replayed += len(found.events)
            outcome.left += found.left
        progress(number / len(keys))
    return outcome


def sort(failures: Sequence[Failure], known: set[Document], reason: str = "") -> Sorted:
    """Sort the documents of an object by whether the contract accepts them now.

    Those in `known` were replayed before; those that failed for another reason than the one asked for stay uncounted.
    Documents with the same bytes are the same event and are sent once.
    """
    found = Sorted()
    events: dict[str, None] = {}
    for failure in failures:
        if reason.casefold() not in failure.reason.casefold():
            found.staying.append(failure.row)
            continue
        going, staying = [], []
        for document in failure.documents:
            if document in known:
                found.known += 1
                continue
            try:
                events[event(document)] = None
            except Refused as refused:
                found.left[refused.reason] += 1
                staying.append(document)
            else:
                going.append(document)
        if going:
            found.going.append(failure.of(going))
        if staying or not failure.documents:
            found.staying.append(failure.of(staying))
    found.events = list(events)
    return found


def event(document: Document) -> str:
    """Return a document's text as a store sent it, without what the intake added; raise `Refused` if it is no event."""
    if isinstance(document, bytes):
        raise Refused("The document is not UTF-8.", None)
    text = _ADDED.sub("}", document)
    contract.read(text)
    if len(text.encode()) >= MAX_RECORD_BYTES:
        raise Refused("The document does not fit into a Firehose record.", None)
    return text


# The intake appends its field to the text of an event and leaves the rest as it came.
_ADDED: Final = re.compile(rf',"{RECEIVED_AT}":"[^"]*"\}}\Z')


def read(key: str, body: bytes) -> list[Failure]:
    """Return the lines of an object whose prefix tells its form, or raise `Unreadable`.

    Sources of the forms: x-quarantine in the contract; "Handle failure in data transformation" and "Handle failures in
    record format conversion", Firehose developer guide.
    """
    for prefix, form in _FORMS.items():
        if key.startswith(prefix):
            try:
                return [form(row) for row in _rows(gzip.decompress(body) if key.endswith(".gz") else body)]
            except _MISFITS as error:
                raise Unreadable(f"It does not hold what {prefix} should: {error!a:.200}.") from error
    raise Unreadable("Nothing is known of what is under this prefix.")


def _quarantined(row: Row) -> Failure:
    match row:
        case {"document": str(text)}:
            return Failure(row, f"{row['reason']}", (text,))
        case {"document_base64": str(encoded)}:
            return Failure(row, f"{row['reason']}", (base64.b64decode(encoded, validate=True),))
    raise ValueError("neither document nor document_base64 is a text")


def _processing_failed(row: Row) -> Failure:
    raw = base64.b64decode(row["rawData"], validate=True)
    return Failure(row, f"{row['errorCode']}: {row['errorMessage']}", tuple(documents(raw)))


def _format_conversion_failed(row: Row) -> Failure:
    raw = base64.b64decode(row["rawData"], validate=True)
    return Failure(row, f"{row['lastErrorCode']}: {row['lastErrorMessage']}", tuple(documents(raw)))


# What a body raises that is no gzip, no UTF-8, no JSON, too deep a one, or JSON of another form.
_MISFITS: Final = (ValueError, TypeError, KeyError, AttributeError, OSError, EOFError, zlib.error, RecursionError)

_FORMS: Final[Mapping[str, Callable[[Row], Failure]]] = {
    QUARANTINE: _quarantined,
    f"{ERRORS}processing-failed/": _processing_failed,
    f"{ERRORS}format-conversion-failed/": _format_conversion_failed,
}


def _rows(body: bytes) -> Iterator[Row]:
    """Read JSON objects one after the other, on a line each or not."""
    text, at = body.decode(), 0
    while rest := _NOT_BLANK.search(text, at):
        row, at = json.JSONDecoder().raw_decode(text, rest.start())
        yield row


_NOT_BLANK: Final = re.compile(r"\S")


def listed(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield what S3 lists of each object under a prefix (`Key`, `Size`, `LastModified`), in the order of the keys."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())


def _replayed(s3: Any, bucket: str, key: str) -> list[Failure]:
    """Return what was replayed from an object before."""
    try:
        stored = s3.get_object(Bucket=bucket, Key=REPLAYED + key)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return []
        raise
    return read(key, stored["Body"].read())


def _write(s3: Any, bucket: str, key: str, rows: Sequence[Row], **condition: str) -> None:
    body = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows).encode()
    s3.put_object(
        Bucket=bucket, Key=key, Body=gzip.compress(body, mtime=0) if key.endswith(".gz") else body, **condition
    )


def _take_out(s3: Any, bucket: str, key: str, staying: Sequence[Row], etag: str) -> None:
    """Leave in an object what stays, unless it was written anew: Firehose may have had the intake repeat its batch.

    Sources: "How to prevent object overwrites with conditional writes" and "How to perform conditional deletes", S3
    user guide.
    """
    try:
        if staying:
            _write(s3, bucket, key, staying, IfMatch=etag)
        else:
            s3.delete_object(Bucket=bucket, Key=key, IfMatch=etag)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"):
            raise


def to_stream(name: str) -> Send:
    """Return what sends to a delivery stream, with the patience of somebody who waits.

    What it returns raises WorkshopError when Firehose does not accept all.
    """
    stream = DeliveryStream(
        firehose(),
        name,
        clock=time.monotonic,
        sleep=time.sleep,
        rng=random.Random(),  # noqa: S311 - pauses
    )

    def send(records: Sequence[bytes]) -> None:
        try:
            stream.send(records, within=_PATIENCE_SECONDS)
        except NotAccepted as error:
            raise WorkshopError(
                f"Firehose did not accept all: {error}", "Nothing is lost. Repeat the command to go on."
            ) from error

    return send


_PATIENCE_SECONDS: Final = 120.0
