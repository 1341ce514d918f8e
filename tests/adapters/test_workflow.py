"""Runs of the workflow on the Step Functions that moto imitates, and the function that starts them."""

import json
from typing import Any

import pytest

from lambdas.adapters.workflow import DeliveryWorkflow, stepfunctions
from lambdas.core.deliveries import traced
from lambdas.core.settings import MissingSetting
from lambdas.truck_dispatch.handler import handler
from tests.unit.test_deliveries import ALERT, detail, message

OTHER = "A-S00001-P0002-1"


@pytest.fixture
def arn(aws: None) -> str:
    definition = {"StartAt": "Delivered", "States": {"Delivered": {"Type": "Succeed"}}}
    machine = stepfunctions().create_state_machine(
        name="deliveries", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/workflow"
    )
    return machine["stateMachineArn"]


def runs(arn: str) -> dict[str, Any]:
    """The inputs of all runs by name."""
    executions = stepfunctions().list_executions(stateMachineArn=arn)["executions"]
    described = [stepfunctions().describe_execution(executionArn=run["executionArn"]) for run in executions]
    return {run["name"]: json.loads(run["input"]) for run in described}


def test_a_run_has_its_name_and_its_input(arn: str) -> None:
    DeliveryWorkflow(stepfunctions(), arn).start(ALERT, detail())
    assert runs(arn) == {ALERT: detail()}


def test_a_name_is_taken_once_whatever_the_input(arn: str) -> None:
    workflow = DeliveryWorkflow(stepfunctions(), arn)
    for units in (40, 40, 41):
        workflow.start(ALERT, detail(units=units))
    assert runs(arn) == {ALERT: detail()}


def test_the_longest_alert_of_the_contract_has_a_name_that_step_functions_takes(arn: str) -> None:
    alert = f"A-{'S' * 16}-{'P' * 16}-999999999"
    DeliveryWorkflow(stepfunctions(), arn).start(f"{alert}-{10**6}", detail(alert))
    assert list(runs(arn)) == [f"{alert}-1000000"]


def test_any_other_refusal_is_raised(arn: str) -> None:
    with pytest.raises(stepfunctions().exceptions.StateMachineDoesNotExist):
        DeliveryWorkflow(stepfunctions(), arn + "s").start(ALERT, detail())


def test_the_function_starts_runs_and_names_the_messages_that_have_to_come_again(
    arn: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("DELIVERY_WORKFLOW_ARN", arn)
    poison = {"messageId": "2", "body": "{"}
    records = [message("1", detail()), poison, message("3", detail()), message("4", detail(OTHER))]
    assert handler({"Records": records}, None) == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert runs(arn) == {ALERT: detail(), OTHER: detail(OTHER)}
    error, summary = (vars(record) for record in caplog.records)
    assert (error["levelname"], error["message_id"], error["reason"][-1]) == ("ERROR", "2", ".")
    assert summary["called"] == [traced(detail()), traced(detail()), traced(detail(OTHER))]
    (metrics,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    assert metrics["TrucksCalled"] == [3]


def test_a_missing_setting_names_the_stack_that_passes_it(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELIVERY_WORKFLOW_ARN", raising=False)
    with pytest.raises(MissingSetting, match=r"^DELIVERY_WORKFLOW_ARN is not set; TrucksStack passes it\.$"):
        handler({"Records": [message("1", detail())]}, None)
