"""Lesson 6: what failed was put back, by replay and by redrive, and nothing is left over."""

from workshop import flow
from workshop.lessons.goals import Deployment, Finding, Goal
from workshop.replay import ERRORS, REPLAYED, listed

_NO_TRUCK = '"No truck was called"'
"""The message of the truck dispatch's log line, as a filter pattern of CloudWatch Logs."""


def _replayed(deployed: Deployment) -> Finding:
    counts = flow.count(deployed.target, deployed.resources)
    put_back, failed = (_objects(deployed, prefix) for prefix in (REPLAYED + ERRORS, ERRORS))
    found = (
        f"{put_back} objects under replayed/errors/, {failed} under errors/, "
        f"{counts['unique']:,} of {counts['sent']:,} events in the lake"
    )
    return Finding(put_back > 0 and not failed and counts["unique"] >= counts["sent"], found)


def _objects(deployed: Deployment, prefix: str) -> int:
    return sum(1 for _ in listed(deployed.target.client("s3"), deployed.resources["lake_bucket"], prefix))


def _redriven(deployed: Deployment) -> Finding:
    if "truck_calls_queue" not in deployed.resources:
        return Finding(reached=False, found="no trucks are deployed here")
    refused = _logged(deployed)
    dead = sum(depth["dead"] for depth in flow.queues(deployed.target, deployed.resources).values())
    found = f"{'some calls' if refused else 'no call'} failed, by the truck dispatch's log, and {dead} are dead"
    return Finding(refused and not dead, found)


def _logged(deployed: Deployment) -> bool:
    """Say whether the function that works off the calls has written that one failed."""
    target = deployed.target
    queue = target.client("sqs").get_queue_attributes(
        QueueUrl=deployed.resources["truck_calls_queue"], AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    functions = target.client("lambda")
    [mapping] = functions.list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]
    configuration = functions.get_function_configuration(FunctionName=mapping["FunctionArn"])
    pages = (
        target.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=configuration["LoggingConfig"]["LogGroup"], filterPattern=_NO_TRUCK)
    )
    return any(page["events"] for page in pages)


GOALS = (
    Goal(
        "What the intake failed on was replayed, and every event is in the lake.",
        "Break the intake, let the stores trade, mend it, then run `python3 -m workshop replay --errors`.",
        _replayed,
    ),
    Goal(
        "Calls for trucks became dead letters, and were redriven.",
        "Tell the truck dispatch a wrong workflow, let shelves run low, mend it, then `python3 -m workshop redrive`.",
        _redriven,
    ),
)
