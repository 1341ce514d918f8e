"""Rules of Data Firehose's conversion of JSON to Parquet by a Glue table."""

import base64
import io
from datetime import datetime
from typing import Any

import pyarrow.parquet

from tests.local_aws.contract.account import Account, holds, same
from tests.local_aws.contract.firehose_processing import answering
from tests.local_aws.contract.rules import rule

CONVERSION = "https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html"
ERROR_HANDLING = "https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html"
PARQUET = "https://docs.aws.amazon.com/firehose/latest/APIReference/API_ParquetSerDe.html"
OPENX = "https://docs.aws.amazon.com/firehose/latest/APIReference/API_OpenXJsonSerDe.html"
ENABLING = "https://docs.aws.amazon.com/firehose/latest/dev/enable-record-format-conversion.html"

ENVELOPE = {
    "attemptsMade",
    "arrivalTimestamp",
    "lastErrorCode",
    "lastErrorMessage",
    "attemptEndingTimestamp",
    "rawData",
    "sequenceNumber",
    "subSequenceNumber",
    "dataCatalogTable",
}
COLUMNS = {"id": "string", "n": "int"}


@rule("several-documents", "One record may hold several documents, one after the other or on lines.", CONVERSION)
def several_documents(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.converting(bucket, COLUMNS), b'{"n": 1}{"n": 2}', b'{"n": 3}\n{"n": 4}\n')
    same("n", [row["n"] for row in aws.rows(bucket, 4)], [1, 2, 3, 4])


@rule("no-array", "An array of documents is not valid input: it goes to format-conversion-failed/.", CONVERSION)
def no_array(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.converting(bucket, COLUMNS), b'[{"n": 1}, {"n": 2}]', b'{"n": 3}')
    (envelope,) = aws.envelopes(bucket, "format-conversion-failed")
    same("rawData", base64.b64decode(envelope["rawData"]), b'[{"n": 1}, {"n": 2}]')
    same("n", [row["n"] for row in aws.rows(bucket, 1)], [3])


@rule(
    "conversion-envelope",
    "A document that does not match the schema goes to format-conversion-failed/ in an envelope of nine fields.",
    ERROR_HANDLING,
)
def conversion_envelope(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.converting(bucket, COLUMNS)
    aws.put(stream, b'{"n": "many"}', b'{"n": 7}')
    (envelope,) = aws.envelopes(bucket, "format-conversion-failed")
    same("the fields", set(envelope), ENVELOPE)
    same("rawData", base64.b64decode(envelope["rawData"]), b'{"n": "many"}')
    schema = aws.described(stream)["Destinations"][0]["ExtendedS3DestinationDescription"][
        "DataFormatConversionConfiguration"
    ]["SchemaConfiguration"]
    named = envelope["dataCatalogTable"]
    same("the table", (named["databaseName"], named["tableName"]), (schema["DatabaseName"], schema["TableName"]))
    holds(f"the table has {sorted(named)}", {"catalogId", "region", "versionId"} <= set(named))
    same("the rest", [row["n"] for row in aws.rows(bucket, 1)], [7])


@rule(
    "not-json",
    "What is not JSON goes to format-conversion-failed/, and what stands beside it is delivered.",
    ERROR_HANDLING,
)
def not_json(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.converting(bucket, COLUMNS), b'{"n": 1}', b"not json", b'{"n": 2}')
    (envelope,) = aws.envelopes(bucket, "format-conversion-failed")
    same("rawData", base64.b64decode(envelope["rawData"]), b"not json")
    same("n", [row["n"] for row in aws.rows(bucket, 2)], [1, 2])


@rule(
    "missing-columns",
    "A column that a document does not have is null; a field without a column is left out.",
    CONVERSION,
)
def missing_columns(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.converting(bucket, COLUMNS), b'{"id": "a", "other": true}', b'{"n": null}')
    same("rows", aws.rows(bucket, 2), [{"id": "a", "n": None}, {"id": None, "n": None}])


@rule(
    "case-insensitive",
    "The OpenX SerDe finds a column's key in any case, as CaseInsensitive is true by default.",
    OPENX,
)
def case_insensitive(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.converting(bucket, COLUMNS), b'{"ID": "a", "N": 1}')
    same("rows", aws.rows(bucket, 1), [{"id": "a", "n": 1}])


@rule("key-mappings", "ColumnToJsonKeyMappings names the JSON key of a column whose name differs.", OPENX)
def key_mappings(aws: Account) -> None:
    bucket = aws.bucket()
    serde = {"ColumnToJsonKeyMappings": {"id": "timestamp"}}
    aws.put(aws.converting(bucket, COLUMNS, OpenXJsonSerDe=serde), b'{"timestamp": "x", "n": 1}')
    same("rows", aws.rows(bucket, 1), [{"id": "x", "n": 1}])


@rule("dots-in-keys", "ConvertDotsInJsonKeysToUnderscores lets a.b be read by the column a_b.", OPENX)
def dots_in_keys(aws: Account) -> None:
    bucket = aws.bucket()
    serde = {"ConvertDotsInJsonKeysToUnderscores": True}
    aws.put(aws.converting(bucket, {"a_b": "int"}, OpenXJsonSerDe=serde), b'{"a.b": 5}')
    same("rows", aws.rows(bucket, 1), [{"a_b": 5}])


@rule(
    "timestamps",
    "Timestamps are read as ISO 8601 with Z, as `yyyy-MM-dd HH:mm:ss` and as epoch milliseconds.",
    CONVERSION,
)
def timestamps(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.converting(bucket, {"at": "timestamp"})
    aws.put(
        stream, b'{"at": "2026-11-20T12:00:00.250Z"}', b'{"at": "2026-11-20 12:00:00.25"}', b'{"at": 1795176000250}'
    )
    moment = datetime(2026, 11, 20, 12, 0, 0, 250_000)  # noqa: DTZ001 - Parquet's have no zone
    same("at", [row["at"] for row in aws.rows(bucket, 3)], [moment] * 3)


@rule("nested-types", "Structs, arrays and maps of the Glue table become Parquet's.", CONVERSION)
def nested_types(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.converting(bucket, {"s": "struct<a:int,b:string>", "l": "array<int>", "m": "map<string,int>"})
    aws.put(stream, b'{"s": {"a": 1, "b": "x"}, "l": [1, 2], "m": {"k": 3}}')
    same("rows", aws.rows(bucket, 1), [{"s": {"a": 1, "b": "x"}, "l": [1, 2], "m": [("k", 3)]}])


def _codec(aws: Account, **serde: Any) -> str:
    bucket = aws.bucket()
    aws.put(aws.converting(bucket, COLUMNS, ParquetSerDe=serde), b'{"n": 1}')
    aws.rows(bucket, 1)
    body = next(iter(aws.objects(bucket, "good/").values()))
    return str(pyarrow.parquet.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(1).compression)


@rule("parquet-snappy", "Parquet is compressed with SNAPPY unless something else is asked for.", PARQUET)
def parquet_snappy(aws: Account) -> None:
    same("codec", _codec(aws), "SNAPPY")


@rule("parquet-gzip", "ParquetSerDe's Compression may be GZIP or UNCOMPRESSED as well.", PARQUET)
def parquet_gzip(aws: Account) -> None:
    same("codec", _codec(aws, Compression="GZIP"), "GZIP")
    same("codec", _codec(aws, Compression="UNCOMPRESSED"), "UNCOMPRESSED")


@rule(
    "parquet-extension",
    "The name of a converted object ends with .parquet.",
    "https://docs.aws.amazon.com/firehose/latest/dev/create-destination.html",
)
def parquet_extension(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.converting(bucket, COLUMNS), b'{"n": 1}')
    key = next(iter(aws.delivered(bucket, "good/")))
    holds(f"the name is {key}", key.endswith(".parquet"))


@rule("function-then-parquet", "A function's answer is what is converted.", CONVERSION)
def function_then_parquet(aws: Account) -> None:
    bucket = aws.bucket()
    function = aws.function(answering('[{**r, "result": "Ok", "data": encoded(b"{\\"n\\": 42}")} for r in records]'))
    parameter = {"ParameterName": "LambdaArn", "ParameterValue": function}
    processing = {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": [parameter]}]}
    aws.put(aws.converting(bucket, COLUMNS, ProcessingConfiguration=processing), b"forty-two")
    same("rows", aws.rows(bucket, 1), [{"id": None, "n": 42}])


@rule("conversion-no-gzip", "With format conversion the S3 compression must be left UNCOMPRESSED.", ENABLING)
def conversion_no_gzip(aws: Account) -> None:
    bucket = aws.bucket()
    with aws.refused("InvalidArgumentException"):
        aws.converting(bucket, COLUMNS, CompressionFormat="GZIP")


@rule("conversion-64-mib", "With format conversion the buffer's size hint is at least 64 MiB.", ENABLING)
def conversion_64_mib(aws: Account) -> None:
    bucket = aws.bucket()
    with aws.refused("InvalidArgumentException"):
        aws.converting(bucket, COLUMNS, BufferingHints={"SizeInMBs": 63, "IntervalInSeconds": 60})
