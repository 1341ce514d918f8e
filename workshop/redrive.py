"""Dead letters back to their queue, and deliveries that came to a halt back on the road.

A queue's dead letters go back to that queue. What a rule of the bus could not deliver goes to that rule's target: into
its queue where that is a queue of this deployment; else onto the bus again, for an event has no way to one rule alone.
Every consumer knows a call by its alert, so those that had it already do nothing. Poison, what no repetition can make
readable, is left where it is and named.
"""

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol

from lambdas.adapters.deliveries import DeliveriesTable
from lambdas.core import messages
from lambdas.core.contract import Refused, timestamp
from lambdas.core.deliveries import BadCall, Call, Delivery, Status, called_for, run_name
from lambdas.core.messages import Sightings
from lambdas.core.versions import Conflict
from workshop.errors import WorkshopError
from workshop.movers import DeadLetter, Letter, Mover, MoveTask, Send, SendThenDelete, look, queue_arn, to_queue
from workshop.steps import Report, Steps
from workshop.target import Target

DELIVERIES: Final = "deliveries"
_DEAD_LETTERS: Final = "_dead_letters"

Fault = Callable[[str], str | None]
"""Say why no repetition can have a message's body understood, or None."""


def sightings_fault(body: str) -> str | None:
    """Judge a message of the sightings' queue, by the reader of the function that decides on alerts."""
    try:
        content = messages.read(body)
    except Refused as refused:
        return refused.reason
    return content.faults[0] if isinstance(content, Sightings) and content.faults else None


def truck_call_fault(body: str) -> str | None:
    """Judge a message of the truck calls' queue, by the reader of the function that calls trucks."""
    try:
        Call.parse(called_for(body))
    except BadCall as fault:
        return str(fault)
    return None


class _Consumer(NamedTuple):
    fault: Fault
    function: str


_CONSUMERS: Final[Mapping[str, _Consumer]] = {
    "sightings": _Consumer(sightings_fault, "stock_alert"),
    "truck_calls": _Consumer(truck_call_fault, "truck_dispatch"),
}


@dataclass(frozen=True, slots=True)
class Lane:
    """A queue of dead letters and the ways out of it: `mover` for all there is, `chooser` when some have to stay."""

    name: str
    url: str
    judge: Callable[[Letter], DeadLetter]
    mover: Callable[[], Mover]
    chooser: Callable[[], Mover]


@dataclass(slots=True)
class Redriven:
    """What became of one lane; `ready` is what a dry run would move."""

    dead: int = 0
    moved: int = 0
    left: list[DeadLetter] = field(default_factory=list)
    ready: list[DeadLetter] = field(default_factory=list)

    def as_document(self, id_name: str = "message_id") -> dict[str, Any]:
        """Return a lane's part of the `redrive --json` document."""

        def rows(letters: Sequence[DeadLetter]) -> list[dict[str, str]]:
            return [{id_name: letter.message_id, "reason": letter.reason} for letter in letters]

        return {"dead": self.dead, "moved": self.moved, "left": rows(self.left), "ready": rows(self.ready)}


def lanes(target: Target, resources: Mapping[str, str]) -> dict[str, Lane]:
    """Return every queue of dead letters that is deployed, by the name that `status` gives it.

    StartMessageMoveTask is the mover on AWS where nothing has to stay, for it cannot choose; the embedded AWS does not
    know it.
    """
    sqs = target.client("sqs")
    found = {}
    for output, url in sorted(resources.items()):
        name = output.removesuffix(_DEAD_LETTERS)
        if name == output:
            continue
        if queue := resources.get(f"{name}_queue"):
            found[name] = _queue_lane(sqs, name, url, queue, has_move_task=target.endpoint is None)
        elif bus := resources.get(name):
            found[name] = _bus_lane(target, name, url, bus, resources)
    return found


def _queue_lane(sqs: Any, name: str, url: str, queue: str, *, has_move_task: bool) -> Lane:
    consumer = _CONSUMERS.get(name)

    def judge(letter: Letter) -> DeadLetter:
        if consumer is None:
            return DeadLetter(letter.message_id, "Its consumer could not handle it.", poison=False)
        if fault := consumer.fault(letter.body):
            return DeadLetter(letter.message_id, fault, poison=True)
        reason = f"{consumer.function} could not handle it; its log says why."
        return DeadLetter(letter.message_id, reason, poison=False)

    def ours() -> Mover:
        return SendThenDelete(sqs, url, to_queue(sqs, queue), clock=time.monotonic, sleep=time.sleep)

    def task() -> Mover:
        return MoveTask(sqs, url, queue, sleep=time.sleep)

    return Lane(name, url, judge, task if has_move_task else ours, ours)


def _bus_lane(target: Target, name: str, url: str, bus: str, resources: Mapping[str, str]) -> Lane:
    sqs = target.client("sqs")
    queues = {
        queue_arn(sqs, queue_url): (consumer_name, queue_url)
        for consumer_name in _CONSUMERS
        if (queue_url := resources.get(f"{consumer_name}_queue"))
    }

    def judge(letter: Letter) -> DeadLetter:
        consumer, _ = queues.get(letter.text("TARGET_ARN") or "", (None, None))
        fault = event_fault(letter.body)
        if fault is None and consumer:
            fault = _CONSUMERS[consumer].fault(letter.body)
        reason = (
            fault or f"{letter.text('ERROR_CODE') or 'UNKNOWN'}: {letter.text('ERROR_MESSAGE') or 'no reason given'}"
        )
        return DeadLetter(letter.message_id, reason, poison=fault is not None)

    send = to_targets(sqs, target.client("events"), bus, {arn: queue_url for arn, (_, queue_url) in queues.items()})

    def ours() -> Mover:
        return SendThenDelete(sqs, url, send, clock=time.monotonic, sleep=time.sleep)

    return Lane(name, url, judge, ours, ours)


def event_fault(body: str) -> str | None:
    """Say why a body is not an event as EventBridge delivers it, or None."""
    try:
        match json.loads(body):
            case {"detail-type": str(), "source": str(), "detail": dict()}:
                return None
    except (ValueError, RecursionError):
        return "The message is not JSON."
    return "The message is not an EventBridge event."


def to_targets(sqs: Any, events: Any, bus: str, queues: Mapping[str, str]) -> Send:
    """Return what sends the dead letters of a bus's rules to the targets they name: queues by ARN, all else by the bus.

    EventBridge gives a dead letter the event as its body and RULE_ARN, TARGET_ARN, ERROR_CODE and ERROR_MESSAGE as
    attributes, which the target itself would not have had. Source: "Using dead-letter queues to process undelivered
    events in EventBridge", EventBridge user guide.
    """

    def send(letters: Sequence[Letter]) -> dict[str, str]:
        by_queue = defaultdict(list)
        for letter in letters:
            by_queue[queues.get(letter.text("TARGET_ARN") or "")].append(replace(letter, attributes={}))
        refused: dict[str, str] = {}
        for queue, of_queue in by_queue.items():
            refused |= to_queue(sqs, queue)(of_queue) if queue else _put_again(events, bus, of_queue)
        return refused

    return send


def _put_again(events: Any, bus: str, letters: Sequence[Letter]) -> dict[str, str]:
    entries = []
    for letter in letters:
        event = json.loads(letter.body)
        entries.append(
            {
                "EventBusName": bus,
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
            }
        )
    results = events.put_events(Entries=entries)["Entries"]
    return {
        letter.message_id: f"The bus did not take it: {result.get('ErrorMessage', result['ErrorCode'])}"
        for letter, result in zip(letters, results, strict=True)
        if "ErrorCode" in result
    }


def redrive(
    target: Target,
    resources: Mapping[str, str],
    names: Collection[str],
    *,
    rate: int,
    dry_run: bool,
    steps: Steps,
) -> dict[str, Redriven]:
    """Put back what is dead in the lanes that are named, or in all, `deliveries` among them; return what became of it.

    A dry run looks and changes nothing.

    Raises:
        WorkshopError: there is no such lane; or a move was refused or failed half-way, and what was moved stays moved.
    """
    found = lanes(target, resources)
    runs = workflow(target, resources)
    outcome = {}
    for name in chosen(names, [*found, *([DELIVERIES] if runs else [])]):
        with steps.step(name, "look at the dead" if dry_run else "put the dead back") as progress:
            if lane := found.get(name):
                outcome[name] = redrive_lane(target.client("sqs"), lane, rate=rate, dry_run=dry_run, progress=progress)
            elif runs:
                outcome[name] = redrive_deliveries(runs, rate=rate, dry_run=dry_run, progress=progress)
    return outcome


def as_document(outcome: Mapping[str, Redriven], *, dry_run: bool) -> dict[str, Any]:
    """Return the `redrive --json` document."""
    queues = {name: lane.as_document() for name, lane in outcome.items() if name != DELIVERIES}
    deliveries = outcome.get(DELIVERIES, Redriven()).as_document("delivery_id")
    return {"dry_run": dry_run, "queues": queues, DELIVERIES: deliveries}


def redrive_lane(sqs: Any, lane: Lane, *, rate: int, dry_run: bool, progress: Report) -> Redriven:
    """Move what is not poison out of one lane at `rate` messages a second at most."""
    dead = look(sqs, lane.url, lane.judge)
    poison = [letter for letter in dead if letter.poison]
    ready = [letter for letter in dead if not letter.poison]
    if dry_run or not ready:
        return Redriven(len(dead), 0, poison, ready)
    mover = lane.chooser() if poison else lane.mover()
    moved = mover.move([letter.message_id for letter in ready], rate=rate, progress=progress)
    left = [DeadLetter(message_id, reason, poison=False) for message_id, reason in moved.left.items()]
    return Redriven(len(dead), moved.count, poison + left)


def chosen(names: Collection[str], known: Collection[str]) -> list[str]:
    """Return the lanes that are asked for, all of them without a name; a queue may be named by either of its outputs.

    Raises:
        WorkshopError: there is no such lane.
    """
    wanted = [name.removesuffix(_DEAD_LETTERS).removesuffix("_queue") for name in names]
    for given, name in zip(names, wanted, strict=True):
        if name not in known:
            raise WorkshopError(
                f"There are no dead letters named {given!r} in this deployment.", f"Choose among: {', '.join(known)}."
            )
    return [name for name in known if name in wanted or not wanted]


class Stranded(NamedTuple):
    """A delivery that no run drives any more: why, the run to start, its input, and what is written down of it."""

    delivery_id: str
    reason: str
    poison: bool
    execution: str
    detail: str
    delivery: Delivery | None


class Deliveries(Protocol):
    """What is written down of the deliveries; `lambdas.adapters.deliveries` has them in DynamoDB."""

    def read(self, delivery_id: str) -> Delivery | None:
        """Return a delivery as last written."""

    def write(self, delivery: Delivery) -> None:
        """Write a delivery, or raise `Conflict` when the version before it is not the stored one."""


class Workflow:
    """The delivery workflow, as far as its ended runs are concerned."""

    def __init__(self, stepfunctions: Any, arn: str, deliveries: Deliveries, *, now: Callable[[], datetime]) -> None:
        """Prepare for the state machine with an ARN and the table its runs write to."""
        self._client = stepfunctions
        self._arn = arn
        self._deliveries = deliveries
        self._now = now

    def stranded(self) -> list[Stranded]:
        """Return the alerts whose latest run failed, timed out or was aborted, with nothing that drives them on.

        Step Functions remembers a run for 90 days. A delivery that was made, but not announced, is one of them: a new
        run finds it made, sends no truck, and announces.
        """
        latest: dict[str, int] = {}
        for status in ("FAILED", "TIMED_OUT", "ABORTED"):
            for page in self._client.get_paginator("list_executions").paginate(
                stateMachineArn=self._arn, statusFilter=status
            ):
                for run in page["executions"]:
                    if match := _RUN.fullmatch(run["name"]):
                        alert_id, attempt = match[1], int(match[2] or 1)
                        latest[alert_id] = max(attempt, latest.get(alert_id, 0))
        found = (self._stranded(alert_id, attempt) for alert_id, attempt in sorted(latest.items()))
        return [each for each in found if each]

    def _stranded(self, alert_id: str, attempt: int) -> Stranded | None:
        delivery = self._deliveries.read(alert_id)
        following = run_name(alert_id, attempt + 1)
        if self._run(following):  # it runs, or has succeeded
            return None
        run = self._run(run_name(alert_id, attempt))
        if run is None:
            return None
        if delivery and delivery.status == Status.IN_TRANSIT and delivery.execution != run["name"]:
            return None
        reason = (
            delivery and delivery.reason
        ) or f"{run.get('error') or run['status']}: {run.get('cause') or 'no cause'}"
        try:
            Call.parse(json.loads(run["input"]))
        except (BadCall, ValueError) as fault:
            return Stranded(alert_id, str(fault), True, following, run["input"], delivery)
        return Stranded(alert_id, reason, False, following, run["input"], delivery)

    def _run(self, name: str) -> dict[str, Any] | None:
        arn = self._arn.replace(":stateMachine:", ":execution:") + f":{name}"
        try:
            run: dict[str, Any] = self._client.describe_execution(executionArn=arn)
        except self._client.exceptions.ExecutionDoesNotExist:
            return None
        return run

    def restart(self, stranded: Stranded) -> str | None:
        """Start a new run, and return why not if somebody was quicker.

        It is written down as failed first, so that the new run may take it over. A kill in between leaves it failed,
        and the next redrive starts a run of the same name.
        """
        delivery = stranded.delivery
        try:
            if delivery and delivery.status == Status.IN_TRANSIT:
                self._deliveries.write(delivery.failed(stranded.reason, timestamp(self._now())))
            self._client.start_execution(stateMachineArn=self._arn, name=stranded.execution, input=stranded.detail)
        except (Conflict, self._client.exceptions.ExecutionAlreadyExists):
            return "Somebody else took it up meanwhile."
        return None


_RUN: Final = re.compile(r"(A-[A-Z0-9]+-[A-Z0-9]+-[0-9]+)(?:-([0-9]+))?")


def workflow(target: Target, resources: Mapping[str, str]) -> Workflow | None:
    """Return the delivery workflow, if it is deployed."""
    if "delivery_workflow" not in resources:
        return None
    table = DeliveriesTable(target.client("dynamodb"), resources["deliveries_table"], resources["shelves_table"])
    return Workflow(
        target.client("stepfunctions"), resources["delivery_workflow"], table, now=lambda: datetime.now(UTC)
    )


def redrive_deliveries(
    runs: Workflow, *, rate: int, dry_run: bool, sleep: Callable[[float], None] = time.sleep, progress: Report
) -> Redriven:
    """Restart what is stranded, but for what no truck can follow, at `rate` runs a second at most."""
    stranded = runs.stranded()
    result = Redriven(dead=len(stranded))
    for number, each in enumerate(stranded, start=1):
        letter = DeadLetter(each.delivery_id, each.reason, each.poison)
        if each.poison:
            result.left.append(letter)
        elif dry_run:
            result.ready.append(letter)
        elif fault := runs.restart(each):
            result.left.append(replace(letter, reason=fault))
        else:
            result.moved += 1
            sleep(1 / rate)
        progress(number / len(stranded))
    return result
