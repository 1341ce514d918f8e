"""Streams that anybody may deploy, over HTTP: by the API and by CloudFormation, from Kinesis and by direct put."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import eventually
from tests.local_aws.conftest import served
from workshop.local_aws.clients import client

ROLE = "arn:aws:iam::000000000000:role/firehose"
ERRORS = "errors/!{firehose:error-output-type}/"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("streams"), interval_factor=0.001) as endpoint:
        client("s3", endpoint).create_bucket(Bucket="lake")
        yield endpoint


def to(prefix: str, **given: Any) -> dict[str, Any]:
    return {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake", "Prefix": prefix, **given}


def create(endpoint: str, name: str, destination: dict[str, Any], **given: Any) -> None:
    client("firehose", endpoint).create_delivery_stream(
        DeliveryStreamName=name, ExtendedS3DestinationConfiguration=destination, **given
    )


def describe(endpoint: str, name: str) -> dict[str, Any]:
    answer = client("firehose", endpoint).describe_delivery_stream(DeliveryStreamName=name)
    description: dict[str, Any] = answer["DeliveryStreamDescription"]
    return description


def extended(endpoint: str, name: str) -> dict[str, Any]:
    described: dict[str, Any] = describe(endpoint, name)["Destinations"][0]["ExtendedS3DestinationDescription"]
    return described


def objects(endpoint: str, prefix: str) -> dict[str, bytes]:
    s3 = client("s3", endpoint)
    found = s3.list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])
    return {each["Key"]: s3.get_object(Bucket="lake", Key=each["Key"])["Body"].read() for each in found}


def refused(call: Any, **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_stream_is_described_with_all_that_was_configured(endpoint: str) -> None:
    """API_ExtendedS3DestinationDescription."""
    given = to(
        "d/",
        FileExtension=".log",
        CustomTimeZone="Asia/Tokyo",
        BufferingHints={"SizeInMBs": 7, "IntervalInSeconds": 70},
    )
    create(endpoint, "described", given)
    described = extended(endpoint, "described")
    assert described["FileExtension"] == ".log"
    assert described["CustomTimeZone"] == "Asia/Tokyo"
    assert described["BufferingHints"] == {"SizeInMBs": 7, "IntervalInSeconds": 70}
    assert described["EncryptionConfiguration"] == {"NoEncryptionConfig": "NoEncryption"}
    destination = describe(endpoint, "described")["Destinations"][0]
    assert destination["S3DestinationDescription"]["Prefix"] == "d/"


def test_a_stream_of_the_older_form_is_delivered_and_updated_in_the_newer_one(endpoint: str) -> None:
    """API_CreateDeliveryStream: S3DestinationConfiguration. API_UpdateDestination: what is not given stays."""
    firehose = client("firehose", endpoint)
    firehose.create_delivery_stream(DeliveryStreamName="older", S3DestinationConfiguration=to("older/"))
    firehose.put_record(DeliveryStreamName="older", Record={"Data": b"a"})
    eventually(lambda: list(objects(endpoint, "older/").values()) == [b"a"], within=30)
    described = describe(endpoint, "older")
    update = {
        "DeliveryStreamName": "older",
        "CurrentDeliveryStreamVersionId": described["VersionId"],
        "DestinationId": described["Destinations"][0]["DestinationId"],
        "ExtendedS3DestinationUpdate": {"Prefix": "newer/", "CompressionFormat": "ZIP"},
    }
    firehose.update_destination(**update)
    assert refused(firehose.update_destination, **update)[0] == "ConcurrentModificationException"
    assert describe(endpoint, "older")["VersionId"] == "2"
    assert extended(endpoint, "older")["BucketARN"] == "arn:aws:s3:::lake"
    eventually(lambda: firehose.put_record(DeliveryStreamName="older", Record={"Data": b"b"}), within=30)
    ((key, body),) = eventually(lambda: objects(endpoint, "newer/"), within=30).items()
    assert "/older-2-" in key
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.read(archive.namelist()[0]).startswith(b"b")


def test_a_stream_that_aws_refuses_is_refused_at_creation(endpoint: str) -> None:
    firehose = client("firehose", endpoint)
    kind, message = refused(
        firehose.create_delivery_stream,
        DeliveryStreamName="wrong",
        ExtendedS3DestinationConfiguration=to("!{timestamp:yyyy}/"),
    )
    assert (kind, "ErrorOutputPrefix" in message) == ("InvalidArgumentException", True)
    kind, message = refused(
        firehose.create_delivery_stream,
        DeliveryStreamName="wrong",
        ExtendedS3DestinationConfiguration=to("", BufferingHints={"SizeInMBs": 129, "IntervalInSeconds": 60}),
    )
    assert kind == "ValidationException"
    assert (
        "Value '129' at 'extendedS3DestinationConfiguration.bufferingHints.sizeInMBs' failed to satisfy constraint: "
        "Member must have value less than or equal to 128" in message
    )
    assert "wrong" not in firehose.list_delivery_streams(Limit=100)["DeliveryStreamNames"]


def test_what_is_not_done_here_is_refused_by_name_at_creation(endpoint: str) -> None:
    firehose = client("firehose", endpoint)
    for destination, named in (
        ({"ExtendedS3DestinationConfiguration": to("", CompressionFormat="Snappy")}, "Snappy"),
        (
            {
                "HttpEndpointDestinationConfiguration": {
                    "EndpointConfiguration": {"Url": "https://example.com"},
                    "S3Configuration": to(""),
                }
            },
            "only S3",
        ),
    ):
        kind, message = refused(firehose.create_delivery_stream, DeliveryStreamName="undone", **destination)
        assert (kind, named in message) == ("InvalidArgumentException", True), message


def stack(endpoint: str, **destination: Any) -> dict[str, Any]:
    """Create or update a stack with one stream, as CloudFormation takes it; return it when it has come to rest."""
    cloudformation = client("cloudformation", endpoint)
    resource = {
        "Type": "AWS::KinesisFirehose::DeliveryStream",
        "Properties": {"DeliveryStreamName": "templated", "ExtendedS3DestinationConfiguration": destination},
    }
    body = json.dumps({"Resources": {"Stream": resource}})
    try:
        cloudformation.update_stack(StackName="streams", TemplateBody=body)
    except ClientError:
        cloudformation.create_stack(StackName="streams", TemplateBody=body)

    def at_rest() -> dict[str, Any] | None:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName="streams")["Stacks"][0]
        return None if found["StackStatus"].endswith("IN_PROGRESS") else found

    rested = eventually(at_rest, within=30)
    assert rested
    return rested


def test_a_template_leads_through_the_same_checks_and_to_the_same_description(endpoint: str) -> None:
    """Numbers may be texts in a template; an update keeps the stream and its destination, and counts the version."""
    hints = {"SizeInMBs": "6", "IntervalInSeconds": "60"}
    made = stack(endpoint, **to("t/", FileExtension=".txt", BufferingHints=hints))
    assert made["StackStatus"] == "CREATE_COMPLETE"
    before = describe(endpoint, "templated")
    assert extended(endpoint, "templated")["BufferingHints"] == {"SizeInMBs": 6, "IntervalInSeconds": 60}

    assert stack(endpoint, **to("u/", FileExtension=".txt"))["StackStatus"] == "UPDATE_COMPLETE"
    after = describe(endpoint, "templated")
    assert after["VersionId"] == "2"
    assert after["CreateTimestamp"] == before["CreateTimestamp"]
    assert after["Destinations"][0]["DestinationId"] == before["Destinations"][0]["DestinationId"]

    assert stack(endpoint, **to("!{timestamp:yyyy}/"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    events = client("cloudformation", endpoint).describe_stack_events(StackName="streams")["StackEvents"]
    assert any("ErrorOutputPrefix" in each.get("ResourceStatusReason", "") for each in events)


def test_only_a_direct_stream_is_encrypted(endpoint: str) -> None:
    """API_StartDeliveryStreamEncryption."""
    create(endpoint, "secret", to("secret/"))
    firehose = client("firehose", endpoint)
    firehose.start_delivery_stream_encryption(DeliveryStreamName="secret")
    assert describe(endpoint, "secret")["DeliveryStreamEncryptionConfiguration"]["Status"] == "ENABLED"
    arrivals(endpoint, "unsecret")
    assert refused(firehose.start_delivery_stream_encryption, DeliveryStreamName="unsecret")[0] == (
        "InvalidArgumentException"
    )


def test_tags_have_the_limits_of_the_reference(endpoint: str) -> None:
    """API_TagDeliveryStream."""
    create(endpoint, "tagged", to("tagged/"), Tags=[{"Key": "team", "Value": "web"}])
    firehose = client("firehose", endpoint)
    firehose.tag_delivery_stream(DeliveryStreamName="tagged", Tags=[{"Key": "tier"}])
    listed = firehose.list_tags_for_delivery_stream(DeliveryStreamName="tagged")["Tags"]
    assert [each["Key"] for each in listed] == ["team", "tier"]
    too_long = [{"Key": "k" * 129}]
    assert refused(firehose.tag_delivery_stream, DeliveryStreamName="tagged", Tags=too_long)[0] == "ValidationException"


def arrivals(endpoint: str, name: str, **destination: Any) -> None:
    """Create a data stream and a delivery stream of the same name that reads it."""
    kinesis = client("kinesis", endpoint)
    kinesis.create_stream(StreamName=name, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=name)
    kinesis.put_record(StreamName=name, Data=b"too early", PartitionKey="k")
    arn = kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]
    create(
        endpoint,
        name,
        to(f"{name}/", **destination),
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": arn, "RoleARN": ROLE},
    )


def test_a_kinesis_stream_is_read_from_when_the_delivery_stream_was_made(endpoint: str) -> None:
    """writing-with-kinesis-streams."""
    arrivals(endpoint, "clicks", CompressionFormat="GZIP")
    source = describe(endpoint, "clicks")["Source"]["KinesisStreamSourceDescription"]
    assert source["DeliveryStartTimestamp"]
    records = [{"Data": b"%d\n" % n, "PartitionKey": str(n)} for n in range(100)]
    client("kinesis", endpoint).put_records(StreamName="clicks", Records=records)

    def landed() -> list[int]:
        bodies = objects(endpoint, "clicks/").values()
        return sorted(int(line) for body in bodies for line in gzip.decompress(body).split())

    eventually(lambda: landed() == list(range(100)), within=30)
    answer = refused(client("firehose", endpoint).put_record, DeliveryStreamName="clicks", Record={"Data": b"directly"})
    assert answer == (
        "InvalidArgumentException",
        "This operation is not permitted on KinesisStreamAsSource delivery stream type.",
    )


def test_a_restart_neither_loses_nor_skips_what_a_kinesis_stream_holds(tmp_path: Path) -> None:
    with served(tmp_path, interval_factor=0.001) as endpoint:
        client("s3", endpoint).create_bucket(Bucket="lake")
        arrivals(endpoint, "clicks")
        client("kinesis", endpoint).put_record(StreamName="clicks", Data=b"1\n", PartitionKey="k")
        eventually(lambda: list(objects(endpoint, "clicks/").values()) == [b"1\n"], within=30)
    with served(tmp_path, interval_factor=0.001) as endpoint:
        client("kinesis", endpoint).put_record(StreamName="clicks", Data=b"2\n", PartitionKey="k")
        eventually(lambda: sorted(objects(endpoint, "clicks/").values()) == [b"1\n", b"2\n"], within=30)


def test_source_records_are_backed_up_beside_their_delivery(endpoint: str) -> None:
    """create-configure-backup."""
    processors = [{"Type": "AppendDelimiterToRecord", "Parameters": []}]
    given = to(
        "kept/",
        S3BackupMode="Enabled",
        S3BackupConfiguration=to("raw/", CompressionFormat="GZIP"),
        ProcessingConfiguration={"Enabled": True, "Processors": processors},
    )
    create(endpoint, "kept", given)
    assert extended(endpoint, "kept")["S3BackupDescription"]["Prefix"] == "raw/"
    client("firehose", endpoint).put_record(DeliveryStreamName="kept", Record={"Data": b"a"})
    eventually(lambda: list(objects(endpoint, "kept/").values()) == [b"a\n"], within=30)
    assert [gzip.decompress(body) for body in objects(endpoint, "raw/").values()] == [b"a"]


def test_records_are_partitioned_by_a_query(endpoint: str) -> None:
    """dynamic-partitioning-partitioning-keys, with the processors as the CDK deploys them."""
    processors = [
        {"Type": "RecordDeAggregation", "Parameters": [{"ParameterName": "SubRecordType", "ParameterValue": "JSON"}]},
        {
            "Type": "MetadataExtraction",
            "Parameters": [
                {"ParameterName": "MetadataExtractionQuery", "ParameterValue": '{"site":.site,"kind":.page.kind}'},
                {"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
            ],
        },
        {"Type": "AppendDelimiterToRecord", "Parameters": []},
    ]
    given = to(
        "q/!{partitionKeyFromQuery:site}/!{partitionKeyFromQuery:kind}/",
        ErrorOutputPrefix=ERRORS,
        BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 60},
        DynamicPartitioningConfiguration={"Enabled": True, "RetryOptions": {"DurationInSeconds": 300}},
        ProcessingConfiguration={"Enabled": True, "Processors": processors},
    )
    create(endpoint, "queried", given)
    several = b'{"site":"a","page":{"kind":"x"}}\n{"site":"b","page":{"kind":"y"}}{"site":"a","page":{"kind":"x"}}'
    firehose = client("firehose", endpoint)
    firehose.put_record_batch(DeliveryStreamName="queried", Records=[{"Data": several}, {"Data": b'{"site":"a"}'}])
    eventually(lambda: len(objects(endpoint, "q/")) == 2, within=30)
    assert list(objects(endpoint, "q/a/x/").values()) == [b'{"site":"a","page":{"kind":"x"}}\n' * 2]
    assert list(objects(endpoint, "q/b/y/").values()) == [b'{"site":"b","page":{"kind":"y"}}\n']
    eventually(lambda: objects(endpoint, "errors/processing-failed/"), within=30)


def test_only_cloudwatch_logs_put_to_a_stream_that_decompresses(endpoint: str) -> None:
    """API_PutRecord: InvalidSourceException. From a Kinesis stream the same records are taken (decomp-faq)."""
    processors = [
        {"Type": "Decompression", "Parameters": [{"ParameterName": "CompressionFormat", "ParameterValue": "GZIP"}]},
        {
            "Type": "CloudWatchLogProcessing",
            "Parameters": [{"ParameterName": "DataMessageExtraction", "ParameterValue": "true"}],
        },
    ]
    given = {"ProcessingConfiguration": {"Enabled": True, "Processors": processors}}
    create(endpoint, "logs", to("logs/", **given))
    put = client("firehose", endpoint).put_record
    assert refused(put, DeliveryStreamName="logs", Record={"Data": b"a"})[0] == "InvalidSourceException"
    arrivals(endpoint, "subscribed", ErrorOutputPrefix="lost/!{firehose:error-output-type}/", **given)
    logs = gzip.compress(json.dumps({"logEvents": [{"message": "one"}, {"message": "two"}]}).encode())
    kinesis = client("kinesis", endpoint)
    kinesis.put_record(StreamName="subscribed", Data=logs, PartitionKey="k")
    kinesis.put_record(StreamName="subscribed", Data=b"plain", PartitionKey="k")
    eventually(lambda: list(objects(endpoint, "subscribed/").values()) == [b"one\ntwo\n"], within=30)
    eventually(lambda: objects(endpoint, "lost/decompression-failed/"), within=30)
