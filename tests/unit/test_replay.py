"""What failed goes back once: under kills at every call, repeated batches, and damaged objects."""

import base64
import gzip
import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.screening import screen
from lambdas.intake.transformation import transform
from tests.unit.stock_events import damaged_events, good_events, line
from workshop.replay import ERRORS, QUARANTINE, REPLAYED, Replay, event, read, replay, sort

BOTH = (QUARANTINE, ERRORS)
ARRIVED = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROCESSING, CONVERSION = (
    f"{ERRORS}processing-failed/dt=2026-11-20/a",
    f"{ERRORS}format-conversion-failed/dt=2026-11-20/a",
)
REFUSED = f"{QUARANTINE}dt=2026-11-20/a.json.gz"


class Killed(BaseException):
    """The program was killed at a call."""


@dataclass
class Bucket:
    """S3 and Firehose in memory, which can have the program die at any call, before or after it takes place."""

    objects: dict[str, bytes] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    calls: int = 0
    kill_at: int | None = None
    kill_after: bool = False
    meanwhile: Callable[[str], None] = lambda _: None
    """What somebody else does after an object was read."""

    def send(self, records: Sequence[bytes]) -> None:
        self._call(lambda: self.accepted.extend(b"".join(records).decode().splitlines()))

    def get_paginator(self, _: str) -> "Bucket":
        return self

    def paginate(self, *, Prefix: str, **_: Any) -> list[dict[str, Any]]:  # noqa: N803 - boto3's names
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        return [{"Contents": [{"Key": key}]} for key in keys] or [{}]

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        if Key not in self.objects:
            raise _refusal("NoSuchKey", "GetObject")
        body = self.objects[Key]
        self.meanwhile(Key)
        return {"Body": io.BytesIO(body), "ETag": _etag(body)}

    def put_object(self, *, Key: str, Body: bytes, IfMatch: str | None = None, **_: Any) -> None:  # noqa: N803
        def put() -> None:
            self._check(Key, IfMatch, "PutObject")
            self.objects[Key] = Body

        self._call(put)

    def delete_object(self, *, Key: str, IfMatch: str, **_: Any) -> None:  # noqa: N803
        def delete() -> None:
            self._check(Key, IfMatch, "DeleteObject")
            del self.objects[Key]

        self._call(delete)

    def _check(self, key: str, etag: str | None, operation: str) -> None:
        if etag is not None and key not in self.objects:
            raise _refusal("NoSuchKey", operation)
        if etag not in (None, _etag(self.objects.get(key, b""))):
            raise _refusal("PreconditionFailed", operation)

    def _call(self, act: Callable[[], object]) -> None:
        number, self.calls = self.calls, self.calls + 1
        if number == self.kill_at:
            if self.kill_after:
                act()
            raise Killed
        act()


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()}"'


def _refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


def json_lines(rows: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def refused(*documents: str | bytes, reason: str = "stock was refused.") -> bytes:
    """Return an object of the quarantine as the intake of another day wrote it, when it refused these documents."""
    rows = [
        {
            "reason": reason,
            "field": None,
            "position": position,
            "record_id": "r",
            "received_at": "2026-11-20T12:00:00.000Z",
            "document": document if isinstance(document, str) else None,
            "document_base64": None if isinstance(document, str) else base64.b64encode(document).decode(),
        }
        for position, document in enumerate(documents)
    ]
    return gzip.compress(json_lines(rows))


def unprocessed(*records: bytes) -> bytes:
    """Return what Firehose writes of records that the intake failed on; AWS does not promise a line for each."""
    rows = [
        {
            "attemptsMade": 4,
            "arrivalTimestamp": 1,
            "errorCode": "Lambda.FunctionError",
            "errorMessage": "it failed",
            "attemptEndingTimestamp": 2,
            "rawData": base64.b64encode(record).decode(),
            "lambdaArn": "arn",
        }
        for record in records
    ]
    return "".join(json.dumps(row) for row in rows).encode()


def unconverted(*records: bytes) -> bytes:
    rows = [
        {
            "attemptsMade": 1,
            "lastErrorCode": "DataFormatConversion.EntityNotFound",
            "lastErrorMessage": "The specified table/database could not be found.",
            "rawData": base64.b64encode(record).decode(),
            "sequenceNumber": "1",
            "subSequenceNumber": None,
        }
        for record in records
    ]
    return json_lines(rows)


def run(bucket: Bucket, **wanted: Any) -> Replay:
    return replay(bucket, "lake", bucket.send, **{"prefixes": BOTH, **wanted})


def texts(bucket: Bucket, prefix: str) -> list[str]:
    """Return the documents under a prefix."""
    found = []
    for key, body in bucket.objects.items():
        if key.startswith(prefix):
            for failure in read(key.removeprefix(REPLAYED), body):
                found += [str(document) for document in failure.documents]
    return sorted(found)


GOOD, OTHER, BAD = line(), line(stock=7), line(stock=-1)


def test_what_is_an_event_now_goes_back_and_the_rest_stays_to_be_asked_for() -> None:
    bucket = Bucket({REFUSED: refused(GOOD, BAD, "no JSON", b"\xff"), "stock_events/dt=2026-11-20/a.parquet": b"P"})
    outcome = run(bucket)
    assert bucket.accepted == [GOOD]
    assert outcome.replayed == 1
    assert outcome.left.total() == 3
    assert any("stock must be from 0" in reason for reason in outcome.left)
    assert texts(bucket, QUARANTINE) == sorted([BAD, "no JSON", str(b"\xff")])
    assert texts(bucket, REPLAYED) == [GOOD]
    assert [failure.reason for failure in read(REFUSED, bucket.objects[REFUSED])] == ["stock was refused."] * 3


def test_once_and_nothing_more_is_nothing() -> None:
    bucket = Bucket({REFUSED: refused(GOOD, BAD), PROCESSING: unprocessed(f"{OTHER}\n{BAD}\n".encode())})
    assert run(bucket).replayed == 2
    after = dict(bucket.objects)
    assert run(bucket).as_document(dry_run=False) | {"left": {}} == {
        "dry_run": False, "objects": 2, "documents": 2, "replayed": 0, "left": {}, "skipped": {},
    }  # fmt: skip
    assert bucket.accepted == [GOOD, OTHER] or bucket.accepted == [OTHER, GOOD]
    assert bucket.objects == after


def test_an_object_with_nothing_left_is_gone_from_the_table() -> None:
    bucket = Bucket({REFUSED: refused(GOOD)})
    run(bucket)
    assert list(bucket.objects) == [REPLAYED + REFUSED]


def test_a_dry_run_tells_and_changes_nothing() -> None:
    bucket = Bucket({REFUSED: refused(GOOD, BAD), CONVERSION: unconverted(OTHER.encode())})
    before = dict(bucket.objects)
    told = run(bucket, dry_run=True)
    assert (bucket.objects, bucket.accepted) == (before, [])
    assert run(bucket).as_document(dry_run=True) == told.as_document(dry_run=True)


def test_what_the_intake_added_is_taken_off_and_nothing_else() -> None:
    [screened] = screen([GOOD], ARRIVED).good
    assert screened != GOOD
    bucket = Bucket({CONVERSION: unconverted(screened.encode() + b"\n")})
    assert run(bucket).replayed == 1
    assert bucket.accepted == [GOOD]


@given(good_events())
def test_an_event_has_the_bytes_its_store_gave_it(sent: dict[str, Any]) -> None:
    text = json.dumps(sent, ensure_ascii=False)
    assert event(text) == text
    assert event(screen([text], ARRIVED).good[0]) == text


def test_a_record_of_many_documents_keeps_those_that_stay() -> None:
    bucket = Bucket({PROCESSING: unprocessed(f"{GOOD}\n{BAD}\n{OTHER}\n".encode(), b"\xff\n", b"")})
    outcome = run(bucket)
    assert bucket.accepted == [GOOD, OTHER]
    assert outcome.left.total() == 2
    assert texts(bucket, ERRORS) == sorted([BAD, str(b"\xff")])
    assert texts(bucket, REPLAYED) == sorted([GOOD, OTHER])


def test_only_the_reason_asked_for() -> None:
    bucket = Bucket({REFUSED: refused(GOOD), PROCESSING: unprocessed(OTHER.encode())})
    outcome = run(bucket, reason="FUNCTIONerror")
    assert (bucket.accepted, outcome.replayed) == ([OTHER], 1)
    assert texts(bucket, QUARANTINE) == [GOOD]


def test_only_the_prefix_asked_for() -> None:
    bucket = Bucket({REFUSED: refused(GOOD), PROCESSING: unprocessed(OTHER.encode())})
    run(bucket, prefixes=(ERRORS,))
    assert bucket.accepted == [OTHER]


@pytest.mark.parametrize(
    ("key", "body"),
    [
        (REFUSED, b"not gzip"),
        (REFUSED, gzip.compress(b"\xff")),
        (REFUSED, gzip.compress(b"[1]")),
        (REFUSED, gzip.compress(b'{"document": 1, "reason": "x"}')),
        (REFUSED, gzip.compress(b'{"document": "x"}')),
        (PROCESSING, b'{"errorCode": "x", "errorMessage": "x", "rawData": "not base64!"}'),
        (PROCESSING, b'{"rawData": '),
        (CONVERSION, b'{"rawData": 5, "lastErrorCode": 1, "lastErrorMessage": 2}'),
        (f"{ERRORS}elsewhere-failed/a", b"{}"),
    ],
)
def test_an_object_of_another_kind_is_named_and_left_and_harms_no_neighbour(key: str, body: bytes) -> None:
    bucket = Bucket({key: body, f"{QUARANTINE}dt=2026-11-21/b.json.gz": refused(GOOD)})
    outcome = run(bucket)
    assert list(outcome.skipped) == [key]
    assert bucket.objects[key] == body
    assert bucket.accepted == [GOOD]


def test_a_batch_that_the_intake_repeats_does_not_bring_its_documents_back() -> None:
    bucket = Bucket({REFUSED: refused(GOOD, BAD)})
    run(bucket)
    bucket.objects[REFUSED] = refused(GOOD, BAD)
    assert run(bucket).replayed == 0
    assert bucket.accepted == [GOOD]
    assert texts(bucket, QUARANTINE) == [BAD]


def test_what_goes_later_is_kept_beside_what_went_before() -> None:
    bucket = Bucket({REFUSED: refused(GOOD, reason="first") + refused(OTHER, reason="second")})
    run(bucket, reason="first")
    run(bucket)
    assert bucket.accepted == [GOOD, OTHER]
    assert texts(bucket, REPLAYED) == sorted([GOOD, OTHER])


@pytest.mark.parametrize("rest", [(), (BAD,)])
def test_what_is_refused_while_an_object_is_replayed_is_not_lost(rest: tuple[str, ...]) -> None:
    bucket = Bucket({REFUSED: refused(GOOD, *rest)})

    def repeat(key: str) -> None:
        if key == REFUSED:
            bucket.objects[REFUSED] = refused(GOOD, *rest, "refused meanwhile")

    bucket.meanwhile = repeat
    run(bucket)
    assert "refused meanwhile" in texts(bucket, QUARANTINE)


def test_equal_bytes_are_one_event() -> None:
    bucket = Bucket({REFUSED: refused(GOOD, GOOD)})
    assert run(bucket).replayed == 1
    assert bucket.accepted == [GOOD]
    assert texts(bucket, REPLAYED) == [GOOD, GOOD]


def test_what_the_intake_would_refuse_again_is_not_sent() -> None:
    long = GOOD.replace("{", "{" + " " * 1_100_000, 1)
    bucket = Bucket({REFUSED: refused(long)})
    assert dict(run(bucket).left) == {"The document does not fit into a Firehose record.": 1}


_documents = st.one_of(good_events(), damaged_events()).map(lambda document: json.dumps(document))
_bodies = st.lists(_documents, max_size=3).map(lambda found: "".join(f"{text}\n" for text in found).encode())


@settings(max_examples=40)
@given(st.data())
def test_killed_at_any_call_nothing_is_lost_and_in_the_end_nothing_is_left_to_do(data: st.DataObject) -> None:
    objects = {
        REFUSED: refused(*data.draw(st.lists(_documents, min_size=1, max_size=3))),
        PROCESSING: unprocessed(*data.draw(st.lists(_bodies, max_size=2))),
        CONVERSION: unconverted(*data.draw(st.lists(_bodies, max_size=2))),
    }
    # Which documents are events is the intake's word, not this program's.
    all_texts = Counter(text for text in texts(Bucket(objects), ""))
    record = base64.b64encode("".join(f"{text}\n" for text in all_texts).encode()).decode()
    arrived = {"recordId": "r", "approximateArrivalTimestamp": 0, "data": record}
    refusals = {row["document"] for row in transform([arrived]).rows}
    events = set(all_texts) - refusals

    bucket = Bucket(dict(objects))
    kills = data.draw(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=4))
    for kill_at, bucket.kill_after in kills:
        bucket.kill_at = bucket.calls + kill_at
        with suppress(Killed):
            run(bucket)
    bucket.kill_at = None
    run(bucket)
    accepted = list(bucket.accepted)
    assert set(accepted) == events
    assert len(accepted) <= 3 * len(events) * (1 + len(kills))
    assert set(texts(bucket, QUARANTINE)) | set(texts(bucket, ERRORS)) == refusals
    assert Counter(texts(bucket, "")) == all_texts, "every document is in one place"
    assert run(bucket).replayed == 0
    assert bucket.accepted == accepted


def test_sorting_does_not_count_what_was_replayed_before() -> None:
    failures = read(REFUSED, refused(GOOD, BAD))
    found = sort(failures, {GOOD})
    assert (found.events, found.going, found.known) == ([], [], 1)
    assert len(found.staying) == 1
