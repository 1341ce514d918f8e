"""What is refused of a stream: the pages named at each rule, and the API reference's constraints."""

from typing import Any

import pytest

from tests.local_aws.firehose.samples import LAMBDA_ARN, PARQUET
from workshop.local_aws.firehose import rules
from workshop.local_aws.protocol import AwsError

ERRORS = "errors/!{firehose:error-output-type}/"
PARTITIONED: dict[str, Any] = {
    "Prefix": "!{partitionKeyFromLambda:site}/",
    "ErrorOutputPrefix": ERRORS,
    "DynamicPartitioningConfiguration": {"Enabled": True},
    "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
}


def processors(**kinds: dict[str, str]) -> dict[str, Any]:
    listed = [
        {"Type": kind, "Parameters": [{"ParameterName": n, "ParameterValue": v} for n, v in given.items()]}
        for kind, given in kinds.items()
    ]
    return {"ProcessingConfiguration": {"Enabled": True, "Processors": listed}}


SORTER = processors(Lambda={"LambdaArn": LAMBDA_ARN})


def query(text: str) -> dict[str, Any]:
    return processors(MetadataExtraction={"MetadataExtractionQuery": text, "JsonParsingEngine": "JQ-1.6"})


@pytest.mark.parametrize(
    "destination",
    [
        {},
        {"Prefix": "plain/"},
        {"Prefix": "", "ErrorOutputPrefix": "myFirehoseFailures/!{firehose:error-output-type}/"},
        {"Prefix": "!{timestamp:yyyy}/!{firehose:random-string}/", "ErrorOutputPrefix": ERRORS},
        {"Prefix": "!{timestamp:yyyy}/", "ErrorOutputPrefix": "plain-errors/"},
        {"DataFormatConversionConfiguration": PARQUET, "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 0}},
        {"DataFormatConversionConfiguration": {"Enabled": False}, "CompressionFormat": "GZIP"},
        PARTITIONED | SORTER,
        PARTITIONED | {"Prefix": "!{partitionKeyFromQuery:a}/"} | query("{a: .a}"),
        processors(Lambda={"LambdaArn": LAMBDA_ARN, "BufferSizeInMBs": "0.2", "NumberOfRetries": "0"}),
        processors(
            Decompression={"CompressionFormat": "GZIP"}, CloudWatchLogProcessing={"DataMessageExtraction": "true"}
        ),
    ],
)
def test_what_aws_allows_is_allowed(destination: dict[str, Any]) -> None:
    rules.check(destination)


@pytest.mark.parametrize(
    ("destination", "named"),
    [
        # s3-prefixes: the semantic rules, and the table of examples
        ({"Prefix": "!{timestamp:yyyy/MM/dd}"}, "ErrorOutputPrefix can't be null or empty"),
        ({"ErrorOutputPrefix": "e/!{timestamp:yyyy}/"}, "must contain !{firehose:error-output-type}"),
        ({"Prefix": ERRORS, "ErrorOutputPrefix": ERRORS}, "Prefix can't contain !{firehose:error-output-type}"),
        ({"Prefix": "!{time}/", "ErrorOutputPrefix": ERRORS}, "!{namespace:value}"),
        ({"Prefix": "!{clock:yyyy}/", "ErrorOutputPrefix": ERRORS}, "!{namespace:value}"),
        ({"Prefix": "a!{/", "ErrorOutputPrefix": ERRORS}, "!{namespace:value}"),
        # enable-record-format-conversion
        (
            {"DataFormatConversionConfiguration": PARQUET, "BufferingHints": {"SizeInMBs": 63, "IntervalInSeconds": 0}},
            "at least 64",
        ),
        ({"DataFormatConversionConfiguration": PARQUET, "CompressionFormat": "GZIP"}, "must be UNCOMPRESSED"),
        ({"DataFormatConversionConfiguration": {"Enabled": True}}, "SchemaConfiguration"),
        # dynamic-partitioning-*
        (PARTITIONED | SORTER | {"BufferingHints": {"SizeInMBs": 5, "IntervalInSeconds": 60}}, "at least 64"),
        (PARTITIONED | SORTER | {"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 0}}, "at least 60"),
        ({"BufferingHints": {"SizeInMBs": 5}}, "or neither"),
        ({"BufferingHints": {"IntervalInSeconds": 60}}, "or neither"),
        (PARTITIONED | SORTER | {"Prefix": "plain/"}, "must contain the partition keys"),
        (PARTITIONED | SORTER | {"ErrorOutputPrefix": ""}, "ErrorOutputPrefix can't be null or empty"),
        (PARTITIONED, "there is no Lambda processor"),
        (PARTITIONED | {"Prefix": "!{partitionKeyFromQuery:a}/"} | SORTER, "there is no MetadataExtraction"),
        (
            PARTITIONED | {"Prefix": "!{partitionKeyFromQuery:a}/"} | query("{a: .a, b: .b}"),
            "exactly the partition keys",
        ),
        (PARTITIONED | SORTER | {"DynamicPartitioningConfiguration": {"Enabled": False}}, "is not enabled"),
        (query("{a: .a}") | {"Prefix": "!{partitionKeyFromQuery:a}/", "ErrorOutputPrefix": ERRORS}, "is not enabled"),
        (processors(RecordDeAggregation={"SubRecordType": "JSON"}), "needs dynamic partitioning"),
        (
            {"ErrorOutputPrefix": "!{firehose:error-output-type}/!{partitionKeyFromLambda:a}/"},
            "can't contain partition",
        ),
        # API_ProcessorParameter and data-transformation
        (processors(Lambda={}), "LambdaArn"),
        (processors(Lambda={"LambdaArn": LAMBDA_ARN, "BufferSizeInMBs": "4"}), "between 0.2 and 3, not 4"),
        (processors(Lambda={"LambdaArn": LAMBDA_ARN, "BufferIntervalInSeconds": "901"}), "between 0 and 900"),
        (processors(Lambda={"LambdaArn": LAMBDA_ARN, "NumberOfRetries": "many"}), "NumberOfRetries"),
        (processors(CloudWatchLogProcessing={"DataMessageExtraction": "true"}), "needs a Decompression processor"),
        (processors(MetadataExtraction={"MetadataExtractionQuery": "{a}", "JsonParsingEngine": "JQ"}), "JQ-1.6"),
        (query(""), "MetadataExtractionQuery"),
        (
            {"ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord"}] * 2}},
            "Only one AppendDelimiterToRecord",
        ),
        ({"S3BackupMode": "Enabled"}, "S3BackupConfiguration"),
    ],
)
def test_what_aws_refuses_is_refused(destination: dict[str, Any], named: str) -> None:
    with pytest.raises(AwsError) as caught:
        rules.check(destination)
    assert caught.value.error_type == "InvalidArgumentException"
    assert named in caught.value.message


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ({}, PARTITIONED | SORTER, "cannot be enabled"),
        (PARTITIONED | SORTER, {"DynamicPartitioningConfiguration": {"Enabled": False}}, "cannot be disabled"),
        ({"S3BackupMode": "Enabled", "S3BackupConfiguration": {}}, {"S3BackupMode": "Disabled"}, "cannot be disabled"),
    ],
)
def test_what_an_update_cannot_change_is_refused(before: dict[str, Any], after: dict[str, Any], named: str) -> None:
    """dynamic-partitioning-enable; API_ExtendedS3DestinationUpdate."""
    with pytest.raises(AwsError, match=named):
        rules.check(after, before=before)
