"""Whatever can go wrong turns an alarm that watches the right resource and tells the topic; idle, none goes off."""

import ast
import json
from typing import Any, NamedTuple

import pytest

from tests.stacks.conftest import Synthesise, Template, resources, templates
from workshop.places import ROOT

STACK = "InventoryOperations"


class Watch(NamedTuple):
    """What an alarm watches: a metric of a resource, named by the beginning of its logical id, and from where on."""

    resource: str
    statistic: str
    comparison: str
    threshold: float


def watched(alarm: dict[str, Any], stacks: dict[str, Template]) -> str:
    """The logical id of the resource in an alarm's only dimension, or the value that it has literally."""
    [dimension] = alarm.get("Dimensions", [{"Value": "all"}])
    if isinstance(dimension["Value"], str):
        return str(dimension["Value"])
    stack, export = dimension["Value"]["Fn::ImportValue"].split(":")
    [value] = [
        output["Value"]
        for output in stacks[stack]["Outputs"].values()
        if output.get("Export", {}).get("Name") == f"{stack}:{export}"
    ]
    return str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])


@pytest.fixture(scope="module")
def alarms(aws: dict[str, Template]) -> dict[str, dict[str, Any]]:
    return resources({STACK: aws[STACK]}, "AWS::CloudWatch::Alarm")


@pytest.mark.parametrize(
    ("metric", "watch"),
    [
        pytest.param(
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
            Watch("SightingsDeadLetters", "Maximum", "GreaterThan", 0),
            id="a sighting that nobody could handle",
        ),
        pytest.param(
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
            Watch("TruckBusDeadLetters", "Maximum", "GreaterThan", 0),
            id="an event that the bus could not deliver",
        ),
        pytest.param(
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
            Watch("TruckCallsDeadLetters", "Maximum", "GreaterThan", 0),
            id="an alert that called no truck",
        ),
        pytest.param(
            ("AWS/SQS", "ApproximateAgeOfOldestMessage"),
            Watch("SightingsQueue", "Maximum", "GreaterThan", 300),
            id="low shelves that nobody notices",
        ),
        pytest.param(
            ("AWS/Firehose", "DeliveryToS3.DataFreshness"),
            Watch("StockEvents", "Maximum", "GreaterThan", 900),
            id="events that do not arrive in the lake",
        ),
        pytest.param(
            ("AWS/Firehose", "ExecuteProcessing.Success"),
            Watch("StockEvents", "Average", "LessThan", 1),
            id="an intake that fails, times out, or may not be invoked",
        ),
        pytest.param(
            ("InventoryWorkshop", "QuarantinedPercent"),
            Watch("intake", "Average", "GreaterThan", 1),
            id="documents that are refused",
        ),
        pytest.param(
            ("AWS/Lambda", "Errors"), Watch("StoreAppFunction", "Sum", "GreaterThan", 0), id="a StoreApp that fails"
        ),
        pytest.param(("AWS/Lambda", "Throttles"), Watch("all", "Sum", "GreaterThan", 0), id="throttled functions"),
        pytest.param(
            ("AWS/States", "ExecutionsFailed"), Watch("Workflow", "Sum", "GreaterThan", 0), id="a delivery that fails"
        ),
    ],
)
def test_what_can_go_wrong_turns_an_alarm_that_tells_the_topic(
    aws: dict[str, Template], alarms: dict[str, dict[str, Any]], metric: tuple[str, str], watch: Watch
) -> None:
    [alarm] = [
        alarm
        for alarm in alarms.values()
        if (alarm["Namespace"], alarm["MetricName"]) == metric and watched(alarm, aws).startswith(watch.resource)
    ]
    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == (watch.statistic, f"{watch.comparison}Threshold")
    assert alarm["Threshold"] == watch.threshold
    [topic] = resources({STACK: aws[STACK]}, "AWS::SNS::Topic")
    assert alarm["AlarmActions"] == [{"Ref": topic}]
    # Whose title is what `status` calls the alarm, and the rest is what to do.
    title, _, advice = alarm["AlarmDescription"].partition(": ")
    assert title
    assert advice


def test_idle_no_alarm_goes_off(alarms: dict[str, dict[str, Any]]) -> None:
    assert {alarm["TreatMissingData"] for alarm in alarms.values()} == {"notBreaching"}


def test_no_function_fails_in_silence(aws: dict[str, Template]) -> None:
    """Where a function's failures are seen: in its own errors, in Firehose, in dead letters, or in a failed run."""
    sources = resources(aws, "AWS::Lambda::EventSourceMapping").values()
    seen_in_dead_letters = {mapping["FunctionName"]["Ref"] for mapping in sources}
    [workflow] = resources(aws, "AWS::StepFunctions::StateMachine").values()
    [stream] = resources(aws, "AWS::KinesisFirehose::DeliveryStream").values()
    others = json.dumps([workflow["DefinitionString"], stream["ExtendedS3DestinationConfiguration"]])
    for name, function in resources(aws, "AWS::Lambda::Function").items():
        if function.get("Handler", "").startswith("lambdas."):
            assert name.startswith("StoreApp") or name in seen_in_dead_letters or name in others, name


def test_alarms_and_metrics_of_ours_stay_within_what_is_always_free(aws: dict[str, Template]) -> None:
    """Ten alarm metrics, ten custom metrics, three dashboards of 50 metrics each (Amazon CloudWatch pricing)."""
    alarms = resources(aws, "AWS::CloudWatch::Alarm").values()
    assert sum(len(alarm.get("Metrics", [alarm])) for alarm in alarms) <= 10
    assert not resources(aws, "AWS::CloudWatch::CompositeAlarm")
    assert len(emitted()) <= 10
    [dashboard] = resources(aws, "AWS::CloudWatch::Dashboard").values()
    assert sum(len(widget["properties"].get("metrics", [])) for widget in body(dashboard)["widgets"]) <= 50


def body(dashboard: dict[str, Any]) -> dict[str, Any]:
    """A dashboard's body, references in it written as text."""
    parts = dashboard["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else json.dumps(part).replace('"', "'") for part in parts)
    found: dict[str, Any] = json.loads(text)
    return found


def emitted() -> set[tuple[str, str]]:
    """The (service, metric) of every metric that the handlers add, read from their sources."""
    found = set()
    for handler in sorted((ROOT / "lambdas").glob("*/handler.py")):
        for node in ast.walk(ast.parse(handler.read_text())):
            named: ast.AST | None = None
            if isinstance(node, ast.For) and "add_metric(name," in ast.unparse(node):
                named = node.iter
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("add_metric"):
                named = node.args[0]
            for part in ast.walk(named) if named else ():
                if isinstance(part, ast.Constant):
                    found.add((handler.parent.name.replace("_", "-"), str(part.value)))
    return found


def test_every_metric_of_ours_that_is_watched_is_one_that_a_function_writes(aws: dict[str, Template]) -> None:
    alarms = resources(aws, "AWS::CloudWatch::Alarm").values()
    watched = {
        (alarm["Dimensions"][0]["Value"], alarm["MetricName"])
        for alarm in alarms
        if alarm["Namespace"] == "InventoryWorkshop"
    }
    [dashboard] = resources(aws, "AWS::CloudWatch::Dashboard").values()
    for widget in body(dashboard)["widgets"]:
        for namespace, name, *dimensions in widget["properties"].get("metrics", []):
            if namespace == "InventoryWorkshop":
                watched.add((dimensions[1], name))
    assert watched == emitted()


def test_the_dashboard_shows_the_alarms_on_top_and_the_hops_from_the_left_to_the_right(
    aws: dict[str, Template], alarms: dict[str, dict[str, Any]]
) -> None:
    [dashboard] = resources(aws, "AWS::CloudWatch::Dashboard").values()
    top, *others = sorted(body(dashboard)["widgets"], key=lambda widget: (widget["y"], widget["x"]))
    assert len(top["properties"]["alarms"]) == len(alarms)
    hops = [widget["properties"]["title"] for widget in others if widget["y"] == others[0]["y"]]
    assert [title[:1] for title in hops] == [*"12345", "d"]


def test_alarms_and_budgets_of_this_account_alone_may_publish_and_over_tls_alone(aws: dict[str, Template]) -> None:
    """A topic with a policy of its own lets nobody in by default, not even the account's alarms."""
    [policy] = resources({STACK: aws[STACK]}, "AWS::SNS::TopicPolicy").values()
    statements = policy["PolicyDocument"]["Statement"]
    [denied] = [statement for statement in statements if statement["Effect"] == "Deny"]
    assert (denied["Principal"], denied["Condition"]) == ("*", {"Bool": {"aws:SecureTransport": "false"}})
    allowed = [statement for statement in statements if statement["Effect"] == "Allow"]
    assert {statement["Principal"]["Service"] for statement in allowed} == {
        "cloudwatch.amazonaws.com",
        "budgets.amazonaws.com",
    }
    for statement in allowed:
        assert statement["Action"] == "sns:Publish"
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert statement["Condition"]["ArnLike"]["aws:SourceArn"]


def test_the_budget_tells_the_topic_what_was_spent_and_what_will_be(
    aws: dict[str, Template], local: dict[str, Template], synthesise: Synthesise
) -> None:
    [budget] = resources(aws, "AWS::Budgets::Budget").values()
    assert budget["Budget"]["BudgetLimit"] == {"Amount": 5, "Unit": "USD"}
    [topic] = resources({STACK: aws[STACK]}, "AWS::SNS::Topic")
    notifications = budget["NotificationsWithSubscribers"]
    assert {entry["Notification"]["NotificationType"] for entry in notifications} == {"ACTUAL", "FORECASTED"}
    for entry in notifications:
        assert entry["Subscribers"] == [{"Address": {"Ref": topic}, "SubscriptionType": "SNS"}]
    assert not resources(local, "AWS::Budgets::Budget")
    assert not resources(templates(synthesise({"monthly_budget": "0"})), "AWS::Budgets::Budget")


def test_who_gives_an_address_is_written_to(aws: dict[str, Template], synthesise: Synthesise) -> None:
    assert not resources(aws, "AWS::SNS::Subscription")
    stacks = templates(synthesise({"alarm_email": "you@example.com"}))
    [subscription] = resources(stacks, "AWS::SNS::Subscription").values()
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "you@example.com")


def test_operations_can_be_left_out_and_nothing_else_changes(aws: dict[str, Template], synthesise: Synthesise) -> None:
    without = templates(synthesise({"operations": "no"}))
    assert aws.keys() - without.keys() == {STACK}
    for name, template in without.items():
        assert template["Resources"] == aws[name]["Resources"]


def test_without_our_trucks_nothing_of_theirs_is_watched(synthesise: Synthesise) -> None:
    stacks = templates(synthesise({"trucks": "no"}))
    watched = json.dumps(stacks[STACK])
    assert "TruckBusDeadLetters" in watched
    assert "AWS/States" not in watched
    assert "truck-dispatch" not in watched


def test_every_function_and_every_run_of_the_workflow_is_traced(aws: dict[str, Template]) -> None:
    for name, function in resources(aws, "AWS::Lambda::Function").items():
        if function.get("Handler", "").startswith("lambdas."):
            assert function["TracingConfig"] == {"Mode": "Active"}, name
    [workflow] = resources(aws, "AWS::StepFunctions::StateMachine").values()
    assert workflow["TracingConfiguration"] == {"Enabled": True}


def test_every_log_group_is_kept_for_a_month_and_deleted_with_its_stack(aws: dict[str, Template]) -> None:
    for template in aws.values():
        for name, resource in template["Resources"].items():
            if resource["Type"] == "AWS::Logs::LogGroup":
                assert 0 < resource["Properties"]["RetentionInDays"] <= 31, name
                assert resource["DeletionPolicy"] == "Delete", name
