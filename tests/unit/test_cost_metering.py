"""The meter: what is billed, for how much, and to whom."""

import asyncio
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from workshop.local_aws.metering import SERVICES_APP, Meter

QUEUE = "http://127.0.0.1:4566/000000000000/sightings"


def headers(service: str, action: str = "", key: str = "test", agent: str = "Boto3/1.43") -> dict[bytes, bytes]:
    signature = f"AWS4-HMAC-SHA256 Credential={key}/20261121/us-east-1/{service}/aws4_request, SignedHeaders=host"
    return {
        b"authorization": signature.encode(),
        b"x-amz-target": f"Any_2012.{action}".encode(),
        b"user-agent": agent.encode(),
    }


def ask(
    meter: Meter,
    given: dict[bytes, bytes],
    request: Any = None,
    answer: Any = None,
    *,
    status: int = 200,
    scope: dict[str, Any] | None = None,
) -> None:
    """Have one request pass, its body in two pieces."""
    body = json.dumps(request or {}).encode()
    pieces = [body[: len(body) // 2], body[len(body) // 2 :]]

    async def receive() -> MutableMapping[str, Any]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(_: MutableMapping[str, Any]) -> None:
        return None

    async def passing() -> None:
        path = scope or {"method": "POST", "path": "/"}
        hearing, telling = meter.watch(path, given, receive, send)
        while (await hearing())["more_body"]:
            pass
        await telling({"type": "http.response.start", "status": status})
        await telling({"type": "http.response.body", "body": json.dumps(answer or {}).encode()})

    asyncio.run(passing())


def counts(meter: Meter) -> dict[tuple[str, str, str], float]:
    return {(caller, unit, what): n for caller, unit, what, n in meter.as_document()["counts"]}


@pytest.fixture
def meter(tmp_path: Path) -> Meter:
    return Meter(tmp_path / "metering.json", now=lambda: 1_800_000_000.0)


TEMPORARY = "ASIA" + "0" * 16


@pytest.mark.parametrize(
    ("given", "caller"),
    [
        (headers("glue", "GetTable", key="000000000000"), "functions"),
        (headers("glue", "GetTable", key=TEMPORARY), "functions"),
        (headers("glue", "GetTable", key=TEMPORARY, agent="aws-sdk-js/3"), "tools"),
        (headers("glue", "GetTable", agent=f"Boto3/1.43 app/{SERVICES_APP}"), "services"),
        (headers("glue", "GetTable", key="000000000000", agent=f"Boto3/1.43 app/{SERVICES_APP}"), "functions"),
        (headers("glue", "GetTable"), "tools"),
    ],
)
def test_who_calls_is_told_apart(meter: Meter, given: dict[bytes, bytes], caller: str) -> None:
    ask(meter, given)
    assert counts(meter) == {(caller, "glue.requests", "GetTable"): 1}


@pytest.mark.parametrize(
    ("method", "path", "query", "billed"),
    [
        ("PUT", "/lake/stock_events/dt=1/a.parquet", b"", {("tools", "s3.put", "stock_events"): 1}),
        ("GET", "/lake/stock_events/dt=1/a.parquet", b"", {("tools", "s3.get", "stock_events"): 1}),
        ("HEAD", "/lake/quarantine/a", b"", {("tools", "s3.get", "quarantine"): 1}),
        ("GET", "/lake", b"list-type=2&prefix=stock_events%2F", {("tools", "s3.put", "list stock_events"): 1}),
        ("DELETE", "/lake/stock_events/a", b"", {}),
        ("POST", "/lake", b"delete", {}),
    ],
)
def test_s3_requests_are_of_two_prices_and_deleting_is_free(
    meter: Meter, method: str, path: str, query: bytes, billed: dict[tuple[str, str, str], float]
) -> None:
    ask(meter, headers("s3"), scope={"method": method, "path": path, "query_string": query})
    assert counts(meter) == billed


def test_a_request_of_sqs_is_billed_for_each_64_kb(meter: Meter) -> None:
    small = {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "MessageBody": "x" * 100}]}
    large = {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "MessageBody": "x" * 65_536}, {"Id": "1", "MessageBody": "x"}]}
    ask(meter, headers("sqs", "SendMessageBatch"), small)
    ask(meter, headers("sqs", "SendMessageBatch"), large)
    ask(meter, headers("sqs", "ReceiveMessage"), {"QueueUrl": QUEUE}, {"Messages": [{"Body": "x" * 65_537}]})
    assert counts(meter) == {("tools", "sqs.requests", "sightings"): 1 + 2 + 2}


def test_an_event_of_the_bus_is_billed_for_each_64_kb_and_a_refused_call_is_not(meter: Meter) -> None:
    entry = {"DetailType": "StockBelowThreshold", "Source": "inventory.alerts", "Detail": "x" * 70_000}
    ask(meter, headers("events", "PutEvents"), {"Entries": [entry, {**entry, "Detail": "{}"}]})
    ask(meter, headers("events", "PutEvents"), {"Entries": [entry]}, status=400)
    ask(meter, headers("events", "PutRule"), {"Entries": [entry]})
    assert counts(meter) == {("tools", "eventbridge.events", "StockBelowThreshold"): 3}


def test_a_record_of_firehose_is_billed_rounded_up_and_a_refused_one_is_not(meter: Meter) -> None:
    data = {1: "eA==", 5_120: "A" * 6_826 + "A=", 5_121: "AAAA" * 1_707}
    records = [{"Data": data[1]}, {"Data": data[5_120]}, {"Data": data[5_121]}, {"Data": data[5_121]}]
    responses = [{"RecordId": "a"}, {"RecordId": "b"}, {"RecordId": "c"}, {"ErrorCode": "ServiceUnavailableException"}]
    request = {"DeliveryStreamName": "events", "Records": records}
    given = headers("firehose", "PutRecordBatch", key="000000000000")
    meter.answered(given, "PutRecordBatch", request, {"RequestResponses": responses})
    assert counts(meter) == {("functions", "firehose.ingestion", "events"): (1 + 1 + 2) * 5 * 1024}
    facts = meter.as_document()["facts"]
    assert facts == {"firehose_records": 3, "firehose_bytes": 1 + 5_120 + 5_121}


def execution(state: str, scanned: int, *, number: int = 1, kind: str = "DML") -> dict[str, Any]:
    return {
        "QueryExecution": {
            "QueryExecutionId": f"q{number}",
            "Status": {"State": state},
            "StatementType": kind,
            "WorkGroup": "lake",
            "Statistics": {"DataScannedInBytes": scanned},
        }
    }


def test_a_query_is_billed_once_ten_megabytes_at_least(meter: Meter) -> None:
    given = headers("athena", "GetQueryExecution")
    for answer in (
        execution("RUNNING", 0),
        execution("SUCCEEDED", 5_000),
        execution("SUCCEEDED", 5_000),
        execution("SUCCEEDED", 20 * 1024**2 + 1, number=2),
        execution("FAILED", 99 * 1024**2, number=3),
        execution("SUCCEEDED", 99 * 1024**2, number=4, kind="DDL"),
    ):
        meter.answered(given, "GetQueryExecution", {}, answer)
    assert counts(meter) == {("tools", "athena.scanned", "lake"): (10 + 21) * 1024**2}


CONFIG = {"Handler": "lambdas.store_app.handler.handler", "MemorySize": 2048, "TracingConfig": {"Mode": "Active"}}


def test_a_run_of_a_function_is_billed_by_the_millisecond_and_its_start_too(meter: Meter) -> None:
    metrics = {
        "_aws": {"CloudWatchMetrics": [{"Dimensions": [["service"]], "Metrics": [{"Name": "EventsSent"}]}]},
        "service": "store-app",
        "EventsSent": [12.0],
    }
    report = {"ticks": 4, "stores": 3, "events": 12}
    answer = {"status": "ok", "result": report, "log": json.dumps(metrics)}
    for init in (0.2501, 0.0):
        meter.invocation(CONFIG, {"hours": 1, "products": 20}, answer, 0.1001, init)
    found = counts(meter)
    assert found["services", "lambda.requests", "store_app"] == 2
    assert found["services", "lambda.arm_gb_seconds", "store_app"] == pytest.approx(2 * (0.101 + 0.251 + 0.101))
    assert found["services", "xray.traces", "store_app"] == 2
    # The same metric in the same hour is one.
    assert found["services", "cloudwatch.metric_hours", "store_app"] == 1
    facts = meter.as_document()["facts"]
    assert (facts["events"], facts["metric:EventsSent"], facts["trade:1:3:20"], facts["store_app.hours"]) == (
        24,
        24,
        2,
        1,
    )


def test_the_count_goes_on_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "metering.json"
    first = Meter(file, now=lambda: 1_800_000_000.0)
    first.count("functions", "dynamodb.write", "shelves", 2)
    first.note("events", 10)
    first.keep()
    second = Meter(file, now=lambda: 1_900_000_000.0)
    second.count("functions", "dynamodb.write", "shelves", 0.5)
    assert counts(second) == {("functions", "dynamodb.write", "shelves"): 2.5}
    assert second.as_document()["facts"] == {"events": 10}
    assert second.as_document()["since"] == first.as_document()["since"]
