"""What a query costs: `python -m benchmarks.athena` asks about a million events, as Parquet and as JSON lines.

Seconds are of the whole execution: the first, and with a warm cache the median of three others. The first on a table
fetches its objects, and converts JSON. Every figure stands beside its rival's.
"""

# ruff: noqa: S608 - the statements are made of the contract's names

import statistics
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.local_aws.athena.asking import Answer, ask
from tests.local_aws.athena.lake import BUCKET, DAILY, JSON_SERDE, Lake, glue_types, table, workshop_tables
from workshop.local_aws.athena import Athena

EVENTS = 1_000_000
STORES, PRODUCTS = 20, 500
DAYS = 4
PARTS = 4  # objects for each day
COUNT = "SELECT count(*) FROM stock_events"
QUERIES = Path(__file__).parents[1] / "glue" / "queries"


def events(first: int, count: int) -> pa.Table:
    """Return events of a lake in which every shelf reports in turn, one tick after the other."""
    number = np.arange(first, first + count)
    shelf, tick = number % (STORES * PRODUCTS), number // (STORES * PRODUCTS)
    store, product = shelf // PRODUCTS, shelf % PRODUCTS
    moment = np.datetime64("2026-11-10", "ms") + (tick * 15).astype("timedelta64[m]")
    draw = np.random.default_rng(first).integers(0, 40, count)
    columns = {
        "event_id": [f"S{s:02}-P{p:03}-{t}" for s, p, t in zip(store, product, tick, strict=True)],
        "event_time": moment,
        "store_id": [f"S{s:02}" for s in store],
        "store_name": [f"Market at the corner {s}" for s in store],
        "city": [f"City {s % 7}" for s in store],
        "country": ["DE"] * count,
        "latitude": 50 + store / 10,
        "longitude": 7 + store / 10,
        "product_id": [f"P{p:03}" for p in product],
        "product_name": [f"Product number {p}" for p in product],
        "category": [f"Category {p % 12}" for p in product],
        "unit_price": 1 + product / 4,
        "stock": draw.astype("int32"),
        "threshold": (5 + product % 10).astype("int32"),
        "units_sold": (draw % 4).astype("int32"),
        "units_received": np.zeros(count, "int32"),
        "received_at": moment,
    }
    return pa.table({name: columns[name] for name in glue_types("properties")})


def fill(lake: Lake) -> None:
    """Put the events into the lake, as Parquet and as gzipped JSON lines of the same rows."""
    lake.tables["events_json"] = table(
        "events_json",
        glue_types("properties"),
        f"s3://{BUCKET}/events_json/",
        keys={"dt": "string"},
        parameters=DAILY,
        serde=JSON_SERDE,
    )
    size = EVENTS // (DAYS * PARTS)
    for part in range(DAYS * PARTS):
        rows = events(part * size, size)
        day = datetime(2026, 11, 10, tzinfo=UTC) + timedelta(days=part // PARTS)
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink)
        lake.put(f"stock_events/dt={day:%Y-%m-%d}/{part}.parquet", sink.getvalue().to_pybytes())
        lake.put(f"events_json/dt={day:%Y-%m-%d}/{part}.json.gz", json_lines(rows))


def json_lines(rows: pa.Table) -> bytes:  # noqa: ARG001 - DuckDB finds it by its name
    """Return rows as gzipped JSON lines, with times as the events have them."""
    form = "'%Y-%m-%dT%H:%M:%S.%gZ'"
    with tempfile.NamedTemporaryFile(suffix=".json.gz") as file:
        times = f"strftime(event_time, {form}) AS event_time, strftime(received_at, {form}) AS received_at"
        duckdb.sql(f"COPY (SELECT * REPLACE ({times}) FROM rows) TO '{file.name}' (FORMAT json, COMPRESSION gzip)")
        return Path(file.name).read_bytes()


def measured(athena: Athena, statement: str) -> tuple[float, Answer]:
    """Return the median seconds of three executions after a first one, and an answer."""
    answers = [ask(athena, statement) for _ in range(4)]
    if answers[0].reason:
        sys.exit(answers[0].reason)
    return statistics.median(map(taken, answers[1:])), answers[0]


def taken(answer: Answer) -> float:
    """Return the seconds of an execution."""
    return float(answer.execution["Statistics"]["TotalExecutionTimeInMillis"]) / 1000


def main() -> None:
    """Print what each query takes and scans, and how that compares."""
    lake = Lake(workshop_tables())
    fill(lake)
    with tempfile.TemporaryDirectory() as folder:
        now = datetime(2026, 11, 21, tzinfo=UTC)
        athena = Athena("http://127.0.0.1:1", Path(folder), client=lake.client, now=lambda: now)
        try:
            report(athena)
        finally:
            athena.close()


def report(athena: Athena) -> None:
    """Ask each statement, and print its figures."""
    low_stock = (QUERIES / "low_stock.sql").read_text("utf-8")
    day = " WHERE dt = '2026-11-12'"
    print(f"{EVENTS:,} events, {DAYS} days, {DAYS * PARTS} objects")
    print(f"{'':44}{'first':>9}{'seconds':>9}{'bytes scanned':>16}")
    figures: dict[str, tuple[float, int]] = {}
    columns = ", ".join(f"max({name})" for name in glue_types("properties"))
    statements = {
        "count of all": COUNT,
        "units sold on one day": f"SELECT sum(units_sold) FROM stock_events{day}",
        "units sold on all days": "SELECT sum(units_sold) FROM stock_events",
        "low_stock, Parquet": low_stock,
        "low_stock, JSON": low_stock.replace("stock_events", "events_json"),
        "every column": f"SELECT {columns} FROM stock_events",
    }
    statements |= {
        file.stem: file.read_text("utf-8") for file in sorted(QUERIES.glob("*.sql")) if file.stem != "low_stock"
    }
    for name, statement in statements.items():
        seconds, answer = measured(athena, statement)
        figures[name] = seconds, answer.scanned
        print(f"{name:44}{taken(answer):9.3f}{seconds:9.3f}{answer.scanned:16,}")
    print()
    for label, one, other in [
        ("low_stock: JSON against Parquet", "low_stock, JSON", "low_stock, Parquet"),
        ("a sum: all days against one", "units sold on all days", "units sold on one day"),
        ("every column against low_stock", "every column", "low_stock, Parquet"),
    ]:
        seconds, scanned = (a / b for a, b in zip(figures[one], figures[other], strict=True))
        print(f"{label:44}{seconds:17.1f}x{scanned:15.1f}x")


if __name__ == "__main__":
    main()
