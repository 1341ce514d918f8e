"""Which limit of AWS a load meets first, and what to raise. Default quotas of us-east-1."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from workshop.cost.model import HOURS_OF_MONTH, Activity, Load, activity
from workshop.cost.sizes import items
from workshop.cost.templates import Deployment
from workshop.trade import PORTION_STORES

STORES: Final = (1, 100, 1_000, 10_000, 100_000)
PEAK: Final = 2.0
"""How much more happens in the busiest hour than in the mean one: shops sell in fifteen of twenty-four hours, and more
towards the evening."""
_TRAVEL_SECONDS: Final = 60
"""A trip of four hours at the deployed speed-up of 240."""
_ROUND_SECONDS: Final = 3600

_LAMBDA = "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"
_FIREHOSE = "https://docs.aws.amazon.com/firehose/latest/dev/limits.html"
_DYNAMODB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Limits.html"
_EVENTBRIDGE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"
_WORKFLOWS = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
_SQS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html"
_ATHENA = "https://docs.aws.amazon.com/general/latest/gr/athena.html"


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota, what of it a load needs in its busiest hour, and what to do when that is not enough."""

    name: str
    most: float
    unit: str
    needed: Callable[["Busy"], float]
    raised_by: str
    source: str
    grows: bool = True
    """Whether more stores need more of it."""
    confirmed: bool = True
    """Whether the number was read in the source in November 2026."""


@dataclass(frozen=True, slots=True)
class Busy:
    """A load in its busiest hour: rates are per second."""

    load: Load
    happened: Activity
    deployed: Deployment

    def rate(self, month: float) -> float:
        """Turn the count of a month into a rate."""
        return month / (HOURS_OF_MONTH * 3600) * PEAK

    def at_once(self, function: str) -> float:
        """Return how many runs of a function there are at a time: rate times duration."""
        seconds = self.happened.seconds.get(function, 0) + self.happened.start_seconds.get(function, 0)
        return self.rate(seconds)

    def round_seconds(self) -> float:
        """Return how long one run of StoreApp after the other takes for one round of all stores."""
        rounds = self.load.hours / self.load.hours_per_run
        return self.happened.seconds["store_app"] / max(1, rounds)

    def sending(self) -> float:
        """Return the bytes a second of one run of StoreApp, which sends an hour's events at once."""
        return self.happened.event_bytes / self.happened.seconds["store_app"] if self.happened.events else 0

    def ledger_bytes(self) -> float:
        """Return the size of a store's ledger, with a plan and the receipts of a busy hour."""
        sizes = items(self.load.products)
        return sizes.ledger + sizes.plan + 2 * PEAK * self.happened.receipts_of_plan * sizes.receipt

    def intake_answer(self) -> float:
        """Return the bytes that the intake returns for a full buffer: each event with `received_at`, in base64."""
        if not self.happened.events:
            return 0
        grown = 1 + len(',"received_at":"2026-11-21T12:00:00.000Z"') * self.happened.events / self.happened.event_bytes
        return self.deployed.processor.size * grown * 4 / 3


LIMITS: Final = (
    Limit("Firehose: bytes of a stream", 5 * 2**20, "B/s", lambda b: b.rate(b.happened.event_bytes),
          "raise the stream's quota, or give each region of stores a stream", _FIREHOSE),
    Limit("Firehose: bytes of a stream while StoreApp sends", 5 * 2**20, "B/s", Busy.sending,
          "nothing has to be: StoreApp waits and sends again what was refused", _FIREHOSE, grows=False),
    Limit("Firehose: requests of a stream", 2_000, "/s", lambda b: b.rate(b.happened.records),
          "pack more events into a call, or raise the stream's quota", _FIREHOSE),
    Limit("Firehose: records of a stream", 500_000, "/s", lambda b: b.rate(b.happened.records),
          "pack more events into a record", _FIREHOSE),
    Limit("StoreApp: one run after the other within the hour", _ROUND_SECONDS, "s", Busy.round_seconds,
          "invoke StoreApp for several groups of stores at a time", _LAMBDA),
    Limit("StoreApp: fifteen minutes of one run", 900, "s",
          lambda b: b.round_seconds() / -(-b.load.stores // PORTION_STORES),
          "ask for fewer stores or hours at a time", _LAMBDA, grows=False),
    Limit("Lambda: runs at a time", 1_000, "", lambda b: sum(map(b.at_once, b.happened.runs)),
          "raise the account's concurrent executions", _LAMBDA),
    Limit("Lambda: the intake's runs at a time", 1_000, "", lambda b: b.at_once("intake"),
          "raise the account's concurrent executions; Firehose needs throughput x duration / buffer of them", _LAMBDA),
    Limit("Lambda: answer of the intake", 6_000_000, "B", Busy.intake_answer,
          "make the processor's buffer smaller (`stacks/ingest.py`)", _LAMBDA, grows=False),
    Limit("Trucks: calls handled at a time", 0, "", lambda b: b.at_once("truck_dispatch"),
          "raise max_concurrency in `stacks/trucks.py`", "stacks/trucks.py"),
    Limit("DynamoDB: item of a store's ledger", 400 * 1024, "B", Busy.ledger_bytes,
          "split the ledger by department", _DYNAMODB, grows=False),
    Limit("DynamoDB: write units of a table", 40_000, "/s",
          lambda b: b.rate(max(2 * b.happened.plans + 2 * b.happened.delivered, 3 * b.happened.opened)),
          "raise the table's quota; a new table begins at 4,000 and doubles", _DYNAMODB),
    Limit("SQS: messages in flight", 120_000, "", lambda b: b.at_once("stock_alert") * 10,
          "raise the queue's quota", _SQS),
    Limit("EventBridge: PutEvents", 10_000, "/s", lambda b: b.rate(b.happened.opened / 5 + b.happened.delivered),
          "raise the region's PutEvents quota", _EVENTBRIDGE),
    Limit("EventBridge: deliveries to targets", 18_750, "/s",
          lambda b: b.rate(b.happened.opened + b.happened.delivered),
          "raise the region's invocations quota", _EVENTBRIDGE),
    Limit("Step Functions: StartExecution", 300, "/s", lambda b: b.rate(b.happened.delivered),
          "raise the StartExecution quota", _WORKFLOWS, confirmed=False),
    Limit("Step Functions: transitions", 5_000, "/s",
          lambda b: b.rate(b.happened.delivered * b.deployed.transitions),
          "raise the StateTransition quota; new accounts begin lower", _WORKFLOWS, confirmed=False),
    Limit("Step Functions: runs open at a time", 1_000_000, "",
          lambda b: b.rate(b.happened.delivered) * _TRAVEL_SECONDS,
          "drive faster (-c truck_speedup), or raise the quota", _WORKFLOWS, confirmed=False),
    Limit("Athena: queries at a time", 200, "", lambda b: b.rate(b.happened.queries) * 5,
          "raise the active DML queries", _ATHENA, grows=False, confirmed=False),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Demand:
    """What a load needs of a limit."""

    limit: Limit
    most: float
    needed: float

    @property
    def share(self) -> float:
        """1 is all there is."""
        return self.needed / self.most


def demands(load: Load, deployed: Deployment) -> list[Demand]:
    """Return what a load needs of each limit, the scarcest first."""
    busy = Busy(load, activity(load, deployed), deployed)
    found = []
    for limit in LIMITS:
        most = limit.most or deployed.dispatch_concurrency
        if most:
            found.append(Demand(limit, most, limit.needed(busy)))
    return sorted(found, key=lambda demand: -demand.share)


def as_document(load: Load, deployed: Deployment) -> dict[str, Any]:
    """Return the `quotas` part of the `cost --json` document, for chains of up to 100,000 stores."""
    rows = []
    for stores in STORES:
        found = demands(replace(load, stores=stores, events_per_hour=None), deployed)
        met = [demand for demand in found if demand.share >= 1]
        rows.append(
            {
                "stores": stores,
                "nearest": _described(found[0]),
                "met": [_described(demand) for demand in met],
                "next": [_described(demand) for demand in found[:3]],
            }
        )
    biggest = demands(replace(load, stores=STORES[-1], events_per_hour=None), deployed)
    limits = [
        {**_described(demand), "met_at_stores": round(STORES[-1] / demand.share) if demand.limit.grows else None}
        for demand in biggest
        if demand.share
    ]
    return {"peak": PEAK, "products": load.products, "rows": rows, "limits": limits}


def _described(demand: Demand) -> dict[str, Any]:
    return {
        "limit": demand.limit.name,
        "most": demand.most,
        "unit": demand.limit.unit,
        "needed": round(demand.needed, 3),
        "share": round(demand.share, 6),
        "raised_by": demand.limit.raised_by,
        "source": demand.limit.source,
        "confirmed": demand.limit.confirmed,
    }
