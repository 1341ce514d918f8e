"""From the stores to the answers: what was sent is what can be asked for, to the unit."""

import json
from typing import Any

import pytest

from tests.conftest import eventually
from tests.e2e.conftest import Workshop
from tests.unit.stock_events import event
from workshop.ask import named_queries
from workshop.local_aws.clients import client


def one_value(workshop: Workshop, sql: str) -> Any:
    [[value]] = workshop.json("query", "--sql", sql)["rows"]
    return value


def test_every_event_sent_is_in_the_lake_once(workshop: Workshop) -> None:
    events = workshop.json("status")["events"]
    assert events["sent"] > 0
    assert events["unique"] == events["sent"]
    assert events["quarantined"] == 0


def test_status_names_what_was_deployed(workshop: Workshop) -> None:
    status = workshop.json("status")
    assert status["target"] == "local"
    assert status["running"] is True
    assert {
        "store_app",
        "intake",
        "delivery_stream",
        "lake_bucket",
        "database",
        "workgroup",
        "shelves_table",
    } <= status["resources"].keys()


def test_stock_is_conserved_from_event_to_event(workshop: Workshop) -> None:
    workshop.run("generate", "--hours", "30", "--stores", "12", "--products", "20")
    eventually(
        lambda: (events := workshop.json("status")["events"])["unique"] == events["sent"],
        within=60,
    )
    [row] = workshop.json("query", "conservation")["rows"]
    assert row[0] == 0


def test_generate_tells_what_was_traded(workshop: Workshop) -> None:
    before = one_value(workshop, "SELECT count(DISTINCT event_id) FROM stock_events")
    summary = workshop.json("generate", "--hours", "10", "--stores", "3")
    assert summary["ticks"] == 40
    assert summary["stores"] == 3
    assert summary["units_sold"] > 0
    eventually(
        lambda: one_value(workshop, "SELECT count(DISTINCT event_id) FROM stock_events") == before + summary["events"],
        within=30,
    )


@pytest.mark.parametrize("name", named_queries())
def test_every_named_query_answers(workshop: Workshop, name: str) -> None:
    answer = workshop.json("query", name, "--limit", "0")
    # The trucks leave no shelf low, until the customers come, and nothing was refused yet.
    assert answer["rows"] or name in ("low_stock", "quarantine_by_reason")
    assert len(answer["types"]) == len(answer["columns"])
    assert answer["price_usd"] > 0


def test_a_bad_document_is_quarantined_with_its_reason_and_harms_no_neighbour(workshop: Workshop) -> None:
    good = event(event_id="S77777-P0001-1", store_id="S77777", product_id="P0001")
    bad = good | {"event_id": "S77777-P0001-2", "stock": -1}
    lines = "\n".join([json.dumps(good), json.dumps(bad), "not JSON at all"]) + "\n"
    status = workshop.json("status")
    client("firehose", status["endpoint"]).put_record(
        DeliveryStreamName=status["resources"]["delivery_stream"], Record={"Data": lines.encode()}
    )
    quarantined = eventually(
        lambda: workshop.json("query", "--sql", "SELECT field, reason, document FROM quarantine ORDER BY position")[
            "rows"
        ],
        within=30,
    )
    assert [row[0] for row in quarantined] == ["stock", None]
    assert quarantined[1][2] == "not JSON at all"
    found = "SELECT count(*) FROM stock_events WHERE store_id = 'S77777'"
    assert eventually(lambda: one_value(workshop, found), within=30) == 1
