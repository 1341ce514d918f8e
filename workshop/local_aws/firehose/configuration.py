"""What a delivery stream was deployed to do, read from DescribeDeliveryStream."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workshop.local_aws.firehose import prefixes
from workshop.local_aws.firehose.extraction import Query, UnsupportedQueryError

MIB = 1 << 20


class UnsupportedStreamError(Exception):
    """A delivery stream asks for something that is not done here; the message names it."""


@dataclass(frozen=True, slots=True)
class Hints:
    """How much (bytes) and how long (seconds) to gather, whichever comes first."""

    size: int
    interval: float


@dataclass(frozen=True, slots=True)
class KinesisSource:
    """The data stream that a delivery stream reads, and from which instant on."""

    arn: str
    start: datetime


@dataclass(frozen=True, slots=True)
class Function:
    """The Lambda function that transforms records, and how often a failed call is repeated."""

    arn: str
    retries: int


@dataclass(frozen=True, slots=True)
class Processing:
    """What is done to records before they gather for delivery, in the order of the fields.

    That is the order of the page "dynamic-partitioning-multirecord-deaggergation": "Deaggregation, Data Transformation
    via Lambda, Partitioning Keys"; decompression comes before all of them ("writing-with-cloudwatch-logs").
    """

    hints: Hints
    decompression: bool = False
    messages: bool = False
    """Whether the messages of CloudWatch Logs take the place of the envelope they came in."""
    deaggregation: bytes | None = None
    """Between which bytes a record is taken apart; empty for JSON documents, None for not at all."""
    function: Function | None = None
    query: Query | None = None
    keys: tuple[str, ...] = ()
    """The partition keys of the prefix, as expressions."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """JSON to Parquet or ORC with the columns of a Glue table, under the options of the OpenX JSON SerDe."""

    schema: Mapping[str, str]
    """The SchemaConfiguration as described: DatabaseName, TableName and, where given, CatalogId, Region, VersionId."""
    orc_version: str | None
    """The version of ORC's format; None for Parquet."""
    compression: str
    dictionary: bool
    case_insensitive: bool
    dots_to_underscores: bool
    keys: Mapping[str, str]
    """Column name to JSON key, for the columns whose key differs."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One version of one delivery stream to S3."""

    name: str
    arn: str
    version: str
    created: datetime
    """Tells a stream from one of the same name that was deleted."""
    encrypted: bool
    source: KinesisSource | None
    role: str
    """The ARN of the role with which the stream reads, calls and writes."""
    bucket: str
    prefix: str
    error_prefix: str
    zone: ZoneInfo
    extension: str
    compression: str
    delimiter: bytes
    hints: Hints
    processor: Processing | None
    conversion: Conversion | None
    backup: "Configuration | None"
    """Where the records go as they came, beside their delivery."""

    @property
    def region(self) -> str:
        """The region, which the ARN names."""
        return self.arn.split(":")[3]

    @property
    def account(self) -> str:
        """The account, which the ARN names."""
        return self.arn.split(":")[4]

    @classmethod
    def read(cls, description: Mapping[str, Any]) -> "Configuration":
        """Read a DeliveryStreamDescription. Raises UnsupportedStreamError for what is not done here.

        Defaults are those of the Firehose API reference: 5 MiB and 300 s, or 128 MiB with format conversion; for a
        Lambda processor 1 MB, 60 s and 3 retries; Snappy within Parquet.
        """
        name = description["DeliveryStreamName"]
        destination = description["Destinations"][0] if description["Destinations"] else {}
        s3 = destination.get("ExtendedS3DestinationDescription") or destination.get("S3DestinationDescription")
        if s3 is None:
            raise UnsupportedStreamError(f"Stream {name} has no S3 destination, and only S3 is delivered to here")
        try:
            configuration = cls._read(description, s3)
            return replace(configuration, backup=_backup(configuration, s3))
        except (prefixes.UnsupportedExpressionError, UnsupportedQueryError) as error:
            raise UnsupportedStreamError(f"Stream {name}: {error}") from error

    @classmethod
    def _read(cls, description: Mapping[str, Any], s3: Mapping[str, Any]) -> "Configuration":
        name = description["DeliveryStreamName"]
        compression = s3.get("CompressionFormat", "UNCOMPRESSED")
        if compression not in _EXTENSIONS:
            raise UnsupportedStreamError(
                f"Stream {name} asks for {compression} objects, whose framing AWS does not document; "
                "GZIP, ZIP and HADOOP_SNAPPY are supported here"
            )
        conversion = _conversion(name, s3.get("DataFormatConversionConfiguration"))
        partitioned = s3.get("DynamicPartitioningConfiguration", {}).get("Enabled", False)
        prefix = s3.get("Prefix", "")
        processor, delimiter = _processors(name, s3.get("ProcessingConfiguration", {}), prefix if partitioned else "")
        hints = s3.get("BufferingHints", {})
        size = int(hints.get("SizeInMBs", 5))
        if conversion and size < 64:  # less is refused by AWS: the hint was left out, and 5 is the other default
            size = 128
        configuration = cls(
            name=name,
            arn=description["DeliveryStreamARN"],
            version=description["VersionId"],
            created=description["CreateTimestamp"],
            encrypted=description.get("DeliveryStreamEncryptionConfiguration", {}).get("Status") == "ENABLED",
            source=_source(description),
            role=s3["RoleARN"],
            bucket=s3["BucketARN"].rpartition(":")[2],
            prefix=prefix if partitioned else prefixes.delivery_prefix(prefix),
            error_prefix=prefixes.error_prefix(prefix, s3.get("ErrorOutputPrefix", "")),
            zone=_zone(name, s3.get("CustomTimeZone") or "UTC"),
            extension=s3.get("FileExtension") or _default_extension(conversion, compression),
            compression=compression,
            delimiter=delimiter,
            hints=Hints(size * MIB, float(hints.get("IntervalInSeconds", 300))),
            processor=processor,
            conversion=conversion,
            backup=None,
        )
        keys = dict.fromkeys(processor.keys if processor else (), "")
        prefixes.evaluate(configuration.prefix, configuration.created, str, keys=keys)
        prefixes.evaluate(configuration.error_prefix, configuration.created, str, "processing-failed")
        return configuration


# The developer guide's page "s3-object-name" lists the default extensions.
_EXTENSIONS = {"UNCOMPRESSED": "", "GZIP": ".gz", "ZIP": ".zip", "HADOOP_SNAPPY": ".hsnappy"}


def _default_extension(conversion: Conversion | None, compression: str) -> str:
    if conversion is None:
        return _EXTENSIONS[compression]
    return ".orc" if conversion.orc_version else ".parquet"


def _zone(stream: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        raise UnsupportedStreamError(f"Stream {stream} names the time zone {name}, which is not known") from None


def _source(description: Mapping[str, Any]) -> KinesisSource | None:
    match description.get("DeliveryStreamType", "DirectPut"):
        case "DirectPut":
            return None
        case "KinesisStreamAsSource":
            described = description["Source"]["KinesisStreamSourceDescription"]
            return KinesisSource(described["KinesisStreamARN"], described["DeliveryStartTimestamp"])
        case other:
            raise UnsupportedStreamError(
                f"Stream {description['DeliveryStreamName']} is of the type {other}; "
                "DirectPut and KinesisStreamAsSource are supported here"
            )


def _backup(stream: Configuration, s3: Mapping[str, Any]) -> Configuration | None:
    """Return the source record backup: raw records in objects of its own ("create-configure-backup")."""
    if s3.get("S3BackupMode", "Disabled") != "Enabled":
        return None
    described = s3["S3BackupDescription"]
    description = {
        "DeliveryStreamName": stream.name,
        "DeliveryStreamARN": stream.arn,
        "VersionId": stream.version,
        "CreateTimestamp": stream.created,
    }
    return Configuration._read(description, described)


def _processors(stream: str, processing: Mapping[str, Any], prefix: str) -> tuple[Processing | None, bytes]:
    """Return what is done before and at delivery; `prefix` is empty unless records are partitioned by it."""
    delimiter = b""
    # Without a function nothing has to gather: a step takes what there is.
    steps = Processing(Hints(MIB, 0), keys=prefixes.partition_keys(prefix))
    idle = Processing(Hints(MIB, 0))
    for each in processing.get("Processors", []) if processing.get("Enabled") else []:
        given = {p["ParameterName"]: p["ParameterValue"] for p in each.get("Parameters", [])}
        match each["Type"]:
            case "Lambda":
                size, interval = given.get("BufferSizeInMBs", 1), given.get("BufferIntervalInSeconds", 60)
                hints = Hints(int(float(size) * MIB), float(interval))
                function = Function(given["LambdaArn"], int(given.get("NumberOfRetries", 3)))
                steps = replace(steps, hints=hints, function=function)
            case "AppendDelimiterToRecord":
                delimiter = given.get("Delimiter", "\\n").replace("\\n", "\n").encode()
            case "RecordDeAggregation":
                steps = replace(steps, deaggregation=_deaggregation(stream, given))
            case "MetadataExtraction":
                steps = replace(steps, query=Query.parse(given["MetadataExtractionQuery"]))
            case "Decompression":
                steps = replace(steps, decompression=True)
            case "CloudWatchLogProcessing":
                steps = replace(steps, messages=given.get("DataMessageExtraction", "false").lower() == "true")
            case other:
                raise UnsupportedStreamError(f"Stream {stream} has a {other} processor, which is not supported here")
    return (None if steps == idle else steps), delimiter


def _deaggregation(stream: str, given: Mapping[str, str]) -> bytes:
    if given.get("SubRecordType", "JSON") == "JSON":
        return b""
    try:
        return base64.b64decode(given["Delimiter"], validate=True)
    except (KeyError, binascii.Error):
        raise UnsupportedStreamError(
            f"Stream {stream} takes records apart at a delimiter, which must be given in base64"
        ) from None


def _conversion(stream: str, described: Mapping[str, Any] | None) -> Conversion | None:
    if not described or not described.get("Enabled", True):
        return None
    deserializer = described["InputFormatConfiguration"]["Deserializer"]
    serializer = described["OutputFormatConfiguration"]["Serializer"]
    openx, parquet, orc = deserializer.get("OpenXJsonSerDe"), serializer.get("ParquetSerDe"), serializer.get("OrcSerDe")
    if openx is None or (parquet is None) == (orc is None):
        raise UnsupportedStreamError(
            f"Stream {stream} converts with {', '.join([*deserializer, *serializer])}; "
            "OpenXJsonSerDe to either ParquetSerDe or OrcSerDe is supported here"
        )
    # Of ORC's other options, all are about the layout within the file (API_OrcSerDe).
    version = None if orc is None else orc.get("FormatVersion", "V0_12").removeprefix("V").replace("_", ".")
    return Conversion(
        schema=described["SchemaConfiguration"],
        orc_version=version,
        compression=(orc or parquet or {}).get("Compression", "SNAPPY"),
        dictionary=(parquet or {}).get("EnableDictionaryCompression", True),
        case_insensitive=openx.get("CaseInsensitive", True),
        dots_to_underscores=openx.get("ConvertDotsInJsonKeysToUnderscores", False),
        keys=openx.get("ColumnToJsonKeyMappings", {}),
    )
