"""What the default deployment costs: nothing while idle, and what the targets say of a million events."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.conftest import Synthesise, Template, templates
from workshop.cost import model, quotas, report
from workshop.cost.model import Load
from workshop.cost.prices import price_list
from workshop.cost.templates import StandingCharge, deployment, read_templates, standing_charges


def with_resource(aws: Mapping[str, Template], kind: str, properties: Mapping[str, Any]) -> list[Any]:
    changed = copy.deepcopy(list(aws.values()))
    changed[0]["Resources"]["Intruder"] = {"Type": kind, "Properties": dict(properties)}
    return changed


def test_nothing_in_the_default_deployment_is_billed_by_the_hour_or_the_month(aws: dict[str, Template]) -> None:
    assert list(standing_charges(list(aws.values()))) == []


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("AWS::EC2::NatGateway", {}),
        ("AWS::KMS::Key", {}),
        ("AWS::SecretsManager::Secret", {}),
        ("AWS::Kinesis::Stream", {}),
        ("AWS::DynamoDB::Table", {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}}),
        ("AWS::Lambda::EventSourceMapping", {"ProvisionedPollerConfig": {"MinimumPollers": 2}}),
        ("AWS::SQS::Queue", {"KmsMasterKeyId": "alias/aws/sqs"}),
        ("AWS::CloudWatch::Alarm", {"Period": 10}),
        ("AWS::Lambda::Version", {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1}}),
    ],
)
def test_what_costs_while_idle_is_named(aws: dict[str, Template], kind: str, properties: Mapping[str, Any]) -> None:
    [sentence] = standing_charges(with_resource(aws, kind, properties))
    assert "Intruder" in sentence
    assert kind in sentence


def test_a_type_that_nobody_has_priced_is_refused_and_not_left_out_of_the_price(aws: dict[str, Template]) -> None:
    with pytest.raises(StandingCharge, match="AWS::EC2::NatGateway"):
        deployment(with_resource(aws, "AWS::EC2::NatGateway", {}))


def test_idle_costs_nothing_beyond_what_is_always_free(aws: dict[str, Template]) -> None:
    nothing = model.idle(deployment(list(aws.values())))
    left = {line.unit: line.usd for line in price_list().lines(nothing) if line.usd}
    assert left == {}
    # What hides behind the allowance is there, and shown.
    assert any(use.unit == "sqs.requests" and amount > 500_000 for use, amount in nothing.items())


def test_an_eleventh_alarm_would_cost(aws: dict[str, Template]) -> None:
    alarms = deployment(list(aws.values())).alarms
    changed = copy.deepcopy(list(aws.values()))
    for number in range(11 - alarms):
        changed[0]["Resources"][f"Intruder{number}"] = {"Type": "AWS::CloudWatch::Alarm", "Properties": {}}
    lines = price_list().lines(model.idle(deployment(changed)))
    assert sum(line.usd for line in lines) == pytest.approx(0.10)


def test_the_price_is_of_what_the_templates_say(aws: dict[str, Template], synthesise: Synthesise) -> None:
    shipped = deployment(list(aws.values()))
    assert shipped.functions.keys() == {"store_app", "intake", "stock_alert", "truck_dispatch", "delivery"}
    assert shipped.functions["store_app"].memory == 1769
    assert shipped.converts
    assert (shipped.processor.size, shipped.processor.seconds) == (2**20, 15)
    assert (shipped.delivery.size, shipped.delivery.seconds) == (128 * 2**20, 60)
    # Start, Dispatch, Travel, Unload, Announce, Delivered.
    assert shipped.transitions == 6
    alone = deployment(list(templates(synthesise({"trucks": "no", "schedule_minutes": "5"})).values()))
    assert not alone.has_trucks
    assert alone.schedule_minutes == 5
    webhook = {"truck_webhook_url": "https://trucks.example.com/alerts"}
    posting = deployment(list(templates(synthesise(webhook)).values()))
    assert posting.posts_alerts
    assert posting.secrets == 1


@pytest.fixture(scope="module")
def told(aws_assembly: Path) -> dict[str, Any]:
    return report.estimate(Load(), deployment(read_templates(aws_assembly)), price_list())


def target(told: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    [found] = [each for each in told["targets"] if each["what"] == what]
    return dict(found)


def test_the_way_into_the_lake_is_within_five_cents_for_a_million_events(told: dict[str, Any]) -> None:
    assert target(told, "from StoreApp into the lake")["met"]


@pytest.mark.xfail(reason="an event has 366 bytes; the target was set for 304. Compressed records would meet it")
def test_firehose_is_within_its_target(told: dict[str, Any]) -> None:
    assert target(told, "Firehose")["met"]


@pytest.mark.xfail(
    reason="a delivery costs six transitions of Step Functions, and there are 24,000 for a million events"
)
def test_everything_is_within_five_cents_for_a_million_events(told: dict[str, Any]) -> None:
    assert target(told, "everything")["met"]


def test_firehose_costs_what_the_bytes_cost_and_no_more(told: dict[str, Any]) -> None:
    events = told["load"]["events_per_month"]
    [ingested] = [line["amount"] for line in told["load_alone"]["lines"] if line["unit"] == "firehose.ingestion"]
    lost_by_rounding = ingested / (events * 366) - 1
    assert 0 <= lost_by_rounding < 0.02


def test_what_dominates_is_told_and_what_would_change_it(told: dict[str, Any]) -> None:
    assert next(iter(told["parts"])) == "trucks"
    changes = {case["what"]: case for case in told["what_if"]}
    unpacked = changes["each event is a record of its own"]
    # One document in a record of 5 KB: 13 times its size.
    assert unpacked["firehose_usd_per_million_events"] == pytest.approx(0.2241, abs=0.0005)
    assert (
        changes["JSON is kept instead of Parquet"]["athena_usd"] > 10 * changes["no function is traced"]["athena_usd"]
    )
    often, seldom = (changes[f"events come evenly, delivered every {seconds} s"] for seconds in (5, 60))
    assert often["s3_usd"] > 5 * seldom["s3_usd"]


def test_up_to_a_hundred_thousand_stores_the_first_limit_is_named(aws_assembly: Path) -> None:
    document = quotas.as_document(Load(), deployment(read_templates(aws_assembly)))
    assert [row["stores"] for row in document["rows"]] == [1, 100, 1_000, 10_000, 100_000]
    assert [bool(row["met"]) for row in document["rows"][:3]] == [False] * 3
    assert all(row["nearest"]["raised_by"] and row["nearest"]["source"] for row in document["rows"])
    shares = [row["nearest"]["share"] for row in document["rows"]]
    assert shares == sorted(shares)
