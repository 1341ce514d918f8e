"""The low-stock episodes as a learner reads them: each with the time in its store, and the delivery it called."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from lambdas.adapters.alerts import episode_of, shelf_of
from lambdas.adapters.deliveries import delivery_of
from lambdas.core.contract import SCHEMA
from lambdas.core.deliveries import Delivery
from lambdas.core.episodes import Episode
from lambdas.core.trading_calendar import WORKSHOP_CALENDAR
from workshop.errors import WorkshopError
from workshop.target import Target

State = Literal["OPEN", "CLOSED"]
OPEN: State = "OPEN"
CLOSED: State = "CLOSED"

# BatchGetItem takes at most so many keys (DynamoDB API reference).
_MAX_KEYS = 100
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)

_STORE_ID = re.compile(SCHEMA["properties"]["store_id"]["pattern"].removesuffix("$"))


@dataclass(frozen=True, slots=True)
class Alert:
    """An episode, its delivery if there is one, and what time it is in its store by the store's own clock."""

    episode: Episode
    delivery: Delivery | None = None
    store_time: str | None = None

    def age(self) -> timedelta | None:
        """Return how long the shelf has been low, or was, in simulated time; None when its beginning was not seen."""
        end = self.episode.closed_at or self.store_time
        if self.episode.opened_at is None or end is None:
            return None
        return datetime.fromisoformat(end) - datetime.fromisoformat(self.episode.opened_at)

    def as_document(self) -> dict[str, Any]:
        """Return the alert as `alerts --json` shows it."""
        episode = self.episode
        return {
            "alert_id": episode.alert_id,
            "store_id": episode.store_id,
            "product_id": episode.product_id,
            "state": episode.state,
            "stock": episode.stock,
            "threshold": episode.threshold,
            "opened_at": episode.opened_at,
            "noticed_at": episode.noticed_at,
            "closed_at": episode.closed_at,
            "delivery": self.delivery and _document(self.delivery),
        }


def read(
    target: Target,
    resources: Mapping[str, str],
    *,
    state: State | None = None,
    store_id: str | None = None,
    limit: int = 0,
) -> list[Alert]:
    """Return at most `limit` alerts, 0 meaning all, in the order of `newest`.

    Raises:
        WorkshopError: the store's id is malformed, or no alerts are deployed.
    """
    found = newest(target, resources, state=state, store_id=store_id)
    return with_deliveries(target, resources, found[:limit] if limit else found)


def newest(
    target: Target, resources: Mapping[str, str], *, state: State | None = None, store_id: str | None = None
) -> list[Episode]:
    """Return the episodes: the open ones first, and of either the newest first.

    The whole table is read: it has no index that would be paid for with every alert.

    Raises:
        WorkshopError: the store's id is malformed, or no alerts are deployed.
    """
    if "alerts_table" not in resources:
        raise WorkshopError("No alerts are deployed here.", "Run `python3 -m workshop up` to deploy them.")
    if store_id is not None and not _STORE_ID.fullmatch(store_id):
        raise WorkshopError(f"{store_id[:40]!r} is no store's id.", "Give one such as S00001.")
    found = [each for each in episodes(target, resources, store_id=store_id) if state in (None, each.state)]
    found.sort(key=lambda each: (each.noticed_at, each.alert_id), reverse=True)
    found.sort(key=lambda each: each.state != "OPEN")
    return found


def with_deliveries(target: Target, resources: Mapping[str, str], shown: Sequence[Episode]) -> list[Alert]:
    """Return episodes as alerts: with their deliveries, and the open ones with the time in their store."""
    times = _store_times(target, resources, {each.store_id for each in shown if each.state == "OPEN"})
    delivered = deliveries(target, resources, [each.alert_id for each in shown])
    return [Alert(each, delivered.get(each.alert_id), times.get(each.store_id)) for each in shown]


def episodes(
    target: Target, resources: Mapping[str, str], *, store_id: str | None = None, product_id: str | None = None
) -> list[Episode]:
    """Return the episodes of all stores, of one store, or of one of its shelves."""
    table = resources.get("alerts_table")
    if table is None:
        return []
    asked: dict[str, Any] = {"TableName": table}
    how = "scan"
    if store_id is not None and product_id is not None:
        how = "query"
        asked["KeyConditionExpression"] = "shelf = :shelf"
        asked["ExpressionAttributeValues"] = {":shelf": {"S": shelf_of(store_id, product_id)}}
    elif store_id is not None:
        asked["FilterExpression"] = "store_id = :store"
        asked["ExpressionAttributeValues"] = {":store": {"S": store_id}}
    pages = target.client("dynamodb").get_paginator(how).paginate(**asked)
    return [episode_of(item) for page in pages for item in page["Items"]]


def deliveries(target: Target, resources: Mapping[str, str], alert_ids: Sequence[str]) -> dict[str, Delivery]:
    """Return the deliveries of some alerts by alert id: none where no truck system of ours is deployed."""
    if "deliveries_table" not in resources:
        return {}
    found = map(delivery_of, batch_get(target, resources["deliveries_table"], "delivery_id", alert_ids))
    return {delivery.delivery_id: delivery for delivery in found}


def _document(delivery: Delivery) -> dict[str, Any]:
    shown = (
        "delivery_id",
        "status",
        "truck",
        "depot",
        "units",
        "distance_km",
        "dispatched_at",
        "delivered_at",
        "reason",
    )
    return {name: getattr(delivery, name) for name in shown}


def _store_times(target: Target, resources: Mapping[str, str], store_ids: Iterable[str]) -> dict[str, str]:
    """Return the end of each store's last tick: what time it is there."""
    return {
        item["store_id"]["S"]: WORKSHOP_CALENDAR.end_of(int(item["next_tick"]["N"]) - 1)
        for item in batch_get(target, resources["shelves_table"], "store_id", sorted(store_ids), "next_tick")
    }


def batch_get(target: Target, table: str, key: str, values: Sequence[str], *attributes: str) -> Iterator[Any]:
    """Yield the items of some keys, with all attributes or with some, in no order.

    What DynamoDB leaves unprocessed is asked for again, after a pause (BatchGetItem, DynamoDB API reference).
    """
    projection = {"ProjectionExpression": ", ".join((key, *attributes))} if attributes else {}
    for first in range(0, len(values), _MAX_KEYS):
        asked = {table: {"Keys": [{key: {"S": value}} for value in values[first : first + _MAX_KEYS]], **projection}}
        for pause in _PAUSES:
            answer = target.client("dynamodb").batch_get_item(RequestItems=asked)
            yield from answer["Responses"].get(table, ())
            asked = answer.get("UnprocessedKeys", {})
            if not asked:
                break
            time.sleep(pause)
        else:
            raise WorkshopError("DynamoDB is too busy to answer.", "Try again in a minute.")
