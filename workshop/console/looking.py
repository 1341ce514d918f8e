"""What a learner looks at closely: a shelf, alerts, deliveries, events to trace, and what went wrong.

All text is handed on as it came: it is data, and the page shows it as text.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from lambdas.adapters.deliveries import delivery_of
from lambdas.core.contract import SCHEMA, timestamp
from lambdas.core.deliveries import Delivery, Status
from workshop import alerts as episodes
from workshop import movers, redrive, replay
from workshop.ask import Answer, ask
from workshop.errors import WorkshopError
from workshop.places import ROOT
from workshop.target import Target

World = Mapping[str, Any]
Resources = Mapping[str, str]

MOST_POINTS: Final = 2_000
MOST_EVENTS: Final = 100
MOST_DELIVERIES: Final = 500
MOST_DOCUMENTS: Final = 50
MOST_LETTERS: Final = 20
MOST_TEXT: Final = 4_000
"""Characters of a document or a body that are shown: a refused document can hold a megabyte."""
_MOST_OBJECTS: Final = 50
_ARRIVED_SINCE: Final = timedelta(minutes=1)
_STATEMENTS: Final = ROOT / "glue" / "console"


class Unknown(WorkshopError):
    """Something that is not there: a shelf that nobody has reported of, or a queue that is not deployed."""


def shelf(target: Target, resources: Resources, *, store: str, product: str) -> dict[str, Any]:
    """Return the latest events of a shelf, oldest first, with its episodes and their deliveries.

    Raises:
        Unknown: an id is malformed, or the lake has no event of that shelf.
    """
    for name, given in (("store_id", store), ("product_id", product)):
        if not re.fullmatch(SCHEMA["properties"][name]["pattern"].removesuffix("$"), given):
            raise Unknown(f"{given[:40]!r} is no {name}.", "Choose a shelf in the picture of all stores.")
    answer = _asked(target, resources, "shelf", store, product)
    if not answer.rows:
        raise Unknown(
            f"The lake has no event of {product} in {store} yet.", "Run StoreApp, or wait until Firehose delivers."
        )
    found = sorted(
        episodes.episodes(target, resources, store_id=store, product_id=product), key=lambda each: each.number
    )
    delivered = episodes.deliveries(target, resources, [each.alert_id for each in found])
    threshold = answer.rows[0][1]
    return {
        "store": store,
        "product": product,
        "threshold": threshold,
        "points": [
            [_iso(at), stock, units_sold, units_received]
            for at, _, stock, units_sold, units_received in reversed(answer.rows)
        ],
        "episodes": [episodes.Alert(each, delivered.get(each.alert_id)).as_document() for each in found],
        "deliveries": [_delivery(each) for each in delivered.values()],
        "query": _query(answer),
    }


def alerts(
    target: Target, resources: Resources, *, state: str, limit: int, world: World | None = None
) -> dict[str, Any]:
    """Return at most `limit` episodes of a state, OPEN, CLOSED or ALL: the open ones first, and the newest first."""
    wanted: episodes.State | None = {"OPEN": episodes.OPEN, "CLOSED": episodes.CLOSED}.get(state)
    found = episodes.newest(target, resources, state=wanted)
    stores, products = _names(world, "stores"), _names(world, "products")
    shown = []
    for each in episodes.with_deliveries(target, resources, found[:limit]):
        age = each.age()
        shown.append(
            {
                **each.as_document(),
                "age_seconds": None if age is None else round(age.total_seconds()),
                "store_name": stores.get(each.episode.store_id),
                "product_name": products.get(each.episode.product_id),
            }
        )
    return {"alerts": shown, "total": len(found)}


def deliveries(
    target: Target, resources: Resources, *, pace: float = 1.0, now: datetime | None = None
) -> dict[str, Any]:
    """Return the deliveries on the road and those that arrived in the last minute, the latest first.

    `travel_seconds` are what a trip takes on AWS, `expected_seconds` what it takes at the pace of the latest trips.
    """
    if (table := resources.get("deliveries_table")) is None:
        return {"deliveries": []}
    since = timestamp((now or datetime.now(UTC)) - _ARRIVED_SINCE)
    pages = (
        target.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=table,
            FilterExpression="#status = :road OR delivered_at >= :since",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":road": {"S": Status.IN_TRANSIT}, ":since": {"S": since}},
        )
    )
    found = [delivery_of(item) for page in pages for item in page["Items"]]
    found.sort(key=lambda each: (each.dispatched_at or "", each.delivery_id), reverse=True)
    shown = ({**_delivery(each), "expected_seconds": round(each.travel_seconds * pace, 3)} for each in found)
    return {"deliveries": list(islice(shown, MOST_DELIVERIES))}


def recent(target: Target, resources: Resources, *, kind: str, now: datetime | None = None) -> dict[str, Any]:
    """Return events to trace: the `latest`, the latest that made a shelf `low`, or the latest that `received` units.

    The two latest days of arrival are searched, and all days only when those have none.
    """
    yesterday = ((now or datetime.now(UTC)) - timedelta(days=1)).date().isoformat()
    for since in (yesterday, _FIRST_DAY):
        answer = _asked(target, resources, kind, since)
        if answer.rows:
            break
    return {
        "events": [{name: _iso(value) for name, value in zip(answer.columns, row, strict=True)} for row in answer.rows],
        "query": _query(answer),
    }


_FIRST_DAY: Final = "2026-01-01"
"""From which on the lake's tables project partitions (stacks/lake.py)."""


def quarantine(target: Target, resources: Resources) -> dict[str, Any]:
    """Return the newest documents that the intake refused."""
    return _failed(target, resources, replay.QUARANTINE)


def errors(target: Target, resources: Resources) -> dict[str, Any]:
    """Return the newest documents of batches that Firehose could not process or convert."""
    return _failed(target, resources, replay.ERRORS)


def _failed(target: Target, resources: Resources, prefix: str) -> dict[str, Any]:
    s3, bucket = target.client("s3"), resources["lake_bucket"]
    stored = sorted(
        replay.listed(s3, bucket, prefix), key=lambda entry: (entry["LastModified"], entry["Key"]), reverse=True
    )
    documents: list[dict[str, Any]] = []
    for entry in stored[:_MOST_OBJECTS]:
        if len(documents) >= MOST_DOCUMENTS:
            break
        with suppress(s3.exceptions.NoSuchKey):  # replayed meanwhile
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            documents += _documents(entry["Key"], body)
    return {"documents": documents[:MOST_DOCUMENTS], "objects": len(stored)}


def _documents(key: str, body: bytes) -> Iterable[dict[str, Any]]:
    try:
        failures = replay.read(key, body)
    except replay.Unreadable as error:
        yield _refusal(key, str(error), None)
        return
    for failure in reversed(failures):
        row = failure.row
        arrived = row.get("received_at") or _arrival(row.get("arrivalTimestamp"))
        for document in reversed(failure.documents):
            text = document if isinstance(document, str) else document.decode(errors="backslashreplace")
            yield _refusal(key, failure.reason, text, row.get("field"), row.get("record_id"), arrived)


def _refusal(
    key: str, reason: str, document: str | None, field: Any = None, record_id: Any = None, received_at: Any = None
) -> dict[str, Any]:
    return {
        "reason": _short(reason),
        "field": field,
        "record_id": record_id,
        "received_at": received_at,
        "document": None if document is None else _short(document),
        "object": key,
    }


def _arrival(milliseconds: Any) -> str | None:
    """Return when Firehose accepted a record that it failed on: it writes milliseconds of the epoch."""
    try:
        return timestamp(datetime.fromtimestamp(milliseconds / 1_000, UTC))
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def dead_letters(target: Target, resources: Resources, *, queue: str) -> dict[str, Any]:
    """Return some letters of a queue and why they are dead. Others see them again as soon as this has looked.

    Raises:
        Unknown: there are no dead letters of that name.
    """
    lanes = redrive.lanes(target, resources)
    if queue not in lanes:
        raise Unknown(f"There are no dead letters named {queue[:40]!r}.", f"Choose one of: {', '.join(lanes)}.")
    lane = lanes[queue]
    letters = movers.glance(target.client("sqs"), lane.url, MOST_LETTERS)[:MOST_LETTERS]
    return {
        "letters": [
            {
                "message_id": letter.message_id,
                "reason": _short(lane.judge(letter).reason),
                "body": _short(letter.body),
            }
            for letter in letters
        ]
    }


def _asked(target: Target, resources: Resources, name: str, *texts: str) -> Answer:
    return ask(target, resources, (_STATEMENTS / f"{name}.sql").read_text(encoding="utf-8"), texts=texts)


def _query(answer: Answer) -> dict[str, Any]:
    return {
        "data_scanned_bytes": answer.data_scanned_bytes,
        "milliseconds": answer.milliseconds,
        "price_usd": answer.price_usd,
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    shown = (
        "delivery_id", "store_id", "product_id", "depot", "truck", "units", "status", "distance_km", "dispatched_at",
        "travel_seconds", "delivered_at", "reason",
    )  # fmt: skip
    return {name: getattr(delivery, name) for name in shown}


def _names(world: World | None, part: str) -> dict[str, str]:
    return {each["id"]: each["name"] for each in world[part]} if world else {}


def _iso(value: Any) -> Any:
    """Return a value of the lake as JSON can hold it; its timestamps are UTC without saying so."""
    return timestamp(value.replace(tzinfo=UTC)) if isinstance(value, datetime) else value


def _short(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}… ({len(text):,} characters)"
