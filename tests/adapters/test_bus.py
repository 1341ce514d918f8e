import json
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from lambdas.adapters.bus import NotAnnounced, TruckBus, events
from lambdas.stock_alert import noticing
from tests.adapters import in_memory
from tests.adapters.conftest import BUS


def details(count: int, size: int = 1) -> list[dict[str, Any]]:
    return [{"alert_id": f"A-S00001-P{number:04}-1", "store": "é" * size} for number in range(count)]


@pytest.mark.parametrize("count", [1, 10, 11, 25])
def test_every_call_for_a_truck_is_accepted_once(aws: None, count: int) -> None:
    answers: list[Any] = []
    client = mock.Mock()

    def put(**entries: Any) -> Any:
        answers.append(events().put_events(**entries))
        return answers[-1]

    client.put_events.side_effect = put
    bus: noticing.Bus = TruckBus(client, BUS)
    bus.announce(details(count))
    sent = [entry for call in client.put_events.call_args_list for entry in call.kwargs["Entries"]]
    assert [json.loads(entry.pop("Detail")) for entry in sent] == details(count)
    assert sent == [
        {"EventBusName": BUS, "Source": "inventory.alerts", "DetailType": "StockBelowThreshold"} for _ in range(count)
    ]
    accepted = [entry["EventId"] for answer in answers for entry in answer["Entries"]]
    assert len(set(accepted)) == count


def test_its_stand_in_takes_the_same() -> None:
    bus = in_memory.Bus()
    port: noticing.Bus = bus
    port.announce(details(2))
    port.announce(details(1))
    assert bus.details == details(2) + details(1)


@pytest.mark.parametrize(("count", "size", "calls"), [(0, 1, 0), (10, 1, 1), (11, 1, 2), (9, 10_000, 3)])
def test_calls_are_few_and_within_the_limits_of_put_events(count: int, size: int, calls: int) -> None:
    """PutEvents, API reference: 10 entries. Calculating Amazon EventBridge PutEvents event entry size: 256 KB."""
    client = mock.Mock()
    client.put_events.side_effect = lambda Entries: {"Entries": [{"EventId": "e"} for _ in Entries]}  # noqa: N803
    TruckBus(client, BUS).announce(details(count, size))
    sent = [call.kwargs["Entries"] for call in client.put_events.call_args_list]
    assert len(sent) == calls
    assert [json.loads(entry["Detail"]) for entries in sent for entry in entries] == details(count, size)
    for entries in sent:
        sizes = [len(entry[name].encode()) for entry in entries for name in ("Source", "DetailType", "Detail")]
        assert len(entries) <= 10
        assert sum(sizes) < 256_000


def test_what_was_not_accepted_is_raised_when_all_were_tried() -> None:
    """Sending events with PutEvents: the answer holds an ErrorCode in the place of each entry that failed."""
    client = mock.Mock()
    client.put_events.side_effect = [
        {"Entries": [{"EventId": "e"}] * 8 + [{"ErrorCode": "ThrottlingException"}, {"ErrorCode": "InternalFailure"}]},
        {"Entries": [{"EventId": "e"}] * 2},
    ]
    with pytest.raises(
        NotAnnounced, match=r"^trucks did not accept 2 of 12 \(InternalFailure, ThrottlingException\)\.$"
    ):
        TruckBus(client, BUS).announce(details(12))
    assert client.put_events.call_count == 2


def test_a_call_that_fails_as_a_whole_is_raised() -> None:
    client = mock.Mock()
    client.put_events.side_effect = ClientError({"Error": {"Code": "InternalException"}}, "PutEvents")
    with pytest.raises(ClientError):
        TruckBus(client, BUS).announce(details(1))
