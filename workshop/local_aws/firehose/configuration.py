"""What a delivery stream was deployed to do, read from DescribeDeliveryStream."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from workshop.local_aws.firehose import prefixes

MIB = 1 << 20


class UnsupportedStreamError(Exception):
    """A delivery stream asks for something that is not done here; the message names it."""


@dataclass(frozen=True, slots=True)
class Hints:
    """How much (bytes) and how long (seconds) to gather, whichever comes first."""

    size: int
    interval: float


@dataclass(frozen=True, slots=True)
class LambdaProcessor:
    """The function that transforms records, how records gather for it, and how often a failed call is repeated."""

    arn: str
    hints: Hints
    retries: int


@dataclass(frozen=True, slots=True)
class Conversion:
    """JSON to Parquet with the columns of a Glue table, under the options of the OpenX JSON SerDe."""

    schema: Mapping[str, str]
    """The SchemaConfiguration as described: DatabaseName, TableName and, where given, CatalogId, Region, VersionId."""
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
    bucket: str
    prefix: str
    error_prefix: str
    zone: ZoneInfo
    extension: str
    compression: str
    delimiter: bytes
    hints: Hints
    processor: LambdaProcessor | None
    conversion: Conversion | None

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
        for absent, what in (
            (s3.get("DynamicPartitioningConfiguration", {}).get("Enabled"), "dynamic partitioning"),
            (s3.get("S3BackupMode", "Disabled") != "Disabled", "source record backup"),
            (s3.get("CompressionFormat", "UNCOMPRESSED") not in _EXTENSIONS, f"{s3.get('CompressionFormat')} objects"),
        ):
            if absent:
                raise UnsupportedStreamError(f"Stream {name} asks for {what}, which is not supported here")
        conversion = _conversion(name, s3.get("DataFormatConversionConfiguration"))
        processor, delimiter = _processors(name, s3.get("ProcessingConfiguration", {}))
        compression = s3.get("CompressionFormat", "UNCOMPRESSED")
        hints = s3.get("BufferingHints", {})
        size = int(hints.get("SizeInMBs", 5))
        if conversion and size < 64:  # less is refused by AWS: the hint was left out, and 5 is the other default
            size = 128
        prefix = s3.get("Prefix", "")
        configuration = cls(
            name=name,
            arn=description["DeliveryStreamARN"],
            version=description["VersionId"],
            created=description["CreateTimestamp"],
            encrypted=description.get("DeliveryStreamEncryptionConfiguration", {}).get("Status") == "ENABLED",
            bucket=s3["BucketARN"].rpartition(":")[2],
            prefix=prefixes.delivery_prefix(prefix),
            error_prefix=prefixes.error_prefix(prefix, s3.get("ErrorOutputPrefix", "")),
            zone=ZoneInfo(s3.get("CustomTimeZone") or "UTC"),
            extension=s3.get("FileExtension") or (".parquet" if conversion else _EXTENSIONS[compression]),
            compression=compression,
            delimiter=delimiter,
            hints=Hints(size * MIB, float(hints.get("IntervalInSeconds", 300))),
            processor=processor,
            conversion=conversion,
        )
        try:
            prefixes.evaluate(configuration.prefix, configuration.created, str)
            prefixes.evaluate(configuration.error_prefix, configuration.created, str, "processing-failed")
        except prefixes.UnsupportedExpressionError as error:
            raise UnsupportedStreamError(f"Stream {name}: {error}") from error
        return configuration


# The developer guide's page "s3-object-name" lists the default extensions.
_EXTENSIONS = {"UNCOMPRESSED": "", "GZIP": ".gz"}


def _processors(stream: str, processing: Mapping[str, Any]) -> tuple[LambdaProcessor | None, bytes]:
    processor, delimiter = None, b""
    for each in processing.get("Processors", []) if processing.get("Enabled") else []:
        given = {p["ParameterName"]: p["ParameterValue"] for p in each.get("Parameters", [])}
        if each["Type"] == "Lambda":
            hints = Hints(
                int(float(given.get("BufferSizeInMBs", 1)) * MIB), float(given.get("BufferIntervalInSeconds", 60))
            )
            processor = LambdaProcessor(given["LambdaArn"], hints, int(given.get("NumberOfRetries", 3)))
        elif each["Type"] == "AppendDelimiterToRecord":
            delimiter = given.get("Delimiter", "\\n").replace("\\n", "\n").encode()
        else:
            raise UnsupportedStreamError(f"Stream {stream} has a {each['Type']} processor, which is not supported here")
    return processor, delimiter


def _conversion(stream: str, described: Mapping[str, Any] | None) -> Conversion | None:
    if not described or not described.get("Enabled", True):
        return None
    deserializer = described["InputFormatConfiguration"]["Deserializer"]
    serializer = described["OutputFormatConfiguration"]["Serializer"]
    if "OpenXJsonSerDe" not in deserializer or "ParquetSerDe" not in serializer:
        raise UnsupportedStreamError(
            f"Stream {stream} converts with {', '.join([*deserializer, *serializer])}; "
            "only OpenXJsonSerDe to ParquetSerDe is supported here"
        )
    openx, parquet = deserializer["OpenXJsonSerDe"], serializer["ParquetSerDe"]
    return Conversion(
        schema=described["SchemaConfiguration"],
        compression=parquet.get("Compression", "SNAPPY"),
        dictionary=parquet.get("EnableDictionaryCompression", True),
        case_insensitive=openx.get("CaseInsensitive", True),
        dots_to_underscores=openx.get("ConvertDotsInJsonKeysToUnderscores", False),
        keys=openx.get("ColumnToJsonKeyMappings", {}),
    )
