"""Sightings reach the function that decides, which may do no more than that; what fails is kept."""

import json

import pytest

from tests.stacks.conftest import Synthesise, Template, resources, templates
from tests.stacks.test_ingest import names, statements


def test_the_intake_sends_to_the_queue_that_the_stock_alert_works_off(aws: dict[str, Template]) -> None:
    [intake] = [f for f in resources(aws, "AWS::Lambda::Function").values() if "intake" in f.get("Handler", "")]
    assert "SightingsQueue" in json.dumps(intake["Environment"]["Variables"]["SIGHTINGS_QUEUE_URL"])
    [send] = [s for s in statements(aws, "IntakeRole") if "sqs:SendMessage" in names(s["Action"])]
    assert "SightingsQueue" in json.dumps(send["Resource"])
    sources = resources(aws, "AWS::Lambda::EventSourceMapping").values()
    [mapping] = [m for m in sources if "StockAlert" in json.dumps(m["FunctionName"])]
    assert "SightingsQueue" in json.dumps(mapping["EventSourceArn"])
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_every_queue_that_is_worked_off_has_dead_letters_that_outlive_it(aws: dict[str, Template]) -> None:
    queues = resources(aws, "AWS::SQS::Queue")
    worked_off = [
        reference["Fn::GetAtt"][0]
        for mapping in resources(aws, "AWS::Lambda::EventSourceMapping").values()
        if "Fn::GetAtt" in (reference := mapping["EventSourceArn"])
    ]
    assert worked_off
    for name in worked_off:
        dead_letters = queues[queues[name]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]]
        assert dead_letters["MessageRetentionPeriod"] >= queues[name]["MessageRetentionPeriod"]


def test_a_message_is_hidden_for_six_times_as_long_as_its_function_may_take(aws: dict[str, Template]) -> None:
    functions, queues = resources(aws, "AWS::Lambda::Function"), resources(aws, "AWS::SQS::Queue")
    for mapping in resources(aws, "AWS::Lambda::EventSourceMapping").values():
        timeout = functions[mapping["FunctionName"]["Ref"]]["Timeout"]
        assert queues[mapping["EventSourceArn"]["Fn::GetAtt"][0]]["VisibilityTimeout"] >= 6 * timeout


def test_every_rule_keeps_what_it_cannot_deliver(aws: dict[str, Template]) -> None:
    rules = resources(aws, "AWS::Events::Rule")
    assert rules
    for name, rule in rules.items():
        for target in rule["Targets"]:
            assert "TruckBusDeadLetters" in json.dumps(target["DeadLetterConfig"]["Arn"]), name


def test_rules_of_this_bus_alone_may_leave_dead_letters(aws: dict[str, Template]) -> None:
    [policy] = [
        policy
        for name, policy in resources(aws, "AWS::SQS::QueuePolicy").items()
        if name.startswith("TruckBusDeadLetters")
    ]
    allowed = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert allowed
    for statement in allowed:
        assert statement["Principal"] == {"Service": "events.amazonaws.com"}
        assert "aws:SourceArn" in json.dumps(statement["Condition"])


def test_the_stock_alert_reaches_its_table_its_queue_and_its_bus(aws: dict[str, Template]) -> None:
    reached = {action: s["Resource"] for s in statements(aws, "StockAlertRole") for action in names(s["Action"])}
    assert "dynamodb:UpdateItem" not in reached
    assert "dynamodb:DeleteItem" not in reached
    for action, resource in (("dynamodb:PutItem", "Alerts"), ("events:PutEvents", "TruckBus")):
        assert reached[action]["Fn::GetAtt"][0].startswith(resource)


@pytest.mark.parametrize(
    ("context", "overnight"),
    [({}, "no"), ({"trucks": "no"}, "yes"), ({"truck_webhook_url": "https://trucks.example.com/alerts"}, "yes")],
)
def test_shelves_are_filled_up_overnight_only_for_want_of_our_trucks(
    synthesise: Synthesise, context: dict[str, str], overnight: str
) -> None:
    stacks = templates(synthesise(context))
    [store_app] = [
        f for f in resources(stacks, "AWS::Lambda::Function").values() if "store_app" in f.get("Handler", "")
    ]
    assert store_app["Environment"]["Variables"]["OVERNIGHT_REPLENISHMENT"] == overnight
    assert ("InventoryTrucks" in stacks) is (overnight == "no")
