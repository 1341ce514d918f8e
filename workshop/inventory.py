"""What a deployment has left in its account and region: looked for by tag and by name in every service the app uses."""

import re
import shlex
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from workshop.target import PROJECT_TAG, Target

STACKS = (
    "InventoryLake",
    "InventoryAlerts",
    "InventoryIngest",
    "InventoryTrucks",
    "InventoryTruckWebhook",
    "InventoryOperations",
)
"""What `app.py` calls its stacks. CloudFormation and CDK begin the names of what a stack makes with its own."""

DATABASE = "inventory"
"""The one name that does not begin with a stack's: SQL types it."""

_OURS = re.compile(rf"(^|[/:])({'|'.join(STACKS)})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that is still there, and the command or the place in the console that removes it."""

    service: str
    name: str
    how_to_remove: str

    def as_document(self) -> dict[str, str]:
        """Return the entry of the `down --destroy --json` document."""
        return {"service": self.service, "name": self.name, "how_to_remove": self.how_to_remove}


@dataclass(frozen=True, slots=True)
class _Found:
    """One resource that a service lists."""

    name: str
    arn: str | None = None
    related: tuple[str, ...] = ()
    """Other names that betray whose it is."""
    is_tagged: bool = False
    """Whether the listing itself shows our tag."""


_List = Callable[[Target, str], Iterator[_Found]]
_Removal = Callable[[Target, _Found], str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of resource: how it is listed, and how one of them is removed."""

    service: str
    arns: str
    """`service:type` of its ARNs, or the service alone where ARNs name no type."""
    listed: _List
    removal: _Removal


def take(target: Target, known: Collection[str] = ()) -> list[Leftover]:
    """Return what is left of the workshop in the target's account and region; empty is the proof that nothing is.

    It is what carries our tag, what is named as our stacks name things, and what is among `known`: the physical names
    that deleted stacks had. A service that refuses to be listed is itself in the answer, since nothing is proven there.
    """
    account: str = target.client("sts").get_caller_identity()["Account"]
    tagged = set(_tagged(target))
    left: list[Leftover] = []
    for kind in _KINDS:
        try:
            left += [
                Leftover(kind.service, found.name, kind.removal(target, found))
                for found in kind.listed(target, account)
                if found.is_tagged
                or (found.arn and _without_partition(found.arn) in tagged)
                or any(_OURS.search(name) or name in known for name in (found.name, *found.related))
            ]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            left.append(
                Leftover(kind.service, f"not listed ({code})", f"Allow {error.operation_name}, then look again.")
            )
    # The tagging API also returns what "previously" had the tag ("GetResources", its API reference): where a service's
    # own list was read, that list decides.
    covered = {kind.arns for kind in _KINDS}
    left += [
        Leftover(arn.split(":")[0], f"arn:{_partition(target)}:{arn}", "Delete it in the console of its service.")
        for arn in sorted(tagged)
        if covered.isdisjoint({arn.split(":")[0], _type_of(arn)})
    ]
    return left


def _tagged(target: Target) -> Iterator[str]:
    filters = [{"Key": PROJECT_TAG["Key"], "Values": [PROJECT_TAG["Value"]]}]
    pages = target.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=filters)
    for page in pages:
        for resource in page["ResourceTagMappingList"]:
            yield _without_partition(resource["ResourceARN"])


def _without_partition(arn: str) -> str:
    """`arn:aws:sqs:us-east-1:123456789012:calls` -> `sqs:us-east-1:123456789012:calls`."""
    return arn.split(":", 2)[2].removesuffix(":*")


def _type_of(arn: str) -> str:
    """`lambda:us-east-1:123456789012:function:intake` -> `lambda:function`."""
    service, _, _, resource = arn.split(":", 3)
    return f"{service}:{re.split('[:/]', resource, maxsplit=1)[0]}"


def _partition(target: Target) -> str:
    partition: str = target.client("sts").meta.partition
    return partition


def _items(target: Target, service: str, operation: str, key: str, **asked: Any) -> Iterator[Any]:
    """Return everything that a listing answers, page by page, also where boto3 has no paginator."""
    client = target.client(service)
    if client.can_paginate(operation):
        for page in client.get_paginator(operation).paginate(**asked):
            yield from page.get(key, ())
        return
    token: dict[str, str] = {}
    while True:
        page = getattr(client, operation)(**asked, **token)
        yield from page.get(key, ())
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _by(service: str, operation: str, key: str, name: str, arn: str | None = None) -> _List:
    """List what an operation answers as objects that hold a name and, it may be, an ARN."""

    def listed(target: Target, _: str) -> Iterator[_Found]:
        for item in _items(target, service, operation, key):
            yield _Found(item[name], item[arn] if arn else None)

    return listed


def _cli(words: str) -> _Removal:
    """Remove by an AWS CLI command; the resource's name is the last word."""
    return lambda target, found: command(target, words, found.name)


def command(target: Target, words: str, *values: str) -> str:
    """Return an AWS CLI command for a target: the words, then the values, quoted for a shell."""
    endpoint = f" --endpoint-url {target.endpoint}" if target.endpoint else ""
    return f"aws --region {target.region}{endpoint} {words} {shlex.join(values)}".rstrip()


def _stacks(target: Target, _: str) -> Iterator[_Found]:
    for stack in _items(target, "cloudformation", "describe_stacks", "Stacks"):
        yield _Found(stack["StackName"], stack["StackId"], is_tagged=PROJECT_TAG in stack.get("Tags", []))


def _remove_stack(target: Target, stack: _Found) -> str:
    """Tell how a stack goes, also one that somebody has protected."""
    removal = command(target, "cloudformation delete-stack --stack-name", stack.name)
    [now] = target.client("cloudformation").describe_stacks(StackName=stack.arn)["Stacks"]
    if now.get("EnableTerminationProtection"):
        words = "cloudformation update-termination-protection --no-enable-termination-protection --stack-name"
        return f"{command(target, words, stack.name)} && {removal}"
    return removal


def _buckets(target: Target, _: str) -> Iterator[_Found]:
    for bucket in _items(target, "s3", "list_buckets", "Buckets", BucketRegion=target.region):
        yield _Found(bucket["Name"], f"arn:{_partition(target)}:s3:::{bucket['Name']}")


def _remove_bucket(target: Target, bucket: _Found) -> str:
    """Tell how a bucket goes. `aws s3 rb --force` leaves old versions, so that it fails where there are any."""
    if target.client("s3").get_bucket_versioning(Bucket=bucket.name).get("Status"):
        return f"Amazon S3 console: choose {bucket.name}, Empty (it takes all versions), then Delete."
    return command(target, "s3 rb --force", f"s3://{bucket.name}")


def _tables(target: Target, account: str) -> Iterator[_Found]:
    for name in _items(target, "dynamodb", "list_tables", "TableNames"):
        yield _Found(name, f"arn:{_partition(target)}:dynamodb:{target.region}:{account}:table/{name}")


def _event_sources(target: Target, _: str) -> Iterator[_Found]:
    for mapping in _items(target, "lambda", "list_event_source_mappings", "EventSourceMappings"):
        related = (mapping["FunctionArn"], mapping.get("EventSourceArn", ""))
        yield _Found(mapping["UUID"], mapping.get("EventSourceMappingArn"), related)


def _roles(target: Target, _: str) -> Iterator[_Found]:
    for role in _items(target, "iam", "list_roles", "Roles"):
        yield _Found(role["RoleName"], role["Arn"])


def _policies(target: Target, _: str) -> Iterator[_Found]:
    for policy in _items(target, "iam", "list_policies", "Policies", Scope="Local"):
        yield _Found(policy["Arn"], policy["Arn"], (policy["PolicyName"],))


def _queues(target: Target, account: str) -> Iterator[_Found]:
    for url in _items(target, "sqs", "list_queues", "QueueUrls"):
        name = url.rpartition("/")[2]
        yield _Found(url, f"arn:{_partition(target)}:sqs:{target.region}:{account}:{name}")


def _rules(target: Target, _: str) -> Iterator[_Found]:
    for bus in _items(target, "events", "list_event_buses", "EventBuses"):
        for rule in _items(target, "events", "list_rules", "Rules", EventBusName=bus["Name"]):
            yield _Found(rule["Name"], rule["Arn"], (bus["Name"],))


def _remove_rule(target: Target, rule: _Found) -> str:
    """Tell how a rule goes: "you must first remove all targets" (DeleteRule, EventBridge API reference)."""
    [bus] = rule.related
    targets = _items(target, "events", "list_targets_by_rule", "Targets", Rule=rule.name, EventBusName=bus)
    where = ("--event-bus-name", bus)
    removal = command(target, "events delete-rule --name", rule.name, *where)
    if ids := [each["Id"] for each in targets]:
        return command(target, "events remove-targets --rule", rule.name, *where, "--ids", *ids) + f" && {removal}"
    return removal


def _schedules(target: Target, _: str) -> Iterator[_Found]:
    for schedule in _items(target, "scheduler", "list_schedules", "Schedules"):
        yield _Found(schedule["Name"], schedule["Arn"], (schedule.get("GroupName", "default"),))


def _streams(target: Target, account: str) -> Iterator[_Found]:
    after: dict[str, str] = {}
    while True:
        page = target.client("firehose").list_delivery_streams(**after)
        names = page["DeliveryStreamNames"]
        for name in names:
            yield _Found(name, f"arn:{_partition(target)}:firehose:{target.region}:{account}:deliverystream/{name}")
        if not page["HasMoreDeliveryStreams"]:
            return
        after = {"ExclusiveStartDeliveryStreamName": names[-1]}


def _databases(target: Target, account: str) -> Iterator[_Found]:
    for database in _items(target, "glue", "get_databases", "DatabaseList"):
        name = database["Name"]
        arn = f"arn:{_partition(target)}:glue:{target.region}:{account}:database/{name}"
        yield _Found(name, arn, is_tagged=name == DATABASE)


def _workgroups(target: Target, account: str) -> Iterator[_Found]:
    for workgroup in _items(target, "athena", "list_work_groups", "WorkGroups"):
        name = workgroup["Name"]
        yield _Found(name, f"arn:{_partition(target)}:athena:{target.region}:{account}:workgroup/{name}")


def _named_queries(target: Target, _: str) -> Iterator[_Found]:
    for workgroup in _items(target, "athena", "list_work_groups", "WorkGroups"):
        name = workgroup["Name"]
        for query in _items(target, "athena", "list_named_queries", "NamedQueryIds", WorkGroup=name):
            yield _Found(query, None, (name,))


def _alarms(target: Target, _: str) -> Iterator[_Found]:
    asked = {"AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    for kind in ("MetricAlarms", "CompositeAlarms"):
        for alarm in _items(target, "cloudwatch", "describe_alarms", kind, **asked):
            yield _Found(alarm["AlarmName"], alarm["AlarmArn"])


def _budgets(target: Target, account: str) -> Iterator[_Found]:
    for budget in _items(target, "budgets", "describe_budgets", "Budgets", AccountId=account):
        arn = f"arn:{_partition(target)}:budgets::{account}:budget/{budget['BudgetName']}"
        yield _Found(budget["BudgetName"], arn, (account,))


def _remove_budget(target: Target, budget: _Found) -> str:
    [account] = budget.related
    return command(target, "budgets delete-budget --account-id", account, "--budget-name", budget.name)


_KINDS = (
    _Kind("CloudFormation stack", "cloudformation:stack", _stacks, _remove_stack),
    _Kind("S3 bucket", "s3", _buckets, _remove_bucket),
    _Kind("DynamoDB table", "dynamodb:table", _tables, _cli("dynamodb delete-table --table-name")),
    _Kind(
        "Lambda function",
        "lambda:function",
        _by("lambda", "list_functions", "Functions", "FunctionName", "FunctionArn"),
        _cli("lambda delete-function --function-name"),
    ),
    _Kind(
        "Lambda event source mapping",
        "lambda:event-source-mapping",
        _event_sources,
        _cli("lambda delete-event-source-mapping --uuid"),
    ),
    _Kind(
        "CloudWatch log group",
        "logs:log-group",
        _by("logs", "describe_log_groups", "logGroups", "logGroupName", "arn"),
        _cli("logs delete-log-group --log-group-name"),
    ),
    # Its policies have to go first, one by one; the console does that.
    _Kind("IAM role", "iam:role", _roles, lambda _, role: f"IAM console: Roles, choose {role.name}, Delete."),
    _Kind("IAM policy", "iam:policy", _policies, _cli("iam delete-policy --policy-arn")),
    _Kind("SQS queue", "sqs", _queues, _cli("sqs delete-queue --queue-url")),
    _Kind(
        "SNS topic",
        "sns",
        _by("sns", "list_topics", "Topics", "TopicArn", "TopicArn"),
        _cli("sns delete-topic --topic-arn"),
    ),
    # Rules and archives before their bus, which cannot go while it has any.
    _Kind("EventBridge rule", "events:rule", _rules, _remove_rule),
    _Kind(
        "EventBridge archive",
        "events:archive",
        _by("events", "list_archives", "Archives", "ArchiveName"),
        _cli("events delete-archive --archive-name"),
    ),
    _Kind(
        "EventBridge bus",
        "events:event-bus",
        _by("events", "list_event_buses", "EventBuses", "Name", "Arn"),
        _cli("events delete-event-bus --name"),
    ),
    _Kind(
        "EventBridge API destination",
        "events:api-destination",
        _by("events", "list_api_destinations", "ApiDestinations", "Name", "ApiDestinationArn"),
        _cli("events delete-api-destination --name"),
    ),
    _Kind(
        "EventBridge connection",
        "events:connection",
        _by("events", "list_connections", "Connections", "Name", "ConnectionArn"),
        _cli("events delete-connection --name"),
    ),
    _Kind(
        "EventBridge schedule",
        "scheduler:schedule",
        _schedules,
        lambda target, found: command(
            target, "scheduler delete-schedule --name", found.name, "--group-name", *found.related
        ),
    ),
    _Kind(
        "Step Functions state machine",
        "states:stateMachine",
        _by("stepfunctions", "list_state_machines", "stateMachines", "stateMachineArn", "stateMachineArn"),
        _cli("stepfunctions delete-state-machine --state-machine-arn"),
    ),
    _Kind(
        "Firehose stream",
        "firehose:deliverystream",
        _streams,
        _cli("firehose delete-delivery-stream --delivery-stream-name"),
    ),
    _Kind("Glue database", "glue:database", _databases, _cli("glue delete-database --name")),
    _Kind(
        "Athena work group",
        "athena:workgroup",
        _workgroups,
        _cli("athena delete-work-group --recursive-delete-option --work-group"),
    ),
    _Kind(
        "Athena named query", "athena:named-query", _named_queries, _cli("athena delete-named-query --named-query-id")
    ),
    _Kind("CloudWatch alarm", "cloudwatch:alarm", _alarms, _cli("cloudwatch delete-alarms --alarm-names")),
    _Kind(
        "CloudWatch dashboard",
        "cloudwatch:dashboard",
        _by("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName", "DashboardArn"),
        _cli("cloudwatch delete-dashboards --dashboard-names"),
    ),
    _Kind("Budget", "budgets:budget", _budgets, _remove_budget),
    _Kind(
        "Secrets Manager secret",
        "secretsmanager:secret",
        _by("secretsmanager", "list_secrets", "SecretList", "Name", "ARN"),
        _cli("secretsmanager delete-secret --force-delete-without-recovery --secret-id"),
    ),
    _Kind(
        "SSM parameter",
        "ssm:parameter",
        _by("ssm", "describe_parameters", "Parameters", "Name"),
        _cli("ssm delete-parameter --name"),
    ),
)
