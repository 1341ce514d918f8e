"""How long until a low shelf is an alert on the bus, and what alerts cost? Run: python -m benchmarks.alerts.

A trading day of twenty stores in hourly portions, so that the trucks' own traffic is there too. It uses a home of its
own, which it removes. Begin: when Firehose accepted the event. End: when a queue behind the bus got the alert.
"""

import json
import time
from datetime import datetime

from benchmarks._workshop import workshop
from workshop.local_aws.clients import client

STORES, PRODUCTS, HOURS = 20, 100, 24


def quantile(values: list[float], share: float) -> float:
    """Return the value that a share of the sorted values does not exceed."""
    return values[min(len(values) - 1, round(share * len(values)))]


def listen(endpoint: str, bus: str) -> str:
    """Put a queue behind the bus that gets every StockBelowThreshold, and return its address."""
    queue: str = client("sqs", endpoint).create_queue(QueueName="benchmark")["QueueUrl"]
    events = client("events", endpoint)
    pattern = {"detail-type": ["StockBelowThreshold"]}
    events.put_rule(Name="benchmark", EventBusName=bus, EventPattern=json.dumps(pattern))
    arn = client("sqs", endpoint).get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    events.put_targets(
        Rule="benchmark", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn["Attributes"]["QueueArn"]}]
    )
    return queue


def heard(endpoint: str, queue: str) -> dict[str, float]:
    """Return when each alert came, in seconds since the epoch, by the event that called for it."""
    came: dict[str, float] = {}
    sqs = client("sqs", endpoint)
    while messages := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, MessageSystemAttributeNames=["SentTimestamp"], WaitTimeSeconds=1
    ).get("Messages"):
        for message in messages:
            event_id = json.loads(message["Body"])["detail"]["event_id"]
            came.setdefault(event_id, int(message["Attributes"]["SentTimestamp"]) / 1_000)
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return came


def writes_per_transition(endpoint: str, table: str) -> float:
    """Return how often the alert path wrote, a version each time, for each episode opened, delivered or closed."""
    pages = client("dynamodb", endpoint).get_paginator("scan").paginate(TableName=table)
    items = [item for page in pages for item in page["Items"]]
    transitions = sum(1 + ("delivered_at" in item) + ("closed_at" in item and "opened_at" in item) for item in items)
    return sum(int(item["version"]["N"]) for item in items) / transitions


def main() -> None:
    """Print the quantiles of the latency and the writes per transition."""
    with workshop() as run:
        status = run("up")
        endpoint, resources = status["endpoint"], status["resources"]
        queue = listen(endpoint, resources["truck_bus"])
        for _ in range(HOURS):
            run("generate", "--hours", "1", "--stores", str(STORES), "--products", str(PRODUCTS))
        while (events := run("status")["events"])["unique"] < events["sent"]:
            time.sleep(1)
        came = heard(endpoint, queue)
        accepted = run("query", "--limit", "0", "--sql", "SELECT event_id, received_at FROM unique_events")
        begun = {event: datetime.fromisoformat(f"{at}+00:00").timestamp() for event, at in accepted["rows"]}
        waits = sorted(at - begun[event] for event, at in came.items())
        print(f"{len(waits):,} alerts in {HOURS} hours of {STORES} stores x {PRODUCTS} products")
        for share in (0.5, 0.9, 0.99):
            print(f"p{share * 100:<4.0f} {quantile(waits, share):8.2f} s")
        print(f"writes per transition {writes_per_transition(endpoint, resources['alerts_table']):.3f}")


if __name__ == "__main__":
    main()
