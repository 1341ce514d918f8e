"""A deployment in moto's services is destroyed, and destroyed again after an interrupt at any call: nothing is left."""

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from tests.adapters.imitated_aws import imitated_aws
from tests.adapters.test_inventory import RIGHTS, function, stream
from tests.unit.cloudformation import CloudFormation, Stack
from workshop import destroying, flow, inventory
from workshop.destroying import Destroyed
from workshop.steps import Steps
from workshop.target import Target

BUCKET, STORE_APP, SCHEDULE = "inventorylake-lake1", "InventoryIngest-StoreApp", "InventoryIngest-Trading"
STREAM, ROLE = "InventoryIngest-StockEvents", f"role-of-{STORE_APP}"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setattr("workshop.destroying.time.sleep", lambda _: None)
    monkeypatch.setattr(destroying, "_LINGERING_SECONDS", 0)
    with imitated_aws() as target:
        yield target


def deploy(aws: Target) -> CloudFormation:
    """Make a lake with versions, markers and unfinished uploads, and a StoreApp on a schedule that logs elsewhere."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="before versions", Body=b"0")
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key="events", Body=str(number).encode())
    s3.delete_object(Bucket=BUCKET, Key="events")
    s3.create_multipart_upload(Bucket=BUCKET, Key="unfinished")
    function(aws, STORE_APP)
    for group in (f"/aws/lambda/{STORE_APP}", f"/aws/kinesisfirehose/{STREAM}", "/aws/lambda/Theirs"):
        aws.client("logs").create_log_group(logGroupName=group)
    aws.client("scheduler").create_schedule(
        Name=SCHEDULE,
        Description="StoreApp trades",
        ScheduleExpression="rate(5 minutes)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:lambda:us-east-1:1:function:f", "RoleArn": "arn:aws:iam::1:role/r", "Input": "{}"},
    )
    stream(aws, STREAM)
    return CloudFormation(
        Stack(
            name="InventoryLake",
            exports=("lake",),
            resources={BUCKET: "AWS::S3::Bucket"},
            on_delete={BUCKET: lambda: delete_bucket(aws)},
        ),
        Stack(
            name="InventoryIngest",
            imports=("lake",),
            outputs={"StoreApp": STORE_APP, "ShelvesTable": "shelves", "DeliveryStream": STREAM},
            resources={
                STORE_APP: "AWS::Lambda::Function",
                SCHEDULE: "AWS::Scheduler::Schedule",
                STREAM: "AWS::KinesisFirehose::DeliveryStream",
                ROLE: "AWS::IAM::Role",
            },
            on_delete={
                STORE_APP: lambda: aws.client("lambda").delete_function(FunctionName=STORE_APP),
                SCHEDULE: lambda: aws.client("scheduler").delete_schedule(Name=SCHEDULE),
                STREAM: lambda: aws.client("firehose").delete_delivery_stream(DeliveryStreamName=STREAM),
                ROLE: lambda: aws.client("iam").delete_role(RoleName=ROLE),
            },
        ),
    )


def delete_bucket(aws: Target) -> None:
    s3 = aws.client("s3")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET), "S3 would keep the bucket"
    s3.delete_bucket(Bucket=BUCKET)


def destroy(aws: Target) -> Destroyed:
    return destroying.destroy(aws, Steps(Console(file=io.StringIO())))


def test_nothing_is_left_and_nothing_of_others_is_touched(aws: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(aws._clients, "cloudformation", deploy(aws))
    outcome = destroy(aws)
    strays = [f"/aws/kinesisfirehose/{STREAM}", f"/aws/lambda/{STORE_APP}"]
    assert outcome == Destroyed(["InventoryIngest", "InventoryLake", *strays], [])
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/aws/lambda/Theirs"]
    assert destroy(aws) == Destroyed([], [])


def test_the_schedule_is_off_and_the_stream_drained_before_anything_goes(
    aws: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudformation = deploy(aws)
    cloudformation.stacks["InventoryLake"].outputs = {"Database": "inventory", "Workgroup": "InventoryLake"}
    monkeypatch.setitem(aws._clients, "cloudformation", cloudformation)
    seen: list[str] = []

    def state() -> str:
        now: str = aws.client("scheduler").get_schedule(Name=SCHEDULE)["State"]
        return now

    def note(what: str) -> None:
        seen.append(f"{what}, schedule {state()}, {len(cloudformation.stacks)} stacks")

    def books(*_: object) -> list[int]:
        note("looked at the books")
        return [1]

    monkeypatch.setattr(flow, "books", books)
    monkeypatch.setattr(destroying, "_buffering_seconds", lambda *_: 1.0)
    monkeypatch.setattr(flow, "wait_until_queryable", lambda *_, **__: note("drained"))
    destroy(aws)
    assert seen == [
        "looked at the books, schedule DISABLED, 2 stacks",
        "looked at the books, schedule DISABLED, 2 stacks",
        "drained, schedule DISABLED, 2 stacks",
    ]


def test_up_switches_on_what_an_abandoned_destroy_has_switched_off(
    aws: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(aws._clients, "cloudformation", deploy(aws))
    before = aws.client("scheduler").get_schedule(Name=SCHEDULE)
    destroying._switch(aws, SCHEDULE, "DISABLED")
    destroying.switch_on(aws)
    after = aws.client("scheduler").get_schedule(Name=SCHEDULE)
    changed = {name for name in before if before[name] != after.get(name)}
    assert changed <= {"ResponseMetadata", "LastModificationDate"}


def test_a_schedule_that_a_deletion_under_way_has_taken_needs_no_switching_off(aws: Target) -> None:
    """A run that was interrupted leaves CloudFormation at work, between one call of the next run and another."""
    destroying._switch(aws, "InventoryIngest-Gone", "DISABLED")
    assert aws.client("scheduler").list_schedules()["Schedules"] == []


def test_a_queue_is_polled_no_more_until_up_has_it_polled_again(aws: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    function(aws, STORE_APP)
    url = aws.client("sqs").create_queue(QueueName="calls")["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    poller = aws.client("lambda").create_event_source_mapping(FunctionName=STORE_APP, EventSourceArn=arn)["UUID"]
    stack = Stack(name="InventoryIngest", resources={poller: "AWS::Lambda::EventSourceMapping"})
    monkeypatch.setitem(aws._clients, "cloudformation", CloudFormation(stack))

    def state() -> str:
        told: str = aws.client("lambda").get_event_source_mapping(UUID=poller)["State"]
        return told

    destroying._poll(aws, poller, enabled=False)
    assert state() == "Disabled"
    destroying.switch_on(aws)
    assert state() == "Enabled"
    destroying._poll(aws, "00000000-0000-0000-0000-000000000000", enabled=False)  # gone meanwhile


def test_trucks_are_stopped_on_the_road(aws: Target) -> None:
    states = aws.client("stepfunctions")
    definition = '{"StartAt": "Drive", "States": {"Drive": {"Type": "Wait", "Seconds": 60, "End": true}}}'
    role = "arn:aws:iam::123456789012:role/r"
    workflow = states.create_state_machine(name="w", definition=definition, roleArn=role)["stateMachineArn"]
    run = states.start_execution(stateMachineArn=workflow)["executionArn"]
    destroying._stop_runs(aws, workflow)
    assert states.describe_execution(executionArn=run)["status"] == "ABORTED"
    destroying._stop_runs(aws, workflow.replace(":w", ":gone"))


class Interrupter:
    """Lets so many calls through, then behaves like Ctrl-C: before or after the call, as the service sees it."""

    def __init__(self, calls: int, *, after: bool) -> None:
        self._left = calls
        self._event = "after-call" if after else "before-call"

    def __call__(self, event_name: str, **_: Any) -> None:
        if event_name.startswith(self._event):
            self._left -= 1
            if self._left < 0:
                raise KeyboardInterrupt


CLIENTS = ("firehose", "iam", "lambda", "logs", "s3", "scheduler", "dynamodb", "sts")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.integers(0, 45), after=st.booleans())
def test_interrupted_at_any_call_it_is_finished_by_the_next_run(
    monkeypatch: pytest.MonkeyPatch, calls: int, after: bool
) -> None:
    monkeypatch.setattr("workshop.destroying.time.sleep", lambda _: None)
    monkeypatch.setattr(destroying, "_LINGERING_SECONDS", 0)
    with imitated_aws() as aws:
        cloudformation = deploy(aws)
        monkeypatch.setitem(aws._clients, "cloudformation", cloudformation)
        interrupter = Interrupter(calls, after=after)
        clients = [aws.client(service) for service in CLIENTS]
        for client in clients:
            for event in ("before-call", "after-call"):
                client.meta.events.register(event, interrupter)
        try:
            with suppress(KeyboardInterrupt):
                destroy(aws)
        finally:
            for client in clients:
                for event in ("before-call", "after-call"):
                    client.meta.events.unregister(event, interrupter)
        assert destroy(aws).remaining == []
        assert cloudformation.stacks == {}
        assert inventory.take(aws, {BUCKET, STORE_APP, SCHEDULE, STREAM, ROLE}) == []


def test_what_a_stack_was_let_go_without_is_named(aws: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that somebody gave a policy cannot be deleted, and its stack is let go without it."""
    cloudformation = deploy(aws)
    monkeypatch.setitem(aws._clients, "cloudformation", cloudformation)
    iam = aws.client("iam")
    iam.put_role_policy(RoleName=ROLE, PolicyName="by-hand", PolicyDocument=RIGHTS)
    outcome = destroy(aws)
    assert [(left.service, left.name) for left in outcome.remaining] == [("IAM role", ROLE)]
    assert cloudformation.stacks == {}
