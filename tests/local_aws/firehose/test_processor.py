"""The Lambda processor: /firehose/latest/dev/data-transformation-status-model.html and -failure-handling.html."""

import base64
import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import KinesisFirehoseModel

from tests.local_aws.firehose.samples import (
    ARRIVED,
    LAMBDA_ARN,
    answer,
    configuration,
    ids,
    processing,
    records,
    sent,
)
from workshop.local_aws.firehose.configuration import Configuration, KinesisSource
from workshop.local_aws.firehose.processor import (
    INVOCATION_LIMIT,
    PAYLOAD_LIMIT,
    InvocationError,
    Processor,
    Transformed,
    lambda_invoke,
)
from workshop.local_aws.firehose.records import Record

STREAM = configuration(ProcessingConfiguration=processing())


def transform(function: Callable[[bytes], bytes], batch: list[Record]) -> tuple[Transformed, list[float]]:
    pauses: list[float] = []

    def invoke(arn: str, payload: bytes) -> bytes:
        assert arn == LAMBDA_ARN
        return function(payload)

    assert STREAM.processor
    return Processor(invoke, pauses.append, ids()).transform(STREAM, STREAM.processor, batch), pauses


def failed(result: Transformed) -> dict[str, str]:
    return {each.record.id: each.code for each in result.failures}


def test_the_event_has_the_documented_shape() -> None:
    """/lambda/latest/dg/services-kinesisfirehose.html: the example event."""
    events = []

    def function(payload: bytes) -> bytes:
        events.append(json.loads(payload))
        return answer(("r0", "Ok", b"x"))

    transform(function, records(b"hello"))
    (event,) = events
    assert event["invocationId"]
    assert event["deliveryStreamArn"] == STREAM.arn
    assert event["region"] == "us-east-1"
    (record,) = event["records"]
    assert record == {
        "recordId": "r0",
        "approximateArrivalTimestamp": round(ARRIVED * 1000),
        "data": base64.b64encode(b"hello").decode(),
    }


def test_ok_records_carry_the_new_data_and_dropped_ones_are_gone() -> None:
    result, _ = transform(lambda _: answer(("r0", "Ok", b"A"), ("r1", "Dropped", b"")), records(b"a", b"b"))
    assert [(each.id, each.data, each.arrived) for each in result.records] == [("r0", b"A", ARRIVED)]
    assert result.failures == []


def test_processing_failed_records_keep_what_was_put() -> None:
    result, _ = transform(lambda _: answer(("r0", "ProcessingFailed", b"A")), records(b"a"))
    assert result.records == []
    (failure,) = result.failures
    assert (failure.code, failure.data, failure.attempts) == ("Lambda.ProcessingFailedStatus", b"a", 1)


def test_a_record_that_is_not_returned_fails() -> None:
    """monitoring-with-cloudwatch-logs: Lambda.MissingRecordId."""
    result, _ = transform(lambda _: answer(("r0", "Ok", b"A"), ("other", "Ok", b"?")), records(b"a", b"b"))
    assert [each.data for each in result.records] == [b"A"]
    assert failed(result) == {"r1": "Lambda.MissingRecordId"}


def test_a_record_that_is_returned_twice_fails() -> None:
    """monitoring-with-cloudwatch-logs: Lambda.DuplicatedRecordId."""
    twice = [("r0", "Ok", b"A"), ("r0", "Ok", b"B"), ("r1", "Ok", b"C")]
    result, _ = transform(lambda _: answer(*twice), records(b"a", b"b"))
    assert [each.data for each in result.records] == [b"C"]
    assert failed(result) == {"r0": "Lambda.DuplicatedRecordId"}


@pytest.mark.parametrize("body", [b"null", b"{}", b"not json", b'{"records": [1]}', b'{"records": [{}]}', b"[]"])
def test_an_answer_that_cannot_be_read_fails_the_batch(body: bytes) -> None:
    """monitoring-with-cloudwatch-logs: Lambda.JsonProcessingException."""
    result, pauses = transform(lambda _: body, records(b"a", b"b"))
    assert failed(result) == dict.fromkeys(("r0", "r1"), "Lambda.JsonProcessingException")
    assert pauses == []


@pytest.mark.parametrize(
    "item", [{"result": "Ok"}, {"result": "Ok", "data": "%%%"}, {"result": "ok", "data": ""}, {"data": ""}]
)
def test_a_record_that_lacks_a_required_parameter_fails(item: dict[str, str]) -> None:
    result, _ = transform(lambda _: json.dumps({"records": [{"recordId": "r0"} | item]}).encode(), records(b"a"))
    assert failed(result) == {"r0": "Lambda.JsonProcessingException"}


def test_a_failed_invocation_is_retried_three_times_and_then_the_batch_is_skipped() -> None:
    """data-transformation-failure-handling: "retries the invocation three times by default"."""
    calls = []

    def function(payload: bytes) -> bytes:
        calls.append(payload)
        raise InvocationError("Lambda.FunctionError", "boom")

    result, pauses = transform(function, records(b"a", b"b"))
    assert len(calls) == 4
    assert len(set(calls)) == 1
    assert pauses == sorted(pauses)
    assert len(pauses) == 3
    assert [(each.data, each.code, each.message, each.attempts) for each in result.failures] == [
        (b"a", "Lambda.FunctionError", "boom", 4),
        (b"b", "Lambda.FunctionError", "boom", 4),
    ]


def test_a_retry_that_succeeds_loses_nothing() -> None:
    calls = []

    def function(payload: bytes) -> bytes:
        calls.append(payload)
        if len(calls) < 4:
            raise InvocationError("Lambda.InvokeLimitExceeded", "busy")
        return answer(("r0", "Ok", b"A"))

    result, _ = transform(function, records(b"a"))
    assert [each.data for each in result.records] == [b"A"]
    assert result.failures == []


def test_no_invocation_exceeds_six_megabytes() -> None:
    """data-transformation: the invocation payload limit for request and response."""
    sizes = []

    def function(payload: bytes) -> bytes:
        sizes.append(len(payload))
        return answer(*((record_id, "Ok", b"") for record_id, _ in sent(payload)))

    batch = records(*[b"x" * 1_000_000] * 7, *[b""] * 30_000)
    result, _ = transform(function, batch)
    assert len(sizes) > 1
    assert max(sizes) <= PAYLOAD_LIMIT
    assert [each.id for each in result.records] == [each.id for each in batch]


def test_a_response_beyond_six_megabytes_fails_the_batch() -> None:
    result, pauses = transform(lambda _: answer(("r0", "Ok", b"x" * PAYLOAD_LIMIT)), records(b"a"))
    assert failed(result) == {"r0": "Lambda.FunctionError"}
    assert len(pauses) == 3


def steps(*kinds: str) -> Configuration:
    listed = [
        {"Type": kind, "Parameters": [{"ParameterName": "DataMessageExtraction", "ParameterValue": "true"}]}
        for kind in kinds
    ]
    return configuration(ProcessingConfiguration={"Enabled": True, "Processors": listed})


def step(stream: Configuration, data: bytes) -> Transformed:
    assert stream.processor
    processor = Processor(lambda *_: b"", lambda _: None, ids())
    return processor.transform(stream, stream.processor, records(data))


LOGS = json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [{"message": "one"}, {"message": "two"}]}).encode()


def test_records_are_decompressed() -> None:
    """writing-with-cloudwatch-logs-decompression: the processor that decompresses what CloudWatch Logs send."""
    assert [each.data for each in step(steps("Decompression"), gzip.compress(LOGS)).records] == [LOGS]


def test_messages_are_taken_out_of_logs() -> None:
    """Message_extraction: each message on a line of its own."""
    result = step(steps("Decompression", "CloudWatchLogProcessing"), gzip.compress(LOGS))
    assert [each.data for each in result.records] == [b"one\ntwo\n"]


@pytest.mark.parametrize("data", [b"plain", gzip.compress(LOGS)[:-9], b"\x1f\x8b\x08rubbish", b""])
def test_what_cannot_be_decompressed_goes_as_it_came_to_a_place_of_its_own(data: bytes) -> None:
    """decomp-faq: "delivered as is (in compressed format)" to "an S3 bucket prefix called decompression-failed"."""
    [failure] = step(steps("Decompression"), data).failures
    assert (failure.kind, failure.data) == ("decompression-failed", data)


@pytest.mark.parametrize("data", [b"no json", b"{}", b"[]", b'{"logEvents": [1]}', b'{"logEvents": [{"message": 1}]}'])
def test_what_is_not_from_cloudwatch_logs_fails(data: bytes) -> None:
    result = step(steps("Decompression", "CloudWatchLogProcessing"), gzip.compress(data))
    assert len(result.failures) == 1
    assert result.records == []


def test_a_record_from_a_kinesis_stream_says_where_it_stood() -> None:
    """/lambda/latest/dg/services-kinesisfirehose.html; its types are those of AWS's Powertools for Lambda."""
    events = []

    def function(_: str, payload: bytes) -> bytes:
        events.append(json.loads(payload))
        return answer(("r0", "Ok", b"x"))

    arn = "arn:aws:kinesis:us-east-1:000000000000:stream/arrivals"
    stream = replace(STREAM, source=KinesisSource(arn, STREAM.created))
    origin = (
        *(("shardId", "shardId-000000000000"), ("partitionKey", "k")),
        *(("sequenceNumber", "1"), ("subsequenceNumber", "2")),
    )
    assert stream.processor
    processor = Processor(function, lambda _: None, ids())
    processor.transform(stream, stream.processor, [Record("r0", b"a", ARRIVED, origin=origin)])
    parsed = KinesisFirehoseModel.model_validate(events[0])
    assert parsed.sourceKinesisStreamArn == arn
    [record] = parsed.records
    assert record.kinesisRecordMetadata
    assert record.kinesisRecordMetadata.model_dump() == {
        **dict(origin),
        "subsequenceNumber": 2,
        "approximateArrivalTimestamp": round(ARRIVED * 1000),
    }


def test_an_invocation_may_take_five_minutes() -> None:
    """data-transformation: "up to 5 minutes"; monitoring-with-cloudwatch-logs: Lambda.FunctionTimedOut."""

    class Client:
        def invoke(self, **_: object) -> dict[str, Any]:
            return {"Payload": io.BytesIO(b"{}")}

    times = iter([0.0, INVOCATION_LIMIT, 0.0, INVOCATION_LIMIT + 1])
    invoke = lambda_invoke(lambda _: Client(), lambda: next(times))
    assert invoke(LAMBDA_ARN, b"{}") == b"{}"
    with pytest.raises(InvocationError) as caught:
        invoke(LAMBDA_ARN, b"{}")
    assert caught.value.code == "Lambda.FunctionTimedOut"
