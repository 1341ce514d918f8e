"""Take a deployment down in an order in which nothing is lost half-way, and look at what is left of it.

Every step reads from AWS what there is still to do, so that a run that was interrupted anywhere is finished by another.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Literal

from botocore.exceptions import ClientError

from workshop import flow, inventory
from workshop.errors import WorkshopError
from workshop.inventory import Leftover
from workshop.steps import Report, Steps
from workshop.target import PROJECT_TAG, Target

STACK_SECONDS = 45 * 60
"""How long one stack may take to go: most take a minute or two, and this is an order of magnitude more."""

_LINGERING_SECONDS = 90
"""How long a list may show what is gone: a deleted queue for 60 s (DeleteQueue, SQS API reference), others for less."""
_BUFFER_SLACK_SECONDS = 60
_AT_WORK_SECONDS = 20
"""The longest that a function which is called by a queue may take."""
_FINISHING = re.compile(r"(?<!REVIEW)(?<!CREATE)_IN_PROGRESS$")
"""What CloudFormation is about and will not be interrupted in: one waits until it is done."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What was deleted, by name, and what is still there."""

    destroyed: list[str]
    remaining: list[Leftover]
    unseen: str | None = None
    """Why nobody has looked at what was deleted, if nobody has."""


def destroy(target: Target, steps: Steps) -> Destroyed:
    """Delete every stack of the project with all that it holds, and return what an inventory finds afterwards.

    First nothing starts any more, then nothing runs, then nothing is buffered; only then do stacks go, each before
    those whose values it uses. Safe to repeat, also when nothing is there.

    Raises:
        WorkshopError: StoreApp does not come to rest.
    """
    stacks = _in_order(target, _ours(target))
    resources: dict[str, str] = {}
    with suppress(WorkshopError):  # nothing of use is deployed any more
        resources = target.resources()
    known = {resource["PhysicalResourceId"] for stack in stacks for resource in _held_by(target, stack)}
    if schedules := list(_held(target, stacks, _SCHEDULE_TYPE)):
        with steps.step("schedule", "off: StoreApp starts no more"):
            for name in schedules:
                _switch(target, name, "DISABLED")
    if "store_app" in resources and "shelves_table" in resources:
        with steps.step("StoreApp", "until no run is under way") as progress:
            _wait_until_idle(target, resources, progress)
    if resources.keys() >= _NEEDED_TO_COUNT:
        with steps.step("Firehose", "until what is buffered is in the lake") as progress:
            _drain(target, resources, progress)
    if pollers := list(_held(target, stacks, _POLLER_TYPE)):
        with steps.step("queues", "polled no more, until no function is at work") as progress:
            for poller in pollers:
                _poll(target, poller, enabled=False)
            _wait_until_nothing_is_in_flight(target, resources, progress)
    if workflows := list(_held(target, stacks, "AWS::StepFunctions::StateMachine")):
        with steps.step("trucks", "stopped on the road"):
            for workflow in workflows:
                _stop_runs(target, workflow)
    destroyed = delete(target, stacks, steps)
    if stray := list(_stray_log_groups(target, known)):
        with steps.step("log groups", "those that no stack made"):
            for group in stray:
                target.client("logs").delete_log_group(logGroupName=group)
    with steps.step("inventory", "what is left, by tag and by name"):
        remaining = _settled_inventory(target, known)
    return Destroyed([*destroyed, *stray], remaining)


def delete(target: Target, stacks: Iterable[dict[str, Any]], steps: Steps) -> list[str]:
    """Delete stacks one after the other, each with what is in its buckets, and return those that are gone."""
    gone = []
    for stack in stacks:
        name = stack["StackName"]
        with steps.step("delete", name):
            if _delete(target, stack["StackId"]):
                gone.append(name)
    return gone


def in_reverse(target: Target, names: Iterable[str]) -> list[dict[str, Any]]:
    """Return some of the project's stacks by name, each before those whose values it uses."""
    wanted = set(names)
    return [stack for stack in _in_order(target, _ours(target)) if stack["StackName"] in wanted]


def switch_on(target: Target) -> None:
    """Have schedules start and queues be polled again, as a `destroy` that was given up has left them off."""
    stacks = target.stacks()
    for name in _held(target, stacks, _SCHEDULE_TYPE):
        _switch(target, name, "ENABLED")
    for poller in _held(target, stacks, _POLLER_TYPE):
        _poll(target, poller, enabled=True)


def _ours(target: Target) -> list[dict[str, Any]]:
    """Return the project's stacks, also those that have no tags yet because their first change set never ran."""
    pages = target.client("cloudformation").get_paginator("describe_stacks").paginate()
    found = [
        stack
        for page in pages
        for stack in page["Stacks"]
        if PROJECT_TAG in stack.get("Tags", [])
        or (stack["StackName"] in inventory.STACKS and stack["StackStatus"] == "REVIEW_IN_PROGRESS")
    ]
    return sorted(found, key=lambda stack: stack["CreationTime"])


def _in_order(target: Target, stacks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return stacks in the order in which they can go: who imports a value before whoever exports it.

    The times at which they were made do not tell: a stack that is added later may be used by an earlier one, which has
    been updated since. Among those that do not use one another, the youngest goes first.
    """
    by_name = {stack["StackName"]: stack for stack in stacks}
    exporters = {
        output["ExportName"]: stack["StackName"]
        for stack in stacks
        for output in stack.get("Outputs", [])
        if "ExportName" in output
    }
    users: dict[str, set[str]] = {name: set() for name in reversed(by_name)}
    for stack in stacks:
        for export in _imports(_template(target, stack["StackId"])):
            if export in exporters:
                users[exporters[export]].add(stack["StackName"])
    return [by_name[name] for name in TopologicalSorter(users).static_order()]


def _template(target: Target, stack_id: str) -> Any:
    try:
        return target.client("cloudformation").get_template(StackName=stack_id)["TemplateBody"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return {}  # a stack whose first change set never ran has none


def _imports(template: Any) -> Iterator[str]:
    """Return what a template imports by a plain name, as CDK does."""
    if isinstance(template, dict):
        for key, value in template.items():
            if key == "Fn::ImportValue" and isinstance(value, str):
                yield value
            else:
                yield from _imports(value)
    elif isinstance(template, list):
        for each in template:
            yield from _imports(each)


def _held_by(target: Target, stack: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the resources that a stack has made and not deleted."""
    pages = target.client("cloudformation").get_paginator("list_stack_resources")
    for page in pages.paginate(StackName=stack["StackId"]):
        for resource in page["StackResourceSummaries"]:
            if resource.get("PhysicalResourceId") and resource["ResourceStatus"] != "DELETE_COMPLETE":
                yield resource


_SCHEDULE_TYPE = "AWS::Scheduler::Schedule"
_POLLER_TYPE = "AWS::Lambda::EventSourceMapping"


def _held(target: Target, stacks: Iterable[dict[str, Any]], kind: str) -> Iterator[str]:
    """Return the physical ids of what stacks hold of one resource type."""
    for stack in stacks:
        for resource in _held_by(target, stack):
            if resource["ResourceType"] == kind:
                yield resource["PhysicalResourceId"]


def _switch(target: Target, schedule: str, state: Literal["ENABLED", "DISABLED"]) -> None:
    """Switch a schedule, unless a deletion under way has got to it first.

    An update replaces it as a whole (UpdateSchedule, EventBridge Scheduler API reference).
    """
    scheduler = target.client("scheduler")
    with suppress(scheduler.exceptions.ResourceNotFoundException):
        now = scheduler.get_schedule(Name=schedule)
        if now["State"] != state:
            kept = {name: now[name] for name in _SCHEDULE if name in now}
            scheduler.update_schedule(**kept, State=state)


def _poll(target: Target, poller: str, *, enabled: bool) -> None:
    """Have Lambda poll a queue or not, unless a deletion under way has got to it first."""
    functions = target.client("lambda")
    with suppress(functions.exceptions.ResourceNotFoundException):
        is_off = functions.get_event_source_mapping(UUID=poller)["State"] in ("Disabling", "Disabled")
        if is_off == enabled:
            functions.update_event_source_mapping(UUID=poller, Enabled=enabled)


def _wait_until_nothing_is_in_flight(target: Target, resources: dict[str, str], progress: Report) -> None:
    """Wait until no message is at a function, or for as long as a function may take: it writes a log until then."""
    begun = time.monotonic()
    while (waited := time.monotonic() - begun) < _AT_WORK_SECONDS:
        if not any(depths["in_flight"] for depths in flow.queues(target, resources).values()):
            return
        progress(waited / _AT_WORK_SECONDS)
        time.sleep(0.1 if target.endpoint else 2)


def _stop_runs(target: Target, workflow: str) -> None:
    """Stop the runs of a workflow: they would go on while it is being deleted, and fail where its parts are gone."""
    states = target.client("stepfunctions")
    with suppress(states.exceptions.StateMachineDoesNotExist):
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=workflow, statusFilter="RUNNING")
        for run in [run for page in pages for run in page["executions"]]:
            with suppress(states.exceptions.ExecutionDoesNotExist):
                states.stop_execution(executionArn=run["executionArn"], cause="everything is being destroyed")


_SCHEDULE = (
    "Name",
    "GroupName",
    "Description",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "StartDate",
    "EndDate",
    "KmsKeyArn",
    "Target",
    "ActionAfterCompletion",
)


def _wait_until_idle(target: Target, resources: dict[str, str], progress: Report) -> None:
    """Wait until StoreApp's log shows no run without an end, and its books have stood still for a moment.

    Lambda cannot be asked what runs. On AWS the log tells, to which it writes each start and each report; the embedded
    AWS writes both at the end, and there the books tell.

    Raises:
        WorkshopError: a run goes on for longer than Lambda lets it.
    """
    function = target.client("lambda").get_function_configuration(FunctionName=resources["store_app"])
    longest = function["Timeout"] + _BUFFER_SLACK_SECONDS
    group = function.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{resources['store_app']}")
    begun = time.monotonic()
    since = int((time.time() - longest) * 1000)
    before = None
    while (waited := time.monotonic() - begun) < longest:
        books = sorted(flow.books(target, resources))
        if books == before and not _under_way(target, group, since):
            return
        before = books
        progress(waited / longest)
        time.sleep(0.3 if target.endpoint else 5)
    raise WorkshopError(
        f"StoreApp still runs after {longest:.0f} s.",
        "Somebody starts it again and again; stop them, then repeat the command.",
    )


def _under_way(target: Target, group: str, since: int) -> int:
    """Return how many runs have a start in the log and no report.

    Lambda writes `platform.start` and `platform.report`, which are of level INFO, by default ("Configuring JSON and
    plain text log formats", Lambda developer guide). A run that is retried starts again under the same id.
    """
    pattern = '{ $.type = "platform.start" || $.type = "platform.report" }'
    pages = target.client("logs").get_paginator("filter_log_events")
    runs: Counter[str] = Counter()
    try:
        for page in pages.paginate(logGroupName=group, startTime=since, filterPattern=pattern):
            for event in page["events"]:
                line = _parsed(event["message"])
                run = line.get("record", {}).get("requestId")
                runs[run] += {"platform.start": 1, "platform.report": -1}.get(line.get("type", ""), 0)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
    return sum(count > 0 for count in runs.values())


def _parsed(line: str) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


_NEEDED_TO_COUNT = {"delivery_stream", "shelves_table", "database", "workgroup"}


def _drain(target: Target, resources: dict[str, str], progress: Report) -> None:
    """Wait until the lake holds all that the stores' books say was sent, or for as long as the stream may buffer.

    A stream that is being deleted makes no guarantee to deliver (DeleteDeliveryStream, Data Firehose API reference).
    What Firehose failed to deliver never comes, so the wait ends.
    """
    within = 15.0 if target.endpoint else _buffering_seconds(target, resources["delivery_stream"])
    try:
        flow.wait_until_queryable(target, resources, within=within, progress=progress)
    except (WorkshopError, ClientError):
        # Late, or the table is gone already. The rest goes with the bucket.
        return


def _buffering_seconds(target: Target, stream: str) -> float:
    """Return how long a record may wait: in the processor's buffer, then in the destination's, with some slack."""
    described = target.client("firehose").describe_delivery_stream(DeliveryStreamName=stream)
    [destination] = described["DeliveryStreamDescription"]["Destinations"]
    to_s3 = destination["ExtendedS3DestinationDescription"]
    processors = [
        int(parameter["ParameterValue"])
        for processor in to_s3.get("ProcessingConfiguration", {}).get("Processors", ())
        for parameter in processor["Parameters"]
        if parameter["ParameterName"] == "BufferIntervalInSeconds"
    ]
    return float(to_s3["BufferingHints"]["IntervalInSeconds"] + sum(processors) + _BUFFER_SLACK_SECONDS)


def _delete(target: Target, stack_id: str) -> bool:
    """Delete a stack, also one whose deletion, update or creation has failed, and return whether it is gone.

    What cannot be deleted is tried twice; then the stack is let go without it: FORCE_DELETE_STACK deletes a stack that
    is "stuck in a DELETE_FAILED state due to resource deletion failure" (DeleteStack, CloudFormation API reference).
    """
    cloudformation = target.client("cloudformation")
    for mode in ("STANDARD", "STANDARD", "FORCE_DELETE_STACK"):
        status = _when(target, stack_id, lambda status: not _FINISHING.search(status))
        if status is None or (mode == "FORCE_DELETE_STACK" and status != "DELETE_FAILED"):
            break
        for resource in _held_by(target, {"StackId": stack_id}):
            if resource["ResourceType"] == "AWS::S3::Bucket":
                empty(target, resource["PhysicalResourceId"])
        try:
            cloudformation.delete_stack(StackName=stack_id, DeletionMode=mode)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            break  # it is protected, or a stack of somebody else's imports from it: the inventory names it
        _when(target, stack_id, lambda status: status != "DELETE_IN_PROGRESS")
    return _status(target, stack_id) is None


def _when(target: Target, stack_id: str, done: Callable[[str], bool]) -> str | None:
    """Wait until a stack's status is as told, and return it; None once the stack is gone.

    Raises:
        WorkshopError: that is not so after STACK_SECONDS.
    """
    deadline = time.monotonic() + STACK_SECONDS
    while (status := _status(target, stack_id)) is not None and not done(status):
        if time.monotonic() > deadline:
            raise WorkshopError(
                f"{stack_id} is still at {status} after {STACK_SECONDS // 60} minutes.",
                "CloudFormation's events of the stack say why; then repeat the command.",
            )
        time.sleep(0.05 if target.endpoint else 5)
    return status


def _status(target: Target, stack_id: str) -> str | None:
    try:
        [stack] = target.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return None
    status: str = stack["StackStatus"]
    return None if status == "DELETE_COMPLETE" else status


def empty(target: Target, bucket: str) -> None:
    """Delete every version, every delete marker and every unfinished upload in a bucket. One that is gone is empty."""
    s3 = target.client("s3")
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            objects = [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
            if objects:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
            for upload in page.get("Uploads", ()):
                s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    except s3.exceptions.NoSuchBucket:
        return


def _stray_log_groups(target: Target, known: set[str]) -> Iterator[str]:
    """Return the log groups that services made for what our stacks held: named after it, so nobody else's.

    A late line brings one back that a stack had made. A function's is /aws/lambda/NAME, a stream's
    /aws/kinesisfirehose/NAME, a workflow's under /aws/vendedlogs/states/.
    """
    names = {name.rpartition(":")[2] for name in known}
    ours = re.compile(rf"/aws/(lambda|kinesisfirehose|vendedlogs/states)/({'|'.join(inventory.STACKS)})-")
    for page in target.client("logs").get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            name: str = group["logGroupName"]
            if name in known or (name.startswith("/aws/") and (ours.match(name) or name.rpartition("/")[2] in names)):
                yield name


def _settled_inventory(target: Target, known: set[str]) -> list[Leftover]:
    """Take the inventory, on AWS until it is empty or lists have had the time to forget what is gone."""
    deadline = time.monotonic() + (0 if target.endpoint else _LINGERING_SECONDS)
    while (remaining := inventory.take(target, known)) and time.monotonic() < deadline:
        time.sleep(10)
    return remaining
