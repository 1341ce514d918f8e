"""The inventory finds one planted thing of each kind, by name or by tag, and says how it goes."""

import io
import json
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.adapters.imitated_aws import imitated_aws
from tests.unit.cloudformation import CloudFormation, Stack
from workshop import inventory
from workshop.inventory import Leftover
from workshop.lessons.goals import Deployment, goals_of, judge
from workshop.target import PROJECT_TAG, Target

ACCOUNT = "123456789012"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
RIGHTS = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
)
Plant = Callable[[Any], object]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """An account of somebody else's. Its stacks are in memory: moto's take packages that are not here."""
    with imitated_aws() as target:
        monkeypatch.setitem(target._clients, "cloudformation", CloudFormation(Stack(name="Theirs", tags=[])))
        yield target


def stack(aws: Target, **kept: Any) -> None:
    aws.client("cloudformation").add(Stack(name="InventoryLake", tags=[], **kept))


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", "def handler(event, context): ...")
    return buffer.getvalue()


def function(aws: Target, name: str) -> str:
    role: str = aws.client("iam").create_role(RoleName=f"role-of-{name}", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    arn: str = aws.client("lambda").create_function(
        FunctionName=name, Runtime="python3.13", Role=role, Handler="handler.handler", Code={"ZipFile": zipped()}
    )["FunctionArn"]
    return arn


def event_source(aws: Target) -> None:
    queue = aws.client("sqs").create_queue(QueueName="calls")["QueueUrl"]
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    function(aws, "InventoryTrucks-Dispatch")
    aws.client("lambda").create_event_source_mapping(FunctionName="InventoryTrucks-Dispatch", EventSourceArn=arn)


def rule(aws: Target) -> None:
    events = aws.client("events")
    events.put_rule(Name="InventoryTrucks-LowStock", EventPattern='{"source": ["stores"]}')
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:calls"
    events.put_targets(Rule="InventoryTrucks-LowStock", Targets=[{"Id": "calls", "Arn": arn}])


def archive(aws: Target) -> None:
    arn = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    aws.client("events").create_archive(ArchiveName="InventoryAlerts-Archive", EventSourceArn=arn)


def connection(aws: Target, name: str = "InventoryTruckWebhook-Connection") -> str:
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "value"}}
    arn: str = aws.client("events").create_connection(Name=name, AuthorizationType="API_KEY", AuthParameters=key)[
        "ConnectionArn"
    ]
    return arn


def stream(aws: Target, name: str) -> None:
    where = {"RoleARN": f"arn:aws:iam::{ACCOUNT}:role/firehose", "BucketARN": "arn:aws:s3:::lake"}
    aws.client("firehose").create_delivery_stream(DeliveryStreamName=name, S3DestinationConfiguration=where)


def named_query(aws: Target) -> None:
    athena = aws.client("athena")
    athena.create_work_group(Name="InventoryLake")
    athena.create_named_query(Name="low", Database="inventory", QueryString="SELECT 1", WorkGroup="InventoryLake")


def budget(aws: Target) -> None:
    aws.client("budgets").create_budget(
        AccountId=ACCOUNT,
        Budget={
            "BudgetName": "InventoryOperations-Budget",
            "BudgetType": "COST",
            "TimeUnit": "MONTHLY",
            "BudgetLimit": {"Amount": "5", "Unit": "USD"},
        },
    )


def alarm(aws: Target) -> None:
    aws.client("cloudwatch").put_metric_alarm(
        AlarmName="InventoryOperations-AlertAge",
        Namespace="AWS/SQS",
        MetricName="ApproximateAgeOfOldestMessage",
        Period=300,
        Statistic="Maximum",
        EvaluationPeriods=1,
        Threshold=300,
        ComparisonOperator="GreaterThanThreshold",
    )


PLANTED: dict[str, tuple[Plant, str]] = {
    "CloudFormation stack": (
        stack,
        "cloudformation delete-stack --stack-name InventoryLake",
    ),
    "S3 bucket": (
        lambda aws: aws.client("s3").create_bucket(Bucket="inventorylake-lake1"),
        "s3 rb --force s3://inventorylake-lake1",
    ),
    "DynamoDB table": (
        lambda aws: aws.client("dynamodb").create_table(
            TableName="InventoryAlerts-Alerts",
            KeySchema=[{"AttributeName": "shelf", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "shelf", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        ),
        "dynamodb delete-table --table-name InventoryAlerts-Alerts",
    ),
    "Lambda function": (
        lambda aws: function(aws, "InventoryIngest-Intake"),
        "lambda delete-function --function-name InventoryIngest-Intake",
    ),
    "Lambda event source mapping": (event_source, "lambda delete-event-source-mapping --uuid "),
    "CloudWatch log group": (
        lambda aws: aws.client("logs").create_log_group(logGroupName="/aws/lambda/InventoryIngest-Intake"),
        "logs delete-log-group --log-group-name /aws/lambda/InventoryIngest-Intake",
    ),
    "IAM role": (
        lambda aws: aws.client("iam").create_role(RoleName="InventoryIngest-Role", AssumeRolePolicyDocument=TRUST),
        "IAM console: Roles, choose InventoryIngest-Role, Delete.",
    ),
    "IAM policy": (
        lambda aws: aws.client("iam").create_policy(PolicyName="InventoryIngest-Policy", PolicyDocument=RIGHTS),
        f"iam delete-policy --policy-arn arn:aws:iam::{ACCOUNT}:policy/InventoryIngest-Policy",
    ),
    "SQS queue": (
        lambda aws: aws.client("sqs").create_queue(QueueName="InventoryAlerts-Sightings"),
        f"sqs delete-queue --queue-url https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/InventoryAlerts-Sightings",
    ),
    "SNS topic": (
        lambda aws: aws.client("sns").create_topic(Name="InventoryOperations-Alarms"),
        f"sns delete-topic --topic-arn arn:aws:sns:us-east-1:{ACCOUNT}:InventoryOperations-Alarms",
    ),
    "EventBridge rule": (
        rule,
        "events remove-targets --rule InventoryTrucks-LowStock --event-bus-name default --ids calls && "
        "aws --region us-east-1 events delete-rule --name InventoryTrucks-LowStock --event-bus-name default",
    ),
    "EventBridge archive": (archive, "events delete-archive --archive-name InventoryAlerts-Archive"),
    "EventBridge bus": (
        lambda aws: aws.client("events").create_event_bus(Name="InventoryAlertsTruckBus0"),
        "events delete-event-bus --name InventoryAlertsTruckBus0",
    ),
    "EventBridge API destination": (
        lambda aws: aws.client("events").create_api_destination(
            Name="InventoryTruckWebhook-Destination",
            ConnectionArn=connection(aws, "somebody"),
            InvocationEndpoint="https://trucks.example.com",
            HttpMethod="POST",
        ),
        "events delete-api-destination --name InventoryTruckWebhook-Destination",
    ),
    "EventBridge connection": (connection, "events delete-connection --name InventoryTruckWebhook-Connection"),
    "EventBridge schedule": (
        lambda aws: aws.client("scheduler").create_schedule(
            Name="InventoryIngest-Trading",
            ScheduleExpression="rate(5 minutes)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f", "RoleArn": "arn:aws:iam::1:role/r"},
        ),
        "scheduler delete-schedule --name InventoryIngest-Trading --group-name default",
    ),
    "Step Functions state machine": (
        lambda aws: aws.client("stepfunctions").create_state_machine(
            name="InventoryTrucks-Workflow",
            definition='{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}',
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/states",
        ),
        "stepfunctions delete-state-machine --state-machine-arn "
        f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:InventoryTrucks-Workflow",
    ),
    "Firehose stream": (
        lambda aws: stream(aws, "InventoryIngest-StockEvents"),
        "firehose delete-delivery-stream --delivery-stream-name InventoryIngest-StockEvents",
    ),
    "Glue database": (
        lambda aws: aws.client("glue").create_database(DatabaseInput={"Name": "inventory"}),
        "glue delete-database --name inventory",
    ),
    "Athena work group": (
        lambda aws: aws.client("athena").create_work_group(Name="InventoryLake"),
        "athena delete-work-group --recursive-delete-option --work-group InventoryLake",
    ),
    "Athena named query": (named_query, "athena delete-named-query --named-query-id "),
    "CloudWatch alarm": (alarm, "cloudwatch delete-alarms --alarm-names InventoryOperations-AlertAge"),
    "CloudWatch dashboard": (
        lambda aws: aws.client("cloudwatch").put_dashboard(
            DashboardName="InventoryOperations-Dashboard", DashboardBody='{"widgets": []}'
        ),
        "cloudwatch delete-dashboards --dashboard-names InventoryOperations-Dashboard",
    ),
    "Budget": (
        budget,
        f"budgets delete-budget --account-id {ACCOUNT} --budget-name InventoryOperations-Budget",
    ),
    "Secrets Manager secret": (
        lambda aws: aws.client("secretsmanager").create_secret(Name="InventoryTruckWebhook-Key", SecretString="x"),
        "secretsmanager delete-secret --force-delete-without-recovery --secret-id InventoryTruckWebhook-Key",
    ),
    "SSM parameter": (
        lambda aws: aws.client("ssm").put_parameter(Name="/InventoryLake/seed", Value="7", Type="String"),
        "ssm delete-parameter --name /InventoryLake/seed",
    ),
}


def test_one_of_each_kind_is_planted_below() -> None:
    assert set(PLANTED) == {kind.service for kind in inventory._KINDS}


@pytest.mark.parametrize("service", PLANTED)
def test_what_is_named_like_ours_is_found_with_the_way_to_remove_it(aws: Target, service: str) -> None:
    assert inventory.take(aws) == [], "nothing of ours is there, though something of others is"
    plant, removal = PLANTED[service]
    plant(aws)
    [leftover] = [each for each in inventory.take(aws) if each.service == service]
    assert removal in leftover.how_to_remove


def test_every_command_is_one_that_the_aws_command_line_knows(aws: Target) -> None:
    """The parser of the AWS CLI reads each; `--generate-cli-skeleton` has it stop before it calls anybody."""
    for plant, _ in PLANTED.values():
        if plant is not PLANTED["Athena work group"][0]:
            plant(aws)
    commands = [
        words
        for leftover in inventory.take(aws)
        if leftover.how_to_remove.startswith("aws ")
        for words in leftover.how_to_remove.split(" && ")
    ]
    check = (
        "import io, sys\nfrom contextlib import redirect_stdout\nfrom awscli.clidriver import create_clidriver\n"
        "driver = create_clidriver()\n"
        "for line in sys.stdin:\n"
        "    words = eval(line)\n"
        "    with redirect_stdout(io.StringIO()):\n"
        "        code = driver.main(words)\n"
        "    assert code == 0, words\n"
    )
    # `aws s3` has no skeletons; the end-to-end test removes a bucket with it.
    lines = [
        f"{[*shlex.split(words)[1:], '--generate-cli-skeleton']}\n" for words in commands if " s3 rb " not in words
    ]
    assert len(lines) >= len(PLANTED) - 2
    done = subprocess.run([sys.executable, "-c", check], input="".join(lines), text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def tag_bucket(aws: Target, name: str) -> None:
    aws.client("s3").create_bucket(Bucket=name)
    aws.client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": [PROJECT_TAG]})


def test_what_carries_our_tag_is_found_whatever_its_name(aws: Target) -> None:
    tag_bucket(aws, "somebody-named-it")
    aws.client("sqs").create_queue(QueueName="by-hand", tags={PROJECT_TAG["Key"]: PROJECT_TAG["Value"]})
    aws.client("sqs").create_queue(QueueName="others", tags={PROJECT_TAG["Key"]: "another-project"})
    assert {(each.service, each.name.rpartition("/")[2]) for each in inventory.take(aws)} == {
        ("S3 bucket", "somebody-named-it"),
        ("SQS queue", "by-hand"),
    }


def test_what_carries_our_tag_in_a_service_that_is_not_listed_is_found_too(aws: Target) -> None:
    tags = [{"TagKey": PROJECT_TAG["Key"], "TagValue": PROJECT_TAG["Value"]}]
    key = aws.client("kms").create_key(Tags=tags)["KeyMetadata"]["Arn"]
    assert inventory.take(aws) == [Leftover("kms", key, "Delete it in the console of its service.")]


def test_what_only_the_tagging_service_still_remembers_is_gone(aws: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """GetResources returns "tagged or previously tagged resources" (Resource Groups Tagging API reference)."""
    gone = f"sqs:us-east-1:{ACCOUNT}:deleted-an-hour-ago"
    monkeypatch.setattr(inventory, "_tagged", lambda _: iter([gone]))
    assert inventory.take(aws) == []
    aws.client("sqs").create_queue(QueueName="deleted-an-hour-ago")
    assert len(inventory.take(aws)) == 1


def test_what_a_deleted_stack_had_is_known_by_its_physical_name(aws: Target) -> None:
    aws.client("secretsmanager").create_secret(Name="Key961D73E9-abc", SecretString="x")
    assert inventory.take(aws) == []
    assert [each.name for each in inventory.take(aws, {"Key961D73E9-abc"})] == ["Key961D73E9-abc"]


def test_what_is_not_ours_is_left_alone(aws: Target) -> None:
    for name in ("Inventory-Reports", "OurInventoryLake", "inventories"):
        aws.client("sqs").create_queue(QueueName=name)
    assert inventory.take(aws) == []


def test_a_bucket_with_versions_is_emptied_in_the_console_because_the_command_fails_on_it(aws: Target) -> None:
    tag_bucket(aws, "kept")
    aws.client("s3").put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    [leftover] = inventory.take(aws)
    assert "Empty" in leftover.how_to_remove
    assert "s3 rb" not in leftover.how_to_remove


def test_a_protected_stack_is_freed_first(aws: Target) -> None:
    stack(aws, is_protected=True)
    [leftover] = inventory.take(aws)
    freed, deleted = leftover.how_to_remove.split(" && ")
    assert "--no-enable-termination-protection" in freed
    assert "delete-stack" in deleted


def test_a_service_that_may_not_be_listed_proves_nothing(aws: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "DescribeBudgets")

    monkeypatch.setattr(aws.client("budgets"), "can_paginate", lambda _: False)
    monkeypatch.setattr(aws.client("budgets"), "describe_budgets", refused)
    assert inventory.take(aws) == [
        Leftover("Budget", "not listed (AccessDeniedException)", "Allow DescribeBudgets, then look again.")
    ]


def test_a_deployment_in_another_region_keeps_its_bucket(aws: Target) -> None:
    where = {"LocationConstraint": "eu-west-1"}
    aws.client("s3").create_bucket(Bucket="inventorylake-elsewhere", CreateBucketConfiguration=where)
    assert inventory.take(aws) == []


def test_the_last_lesson_is_not_reached_while_something_is_left(aws: Target) -> None:
    def reached() -> bool:
        [judged] = judge(goals_of(8), Deployment(aws, {}), up="Run up.")
        return judged.finding.reached

    assert reached()
    aws.client("sqs").create_queue(QueueName="InventoryAlerts-ByHand")
    assert not reached()
