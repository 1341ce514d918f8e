"""What passed each hop and what waits there: counted in the stores' books, the lake, the queues and the tables."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lambdas.adapters.shelves import ledger_of
from lambdas.core.ledger import Ledger, Receipt
from lambdas.core.trading_calendar import FIRST_TICK
from workshop.ask import ask
from workshop.errors import WorkshopError
from workshop.replay import ERRORS, listed
from workshop.target import Target

Counts = dict[str, int]

NOTHING: Counts = {"sent": 0, "delivered": 0, "quarantined": 0, "unique": 0}

_RECENT = timedelta(minutes=15)

_COUNTS = """
SELECT (SELECT count(*) FROM stock_events), (SELECT count(DISTINCT event_id) FROM stock_events),
       (SELECT count(*) FROM quarantine)
"""


def books(target: Target, resources: Mapping[str, str]) -> list[int]:
    """Return the events that each store has sent by StoreApp's books: committed after Firehose had accepted them."""
    items = scan(target, resources["shelves_table"], "events_sent")
    return [int(item["events_sent"]["N"]) for item in items]


def receipts(target: Target, resources: Mapping[str, str]) -> list[Receipt]:
    """Return what trucks have unloaded and no store has put on its shelves yet."""
    return [receipt for ledger in _ledgers(target, resources) for receipt in unbooked(ledger)]


def longest_trade(target: Target, resources: Mapping[str, str]) -> int:
    """Return for how many ticks the store that has traded longest has traded."""
    return max((ledger.next_tick - FIRST_TICK for ledger in _ledgers(target, resources)), default=0)


def _ledgers(target: Target, resources: Mapping[str, str]) -> Iterator[Ledger]:
    return map(ledger_of, scan(target, resources["shelves_table"]))


def unbooked(ledger: Ledger) -> tuple[Receipt, ...]:
    """Return what was unloaded at a store and is not on its shelves yet."""
    return ledger.receipts + (ledger.plan.receipts if ledger.plan else ())


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


def alarms(target: Target, resources: Mapping[str, str]) -> dict[str, str]:
    """Return the state of every alarm that tells the deployment's topic, by the title in its description.

    The embedded AWS evaluates an alarm only when somebody puts a metric: there they stay at INSUFFICIENT_DATA.
    """
    if (topic := resources.get("alarm_topic")) is None:
        return {}
    pages = target.client("cloudwatch").get_paginator("describe_alarms").paginate(ActionPrefix=topic)
    found = [alarm for page in pages for alarm in page["MetricAlarms"]]
    return {alarm["AlarmDescription"].partition(":")[0]: alarm["StateValue"] for alarm in found}


def oldest(target: Target, resources: Mapping[str, str], now: datetime) -> dict[str, int | None]:
    """Return how many seconds each queue's oldest message has waited in the last quarter of an hour, or None.

    SQS itself does not tell, CloudWatch does; the embedded AWS keeps no metrics of queues.
    """
    ages: dict[str, int | None] = {}
    for resource, url in sorted(resources.items()):
        if (name := resource.removesuffix("_queue")) != resource:
            points = target.client("cloudwatch").get_metric_statistics(
                Namespace="AWS/SQS",
                MetricName="ApproximateAgeOfOldestMessage",
                Dimensions=[{"Name": "QueueName", "Value": url.rpartition("/")[2]}],
                StartTime=now - _RECENT,
                EndTime=now,
                Period=int(_RECENT.total_seconds()),
                Statistics=["Maximum"],
            )["Datapoints"]
            ages[name] = max((int(point["Maximum"]) for point in points), default=None)
    return ages


def _error_objects(target: Target, resources: Mapping[str, str]) -> int:
    """Return how many objects Firehose has written because a batch failed; `replay` takes them away."""
    return sum(1 for _ in listed(target.client("s3"), resources["lake_bucket"], ERRORS))


def loop(target: Target, resources: Mapping[str, str]) -> dict[str, Any]:
    """Return the `queues`, `alerts` and `deliveries` parts of the status document.

    They are counted anew: queues by their approximate depths, and both tables as a whole. What is not deployed holds
    nothing.
    """
    alerts = _tally(target, resources.get("alerts_table"), "state")
    return {
        "queues": queues(target, resources),
        "alerts": {"open": alerts["OPEN"], "closed": alerts["CLOSED"]},
        "deliveries": dict(_tally(target, resources.get("deliveries_table"), "status")),
    }


def queues(target: Target, resources: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Return the depths of every queue that has dead letters. A bus has dead letters alone: it holds nothing back."""
    depths = {}
    for letters, url in sorted(resources.items()):
        name = letters.removesuffix("_dead_letters")
        if name != letters:
            waiting, in_flight = _depth(target, queue) if (queue := resources.get(f"{name}_queue")) else (0, 0)
            # A dead letter that somebody is looking at is in flight, and as dead as the others.
            depths[name] = {"waiting": waiting, "in_flight": in_flight, "dead": sum(_depth(target, url))}
    return depths


def _depth(target: Target, url: str) -> tuple[int, int]:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(attributes[names[0]]), int(attributes[names[1]])


def _tally(target: Target, table: str | None, attribute: str) -> Counter[str]:
    return Counter(item[attribute]["S"] for item in scan(target, table, attribute)) if table else Counter()


def scan(target: Target, table: str, *attributes: str) -> Iterator[dict[str, Any]]:
    """Yield every item of a table, with all attributes or with some."""
    names = {f"#{number}": attribute for number, attribute in enumerate(attributes)}
    asked = {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names} if names else {}
    pages = target.client("dynamodb").get_paginator("scan").paginate(TableName=table, **asked)
    return (item for page in pages for item in page["Items"])


def operations(target: Target, resources: Mapping[str, str]) -> dict[str, Any]:
    """Return the `alarms`, `oldest_seconds` and `error_objects` parts: what the dashboard shows besides."""
    return {
        "alarms": alarms(target, resources),
        "oldest_seconds": oldest(target, resources, datetime.now(UTC)),
        "error_objects": _error_objects(target, resources) if "lake_bucket" in resources else 0,
    }


def status(target: Target | None, resources: Mapping[str, str], counts: Counts) -> dict[str, Any]:
    """Return the `status --json` document; no target means that nothing runs."""
    nothing = {
        "queues": {},
        "alerts": {"open": 0, "closed": 0},
        "deliveries": {},
        "alarms": {},
        "oldest_seconds": {},
        "error_objects": 0,
    }
    return {
        "target": target.name if target else "local",
        "running": target is not None,
        "endpoint": target.endpoint if target else None,
        "region": target.region if target else None,
        "resources": dict(resources),
        "events": counts,
        **({**loop(target, resources), **operations(target, resources)} if target else nothing),
    }
