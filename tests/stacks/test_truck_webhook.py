"""Every alert is posted to the user's truck system, its key in no template, or it is kept as a dead letter."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from stacks.alerts import AlertsStack
from stacks.settings import BadSetting, Settings
from stacks.truck_webhook import TruckWebhookStack
from tests.stacks.conftest import Synthesise, Template, resources, templates

ADDRESS = "https://trucks.example.com/alerts"


@pytest.fixture(scope="module")
def assembly(synthesise: Synthesise) -> Path:
    # With the security checks attached, as app.py is run: a finding that is not acknowledged fails here.
    return synthesise({"truck_webhook_url": ADDRESS})


@pytest.fixture(scope="module")
def webhook(assembly: Path) -> dict[str, Template]:
    return {name: template for name, template in templates(assembly).items() if name == "InventoryTruckWebhook"}


@pytest.fixture(scope="module")
def target(webhook: dict[str, Template]) -> dict[str, Any]:
    [rule] = resources(webhook, "AWS::Events::Rule").values()
    assert rule["EventPattern"] == {"source": ["inventory.alerts"], "detail-type": ["StockBelowThreshold"]}
    assert "TruckBus" in json.dumps(rule["EventBusName"])
    [target] = rule["Targets"]
    return dict(target)


def test_an_alert_calls_the_users_trucks_or_ours_and_never_both(assembly: Path, aws: dict[str, Template]) -> None:
    assert "InventoryTrucks" not in templates(assembly)
    assert "InventoryTruckWebhook" not in aws
    callers = [
        name
        for name, rule in resources(templates(assembly), "AWS::Events::Rule").items()
        if "StockBelowThreshold" in json.dumps(rule["EventPattern"])
    ]
    assert len(callers) == 1


def test_the_address_is_sent_the_notification_itself_under_the_alerts_name(
    webhook: dict[str, Template], target: dict[str, Any]
) -> None:
    [destination] = resources(webhook, "AWS::Events::ApiDestination").values()
    assert (destination["HttpMethod"], destination["InvocationEndpoint"]) == ("POST", ADDRESS)
    assert target["InputPath"] == "$.detail"
    assert target["HttpParameters"]["HeaderParameters"] == {"Idempotency-Key": "$.detail.alert_id"}


def test_an_alert_is_sent_for_a_day_and_then_kept(target: dict[str, Any]) -> None:
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185}
    assert "TruckBusDeadLetters" in json.dumps(target["DeadLetterConfig"]["Arn"])


def test_the_key_is_generated_and_stands_in_no_template(webhook: dict[str, Template]) -> None:
    [(key, secret)] = resources(webhook, "AWS::SecretsManager::Secret").items()
    assert "SecretString" not in secret
    # A connection's key may hold no colon (EventBridge API reference, CreateConnectionApiKeyAuthRequestParameters).
    assert ":" in secret["GenerateSecretString"]["ExcludeCharacters"]
    [connection] = resources(webhook, "AWS::Events::Connection").values()
    assert connection["AuthorizationType"] == "API_KEY"
    value = connection["AuthParameters"]["ApiKeyAuthParameters"]["ApiKeyValue"]
    assert value == {"Fn::Join": ["", ["{{resolve:secretsmanager:", {"Ref": key}, ":SecretString:::}}"]]}


def test_the_rule_may_call_this_destination_and_do_nothing_else(
    webhook: dict[str, Template], target: dict[str, Any]
) -> None:
    role = target["RoleArn"]["Fn::GetAtt"][0]
    statements = [
        statement
        for policy in resources(webhook, "AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Roles"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert statements == [{"Action": "events:InvokeApiDestination", "Effect": "Allow", "Resource": target["Arn"]}]
    assert "ManagedPolicyArns" not in resources(webhook, "AWS::IAM::Role")[role]


def test_the_tool_finds_the_destination_and_its_key(webhook: dict[str, Template]) -> None:
    outputs = webhook["InventoryTruckWebhook"]["Outputs"]
    [destination] = resources(webhook, "AWS::Events::ApiDestination")
    [key] = resources(webhook, "AWS::SecretsManager::Secret")
    assert (outputs["TruckWebhook"]["Value"], outputs["TruckWebhookKey"]["Value"]) == (
        {"Ref": destination},
        {"Ref": key},
    )


def test_cfn_lint_finds_nothing(assembly: Path) -> None:
    # W3005: CDK writes dependencies out that a reference implies already.
    linter = str(Path(sys.executable).parent / "cfn-lint")
    command = [linter, "--non-zero-exit-code", "informational", "-i", "W3005", "--"]
    command += [str(assembly / "InventoryTruckWebhook.template.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_without_an_address_there_is_no_webhook() -> None:
    app = App()
    with pytest.raises(BadSetting, match="truck_webhook_url"):
        TruckWebhookStack(app, "Webhook", settings=Settings(), alerts=AlertsStack(app, "Alerts"))
