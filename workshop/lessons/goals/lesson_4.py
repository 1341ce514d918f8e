"""Lesson 4: Athena was asked for one partition, and a question of the learner's own is in the catalog."""

import re
from collections.abc import Iterator
from typing import Any

from workshop.lessons.goals import Deployment, Finding, Goal

_VIEW = "my_best_hours"
_ONE_DAY = re.compile(r"\bdt\s*=\s*'\d{4}-\d{2}-\d{2}'", re.IGNORECASE)
# BatchGetQueryExecution takes at most so many ids (Athena API reference); the newest come first.
_MAX_IDS = 50
_LATEST = 1_000


def _view(deployed: Deployment) -> Finding:
    glue = deployed.target.client("glue")
    try:
        table = glue.get_table(DatabaseName=deployed.resources["database"], Name=_VIEW)["Table"]
    except glue.exceptions.EntityNotFoundException:
        return Finding(reached=False, found=f"the catalog has no {_VIEW}")
    columns = ", ".join(column["Name"] for column in table["StorageDescriptor"]["Columns"])
    return Finding(reached=True, found=f"it has the columns {columns}")


def _partition(deployed: Deployment) -> Finding:
    for execution in _executions(deployed):
        if execution["Status"]["State"] == "SUCCEEDED" and _ONE_DAY.search(execution["Query"]):
            scanned = execution["Statistics"].get("DataScannedInBytes", 0)
            return Finding(reached=True, found=f"a question with dt = … scanned {scanned:,} bytes")
    return Finding(reached=False, found=f"none of the latest {_LATEST:,} questions names a day of arrival")


def _executions(deployed: Deployment) -> Iterator[dict[str, Any]]:
    athena = deployed.target.client("athena")
    pages = athena.get_paginator("list_query_executions").paginate(
        WorkGroup=deployed.resources["workgroup"], PaginationConfig={"MaxItems": _LATEST, "PageSize": _MAX_IDS}
    )
    for page in pages:
        if ids := page["QueryExecutionIds"]:
            yield from athena.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"]


GOALS = (
    Goal(
        f"A view of yours, {_VIEW}, is in the catalog.",
        f'Make it with CREATE VIEW {_VIEW} AS …, as under "Look".',
        _view,
    ),
    Goal(
        "You asked for one partition, and Athena opened no other.",
        "Ask something of stock_events WHERE dt = '2026-01-01', or any other day.",
        _partition,
    ),
)
