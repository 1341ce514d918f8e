"""What AWS refuses of a destination beyond the constraints of its service model.

The developer guide's pages are named at each rule; how AWS words a refusal is known for some of them from users alone.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from workshop.local_aws.firehose import prefixes
from workshop.local_aws.firehose.extraction import Query
from workshop.local_aws.protocol import AwsError

_NAMESPACES = ("timestamp", "firehose", *(each.rstrip(":") for each in prefixes.PARTITION_NAMESPACES))
_ERROR_TYPE = "firehose:error-output-type"
# API_ProcessorParameter, and "data-transformation" for the hints.
_LAMBDA_RANGES = {"NumberOfRetries": (0, 300), "BufferSizeInMBs": (0.2, 3), "BufferIntervalInSeconds": (0, 900)}


def check(destination: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> None:
    """Refuse an ExtendedS3DestinationConfiguration that AWS would refuse; `before` is what it takes the place of.

    Raises AwsError, an InvalidArgumentException.
    """
    for problem in _problems(destination, before):
        raise AwsError("InvalidArgumentException", problem)


def _problems(destination: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[str]:
    partitioned = _enabled(destination.get("DynamicPartitioningConfiguration"), default=False)
    converted = _enabled(destination.get("DataFormatConversionConfiguration"), default=True)
    yield from _prefix_problems(destination, partitioned=partitioned)
    yield from _processor_problems(destination, partitioned=partitioned)
    size = destination.get("BufferingHints", {}).get("SizeInMBs")
    interval = destination.get("BufferingHints", {}).get("IntervalInSeconds")
    if (size is None) != (interval is None):
        # API_BufferingHints: "If you specify a value for one of these, you must provide a value for the other."
        yield "BufferingHints must have both SizeInMBs and IntervalInSeconds, or neither."
    if converted:
        # "enable-record-format-conversion": at least 64, and the conversion compresses.
        if size is not None and size < 64:
            yield "BufferingHints.SizeInMBs must be at least 64 when data format conversion is enabled."
        if destination.get("CompressionFormat", "UNCOMPRESSED") != "UNCOMPRESSED":
            yield "CompressionFormat must be UNCOMPRESSED when data format conversion is enabled."
        conversion = destination["DataFormatConversionConfiguration"]
        for part in ("SchemaConfiguration", "InputFormatConfiguration", "OutputFormatConfiguration"):
            if part not in conversion:
                yield f"{part} must be given when data format conversion is enabled."
    if partitioned:
        # "buffering" and API_BufferingHints.
        if size is not None and size < 64:
            yield "BufferingHints.SizeInMBs must be at least 64 when dynamic partitioning is enabled."
        if interval is not None and interval < 60:
            yield "BufferingHints.IntervalInSeconds must be at least 60 when dynamic partitioning is enabled."
    if destination.get("S3BackupMode") == "Enabled" and "S3BackupConfiguration" not in destination:
        yield "S3BackupConfiguration must be given when S3BackupMode is Enabled."
    if before is not None:
        was = _enabled(before.get("DynamicPartitioningConfiguration"), default=False)
        if was != partitioned:  # "dynamic-partitioning-enable"
            yield f"Dynamic partitioning cannot be {'disabled' if was else 'enabled'} on an existing Firehose stream."
        if before.get("S3BackupMode") == "Enabled" and destination.get("S3BackupMode") != "Enabled":
            yield "S3BackupMode cannot be disabled once it is enabled."  # API_ExtendedS3DestinationUpdate


def _enabled(part: Mapping[str, Any] | None, *, default: bool) -> bool:
    return bool(part) and bool((part or {}).get("Enabled", default))


def _prefix_problems(destination: Mapping[str, Any], *, partitioned: bool) -> Iterator[str]:
    """Apply the semantic rules of "s3-prefixes"."""
    prefix, error_prefix = destination.get("Prefix", ""), destination.get("ErrorOutputPrefix", "")
    for field, value in (("Prefix", prefix), ("ErrorOutputPrefix", error_prefix)):
        if value.count("!{") != len(prefixes.expressions(value)) or any(
            each.partition(":")[0] not in _NAMESPACES for each in prefixes.expressions(value)
        ):
            yield f"{field} {value} is not valid: an expression has the form !{{namespace:value}}."
    expressions, in_errors = prefixes.expressions(prefix), prefixes.expressions(error_prefix)
    if expressions and not error_prefix:
        yield "ErrorOutputPrefix can't be null or empty when Prefix contains expressions."
    if in_errors and _ERROR_TYPE not in in_errors:
        yield f"ErrorOutputPrefix must contain !{{{_ERROR_TYPE}}} when it contains expressions."
    if _ERROR_TYPE in expressions:
        yield f"Prefix can't contain !{{{_ERROR_TYPE}}}."
    if prefixes.partition_keys(error_prefix):
        yield "ErrorOutputPrefix can't contain partition keys."
    keys = prefixes.partition_keys(prefix)
    if keys and not partitioned:
        yield "Prefix can't contain partition keys when dynamic partitioning is not enabled."
    if partitioned and not keys:  # "dynamic-partitioning-s3bucketprefix"
        yield "Prefix must contain the partition keys when dynamic partitioning is enabled."


def _processor_problems(destination: Mapping[str, Any], *, partitioned: bool) -> Iterator[str]:
    processing = destination.get("ProcessingConfiguration", {})
    processors = processing.get("Processors", []) if processing.get("Enabled") else []
    given = {
        each["Type"]: {p["ParameterName"]: p["ParameterValue"] for p in each.get("Parameters", [])}
        for each in processors
    }
    for kind in given:
        if sum(each["Type"] == kind for each in processors) > 1:
            yield f"Only one {kind} processor is allowed."
    keys = prefixes.partition_keys(destination.get("Prefix", ""))
    from_query = {each.removeprefix(prefixes.FROM_QUERY) for each in keys if each.startswith(prefixes.FROM_QUERY)}
    from_function = [each for each in keys if each.startswith(prefixes.FROM_LAMBDA)]
    if "Lambda" in given:
        if not given["Lambda"].get("LambdaArn"):
            yield "The Lambda processor needs the parameter LambdaArn."
        for name, (low, high) in _LAMBDA_RANGES.items():
            value = given["Lambda"].get(name)
            if value is not None and not (re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) and low <= float(value) <= high):
                yield f"The parameter {name} of the Lambda processor must be between {low} and {high}, not {value}."
    elif from_function:
        yield "Prefix takes partition keys from Lambda, and there is no Lambda processor."
    if "MetadataExtraction" in given:
        query = given["MetadataExtraction"].get("MetadataExtractionQuery", "")
        if given["MetadataExtraction"].get("JsonParsingEngine") != "JQ-1.6":
            yield "The parameter JsonParsingEngine of the MetadataExtraction processor must be JQ-1.6."
        # "dynamic-partitioning-partitioning-keys": every key has to be used.
        if not query:
            yield "The MetadataExtraction processor needs the parameter MetadataExtractionQuery."
        elif (known := set(Query.parse(query).keys)) != from_query:
            yield f"Prefix must use exactly the partition keys of the query: {', '.join(sorted(known))}."
    elif from_query:
        yield "Prefix takes partition keys from a query, and there is no MetadataExtraction processor."
    for kind in ("MetadataExtraction", "RecordDeAggregation"):
        if kind in given and not partitioned:
            yield f"The {kind} processor needs dynamic partitioning."
    if "CloudWatchLogProcessing" in given and "Decompression" not in given:
        yield "The CloudWatchLogProcessing processor needs a Decompression processor."
