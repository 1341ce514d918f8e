"""S3 as a destination: what an object is called, what is in it, and what is written about the records that failed."""

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from workshop.local_aws.firehose import prefixes
from workshop.local_aws.firehose.configuration import Configuration, Conversion
from workshop.local_aws.firehose.conversion import INVALID_SCHEMA, Converter, UnsupportedColumnError, to_parquet
from workshop.local_aws.firehose.records import Failure, Record

PROCESSING_FAILED = "processing-failed"
FORMAT_CONVERSION_FAILED = "format-conversion-failed"


class TableNotFoundError(Exception):
    """The Glue table that names the columns does not exist."""


PutObject = Callable[[str, str, bytes], None]
"""Write one object (bucket, key, body), for as long as it takes."""

Columns = Callable[[Conversion, str], Sequence[Mapping[str, str]]]
"""Return the Glue table's columns for a conversion in a region. Raises TableNotFoundError."""


class Destination:
    """Writes batches as one object each, and failures as another."""

    def __init__(
        self, put_object: PutObject, columns: Columns, now: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        """Prepare. `now` is in seconds since 1970; `new_id` returns UUIDs, which name objects and random strings."""
        self._put_object = put_object
        self._columns = columns
        self._now = now
        self._new_id = new_id

    def deliver(self, stream: Configuration, batch: Sequence[Record]) -> None:
        """Write a batch: converted to Parquet where the stream asks for it, else its records end to end."""
        if stream.conversion is None:
            body = b"".join(each.data + stream.delimiter for each in batch)
            if stream.compression == "GZIP":
                body = gzip.compress(body, 6, mtime=0)
        else:
            converted, failures = self._convert(stream, stream.conversion, batch)
            if failures:
                self.fail(stream, FORMAT_CONVERSION_FAILED, failures)
            if converted is None:
                return
            body = converted
        arrived = self._oldest(stream, batch)
        prefix = prefixes.evaluate(stream.prefix, arrived, self._random_string)
        self._put_object(stream.bucket, prefix + self._name(stream, arrived) + stream.extension, body)

    def fail(self, stream: Configuration, error_output_type: str, failures: Sequence[Failure]) -> None:
        """Write failures as JSON lines under the error prefix, in the envelope of their type.

        The pages are "data-transformation-failure-handling" and "record-format-conversion-error-handling".
        """
        arrived = self._oldest(stream, [each.record for each in failures])
        prefix = prefixes.evaluate(stream.error_prefix, arrived, self._random_string, error_output_type)
        ending = round(self._now() * 1000)
        envelope = _processing_failed if error_output_type == PROCESSING_FAILED else _format_conversion_failed
        lines = [json.dumps(envelope(stream, each, ending)) + "\n" for each in failures]
        self._put_object(stream.bucket, prefix + self._name(stream, arrived), "".join(lines).encode())

    def _convert(
        self, stream: Configuration, conversion: Conversion, batch: Sequence[Record]
    ) -> tuple[bytes | None, list[Failure]]:
        try:
            converter = Converter(
                self._columns(conversion, stream.region),
                case_insensitive=conversion.case_insensitive,
                dots_to_underscores=conversion.dots_to_underscores,
                keys=conversion.keys,
            )
        except TableNotFoundError:
            code, message = (
                "DataFormatConversion.EntityNotFound",
                "The specified table/database could not be found. Please ensure that the table/database exists and "
                "that the values provided in the schema configuration are correct, especially with regards to casing.",
            )
        except UnsupportedColumnError as error:
            code, message = INVALID_SCHEMA, str(error)
        else:
            table, failures = converter.convert(batch)
            if not table.num_rows:
                return None, failures
            return to_parquet(table, conversion.compression, dictionary=conversion.dictionary), failures
        return None, [Failure(each, each.data, code, message) for each in batch]

    def _oldest(self, stream: Configuration, batch: Sequence[Record]) -> datetime:
        """Return when the oldest record arrived: the instant that prefixes and names are made of ("s3-prefixes")."""
        return datetime.fromtimestamp(min(each.arrived for each in batch), UTC).astimezone(stream.zone)

    def _name(self, stream: Configuration, at: datetime) -> str:
        """Return an object's name without prefix and extension, as the page "s3-object-name" composes it."""
        return f"{stream.name}-{stream.version}-{at:%Y-%m-%d-%H-%M-%S}-{self._new_id()}"

    def _random_string(self) -> str:
        return self._new_id()[:11]


def _processing_failed(stream: Configuration, failure: Failure, ending: int) -> dict[str, Any]:
    return {
        "attemptsMade": failure.attempts,
        "arrivalTimestamp": round(failure.record.arrived * 1000),
        "errorCode": failure.code,
        "errorMessage": failure.message,
        "attemptEndingTimestamp": ending,
        "rawData": base64.b64encode(failure.data).decode(),
        "lambdaArn": stream.processor.arn if stream.processor else None,
    }


def _format_conversion_failed(stream: Configuration, failure: Failure, ending: int) -> dict[str, Any]:
    schema = stream.conversion.schema if stream.conversion else {}
    return {
        "attemptsMade": failure.attempts,
        "arrivalTimestamp": round(failure.record.arrived * 1000),
        "lastErrorCode": failure.code,
        "lastErrorMessage": failure.message,
        "attemptEndingTimestamp": ending,
        "rawData": base64.b64encode(failure.data).decode(),
        "sequenceNumber": failure.record.id,
        "subSequenceNumber": failure.position,
        "dataCatalogTable": {
            "catalogId": schema.get("CatalogId") or stream.account,
            "databaseName": schema.get("DatabaseName"),
            "tableName": schema.get("TableName"),
            "region": schema.get("Region") or stream.region,
            "versionId": schema.get("VersionId") or "LATEST",
        },
    }
