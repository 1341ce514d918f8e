"""How many events passed each hop of the pipeline: counted in the stores' books and in the lake."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from workshop.ask import ask
from workshop.errors import WorkshopError
from workshop.target import Target

Counts = dict[str, int]

NOTHING: Counts = {"sent": 0, "delivered": 0, "quarantined": 0, "unique": 0}

_COUNTS = """
SELECT (SELECT count(*) FROM stock_events), (SELECT count(DISTINCT event_id) FROM stock_events),
       (SELECT count(*) FROM quarantine)
"""


def books(target: Target, resources: Mapping[str, str]) -> list[int]:
    """Return the events that each store has sent by StoreApp's books: committed after Firehose had accepted them."""
    pages = (
        target.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=resources["shelves_table"], ProjectionExpression="events_sent")
    )
    return [int(item["events_sent"]["N"]) for page in pages for item in page["Items"]]


def count(target: Target, resources: Mapping[str, str]) -> Counts:
    """Return the `events` part of the status document."""
    sent = sum(books(target, resources))
    [[delivered, unique, quarantined]] = ask(target, resources, _COUNTS).rows
    return {"sent": sent, "delivered": delivered, "quarantined": quarantined, "unique": unique}


def wait_until_queryable(
    target: Target, resources: Mapping[str, str], *, within: float, progress: Callable[[float], None]
) -> Counts:
    """Wait until every event sent can be asked for, and return the counts.

    Raises:
        WorkshopError: some have not arrived after `within` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        counts = count(target, resources)
        if counts["unique"] >= counts["sent"]:
            return counts
        progress(counts["unique"] / counts["sent"])
        if time.monotonic() > deadline:
            missing = counts["sent"] - counts["unique"]
            raise WorkshopError(
                f"{missing:,} of {counts['sent']:,} events are not in the lake after {within:.0f} s.",
                "They may still be on their way: look with `python3 -m workshop status`. "
                "Batches that Firehose could not process are under errors/ in the lake's bucket.",
            )
        time.sleep(0.2 if target.endpoint else 5)


def status(target: Target | None, resources: Mapping[str, str], counts: Counts) -> dict[str, Any]:
    """Return the `status --json` document; no target means that nothing runs."""
    return {
        "target": target.name if target else "local",
        "running": target is not None,
        "endpoint": target.endpoint if target else None,
        "region": target.region if target else None,
        "resources": dict(resources),
        "events": counts,
        "queues": {},
        "alerts": {"open": 0, "closed": 0},
        "deliveries": {},
    }
