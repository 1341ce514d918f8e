"""The Lambda processor: the event it gets, the answers it may give, and what becomes of the ones it may not."""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from workshop.local_aws.firehose.configuration import Configuration, LambdaProcessor
from workshop.local_aws.firehose.records import Failure, Record

PAYLOAD_LIMIT = 6 * (1 << 20)
"""Bytes of a synchronous invocation's request, and of its response (Lambda guide, "gettingstarted-limits")."""

RETRY_PAUSE = 0.1
"""Seconds before the first repetition of a failed invocation; each further one waits twice as long."""

# Codes and sentences are those of the Firehose developer guide, "monitoring-with-cloudwatch-logs", Lambda invocation
# errors; that page does not say which of them stand in an error record.
_FUNCTION_ERROR = "Lambda.FunctionError"
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
    """Sends batches through a Lambda function, as the page "data-transformation" describes."""

    def __init__(self, invoke: Invoke, pause: Callable[[float], None], new_id: Callable[[], str]) -> None:
        """Prepare. `pause` waits some seconds between attempts; `new_id` names an invocation."""
        self._invoke = invoke
        self._pause = pause
        self._new_id = new_id

    def transform(self, stream: Configuration, processor: LambdaProcessor, batch: Sequence[Record]) -> Transformed:
        """Transform a batch in as many calls as the payload limit asks for; every record has exactly one outcome."""
        result = Transformed([], [])
        for part in _within_payload(batch):
            one = self._transform_part(stream, processor, part)
            result.records.extend(one.records)
            result.failures.extend(one.failures)
        return result

    def _transform_part(self, stream: Configuration, processor: LambdaProcessor, part: Sequence[Record]) -> Transformed:
        event = {
            "invocationId": self._new_id(),
            "deliveryStreamArn": stream.arn,
            "region": stream.region,
            "records": [
                {
                    "recordId": each.id,
                    "approximateArrivalTimestamp": round(each.arrived * 1000),
                    "data": base64.b64encode(each.data).decode(),
                }
                for each in part
            ],
        }
        payload = json.dumps(event).encode()
        attempts, wait = 1, RETRY_PAUSE
        while True:
            try:
                answer = self._invoke(processor.arn, payload)
                if len(answer) > PAYLOAD_LIMIT:
                    raise InvocationError(_FUNCTION_ERROR, f"The response is larger than {PAYLOAD_LIMIT} bytes")
                break
            except InvocationError as error:
                if attempts > processor.retries:
                    failures = [Failure(each, each.data, error.code, error.message, attempts) for each in part]
                    return Transformed([], failures)
            self._pause(wait)
            attempts, wait = attempts + 1, wait * 2
        return _outcomes(part, answer, attempts)


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
                    result.records.append(Record(record.id, decoded, record.arrived))
                case {"result": "Dropped"}:
                    pass
                case {"result": "ProcessingFailed"}:
                    problem = _REFUSED
                case _:
                    problem = _UNREADABLE
        if problem:
            result.failures.append(Failure(record, record.data, *problem, attempts))
    return result


def _decoded(data: str) -> bytes | None:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None


def lambda_invoke(client: Callable[[str], Any]) -> Invoke:
    """Return an Invoke that uses the boto3 Lambda client of the region an ARN names."""

    def invoke(arn: str, payload: bytes) -> bytes:
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
        return body

    return invoke


_INVOKE_ERRORS = {
    "ResourceNotFoundException": "Lambda.ResourceNotFound",
    "TooManyRequestsException": "Lambda.InvokeLimitExceeded",
    "AccessDeniedException": "Lambda.InvokeAccessDenied",
}
