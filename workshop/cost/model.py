"""The price model: what a load makes happen, and what of it is billed.

A load, or a recorded run, becomes an Activity: how often each thing happens. `usage` turns it into billed units by the
same rules for both.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from workshop.cost.prices import Usage, Use
from workshop.cost.sizes import Items, items, shape
from workshop.cost.templates import Deployment
from workshop.local_aws.metering import CHUNK, LEAST_SCAN, PLATFORM_LOG_BYTES, RECORD_STEP, SCAN_STEP
from workshop.trade import PORTION_STORES

HOURS_OF_MONTH: Final = 730
MAX_RECORD: Final = 1_000 * 1024
"""Bytes that StoreApp packs into a record (`lambdas/core/packing.py`)."""
SHELVES_AT_ONCE: Final = 1_000
"""Shelves whose events share records (`lambdas/store_app/trading.py`)."""
SIGHTINGS_OF_MESSAGE: Final = 100
CUSTOM_METRICS: Final = {"store_app": 1, "intake": 4, "stock_alert": 2, "truck_dispatch": 1, "delivery": 1}
"""Metrics that a function sends in CloudWatch's embedded format while nothing fails."""
PARQUET_BYTES_PER_EVENT: Final = 14.0
"""Snappy, dictionaries, objects of some thousand events: measured in the lake of a local run."""
COLUMNS_READ: Final = 0.4
"""Share of an object's bytes that a query of `glue/queries` reads. Assumed; most read five of the seventeen columns."""
JSON_SCAN: Final = 74.0
"""How many times more bytes a low-stock query scans in JSON than in Parquet, measured on a million events; at other
sizes `python -m benchmarks.athena` measures it anew."""
GZIP_SHARE: Final = 0.05
"""What gzip leaves of StoreApp's lines, of 1,000 of them at once; `tests/unit/test_cost.py` measures it."""

START_SECONDS: Final = 0.5
"""INIT of a function, billed: 0.1 s for Python 3.14 on arm64 (maxday/lambda-perf, 2026-08) and the imports. Assumed."""
_FIXED_SECONDS: Final = {
    "store_app": 0.1,
    "intake": 0.05,
    "stock_alert": 0.05,
    "truck_dispatch": 0.03,
    "delivery": 0.04,
}
_SECONDS_PER_EVENT: Final = {"store_app": 12e-6, "intake": 17e-6}
"""`bench simulation` and `bench screening` on one core; the intake has a third of one. The rest is assumed: 5 ms for a
call of DynamoDB, 10 ms for one of another service."""
_CALL: Final = 0.005
_ALERTS_OF_CALL: Final = 5
"""Calls for trucks that share a batch of the queue. Assumed; the batch may hold ten."""
_LOG_BYTES: Final = {"store_app": 300, "intake": 420, "stock_alert": 330, "truck_dispatch": 260, "delivery": 150}
"""What a run logs besides Lambda's own lines: measured in a local run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a month's load is. `None` means: as the simulation has it."""

    stores: int = 100
    products: int = 100
    hours: float = HOURS_OF_MONTH
    """Simulated hours that every store trades in the month; 730 is as fast as the clock."""
    hours_per_run: int = 1
    events_per_hour: float | None = None
    """Of all stores together."""
    alerts_per_1000_events: float | None = None
    queries_per_day: float = 20
    bytes_per_query: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """How often everything that is billed happens, in a month or in a run."""

    products: int
    events: float
    event_bytes: float
    records: float
    store_runs: float
    """Stores that a run of StoreApp reads."""
    plans: float
    """Stores times days or parts of days that are planned and committed."""
    sightings: float
    sighting_bytes: float
    opened: float
    closed: float
    delivered: float
    objects: float
    """Objects that Firehose writes."""
    runs: Mapping[str, float]
    starts: Mapping[str, float]
    seconds: Mapping[str, float]
    """Of all runs of a function together, without starts."""
    start_seconds: Mapping[str, float] = field(default_factory=dict)
    hours: Mapping[str, float] = field(default_factory=dict)
    """Hours in which a function did anything."""
    queries: float = 0
    bytes_per_query: float = 0
    objects_per_query: float = 0
    stored_bytes: float = 0

    @property
    def receipts_of_plan(self) -> float:
        """Deliveries that wait for a store's next plan."""
        return self.delivered / self.plans if self.plans else 0


def activity(load: Load, deployed: Deployment, *, evenly: bool = False) -> Activity:
    """Return what a month's load makes happen.

    StoreApp sends what its hours hold in seconds; `evenly` reckons as if events came when they happen.
    """
    form = shape(load.products, load.hours_per_run, trucks=deployed.has_trucks)
    rounds = load.hours / load.hours_per_run
    natural = form.events_per_shelf_hour * load.stores * load.products
    events = load.hours * (natural if load.events_per_hour is None else load.events_per_hour)
    size = events * form.bytes_per_event
    rate = form.alerts_per_event if load.alerts_per_1000_events is None else load.alerts_per_1000_events / 1000
    sightings = events * (form.sightings_per_event + 2 * max(0.0, rate - form.alerts_per_event))
    opened = events * rate
    delivered = opened if deployed.has_trucks else 0.0

    portions = math.ceil(load.stores / PORTION_STORES)
    groups = portions * math.ceil(min(load.stores, PORTION_STORES) / max(1, SHELVES_AT_ONCE // load.products))
    store_app_runs = rounds * portions
    store_app_seconds = (
        store_app_runs * _FIXED_SECONDS["store_app"]
        + events * _SECONDS_PER_EVENT["store_app"]
        + rounds * load.stores * 3 * _CALL
    )
    lasts = load.hours_per_run * 3600 if evenly else store_app_seconds / max(1, rounds)
    bytes_of_round = size / rounds
    records = rounds * max(groups, math.ceil(bytes_of_round / MAX_RECORD))
    batches = rounds * max(
        math.ceil(bytes_of_round / deployed.processor.size), _spans(lasts, deployed.processor.seconds)
    )
    objects = rounds * max(math.ceil(bytes_of_round / deployed.delivery.size), _spans(lasts, deployed.delivery.seconds))
    messages = max(batches if sightings else 0, sightings / SIGHTINGS_OF_MESSAGE)

    runs = {
        "store_app": store_app_runs,
        "intake": batches,
        "stock_alert": messages + delivered,
        "truck_dispatch": delivered / _ALERTS_OF_CALL,
        "delivery": 2 * delivered,
    }
    calls = {
        "stock_alert": 2 * sightings + opened + delivered,
        "truck_dispatch": 4 * delivered,
        "delivery": 4 * delivered,
    }
    seconds = {
        name: store_app_seconds
        if name == "store_app"
        else count * _FIXED_SECONDS[name] + events * _SECONDS_PER_EVENT.get(name, 0) + calls.get(name, 0) * _CALL
        for name, count in runs.items()
    }
    # The runs of a round start from nothing, some side by side.
    side_by_side = {"store_app": 1, "intake": 1, "stock_alert": 2, "truck_dispatch": 1, "delivery": 3}
    starts = {name: min(count, rounds * side_by_side[name]) for name, count in runs.items()}
    stored = events * PARQUET_BYTES_PER_EVENT
    queries = load.queries_per_day * HOURS_OF_MONTH / 24
    return Activity(
        products=load.products,
        events=events,
        event_bytes=size,
        records=records,
        store_runs=rounds * load.stores,
        plans=rounds * load.stores * math.ceil(load.hours_per_run / 24),
        sightings=sightings,
        sighting_bytes=form.sighting_bytes,
        opened=opened,
        closed=opened,
        delivered=delivered,
        objects=objects,
        runs=runs,
        starts=starts,
        seconds=seconds,
        start_seconds={name: count * START_SECONDS for name, count in starts.items()},
        hours={name: min(HOURS_OF_MONTH, rounds) for name, count in runs.items() if count},
        queries=queries,
        # Over the month the lake fills up: a query reads half of it on the average.
        bytes_per_query=stored / 2 * COLUMNS_READ if load.bytes_per_query is None else load.bytes_per_query,
        objects_per_query=objects / 2,
        stored_bytes=stored,
    )


def recorded(document: Mapping[str, Any], deployed: Deployment) -> Activity:
    """Return what happened in a run that was metered, from its facts.

    Taken over are events, records, runs of functions and their seconds, the number of objects, which is a matter of
    time, and what the functions' own metrics tell of alerts and trucks. Sizes, roundings and what each thing makes
    necessary are the model's.
    """
    facts: Mapping[str, float] = document["facts"]
    trades = [
        (*map(int, name.removeprefix("trade:").split(":")), count)
        for name, count in facts.items()
        if name.startswith("trade:")
    ]
    products = max((int(products) for _, _, products, _ in trades), default=50)
    longest = max((int(hours) for hours, *_ in trades), default=1)
    form = shape(products, min(24, longest), trucks=deployed.has_trucks)
    events = facts.get("events", 0)

    def of_functions(fact: str) -> dict[str, float]:
        return {name: facts.get(f"{name}.{fact}", 0) for name in deployed.functions}

    return Activity(
        products=products,
        events=events,
        event_bytes=events * form.bytes_per_event,
        records=facts.get("firehose_records", 0),
        store_runs=sum(stores * count for _, stores, _, count in trades),
        plans=sum(stores * math.ceil(hours / 24) * count for hours, stores, _, count in trades),
        sightings=facts.get("metric:Sightings", 0),
        sighting_bytes=form.sighting_bytes,
        opened=facts.get("metric:EpisodesOpened", 0),
        closed=facts.get("metric:EpisodesClosed", 0),
        delivered=facts.get("metric:TrucksUnloaded", 0),
        objects=sum(
            amount for caller, unit, what, amount in document["counts"] if (unit, what) == ("s3.put", "stock_events")
        ),
        runs=of_functions("runs"),
        starts=of_functions("starts"),
        seconds=of_functions("seconds"),
        start_seconds=of_functions("start_seconds"),
        hours=of_functions("hours"),
    )


def usage(happened: Activity, deployed: Deployment) -> Usage:
    """Return the billed units of what happened; nothing of it happens while idle."""
    used: Usage = Usage()
    sizes = items(happened.products)
    _count_ingest(used, happened, deployed)
    _count_functions(used, happened, deployed)
    _count_tables(used, happened, sizes)
    _count_messages(used, happened, deployed, sizes)
    _count_queries(used, happened)
    if happened.stored_bytes:
        used[Use("s3.storage", "lake")] += happened.stored_bytes  # type: ignore[assignment]  # fractions
    return +used


def idle(deployed: Deployment) -> Usage:
    """Return the billed units of a month in which nothing happens, stored bytes apart."""
    polls = HOURS_OF_MONTH * 3600 / _POLL_SECONDS
    scheduled = HOURS_OF_MONTH * 60 / deployed.schedule_minutes if deployed.schedule_minutes else 0
    return +Usage(
        {
            Use("eventbridge.scheduled", "schedule"): round(scheduled),
            Use("sqs.requests", "polling"): round(deployed.pollers * polls),
            Use("cloudwatch.alarms", "operations"): deployed.alarms,
            Use("cloudwatch.dashboards", "operations"): deployed.dashboards,
            Use("glue.objects", "lake"): deployed.catalogue_objects,
            Use("secretsmanager.secrets", "truck webhook"): deployed.secrets,
        }
    )


def most_polls(deployed: Deployment) -> float:
    """Return the empty receives of a month if Lambda never lowers the number of its pollers."""
    return deployed.most_pollers * HOURS_OF_MONTH * 3600 / _POLL_SECONDS


_POLL_SECONDS = 20
"""The longest poll there is ("Amazon SQS short and long polling", SQS developer guide); that Lambda's pollers wait so
long is what users report ("Why are my Amazon SQS charges higher than expected?")."""


def unpacked(happened: Activity) -> Activity:
    """What if every event were a record of its own?"""
    return replace(happened, records=happened.events)


def compressed(happened: Activity) -> Activity:
    """What if StoreApp compressed its records and the intake took them apart?"""
    size = happened.event_bytes * GZIP_SHARE
    return replace(happened, event_bytes=size, records=max(1.0, happened.records / 2))


def delivered_every(load: Load, deployed: Deployment, seconds: int) -> Activity:
    """What if events came evenly, and Firehose delivered every so many seconds? Time makes the objects, not size."""
    return activity(load, replace(deployed, delivery=replace(deployed.delivery, seconds=seconds)), evenly=True)


def as_json(happened: Activity, deployed: Deployment) -> tuple[Activity, Deployment]:
    """What if Firehose kept JSON? Nothing is converted, and everything is scanned."""
    changed = replace(
        happened,
        stored_bytes=happened.event_bytes,
        bytes_per_query=happened.bytes_per_query * JSON_SCAN,
    )
    return changed, replace(deployed, converts=False)


def _spans(lasts: float, seconds: int) -> int:
    return max(1, math.ceil(lasts / max(1, seconds)))


def _add(used: Usage, unit: str, part: str, amount: float) -> None:
    used[Use(unit, part)] += amount  # type: ignore[assignment]  # a Counter holds fractions too


def _count_ingest(used: Usage, happened: Activity, deployed: Deployment) -> None:
    if not happened.records:
        return
    mean = happened.event_bytes / happened.records
    # A record that is much larger than the step loses half a step on the average.
    billed = happened.records * (
        math.ceil(mean / RECORD_STEP) * RECORD_STEP if mean <= 2 * RECORD_STEP else mean + RECORD_STEP / 2
    )
    _add(used, "firehose.ingestion", "ingest", billed)
    if deployed.converts:
        _add(used, "firehose.conversion", "ingest", billed)
    _add(used, "s3.put", "ingest", happened.objects)
    # Firehose looks the table's columns up; once for each object is assumed.
    _add(used, "glue.requests", "ingest", happened.objects)


_PART_OF = {"store_app": "ingest", "intake": "ingest", "stock_alert": "alerts"}


def _count_functions(used: Usage, happened: Activity, deployed: Deployment) -> None:
    for name, count in happened.runs.items():
        function = deployed.functions.get(name)
        if function is None or not count:
            continue
        part = _PART_OF.get(name, "trucks")
        billed = happened.seconds[name] + happened.start_seconds.get(name, 0)
        _add(used, "lambda.requests", part, count)
        _add(used, "lambda.arm_gb_seconds", part, billed * function.memory / 1024)
        _add(used, "logs.ingestion", part, count * (PLATFORM_LOG_BYTES + _LOG_BYTES.get(name, 300)))
        if function.traced:
            # Lambda samples "the first request each second, and five percent of any additional" ("Visualize Lambda
            # function invocations using AWS X-Ray"); that runs never share a second is the dearest case.
            _add(used, "xray.traces", part, count)
    for name, hours in happened.hours.items():
        _add(used, "cloudwatch.metric_hours", "operations", CUSTOM_METRICS.get(name, 0) * hours)


def _count_tables(used: Usage, happened: Activity, sizes: Items) -> None:
    waiting = happened.receipts_of_plan
    planned = _write(sizes.ledger + sizes.plan + waiting * sizes.receipt)
    _add(used, "dynamodb.read", "ingest", happened.store_runs * _read(sizes.ledger + waiting * sizes.receipt))
    _add(used, "dynamodb.write", "ingest", happened.plans * (2 * planned))
    _add(used, "dynamodb.read", "alerts", happened.sightings + happened.delivered)
    for count, size in (
        (happened.opened, sizes.episode_open),
        (happened.delivered, sizes.episode_delivered),
        (happened.closed, sizes.episode_closed),
    ):
        _add(used, "dynamodb.write", "alerts", count * _write(size))
    unloaded = _write(sizes.ledger + waiting / 2 * sizes.receipt)
    _add(used, "dynamodb.read", "trucks", happened.delivered * (1 + _read(sizes.delivery_sent)))
    _add(
        used,
        "dynamodb.write",
        "trucks",
        happened.delivered * (_write(sizes.delivery_sent) + 2 * (_write(sizes.delivery_made) + unloaded)),
    )


def _count_messages(used: Usage, happened: Activity, deployed: Deployment, sizes: Items) -> None:
    batches = happened.runs.get("intake", 0)
    told = happened.sightings * (happened.sighting_bytes + 1) / max(1.0, batches)
    if happened.sightings:
        _add(used, "sqs.requests", "alerts", batches * max(1, math.ceil(told / CHUNK)))
    # Of a batch: received, deleted. The bus puts each alert and each delivery into a queue.
    _add(used, "sqs.requests", "alerts", 2 * happened.runs.get("stock_alert", 0) + happened.delivered)
    _add(used, "eventbridge.events", "alerts", happened.opened * math.ceil(sizes.announcement / CHUNK))
    if deployed.has_trucks:
        _add(used, "sqs.requests", "trucks", 2 * happened.runs.get("truck_dispatch", 0) + happened.opened)
        _add(used, "eventbridge.events", "trucks", happened.delivered)
        _add(used, "stepfunctions.transitions", "trucks", happened.delivered * deployed.transitions)
    if deployed.posts_alerts:
        _add(used, "eventbridge.posts", "truck webhook", happened.opened)


def _count_queries(used: Usage, happened: Activity) -> None:
    scanned = max(LEAST_SCAN, math.ceil(happened.bytes_per_query / SCAN_STEP) * SCAN_STEP)
    _add(used, "athena.scanned", "queries", happened.queries * scanned)
    # A listing of up to 1,000 objects, the end of each object and what is read of it, the answer and what describes it.
    listings = 1 + happened.objects_per_query / 1000
    _add(used, "s3.put", "queries", happened.queries * (listings + 2))
    _add(used, "s3.get", "queries", happened.queries * 2 * happened.objects_per_query)
    _add(used, "glue.requests", "queries", happened.queries * 4)


def _write(size: float) -> int:
    return max(1, math.ceil(size / 1024))


def _read(size: float) -> int:
    return max(1, math.ceil(size / 4096))


def per_million(amount: float, events: float) -> float:
    """Return an amount for each million events."""
    return amount / events * 1e6 if events else 0.0
