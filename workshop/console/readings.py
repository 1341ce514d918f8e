"""What the page reads of a deployment: each source with the pause that it is worth, here and on AWS."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from lambdas.adapters.shelves import ledger_of
from lambdas.core.deliveries import Status
from lambdas.core.ledger import Ledger
from lambdas.core.trading_calendar import WORKSHOP_CALENDAR
from workshop import flow
from workshop.alerts import batch_get
from workshop.console.lake_objects import Lake, LakeObjects
from workshop.console.passing import Trip, pace
from workshop.console.stock import Shelves, shelves
from workshop.replay import ERRORS, QUARANTINE, listed
from workshop.target import Target

SERVICES: Final = ("cloudformation", "dynamodb", "s3", "sqs", "athena", "firehose", "lambda", "stepfunctions", "events")


class Hints(NamedTuple):
    """When Firehose delivers at the latest: after so many seconds, or so many MiB."""

    seconds: int
    mebibytes: int


class Books(NamedTuple):
    """StoreApp's books: events sent, stores, the latest simulated time, receipts waiting, and all shelves."""

    sent: int
    stores: int
    clock: str | None
    receipts: int
    shelves: Shelves | None


class LedgerLog:
    """The stores' ledgers. Ids and versions are scanned, and only the ledgers that changed are read as a whole.

    A ledger is a list of attributes a shelf: reading 1,000 of 100 shelves takes several times as long as their versions
    do. DynamoDB charges both alike.
    """

    def __init__(self, target: Target, table: str) -> None:
        self._target = target
        self._table = table
        self._ledgers: dict[str, Ledger] = {}

    def read(self) -> list[Ledger]:
        """Return the ledger of every store that has traded."""
        found = {
            item["store_id"]["S"]: int(item["version"]["N"])
            for item in flow.scan(self._target, self._table, "store_id", "version")
        }
        kept = {name: each for name, each in self._ledgers.items() if each.version == found.get(name)}
        changed = [store_id for store_id in found if store_id not in kept]
        if len(changed) > len(found) / 2:
            items = flow.scan(self._target, self._table)
        else:
            items = batch_get(self._target, self._table, "store_id", changed)
        self._ledgers = kept | {each.store_id: each for each in map(ledger_of, items)}
        return list(self._ledgers.values())


class Prefix(NamedTuple):
    """Objects and bytes under a prefix."""

    objects: int
    bytes: int


class Tables(NamedTuple):
    """Episodes by state and deliveries by status, and for each a number that changes whenever one of them does.

    None where the table is not deployed. `pace` is that of the latest arrivals.
    """

    alerts: Counter[str] | None
    alerts_written: int
    deliveries: Counter[str] | None
    deliveries_written: int
    pace: float = 1.0


class Query(NamedTuple):
    """A query of the workgroup."""

    milliseconds: int
    bytes: int
    state: str


class Queries(NamedTuple):
    """How many queries Athena remembers of the workgroup, 45 days' worth, what they scanned, and the latest."""

    total: int
    bytes_scanned: int
    latest: Query | None


class QueryLog:
    """The queries of a workgroup. An ended one never changes, so it is asked about once."""

    def __init__(self, athena: Any, workgroup: str) -> None:
        self._athena = athena
        self._workgroup = workgroup
        self._ended: dict[str, Query] = {}

    def read(self) -> Queries:
        """Return the queries, the newest of which Athena lists first."""
        listed: list[str] = []
        pages = self._athena.get_paginator("list_query_executions").paginate(WorkGroup=self._workgroup)
        for number, page in enumerate(pages, start=1):
            listed += page["QueryExecutionIds"]
            if number == _MOST_PAGES or self._ended.keys() >= set(page["QueryExecutionIds"]):
                break
        found = {**self._ended, **self._ask([each for each in listed if each not in self._ended])}
        self._ended = {each: query for each, query in found.items() if query.state in _ENDED}
        scanned = sum(query.bytes for query in found.values())
        return Queries(len(found), scanned, found[listed[0]] if listed else None)

    def _ask(self, ids: list[str]) -> dict[str, Query]:
        answers = {}
        for first in range(0, len(ids), _IDS_A_CALL):
            answer = self._athena.batch_get_query_execution(QueryExecutionIds=ids[first : first + _IDS_A_CALL])
            for query in answer["QueryExecutions"]:
                took = query.get("Statistics", {})
                answers[query["QueryExecutionId"]] = Query(
                    took.get("TotalExecutionTimeInMillis", 0),
                    took.get("DataScannedInBytes", 0),
                    query["Status"]["State"],
                )
        return answers


_ENDED: Final = ("SUCCEEDED", "FAILED", "CANCELLED")
_MOST_PAGES: Final = 20
"""Of 50 queries each: more are not looked at the first time."""
_IDS_A_CALL: Final = 50
"""BatchGetQueryExecution takes at most so many (Athena API reference)."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A target with what is deployed there, and what was learnt of it so far, which is no part of its identity."""

    target: Target
    resources: Mapping[str, str]
    seed: int | None = None
    hints: Hints | None = None
    ledgers: LedgerLog | None = field(default=None, compare=False)
    lake: LakeObjects | None = field(default=None, compare=False)
    queries: QueryLog | None = field(default=None, compare=False)

    @property
    def is_local(self) -> bool:
        """Say whether it is the embedded AWS, where calls cost nothing."""
        return self.target.endpoint is not None

    def is_at(self, target: Target) -> bool:
        """Say whether it is where a target is, whatever clients that has."""
        ours = self.target
        return (ours.name, ours.region, ours.endpoint) == (target.name, target.region, target.endpoint)

    def as_document(self) -> dict[str, str | None]:
        """Return the `target` of a snapshot."""
        return {"name": self.target.name, "region": self.target.region, "endpoint": self.target.endpoint}


def deployment(target: Target, resources: Mapping[str, str]) -> Deployment:
    """Return a deployment ready to be read. All clients are made here: boto3 makes them in one thread at a time."""
    for service in SERVICES:
        target.client(service)
    local = target.endpoint is not None
    return Deployment(
        target,
        resources,
        seed=_seed(target, resources),
        hints=_hints(target, resources),
        ledgers=LedgerLog(target, resources["shelves_table"]) if "shelves_table" in resources else None,
        lake=LakeObjects(
            target.client("s3"), resources["lake_bucket"], clock=time.monotonic, relist_seconds=10 if local else 900
        )
        if "lake_bucket" in resources
        else None,
        queries=QueryLog(target.client("athena"), resources["workgroup"]) if "workgroup" in resources else None,
    )


def _seed(target: Target, resources: Mapping[str, str]) -> int | None:
    """Return the seed that StoreApp makes its chain from: its environment has it."""
    if (function := resources.get("store_app")) is None:
        return None
    told = target.client("lambda").get_function_configuration(FunctionName=function)
    seed = told.get("Environment", {}).get("Variables", {}).get("SEED")
    return int(seed) if seed else None


def _hints(target: Target, resources: Mapping[str, str]) -> Hints | None:
    if (stream := resources.get("delivery_stream")) is None:
        return None
    told = target.client("firehose").describe_delivery_stream(DeliveryStreamName=stream)["DeliveryStreamDescription"]
    hints = told["Destinations"][0].get("ExtendedS3DestinationDescription", {}).get("BufferingHints")
    return Hints(hints["IntervalInSeconds"], hints["SizeInMBs"]) if hints else None


def read_books(deployed: Deployment) -> Books | None:
    """Read the table of shelves."""
    if deployed.ledgers is None:
        return None
    ledgers = deployed.ledgers.read()
    ticks = max((ledger.next_tick - 1 for ledger in ledgers), default=0)
    return Books(
        sent=sum(ledger.events_sent for ledger in ledgers),
        stores=len(ledgers),
        clock=WORKSHOP_CALENDAR.end_of(ticks) if ticks else None,
        receipts=sum(len(flow.unbooked(ledger)) for ledger in ledgers),
        shelves=None if deployed.seed is None else shelves(deployed.seed, ledgers),
    )


def read_lake(deployed: Deployment) -> Lake | None:
    """Read the listing, and the footers of new objects."""
    return deployed.lake.read() if deployed.lake else None


def read_refused(deployed: Deployment) -> dict[str, Prefix] | None:
    """Read the listings of what the intake refused and of what Firehose failed on."""
    if (bucket := deployed.resources.get("lake_bucket")) is None:
        return None
    s3 = deployed.target.client("s3")
    found = {}
    for name, prefix in (("quarantine", QUARANTINE), ("errors", ERRORS)):
        sizes = [entry["Size"] for entry in listed(s3, bucket, prefix)]
        found[name] = Prefix(len(sizes), sum(sizes))
    return found


def read_queues(deployed: Deployment) -> dict[str, dict[str, int]]:
    """Read the depths of the queues and of their dead letters."""
    return flow.queues(deployed.target, deployed.resources)


def read_tables(deployed: Deployment) -> Tables:
    """Read state and version of every episode and every delivery, and how long the trips took."""
    alerts = _items(deployed, "alerts_table", "state", "version")
    trip = ("dispatched_at", "delivered_at", "travel_seconds")
    deliveries = _items(deployed, "deliveries_table", "status", "version", *trip)
    arrived = (
        Trip(item["dispatched_at"]["S"], item["delivered_at"]["S"], int(item["travel_seconds"]["N"]))
        for item in deliveries or ()
        if item["status"]["S"] == Status.DELIVERED
    )
    return Tables(*_states(alerts, "state"), *_states(deliveries, "status"), pace(arrived))


def _items(deployed: Deployment, table: str, *attributes: str) -> list[dict[str, Any]] | None:
    name = deployed.resources.get(table)
    return None if name is None else list(flow.scan(deployed.target, name, *attributes))


def _states(items: list[dict[str, Any]] | None, state: str) -> tuple[Counter[str] | None, int]:
    if items is None:
        return None, 0
    return Counter(item[state]["S"] for item in items), sum(int(item["version"]["N"]) for item in items)


def read_queries(deployed: Deployment) -> Queries | None:
    """Read what Athena remembers of the workgroup's queries."""
    return deployed.queries.read() if deployed.queries else None


class Pauses(NamedTuple):
    """Seconds between two readings: of the embedded AWS, and of AWS, where calls cost money."""

    local: float
    aws: float

    def of(self, is_local: bool) -> float:
        """Return those of one of the two."""
        return self.local if is_local else self.aws


@dataclass(frozen=True, slots=True)
class Source:
    """Something that is read over and over."""

    name: str
    pauses: Pauses
    read: Callable[[Deployment], Any]


SOURCES: Final = (
    Source("books", Pauses(0.25, 10), read_books),
    Source("lake", Pauses(0.25, 30), read_lake),
    Source("refused", Pauses(2, 60), read_refused),
    Source("queues", Pauses(0.5, 10), read_queues),
    Source("tables", Pauses(0.5, 15), read_tables),
    Source("queries", Pauses(1, 15), read_queries),
)
