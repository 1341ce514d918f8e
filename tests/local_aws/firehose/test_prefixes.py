"""Prefix expressions: the developer guide's page /firehose/latest/dev/s3-prefixes.html."""

from datetime import UTC, datetime

import pytest

from tests.local_aws.firehose.samples import ids
from workshop.local_aws.firehose import prefixes
from workshop.local_aws.firehose.prefixes import UnsupportedExpressionError, evaluate

AT = datetime(2018, 8, 7, 9, 5, 3, 120_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("yyyy/MM/dd/HH/", "2018/08/07/09/"),
        ("'year='yyyy'/month='MM'/day='dd'/hour='HH", "year=2018/month=08/day=07/hour=09"),
        ("yyyy-MM-dd'T'HH:mm:ss.SSS", "2018-08-07T09:05:03.120"),
        ("yy M d H m s", "18 8 7 9 5 3"),
        ("EEE EEEE MMM MMMM D h a", "Tue Tuesday Aug August 219 9 AM"),
        ("yyyy''MM", "2018'08"),
    ],
)
def test_the_timestamp_namespace_takes_java_patterns(pattern: str, text: str) -> None:
    assert evaluate(f"!{{timestamp:{pattern}}}", AT, str) == text


def test_a_letter_that_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedExpressionError, match="letter Y"):
        evaluate("!{timestamp:YYYY}", AT, str)


def test_every_random_string_is_a_new_one() -> None:
    new_id = ids()
    first, second = evaluate("!{firehose:random-string}/!{firehose:random-string}", AT, new_id).split("/")
    assert first != second


def test_the_error_output_type_stands_in_error_prefixes_alone() -> None:
    assert evaluate("e/!{firehose:error-output-type}/", AT, str, "processing-failed") == "e/processing-failed/"
    with pytest.raises(UnsupportedExpressionError):
        evaluate("e/!{firehose:error-output-type}/", AT, str)


def test_a_prefix_without_a_timestamp_gets_the_default_one() -> None:
    assert evaluate(prefixes.delivery_prefix("lake/"), AT, str) == "lake/2018/08/07/09/"
    assert prefixes.delivery_prefix("dt=!{timestamp:yyyy}/") == "dt=!{timestamp:yyyy}/"


def test_without_an_error_output_prefix_failures_go_below_the_prefix() -> None:
    prefix = prefixes.error_prefix("lake/", "")
    assert evaluate(prefix, AT, str, "processing-failed") == "lake/processing-failed/2018/08/07/09/"


def test_an_error_output_prefix_gets_no_timestamp() -> None:
    """The page's first example."""
    prefix = prefixes.error_prefix("", "myFirehoseFailures/!{firehose:error-output-type}/")
    assert evaluate(prefix, AT, str, "processing-failed") == "myFirehoseFailures/processing-failed/"


def test_partition_keys_are_values_that_a_record_brings() -> None:
    keys = {"partitionKeyFromLambda:site": "shop", "partitionKeyFromQuery:day": "7"}
    prefix = "!{partitionKeyFromLambda:site}/!{partitionKeyFromQuery:day}/!{timestamp:yyyy}/"
    assert prefixes.partition_keys(prefix) == tuple(keys)
    assert evaluate(prefix, AT, str, keys=keys) == "shop/7/2018/"
    with pytest.raises(UnsupportedExpressionError, match="partitionKeyFromQuery:day"):
        evaluate(prefix, AT, str, keys={"partitionKeyFromLambda:site": "shop"})
