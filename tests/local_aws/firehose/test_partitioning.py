"""Dynamic partitioning: the pages dynamic-partitioning-*.html and buffering.html of /firehose/latest/dev/."""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.local_aws.firehose.samples import ARRIVED, COLUMNS, LAMBDA_ARN, Bucket, configuration, ids, records
from workshop.local_aws.firehose.configuration import Configuration, Hints
from workshop.local_aws.firehose.destination import PARTITIONS_LIMIT, PROCESSING_FAILED, Destination
from workshop.local_aws.firehose.extraction import ExtractionError, Query, UnsupportedQueryError
from workshop.local_aws.firehose.processor import PARTS_LIMIT, Processor, Transformed
from workshop.local_aws.firehose.records import Record

NO_KEYS = "DynamicPartitioning.MetadataExtractionFailed"
# The record of the page dynamic-partitioning-partitioning-keys.html.
CLICK = b"""{"type": {"device": "mobile", "event": "user_clicked_submit_button"},
 "customer_id": "1234567890", "event_timestamp": 1565382027, "region": "sample_region"}"""


def processor(kind: str, **parameters: str) -> dict[str, Any]:
    listed = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    return {"Type": kind, "Parameters": listed}


FUNCTION = processor("Lambda", LambdaArn=LAMBDA_ARN)


def partitioned(prefix: str, *processors: dict[str, Any], **destination: Any) -> Configuration:
    return configuration(
        Prefix=prefix,
        ErrorOutputPrefix="errors/!{firehose:error-output-type}/",
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration={"Enabled": True, "Processors": list(processors)},
        **destination,
    )


def transform(
    stream: Configuration, batch: list[Record], function: Callable[[dict[str, Any]], dict[str, Any]] | None = None
) -> Transformed:
    def invoke(arn: str, payload: bytes) -> bytes:
        assert arn == LAMBDA_ARN
        assert function is not None
        return json.dumps({"records": [function(each) for each in json.loads(payload)["records"]]}).encode()

    assert stream.processor
    return Processor(invoke, lambda _: None, ids()).transform(stream, stream.processor, batch)


def through(
    stream: Configuration, batch: list[Record], function: Callable[[dict[str, Any]], dict[str, Any]] | None = None
) -> Bucket:
    """Process and deliver a batch."""
    bucket = Bucket()
    destination = destination_of(bucket)
    transformed = transform(stream, batch, function)
    if transformed.failures:
        destination.fail(stream, PROCESSING_FAILED, transformed.failures)
    if transformed.records:
        destination.deliver(stream, transformed.records)
    return bucket


def destination_of(bucket: Bucket) -> Destination:
    return Destination(bucket.put, lambda *_: COLUMNS, lambda: ARRIVED, ids())


def with_keys(record: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """Answer for a record as the example function of dynamic-partitioning-partitioning-keys.html does."""
    return {
        "recordId": record["recordId"],
        "data": record["data"],
        "result": "Ok",
        "metadata": {"partitionKeys": keys},
    }


def site(record: dict[str, Any]) -> dict[str, Any]:
    return with_keys(record, site=base64.b64decode(record["data"]).decode()[0])


def test_records_of_one_partition_share_an_object_below_its_evaluated_prefix() -> None:
    """dynamic-partitioning-s3bucketprefix: its example's key has no default time."""
    stream = partitioned("by/site=!{partitionKeyFromLambda:site}/", FUNCTION)
    bucket = through(stream, records(b"a1", b"b1", b"a2"), site)
    assert bucket.below("by/site=a/events-1-2026-11-20-12-34-56-") == [b"a1a2"]
    assert bucket.below("by/site=b/events-1-2026-11-20-12-34-56-") == [b"b1"]
    assert len(bucket.objects) == 2


def test_a_prefix_may_mix_keys_and_times() -> None:
    """s3-prefixes: the timestamp of the oldest record that is in the object."""
    stream = partitioned("!{partitionKeyFromLambda:site}/!{timestamp:yyyy/MM/dd}/", FUNCTION)
    batch = [Record("later", b"a1", ARRIVED + 86_400), *records(b"b1")]
    bucket = through(stream, batch, site)
    assert bucket.below("a/2026/11/21/") == [b"a1"]
    assert bucket.below("b/2026/11/20/") == [b"b1"]


def test_a_partition_is_delimited_and_compressed_like_any_object() -> None:
    """dynamic-partitioning-new-line-delimiter."""
    stream = partitioned(
        "!{partitionKeyFromLambda:site}/", FUNCTION, processor("AppendDelimiterToRecord"), CompressionFormat="GZIP"
    )
    bucket = through(stream, records(b"a1", b"a2"), site)
    assert [gzip.decompress(body) for body in bucket.below("a/")] == [b"a1\na2\n"]


@pytest.mark.parametrize("keys", [{}, {"site": ""}, {"site": None}, {"other": "x"}])
def test_a_record_without_its_keys_goes_to_the_error_prefix(keys: dict[str, Any]) -> None:
    """dynamic-partitioning-error-handling; the code is that of users' error objects."""
    stream = partitioned("!{partitionKeyFromLambda:site}/", FUNCTION)
    bucket = through(stream, records(b"a1"), lambda record: with_keys(record, **keys))
    [envelope] = bucket.envelopes("errors/processing-failed/")
    assert envelope["errorCode"] == NO_KEYS
    assert "site" in envelope["errorMessage"]
    assert base64.b64decode(envelope["rawData"]) == b"a1"
    assert len(bucket.objects) == 1


def test_the_rest_of_the_records_beyond_500_active_partitions_goes_to_the_error_prefix() -> None:
    """buffering: "(activePartitionExceeded)"."""
    stream = partitioned("!{partitionKeyFromLambda:n}/", FUNCTION)
    batch = [*records(*(b"%d" % n for n in range(PARTITIONS_LIMIT + 2))), Record("again", b"0", ARRIVED)]
    bucket = through(stream, batch, lambda each: with_keys(each, n=base64.b64decode(each["data"]).decode()))
    assert bucket.below("0/") == [b"00"]
    assert bucket.below("499/") == [b"499"]
    assert bucket.below("500/") == []
    lost = bucket.envelopes("errors/activePartitionExceeded/")
    assert sorted(base64.b64decode(each["rawData"]) for each in lost) == [b"500", b"501"]


def test_what_has_no_function_does_not_wait_for_one() -> None:
    """dynamic-partitioning-multirecord-deaggergation: inline parsing needs no function."""
    query = processor("MetadataExtraction", MetadataExtractionQuery="{id: .customer_id}", JsonParsingEngine="JQ-1.6")
    stream = partitioned("!{partitionKeyFromQuery:id}/", query)
    assert stream.processor
    assert stream.processor.hints.interval == 0
    assert stream.hints == Hints(5 << 20, 300)
    assert through(stream, records(CLICK)).below("1234567890/") == [CLICK]


def test_the_query_sees_what_the_function_returned() -> None:
    """dynamic-partitioning-multirecord-deaggergation: deaggregation, then the function, then partition keys."""

    def rename(record: dict[str, Any]) -> dict[str, Any]:
        data = json.dumps({"id": json.loads(base64.b64decode(record["data"]))["n"]}).encode()
        return with_keys(record, half="left") | {"data": base64.b64encode(data).decode()}

    stream = partitioned(
        "!{partitionKeyFromLambda:half}/!{partitionKeyFromQuery:id}/",
        processor("MetadataExtraction", MetadataExtractionQuery="{id}", JsonParsingEngine="JQ-1.6"),
        FUNCTION,
        processor("RecordDeAggregation", SubRecordType="JSON"),
    )
    bucket = through(stream, records(b'{"n":"a"}{"n":"b"}\n{"n":"a"}'), rename)
    assert bucket.below("left/a/") == [b'{"id": "a"}{"id": "a"}']
    assert bucket.below("left/b/") == [b'{"id": "b"}']


def apart(data: bytes, **parameters: str) -> Transformed:
    stream = configuration(
        ProcessingConfiguration={"Enabled": True, "Processors": [processor("RecordDeAggregation", **parameters)]}
    )
    return transform(stream, records(data))


def test_records_are_taken_apart_at_json_objects() -> None:
    """The page's examples of correct input."""
    for data in (b'{"a":1}{"a":2}', b'{"a":1}\n{"a":2}', b' {"a":1} \n\n{"a":2}\n'):
        result = apart(data, SubRecordType="JSON")
        assert [each.data for each in result.records] == [b'{"a":1}', b'{"a":2}']
        assert len({each.id for each in result.records}) == 2
        assert result.failures == []


@pytest.mark.parametrize("data", [b'[{"a":1}, {"a":2}]', b'{"a":1', b"", b" \n", b"7", b"\xff", b'{"a":1},{"a":2}'])
def test_what_is_not_a_sequence_of_json_objects_is_not_taken_apart(data: bytes) -> None:
    """The page's example of incorrect input, and others: nothing of it may vanish."""
    result = apart(data, SubRecordType="JSON")
    assert result.records == []
    assert [(each.code, each.data) for each in result.failures] == [(NO_KEYS, data)]


def test_records_are_taken_apart_at_a_delimiter_that_is_given_in_base64() -> None:
    """The page's example: #### is IyMjIw==."""
    result = apart(b"a####b####", SubRecordType="DELIMITED", Delimiter="IyMjIw==")
    assert [each.data for each in result.records] == [b"a", b"b"]


def test_a_record_is_taken_apart_into_500_at_most() -> None:
    assert len(apart(b"{}" * PARTS_LIMIT, SubRecordType="JSON").records) == PARTS_LIMIT
    assert len(apart(b"{}" * (PARTS_LIMIT + 1), SubRecordType="JSON").failures) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{customer_id: .customer_id}", {"customer_id": "1234567890"}),
        ("{device:.type.device}", {"device": "mobile"}),
        ('{year: .event_timestamp| strftime("%Y")}', {"year": "2019"}),
        (
            '{"month":.event_timestamp|strftime("%m"),"day":.event_timestamp|strftime("%d"),hour:.event_timestamp'
            '|strftime("%H")}',
            {"month": "08", "day": "09", "hour": "20"},
        ),
        ("{region}", {"region": "sample_region"}),
        ('{d: .type["device"], e: ."region"}', {"d": "mobile", "e": "sample_region"}),
        ("{at: .event_timestamp}", {"at": "1565382027"}),
    ],
)
def test_a_query_gives_the_values_of_the_pages_example(query: str, expected: dict[str, str]) -> None:
    """dynamic-partitioning-partitioning-keys: the table of parameters and jq expressions."""
    assert Query.parse(query).evaluate(CLICK) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [("1", "1"), ("1.50", "1.5"), ("2.0", "2"), ("true", "true"), ('"a b"', "a b"), ("-7", "-7")]
)
def test_a_value_becomes_the_text_that_jq_writes(value: str, expected: str) -> None:
    assert Query.parse("{v: .v}").evaluate(f'{{"v": {value}}}'.encode()) == {"v": expected}
    assert Query.parse("{v: .[0]}").evaluate(f"[{value}]".encode()) == {"v": expected}


@pytest.mark.parametrize("value", ["10000000000000000", "null", '""', "{}", "[1]", "1e300", "0.00000001"])
def test_what_is_no_partition_value_is_refused(value: str) -> None:
    with pytest.raises(ExtractionError):
        Query.parse("{v: .v}").evaluate(f'{{"v": {value}}}'.encode())


@pytest.mark.parametrize(
    "document", [b"", b"no json", b'{"a":1}{"a":2}', b"[]", b"3", b'{"a":{"b":[1]}}', b'{"a":"x"}']
)
def test_a_record_that_does_not_have_the_path_is_refused(document: bytes) -> None:
    with pytest.raises(ExtractionError):
        Query.parse("{v: .a.b.c}").evaluate(document)


@pytest.mark.parametrize(
    "query",
    [
        *("", "{}", ".a", "{a: .a", "{a: .a,}", "{a: .a b: .b}", "{a: .a + .b}", '{a: "x"}', "{a: .a[]}", "{(.a): .b}"),
        *("{a: .a // .b}", "{a: .a|ascii_downcase}", '{a: .a|strftime("%A")}', "{a: .a[0:2]}", "{a: .a?}", "{a: .}"),
        *('{"a\\(.b)": .a}', "[.a]", "{a: .a}|.b"),
    ],
)
def test_any_other_jq_is_refused_by_name(query: str) -> None:
    with pytest.raises(UnsupportedQueryError, match="outside of the jq that is evaluated here"):
        Query.parse(query)


@given(document=st.dictionaries(st.sampled_from("ab"), st.text() | st.integers() | st.none()))
def test_keys_are_texts_or_the_record_is_refused(document: dict[str, Any]) -> None:
    try:
        found = Query.parse("{a, b: .b}").evaluate(json.dumps(document).encode())
    except ExtractionError:
        assert any(document.get(key) in (None, "") or isinstance(document[key], int) for key in "ab")
    else:
        assert found == {key: str(document[key]) for key in "ab"}
