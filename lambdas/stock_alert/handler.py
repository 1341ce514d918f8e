"""The stock alert: shelves that ran low call a truck, once per episode."""

import os
from datetime import UTC, datetime
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from lambdas.adapters.alerts import AlertsTable
from lambdas.adapters.bus import TruckBus, events
from lambdas.adapters.shelves import dynamodb
from lambdas.core.episodes import Step
from lambdas.core.settings import setting
from lambdas.stock_alert.noticing import notice

logger = Logger(service="stock-alert")
metrics = Metrics(namespace="InventoryWorkshop", service="stock-alert")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Take one batch of messages and answer with those that SQS has to bring again (`ReportBatchItemFailures`)."""
    table, bus = (
        setting(os.environ, name, passed_by="AlertsStack") for name in ("ALERTS_TABLE_NAME", "TRUCK_BUS_NAME")
    )
    noticed = notice(
        event["Records"],
        alerts=AlertsTable(dynamodb(), table),
        bus=TruckBus(events(), bus),
        now=lambda: datetime.now(UTC),
    )
    for message_id, reason in noticed.failed.items():
        logger.error("A message failed", extra={"message_id": message_id, "reason": reason})
    counts = {
        "EpisodesOpened": noticed.steps[Step.OPEN],
        "EpisodesClosed": noticed.steps[Step.CLOSE],
        "EpisodesOverUnnoticed": noticed.steps[Step.RECORD],
        "AlertsAnnounced": noticed.announced,
        "TrucksArrived": noticed.arrivals,
        "MessagesFailed": len(noticed.failed),
    }
    for name in ("EpisodesOpened", "EpisodesClosed"):
        metrics.add_metric(name, MetricUnit.Count, counts[name])
    metrics.flush_metrics()
    opened = [
        {"correlation_id": episode.opened_event, "alert_id": episode.alert_id, "happened_at": episode.opened_at}
        for episode in noticed.opened
    ]
    extra = {"messages": len(event["Records"]), "tokens": noticed.tokens, "opened": opened, **counts}
    logger.info("Took sightings", extra=extra)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in noticed.failed]}
