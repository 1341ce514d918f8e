"""S3 as a destination: what an object is called, what is in it, and what is written about the records that failed."""

import base64
import gzip
import json
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import IO, Any

import pyarrow as pa

from workshop.local_aws.firehose import prefixes
from workshop.local_aws.firehose.configuration import Configuration, Conversion
from workshop.local_aws.firehose.conversion import (
    INVALID_SCHEMA,
    Converter,
    UnsupportedColumnError,
    write_orc,
    write_parquet,
)
from workshop.local_aws.firehose.records import Failure, Record

PROCESSING_FAILED = "processing-failed"
FORMAT_CONVERSION_FAILED = "format-conversion-failed"
PARTITIONS_EXCEEDED = "activePartitionExceeded"
"""What the page "buffering" calls the place of records beyond the limit of active partitions."""

PARTITIONS_LIMIT = 500
"""Active partitions of a stream ("buffering")."""

# No page names a code for it.
_TOO_MANY_PARTITIONS = (
    "DynamicPartitioning.ActivePartitionLimitExceeded",
    f"The stream has {PARTITIONS_LIMIT} active partitions, and this record would be in one more",
)
_HADOOP_BLOCK = 1 << 17

RETENTION = 86_400.0
"""Seconds for which a record that was put directly is kept: "The maximum data storage time of Amazon Data Firehose is
24 hours. If data delivery fails for more than 24 hours, your data is lost" ("retry")."""

_SMALL = 1 << 20  # bytes of an object that is made up in memory; a larger one is on disk meanwhile


class TableNotFoundError(Exception):
    """The Glue table that names the columns does not exist."""


class UndeliverableError(Exception):
    """S3 has refused an object for as long as its records are kept, or its stream was deleted."""


PutObject = Callable[[Configuration, str, IO[bytes], float], None]
"""Write an object (key, body) to a stream's bucket, again and again until an instant. Raises UndeliverableError."""

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
        """Write a batch, each partition as one object: converted where the stream asks for it, else end to end.

        A batch is what is active at a time, so the limit of active partitions holds for it ("buffering").
        """
        if stream.processor is None:
            self.back_up(stream, batch)
        partitions: dict[tuple[tuple[str, str], ...], list[Record]] = {}
        excess = []
        for record in batch:
            if record.partition in partitions or len(partitions) < PARTITIONS_LIMIT:
                partitions.setdefault(record.partition, []).append(record)
            else:
                excess.append(Failure(record, record.data, *_TOO_MANY_PARTITIONS))
        for records in partitions.values():
            self._deliver_partition(stream, records)
        if excess:
            self.fail(stream, PARTITIONS_EXCEEDED, excess)

    def back_up(self, stream: Configuration, batch: Sequence[Record]) -> None:
        """Write a batch as it came, where the stream asks for that ("create-configure-backup")."""
        if stream.backup:
            self._deliver_partition(stream.backup, batch)

    def _deliver_partition(self, stream: Configuration, batch: Sequence[Record]) -> None:
        with tempfile.SpooledTemporaryFile(_SMALL) as body:
            if stream.conversion is None:
                _write_compressed(body, (each.data + stream.delimiter for each in batch), stream.compression)
            else:
                failures = self._convert(stream, stream.conversion, batch, body)
                if failures:
                    self.fail(stream, FORMAT_CONVERSION_FAILED, failures)
                if not body.tell():
                    return
            arrived = self._oldest(stream, batch)
            prefix = prefixes.evaluate(stream.prefix, arrived, self._random_string, keys=dict(batch[0].partition))
            key = prefix + self._name(stream, arrived) + stream.extension
            # A Kinesis data stream's records are delivered however long that takes ("retry").
            kept_until = max(each.arrived for each in batch) + RETENTION if stream.source is None else float("inf")
            self._put_object(stream, key, body, kept_until)

    def fail(self, stream: Configuration, error_output_type: str, failures: Sequence[Failure]) -> None:
        """Write failures as JSON lines under the error prefix; the error-output-type is that of those that name none.

        The envelopes are those of "data-transformation-failure-handling" and "record-format-conversion-error-handling".
        """
        kinds: dict[str, list[Failure]] = {}
        for each in failures:
            kinds.setdefault(each.kind or error_output_type, []).append(each)
        for kind, alike in kinds.items():
            self._fail(stream, kind, alike)

    def _fail(self, stream: Configuration, error_output_type: str, failures: Sequence[Failure]) -> None:
        arrived = self._oldest(stream, [each.record for each in failures])
        prefix = prefixes.evaluate(stream.error_prefix, arrived, self._random_string, error_output_type)
        ending = round(self._now() * 1000)
        envelope = _format_conversion_failed if error_output_type == FORMAT_CONVERSION_FAILED else _processing_failed
        with tempfile.SpooledTemporaryFile(_SMALL) as body:
            body.writelines(json.dumps(envelope(stream, each, ending)).encode() + b"\n" for each in failures)
            # Such a write is retried for ever ("record-format-conversion-error-handling").
            self._put_object(stream, prefix + self._name(stream, arrived), body, float("inf"))

    def _convert(
        self, stream: Configuration, conversion: Conversion, batch: Sequence[Record], body: IO[bytes]
    ) -> list[Failure]:
        """Write the documents that can be converted, if there are any, and return the others."""
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
            failures: list[Failure] = []
            tables = converter.tables(batch, failures)
            if first := next(tables, None):
                found = chain([first], tables)
                if conversion.orc_version:
                    write_orc(body, found, conversion.compression, version=conversion.orc_version)
                else:
                    write_parquet(body, found, conversion.compression, dictionary=conversion.dictionary)
            return failures
        return [Failure(each, each.data, code, message) for each in batch]

    def _oldest(self, stream: Configuration, batch: Sequence[Record]) -> datetime:
        """Return when the oldest record arrived: the instant that prefixes and names are made of ("s3-prefixes")."""
        return datetime.fromtimestamp(min(each.arrived for each in batch), UTC).astimezone(stream.zone)

    def _name(self, stream: Configuration, at: datetime) -> str:
        """Return an object's name without prefix and extension, as the page "s3-object-name" composes it."""
        return f"{stream.name}-{stream.version}-{at:%Y-%m-%d-%H-%M-%S}-{self._new_id()}"

    def _random_string(self) -> str:
        return self._new_id()[:11]


def _write_compressed(body: IO[bytes], parts: Iterable[bytes], compression: str) -> None:
    match compression:
        case "GZIP":
            with gzip.GzipFile(fileobj=body, mode="wb", compresslevel=6, mtime=0) as packed:
                packed.writelines(parts)
        case "ZIP":
            data = zipfile.ZipInfo("data")  # AWS documents no name
            data.compress_type = zipfile.ZIP_DEFLATED
            with zipfile.ZipFile(body, "w") as entries, entries.open(data, "w") as entry:
                entry.writelines(parts)
        case "HADOOP_SNAPPY":
            body.writelines(_hadoop_blocks(parts, pa.Codec("snappy")))
        case _:
            body.writelines(parts)


def _hadoop_blocks(parts: Iterable[bytes], codec: pa.Codec) -> Iterator[bytes]:
    """Frame blocks as Hadoop's BlockCompressorStream: what was their length, what it is now, and the block.

    The Athena guide's page "compression-formats" and the Firehose guide's "enable-record-format-conversion" name it.
    """
    waiting = bytearray()
    for part in chain(parts, [b""]):
        waiting += part
        while len(waiting) >= _HADOOP_BLOCK or (waiting and not part):
            block = bytes(waiting[:_HADOOP_BLOCK])
            del waiting[:_HADOOP_BLOCK]
            packed = codec.compress(block, asbytes=True)
            yield struct.pack(">II", len(block), len(packed)) + packed


def _processing_failed(stream: Configuration, failure: Failure, ending: int) -> dict[str, Any]:
    return {
        "attemptsMade": failure.attempts,
        "arrivalTimestamp": round(failure.record.arrived * 1000),
        "errorCode": failure.code,
        "errorMessage": failure.message,
        "attemptEndingTimestamp": ending,
        "rawData": base64.b64encode(failure.data).decode(),
        "lambdaArn": stream.processor.function.arn if stream.processor and stream.processor.function else None,
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
