"""A simulated week in which trucks fill what customers empty: what was noticed is what the events alone tell."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import pytest

from tests.conftest import eventually
from tests.e2e.conftest import Workshop
from workshop.local_aws.clients import client

STORES, PRODUCTS = 20, 100
PORTION_HOURS: Final = 6
PORTIONS: Final = 7 * 24 // PORTION_HOURS


def came_to_rest(workshop: Workshop) -> dict[str, Any] | None:
    """Return the status once everything sent is in the lake, no message waits and every alert has its delivery."""
    status = workshop.json("status")
    alerts, deliveries = status["alerts"], status["deliveries"]
    at_rest = (
        status["events"]["unique"] == status["events"]["sent"]
        and not any(any(depth.values()) for depth in status["queues"].values())
        and deliveries == {"DELIVERED": alerts["open"] + alerts["closed"]}
    )
    return status if at_rest else None


def units_waiting(status: dict[str, Any]) -> int:
    """Return the units that trucks have unloaded and no store has put on a shelf yet."""
    pages = (
        client("dynamodb", status["endpoint"])
        .get_paginator("scan")
        .paginate(TableName=status["resources"]["shelves_table"])
    )
    ledgers = [ledger for page in pages for ledger in page["Items"]]
    assert not any("plan" in ledger for ledger in ledgers)
    return sum(int(receipt["M"]["units"]["N"]) for ledger in ledgers for receipt in ledger["receipts"]["L"])


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A workshop of its own: a week of so many stores would be a burden for the others' tests."""
    workshop = Workshop(tmp_path_factory.mktemp("a week"))
    try:
        workshop.run("up")
        yield workshop
    finally:
        workshop.run("down", "--destroy")


@pytest.fixture(scope="module")
def after_a_week(workshop: Workshop) -> dict[str, Any]:
    """The status after a week, at rest."""
    for _ in range(PORTIONS):
        workshop.run(
            *("generate", "--hours", str(PORTION_HOURS)), *("--stores", str(STORES), "--products", str(PRODUCTS))
        )
    return eventually(lambda: came_to_rest(workshop), within=300) or {}


def test_alerts_are_the_episodes_that_the_events_alone_tell(workshop: Workshop, after_a_week: dict[str, Any]) -> None:
    told = workshop.json("query", "episodes", "--limit", "0")
    place = {name: told["columns"].index(name) for name in ("store_id", "product_id", "opened_at", "closed_at")}
    episodes = [tuple(row[place[name]] for name in place) for row in told["rows"]]
    alerts = [
        (alert["store_id"], alert["product_id"], lake_time(alert["opened_at"]), lake_time(alert["closed_at"]))
        for alert in workshop.json("alerts", "--limit", "0")["alerts"]
    ]
    assert len(set(episodes)) == len(episodes) > STORES * PRODUCTS
    assert sorted(alerts, key=str) == sorted(episodes, key=str)


def test_every_alert_has_its_one_delivery(workshop: Workshop, after_a_week: dict[str, Any]) -> None:
    alerts = workshop.json("alerts", "--limit", "0")["alerts"]
    assert {alert["alert_id"] for alert in alerts} == {alert["delivery"]["delivery_id"] for alert in alerts}
    assert after_a_week["deliveries"] == {"DELIVERED": len(alerts)}


def test_what_trucks_unloaded_is_what_shelves_received(workshop: Workshop, after_a_week: dict[str, Any]) -> None:
    [[violations]] = workshop.json("query", "conservation")["rows"]
    assert violations == 0
    [[received]] = workshop.json("query", "--sql", "SELECT sum(units_received) FROM unique_events")["rows"]
    unloaded = sum(alert["delivery"]["units"] for alert in workshop.json("alerts", "--limit", "0")["alerts"])
    assert received + units_waiting(after_a_week) == unloaded > 0


def lake_time(moment: str | None) -> str | None:
    """Return a moment of the contract as a query's rows have it."""
    return moment and datetime.fromisoformat(moment).replace(tzinfo=None).isoformat()
