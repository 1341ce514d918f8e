"""Does every permission earn its place? Each is taken away from the running pipeline, and something has to fail.

Run as `python -m benchmarks.least_privilege`; it writes docs/least-privilege.md, and fails when a permission is neither
missed here nor asked for by AWS. The pipeline runs in the embedded AWS with IAM policies enforced. Of every role and
every queue, each statement that allows something is taken out of the deployed policy, and each of its actions alone;
the smallest probe that needs it is run, and the policy is put back.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from tests.unit.stock_events import event
from workshop.ask import ask
from workshop.local_aws import launcher
from workshop.local_aws.home import Home
from workshop.places import ROOT
from workshop.target import Target, local_target

DOCUMENT = ROOT / "docs" / "least-privilege.md"
PATIENCE = 10.0
"""Seconds until what usually takes one or two counts as failed."""
RECOVERY = 60.0

_GRANT_S3 = '"Grant Firehose access to an Amazon S3 destination", Data Firehose developer guide'
_GRANT_GLUE = '"Grant Firehose access to AWS Glue for data format conversion", Data Firehose developer guide'
_TRACES = '"Visualize Lambda function invocations using AWS X-Ray", Lambda developer guide'
_FLOWS = '"Trace Step Functions request data in AWS X-Ray", Step Functions developer guide'
_UNDELIVERED = '"Using dead-letter queues to process undelivered events", EventBridge user guide'
ASKED_FOR_BY_AWS: Mapping[tuple[str, str], str] = {
    **{("Function", f"xray:{each}"): _TRACES for each in ("PutTraceSegments", "PutTelemetryRecords")},
    **{
        ("WorkflowRole", f"xray:{each}"): _FLOWS
        for each in ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")
    },
    **{
        ("StreamRole", f"s3:{each}"): _GRANT_S3
        for each in (
            *("AbortMultipartUpload", "GetBucketLocation", "GetObject"),
            *("ListBucket", "ListBucketMultipartUploads"),
        )
    },
    ("StreamRole", "lambda:GetFunctionConfiguration"): _GRANT_S3,
    ("StreamRole", "logs:PutLogEvents"): _GRANT_S3,
    ("StreamRole", "glue:GetTableVersion"): _GRANT_GLUE,
    ("StreamRole", "glue:GetTableVersions"): _GRANT_GLUE,
    ("TruckBusDeadLetters", "sqs:SendMessage"): _UNDELIVERED,
}
"""What the embedded AWS does without: it keeps no traces, its Firehose reads less than AWS's and keeps no log, and no
target of a rule is ever out of its reach. By the policy's owner, `Function` for each that has traces, and the action.
"""


class Harmed(Exception):
    """A probe failed; the message says how."""


@dataclass(frozen=True)
class Policy:
    """A policy as it is deployed: `owner` is its role or queue as the template names it, without CDK's digest."""

    owner: str
    document: Mapping[str, Any]
    write: Callable[[Mapping[str, Any]], None]

    def mutants(self) -> Iterator["Mutant"]:
        """Yield the policy without each statement that allows something, and without each of several actions."""
        statements = self.document["Statement"]
        for place, statement in enumerate(statements):
            if statement["Effect"] != "Allow":
                continue
            others = [other for index, other in enumerate(statements) if index != place]
            actions = listed(statement["Action"])
            yield Mutant(self, statement, tuple(actions), others)
            for action in actions if len(actions) > 1 else ():
                kept = {**statement, "Action": [other for other in actions if other != action]}
                yield Mutant(self, statement, (action,), [*others, kept])


@dataclass(frozen=True)
class Mutant:
    """A policy with less in it: `taken` are the actions that `statement` does not allow any more."""

    policy: Policy
    statement: Mapping[str, Any]
    taken: tuple[str, ...]
    left: list[Mapping[str, Any]]

    @property
    def is_whole_statement(self) -> bool:
        """Whether nothing of the statement is left."""
        return len(self.taken) == len(listed(self.statement["Action"]))

    def reason(self) -> str | None:
        """Return the page on which AWS asks for all that was taken, for what the embedded AWS does without."""
        owner = self.policy.owner
        reasons = [
            ASKED_FOR_BY_AWS.get((owner, action)) or ASKED_FOR_BY_AWS.get(("Function", action)) for action in self.taken
        ]
        return "; ".join(sorted({each for each in reasons if each})) if all(reasons) else None


@dataclass(frozen=True)
class Verdict:
    """What came of a mutant: how the probe was harmed, or None."""

    mutant: Mutant
    harm: str | None


class Pipeline:
    """The deployed pipeline, and the smallest use of each part that needs all that its role allows."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._numbers = count(1)
        self._resources = target.resources()
        self.probes: Mapping[str, Callable[[], None]] = {
            "StoreAppRole": self._trade,
            "IntakeRole": self._screen,
            "StreamRole": self._deliver,
            "StockAlertRole": self._notice,
            "DeliveryRole": self._drive,
            "WorkflowRole": self._run_workflow,
            "TruckDispatchRole": self._call_truck,
            "SightingsQueue": self._hear_of_delivery,
            "TruckCallsQueue": self._hear_of_alert,
            "TruckBusDeadLetters": lambda: None,
        }

    def policies(self) -> list[Policy]:
        """Return the policies of every role and queue of the stacks."""
        found: list[Policy] = []
        for stack in self._target.stacks():
            pages = self._target.client("cloudformation").get_paginator("list_stack_resources")
            for page in pages.paginate(StackName=stack["StackName"]):
                for each in page["StackResourceSummaries"]:
                    owner, name = each["LogicalResourceId"][:-8], each["PhysicalResourceId"]
                    if each["ResourceType"] == "AWS::IAM::Role":
                        found += self._of_role(owner, name)
                    elif each["ResourceType"] == "AWS::SQS::Queue":
                        found.append(self._of_queue(owner, name))
        return found

    def judge(self, mutant: Mutant) -> Verdict:
        """Put a mutant in its policy's place, run the probe, and put the policy back."""
        policy = mutant.policy
        policy.write({**policy.document, "Statement": mutant.left})
        harm = None
        try:
            self.probes[policy.owner]()
        except Harmed as harmed:
            harm = str(harmed)
        finally:
            policy.write(policy.document)
        if harm:
            self.recover(policy.owner)
        return Verdict(mutant, harm)

    def recover(self, owner: str) -> None:
        """Wait until a probe succeeds again: Firehose, once refused, waits ever longer before it tries again."""
        deadline = time.monotonic() + RECOVERY
        while True:
            try:
                return self.probes[owner]()
            except Harmed:
                if time.monotonic() > deadline:
                    raise

    def _of_role(self, role: str, name: str) -> Iterator[Policy]:
        iam = self._target.client("iam")

        def write_to(policy: str, document: Mapping[str, Any]) -> None:
            if document["Statement"]:
                iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
            else:  # IAM refuses a policy without a statement
                iam.delete_role_policy(RoleName=name, PolicyName=policy)

        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            yield Policy(role, document, lambda document, policy=policy: write_to(policy, document))  # type: ignore[misc]

    def _of_queue(self, queue: str, url: str) -> Policy:
        sqs = self._target.client("sqs")
        document = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]

        def write(document: Mapping[str, Any]) -> None:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document)})

        return Policy(queue, json.loads(document), write)

    # ---- the probes ----------------------------------------------------------------------------------------------

    def _trade(self) -> None:
        # A store trades for the first time, and goes on.
        store = 4_000 + next(self._numbers)
        for _ in range(2):
            self._invoke("store_app", {"hours": 24, "stores": 1, "products": 5, "first_store": store})

    def _screen(self) -> None:
        lines = json.dumps(_low_shelf(self._shelf())) + "\nnot JSON at all\n"
        record = {
            "recordId": f"probe-{next(self._numbers)}",
            "approximateArrivalTimestamp": int(time.time() * 1000),
            "data": base64.b64encode(lines.encode()).decode(),
        }
        self._invoke("intake", {"invocationId": "probe", "records": [record]})

    def _deliver(self) -> None:
        told = _low_shelf(self._shelf()) | {"stock": 100}
        self._target.client("firehose").put_record(
            DeliveryStreamName=self._resources["delivery_stream"], Record={"Data": json.dumps(told).encode() + b"\n"}
        )
        sql = f"SELECT 1 FROM stock_events WHERE event_id = '{told['event_id']}'"  # noqa: S608 - made here
        self._expect("what was sent is not in the lake", lambda: ask(self._target, self._resources, sql).rows)

    def _notice(self) -> None:
        shelf = self._shelf()
        self._invoke("stock_alert", {"Records": [self._message(_sightings(shelf))]})
        self._expect("the episode is not kept", lambda: self._alert(shelf))
        self._invoke("stock_alert", {"Records": [self._message(_envelope("DeliveryCompleted", _delivered(shelf)))]})
        queued = self._shelf()
        self._send("sightings_queue", _sightings(queued))
        self._expect("the queue of the sightings is not worked off", lambda: self._alert(queued))

    def _drive(self) -> None:
        detail = _called(self._shelf())
        run = {"execution": "probe", "detail": detail}
        sent = self._invoke("DeliveryFunction", {**run, "step": "dispatch"})
        self._invoke("DeliveryFunction", {**run, "step": "unload", "delivery_id": sent["delivery_id"]})

    def _run_workflow(self) -> None:
        detail = _called(self._shelf())
        run = self._workflow.start_execution(
            stateMachineArn=self._resources["delivery_workflow"], name=detail["alert_id"], input=json.dumps(detail)
        )["executionArn"]
        self._expect(
            "the run of the workflow does not succeed",
            lambda: self._workflow.describe_execution(executionArn=run)["status"] == "SUCCEEDED",
        )

    def _call_truck(self) -> None:
        detail, queued = _called(self._shelf()), _called(self._shelf())
        self._invoke("TruckDispatchFunction", {"Records": [self._message(_envelope("StockBelowThreshold", detail))]})
        self._send("truck_calls_queue", _envelope("StockBelowThreshold", queued))
        self._expect("the queue of the calls is not worked off", lambda: self._is_called(queued["alert_id"]))

    def _hear_of_delivery(self) -> None:
        shelf = self._shelf()
        self._invoke("stock_alert", {"Records": [self._message(_sightings(shelf))]})
        detail = {**_delivered(shelf), "alert_id": self._expect("no alert", lambda: self._alert(shelf))}
        self._announce("inventory.trucks", "DeliveryCompleted", detail)
        self._expect(
            "the delivery is not noted with its alert", lambda: "delivered_at" in json.dumps(self._episode(shelf))
        )

    def _hear_of_alert(self) -> None:
        detail = _called(self._shelf())
        self._announce("inventory.alerts", "StockBelowThreshold", detail)
        self._expect("no truck is called", lambda: self._is_called(detail["alert_id"]))

    # ---- what probes are made of ---------------------------------------------------------------------------------

    @cached_property
    def _workflow(self) -> Any:
        return self._target.client("stepfunctions")

    @cached_property
    def _functions(self) -> Mapping[str, str]:
        pages = self._target.client("lambda").get_paginator("list_functions").paginate()
        return {each["FunctionName"]: each["LoggingConfig"]["LogGroup"] for page in pages for each in page["Functions"]}

    def _shelf(self) -> str:
        """Return a product that no probe has used, of a store that has traded."""
        return f"Q{os.getpid()}X{next(self._numbers)}"

    def _invoke(self, name: str, payload: Mapping[str, Any]) -> Any:
        """Invoke a function, named by a stack's output or by the template, and see that it succeeds and logs."""
        function = self._resources.get(name) or next(each for each in self._functions if f"-{name}" in each)
        logs, group = self._target.client("logs"), self._functions[function]
        began = int(time.time() * 1000)
        answer = self._target.client("lambda").invoke(FunctionName=function, Payload=json.dumps(payload))
        body = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise Harmed(f"the function fails: {body['errorType']}")
        if body.get("batchItemFailures"):
            raise Harmed("the function gives the message back")
        self._expect(
            "the function's log stays empty",
            lambda: logs.filter_log_events(logGroupName=group, startTime=began)["events"],
        )
        return body

    def _message(self, body: str) -> Mapping[str, Any]:
        return {"messageId": f"probe-{next(self._numbers)}", "body": body, "attributes": {}}

    def _send(self, queue: str, body: str) -> None:
        self._target.client("sqs").send_message(QueueUrl=self._resources[queue], MessageBody=body)

    def _announce(self, source: str, kind: str, detail: Mapping[str, Any]) -> None:
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail)}
        bus = self._resources["truck_bus"]
        self._target.client("events").put_events(Entries=[{**entry, "EventBusName": bus}])

    def _episode(self, shelf: str) -> Mapping[str, Any] | None:
        found = self._target.client("dynamodb").query(
            TableName=self._resources["alerts_table"],
            KeyConditionExpression="shelf = :shelf",
            ExpressionAttributeValues={":shelf": {"S": f"S00001-{shelf}"}},
        )["Items"]
        return found[0] if found else None

    def _alert(self, shelf: str) -> str | None:
        return _alert_id(shelf) if self._episode(shelf) else None

    def _is_called(self, alert_id: str) -> bool:
        arn = self._resources["delivery_workflow"].replace(":stateMachine:", ":execution:") + f":{alert_id}"
        try:
            self._workflow.describe_execution(executionArn=arn)
        except self._workflow.exceptions.ExecutionDoesNotExist:
            return False
        return True

    def _expect(self, otherwise: str, found: Callable[[], Any]) -> Any:
        """Ask until the answer is true, and return it; Harmed when the patience ends."""
        deadline = time.monotonic() + PATIENCE
        while not (answer := found()):
            if time.monotonic() > deadline:
                raise Harmed(otherwise)
            time.sleep(0.1)
        return answer


def listed(value: str | list[str]) -> list[str]:
    """Return a policy's value as the list that it may be."""
    return [value] if isinstance(value, str) else list(value)


def _alert_id(shelf: str) -> str:
    return f"A-S00001-{shelf}-1"


def _low_shelf(shelf: str) -> dict[str, Any]:
    return event(product_id=shelf, event_id=f"S00001-{shelf}-1", stock=5, threshold=28, units_sold=30)


def _sightings(shelf: str) -> str:
    return json.dumps({"token": f"probe/{shelf}", "events": [_low_shelf(shelf)]})


def _envelope(kind: str, detail: Mapping[str, Any]) -> str:
    return json.dumps({"source": "inventory.probe", "detail-type": kind, "detail": detail})


def _called(shelf: str) -> dict[str, Any]:
    store = {"store_id": "S00001", "latitude": 51.0, "longitude": 5.0}
    return {
        "version": 1,
        "alert_id": _alert_id(shelf),
        "store": store,
        "product": {"product_id": shelf},
        "recommended_quantity": 1,
    }


def _delivered(shelf: str) -> dict[str, Any]:
    return {
        "version": 1,
        "delivery_id": _alert_id(shelf),
        "alert_id": _alert_id(shelf),
        "store_id": "S00001",
        "product_id": shelf,
        "units": 1,
        "delivered_at": "2026-01-05T12:00:00.000Z",
    }


def start(home: Path) -> Target:
    """Bring the workshop up in a home, with IAM policies enforced: a day's trading, deliveries, alerts and trucks."""
    environment = {**os.environ, "WORKSHOP_HOME": str(home), "WORKSHOP_CONSOLE": "no"}
    endpoint = launcher.start(Home(home / "local"), enforce_iam=True).endpoint
    subprocess.run([sys.executable, "-m", "workshop", "up"], cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
    return local_target(endpoint)


def table(verdicts: list[Verdict]) -> str:
    """Return a row for each mutant; raise SystemExit when one harms nothing and AWS does not ask for it."""
    rows = ["| role or queue | taken away | on | without it |", "|---|---|---|---|"]
    superfluous = []
    for verdict in verdicts:
        mutant = verdict.mutant
        without = verdict.harm or (f"AWS asks for it: {mutant.reason()}" if mutant.reason() else "nothing fails")
        if not (verdict.harm or mutant.reason()):
            superfluous.append(f"{mutant.policy.owner} {', '.join(mutant.taken)}")
        taken = ", ".join(f"`{action}`" for action in mutant.taken)
        on = ", ".join(f"`{_nameless(arn)}`" for arn in listed(mutant.statement["Resource"]))
        rows.append(f"| {mutant.policy.owner} | {taken} | {on if mutant.is_whole_statement else '″'} | {without} |")
    if superfluous:
        print("\n".join(rows))
        sys.exit("Superfluous: " + "; ".join(superfluous))
    return "\n".join(rows)


def tally(verdicts: list[Verdict]) -> str:
    """Return how many there are, how many harmed something, and for how many AWS's word has to do; none is left."""
    harmed = sum(verdict.harm is not None for verdict in verdicts)
    return f"{len(verdicts)} | {harmed} | {len(verdicts) - harmed} | 0"


def _nameless(arn: str) -> str:
    """Leave out of an ARN what differs from deployment to deployment."""
    _, _, service, _, _, name = arn.split(":", 5) if ":" in arn else ("", "", "", "", "", arn)
    return re.sub(r"[0-9A-F]{8}-[0-9A-F]{10,}", "", f"{service} {name}".strip(), flags=re.IGNORECASE)


def main() -> None:
    """Judge every mutant and write the document."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        try:
            pipeline = Pipeline(start(home))
            for owner in pipeline.probes:
                pipeline.recover(owner)
            verdicts = []
            for policy in pipeline.policies():
                for mutant in policy.mutants():
                    verdicts.append(pipeline.judge(mutant))
                    print(policy.owner, ", ".join(mutant.taken), "→", verdicts[-1].harm, file=sys.stderr)
            whole = [verdict for verdict in verdicts if verdict.mutant.is_whole_statement]
            single = [verdict for verdict in verdicts if len(verdict.mutant.taken) == 1]
            text = _TEXT.format(table=table(verdicts), statements=tally(whole), actions=tally(single))
            DOCUMENT.write_text(text, encoding="utf-8")
        finally:
            launcher.stop(Home(home / "local"))


_TEXT = """# Least privilege

Which permission could be left out? None. Each was taken away from the running pipeline, and this failed:

```
python -m benchmarks.least_privilege
```

The command deploys the stacks into the embedded AWS with IAM policies enforced
(`python -m workshop.local_aws.server --enforce-iam`), has a day traded, and takes out of the policies of each role and
each queue every statement that allows something, then each of its actions alone (″ is the same resource). It runs the
smallest probe that needs the permission, puts the policy back and waits until the probe succeeds again. It fails when
nothing else fails, unless a page of AWS's asks for the permission and the embedded AWS does without it. The end-to-end
tests do so with a choice of them.

All of the end-to-end tests run so, too:

```
WORKSHOP_ENFORCE_IAM=yes python3 -m workshop test tests/e2e
```

| of | tried | something failed | AWS alone needs it | superfluous |
|---|---|---|---|---|
| statements | {statements} |
| actions | {actions} |

Not tried, for nothing runs there that could fail:

- The statements that deny what comes without TLS: the embedded AWS is reached on 127.0.0.1 alone, and takes TLS as
  given.
- Who may publish to the topic of the alarms: the embedded AWS raises no alarm.
- What is deployed only on AWS or on demand: CDK's bucket emptier, the schedule's role and the webhook's role, of one
  statement each.
- Whether Firehose may read that one table: the embedded AWS decides by its database.

{table}
"""


if __name__ == "__main__":
    main()
