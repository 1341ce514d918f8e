"""What is deployed, as far as it costs anything: read from synthesised CloudFormation templates."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workshop.errors import WorkshopError

Template = Mapping[str, Any]

STANDING: Mapping[str, str] = {
    "AWS::Athena::NamedQuery": "a stored text",
    "AWS::Athena::WorkGroup": "queries are billed by the bytes they scan; no capacity is reserved",
    "AWS::Budgets::Budget": "budgets that only tell are free",
    "AWS::CDK::Metadata": "nothing is deployed for it",
    "AWS::CloudWatch::Alarm": "billed per month beyond the 10 that are always free; counted",
    "AWS::CloudWatch::CompositeAlarm": "billed per month like alarms; counted",
    "AWS::CloudWatch::Dashboard": "billed per month beyond the 3 that are always free; counted",
    "AWS::DynamoDB::Table": "billed per request (checked to be on demand) and by bytes stored",
    "AWS::Events::ApiDestination": "billed per event posted",
    "AWS::Events::Connection": "its secret is paid for by EventBridge",
    "AWS::Events::EventBus": "billed per event",
    "AWS::Events::Rule": "rules are free; a schedule's event is AWS's own",
    "AWS::Glue::Database": "an object of the Data Catalog, of which a million are always free",
    "AWS::Glue::Table": "an object of the Data Catalog, of which a million are always free",
    "AWS::IAM::Policy": "IAM is free",
    "AWS::IAM::Role": "IAM is free",
    "AWS::KinesisFirehose::DeliveryStream": "billed per byte put (checked to have no VPC destination)",
    "AWS::Lambda::EventSourceMapping": "polls are requests, and counted (checked to have no provisioned pollers)",
    "AWS::Lambda::Function": "billed per run (checked to have no provisioned concurrency)",
    "AWS::Lambda::Permission": "a line in a policy",
    "AWS::Logs::LogGroup": "billed per byte",
    "AWS::Logs::LogStream": "billed per byte",
    "AWS::Logs::MetricFilter": "its metric is billed only while it gets values",
    "AWS::S3::Bucket": "billed per request and by bytes stored",
    "AWS::S3::BucketPolicy": "a policy",
    "AWS::SNS::Subscription": "billed per notification",
    "AWS::SNS::Topic": "billed per notification",
    "AWS::SNS::TopicPolicy": "a policy",
    "AWS::SQS::Queue": "billed per request (checked to use no key of KMS)",
    "AWS::SQS::QueuePolicy": "a policy",
    "AWS::Scheduler::Schedule": "billed per invocation",
    "AWS::StepFunctions::StateMachine": "billed per transition",
    "AWS::XRay::Group": "billed per trace",
    "AWS::XRay::SamplingRule": "billed per trace",
    "Custom::S3AutoDeleteObjects": "a function that runs when the bucket is deleted",
}
"""Resource types that may be deployed by default, each with why it costs nothing while idle."""


class StandingCharge(WorkshopError):
    """A template holds something that is billed by the hour or the month, or that nobody has looked at."""


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function: `name` is its folder in lambdas/, memory in MB."""

    name: str
    memory: int
    traced: bool


@dataclass(frozen=True, slots=True)
class Buffer:
    """Size in bytes and time in seconds after which a buffer is passed on."""

    size: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """What of a deployment the price follows from."""

    functions: Mapping[str, Function]
    pollers: int
    """Long polls that Lambda keeps open on the queues while nothing happens."""
    most_pollers: int
    processor: Buffer
    delivery: Buffer
    converts: bool
    has_trucks: bool
    posts_alerts: bool
    transitions: int
    """Of a delivery that goes well, its start included."""
    dispatch_concurrency: int
    """Batches of calls for trucks that are handled at a time; 0 means as many as Lambda allows."""
    schedule_minutes: float
    alarms: int
    dashboards: int
    catalogue_objects: int
    secrets: int


_IDLE_POLLERS, _BOUNDED_POLLERS = 2, 5
"""Lambda "scales back the processing to five concurrent batches, and can optimize to as few as 2 … to reduce the SQS
calls and corresponding costs. However, this optimization is not available when you enable the maximum concurrency
setting." (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html)"""


def read_templates(assembly: Path) -> list[Template]:
    """Return the templates of a folder such as cdk.out.

    Raises:
        WorkshopError: there are none, or one is not JSON.
    """
    files = sorted(assembly.glob("*.template.json"))
    if not files:
        raise WorkshopError(
            f"There are no templates in {assembly}.", "Give a folder that `cdk synth` has written, such as cdk.out."
        )
    try:
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]
    except ValueError as error:
        raise WorkshopError(f"A template in {assembly} is not JSON: {error}.", "Synthesise it again.") from error


def standing_charges(templates: Sequence[Template]) -> Iterator[str]:
    """Yield a sentence for each resource that may cost something while nothing happens."""
    for name, kind, properties in _resources(templates):
        if kind not in STANDING:
            yield (
                f"{name} is an {kind}, and nobody has said what that costs while idle: look it up, and add it to "
                "STANDING in workshop/cost/templates.py with the reason, or leave it out of the default deployment."
            )
        elif why := _is_charged(kind, properties):
            yield f"{name} ({kind}) {why}."


def deployment(templates: Sequence[Template]) -> Deployment:
    """Read what the price follows from.

    Raises:
        StandingCharge: what a resource costs is not known.
    """
    found = list(_resources(templates))
    kinds = [kind for _, kind, _ in found]
    unknown = [(name, kind) for name, kind, _ in found if kind not in STANDING and kind not in _CHARGED]
    if unknown:
        name, kind = unknown[0]
        raise StandingCharge(
            f"What {kind} costs is not known ({name}).", "Add it to STANDING in workshop/cost/templates.py, with why."
        )
    bounded = [bool(properties.get("ScalingConfig")) for _, kind, properties in found if kind == _MAPPING]
    stream = next((properties for _, kind, properties in found if kind == _STREAM), {})
    destination = stream.get("ExtendedS3DestinationConfiguration", {})
    workflow = next((properties for _, kind, properties in found if kind == _WORKFLOW), None)
    return Deployment(
        functions={f.name: f for f in map(_function, _of(found, "AWS::Lambda::Function")) if f},
        pollers=sum(_BOUNDED_POLLERS if each else _IDLE_POLLERS for each in bounded),
        most_pollers=_BOUNDED_POLLERS * len(bounded),
        processor=_processor(destination),
        delivery=_buffer(destination.get("BufferingHints", {}), 5, 300),
        converts=bool(destination.get("DataFormatConversionConfiguration", {}).get("Enabled", False)),
        has_trucks=workflow is not None,
        posts_alerts="AWS::Events::ApiDestination" in kinds,
        transitions=_transitions(workflow) if workflow else 0,
        dispatch_concurrency=max(
            (int((each.get("ScalingConfig") or {}).get("MaximumConcurrency", 0)) for each in _of(found, _MAPPING)),
            default=0,
        ),
        schedule_minutes=sum(map(_minutes, _of(found, "AWS::Scheduler::Schedule"))),
        alarms=sum(_alarm_metrics(properties) for properties in _of(found, "AWS::CloudWatch::Alarm"))
        + kinds.count("AWS::CloudWatch::CompositeAlarm"),
        dashboards=kinds.count("AWS::CloudWatch::Dashboard"),
        catalogue_objects=kinds.count("AWS::Glue::Table") + kinds.count("AWS::Glue::Database"),
        secrets=kinds.count("AWS::SecretsManager::Secret"),
    )


_MAPPING = "AWS::Lambda::EventSourceMapping"
_STREAM = "AWS::KinesisFirehose::DeliveryStream"
_WORKFLOW = "AWS::StepFunctions::StateMachine"
_CHARGED = {"AWS::SecretsManager::Secret"}
"""Known to cost by the month, and counted; not of the default deployment."""


def _resources(templates: Sequence[Template]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for template in templates:
        for name, resource in template["Resources"].items():
            yield name, resource["Type"], resource.get("Properties", {})


def _of(found: list[tuple[str, str, Mapping[str, Any]]], wanted: str) -> list[Mapping[str, Any]]:
    return [properties for _, kind, properties in found if kind == wanted]


def _is_charged(kind: str, properties: Mapping[str, Any]) -> str | None:
    """Return what makes a resource of an allowed type cost something while idle."""
    match kind:
        case "AWS::DynamoDB::Table" if properties.get("BillingMode") != "PAY_PER_REQUEST":
            return "reserves capacity, which is billed by the hour: use BillingMode PAY_PER_REQUEST"
        case "AWS::DynamoDB::Table" if (properties.get("PointInTimeRecoverySpecification") or {}).get(
            "PointInTimeRecoveryEnabled"
        ):
            return "keeps backups, which are billed by the month"
        case "AWS::KinesisFirehose::DeliveryStream" if "VpcConfiguration" in json.dumps(properties):
            return "delivers into a VPC, which is billed by the hour"
        case "AWS::Lambda::EventSourceMapping" if properties.get("ProvisionedPollerConfig"):
            return "has provisioned pollers, which are billed by the hour"
        case "AWS::SQS::Queue" | "AWS::SNS::Topic" if properties.get("KmsMasterKeyId"):
            return "uses a key of KMS, which is billed by the month and by the call"
        case "AWS::S3::Bucket" if "aws:kms" in json.dumps(properties.get("BucketEncryption", {})):
            return "uses a key of KMS, which is billed by the month and by the call"
        case "AWS::StepFunctions::StateMachine" if properties.get("StateMachineType") == "EXPRESS":
            return "is an express workflow, whose price by duration is not reckoned here"
        case "AWS::CloudWatch::Alarm" if int(properties.get("Period") or 60) < 60:
            return "has a high resolution, which costs three times as much"
    return None


def _function(properties: Mapping[str, Any]) -> Function | None:
    parts = str(properties.get("Handler", "")).split(".")
    if parts[0] != "lambdas":
        return None
    traced = (properties.get("TracingConfig") or {}).get("Mode") == "Active"
    return Function(parts[1], int(properties.get("MemorySize", 128)), traced)


def _buffer(hints: Mapping[str, Any], size: int, seconds: int) -> Buffer:
    return Buffer(int(hints.get("SizeInMBs", size)) * 2**20, int(hints.get("IntervalInSeconds", seconds)))


def _processor(destination: Mapping[str, Any]) -> Buffer:
    parameters = {
        each["ParameterName"]: each["ParameterValue"]
        for processor in destination.get("ProcessingConfiguration", {}).get("Processors", [])
        for each in processor.get("Parameters", [])
    }
    # What Firehose takes where nothing is said: 1 MB and 60 s ("data-transformation", Firehose developer guide).
    size, seconds = parameters.get("BufferSizeInMBs", 1), parameters.get("BufferIntervalInSeconds", 60)
    return Buffer(round(float(size) * 2**20), int(seconds))


def _transitions(workflow: Mapping[str, Any]) -> int:
    """Count the steps from the start to the end of the main way, and the start itself."""
    definition = json.loads(_text(workflow.get("DefinitionString", "{}")))
    count, name = 1, definition.get("StartAt")
    while name:
        count += 1
        name = definition["States"][name].get("Next")
    return count


def _text(value: Any) -> str:
    """Join a string that CloudFormation composes; what it refers to becomes a word."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        joined: str = separator.join(part if isinstance(part, str) else "reference" for part in parts)
        return joined
    return "{}"


def _minutes(schedule: Mapping[str, Any]) -> float:
    words = str(schedule.get("ScheduleExpression", "")).removeprefix("rate(").removesuffix(")").split()
    if len(words) != 2 or not words[0].isdigit():
        return 0
    return int(words[0]) * {"minute": 1, "hour": 60, "day": 1440}.get(words[1].removesuffix("s"), 0)


def _alarm_metrics(alarm: Mapping[str, Any]) -> int:
    """Count an alarm's metrics, each of which is billed; expressions over them are not."""
    return sum("MetricStat" in each for each in alarm.get("Metrics", [])) or 1
