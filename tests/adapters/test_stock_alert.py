"""The stock alert on the AWS that moto imitates, called as Lambda calls it."""

import json
import logging
from typing import Any
from unittest import mock

import pytest

from lambdas.adapters.alerts import AlertsTable
from lambdas.adapters.bus import TruckBus
from lambdas.adapters.shelves import dynamodb
from lambdas.core.settings import MissingSetting
from lambdas.stock_alert.handler import handler
from tests.adapters.conftest import ALERTS, BUS
from tests.unit.stock_events import event


@pytest.fixture(autouse=True)
def _settings(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTS_TABLE_NAME", ALERTS)
    monkeypatch.setenv("TRUCK_BUS_NAME", BUS)


def message(message_id: str, *events: dict[str, Any]) -> dict[str, Any]:
    return {"messageId": message_id, "body": json.dumps({"token": message_id, "events": events})}


LOW = event(stock=20, units_sold=10, received_at="2026-11-20T12:00:00.123Z")
BACK = event(event_id="S00001-P0006-40", stock=90, units_sold=0, units_received=80)
ARRIVAL = {
    "detail-type": "DeliveryCompleted",
    "detail": {
        "version": 1,
        "delivery_id": "A-S00001-P0006-1",
        "alert_id": "A-S00001-P0006-1",
        "store_id": "S00001",
        "product_id": "P0006",
        "units": 80,
        "delivered_at": "2026-11-20T12:01:00.000Z",
    },
}


def test_a_shelf_runs_low_a_truck_comes_and_the_shelf_is_back() -> None:
    table = AlertsTable(dynamodb(), ALERTS)
    with mock.patch.object(TruckBus, "announce", autospec=True) as announce:
        assert handler({"Records": [message("1", LOW)]}, None) == {"batchItemFailures": []}
        ((_, (detail,)), _) = announce.call_args
        assert detail["alert_id"] == "A-S00001-P0006-1"
        assert handler({"Records": [{"messageId": "2", "body": json.dumps(ARRIVAL)}]}, None)["batchItemFailures"] == []
        assert handler({"Records": [message("3", BACK)]}, None)["batchItemFailures"] == []
    assert announce.call_count == 1
    (episode,) = table.recent("S00001", "P0006")
    assert (episode.state, episode.delivered_units, episode.received_units) == ("CLOSED", 80, 80)


def test_failed_messages_are_reported_each_with_its_reason(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The shape: Handling errors for an SQS event source in Lambda, Implementing partial batch responses."""
    poison = {"messageId": "poison", "body": "\x1b[31m{"}
    answer = handler({"Records": [poison, message("good", LOW), message("bad", LOW | {"stock": -1})]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "poison"}, {"itemIdentifier": "bad"}]}
    errors = [vars(record) for record in caplog.records if record.levelno == logging.ERROR]
    assert [(error["message_id"], error["reason"]) for error in errors] == [
        ("poison", "The message is not JSON."),
        ("bad", "Event 0: stock must be from 0 to 1000000, not -1."),
    ]
    (summary,) = [vars(record) for record in caplog.records if record.levelno == logging.INFO]
    assert (summary["messages"], summary["EpisodesOpened"], summary["MessagesFailed"]) == (3, 1, 2)
    (opened,) = summary["opened"]
    assert (opened["correlation_id"], opened["alert_id"]) == (LOW["event_id"], "A-S00001-P0006-1")
    assert summary["tokens"] == ["good", "bad"]
    (metrics,) = [json.loads(text) for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    assert (metrics["EpisodesOpened"], metrics["EpisodesClosed"]) == ([1], [0])


@pytest.mark.parametrize("name", ["ALERTS_TABLE_NAME", "TRUCK_BUS_NAME"])
def test_a_missing_setting_names_the_stack_that_passes_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "")
    with pytest.raises(MissingSetting, match=rf"^{name} is not set; AlertsStack passes it\.$"):
        handler({"Records": []}, None)
