"""Firehose's data transformation: what is no stock event never reaches the lake."""

import os
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from lambdas.adapters.quarantine import Quarantine, s3
from lambdas.core.settings import setting
from lambdas.intake.transformation import transform

logger = Logger(service="intake")
metrics = Metrics(namespace="InventoryWorkshop", service="intake")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Screen one batch. When the quarantine cannot be written the invocation fails, and Firehose repeats the batch."""
    bucket = setting(os.environ, "LAKE_BUCKET_NAME", passed_by="IngestStack")
    batch = transform(event["records"])
    if batch.rows:  # the client is not made for nothing: a start without it is shorter
        Quarantine(s3(), bucket).keep([record["recordId"] for record in event["records"]], batch.rows)
    counts = {"EventsAccepted": batch.good, "EventsQuarantined": len(batch.rows), "RecordsTooLarge": batch.too_large}
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    metrics.flush_metrics()
    logger.info("Screened a batch", extra={"records": len(event["records"]), **counts})
    return {"records": batch.results}
