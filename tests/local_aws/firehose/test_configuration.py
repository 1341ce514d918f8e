"""What a description asks for: /firehose/latest/APIReference/API_ExtendedS3DestinationDescription.html."""

from typing import Any

import pytest

from tests.local_aws.firehose.samples import LAMBDA_ARN, PARQUET, configuration, description, processing
from workshop.local_aws.firehose.configuration import MIB, Configuration, Function, Hints, UnsupportedStreamError


def test_a_lambda_processor_gathers_one_megabyte_or_a_minute_and_is_retried_three_times() -> None:
    """API_ProcessorParameter: the defaults."""
    processor = configuration(ProcessingConfiguration=processing()).processor
    assert processor is not None
    assert (processor.function, processor.hints) == (Function(LAMBDA_ARN, 3), Hints(MIB, 60))


def test_a_lambda_processor_takes_its_own_hints_and_retries() -> None:
    given = processing(BufferSizeInMBs="0.5", BufferIntervalInSeconds="10", NumberOfRetries="1")
    processor = configuration(ProcessingConfiguration=given).processor
    assert processor is not None
    assert (processor.function, processor.hints) == (Function(LAMBDA_ARN, 1), Hints(MIB // 2, 10))


def test_a_processor_that_is_switched_off_does_not_process() -> None:
    assert configuration(ProcessingConfiguration=processing() | {"Enabled": False}).processor is None


def test_conversion_buffers_128_mib_when_no_size_is_given() -> None:
    """record-format-conversion: "the value becomes 128 when you enable it", and less than 64 cannot be set."""
    assert configuration(DataFormatConversionConfiguration=PARQUET).hints.size == 128 * MIB
    given = {"SizeInMBs": 64, "IntervalInSeconds": 60}
    assert configuration(DataFormatConversionConfiguration=PARQUET, BufferingHints=given).hints == Hints(64 * MIB, 60)


@pytest.mark.parametrize(
    ("destination", "extension"),
    [
        ({}, ""),
        ({"CompressionFormat": "GZIP"}, ".gz"),
        ({"CompressionFormat": "ZIP"}, ".zip"),
        ({"CompressionFormat": "HADOOP_SNAPPY"}, ".hsnappy"),
        ({"DataFormatConversionConfiguration": PARQUET}, ".parquet"),
        (
            {
                "DataFormatConversionConfiguration": PARQUET
                | {"OutputFormatConfiguration": {"Serializer": {"OrcSerDe": {}}}}
            },
            ".orc",
        ),
        ({"CompressionFormat": "GZIP", "FileExtension": ".json.gz"}, ".json.gz"),
    ],
)
def test_the_file_extension_follows_the_configuration_unless_it_is_given(
    destination: dict[str, Any], extension: str
) -> None:
    """s3-object-name: the table of default extensions."""
    assert configuration(**destination).extension == extension


@pytest.mark.parametrize(
    ("destination", "named"),
    [
        ({"CompressionFormat": "Snappy"}, "Snappy"),
        ({"CustomTimeZone": "Mars/Base"}, "Mars/Base"),
        ({"ProcessingConfiguration": {"Enabled": True, "Processors": [{"Type": "Telepathy"}]}}, "Telepathy"),
        ({"Prefix": "!{partitionKeyFromQuery:store}/"}, "partitionKeyFromQuery"),
        (
            {
                "DataFormatConversionConfiguration": PARQUET
                | {"InputFormatConfiguration": {"Deserializer": {"HiveJsonSerDe": {}}}}
            },
            "HiveJsonSerDe",
        ),
    ],
)
def test_what_is_not_done_is_refused_by_name(destination: dict[str, Any], named: str) -> None:
    with pytest.raises(UnsupportedStreamError, match=named):
        configuration(**destination)


def test_a_destination_other_than_s3_is_refused() -> None:
    described = description() | {"Destinations": [{"HttpEndpointDestinationDescription": {}}]}
    with pytest.raises(UnsupportedStreamError, match="S3"):
        Configuration.read(described)
