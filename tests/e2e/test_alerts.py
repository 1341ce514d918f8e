"""Low shelves, their trucks, and one event's way: as the commands tell them, against what the lake holds."""

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from tests.e2e.conftest import Workshop

INTO_THE_LAKE = ["produced", "accepted", "object", "row"]
FROM_THE_ALERT = ["sighting", "alert", "truck", "unloaded", "shelf", "closed"]


def closed_alert(workshop: Workshop) -> dict[str, Any]:
    alert: dict[str, Any] = workshop.json("alerts", "--closed", "--limit", "1")["alerts"][0]
    return alert


def rows(workshop: Workshop, sql: str) -> list[list[Any]]:
    found: list[list[Any]] = workshop.json("query", "--limit", "0", "--sql", sql)["rows"]
    return found


def of_shelf(alert: dict[str, Any]) -> str:
    return f"store_id = '{alert['store_id']}' AND product_id = '{alert['product_id']}'"


def event_at(workshop: Workshop, alert: dict[str, Any], moment: str) -> str:
    [[event_id]] = rows(
        workshop,
        "SELECT event_id FROM unique_events "
        f"WHERE {of_shelf(alert)} AND event_time = CAST(from_iso8601_timestamp('{moment}') AS timestamp)",
    )
    assert isinstance(event_id, str)
    return event_id


def test_status_counts_what_alerts_lists(workshop: Workshop) -> None:
    status = workshop.json("status")
    listed = workshop.json("alerts", "--limit", "0")["alerts"]
    states = Counter(alert["state"] for alert in listed)
    assert status["alerts"] == {"open": states["OPEN"], "closed": states["CLOSED"]}
    assert status["deliveries"] == Counter(alert["delivery"]["status"] for alert in listed if alert["delivery"])
    assert {"sightings", "truck_calls", "truck_bus"} <= status["queues"].keys()
    assert not any(depth["dead"] for depth in status["queues"].values())


def test_a_store_s_alerts_are_those_of_all_that_are_its_own(workshop: Workshop) -> None:
    listed = workshop.json("alerts", "--limit", "0")["alerts"]
    store = listed[0]["store_id"]
    own = workshop.json("alerts", "--limit", "0", "--store", store)["alerts"]
    assert own == [alert for alert in listed if alert["store_id"] == store]


def test_the_event_that_opened_an_alert_is_followed_to_the_filled_shelf(workshop: Workshop) -> None:
    alert = closed_alert(workshop)
    opening = event_at(workshop, alert, alert["opened_at"])
    trace = workshop.json("trace", opening)
    assert trace["event_id"] == opening
    assert trace["missing"] == []
    assert sorted(hop["hop"] for hop in trace["hops"]) == sorted([*INTO_THE_LAKE, *FROM_THE_ALERT])
    hops = {hop["hop"]: hop for hop in trace["hops"]}
    assert hops["alert"]["at"] == alert["noticed_at"]
    assert hops["truck"]["at"] == alert["delivery"]["dispatched_at"]
    assert hops["unloaded"]["at"] == alert["delivery"]["delivered_at"]
    [[path]] = rows(workshop, f"SELECT DISTINCT \"$path\" FROM stock_events WHERE event_id = '{opening}'")
    assert hops["object"]["where"] == path
    times = [datetime.fromisoformat(hop["at"]) for hop in trace["hops"] if hop["at"]]
    assert times == sorted(times)
    waits = [hop["seconds_since_previous"] for hop in trace["hops"] if hop["seconds_since_previous"] is not None]
    assert sum(waits) == pytest.approx((times[-1] - times[0]).total_seconds())


def test_the_event_that_closed_an_alert_brought_what_the_truck_unloaded(workshop: Workshop) -> None:
    alert = closed_alert(workshop)
    closing = event_at(workshop, alert, alert["closed_at"])
    [[units]] = rows(workshop, f"SELECT units_received FROM unique_events WHERE event_id = '{closing}'")
    assert units == alert["delivery"]["units"]
    trace = workshop.json("trace", closing)
    assert trace["missing"] == []
    assert [hop["hop"] for hop in trace["hops"]] == [*INTO_THE_LAKE, "sighting", "closed"]


def test_an_event_of_a_full_shelf_ends_in_the_lake(workshop: Workshop) -> None:
    [[event_id]] = rows(
        workshop, "SELECT min(event_id) FROM stock_events WHERE stock > 2 * threshold AND units_received = 0"
    )
    trace = workshop.json("trace", event_id)
    assert [hop["hop"] for hop in trace["hops"]] == INTO_THE_LAKE
    assert trace["missing"] == []


@pytest.mark.parametrize(
    ("event_id", "says"),
    [
        ("not an id", "no event id"),
        ("S00001-P0001-1' OR '1'='1", "no event id"),
        ("S99999-P0001-1", "no store S99999"),
        ("S00001-P0001-999999999", "has not happened yet"),
    ],
)
def test_an_unknown_event_is_refused_with_one_sentence(workshop: Workshop, event_id: str, says: str) -> None:
    error = workshop.json("trace", event_id, expect=1)["error"]
    assert error["type"] == "UnknownEvent"
    assert says in error["message"]
    assert error["next_step"]
