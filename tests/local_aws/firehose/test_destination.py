"""Objects in S3: /firehose/latest/dev/s3-object-name.html and the two pages on error records."""

import base64
import gzip
import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet
import pytest

from tests.local_aws.firehose.samples import (
    ALL_PLAIN,
    ARRIVED,
    COLUMNS,
    LAMBDA_ARN,
    PARQUET,
    Bucket,
    configuration,
    ids,
    processing,
    records,
)
from workshop.local_aws.firehose.configuration import Conversion
from workshop.local_aws.firehose.destination import PROCESSING_FAILED, Destination, TableNotFoundError
from workshop.local_aws.firehose.records import Failure, Record

LATER = ARRIVED + 60


def destination(bucket: Bucket, columns: Sequence[Mapping[str, str]] = COLUMNS) -> Destination:
    def look_up(conversion: Conversion, region: str) -> Sequence[Mapping[str, str]]:
        assert (conversion.schema["TableName"], region) == ("events", "us-east-1")
        if not columns:
            raise TableNotFoundError
        return columns

    return Destination(bucket.put, look_up, lambda: LATER, ids())


def deliver(batch: list[Record], columns: Sequence[Mapping[str, str]] = COLUMNS, **given: Any) -> Bucket:
    bucket = Bucket()
    destination(bucket, columns).deliver(configuration(**given), batch)
    return bucket


def test_an_object_is_named_after_stream_version_and_time() -> None:
    (key,) = deliver(records(b"a"), Prefix="lake/").objects
    assert key == "lake/2026/11/20/12/events-1-2026-11-20-12-34-56-00000001-0000-4000-8000-000000000000"


def test_the_time_is_when_the_oldest_record_arrived() -> None:
    """s3-prefixes: "the approximate arrival timestamp of the oldest record"."""
    batch = [*records(b"b", arrived=ARRIVED + 86_400), *records(b"a")]
    (key,) = deliver(batch, Prefix="dt=!{timestamp:yyyy-MM-dd}/", ErrorOutputPrefix="e/").objects
    assert key.startswith("dt=2026-11-20/events-1-2026-11-20-12-34-56-")


def test_prefix_and_name_are_in_the_custom_time_zone() -> None:
    (key,) = deliver(records(b"a"), CustomTimeZone="Asia/Tokyo").objects
    assert key.startswith("2026/11/20/21/events-1-2026-11-20-21-34-56-")


def test_records_are_concatenated_without_a_delimiter() -> None:
    """basic-deliver: "By default, Firehose concatenates data without any delimiters"."""
    assert list(deliver(records(b"a", b"b\n", b"c")).objects.values()) == [b"ab\nc"]


def test_a_delimiter_processor_ends_each_record() -> None:
    given = {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord", "Parameters": []}]}
    assert list(deliver(records(b"a", b"b"), ProcessingConfiguration=given).objects.values()) == [b"a\nb\n"]


def test_gzip_objects_are_compressed_as_a_whole() -> None:
    ((key, body),) = deliver(records(b"a", b"b"), CompressionFormat="GZIP").objects.items()
    assert key.endswith(".gz")
    assert gzip.decompress(body) == b"ab"


def test_conversion_writes_one_parquet_object_with_the_tables_columns() -> None:
    batch = records(
        b'{"id":"a","n":1,"at":"2026-11-20T12:00:00.000Z"}\n{"id":"b","n":2}', b'{"id":"c","extra":{"x":[1]}}'
    )
    ((key, body),) = deliver(batch, DataFormatConversionConfiguration=PARQUET).objects.items()
    assert key.endswith(".parquet")
    table = pyarrow.parquet.read_table(io.BytesIO(body))
    assert table.column_names == ["id", "n", "at"]
    assert table.column("id").to_pylist() == ["a", "b", "c"]
    assert table.column("n").to_pylist() == [1, 2, None]
    assert str(table.column("at")[0]) == "2026-11-20 12:00:00"


@pytest.mark.parametrize("compression", ["SNAPPY", "GZIP", "UNCOMPRESSED"])
def test_parquet_is_compressed_as_the_serializer_says(compression: str) -> None:
    """API_ParquetSerDe: UNCOMPRESSED, SNAPPY and GZIP."""
    serializer = {"OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {"Compression": compression}}}}
    bucket = deliver(records(b'{"id":"a"}'), DataFormatConversionConfiguration=PARQUET | serializer)
    (body,) = bucket.objects.values()
    metadata = pyarrow.parquet.ParquetFile(io.BytesIO(body)).metadata
    assert metadata.row_group(0).column(0).compression == compression


def test_a_document_that_does_not_fit_goes_to_the_error_prefix_and_the_rest_is_delivered() -> None:
    """record-format-conversion-error-handling: the JSON document and its fields."""
    bucket = deliver(
        records(b'{"id":"a","n":1}\n{"id":"b","n":"many"}\n{"id":"c","n":3}'),
        DataFormatConversionConfiguration=PARQUET,
        Prefix="lake/",
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
    )
    (body,) = bucket.below("lake/")
    assert pyarrow.parquet.read_table(io.BytesIO(body)).column("id").to_pylist() == ["a", "c"]
    (envelope,) = bucket.envelopes("errors/format-conversion-failed/")
    message = envelope.pop("lastErrorMessage")
    assert "n" in message
    assert "many" in message
    assert envelope == {
        "attemptsMade": 1,
        "arrivalTimestamp": round(ARRIVED * 1000),
        "lastErrorCode": "DataFormatConversion.MalformedData",
        "attemptEndingTimestamp": round(LATER * 1000),
        "rawData": base64.b64encode(b'{"id":"b","n":"many"}').decode(),
        "sequenceNumber": "r0",
        "subSequenceNumber": 1,
        "dataCatalogTable": {
            "catalogId": "000000000000",
            "databaseName": "inventory",
            "tableName": "events",
            "region": "us-east-1",
            "versionId": "LATEST",
        },
    }


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ([], "DataFormatConversion.EntityNotFound"),
        ([{"Name": "x", "Type": "binary"}], "DataFormatConversion.InvalidSchema"),
    ],
)
def test_without_a_usable_table_every_record_goes_to_the_error_prefix(columns: list[dict[str, str]], code: str) -> None:
    bucket = deliver(records(b"{}", b"{}"), columns, DataFormatConversionConfiguration=PARQUET)
    assert {key.partition("/")[0] for key in bucket.objects} == {"format-conversion-failed"}
    assert [each["lastErrorCode"] for each in bucket.envelopes("format-conversion-failed")] == [code, code]


def test_a_record_that_was_not_processed_is_written_as_the_page_shows() -> None:
    """data-transformation-failure-handling: the JSON of a failed record."""
    bucket = Bucket()
    stream = configuration(ProcessingConfiguration=processing(), ErrorOutputPrefix="e/!{firehose:error-output-type}/")
    (record,) = records(b"\xff")
    destination(bucket).fail(
        stream, PROCESSING_FAILED, [Failure(record, record.data, "Lambda.FunctionError", "boom", 4)]
    )
    ((key, body),) = bucket.objects.items()
    assert key.startswith("e/processing-failed/events-1-2026-11-20-12-34-56-")
    assert body.endswith(b"\n")
    assert json.loads(body) == {
        "attemptsMade": 4,
        "arrivalTimestamp": round(ARRIVED * 1000),
        "errorCode": "Lambda.FunctionError",
        "errorMessage": "boom",
        "attemptEndingTimestamp": round(LATER * 1000),
        "rawData": base64.b64encode(b"\xff").decode(),
        "lambdaArn": LAMBDA_ARN,
    }


def test_zip_objects_hold_the_records_as_one_entry() -> None:
    ((key, body),) = deliver(records(b"a", b"b"), CompressionFormat="ZIP").objects.items()
    assert key.endswith(".zip")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        (entry,) = archive.namelist()
        assert archive.read(entry) == b"ab"


def test_hadoop_snappy_objects_are_blocks_of_hadoops_framing() -> None:
    """/athena/latest/ug/compression-formats.html: BlockCompressorStream's lengths, then Snappy's own format."""
    batch = [b"abc" * 100_000, b"", b"d"]
    ((key, body),) = deliver(records(*batch), CompressionFormat="HADOOP_SNAPPY").objects.items()
    assert key.endswith(".hsnappy")
    plain, at = b"", 0
    while at < len(body):
        length, packed = struct.unpack_from(">II", body, at)
        at += 8 + packed
        plain += pa.Codec("snappy").decompress(body[at - packed : at], length, asbytes=True)
    assert plain == b"".join(batch)


BACKUP = {
    "RoleARN": "arn:aws:iam::000000000000:role/firehose",
    "BucketARN": "arn:aws:s3:::lake",
    "Prefix": "as-they-came/",
    "CompressionFormat": "GZIP",
}


def test_source_records_are_backed_up_as_they_came() -> None:
    """create-configure-backup; s3-prefixes: "the Prefix is used for backing up the raw data"."""
    given = {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord", "Parameters": []}]}
    bucket = deliver(
        records(b"a", b"b"), S3BackupMode="Enabled", S3BackupDescription=BACKUP, ProcessingConfiguration=given
    )
    assert [gzip.decompress(body) for body in bucket.below("as-they-came/2026/11/20/12/")] == [b"ab"]
    assert bucket.below("2026/11/20/12/") == [b"a\nb\n"]


def test_a_backup_that_is_disabled_is_not_made() -> None:
    bucket = deliver(records(b"a"), S3BackupMode="Disabled", S3BackupDescription=BACKUP)
    assert list(bucket.objects.values()) == [b"a"]


@pytest.mark.parametrize(("compression", "written"), [("SNAPPY", "SNAPPY"), ("ZLIB", "ZLIB"), ("NONE", "UNCOMPRESSED")])
def test_orc_holds_the_same_rows_as_parquet(compression: str, written: str) -> None:
    """API_OrcSerDe: NONE, ZLIB and SNAPPY; its default version is V0_12."""
    nested = {"tags": "array<string>", "counts": "map<string,int>", "place": "struct<city:string,zip:int>"}
    columns = ALL_PLAIN + [{"Name": name, "Type": kind} for name, kind in nested.items()]
    document = json.dumps(
        {
            **{"id": "a", "n": 1, "tiny": -1, "large": 1 << 40, "ok": True, "x": 0.5, "price": 1.25},
            **{"day": "1969-12-31", "at": "1969-12-31T23:59:59.123456Z", "tags": ["p", None]},
            **{"counts": {"p": 1}, "place": {"city": "Bonn", "zip": 53111}},
        }
    ).encode()
    batch = records(document, b'{"id":null}')

    def conversion(serializer: dict[str, Any]) -> dict[str, Any]:
        given = PARQUET | {"OutputFormatConfiguration": {"Serializer": serializer}}
        return {"DataFormatConversionConfiguration": given}

    (orc,) = deliver(batch, columns, **conversion({"OrcSerDe": {"Compression": compression}})).objects.values()
    (parquet,) = deliver(batch, columns, **conversion({"ParquetSerDe": {}})).objects.values()
    file = pyarrow.orc.ORCFile(io.BytesIO(orc))
    assert (file.compression, file.file_version) == (written, "0.12")
    expected = pyarrow.parquet.read_table(io.BytesIO(parquet))
    assert file.read().cast(expected.schema).to_pylist() == expected.to_pylist()


def test_a_failure_may_name_a_place_of_its_own() -> None:
    """decomp-faq: "an S3 bucket prefix called decompression-failed"."""
    bucket = Bucket()
    (one, other) = records(b"a", b"b")
    failures = [Failure(one, b"a", "X", "no", kind="decompression-failed"), Failure(other, b"b", "Y", "no")]
    destination(bucket).fail(
        configuration(ErrorOutputPrefix="e/!{firehose:error-output-type}/"), PROCESSING_FAILED, failures
    )
    assert [each["errorCode"] for each in bucket.envelopes("e/decompression-failed/")] == ["X"]
    assert [each["errorCode"] for each in bucket.envelopes("e/processing-failed/")] == ["Y"]
