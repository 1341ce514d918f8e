"""Limits and errors: /firehose/latest/APIReference/API_PutRecord.html and API_PutRecordBatch.html."""

import base64
import errno
import io
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest
from botocore.exceptions import EndpointConnectionError

from tests.local_aws.firehose.samples import ARRIVED, Bucket, answer, description, processing, sent
from workshop.local_aws.firehose import journal, service
from workshop.local_aws.firehose.service import Firehose
from workshop.local_aws.protocol import AwsError, Caller

CALLER = Caller("000000000000", "us-east-1")
ENDPOINT = "http://127.0.0.1:1"
SOON = 10.0


class NotFoundError(Exception):
    pass


class Aws:
    """The clients that the service asks for: streams by name, and a bucket that can be out of reach."""

    class exceptions:  # noqa: N801 - as in boto3
        ResourceNotFoundException = NotFoundError

    def __init__(self) -> None:
        self.streams = {"events": description()}
        self.bucket = Bucket()
        self.refusals = 0
        self.refused = threading.Event()
        self.written = threading.Event()

    def client(self, name: str, endpoint: str, region: str = "us-east-1", credentials: object = None) -> "Aws":  # noqa: ARG002 - as the real one
        assert name in ("firehose", "lambda", "s3")
        assert endpoint == ENDPOINT
        assert region == "us-east-1"
        return self

    def describe_delivery_stream(self, *, DeliveryStreamName: str) -> dict[str, Any]:  # noqa: N803 - as in boto3
        if DeliveryStreamName not in self.streams:
            raise NotFoundError
        return {"DeliveryStreamDescription": self.streams[DeliveryStreamName]}

    def put_object(self, *, Bucket: str, Key: str, Body: IO[bytes]) -> None:  # noqa: N803 - as in boto3
        if self.refusals:
            self.refusals -= 1
            self.refused.set()
            raise EndpointConnectionError(endpoint_url=ENDPOINT)
        self.bucket.hold(Bucket, Key, Body.read())
        self.written.set()

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: ARG002, N803 - as in boto3
        return {"Payload": io.BytesIO(answer(*((each, "Ok", data) for each, data in sent(Payload))))}


class Clock:
    def __init__(self) -> None:
        self.time = ARRIVED

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Aws:
    aws = Aws()
    monkeypatch.setattr(service, "client", aws.client)
    return aws


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def firehose(aws: Aws, clock: Clock, tmp_path: Path) -> Iterator[Firehose]:
    firehose = Firehose(ENDPOINT, tmp_path, now=clock)
    yield firehose
    firehose.close()


def put(firehose: Firehose, *data: bytes, stream: str = "events") -> dict[str, Any]:
    listed = [{"Data": base64.b64encode(each).decode()} for each in data]
    return firehose.actions["PutRecordBatch"](CALLER, {"DeliveryStreamName": stream, "Records": listed})


def refusal(firehose: Firehose, action: str, request: dict[str, Any]) -> AwsError:
    with pytest.raises(AwsError) as caught:
        firehose.actions[action](CALLER, request)
    return caught.value


def test_put_record_returns_an_id_and_the_record_is_delivered(firehose: Firehose, aws: Aws) -> None:
    request = {"DeliveryStreamName": "events", "Record": {"Data": base64.b64encode(b"a").decode()}}
    response = firehose.actions["PutRecord"](CALLER, request)
    assert response["RecordId"]
    assert response["Encrypted"] is False
    firehose.flush()
    assert list(aws.bucket.objects.values()) == [b"a"]


def test_put_record_batch_answers_for_each_record_in_order(firehose: Firehose) -> None:
    response = put(firehose, b"a", b"b", b"c")
    assert response["FailedPutCount"] == 0
    assert len({each["RecordId"] for each in response["RequestResponses"]}) == 3


def test_a_batch_has_at_most_500_records(firehose: Firehose) -> None:
    assert put(firehose, *[b"a"] * 500)["FailedPutCount"] == 0
    error = refusal(firehose, "PutRecordBatch", {"DeliveryStreamName": "events", "Records": [{"Data": ""}] * 501})
    assert error.error_type == "ValidationException"
    assert "'records' failed to satisfy constraint: Member must have length less than or equal to 500" in error.message
    assert refusal(firehose, "PutRecordBatch", {"DeliveryStreamName": "events", "Records": []}).status == 400


def test_a_record_has_at_most_1000_kib_before_base64(firehose: Firehose) -> None:
    assert put(firehose, b"a" * 1_024_000)["FailedPutCount"] == 0
    with pytest.raises(AwsError, match=r"records\.2\.member\.data.*less than or equal to 1024000") as caught:
        put(firehose, b"", b"a" * 1_024_001)
    assert caught.value.error_type == "ValidationException"


def test_a_batch_has_at_most_4_mib_and_is_refused_as_a_whole(firehose: Firehose, aws: Aws) -> None:
    quarter = b"a" * (1 << 19)
    assert put(firehose, *[quarter] * 8)["FailedPutCount"] == 0
    with pytest.raises(AwsError, match="Records size exceeds 4 MB limit") as caught:
        put(firehose, *[quarter] * 8, b"a")
    assert caught.value.error_type == "InvalidArgumentException"
    firehose.close()
    assert len(b"".join(aws.bucket.objects.values())) == 4 * (1 << 20)


@pytest.mark.parametrize(
    ("request_body", "error_type"),
    [
        ({"Records": [{"Data": ""}]}, "ValidationException"),
        ({"DeliveryStreamName": "events"}, "ValidationException"),
        ({"DeliveryStreamName": "events", "Records": [{}]}, "ValidationException"),
        ({"DeliveryStreamName": "events", "Records": [None]}, "ValidationException"),
        ({"DeliveryStreamName": "events", "Records": [{"Data": "%"}]}, "SerializationException"),
    ],
)
def test_a_malformed_batch_is_refused(firehose: Firehose, request_body: dict[str, Any], error_type: str) -> None:
    assert refusal(firehose, "PutRecordBatch", request_body).error_type == error_type


def test_a_stream_that_does_not_exist_is_not_found(firehose: Firehose) -> None:
    with pytest.raises(AwsError, match="Firehose other under account 000000000000 not found") as caught:
        put(firehose, b"a", stream="other")
    assert caught.value.error_type == "ResourceNotFoundException"


def test_a_stream_that_reads_from_kinesis_takes_no_direct_put(firehose: Firehose, aws: Aws) -> None:
    source = {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s", "DeliveryStartTimestamp": ARRIVED}
    aws.streams["events"] |= {
        "DeliveryStreamType": "KinesisStreamAsSource",
        "Source": {"KinesisStreamSourceDescription": source},
    }
    with pytest.raises(AwsError, match="not permitted on KinesisStreamAsSource") as caught:
        put(firehose, b"a")
    assert caught.value.error_type == "InvalidArgumentException"


def test_what_a_stream_asks_for_in_vain_is_named_to_the_producer(firehose: Firehose, aws: Aws) -> None:
    aws.streams["events"] = description(CompressionFormat="Snappy")
    with pytest.raises(AwsError, match="Snappy"):
        put(firehose, b"a")


def test_records_that_find_no_room_are_told_to_come_back(aws: Aws, clock: Clock, tmp_path: Path) -> None:
    """API_PutRecordBatch: ErrorCode ServiceUnavailableException per record, with the call itself successful."""
    aws.streams["events"] = description(ProcessingConfiguration=processing())
    firehose = Firehose(ENDPOINT, tmp_path, headroom=-1 * (1 << 20) + 1_000, now=clock)
    response = put(firehose, *[b"a" * 100] * 5)
    refused = [each for each in response["RequestResponses"] if "ErrorCode" in each]
    assert 0 < len(refused) == response["FailedPutCount"] < 5
    assert refused[0] == {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
    assert response["RequestResponses"][-len(refused) :] == refused
    request = {"DeliveryStreamName": "events", "Record": {"Data": base64.b64encode(b"a" * 900).decode()}}
    error = refusal(firehose, "PutRecord", request)
    assert (error.error_type, error.status) == ("ServiceUnavailableException", 503)
    firehose.close()
    assert b"".join(aws.bucket.objects.values()) == b"a" * 100 * (5 - len(refused))


def test_a_deleted_stream_is_noticed_and_what_it_holds_is_delivered(firehose: Firehose, aws: Aws, clock: Clock) -> None:
    put(firehose, b"a")
    del aws.streams["events"]
    clock.time += service.DESCRIPTION_LIFETIME
    with pytest.raises(AwsError):
        put(firehose, b"b")
    assert aws.written.wait(SOON)
    assert list(aws.bucket.objects.values()) == [b"a"]


def test_a_stream_of_the_same_name_is_another_stream(firehose: Firehose, aws: Aws, clock: Clock) -> None:
    aws.streams["events"] = description(Prefix="old/")
    put(firehose, b"a")
    aws.streams["events"] = description(Prefix="new/") | {"CreateTimestamp": datetime(2026, 11, 19, tzinfo=UTC)}
    clock.time += service.DESCRIPTION_LIFETIME
    put(firehose, b"b")
    firehose.close()
    assert aws.bucket.below("old/") == [b"a"]
    assert aws.bucket.below("new/") == [b"b"]


def test_an_updated_stream_keeps_what_it_holds(firehose: Firehose, aws: Aws, clock: Clock) -> None:
    put(firehose, b"a")
    aws.streams["events"] = description(Prefix="new/") | {"VersionId": "2"}
    clock.time += service.DESCRIPTION_LIFETIME
    put(firehose, b"b")
    firehose.flush()
    assert aws.bucket.below("new/") == [b"ab"]


def test_a_delivery_that_s3_refuses_is_tried_again_until_it_succeeds(firehose: Firehose, aws: Aws) -> None:
    """retry: "Amazon Data Firehose keeps retrying"."""
    aws.refusals = 2
    put(firehose, b"a")
    firehose.flush()
    assert list(aws.bucket.objects.values()) == [b"a"]


def test_closing_delivers_what_is_buffered_and_accepts_nothing_more(firehose: Firehose, aws: Aws) -> None:
    put(firehose, b"a", b"b")
    firehose.close()
    assert list(aws.bucket.objects.values()) == [b"ab"]
    assert put(firehose, b"c")["FailedPutCount"] == 1


def test_closing_gives_up_after_its_patience(
    firehose: Firehose, aws: Aws, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service, "CLOSING_PATIENCE", 0.0)
    aws.refusals = 1_000_000
    put(firehose, b"a")
    firehose.close()
    assert "1 records are left for the next start" in caplog.text


def test_records_come_in_while_a_delivery_is_stuck(firehose: Firehose, aws: Aws, clock: Clock) -> None:
    aws.refusals = 1
    put(firehose, *[b"a" * 1_000_000] * 4)
    put(firehose, *[b"a" * 1_000_000] * 4)
    assert aws.refused.wait(SOON)
    assert put(firehose, b"b")["FailedPutCount"] == 0


def test_many_producers_lose_nothing(firehose: Firehose, aws: Aws) -> None:
    def produce(number: int) -> None:
        for call in range(20):
            assert put(firehose, f"{number}.{call}\n".encode())["FailedPutCount"] == 0

    threads = [threading.Thread(target=produce, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    firehose.close()
    lines = b"".join(aws.bucket.objects.values()).decode().split()
    assert sorted(lines) == sorted(f"{number}.{call}" for number in range(20) for call in range(20))


def test_what_was_left_is_delivered_after_the_next_start_without_any_producer(
    aws: Aws, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr(service, "CLOSING_PATIENCE", 0.0)
        first = Firehose(ENDPOINT, tmp_path, now=clock)
        put(first, b"a", b"b")
        first.close()
    assert aws.bucket.objects == {}
    second = Firehose(ENDPOINT, tmp_path, now=clock)
    second.resume()
    second.close()
    assert list(aws.bucket.objects.values()) == [b"ab"]


def left_behind(aws: Aws, clock: Clock, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as impatient:
        impatient.setattr(service, "CLOSING_PATIENCE", 0.0)
        firehose = Firehose(ENDPOINT, folder, now=clock)
        put(firehose, b"a")
        firehose.close()
    assert list(folder.glob("*/*.records"))


def test_a_deleted_streams_journal_is_emptied_and_removed(
    aws: Aws, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left_behind(aws, clock, tmp_path, monkeypatch)
    del aws.streams["events"]
    firehose = Firehose(ENDPOINT, tmp_path, now=clock)
    firehose.resume()
    firehose.close()
    assert list(aws.bucket.objects.values()) == [b"a"]
    assert list(tmp_path.iterdir()) == []


def test_a_deleted_streams_records_go_with_it_where_s3_refuses_them(
    aws: Aws, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """API_DeleteDeliveryStream: "Deletes a Firehose stream and its data"."""
    left_behind(aws, clock, tmp_path, monkeypatch)
    del aws.streams["events"]
    aws.refusals = 1_000_000
    firehose = Firehose(ENDPOINT, tmp_path, now=clock)
    firehose.resume()
    firehose.close()
    assert "1 records of events are lost: The stream was deleted" in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("hours", "lost"), [(23, False), (24, True)])
def test_records_that_s3_refuses_for_24_hours_are_lost(
    aws: Aws, clock: Clock, firehose: Firehose, caplog: pytest.LogCaptureFixture, hours: int, lost: bool
) -> None:
    """retry: "If data delivery fails for more than 24 hours, your data is lost"."""
    put(firehose, b"a")
    clock.time += hours * 3_600
    aws.refusals = 1
    firehose.flush()
    firehose.close()
    assert ("1 records of events are lost: S3 has refused them for 24 hours" in caplog.text) == lost
    assert list(aws.bucket.objects.values()) == ([] if lost else [b"a"])


def test_on_a_full_disk_nothing_is_accepted_and_the_producer_is_told(
    aws: Aws, firehose: Firehose, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    put(firehose, b"a")
    with monkeypatch.context() as disk:
        disk.setattr(journal, "_write", full)
        with pytest.raises(AwsError, match="No space left on device") as caught:
            put(firehose, b"b")
    assert (caught.value.error_type, caught.value.status) == ("ServiceUnavailableException", 503)
    put(firehose, b"c")
    firehose.close()
    assert b"".join(aws.bucket.objects.values()) == b"ac"


def test_a_new_stream_is_kept_before_its_first_record_is_accepted(aws: Aws, clock: Clock, tmp_path: Path) -> None:
    kept: list[list[Path]] = []
    firehose = Firehose(
        ENDPOINT, tmp_path, now=clock, on_new_stream=lambda: kept.append(list(tmp_path.glob("*/*.records")))
    )
    put(firehose, b"a")
    put(firehose, b"b")
    firehose.close()
    assert kept == [[]]


def test_the_journal_is_empty_when_all_is_delivered(aws: Aws, firehose: Firehose, tmp_path: Path) -> None:
    put(firehose, b"a", b"b")
    firehose.flush()
    firehose.close()
    assert list(tmp_path.glob("*/*.records")) == []
