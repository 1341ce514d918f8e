"""An alert reaches the workflow, whatever fails is visible, and each part may do only its part."""

import json
from typing import Any

import pytest

from lambdas.core import deliveries
from lambdas.core.settings import MissingSetting
from lambdas.delivery import driving
from tests.stacks.conftest import Synthesise, Template, resources, templates
from tests.stacks.test_ingest import names, statements

STACK = "InventoryTrucks"


@pytest.fixture(scope="module")
def states(aws: dict[str, Template]) -> dict[str, Any]:
    """The workflow's states, references in it written as text."""
    [machine] = resources(aws, "AWS::StepFunctions::StateMachine").values()
    parts = machine["DefinitionString"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else json.dumps(part).replace('"', "'") for part in parts)
    found: dict[str, Any] = json.loads(text)["States"]
    return found


def of_the_stack(aws: dict[str, Template], resource_type: str) -> dict[str, Any]:
    return resources({STACK: aws[STACK]}, resource_type)


def function(aws: dict[str, Template], folder: str) -> tuple[str, dict[str, Any]]:
    [found] = [
        (name, properties)
        for name, properties in of_the_stack(aws, "AWS::Lambda::Function").items()
        if properties["Handler"] == f"lambdas.{folder}.handler.handler"
    ]
    return found


def queues(aws: dict[str, Template]) -> tuple[dict[str, Any], str, dict[str, Any], str]:
    """The queue of truck calls and its dead letters, each with its logical id."""
    found = of_the_stack(aws, "AWS::SQS::Queue")
    [(calls_id, calls)] = [(name, queue) for name, queue in found.items() if "RedrivePolicy" in queue]
    dead_id = calls["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
    return calls, calls_id, found[dead_id], dead_id


def test_an_alert_goes_to_the_queue_of_the_function_that_starts_the_workflow(aws: dict[str, Template]) -> None:
    calls, calls_id, _, _ = queues(aws)
    [rule] = of_the_stack(aws, "AWS::Events::Rule").values()
    assert rule["EventPattern"] == {"source": ["inventory.alerts"], "detail-type": ["StockBelowThreshold"]}
    assert "TruckBus" in json.dumps(rule["EventBusName"])
    [target] = rule["Targets"]
    assert target["Arn"]["Fn::GetAtt"][0] == calls_id
    [mapping] = of_the_stack(aws, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["EventSourceArn"]["Fn::GetAtt"][0] == calls_id
    dispatch_id, dispatch = function(aws, "truck_dispatch")
    assert mapping["FunctionName"]["Ref"] == dispatch_id
    [workflow] = of_the_stack(aws, "AWS::StepFunctions::StateMachine")
    assert dispatch["Environment"]["Variables"]["DELIVERY_WORKFLOW_ARN"] == {"Ref": workflow}
    assert calls["VisibilityTimeout"] >= 6 * dispatch["Timeout"]


def test_no_call_is_lost_in_silence(aws: dict[str, Template]) -> None:
    """What EventBridge cannot pass on, and what the function cannot do, lie in queues of dead letters for 14 days."""
    calls, calls_id, dead, dead_id = queues(aws)
    [rule] = of_the_stack(aws, "AWS::Events::Rule").values()
    assert "TruckBusDeadLetters" in json.dumps(rule["Targets"][0]["DeadLetterConfig"])
    [mapping] = of_the_stack(aws, "AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert dead["MessageRetentionPeriod"] == calls["MessageRetentionPeriod"] == 14 * 24 * 3_600
    for queue_id, queue in ((calls_id, calls), (dead_id, dead)):
        assert queue["SqsManagedSseEnabled"]
        [policy] = [
            policy
            for policy in of_the_stack(aws, "AWS::SQS::QueuePolicy").values()
            if policy["Queues"] == [{"Ref": queue_id}]
        ]
        denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_only_the_rule_may_call_trucks(aws: dict[str, Template]) -> None:
    _, calls_id, _, _ = queues(aws)
    [rule] = of_the_stack(aws, "AWS::Events::Rule")
    allowed = [
        statement
        for policy in of_the_stack(aws, "AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    [statement] = allowed
    assert statement["Resource"]["Fn::GetAtt"][0] == calls_id
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}


def test_what_starts_the_workflow_may_do_nothing_but_start_it(aws: dict[str, Template]) -> None:
    [workflow] = of_the_stack(aws, "AWS::StepFunctions::StateMachine")
    _, calls_id, _, _ = queues(aws)
    for statement in statements(aws, "TruckDispatchRole"):
        if all(action.startswith("sqs:") for action in names(statement["Action"])):
            assert statement["Resource"]["Fn::GetAtt"][0] == calls_id
        else:
            assert (statement["Action"], statement["Resource"]) == ("states:StartExecution", {"Ref": workflow})


def test_the_delivery_may_read_and_write_its_table_and_append_to_the_shelves(aws: dict[str, Template]) -> None:
    allowed = {
        action: json.dumps(statement["Resource"])
        for statement in statements(aws, "DeliveryRole")
        for action in names(statement["Action"])
    }
    assert allowed.keys() == {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}
    _, delivery = function(aws, "delivery")
    variables = delivery["Environment"]["Variables"]
    table = variables["DELIVERIES_TABLE_NAME"]["Ref"]
    assert table in allowed["dynamodb:GetItem"]
    assert table in allowed["dynamodb:PutItem"]
    assert "Shelves" in allowed["dynamodb:UpdateItem"]
    assert "Shelves" in json.dumps(variables["SHELVES_TABLE_NAME"])


def test_the_workflow_may_call_its_function_and_announce_on_the_bus_alone(aws: dict[str, Template]) -> None:
    allowed = {statement["Action"]: json.dumps(statement["Resource"]) for statement in statements(aws, "WorkflowRole")}
    assert allowed.keys() == {"lambda:InvokeFunction", "events:PutEvents"}
    assert function(aws, "delivery")[0] in allowed["lambda:InvokeFunction"]
    assert "TruckBus" in allowed["events:PutEvents"]


def test_a_delivery_is_dispatched_travels_is_unloaded_and_announced(states: dict[str, Any]) -> None:
    way = ["Dispatch"]
    while after := states[way[-1]].get("Next"):
        way.append(after)
    assert way == ["Dispatch", "Travel", "Unload", "Announce", "Delivered"]
    assert states["Travel"]["SecondsPath"] == "$.travel_seconds"
    [entry] = states["Announce"]["Parameters"]["Entries"]
    assert (entry["Source"], entry["DetailType"], entry["Detail.$"]) == ("inventory.trucks", "DeliveryCompleted", "$")
    assert "TruckBus" in entry["EventBusName"]


def test_every_step_is_told_which_run_it_belongs_to(states: dict[str, Any]) -> None:
    told = {name: states[name]["Parameters"] for name in ("Dispatch", "Unload", "GiveUp")}
    assert {name: parameters["step"] for name, parameters in told.items()} == {
        "Dispatch": "dispatch",
        "Unload": "unload",
        "GiveUp": "fail",
    }
    for parameters in told.values():
        assert parameters["execution.$"] == "$$.Execution.Name"
    # By then the state's input may be an error, or the answer of another step.
    for name in ("Dispatch", "GiveUp"):
        assert told[name]["detail.$"] == "$$.Execution.Input"


def test_whatever_fails_is_repeated_with_growing_pauses_and_then_marked_as_failed(states: dict[str, Any]) -> None:
    for name in ("Dispatch", "Unload", "Announce", "GiveUp"):
        never, always = states[name]["Retry"]
        assert never["MaxAttempts"] == 0
        assert always["ErrorEquals"] == ["States.ALL"]
        assert always["MaxAttempts"] >= 6
        assert always["BackoffRate"] >= 2
        assert always["JitterStrategy"] == "FULL"
    for name in ("Dispatch", "Unload", "Announce"):
        assert states[name]["Catch"] == [{"ErrorEquals": ["States.ALL"], "Next": "GiveUp"}]
    assert states["GiveUp"]["Parameters"]["error.$"] == "$"
    assert states["GiveUp"]["Next"] == "Failed"
    assert states["Failed"] == {"Type": "Fail", "ErrorPath": "$.Error", "CausePath": "$.Cause"}


def test_what_is_never_repeated_are_errors_that_the_function_raises(states: dict[str, Any]) -> None:
    """By the names of their classes: that is what Lambda reports as `errorType`."""
    raised = (deliveries.BadCall, deliveries.UnknownStore, driving.NotItsDelivery, MissingSetting)
    assert set(states["Unload"]["Retry"][0]["ErrorEquals"]) == {error.__name__ for error in raised}


def test_a_name_is_refused_because_the_workflow_is_a_standard_one(aws: dict[str, Template]) -> None:
    """An express workflow takes the same name twice (Execution guarantees, Step Functions developer guide)."""
    [machine] = of_the_stack(aws, "AWS::StepFunctions::StateMachine").values()
    assert machine.get("StateMachineType", "STANDARD") == "STANDARD"


def test_trucks_drive_at_the_pace_that_is_asked_for(synthesise: Synthesise) -> None:
    fast = templates(synthesise({"truck_speedup": "3600"}))
    assert function(fast, "delivery")[1]["Environment"]["Variables"]["TRUCK_SPEEDUP"] == "3600"
