"""What `trace` asks the lake: the statements of glue/trace, over events that came twice, late and among others."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.local_aws.athena.asking import Answer, ask
from tests.local_aws.athena.conftest import Opens
from tests.local_aws.athena.events import event
from tests.local_aws.athena.lake import ROOT, Lake, json_lines, workshop_tables
from workshop.local_aws.athena import Athena

FOLDER: Path = ROOT / "glue" / "trace"
LOW = event("S1", "P1", 5, 3, sold=4)
REFILL = event("S1", "P1", 9, 20, received=18, sold=1)


@pytest.fixture(scope="module")
def athena(opens: Opens) -> Athena:
    lake = Lake(workshop_tables())
    lake.put_events([LOW, event("S1", "P1", 50, 9), event("S1", "P11", 5, 9, received=7), REFILL], "first")
    later = {"received_at": LOW["received_at"] + timedelta(days=1)}
    lake.put_events([{**LOW, **later}, {**REFILL, **later}, event("S1", "P1", 2, 30, received=25)], "second")
    refused: list[dict[str, str | None]] = [
        {
            "reason": "stock is missing.",
            "received_at": "2026-11-20T10:00:00.000Z",
            "document": '{"event_id":"S1-P1-7"}',
        },
        {"reason": "Not JSON.", "received_at": "2026-11-20T11:00:00.000Z", "document": '{"event_id": "S1-P1-77"'},
        {"reason": "Not UTF-8.", "received_at": "2026-11-20T11:00:00.000Z", "document": None},
    ]
    lake.put("quarantine/dt=2026-11-20/a.json.gz", json_lines(refused))
    return opens(lake)


def asked(athena: Athena, name: str, texts: Sequence[str]) -> Answer:
    statement = (FOLDER / f"{name}.sql").read_text("utf-8")
    assert statement.startswith("-- ")
    answer = ask(athena, statement, [f"'{text}'" for text in texts])
    assert answer.reason == ""
    return answer


def test_every_delivery_of_an_event_is_told_the_first_one_first(athena: Athena) -> None:
    answer = asked(athena, "event", ["S1-P1-5"])
    assert [name for name, _ in answer.columns] == [
        "object", "dt", "received_at", "event_time", "stock", "threshold", "units_sold", "units_received",
    ]  # fmt: skip
    assert answer.rows == [
        (f"s3://lake/stock_events/dt=2026-11-{day}/{part}.parquet", f"2026-11-{day}", f"2026-11-{day} 01:15:01.000",
         "2026-11-20 01:15:00.000", "3", "5", "4", "0")
        for day, part in (("20", "first"), ("21", "second"))
    ]  # fmt: skip


def test_receipts_of_a_shelf_come_once_in_the_order_of_its_own_time(athena: Athena) -> None:
    answer = asked(athena, "receipts", ["S1", "P1"])
    assert [name for name, _ in answer.columns] == ["event_id", "received_at", "object", "units_received"]
    assert answer.rows == [
        ("S1-P1-2", "2026-11-20 00:30:01.000", "s3://lake/stock_events/dt=2026-11-20/second.parquet", "25"),
        ("S1-P1-9", "2026-11-20 02:15:01.000", "s3://lake/stock_events/dt=2026-11-20/first.parquet", "18"),
    ]


@pytest.mark.parametrize(
    ("event_id", "reasons"), [("S1-P1-7", ["stock is missing."]), ("S1-P1-77", ["Not JSON."]), ("S1-P1-777", [])]
)
def test_a_refused_event_is_found_by_its_whole_id(athena: Athena, event_id: str, reasons: list[str]) -> None:
    answer = asked(athena, "refused", [f'"{event_id}"'])
    assert [name for name, _ in answer.columns] == ["object", "received_at", "reason"]
    assert [reason for _, _, reason in answer.rows] == reasons
