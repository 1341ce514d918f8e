"""What the templates allow: nothing at large, nothing that the checkers find, and little that is accepted all the same.

That nothing of it could be left out is shown by `python -m benchmarks.least_privilege`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import parliament  # type: ignore[import-untyped]
import pytest
from aws_cdk import App, Stack
from aws_cdk.aws_sqs import Queue

from app import compose
from stacks.standards import apply_standards
from tests.stacks.conftest import CDK_JSON_CONTEXT, Synthesise, Template, templates

CONTEXTS: Mapping[str, Mapping[str, str]] = {
    "aws": {},
    "local": {"target": "local"},
    "scheduled": {"schedule_minutes": "60", "alarm_email": "you@example.com"},
    "webhook": {"truck_webhook_url": "https://trucks.example.com/alerts"},
}

TAKE_NO_RESOURCE = {
    f"xray:{each}" for each in ("PutTraceSegments", "PutTelemetryRecords", "GetSamplingRules", "GetSamplingTargets")
}
"""Actions that can only be allowed on `*` (Service Authorization Reference, AWS X-Ray)."""

EMPTIES_THE_BUCKET = ["s3:DeleteObject*", "s3:GetBucket*", "s3:List*", "s3:PutBucketPolicy"]
"""What CDK allows, in a bucket's policy, the one role that empties it before it is deleted."""

ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:us-east-1:123456789012:table/{}",
    "AWS::Events::ApiDestination": "arn:aws:events:us-east-1:123456789012:api-destination/{}/0a1b2c3d",
    "AWS::Events::EventBus": "arn:aws:events:us-east-1:123456789012:event-bus/{}",
    "AWS::Events::Rule": "arn:aws:events:us-east-1:123456789012:rule/{}",
    "AWS::IAM::Role": "arn:aws:iam::123456789012:role/{}",
    "AWS::KinesisFirehose::DeliveryStream": "arn:aws:firehose:us-east-1:123456789012:deliverystream/{}",
    "AWS::Lambda::Function": "arn:aws:lambda:us-east-1:123456789012:function:{}",
    "AWS::Logs::LogGroup": "arn:aws:logs:us-east-1:123456789012:log-group:{}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
    "AWS::SNS::Topic": "arn:aws:sns:us-east-1:123456789012:{}",
    "AWS::SQS::Queue": "arn:aws:sqs:us-east-1:123456789012:{}",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:us-east-1:123456789012:stateMachine:{}",
}
REFERENCES_ARE_ARNS = ("AWS::SNS::Topic", "AWS::StepFunctions::StateMachine")
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", "AWS::AccountId": "123456789012"}


@pytest.fixture(scope="module", params=CONTEXTS)
def stacks(request: pytest.FixtureRequest, synthesise: Synthesise) -> dict[str, Template]:
    return templates(synthesise(CONTEXTS[request.param]))


def resolved(value: Any, template: Template, stacks: Mapping[str, Template]) -> Any:
    """Return a value of a template with what CloudFormation would put in its place, under sample names."""
    match value:
        case {"Ref": name} if name in PSEUDO:
            return PSEUDO[name]
        case {"Ref": name}:
            is_arn = template["Resources"][name]["Type"] in REFERENCES_ARE_ARNS
            return arn_of(name, template) if is_arn else name
        case {"Fn::GetAtt": [name, "Arn"]}:
            return arn_of(name, template)
        case {"Fn::Join": [between, parts]}:
            return between.join(resolved(part, template, stacks) for part in parts)
        case {"Fn::ImportValue": name}:
            [(exporter, output)] = [
                (each, output)
                for each in stacks.values()
                for output in each.get("Outputs", {}).values()
                if output.get("Export", {}).get("Name") == name
            ]
            return resolved(output["Value"], exporter, stacks)
        case dict():
            return {key: resolved(each, template, stacks) for key, each in value.items()}
        case list():
            return [resolved(each, template, stacks) for each in value]
        case _:
            return value


def arn_of(name: str, template: Template) -> str:
    kind = template["Resources"][name]["Type"]
    return ARNS[kind].format(name.lower() if kind == "AWS::S3::Bucket" else name)


def policies(stacks: Mapping[str, Template]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every policy of a role, by the name of what holds it."""
    for template in stacks.values():
        for name, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            match resource["Type"]:
                case "AWS::IAM::Policy":
                    yield name, resolved(properties["PolicyDocument"], template, stacks)
                case "AWS::IAM::Role":
                    for policy in properties.get("Policies", []):
                        yield name, resolved(policy["PolicyDocument"], template, stacks)


def of_resources(stacks: Mapping[str, Template]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every policy of a bucket, a queue or a topic."""
    for template in stacks.values():
        for name, resource in template["Resources"].items():
            if re.fullmatch("AWS::(S3::Bucket|SQS::Queue|SNS::Topic)Policy", resource["Type"]):
                yield name, resolved(resource["Properties"]["PolicyDocument"], template, stacks)


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_no_role_has_a_policy_of_somebody_elses(stacks: dict[str, Template]) -> None:
    roles = [
        resource["Properties"]
        for template in stacks.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::Role"
    ]
    assert roles
    assert not [role["ManagedPolicyArns"] for role in roles if role.get("ManagedPolicyArns")]


def test_no_action_is_a_wildcard(stacks: dict[str, Template]) -> None:
    for name, policy in [*policies(stacks), *of_resources(stacks)]:
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow" and statement["Action"] != EMPTIES_THE_BUCKET:
                assert not [action for action in listed(statement["Action"]) if "*" in action], name


def test_only_what_takes_no_resource_is_allowed_on_every_resource(stacks: dict[str, Template]) -> None:
    everywhere = {
        action
        for _, policy in policies(stacks)
        for statement in policy["Statement"]
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    assert everywhere <= TAKE_NO_RESOURCE


def test_whoever_may_use_a_queue_a_bucket_or_a_topic_is_named(stacks: dict[str, Template]) -> None:
    for name, policy in of_resources(stacks):
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow":
                assert statement["Principal"] not in ("*", {"AWS": "*"}), name
                # A service acts for many accounts: for which thing, or it is anybody's.
                if "Service" in statement["Principal"]:
                    assert "aws:SourceArn" in json.dumps(statement["Condition"]), name


def test_parliament_finds_nothing(stacks: dict[str, Template]) -> None:
    found = {
        f"{name}: {finding.issue} {finding.detail} {finding.location}"
        for name, policy in policies(stacks)
        for finding in parliament.analyze_policy_string(json.dumps(policy)).findings
    }
    assert found == set()


def test_parliament_would_find_an_action_that_there_is_not_and_a_resource_that_does_not_fit() -> None:
    for action, resource in (("s3:PutObjects", "arn:aws:s3:::a/*"), ("s3:PutObject", "arn:aws:s3:::a")):
        statement = {"Effect": "Allow", "Action": action, "Resource": resource}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        assert parliament.analyze_policy_string(json.dumps(policy)).findings


@pytest.mark.parametrize("context", CONTEXTS)
def test_little_of_what_the_security_checks_find_is_accepted(context: str, tmp_path: Path) -> None:
    app = compose(App(context={**CDK_JSON_CONTEXT, **CONTEXTS[context]}, outdir=str(tmp_path)))
    accepted = {
        reason
        for construct in app.node.find_all()
        for entry in construct.node.metadata
        if entry.type == "aws:cdk:acknowledged-rules"
        for reason in entry.data.values()
    }
    assert 0 < len(accepted) <= 6


def test_what_either_pack_of_the_security_checks_finds_fails_the_synthesis(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    Queue(Stack(app, "Careless"), "Queue")
    apply_standards(app)
    with pytest.raises(RuntimeError) as failed:
        app.synth()
    for finding in ("AwsSolutions::AwsSolutions-SQS4", "Serverless::Serverless-SQSRedrivePolicy"):
        assert finding in str(failed.value)
