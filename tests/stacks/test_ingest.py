"""StoreApp, the intake and Firehose are wired to each other, and each may do only its part."""

import json
import re
from typing import Any

import pytest

from stacks.settings import BadSetting
from tests.stacks.conftest import Synthesise, Template, resources, templates


def destination(stacks: dict[str, Template]) -> dict[str, Any]:
    [stream] = resources(stacks, "AWS::KinesisFirehose::DeliveryStream").values()
    configuration: dict[str, Any] = stream["ExtendedS3DestinationConfiguration"]
    return configuration


def statements(stacks: dict[str, Template], role: str) -> list[dict[str, Any]]:
    """Return every statement attached to the role whose logical id begins with `role`, but for writing traces."""
    found: list[dict[str, Any]] = []
    for policy in resources(stacks, "AWS::IAM::Policy").values():
        if any(reference["Ref"].startswith(role) for reference in policy["Roles"]):
            found += policy["PolicyDocument"]["Statement"]
    return [
        statement for statement in found if not all(name.startswith("xray:") for name in names(statement["Action"]))
    ]


def names(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_firehose_screens_through_the_intake(aws: dict[str, Template]) -> None:
    [processor] = destination(aws)["ProcessingConfiguration"]["Processors"]
    parameters = {entry["ParameterName"]: entry["ParameterValue"] for entry in processor["Parameters"]}
    assert "IntakeFunction" in json.dumps(parameters["LambdaArn"])


def test_firehose_may_write_where_it_is_told_to_write_and_nowhere_else(aws: dict[str, Template]) -> None:
    configured = {
        destination(aws)["Prefix"].split("/")[0],
        destination(aws)["ErrorOutputPrefix"].split("/")[0],
    }
    [put] = [s for s in statements(aws, "StreamRole") if "s3:PutObject" in names(s["Action"])]
    allowed = {resource["Fn::Join"][1][-1].split("/")[1] for resource in put["Resource"]}
    assert allowed == configured


def test_the_intake_may_write_quarantine_alone(aws: dict[str, Template]) -> None:
    [put] = [s for s in statements(aws, "IntakeRole") if "s3:PutObject" in names(s["Action"])]
    assert put["Resource"]["Fn::Join"][1][-1] == "/quarantine/*"


def test_no_statement_allows_everything(aws: dict[str, Template]) -> None:
    for name, policy in resources(aws, "AWS::IAM::Policy").items():
        for statement in policy["PolicyDocument"]["Statement"]:
            assert not [action for action in names(statement["Action"]) if action.endswith("*")], name
            # X-Ray's actions take no resource (Service Authorization Reference, AWS X-Ray).
            if not all(action.startswith("xray:") for action in names(statement["Action"])):
                assert statement["Resource"] != "*", name


def test_store_app_is_told_where_to_send_and_where_its_books_are(aws: dict[str, Template]) -> None:
    [environment] = [
        function["Environment"]["Variables"]
        for function in resources(aws, "AWS::Lambda::Function").values()
        if function.get("Handler", "").startswith("lambdas.store_app")
    ]
    assert "StockEvents" in json.dumps(environment["DELIVERY_STREAM_NAME"])
    assert "Shelves" in json.dumps(environment["SHELVES_TABLE_NAME"])


def test_every_function_logs_to_a_group_that_is_deleted_with_it(aws: dict[str, Template]) -> None:
    groups = {
        name: resource
        for template in aws.values()
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Logs::LogGroup"
    }
    for name, function in resources(aws, "AWS::Lambda::Function").items():
        group = groups[function["LoggingConfig"]["LogGroup"]["Ref"]]
        assert group["DeletionPolicy"] == "Delete", name
        assert group["Properties"]["RetentionInDays"] <= 31, name


def test_the_schedule_is_off_unless_asked_for(aws: dict[str, Template], synthesise: Synthesise) -> None:
    assert not resources(aws, "AWS::Scheduler::Schedule")
    scheduled = templates(synthesise({"schedule_minutes": "5"}))
    [schedule] = resources(scheduled, "AWS::Scheduler::Schedule").values()
    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    assert json.loads(schedule["Target"]["Input"]) == {"hours": 1}


@pytest.mark.parametrize(
    "context",
    [
        {"target": "azure"},
        {"schedule_minutes": "-5"},
        {"schedule_minutes": "often"},
        {"seed": "1.5"},
        {"seed": str(2**31)},
        {"trucks": "maybe"},
        {"truck_speedup": "0"},
        {"truck_webhook_url": "http://trucks.example.com"},
        {"truck_webhook_url": "https://user:password@trucks.example.com"},
        {"truck_webhook_url": "trucks.example.com"},
        {"truck_webhook_url": "https://trucks.example.com:none"},
        {"truck_webhook_url": "https://[trucks"},
        {"truck_webhook_url": "https://trucks.example.com/*"},
        {"truck_webhook_url": "https://trucks.example.com/" + "a" * 2_048},
        {"truck_webhook_url": "http://127.0.0.1:8080"},
        {"operations": "perhaps"},
        {"alarm_email": "you"},
        {"alarm_email": "you@example.com,me@example.com"},
        {"alarm_email": "you@example.com\n"},
        {"monthly_budget": "-1"},
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name(synthesise: Synthesise, context: dict[str, str]) -> None:
    [(name, value)] = context.items()
    with pytest.raises(BadSetting, match=re.escape(f"-c {name}={value} ")):
        synthesise(context)
