"""One event's way through every hop: from the store over the lake and the alert to the truck and back to the shelf."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from botocore.exceptions import ClientError

from lambdas.adapters.alerts import shelf_of
from lambdas.adapters.shelves import ShelvesTable
from lambdas.core.contract import SCHEMA, timestamp
from lambdas.core.deliveries import Delivery
from lambdas.core.episodes import Episode
from lambdas.core.sightings import Sighting, sighting, tick_of
from workshop import alerts, replay
from workshop.ask import ask
from workshop.errors import WorkshopError
from workshop.places import ROOT
from workshop.target import Target

_EVENT_ID = re.compile(SCHEMA["properties"]["event_id"]["pattern"].removesuffix("$"))
_STATEMENTS = ROOT / "glue" / "trace"


class UnknownEvent(WorkshopError):
    """An event that nothing has seen: malformed, not yet produced, or still on its way."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event in the lake, as one delivery brought it."""

    object: str
    dt: str
    received_at: datetime
    event_time: datetime
    sighting: Sighting | None


@dataclass(frozen=True, slots=True)
class Detour:
    """Where an event lies that did not get into the lake, and why: `hop` is `quarantined` or `failed`."""

    hop: str
    object: str
    received_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """An event by which units came onto the event's shelf."""

    event_id: str
    received_at: datetime
    object: str
    units: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that the two targets' public interfaces tell of one event. `episodes` are its shelf's, oldest first."""

    event_id: str
    rows: Sequence[Row] = ()
    detour: Detour | None = None
    written_at: datetime | None = None
    """When the first object that holds it was written, in whole seconds: S3 tells no more."""
    episodes: Sequence[Episode] = ()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    """The deliveries of those episodes by alert id."""
    receipts: Sequence[Receipt] = ()
    """Later receipts of the shelf, in the order of the store's time."""

    def opened(self) -> Episode | None:
        """Return the episode that the event has opened."""
        return next((each for each in self.episodes if each.opened_event == self.event_id), None)

    def closed(self) -> Episode | None:
        """Return the episode that the event has closed."""
        return next((each for each in self.episodes if each.closed_event == self.event_id), None)

    def is_empty(self) -> bool:
        """Say whether nothing has seen the event."""
        return not (self.rows or self.detour or self.opened() or self.closed())


@dataclass(frozen=True, slots=True)
class Hop:
    """A place that an event, or what followed from it, has passed.

    `at` is wall-clock time, and None where nobody keeps it: the stores live in simulated time.
    """

    name: str
    where: str
    at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """The hops in the order of their times, and the names of those that are due and were not seen."""

    event_id: str
    hops: tuple[Hop, ...]
    missing: tuple[str, ...]

    def waits(self) -> list[float | None]:
        """Return for each hop the seconds since the one before whose time is known."""
        waits: list[float | None] = []
        before: datetime | None = None
        for hop in self.hops:
            waits.append((hop.at - before).total_seconds() if hop.at and before else None)
            before = hop.at or before
        return waits

    def as_document(self) -> dict[str, Any]:
        """Return the `trace --json` document."""
        return {
            "event_id": self.event_id,
            "hops": [
                {
                    "hop": hop.name,
                    "at": hop.at and timestamp(hop.at),
                    "seconds_since_previous": wait,
                    "where": hop.where,
                }
                for hop, wait in zip(self.hops, self.waits(), strict=True)
            ],
            "missing": list(self.missing),
        }


def trace(target: Target, resources: Mapping[str, str], event_id: str) -> Trace:
    """Follow one event through every hop, asking Athena, S3 and DynamoDB.

    Raises:
        UnknownEvent: the id is malformed, or nothing has seen the event; the message says what is known.
    """
    if not _EVENT_ID.fullmatch(event_id):
        raise UnknownEvent(
            f"{event_id[:60]!r} is no event id.",
            "An id is STORE-PRODUCT-TICK, such as S00001-P0001-96; "
            '`python3 -m workshop query --sql "SELECT event_id FROM stock_events LIMIT 5"` shows some.',
        )
    evidence = _gather(target, resources, event_id)
    if evidence.is_empty():
        raise _unknown(target, resources, event_id)
    return follow(evidence, resources)


def follow(evidence: Evidence, resources: Mapping[str, str]) -> Trace:
    """Return the trace that the evidence makes."""
    hops = [*_into_the_lake(evidence, resources), *_from_the_alert(evidence, resources)]
    return Trace(
        evidence.event_id,
        hops=_by_time([hop for hop in hops if isinstance(hop, Hop)]),
        missing=tuple(hop for hop in hops if isinstance(hop, str)),
    )


# A step yields a hop that was seen, or the name of one that is due and was not.
_Steps = Iterator[Hop | str]


def _into_the_lake(evidence: Evidence, resources: Mapping[str, str]) -> _Steps:
    first = evidence.rows[0] if evidence.rows else None
    arrival = first or evidence.detour
    simulated = f"at {timestamp(first.event_time)} of the store's own time" if first else ""
    yield Hop("produced", resources["store_app"], note=simulated)
    yield Hop("accepted", resources["delivery_stream"], arrival.received_at if arrival else None)
    if first:
        # It cannot have been written before it was accepted, whatever whole seconds say.
        written = evidence.written_at and max(evidence.written_at, first.received_at)
        again = len(evidence.rows) - 1
        yield Hop("object", first.object, written) if written else "object"
        yield Hop(
            "row",
            f"{resources['database']}.stock_events, dt={first.dt}",
            written,
            note=f"delivered {again} more time{'s' * (again > 1)}" if again else "",
        )
        return
    if detour := evidence.detour:
        yield Hop(detour.hop, detour.object, evidence.written_at, note=detour.reason)
    if not detour or detour.hop == "failed":  # what failed is good, and gets into the lake when it is replayed
        yield from ("object", "row")


def _from_the_alert(evidence: Evidence, resources: Mapping[str, str]) -> _Steps:
    if closed := evidence.closed():
        yield Hop("sighting", resources["stock_alert"])
        yield _closed(closed, resources)
    elif opened := evidence.opened():
        yield Hop("sighting", resources["stock_alert"], _moment(opened.noticed_at))
        yield from _from_the_episode(opened, evidence, resources)
    elif evidence.rows and (seen := evidence.rows[0].sighting):
        # Of a batch only the last sightings are sent on, so an event may be part of an episode without its own.
        if seen.is_low:
            if around := _around(evidence.episodes, seen.tick):
                yield from _from_the_episode(around, evidence, resources)
            else:
                yield from ("sighting", "alert")
        elif seen.crosses:
            if ended := _ended(evidence.episodes, seen.tick):
                yield _closed(ended, resources)
            else:
                yield from ("sighting", "closed")


def _from_the_episode(episode: Episode, evidence: Evidence, resources: Mapping[str, str]) -> _Steps:
    if episode.opened_event is None:
        said = ", over before it was noticed: no truck was called"
    else:
        said = f", opened by {episode.opened_event}" * (episode.opened_event != evidence.event_id)
    yield Hop("alert", _item(episode, resources), _moment(episode.noticed_at), note=f"{episode.alert_id}{said}")
    if episode.ordered:
        yield from _from_the_truck(episode, evidence, resources)
    yield _closed(episode, resources) if episode.state == "CLOSED" else "closed"


def _from_the_truck(episode: Episode, evidence: Evidence, resources: Mapping[str, str]) -> _Steps:
    unloaded = episode.delivered_at
    place = _item(episode, resources)
    if "deliveries_table" in resources:
        delivery = evidence.deliveries.get(episode.alert_id)
        if delivery:
            place = f"{resources['deliveries_table']}/{delivery.delivery_id}"
            unloaded = delivery.delivered_at or unloaded
            failed = f", {delivery.status}: {delivery.reason}" if delivery.reason else ""
            note = f"{delivery.truck} from {delivery.depot} with {delivery.units} units{failed}"
            left = delivery.dispatched_at
            yield Hop("truck", delivery.execution, _moment(left) if left else None, note=note)
        else:
            yield "truck"
    elif unloaded is None:
        return  # whoever else sends trucks, only what they delivered is heard of
    if unloaded is None:
        yield from ("unloaded", "shelf")
        return
    at = _moment(unloaded)
    yield Hop("unloaded", place, at)
    booked = next((each for each in evidence.receipts if each.received_at >= at), None)
    if booked:
        yield Hop("shelf", booked.object, booked.received_at, note=f"{booked.units} units received: {booked.event_id}")
    else:
        yield "shelf"


def _closed(episode: Episode, resources: Mapping[str, str]) -> Hop:
    note = f"{episode.alert_id}, by {episode.closed_event} at {episode.closed_at} of the store's own time"
    # When it was closed nobody writes down, unless that was also when it was noticed.
    at = None if episode.opened_tick else _moment(episode.noticed_at)
    return Hop("closed", _item(episode, resources), at, note=note)


def _around(episodes: Sequence[Episode], tick: int) -> Episode | None:
    """Return the episode that a low event of its shelf belongs to.

    The latest that had begun by then; else the next one, if it may have begun before it was noticed.
    """
    unfinished = [each for each in episodes if each.closed_tick is None or each.closed_tick > tick]
    begun = [each for each in unfinished if each.opened_tick is not None and each.opened_tick <= tick]
    if begun:
        return begun[-1]
    return unfinished[0] if unfinished and not unfinished[0].opened_exactly else None


def _ended(episodes: Sequence[Episode], tick: int) -> Episode | None:
    """Return the episode that was over when a shelf came back, though a later event may have told so."""
    return next(
        (
            each
            for each in episodes
            if each.closed_tick is not None and each.closed_tick >= tick and (each.opened_tick or 0) < tick
        ),
        None,
    )


def _by_time(hops: Sequence[Hop]) -> tuple[Hop, ...]:
    """Sort hops by time; one without a time stays behind the hop that it follows from."""
    moment = datetime.min.replace(tzinfo=UTC)
    keyed = []
    for hop in hops:
        moment = hop.at or moment
        keyed.append((moment, hop))
    return tuple(hop for _, hop in sorted(keyed, key=lambda pair: pair[0]))


def _item(episode: Episode, resources: Mapping[str, str]) -> str:
    return f"{resources['alerts_table']}/{shelf_of(episode.store_id, episode.product_id)}/{episode.number}"


def _gather(target: Target, resources: Mapping[str, str], event_id: str) -> Evidence:
    store_id, product_id, _ = event_id.split("-")
    rows = [
        Row(key, dt, _utc(received), _utc(time), _sighting(event_id, *counts))
        for key, dt, received, time, *counts in _asked(target, resources, "event", event_id)
    ]
    detour = None if rows else _refused(target, resources, event_id) or _failed(target, resources, event_id)
    episodes = alerts.episodes(target, resources, store_id=store_id, product_id=product_id)
    arrival = rows[0] if rows else detour
    return Evidence(
        event_id=event_id,
        rows=rows,
        detour=detour,
        written_at=_written_at(target, arrival.object) if arrival else None,
        episodes=sorted(episodes, key=lambda episode: episode.number),
        deliveries=alerts.deliveries(target, resources, [episode.alert_id for episode in episodes]),
        receipts=_later_receipts(target, resources, event_id) if episodes else (),
    )


def _sighting(event_id: str, stock: int, threshold: int, units_sold: int, units_received: int) -> Sighting | None:
    store_id, product_id, _ = event_id.split("-")
    return sighting(
        {
            "event_id": event_id,
            "store_id": store_id,
            "product_id": product_id,
            "stock": stock,
            "threshold": threshold,
            "units_sold": units_sold,
            "units_received": units_received,
        }
    )


def _refused(target: Target, resources: Mapping[str, str], event_id: str) -> Detour | None:
    for key, received, reason in _asked(target, resources, "refused", _quoted(event_id)):
        return Detour("quarantined", key, _utc(received), reason)
    return None


def _failed(target: Target, resources: Mapping[str, str], event_id: str) -> Detour | None:
    """Look for an event in what Firehose could not process, which no table shows; objects of that are few."""
    bucket = resources["lake_bucket"]
    for key, failure in _failures(target.client("s3"), bucket):
        if any(_quoted(event_id) in _text(document) for document in failure.documents):
            arrived = datetime.fromtimestamp(failure.row["arrivalTimestamp"] / 1000, UTC)
            return Detour("failed", f"s3://{bucket}/{key}", arrived, failure.reason)
    return None


def _failures(s3: Any, bucket: str) -> Iterator[tuple[str, replay.Failure]]:
    for key in (entry["Key"] for entry in replay.listed(s3, bucket, replay.ERRORS)):
        # What is not what its prefix says is for `replay` to name.
        with suppress(replay.Unreadable):
            yield from ((key, each) for each in replay.read(key, s3.get_object(Bucket=bucket, Key=key)["Body"].read()))


def _quoted(event_id: str) -> str:
    """Write an id as it stands in a document: so it is not found in those that begin with it."""
    return f'"{event_id}"'


def _text(document: replay.Document) -> str:
    return document if isinstance(document, str) else document.decode(errors="replace")


def _later_receipts(target: Target, resources: Mapping[str, str], event_id: str) -> list[Receipt]:
    store_id, product_id, _ = event_id.split("-")
    return [
        Receipt(receipt, _utc(received), key, units)
        for receipt, received, key, units in _asked(target, resources, "receipts", store_id, product_id)
        if tick_of(receipt) > tick_of(event_id)
    ]


def _asked(target: Target, resources: Mapping[str, str], name: str, *texts: str) -> list[list[Any]]:
    return ask(target, resources, (_STATEMENTS / f"{name}.sql").read_text(encoding="utf-8"), texts=texts).rows


def _written_at(target: Target, url: str) -> datetime | None:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    try:
        written: datetime = target.client("s3").head_object(Bucket=bucket, Key=key)["LastModified"]
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
            return None
        raise
    return written


def _unknown(target: Target, resources: Mapping[str, str], event_id: str) -> UnknownEvent:
    store_id, tick = event_id.split("-")[0], tick_of(event_id)
    ledger = ShelvesTable(target.client("dynamodb"), resources["shelves_table"]).read(store_id)
    if not ledger.version:
        return UnknownEvent(
            f"Nothing has seen {event_id}, and no store {store_id} has traded.",
            "Choose an event of a store that has: `python3 -m workshop query latest_stock` shows some.",
        )
    traded = (ledger.plan.ticks.stop if ledger.plan else ledger.next_tick) - 1
    if tick > traded:
        return UnknownEvent(
            f"{event_id} has not happened yet: {store_id} has traded until tick {traded}.",
            "Let the stores trade with `python3 -m workshop generate`.",
        )
    return UnknownEvent(
        f"Nothing has seen {event_id}: either nothing changed on the shelf in that tick, or Firehose still buffers it.",
        "Try again in a minute.",
    )


def _utc(value: datetime) -> datetime:
    """Return a time of the lake, which Athena's timestamps keep in UTC without saying so."""
    return value.replace(tzinfo=UTC)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
