"""Both functions on the AWS that moto imitates, called as Lambda calls them."""

import base64
import gzip
import json
from typing import Any
from unittest import mock

import pytest

from lambdas.adapters.delivery_stream import DeliveryStream
from lambdas.adapters.quarantine import s3
from lambdas.adapters.shelves import ShelvesTable, dynamodb
from lambdas.core import catalogue
from lambdas.core.settings import MissingSetting
from lambdas.core.simulation import Shop
from lambdas.intake.handler import handler as intake
from lambdas.store_app.handler import handler as store_app
from lambdas.store_app.trading import BadRequest
from tests.adapters.conftest import BUCKET, QUEUE_URL, STREAM, TABLE

SETTINGS = {"DELIVERY_STREAM_NAME": STREAM, "SHELVES_TABLE_NAME": TABLE, "SEED": "7", "OVERNIGHT_REPLENISHMENT": "yes",
            "LAKE_BUCKET_NAME": BUCKET, "SIGHTINGS_QUEUE_URL": QUEUE_URL}  # fmt: skip


class Context:
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


CONTEXT: Any = Context()


@pytest.fixture(autouse=True)
def _settings(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)


def call(**payload: Any) -> dict[str, Any]:
    return store_app(payload, CONTEXT)


def accepted() -> bytes:
    """What the stream has accepted, in order."""
    client = s3()
    keys = [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET, Prefix="events/").get("Contents", [])]
    return b"".join(client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys)


def simulated(stores: int, products: int, ticks: int) -> set[str]:
    lines: list[str] = []
    for number in range(1, stores + 1):
        shop = Shop(7, catalogue.store(7, number), catalogue.products(7, products))
        lines += shop.simulate(shop.opening_stock(), range(1, 1 + ticks)).lines
    return set(lines)


def test_what_store_app_sends_passes_the_intake() -> None:
    report = call(hours=24, stores=3, products=5)
    data = accepted()
    assert set(data.decode().splitlines()) == simulated(3, 5, 96)
    assert report["events"] == len(data.splitlines())
    assert {"events", "stores", "ticks", "from", "to", "units_sold", "units_received", "milliseconds"} == report.keys()

    record = {
        "recordId": "r1",
        "approximateArrivalTimestamp": 1_795_176_000_123,
        "data": base64.b64encode(data).decode(),
    }
    (result,) = intake({"records": [record]}, CONTEXT)["records"]
    arrived = [json.loads(line) for line in base64.b64decode(result["data"]).splitlines()]
    assert len(arrived) == report["events"]
    assert {event["received_at"] for event in arrived} == {"2026-11-20T12:00:00.123Z"}


def test_a_refused_document_is_found_in_the_quarantine() -> None:
    data = base64.b64encode(b'{"event_id": 1}').decode()
    record = {"recordId": "r1", "approximateArrivalTimestamp": 1_795_176_000_123, "data": data}
    assert intake({"records": [record]}, CONTEXT) == {"records": [{"recordId": "r1", "result": "Dropped"}]}
    client = s3()
    (item,) = client.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/dt=2026-11-20/")["Contents"]
    row = json.loads(gzip.decompress(client.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()))
    assert (row["document"], row["record_id"], row["position"]) == ('{"event_id": 1}', "r1", 0)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("after_the_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("port", "method"), [(ShelvesTable, "read"), (ShelvesTable, "write"), (DeliveryStream, "send")]
)
def test_killed_at_a_call_and_called_again_everything_is_sent_and_booked(
    port: type[Any], method: str, after_the_effect: bool
) -> None:
    original = getattr(port, method)
    number = 0
    while True:
        calls = iter(range(10**9))

        def killing(self: Any, *args: Any, **kwargs: Any) -> Any:
            last = next(calls) == number  # noqa: B023
            if last and not after_the_effect:
                raise Killed
            answer = original(self, *args, **kwargs)
            if last:
                raise Killed
            return answer

        with mock.patch.object(port, method, killing):
            try:
                call(hours=12, stores=2, products=2)
            except Killed:
                number += 1
            else:
                break
    assert number > 0
    shelves = ShelvesTable(dynamodb(), TABLE)
    ledgers = [shelves.read(f"S{store:05}") for store in (1, 2)]
    lines = accepted().decode().splitlines()
    for ledger in ledgers:
        expected = {line for line in simulated(2, 2, ledger.next_tick - 1) if ledger.store_id in line[:30]}
        assert {line for line in lines if ledger.store_id in line[:30]} == expected
        assert (ledger.plan, ledger.events_sent) == (None, len(expected))
        last = {}
        for line in sorted(expected, key=lambda line: int(json.loads(line)["event_id"].rpartition("-")[2])):
            event = json.loads(line)
            last[event["product_id"]] = event["stock"]
        assert ledger.on_hand == (last["P0001"], last["P0002"])


def test_a_bad_request_touches_nothing() -> None:
    with (
        mock.patch("lambdas.store_app.handler.dynamodb", side_effect=AssertionError("touched")),
        mock.patch("lambdas.store_app.handler.firehose", side_effect=AssertionError("touched")),
        pytest.raises(BadRequest, match="hours must be a whole number"),
    ):
        call(hours=0)


@pytest.mark.parametrize("name", ["DELIVERY_STREAM_NAME", "SHELVES_TABLE_NAME", "SEED", "OVERNIGHT_REPLENISHMENT"])
def test_a_missing_setting_names_the_stack_that_passes_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(MissingSetting, match=rf"^{name} is not set; IngestStack passes it\.$"):
        call()


def test_a_call_is_one_log_line_and_one_set_of_metrics(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    report = call(hours=12, stores=1, products=2)
    (log,) = caplog.records
    assert {**report, "run_id": CONTEXT.aws_request_id, "first_store": 1}.items() <= vars(log).items()
    (text,) = [text for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    metrics = json.loads(text)
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "InventoryWorkshop"
    assert metrics["EventsSent"] == [report["events"]]
