"""Lesson 7: StoreApp was refused what its role does not allow, and has its permissions again; an alarm was tried."""

from workshop import flow
from workshop.lessons.goals import Deployment, Finding, Goal

_STORE_APP = "StoreApp errors"
_NEEDED = "firehose:PutRecordBatch"


def _refused(deployed: Deployment) -> Finding:
    target = deployed.target
    configuration = target.client("lambda").get_function_configuration(FunctionName=deployed.resources["store_app"])
    pages = (
        target.client("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=configuration["LoggingConfig"]["LogGroup"], filterPattern="AccessDeniedException")
    )
    refused = any(page["events"] for page in pages)
    may = _may_send(deployed, configuration["Role"].rpartition("/")[2])
    found = f"{'a' if refused else 'no'} refusal in StoreApp's log, and it may {'' if may else 'not '}send"
    return Finding(refused and may, found)


def _may_send(deployed: Deployment, role: str) -> bool:
    iam = deployed.target.client("iam")
    statements = [
        statement
        for page in iam.get_paginator("list_role_policies").paginate(RoleName=role)
        for name in page["PolicyNames"]
        for statement in iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]["Statement"]
    ]
    return any(_NEEDED in statement["Action"] for statement in statements)


def _tried(deployed: Deployment) -> Finding:
    state = flow.alarms(deployed.target, deployed.resources).get(_STORE_APP, "not deployed")
    return Finding(state == "OK", f"the alarm {_STORE_APP} is at {state}")


GOALS = (
    Goal(
        "StoreApp was refused what no policy allows, and has its policy back.",
        "Take StoreApp's policy away where policies are enforced, run `python3 -m workshop generate`, put it back.",
        _refused,
    ),
    Goal(
        "An alarm was tried, and is over.",
        "Set the state of the alarm StoreAppErrors to ALARM, look at `python3 -m workshop status`, set it to OK.",
        _tried,
    ),
)
