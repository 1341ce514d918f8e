"""A query reads the partitions and the columns it needs, and is billed for those alone.

https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html
"""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.local_aws.athena.asking import ask, ended, start
from tests.local_aws.athena.conftest import Opens
from tests.local_aws.athena.events import START, event
from tests.local_aws.athena.lake import (
    BUCKET,
    DAILY,
    JSON_SERDE,
    NOW,
    Lake,
    glue_types,
    json_lines,
    parquet,
    table,
    view,
)
from workshop.local_aws.athena import Athena
from workshop.local_aws.athena.catalog import projected_values, read_table

DAYS = [START - timedelta(days=days) for days in range(20)]


@pytest.fixture
def twenty_days(lake: Lake) -> Lake:
    """A lake of one event for each of the twenty days until 2026-11-20."""
    lake.put_events([event("A", "P1", n + 1, n, received_at=day) for n, day in enumerate(DAYS)])
    return lake


@pytest.mark.parametrize(
    ("condition", "days"),
    [
        ("dt = '2026-11-20'", 1),
        ("'2026-11-20' = dt", 1),
        ("dt > '2026-11-17'", 3),
        ("dt >= '2026-11-17' AND stock >= 0", 4),
        ("dt BETWEEN '2026-11-10' AND '2026-11-12'", 3),
        ("dt NOT BETWEEN '2026-11-02' AND '2026-11-19'", 2),
        ("dt IN ('2026-11-01', '2026-11-20', '1999-01-01')", 2),
        ("dt = '2026-11-20' OR dt = '2026-11-19'", 2),
        ("dt LIKE '2026-11-1%'", 10),
        ("dt >= date_format(current_date - INTERVAL '2' DAY, '%Y-%m-%d')", 2),
        ("date(dt) > current_date - INTERVAL '3' DAY", 2),
        ("dt = '2026-11-20' OR stock >= 0", 20),
        ("coalesce(dt, '2026-11-20') = '2026-11-20'", 20),
    ],
)
def test_conditions_on_the_day_decide_which_objects_are_read(
    twenty_days: Lake, athena: Athena, condition: str, days: int
) -> None:
    answer = ask(athena, f"SELECT count(*), count(stock) FROM stock_events WHERE {condition}")
    assert answer.reason == ""
    assert len(twenty_days.fetched) == days + 1  # one more: the result itself
    if days < 20:
        assert answer.rows == [(str(days), str(days))]


@pytest.mark.parametrize(
    ("statement", "days", "rows"),
    [
        ("SELECT n FROM (SELECT dt, stock + 1 AS n FROM stock_events) WHERE dt = '2026-11-20'", 1, 1),
        ("WITH e AS (SELECT * FROM stock_events) SELECT stock FROM e WHERE dt = '2026-11-20'", 1, 1),
        ("SELECT sum(n) FROM (SELECT dt, count(*) AS n FROM stock_events GROUP BY dt) WHERE dt = '2026-11-20'", 1, 1),
        (
            "SELECT stock FROM (SELECT dt AS d, stock FROM stock_events UNION ALL SELECT dt, stock FROM stock_events) "
            "WHERE d = '2026-11-20'",
            1,
            2,
        ),
        (
            "SELECT a.stock FROM stock_events a LEFT JOIN stock_events b ON a.stock = b.stock AND b.dt = '2026-11-20' "
            "WHERE a.dt = '2026-11-20'",
            1,
            1,
        ),
        # These may not be pruned: the answer would change.
        (
            "SELECT n FROM (SELECT dt, row_number() OVER (ORDER BY dt DESC) AS n FROM stock_events) "
            "WHERE dt = '2026-11-01'",
            20,
            1,
        ),
        ("SELECT n FROM (SELECT max(dt) AS dt, count(*) AS n FROM stock_events) WHERE dt = '2026-11-20'", 20, 1),
        ("SELECT stock FROM (SELECT * FROM stock_events ORDER BY stock LIMIT 1) WHERE dt = '2026-11-01'", 20, 0),
        (
            "WITH e AS (SELECT * FROM stock_events) SELECT a.stock FROM e a, (SELECT count(*) AS n FROM e) b "
            "WHERE a.dt = '2026-11-20' AND n = 20",
            20,
            1,
        ),
        (
            "SELECT a.stock FROM stock_events a LEFT JOIN stock_events b ON a.stock = b.stock AND a.dt = '2026-11-20'",
            20,
            20,
        ),
        ("SELECT event_id FROM unique_events WHERE dt = '2026-11-20'", 20, 1),
    ],
)  # fmt: skip
def test_conditions_are_carried_inwards_only_where_that_changes_nothing(
    twenty_days: Lake, athena: Athena, statement: str, days: int, rows: int
) -> None:
    answer = ask(athena, statement)
    assert answer.reason == ""
    assert len(answer.rows) == rows
    assert len(twenty_days.fetched) == days + 1


def test_one_day_is_found_by_one_listing_of_its_folder(twenty_days: Lake, athena: Athena) -> None:
    ask(athena, "SELECT count(*) FROM stock_events WHERE dt = '2026-11-20'")
    assert twenty_days.listed == ["stock_events/dt=2026-11-20/"]


def test_days_after_today_are_not_projected(lake: Lake, athena: Athena) -> None:
    tomorrow = NOW.replace(tzinfo=None) + timedelta(days=1)
    lake.put_events([event("A", "P1", 1, 1, received_at=tomorrow)])
    assert ask(athena, "SELECT count(*) FROM stock_events").rows == [("0",)]


def _chunks(body: bytes, *names: str) -> int:
    """Return the compressed bytes of some columns, as pyarrow tells them."""
    metadata = pq.read_metadata(io.BytesIO(body))
    chunks = [
        metadata.row_group(g).column(c) for g in range(metadata.num_row_groups) for c in range(metadata.num_columns)
    ]
    return sum(chunk.total_compressed_size for chunk in chunks if chunk.path_in_schema in names)


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ("SELECT count(*) FROM stock_events", []),
        ("SELECT dt FROM stock_events", []),
        ("SELECT stock FROM stock_events WHERE threshold > 1", ["stock", "threshold"]),
        ("SELECT max_by(stock, event_time) FROM stock_events GROUP BY store_id", ["stock", "event_time", "store_id"]),
        ("SELECT count(*) FROM unique_events", ["event_id", "received_at"]),
        ("SELECT n FROM (SELECT stock AS n, city FROM stock_events)", ["stock"]),
        ("SELECT n FROM (SELECT DISTINCT stock AS n, city FROM stock_events)", ["stock", "city"]),
        ("SELECT 1 FROM stock_events a WHERE EXISTS (SELECT 1 FROM (VALUES 1) v (x) WHERE a.stock = x)", ["stock"]),
    ],
)
def test_the_bytes_scanned_are_those_of_the_columns_that_are_needed(
    lake: Lake, athena: Athena, statement: str, columns: list[str]
) -> None:
    body = parquet([event("A", "P1", n, n) for n in range(1, 500)], glue_types("properties"), row_group_size=100)
    lake.put("stock_events/dt=2026-11-20/a.parquet", body)
    assert ask(athena, statement).scanned == _chunks(body, *columns)


def test_json_is_scanned_whole(lake: Lake, athena: Athena) -> None:
    body = json_lines([{"reason": "bad", "position": 1}])
    lake.put("quarantine/dt=2026-11-20/a.json.gz", body)
    assert ask(athena, "SELECT count(*) FROM quarantine").scanned == len(body)


def test_a_query_beyond_the_workgroups_cutoff_is_cancelled(twenty_days: Lake, athena: Athena) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html."""
    twenty_days.workgroup["BytesScannedCutoffPerQuery"] = 10
    execution = ended(athena, start(athena, "SELECT stock FROM stock_events"))
    assert execution["Status"]["State"] == "CANCELLED"
    assert execution["Status"]["StateChangeReason"] == "Bytes scanned limit was exceeded"
    assert ask(athena, "SELECT count(*) FROM stock_events").rows == [("20",)]


# ---- other tables than the workshop's --------------------------------------------------------------------------------


def test_registered_partitions_are_read_where_glue_says_they_are(lake: Lake, athena: Athena) -> None:
    lake.tables["sales"] = table("sales", {"n": "int"}, f"s3://{BUCKET}/sales/", keys={"year": "int", "shop": "string"})
    for year, shop, prefix in [(2025, "a", "old/x"), (2026, "b", "sales/year=2026/shop=b"), (2026, "c", "unknown")]:
        lake.put(f"{prefix}/part.parquet", parquet([{"n": year}], {"n": "int"}))
        if shop != "c":
            place = {"StorageDescriptor": {"Location": f"s3://{BUCKET}/{prefix}"}, "Values": [str(year), shop]}
            lake.partitions.setdefault("sales", []).append(place)
    assert ask(athena, "SELECT n, year, shop FROM sales ORDER BY n").rows == [
        ("2025", "2025", "a"),
        ("2026", "2026", "b"),
    ]
    lake.listed.clear()
    assert ask(athena, "SELECT n FROM sales WHERE year < 2026").rows == [("2025",)]
    assert lake.listed == ["old/x/"]


def test_a_location_template_and_projected_numbers_and_names(lake: Lake, athena: Athena) -> None:
    lake.tables["readings"] = table(
        "readings",
        {"n": "int"},
        f"s3://{BUCKET}/readings/",
        keys={"hour": "string", "kind": "string"},
        parameters={
            "projection.enabled": "TRUE",
            "projection.hour.type": "integer",
            "projection.hour.range": "0,23",
            "projection.hour.digits": "2",
            "projection.kind.type": "enum",
            "projection.kind.values": "in,out",
            "storage.location.template": f"s3://{BUCKET}/by-kind/${{kind}}/${{hour}}/",
        },
    )
    for hour in range(3):
        lake.put(f"by-kind/out/{hour:02}/part", parquet([{"n": hour}], {"n": "int"}))
    lake.put("by-kind/other/00/part", parquet([{"n": 99}], {"n": "int"}))
    assert ask(athena, "SELECT n, hour, kind FROM readings ORDER BY n").rows == [
        ("0", "00", "out"),
        ("1", "01", "out"),
        ("2", "02", "out"),
    ]
    lake.listed.clear()
    assert ask(athena, "SELECT n FROM readings WHERE hour = '01' AND kind = 'out'").rows == [("1",)]
    assert lake.listed == ["by-kind/out/01/"]


@pytest.mark.parametrize(
    ("parameters", "first", "last", "count"),
    [
        ({"format": "yyyy-MM-dd", "range": "2026-11-18,NOW"}, "2026-11-18", "2026-11-21", 4),
        ({"format": "yyyy/MM/dd", "range": "NOW-2DAYS,NOW"}, "2026/11/19", "2026/11/21", 3),
        ({"format": "yyyy-MM", "range": "2025-12,NOW"}, "2025-12", "2026-11", 12),
        ({"format": "yyyy-MM-dd-HH", "range": "2026-11-21-09,NOW"}, "2026-11-21-09", "2026-11-21-12", 4),
        (
            {"format": "yyyy-MM-dd", "range": "2026-11-01,2026-11-15", "interval": "7", "interval.unit": "DAYS"},
            "2026-11-01",
            "2026-11-15",
            3,
        ),
    ],
)
def test_dates_are_projected_by_format_range_and_interval(
    parameters: dict[str, str], first: str, last: str, count: int
) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html."""
    named = {f"projection.dt.{name}": value for name, value in parameters.items()} | {"projection.dt.type": "date"}
    described: dict[str, Any] = table("t", {}, "s3://b/t/", keys={"dt": "string"}, parameters=named)
    found = read_table(described | {"DatabaseName": "d"})
    values = projected_values(found, found.keys[0], datetime(2026, 11, 21, 12, 30, tzinfo=UTC))
    assert (values[0], values[-1], len(values)) == (first, last, count)


def test_a_projection_without_its_range_says_what_is_missing(lake: Lake, athena: Athena) -> None:
    parameters = {name: value for name, value in DAILY.items() if not name.endswith("range")}
    lake.tables["t"] = table("t", {"n": "int"}, f"s3://{BUCKET}/t/", keys={"dt": "string"}, parameters=parameters)
    assert "projection.dt.range" in ask(athena, "SELECT * FROM t").reason


def test_columns_that_files_lack_are_null_and_old_and_new_timestamps_are_one_type(lake: Lake, athena: Athena) -> None:
    lake.tables["t"] = table("t", {"n": "int", "at": "timestamp", "late": "string"}, f"s3://{BUCKET}/t/")
    moment = datetime(2026, 11, 20, 9, 0, 0, 123456)  # noqa: DTZ001
    kinds = {"n": "int", "at": "timestamp"}
    lake.put("t/a", parquet([{"n": 1, "at": moment}], kinds, use_deprecated_int96_timestamps=True))
    lake.put("t/b", parquet([{"n": 2, "at": moment}], kinds, coerce_timestamps="us"))
    lake.put("t/c", parquet([{"n": 3}], {"n": "int"}))
    lake.put("t/_hidden", b"not read")
    shown = "2026-11-20 09:00:00.123"
    answer = ask(athena, 'SELECT *, "$path" FROM t ORDER BY n')
    assert answer.columns[1] == ("at", "timestamp")
    assert answer.rows == [
        ("1", shown, None, "s3://lake/t/a"),
        ("2", shown, None, "s3://lake/t/b"),
        ("3", None, None, "s3://lake/t/c"),
    ]


def test_nested_json(lake: Lake, athena: Athena) -> None:
    columns = {"id": "bigint", "tags": "array<string>", "at": "struct<x:int,y:double>", "counts": "map<string,int>"}
    lake.tables["t"] = table("t", columns, f"s3://{BUCKET}/t/", serde=JSON_SERDE)
    lake.put(
        "t/a.gz", json_lines([{"id": 1, "tags": ["a", "b"], "at": {"x": 1, "y": 1e7}, "counts": {"k": 2}}, {"id": 2}])
    )
    answer = ask(athena, "SELECT id, tags, at, counts, at.x, counts['k'] FROM t WHERE id = 1")
    assert answer.rows == [("1", "[a, b]", "{x=1, y=1.0E7}", "{k=2}", "1", "2")]
    assert ask(athena, "SELECT tags, at.x FROM t WHERE id = 2").rows == [(None, None)]


def test_a_line_that_is_no_json_fails_unless_the_table_says_otherwise(lake: Lake, athena: Athena) -> None:
    lake.tables["t"] = table("t", {"id": "bigint"}, f"s3://{BUCKET}/t/", serde=JSON_SERDE)
    lake.put("t/a.json", b'{"id": 1}\n{"id": \n')
    assert ask(athena, "SELECT id FROM t").reason == "HIVE_CURSOR_ERROR: Row is not a valid JSON Object"
    lake.tables["t"]["StorageDescriptor"]["SerdeInfo"]["Parameters"] = {"ignore.malformed.json": "true"}
    assert ("1",) in ask(athena, "SELECT id FROM t").rows


def test_a_view_that_cannot_be_read_says_which_one(lake: Lake, athena: Athena) -> None:
    lake.tables["v"] = view("v", "SELECT gone FROM stock_events")
    reason = ask(athena, "SELECT * FROM v").reason
    assert reason.startswith("INVALID_VIEW: line 1:15: Failed analyzing stored view 'awsdatacatalog.workshop.v': ")
    assert "Column 'gone' cannot be resolved" in reason
    lake.tables["w"] = view("w", "SELECT * FROM w")
    assert "VIEW_IS_RECURSIVE" in ask(athena, "SELECT * FROM w").reason


def test_an_object_that_was_removed_or_replaced_is_not_read(lake: Lake, opens: Opens) -> None:
    athena = opens(lake)
    lake.tables["t"] = table("t", {"n": "int"}, f"s3://{BUCKET}/t/")
    lake.put("t/a", parquet([{"n": 1}], {"n": "int"}))
    lake.put("t/b", parquet([{"n": 2}], {"n": "int"}))
    assert ask(athena, "SELECT sum(n) FROM t").rows == [("3",)]
    lake.put("t/a", parquet([{"n": 10}], {"n": "int"}))
    del lake.objects[BUCKET, "t/b"]
    lake.fetched.clear()
    assert ask(athena, "SELECT sum(n) FROM t").rows == [("10",)]
    assert ask(athena, "SELECT sum(n) FROM t").rows == [("10",)]
    assert [key for key in lake.fetched if key.startswith("t/")] == ["t/a"]
