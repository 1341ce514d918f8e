"""Alerts as they are listed, and what waits in queues and tables: read from whole tables, whatever they hold."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from lambdas.adapters.alerts import AlertsTable
from lambdas.adapters.deliveries import DeliveriesTable
from lambdas.adapters.shelves import ShelvesTable
from lambdas.core.deliveries import Delivery
from lambdas.core.episodes import Episode
from lambdas.core.ledger import Ledger
from tests.adapters.imitated_aws import imitated_aws
from workshop import alerts, cli, flow, screen
from workshop.errors import WorkshopError
from workshop.target import Target

REGION = "us-east-1"
RESOURCES = {"alerts_table": "alerts", "deliveries_table": "deliveries", "shelves_table": "shelves"}
MORNING = "2026-01-06T06:00:00.000Z"
NEXT_TICK = 4 * 33 + 1
"""The clock of a store that has traded until nine o'clock of that morning."""


@pytest.fixture
def target() -> Iterator[Target]:
    with imitated_aws() as target:
        yield target


def noticed(minute: int) -> str:
    return f"2026-11-20T12:{minute:02}:00.000Z"


def episode(store: str = "S00001", number: int = 1, minute: int = 0, *, is_open: bool = True) -> Episode:
    found = Episode(
        store_id=store,
        product_id="P0001",
        number=number,
        state="OPEN",
        stock=3,
        threshold=5,
        noticed_at=noticed(minute),
        version=1,
        ordered=20,
        opened_tick=120,
        opened_at=MORNING,
        opened_event=f"{store}-P0001-120",
        opened_exactly=True,
    )
    if is_open:
        return found
    closing: dict[str, Any] = {
        "closed_tick": 130,
        "closed_at": "2026-01-06T08:30:00.000Z",
        "closed_event": f"{store}-P0001-130",
    }
    return replace(found, state="CLOSED", **closing)


def delivery(alert_id: str, truck: str = "T-7") -> Delivery:
    _, store, product, _ = alert_id.split("-")
    return Delivery(
        delivery_id=alert_id,
        store_id=store,
        product_id=product,
        units=20,
        depot="Ghent",
        truck=truck,
        distance_km=12.5,
        travel_seconds=3,
        execution=alert_id,
    )


def write(target: Target, *written: Episode | Delivery | Ledger) -> None:
    client = target.client("dynamodb")
    for each in written:
        match each:
            case Episode():
                AlertsTable(client, "alerts").write(each)
            case Delivery():
                DeliveriesTable(client, "deliveries", "shelves").write(each)
            case Ledger():
                ShelvesTable(client, "shelves").write(each)


def ids(found: list[alerts.Alert]) -> list[str]:
    return [alert.episode.alert_id for alert in found]


def test_open_alerts_come_first_and_of_either_kind_the_newest(target: Target) -> None:
    write(
        target,
        episode("S00001", minute=1, is_open=False),
        episode("S00002", minute=9, is_open=False),
        episode("S00003", minute=2),
        episode("S00004", minute=5),
    )
    in_order = ["A-S00004-P0001-1", "A-S00003-P0001-1", "A-S00002-P0001-1", "A-S00001-P0001-1"]
    assert ids(alerts.read(target, RESOURCES)) == in_order
    assert ids(alerts.read(target, RESOURCES, limit=3)) == in_order[:3]
    assert ids(alerts.read(target, RESOURCES, state="OPEN")) == in_order[:2]
    assert ids(alerts.read(target, RESOURCES, state="CLOSED")) == in_order[2:]
    assert ids(alerts.read(target, RESOURCES, store_id="S00003")) == in_order[1:2]
    assert ids(alerts.read(target, RESOURCES, store_id="S99999")) == []


def test_a_shelf_s_episodes_are_not_those_of_a_product_whose_id_begins_alike(target: Target) -> None:
    write(target, episode(), replace(episode(), product_id="P00011"), episode("S00002"))
    [found] = alerts.episodes(target, RESOURCES, store_id="S00001", product_id="P0001")
    assert found.alert_id == "A-S00001-P0001-1"


def test_all_pages_of_a_large_table_are_read(target: Target) -> None:
    """A page ends at 1 MB: Scan, DynamoDB API reference."""
    for number in range(1, 9):
        write(target, episode(f"S{number:05}", minute=number))
        target.client("dynamodb").update_item(
            TableName="alerts",
            Key={"shelf": {"S": f"S{number:05}-P0001"}, "number": {"N": "1"}},
            UpdateExpression="SET padding = :padding",
            ExpressionAttributeValues={":padding": {"S": "x" * 300_000}},
        )
    assert len(target.client("dynamodb").scan(TableName="alerts")["Items"]) < 8
    assert len(alerts.read(target, RESOURCES)) == 8
    assert flow.loop(target, RESOURCES)["alerts"] == {"open": 8, "closed": 0}


def test_each_alert_has_its_delivery_also_when_there_are_more_than_one_call_takes(target: Target) -> None:
    """A call takes at most 100 keys: BatchGetItem, DynamoDB API reference."""
    stores = [f"S{number:05}" for number in range(1, 131)]
    write(target, *(episode(store) for store in stores))
    write(target, *(delivery(f"A-{store}-P0001-1", f"T-{store}").dispatched(noticed(1)) for store in stores[:-1]))
    trucks = {
        alert.episode.store_id: alert.delivery and alert.delivery.truck for alert in alerts.read(target, RESOURCES)
    }
    assert trucks == {store: f"T-{store}" for store in stores[:-1]} | {stores[-1]: None}


class Busy:
    """A DynamoDB that answers for one key at a time, and says which are left."""

    def __init__(self, answers: int) -> None:
        self.answers = answers

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - boto3's name
        [(table, asked)] = RequestItems.items()
        if not self.answers:
            return {"Responses": {}, "UnprocessedKeys": RequestItems}
        self.answers -= 1
        first, *others = asked["Keys"]
        left = {table: {**asked, "Keys": others}} if others else {}
        return {"Responses": {table: [first | {"next_tick": {"N": "9"}}]}, "UnprocessedKeys": left}


def test_what_dynamodb_leaves_undone_is_asked_for_again_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    target, busy = Target(name="aws", region=REGION), Busy(answers=3)
    monkeypatch.setattr(Target, "client", lambda *_: busy)
    assert set(alerts._store_times(target, RESOURCES, {"S1", "S2", "S3"})) == {"S1", "S2", "S3"}
    busy.answers = 2
    with pytest.raises(WorkshopError, match="busy"):
        alerts._store_times(target, RESOURCES, {"S1", "S2", "S3"})


def test_the_age_is_counted_on_the_store_s_clock(target: Target) -> None:
    write(
        target, Ledger("S00001", 1, NEXT_TICK), episode("S00001"), episode("S00002", is_open=False), episode("S00003")
    )
    ages = {alert.episode.store_id: alert.age() for alert in alerts.read(target, RESOURCES)}
    assert ages == {"S00001": timedelta(hours=3), "S00002": timedelta(hours=2.5), "S00003": None}


def test_without_our_trucks_there_are_alerts_and_no_deliveries(target: Target) -> None:
    write(target, episode())
    without = {name: table for name, table in RESOURCES.items() if name != "deliveries_table"}
    [alert] = alerts.read(target, without)
    assert alert.delivery is None
    assert flow.loop(target, without)["deliveries"] == {}


@pytest.mark.parametrize("store", ["", "s1", "S1 OR 1=1", "S00001\n", "x" * 1000])
def test_a_malformed_store_is_refused_before_anything_is_read(store: str) -> None:
    with pytest.raises(WorkshopError, match="no store's id"):
        alerts.read(Target(name="aws", region=REGION), RESOURCES, store_id=store)


def test_where_no_alerts_are_deployed_the_command_says_so() -> None:
    with pytest.raises(WorkshopError, match="No alerts are deployed"):
        alerts.read(Target(name="aws", region=REGION), {"shelves_table": "shelves"})


@pytest.fixture
def commands(target: Target, monkeypatch: pytest.MonkeyPatch) -> Target:
    """The account as the commands find it."""
    monkeypatch.setattr(cli, "find_target", lambda **_: target)
    monkeypatch.setattr(Target, "resources", lambda _: RESOURCES)
    return target


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        cli.main(list(words))
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_json_document_has_what_the_design_says(commands: Target, capsys: pytest.CaptureFixture[str]) -> None:
    write(commands, episode("S00001", minute=1), episode("S00002", is_open=False))
    write(commands, delivery("A-S00002-P0001-1").dispatched(noticed(1)))
    assert run("alerts", "--json") == 0
    is_open, closed = json.loads(capsys.readouterr().out)["alerts"]
    assert is_open == {
        "alert_id": "A-S00001-P0001-1",
        "store_id": "S00001",
        "product_id": "P0001",
        "state": "OPEN",
        "stock": 3,
        "threshold": 5,
        "opened_at": MORNING,
        "noticed_at": noticed(1),
        "closed_at": None,
        "delivery": None,
    }
    assert closed["state"] == "CLOSED"
    assert closed["closed_at"] == "2026-01-06T08:30:00.000Z"
    assert closed["delivery"] == {
        "delivery_id": "A-S00002-P0001-1",
        "status": "IN_TRANSIT",
        "truck": "T-7",
        "depot": "Ghent",
        "units": 20,
        "distance_km": 12.5,
        "dispatched_at": noticed(1),
        "delivered_at": None,
        "reason": None,
    }


def test_the_options_choose_which_alerts_are_shown(commands: Target, capsys: pytest.CaptureFixture[str]) -> None:
    write(commands, *(episode(f"S{number:05}", is_open=number % 2 == 0) for number in range(1, 31)))

    def shown(*words: str) -> list[str]:
        assert run("alerts", "--json", *words) == 0
        return [alert["state"] for alert in json.loads(capsys.readouterr().out)["alerts"]]

    assert shown() == ["OPEN"] * 15 + ["CLOSED"] * 5
    assert shown("--limit", "0") == ["OPEN"] * 15 + ["CLOSED"] * 15
    assert shown("--closed") == ["CLOSED"] * 15
    assert shown("--open", "--limit", "2") == ["OPEN"] * 2
    assert shown("--store", "S00002") == ["OPEN"]


@pytest.mark.parametrize("words", [("alerts", "--store", "nowhere"), ("trace", "nothing")])
def test_a_refusal_is_one_document_too(commands: Target, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    assert run(*words, "--json") == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert words[-1] in error["message"]
    assert error["next_step"]


def shown(part: Any) -> str:
    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    console.print(part)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_what_the_tables_hold_is_shown_and_never_obeyed() -> None:
    evil = "T\x1b]0;owned\x07[bold]7"
    alert = alerts.Alert(episode(), delivery("A-S00001-P0001-1", evil).dispatched(noticed(1)), None)
    text = shown(screen.alerts_table([alert], datetime(2026, 11, 20, 14, 30, tzinfo=UTC)))
    assert "\x1b]0" not in text
    assert "[bold]7" in text
    assert "2 h 30 min ago" in text
    assert "in transit" in text


@pytest.fixture
def queues(target: Target) -> dict[str, str]:
    """The URLs of the queues, with a message in each but the bus's dead letters."""
    sqs = target.client("sqs")
    urls = {}
    for name in ("sightings_queue", "sightings_dead_letters", "truck_calls_queue", "truck_calls_dead_letters"):
        urls[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
        sqs.send_message(QueueUrl=urls[name], MessageBody="{}")
    urls["truck_bus_dead_letters"] = sqs.create_queue(QueueName="truck_bus_dead_letters")["QueueUrl"]
    return urls


def test_queues_are_counted_by_their_plain_names_with_their_dead_letters(
    target: Target, queues: dict[str, str]
) -> None:
    sqs = target.client("sqs")
    for _ in range(2):
        sqs.send_message(QueueUrl=queues["sightings_queue"], MessageBody="{}")
    sqs.receive_message(QueueUrl=queues["sightings_queue"])
    # A dead letter that somebody looks at is still dead.
    sqs.receive_message(QueueUrl=queues["truck_calls_dead_letters"])
    assert flow.loop(target, {**RESOURCES, **queues, "truck_bus": "bus"})["queues"] == {
        "sightings": {"waiting": 2, "in_flight": 1, "dead": 1},
        "truck_calls": {"waiting": 1, "in_flight": 0, "dead": 1},
        "truck_bus": {"waiting": 0, "in_flight": 0, "dead": 0},
    }


def test_the_status_document_counts_alerts_and_deliveries_by_state(target: Target) -> None:
    write(target, episode("S00001"), episode("S00002", is_open=False), episode("S00003", is_open=False))
    on_the_way = delivery("A-S00001-P0001-1").dispatched(noticed(1))
    write(target, on_the_way, on_the_way.failed("No road.", noticed(2)))
    write(target, delivery("A-S00002-P0001-1").dispatched(noticed(1)))
    document = flow.status(target, RESOURCES, flow.NOTHING)
    assert document["alerts"] == {"open": 1, "closed": 2}
    assert document["deliveries"] == {"FAILED": 1, "IN_TRANSIT": 1}
    assert document["queues"] == {}


def test_nothing_is_counted_where_nothing_runs(target: Target) -> None:
    document = flow.status(None, {}, flow.NOTHING)
    assert (document["queues"], document["alerts"], document["deliveries"]) == ({}, {"open": 0, "closed": 0}, {})
    assert document.keys() == flow.status(target, RESOURCES, flow.NOTHING).keys()


def test_the_status_document_tells_what_the_dashboard_shows(target: Target, queues: dict[str, str]) -> None:
    """The alarms of our topic by their titles, the age of the oldest message, and what Firehose failed on."""
    cloudwatch, s3 = target.client("cloudwatch"), target.client("s3")
    topic = "arn:aws:sns:us-east-1:123456789012:ours"
    for name, told in (("ours", topic), ("theirs", "arn:aws:sns:us-east-1:123456789012:theirs")):
        cloudwatch.put_metric_alarm(
            AlarmName=f"stack-{name}-1",
            AlarmDescription=f"{name} late: look",
            AlarmActions=[told],
            MetricName="m",
            Namespace="n",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )
    cloudwatch.set_alarm_state(AlarmName="stack-ours-1", StateValue="ALARM", StateReason="test")
    cloudwatch.put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": "sightings_queue"}],
                "Timestamp": datetime.now(UTC) - timedelta(minutes=1),
                "Value": value,
            }
            for value in (17, 42)
        ],
    )
    s3.create_bucket(Bucket="lake")
    for key in ("errors/processing-failed/dt=2026-11-20/a", "stock_events/dt=2026-11-20/b"):
        s3.put_object(Bucket="lake", Key=key, Body=b"")
    resources = {**RESOURCES, **queues, "alarm_topic": topic, "lake_bucket": "lake"}
    document = flow.status(target, resources, flow.NOTHING)
    assert document["alarms"] == {"ours late": "ALARM"}
    assert document["oldest_seconds"] == {"sightings": 42, "truck_calls": None}
    assert document["error_objects"] == 1
