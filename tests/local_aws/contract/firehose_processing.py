"""Rules of Data Firehose's transformation by a Lambda function."""

import base64
import json
from typing import Any

from tests.local_aws.contract.account import Account, holds, same
from tests.local_aws.contract.rules import rule

TRANSFORMATION = "https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html"
STATUS_MODEL = "https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html"
FAILURES = "https://docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html"
EVENT = "https://docs.aws.amazon.com/lambda/latest/dg/services-kinesisfirehose.html"
ERRORS = "https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html"

ENVELOPE = {
    "attemptsMade",
    "arrivalTimestamp",
    "errorCode",
    "errorMessage",
    "attemptEndingTimestamp",
    "rawData",
    "lambdaArn",
}


def answering(expression: str) -> str:
    """Return a function that answers a list of records made of the event's `records`."""
    return f"""
import base64, json

def encoded(data):
    return base64.b64encode(data).decode()

def handler(event, context):
    records = event["records"]
    return {{"records": {expression}}}
"""


def raw(envelope: dict[str, Any]) -> bytes:
    """Return the data of a record that failed."""
    return base64.b64decode(envelope["rawData"])


@rule(
    "lambda-event",
    "The function gets invocationId, deliveryStreamArn, region, and each record's recordId, time of arrival and data.",
    EVENT,
)
def lambda_event(aws: Account) -> None:
    bucket = aws.bucket()
    told = '[{**r, "result": "Ok", "data": encoded(json.dumps(event).encode())} for r in records]'
    stream = aws.transforming(bucket, answering(told))
    aws.put(stream, b"payload")
    event = json.loads(next(iter(aws.delivered(bucket, "good/", contains=b"records").values())))
    same("deliveryStreamArn", event["deliveryStreamArn"], aws.described(stream)["DeliveryStreamARN"])
    same("region", event["region"], "us-east-1")
    holds("invocationId is empty", event["invocationId"])
    (record,) = event["records"]
    same("data", base64.b64decode(record["data"]), b"payload")
    holds(f"a record has {sorted(record)}", {"recordId", "approximateArrivalTimestamp"} <= set(record))
    holds("the time is not in milliseconds", record["approximateArrivalTimestamp"] > 1_600_000_000_000)


@rule("lambda-ok", "A record that comes back Ok is delivered with the data that came back.", STATUS_MODEL)
def lambda_ok(aws: Account) -> None:
    bucket = aws.bucket()
    upper = '[{**r, "result": "Ok", "data": encoded(base64.b64decode(r["data"]).upper())} for r in records]'
    aws.put(aws.transforming(bucket, answering(upper)), b"one ", b"two ")
    aws.receives(bucket, "good/", b"ONE ", b"TWO ")


DROPPING = '[{**r, "result": "Dropped" if base64.b64decode(r["data"]) == b"drop" else "Ok"} for r in records]'


@rule("lambda-dropped", "A Dropped record is delivered nowhere, and is no failure.", STATUS_MODEL)
def lambda_dropped(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.transforming(bucket, answering(DROPPING)), b"kept", b"drop", b"left")
    aws.receives(bucket, "good/", b"kept", b"left")
    same("failures", aws.objects(bucket, "bad/"), {})


FAILING = '[{**r, "result": "ProcessingFailed" if base64.b64decode(r["data"]) == b"bad" else "Ok"} for r in records]'


@rule(
    "lambda-failed-record",
    "A ProcessingFailed record goes to processing-failed/ in an envelope of seven fields; the others are delivered.",
    FAILURES,
)
def lambda_failed_record(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.transforming(bucket, answering(FAILING))
    aws.put(stream, b"good", b"bad", b"fine")
    (envelope,) = aws.envelopes(bucket, "processing-failed")
    same("the fields", set(envelope), ENVELOPE)
    same("rawData", raw(envelope), b"bad")
    aws.receives(bucket, "good/", b"good", b"fine")


@rule("lambda-missing-id", "A record whose recordId does not come back is a failure; nothing is lost.", STATUS_MODEL)
def lambda_missing_id(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.transforming(bucket, answering('[{**r, "result": "Ok"} for r in records[1:]]')), b"first", b"second")
    holds(
        "the missing record is not among the failures", b"first" in map(raw, aws.envelopes(bucket, "processing-failed"))
    )


@rule("lambda-repeated-id", "A recordId that comes back twice is a failure (Lambda.DuplicatedRecordId).", ERRORS)
def lambda_repeated_id(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.transforming(bucket, answering('[{**r, "result": "Ok"} for r in records * 2]')), b"once")
    envelopes = aws.envelopes(bucket, "processing-failed")
    same("errorCode", {each["errorCode"] for each in envelopes}, {"Lambda.DuplicatedRecordId"})
    same("rawData", {raw(each) for each in envelopes}, {b"once"})


RAISING = "def handler(event, context):\n    raise ValueError('no')\n"


@rule(
    "lambda-error",
    "When the function fails for good, every record of the batch goes to processing-failed/ as it came.",
    FAILURES,
)
def lambda_error(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.transforming(bucket, RAISING, parameters={"NumberOfRetries": "0"}), b"one", b"two")
    same("rawData", sorted(map(raw, aws.envelopes(bucket, "processing-failed"))), [b"one", b"two"])


@rule(
    "lambda-retries", "A failing invocation is repeated three times, unless NumberOfRetries says otherwise.", FAILURES
)
def lambda_retries(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.transforming(bucket, RAISING), b"three retries")
    (envelope,) = aws.envelopes(bucket, "processing-failed")
    same("attemptsMade", envelope["attemptsMade"], 4)
    bucket = aws.bucket()
    aws.put(aws.transforming(bucket, RAISING, parameters={"NumberOfRetries": "1"}), b"one retry")
    (envelope,) = aws.envelopes(bucket, "processing-failed")
    same("attemptsMade with one retry", envelope["attemptsMade"], 2)


@rule("lambda-gathers", "The function is called with a batch of records, not with each.", TRANSFORMATION)
def lambda_gathers(aws: Account) -> None:
    bucket = aws.bucket()
    counting = '[{**r, "result": "Ok", "data": encoded(b"%d " % len(records))} for r in records]'
    aws.put(aws.transforming(bucket, answering(counting)), *[b"a"] * 20)
    same("the object", next(iter(aws.delivered(bucket, "good/").values())), b"20 " * 20)


@rule(
    "lambda-bad-answer",
    "An answer that is not of the required form is a failure of all its records.",
    STATUS_MODEL,
)
def lambda_bad_answer(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.transforming(bucket, "def handler(event, context):\n    return 'done'\n"), b"kept")
    same("rawData", [raw(each) for each in aws.envelopes(bucket, "processing-failed")], [b"kept"])
