"""Firehose's data transformation: what is no stock event never reaches the lake, and who runs low is told on."""

import os
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambdas.adapters.quarantine import Quarantine, s3
from lambdas.adapters.sightings_queue import SightingsQueue, sqs
from lambdas.core import messages
from lambdas.core.settings import setting
from lambdas.intake.transformation import transform

logger = Logger(service="intake")
metrics = Metrics(namespace="InventoryWorkshop", service="intake")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Screen one batch. When a refusal or a sighting cannot be kept the invocation fails, and Firehose repeats it."""
    names = ("LAKE_BUCKET_NAME", "SIGHTINGS_QUEUE_URL")
    bucket, queue = (setting(os.environ, name, passed_by="IngestStack") for name in names)
    batch = transform(event["records"])
    # Clients are not made for nothing: a start without them is shorter.
    if batch.rows:
        Quarantine(s3(), bucket).keep([record["recordId"] for record in event["records"]], batch.rows)
    if batch.sightings:
        SightingsQueue(sqs(), queue).send(messages.write(batch.sightings, context.aws_request_id))
    counts = {
        "EventsAccepted": batch.good,
        "EventsQuarantined": len(batch.rows),
        "RecordsTooLarge": batch.too_large,
        "Sightings": len(batch.sightings),
    }
    for name in ("EventsAccepted", "EventsQuarantined", "Sightings"):
        metrics.add_metric(name, MetricUnit.Count, counts[name])
    metrics.add_metric("QuarantinedPercent", MetricUnit.Percent, batch.quarantined_percent)
    metrics.flush_metrics()
    batch_id = context.aws_request_id
    logger.info("Screened a batch", extra={"batch_id": batch_id, "records": len(event["records"]), **counts})
    return {"records": batch.results}
