"""What is done to records before delivery: decompression, deaggregation, a Lambda function, partition keys.

Of the function: the event it gets, the answers it may give, and what becomes of the ones it may not.
"""

import base64
import binascii
import gzip
import json
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from workshop.local_aws.firehose.configuration import Configuration, Function, Processing
from workshop.local_aws.firehose.extraction import ExtractionError
from workshop.local_aws.firehose.prefixes import FROM_LAMBDA, FROM_QUERY
from workshop.local_aws.firehose.records import Failure, Record

PAYLOAD_LIMIT = 6 * (1 << 20)
"""Bytes of a synchronous invocation's request, and of its response (Lambda guide, "gettingstarted-limits")."""

INVOCATION_LIMIT = 300.0
"""Seconds of an invocation: "up to 5 minutes" ("data-transformation")."""

PARTS_LIMIT = 500
"""Records that one record may hold ("dynamic-partitioning-multirecord-deaggergation")."""

DECOMPRESSION_FAILED = "decompression-failed"
"""The error-output-type of the page "decomp-faq"."""

RETRY_PAUSE = 0.1
"""Seconds before the first repetition of a failed invocation; each further one waits twice as long."""

# Codes and sentences are those of the Firehose developer guide, "monitoring-with-cloudwatch-logs", Lambda invocation
# errors; that page does not say which of them stand in an error record.
_FUNCTION_ERROR = "Lambda.FunctionError"
_TOO_SLOW = (
    "Lambda.FunctionTimedOut",
    "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.",
)
_UNREADABLE = (
    "Lambda.JsonProcessingException",
    "There was an error parsing returned records from the Lambda function. Ensure that the returned records follow "
    "the status model required by Amazon Data Firehose.",
)
_DUPLICATED = (
    "Lambda.DuplicatedRecordId",
    "Multiple records were returned with the same record ID. Ensure that the Lambda function returns unique record IDs "
    "for each record.",
)
_MISSING = (
    "Lambda.MissingRecordId",
    "One or more record IDs were not returned. Ensure that the Lambda function returns all received record IDs.",
)
_REFUSED = ("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
# The page "dynamic-partitioning-error-handling" names no code. This one is what users find in their error objects.
_NO_KEYS = "DynamicPartitioning.MetadataExtractionFailed"
# No page names a code for these two.
_NOT_COMPRESSED = ("Decompression.DecompressionFailed", "The record is not GZIP")
_NOT_LOGS = ("CloudWatchLogProcessing.Failed", "The record is not a message of CloudWatch Logs")


class InvocationError(Exception):
    """A function that could not be called, or that answered with an error; a repetition may succeed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


Invoke = Callable[[str, bytes], bytes]
"""Call a function by ARN with a payload and return its answer. Raises InvocationError."""


@dataclass(frozen=True, slots=True)
class Transformed:
    """What a processor made of a batch. Dropped records are in neither list."""

    records: list[Record]
    failures: list[Failure]


class Processor:
    """Sends batches through the steps of a stream, as the page "data-transformation" and its neighbours describe."""

    def __init__(self, invoke: Invoke, pause: Callable[[float], None], new_id: Callable[[], str]) -> None:
        """Prepare. `pause` waits some seconds between attempts; `new_id` names an invocation."""
        self._invoke = invoke
        self._pause = pause
        self._new_id = new_id

    def transform(self, stream: Configuration, processing: Processing, batch: Sequence[Record]) -> Transformed:
        """Transform a batch; every record has exactly one outcome, or one for each record that it held."""
        result = Transformed(list(batch), [])
        if processing.decompression:
            result = _each(result, _decompressed)
        if processing.messages:
            result = _each(result, _log_messages)
        if processing.deaggregation is not None:
            result = _taken_apart(result, processing.deaggregation)
        if processing.function:
            answered = self._through_function(stream, processing.function, result.records)
            result = Transformed(answered.records, result.failures + answered.failures)
        if processing.keys or processing.query:
            result = _each(result, lambda record: _keyed(record, processing))
        return result

    def _through_function(self, stream: Configuration, function: Function, batch: Sequence[Record]) -> Transformed:
        """Call the function as often as the payload limit asks for."""
        result = Transformed([], [])
        for part in _within_payload(batch):
            one = self._transform_part(stream, function, part)
            result.records.extend(one.records)
            result.failures.extend(one.failures)
        return result

    def _transform_part(self, stream: Configuration, function: Function, part: Sequence[Record]) -> Transformed:
        event: dict[str, Any] = {
            "invocationId": self._new_id(),
            "deliveryStreamArn": stream.arn,
            "region": stream.region,
            "records": [_event_record(each) for each in part],
        }
        if stream.source:
            event["sourceKinesisStreamArn"] = stream.source.arn
        payload = json.dumps(event).encode()
        attempts, wait = 1, RETRY_PAUSE
        while True:
            try:
                answer = self._invoke(function.arn, payload)
                if len(answer) > PAYLOAD_LIMIT:
                    raise InvocationError(_FUNCTION_ERROR, f"The response is larger than {PAYLOAD_LIMIT} bytes")
                break
            except InvocationError as error:
                if attempts > function.retries:
                    failures = [Failure(each, each.data, error.code, error.message, attempts) for each in part]
                    return Transformed([], failures)
            self._pause(wait)
            attempts, wait = attempts + 1, wait * 2
        return _outcomes(part, answer, attempts)


def _event_record(record: Record) -> dict[str, Any]:
    """Return a record as the function gets it ("services-kinesisfirehose" of the Lambda guide).

    That page's times within kinesisRecordMetadata are texts; the functions of users and AWS's own Powertools for Lambda
    read milliseconds, and so they are here.
    """
    arrived = round(record.arrived * 1000)
    event: dict[str, Any] = {
        "recordId": record.id,
        "approximateArrivalTimestamp": arrived,
        "data": base64.b64encode(record.data).decode(),
    }
    if record.origin:
        origin = dict(record.origin)
        event["kinesisRecordMetadata"] = {
            **origin,
            "subsequenceNumber": int(origin["subsequenceNumber"]),
            "approximateArrivalTimestamp": arrived,
        }
    return event


def _each(before: Transformed, step: Callable[[Record], Record | Failure]) -> Transformed:
    """Put every record through a step that may fail."""
    after = Transformed([], list(before.failures))
    for record in before.records:
        outcome = step(record)
        if isinstance(outcome, Record):
            after.records.append(outcome)
        else:
            after.failures.append(outcome)
    return after


def _decompressed(record: Record) -> Record | Failure:
    try:
        if not record.data:  # which Python takes for nothing, compressed
            raise EOFError
        return replace(record, data=gzip.decompress(record.data))
    except (OSError, EOFError, zlib.error):
        return Failure(record, record.data, *_NOT_COMPRESSED, kind=DECOMPRESSION_FAILED)


def _log_messages(record: Record) -> Record | Failure:
    """Keep the messages of a record of CloudWatch Logs, each on a line ("Message_extraction")."""
    try:
        events = json.loads(record.data)["logEvents"]
        return replace(record, data="".join(event["message"] + "\n" for event in events).encode())
    except (ValueError, TypeError, KeyError):
        return Failure(record, record.data, *_NOT_LOGS)


def _taken_apart(before: Transformed, delimiter: bytes) -> Transformed:
    """Make a record of each JSON document, or of each part between delimiters, of which there may be PARTS_LIMIT."""
    after = Transformed([], list(before.failures))
    for record in before.records:
        try:
            parts = list(filter(None, record.data.split(delimiter)) if delimiter else _documents(record.data))
            if not 0 < len(parts) <= PARTS_LIMIT:
                raise ValueError(f"The record holds {len(parts)} records; it must hold 1 to {PARTS_LIMIT}")
        except ValueError as error:
            after.failures.append(Failure(record, record.data, _NO_KEYS, str(error)))
            continue
        # The first part keeps the id, so that a record that held only itself is still known by it.
        ids = [record.id, *(f"{record.id}.{number}" for number in range(1, len(parts)))]
        after.records.extend(replace(record, id=each, data=part) for each, part in zip(ids, parts, strict=True))
    return after


def _documents(data: bytes) -> Iterator[bytes]:
    """Yield the JSON objects of a record, with or without white space between them. Raises ValueError."""
    text = data.decode().strip()
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        document, end = decoder.raw_decode(text, at)
        if not isinstance(document, dict):
            raise ValueError("The record holds something else than JSON objects")
        yield text[at:end].encode()
        at = end


def _keyed(record: Record, processing: Processing) -> Record | Failure:
    """Give a record the values of the keys that the prefix names: those of the function, and those of the query."""
    found = dict(record.partition)
    try:
        if processing.query:
            found |= {FROM_QUERY + key: value for key, value in processing.query.evaluate(record.data).items()}
        for key in processing.keys:
            if not found.get(key):
                raise ExtractionError(f"Partition key {key} must not be null or empty")
    except ExtractionError as error:
        return Failure(record, record.data, _NO_KEYS, str(error))
    return replace(record, partition=tuple((key, found[key]) for key in processing.keys))


def _within_payload(batch: Sequence[Record]) -> Iterator[Sequence[Record]]:
    first, envelope = 0, 1024
    size = envelope
    for index, record in enumerate(batch):
        weight = (len(record.data) + 2) // 3 * 4 + len(record.id) + 100
        if index > first and size + weight > PAYLOAD_LIMIT:
            yield batch[first:index]
            first, size = index, envelope
        size += weight
    if first < len(batch):
        yield batch[first:]


def _outcomes(part: Sequence[Record], answer: bytes, attempts: int) -> Transformed:
    """Match the answer to the records by id.

    A record that is missing, repeated or unreadable in the answer fails, and its neighbours do not: the status model
    ("data-transformation-status-model") calls a mismatch of ids a failure and leaves open of what.
    """
    try:
        returned = json.loads(answer)["records"]
        ids = Counter(each["recordId"] for each in returned)
    except (ValueError, TypeError, KeyError):
        return Transformed([], [Failure(each, each.data, *_UNREADABLE, attempts) for each in part])
    by_id = {each["recordId"]: each for each in returned}
    result = Transformed([], [])
    for record in part:
        problem: tuple[str, str] | None = None
        if record.id not in ids:
            problem = _MISSING
        elif ids[record.id] > 1:
            problem = _DUPLICATED
        else:
            match by_id[record.id]:
                case {"result": "Ok", "data": str(data)} if (decoded := _decoded(data)) is not None:
                    keys = _partition_keys(by_id[record.id])
                    result.records.append(replace(record, data=decoded, partition=keys))
                case {"result": "Dropped"}:
                    pass
                case {"result": "ProcessingFailed"}:
                    problem = _REFUSED
                case _:
                    problem = _UNREADABLE
        if problem:
            result.failures.append(Failure(record, record.data, *problem, attempts))
    return result


def _partition_keys(returned: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the partition keys of a returned record ("dynamic-partitioning-partitioning-keys")."""
    match returned:
        case {"metadata": {"partitionKeys": dict(keys)}}:
            texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in keys.items()}
            return tuple((FROM_LAMBDA + key, text) for key, text in texts.items() if text != "null")
    return ()


def _decoded(data: str) -> bytes | None:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None


def lambda_invoke(client: Callable[[str], Any], now: Callable[[], float] = time.monotonic) -> Invoke:
    """Return an Invoke that uses the boto3 Lambda client of the region an ARN names. `now` is in seconds."""

    def invoke(arn: str, payload: bytes) -> bytes:
        begun = now()
        try:
            answer = client(arn.split(":")[3]).invoke(FunctionName=arn, Payload=payload)
            body: bytes = answer["Payload"].read()
        except ClientError as error:
            kind = error.response["Error"]["Code"]
            raise InvocationError(_INVOKE_ERRORS.get(kind, f"Lambda.{kind}"), str(error)) from error
        except BotoCoreError as error:
            raise InvocationError(f"Lambda.{type(error).__name__}", str(error)) from error
        if answer.get("FunctionError"):
            message = "The Lambda function was successfully invoked but it returned an error result."
            raise InvocationError(_FUNCTION_ERROR, f"{message} {body[:1000].decode(errors='replace')}")
        if now() - begun > INVOCATION_LIMIT:
            raise InvocationError(*_TOO_SLOW)
        return body

    return invoke


_INVOKE_ERRORS = {
    "ResourceNotFoundException": "Lambda.ResourceNotFound",
    "TooManyRequestsException": "Lambda.InvokeLimitExceeded",
    "AccessDeniedException": "Lambda.InvokeAccessDenied",
}
