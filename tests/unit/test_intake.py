import base64
import binascii
import json
from collections import Counter
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.contract import QUARANTINE_FIELDS
from lambdas.core.screening import documents
from lambdas.core.settings import MissingSetting
from lambdas.intake import transformation
from lambdas.intake.handler import handler
from lambdas.intake.transformation import transform
from tests.unit.stock_events import line

ARRIVAL = 1_795_176_000_123  # 2026-11-20T12:00:00.123Z


def record(data: bytes | str, number: int = 0) -> dict[str, Any]:
    """A record as Firehose hands it over: Transform source data in Amazon Data Firehose."""
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    return {"recordId": f"record-{number}", "approximateArrivalTimestamp": ARRIVAL, "data": text}


def passed(result: dict[str, str]) -> list[str]:
    return base64.b64decode(result["data"]).decode().splitlines() if "data" in result else []


def test_a_record_keeps_its_good_documents_newline_terminated() -> None:
    batch = transform([record(f"{line()}\nnonsense\n{line(stock=3)}".encode())])
    stamp = ',"received_at":"2026-11-20T12:00:00.123Z"}'
    text = base64.b64decode(batch.results[0]["data"]).decode()
    assert text == f"{line()[:-1]}{stamp}\n{line(stock=3)[:-1]}{stamp}\n"
    assert (batch.results[0]["recordId"], batch.results[0]["result"], batch.good) == ("record-0", "Ok", 2)


def test_refused_documents_are_rows_of_the_quarantine() -> None:
    batch = transform([record(f"\n{line()}\nnonsense\n".encode() + b"\xff\n" + line(stock=-1).encode(), 7)])
    assert [tuple(row) for row in batch.rows] == [QUARANTINE_FIELDS] * 3
    assert [(row["position"], row["field"], row["document"], row["document_base64"]) for row in batch.rows] == [
        (1, None, "nonsense", None),
        (2, None, None, "/w=="),
        (3, "stock", line(stock=-1), None),
    ]
    assert {(row["record_id"], row["received_at"]) for row in batch.rows} == {("record-7", "2026-11-20T12:00:00.123Z")}


@pytest.mark.parametrize("data", [b"", b"\n \n", b"nonsense", b"[1]\n{}"])
def test_a_record_without_a_good_document_is_dropped(data: bytes) -> None:
    assert transform([record(data)]).results == [{"recordId": "record-0", "result": "Dropped"}]


@pytest.mark.parametrize("data", ["not base64!", "YWJ", "YW=Jj", "é"])
def test_data_that_is_not_base64_is_kept_as_it_came_and_harms_no_other_record(data: str) -> None:
    batch = transform([record(data, 0), record(line().encode(), 1)])
    assert [result["result"] for result in batch.results] == ["Dropped", "Ok"]
    assert [(row["record_id"], row["document"]) for row in batch.rows] == [("record-0", data)]


LINES = st.sampled_from(
    [line().encode(), line(stock=7).encode(), b"", b" ", b"nonsense", b"\xff\xfe", line(stock=-1).encode()]
)
RECORDS = st.lists(st.lists(LINES | st.binary(max_size=8), max_size=5).map(b"\n".join), max_size=5)


@given(RECORDS)
def test_every_document_is_passed_or_quarantined_exactly_once(records: list[bytes]) -> None:
    batch = transform([record(data, number) for number, data in enumerate(records)])
    assert [result["recordId"] for result in batch.results] == [f"record-{number}" for number in range(len(records))]
    for data, result in zip(records, batch.results, strict=True):
        good = [text[: text.rindex(',"received_at"')] + "}" for text in passed(result)]
        rows = [row for row in batch.rows if row["record_id"] == result["recordId"]]
        bad = [row["document"] or binascii.a2b_base64(row["document_base64"]) for row in rows]
        expected = documents(data)
        assert Counter(good) + Counter(bad) == Counter(expected)
        assert [expected[row["position"]] for row in rows] == bad
        assert result["result"] == ("Ok" if good else "Dropped")


@settings(max_examples=20)
@given(RECORDS, st.data())
def test_a_record_is_treated_the_same_whatever_its_neighbours(records: list[bytes], data: st.DataObject) -> None:
    lone = record(data.draw(RECORDS.map(b"\n".join)), 99)
    place = data.draw(st.integers(0, len(records)))
    neighbours = [record(other, number) for number, other in enumerate(records)]
    batch = transform([*neighbours[:place], lone, *neighbours[place:]])
    alone = transform([lone])
    assert batch.results[place] == alone.results[0]
    assert [row for row in batch.rows if row["record_id"] == "record-99"] == alone.rows


# --- The response's size ---------------------------------------------------------------------------------------------


def test_a_full_buffer_of_large_records_fits_into_the_response() -> None:
    """3 MB is the largest buffer (Transform source data in Amazon Data Firehose); StoreApp fills records with it."""
    one = (line() + "\n").encode()
    data = one * (1_000 * 1_024 // len(one))
    batch = transform([record(data, number) for number in range(3)])
    assert [result["result"] for result in batch.results] == ["Ok"] * 3
    assert len(json.dumps({"records": batch.results})) < transformation.MAX_RESPONSE_BYTES


def test_what_does_not_fit_into_the_response_is_left_to_the_error_prefix_as_a_whole() -> None:
    records = [record(f"{line()}\nnonsense {number}".encode(), number) for number in range(6)]
    room = len(json.dumps({"records": transform(records[:4]).results})) + 300
    with mock.patch.object(transformation, "MAX_RESPONSE_BYTES", room):
        batch = transform(records)
    assert [result["result"] for result in batch.results] == ["Ok"] * 4 + ["ProcessingFailed"] * 2
    assert batch.results[4] == {"recordId": "record-4", "result": "ProcessingFailed"}
    assert [row["record_id"] for row in batch.rows] == [f"record-{number}" for number in range(4)]
    assert len(json.dumps({"records": batch.results})) <= room
    assert batch.too_large == 2


@settings(max_examples=30)
@given(RECORDS, st.integers(0, 3_000))
def test_the_response_never_exceeds_its_limit(records: list[bytes], room: int) -> None:
    rows = [record(data, number) for number, data in enumerate(records)]
    smallest = len(
        json.dumps({"records": [{"recordId": row["recordId"], "result": "ProcessingFailed"} for row in rows]})
    )
    with mock.patch.object(transformation, "MAX_RESPONSE_BYTES", smallest + room):
        assert len(json.dumps({"records": transform(rows).results})) <= smallest + room + 20 * (len(rows) + 1)


# --- The handler -----------------------------------------------------------------------------------------------------


CONTEXT: Any = mock.Mock(aws_request_id="request")


class Bucket:
    """Stands in for S3."""

    def __init__(self) -> None:
        self.objects: list[str] = []

    def put_object(self, *, Bucket: str, Key: str, **_: Any) -> None:  # noqa: N803
        self.objects.append(f"{Bucket}/{Key}")


def invoke(bucket: Any, *records: dict[str, Any]) -> dict[str, Any]:
    event = {"invocationId": "i", "deliveryStreamArn": "arn", "region": "eu-west-1", "records": list(records)}
    with mock.patch("lambdas.intake.handler.s3", return_value=bucket):
        return handler(event, CONTEXT)


@pytest.fixture
def _lake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKE_BUCKET_NAME", "lake")
    monkeypatch.setenv("SIGHTINGS_QUEUE_URL", "https://queue")


@pytest.mark.usefixtures("_lake")
def test_a_batch_is_one_log_line_and_one_set_of_metrics_without_the_documents(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = invoke(Bucket(), record(line().encode()), record(b"SECRET\nSECRET", 1), record(line().encode(), 2))
    assert [result["result"] for result in answer["records"]] == ["Ok", "Dropped", "Ok"]
    counts = {"EventsAccepted": 2, "EventsQuarantined": 2, "Sightings": 0}
    (log,) = caplog.records
    said = {**counts, "RecordsTooLarge": 0, "batch_id": CONTEXT.aws_request_id}
    assert said.items() <= vars(log).items()
    (text,) = [text for text in capsys.readouterr().out.splitlines() if "_aws" in text]
    metrics = json.loads(text)
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "InventoryWorkshop"
    assert {name: metrics[name] for name in counts} == {name: [count] for name, count in counts.items()}
    assert metrics["QuarantinedPercent"] == [50]
    assert "SECRET" not in text + str(vars(log))


@pytest.mark.usefixtures("_lake")
def test_a_batch_without_refusals_and_sightings_makes_no_client() -> None:
    event = {"records": [record(line().encode())]}
    made = AssertionError("made")
    with (
        mock.patch("lambdas.intake.handler.s3", side_effect=made),
        mock.patch("lambdas.intake.handler.sqs", side_effect=made),
    ):
        assert [result["result"] for result in handler(event, CONTEXT)["records"]] == ["Ok"]


@pytest.mark.usefixtures("_lake")
def test_a_quarantine_that_cannot_be_written_fails_the_invocation() -> None:
    """Firehose then repeats the batch: Handle failure in data transformation."""

    class Unwritable(Bucket):
        def put_object(self, **_: Any) -> None:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        invoke(Unwritable(), record(line().encode()), record(b"nonsense", 1))


def test_a_missing_setting_names_the_stack_that_passes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAKE_BUCKET_NAME", raising=False)
    with pytest.raises(MissingSetting, match=r"^LAKE_BUCKET_NAME is not set; IngestStack passes it\.$"):
        invoke(Bucket(), record(line().encode()))
