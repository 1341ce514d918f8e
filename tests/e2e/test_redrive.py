"""What went wrong is put right with one command each: dead letters, halted deliveries, failed and refused documents."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import eventually
from tests.e2e.conftest import Workshop
from tests.unit.stock_events import event
from workshop.local_aws.clients import client

STORE = "S00013"  # nobody has traded there yet; the call puts it beside a depot, so that the truck is quick
CALL = {
    "version": 1,
    "alert_id": f"A-{STORE}-P0001-1",
    "store": {"store_id": STORE, "latitude": 51.43, "longitude": 6.76},
    "product": {"product_id": "P0001"},
    "recommended_quantity": 20,
}


def stock_event(tick: int, **changes: Any) -> dict[str, Any]:
    return event(event_id=f"S77777-P0001-{tick}", store_id="S77777", product_id="P0001", **changes)


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A workshop of its own: what goes wrong in it is nobody else's."""
    workshop = Workshop(tmp_path_factory.mktemp("troubled"))
    try:
        workshop.run("up")
        yield workshop
    finally:
        workshop.run("down", "--destroy")


class Aws:
    """The services of a workshop, by its plain names."""

    def __init__(self, workshop: Workshop) -> None:
        status = workshop.json("status")
        self.endpoint: str = status["endpoint"]
        self.resources: dict[str, str] = status["resources"]

    def __getitem__(self, service: str) -> Any:
        return client(service, self.endpoint)

    def bury(self, queue: str, body: str, **attributes: str) -> None:
        self["sqs"].send_message(
            QueueUrl=self.resources[queue],
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def queue_arn(self, queue: str) -> str:
        answer = self["sqs"].get_queue_attributes(QueueUrl=self.resources[queue], AttributeNames=["QueueArn"])
        arn: str = answer["Attributes"]["QueueArn"]
        return arn

    def keys(self, prefix: str) -> list[str]:
        listed = self["s3"].list_objects_v2(Bucket=self.resources["lake_bucket"], Prefix=prefix)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def put_record(self, *lines: str) -> None:
        self["firehose"].put_record(
            DeliveryStreamName=self.resources["delivery_stream"], Record={"Data": "\n".join(lines).encode() + b"\n"}
        )


def test_dead_letters_are_handled_after_all_and_poison_stays(troubled: Workshop) -> None:
    aws = Aws(troubled)
    low = stock_event(1, stock=3, units_sold=3)
    aws.bury("sightings_dead_letters", json.dumps({"token": "e2e/0", "events": [low]}))
    aws.bury("sightings_dead_letters", "not JSON at all")

    told = troubled.json("redrive", "--dry-run", "sightings")["queues"]["sightings"]
    assert (told["dead"], told["moved"], len(told["ready"])) == (2, 0, 1)
    assert [letter["reason"] for letter in told["left"]] == ["The message is not JSON."]

    done = troubled.json("redrive", "sightings")["queues"]["sightings"]
    assert (done["dead"], done["moved"]) == (2, 1)
    assert done["left"] == told["left"]
    eventually(
        lambda: [a for a in troubled.json("alerts", "--store", "S77777")["alerts"] if a["state"] == "OPEN"], within=30
    )
    assert troubled.json("redrive", "sightings")["queues"]["sightings"]["moved"] == 0
    assert troubled.json("status")["queues"]["sightings"]["dead"] == 1


def test_a_delivery_that_failed_is_restarted_once_its_cause_is_mended(troubled: Workshop) -> None:
    aws = Aws(troubled)
    event = {"version": "0", "detail-type": "StockBelowThreshold", "source": "inventory.alerts", "detail": CALL}
    aws.bury(
        "truck_bus_dead_letters",
        json.dumps(event),
        TARGET_ARN=aws.queue_arn("truck_calls_queue"),
        ERROR_CODE="NO_PERMISSIONS",
        ERROR_MESSAGE="the rule may not send",
    )
    told = troubled.json("redrive", "truck_bus", "--dry-run")["queues"]["truck_bus"]
    assert [letter["reason"] for letter in told["ready"]] == ["NO_PERMISSIONS: the rule may not send"]
    assert troubled.json("redrive", "truck_bus")["queues"]["truck_bus"]["moved"] == 1

    def halted() -> list[dict[str, str]]:
        ready: list[dict[str, str]] = troubled.json("redrive", "deliveries", "--dry-run")["deliveries"]["ready"]
        return [delivery for delivery in ready if delivery["delivery_id"] == CALL["alert_id"]]

    [delivery] = eventually(halted, within=120)
    assert "has never traded" in delivery["reason"]
    troubled.run("generate", "--stores", "13")
    assert troubled.json("redrive", "deliveries")["deliveries"]["moved"] >= 1
    assert halted() == []

    def status() -> str:
        item = aws["dynamodb"].get_item(
            TableName=aws.resources["deliveries_table"], Key={"delivery_id": {"S": CALL["alert_id"]}}
        )["Item"]
        found: str = item["status"]["S"]
        return found

    eventually(lambda: status() == "DELIVERED", within=120)


def test_what_a_broken_function_and_a_missing_table_failed_is_replayed_once(troubled: Workshop) -> None:
    aws = Aws(troubled)
    functions, glue = aws["lambda"], aws["glue"]
    intake = aws.resources["intake"]
    handler = functions.get_function_configuration(FunctionName=intake)["Handler"]
    functions.update_function_configuration(FunctionName=intake, Handler="lambdas.intake.nowhere.handler")
    aws.put_record(json.dumps(stock_event(2)), json.dumps(stock_event(3, stock=-1)))
    eventually(lambda: aws.keys("errors/processing-failed/"), within=60)
    functions.update_function_configuration(FunctionName=intake, Handler=handler)

    where = {"DatabaseName": aws.resources["database"], "Name": "stock_events"}
    table = glue.get_table(**where)["Table"]
    glue.delete_table(**where)
    aws.put_record(json.dumps(stock_event(4)))
    eventually(lambda: aws.keys("errors/format-conversion-failed/"), within=60)
    wanted = ("Name", "Description", "TableType", "Parameters", "StorageDescriptor", "PartitionKeys")
    glue.create_table(
        DatabaseName=aws.resources["database"], TableInput={name: table[name] for name in wanted if name in table}
    )

    told = troubled.json("replay", "--dry-run")
    assert (told["objects"], told["documents"], told["replayed"]) == (2, 3, 2)
    assert list(told["left"]) == ["stock must be from 0 to 1000000, not -1."]
    assert troubled.json("replay", "--quarantine")["documents"] == 0
    done = troubled.json("replay")
    assert done == {**told, "dry_run": False}

    def arrived() -> list[list[Any]]:
        sql = "SELECT event_id FROM stock_events WHERE event_id IN ('S77777-P0001-2', 'S77777-P0001-4') ORDER BY 1"
        rows: list[list[Any]] = troubled.json("query", "--sql", sql)["rows"]
        return rows

    eventually(lambda: len(arrived()) == 2, within=60)
    again = troubled.json("replay")
    assert (again["documents"], again["replayed"]) == (1, 0)
    assert len(aws.keys("replayed/errors/")) == 2
    assert len(aws.keys("errors/")) == 1, "the document that is still refused stays where it was"
