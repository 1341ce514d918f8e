"""Rules of Data Firehose's control plane: making, describing, changing and deleting streams."""

from typing import Any

from botocore.exceptions import ClientError

from tests.local_aws.contract.account import Account, holds, same
from tests.local_aws.contract.firehose_producers import INVALID
from tests.local_aws.contract.rules import rule

_API = "https://docs.aws.amazon.com/firehose/latest/APIReference/"
CREATE = _API + "API_CreateDeliveryStream.html"
DESCRIBE = _API + "API_DescribeDeliveryStream.html"
UPDATE = _API + "API_UpdateDestination.html"
DELETE = _API + "API_DeleteDeliveryStream.html"
LIST = _API + "API_ListDeliveryStreams.html"
TAGS = _API + "API_ListTagsForDeliveryStream.html"
BUFFERING = _API + "API_BufferingHints.html"


def _s3(described: dict[str, Any]) -> dict[str, Any]:
    (destination,) = described["Destinations"]
    s3: dict[str, Any] = destination["ExtendedS3DestinationDescription"]
    return s3


def _update(aws: Account, stream: str, version: str, **change: Any) -> None:
    aws.client("firehose").update_destination(
        DeliveryStreamName=stream,
        CurrentDeliveryStreamVersionId=version,
        DestinationId=aws.described(stream)["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate=change,
    )


@rule("create-twice", "A second stream of the same name is a ResourceInUseException.", CREATE)
def create_twice(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.stream(bucket)
    with aws.refused("ResourceInUseException"):
        aws.create_stream(stream, ExtendedS3DestinationConfiguration=aws.destination(bucket))


@rule("create-bad-name", "A stream's name has at most 64 letters, digits, dots, hyphens and underscores.", CREATE)
def create_bad_name(aws: Account) -> None:
    destination = aws.destination(aws.bucket())
    for name in ("no spaces", "x" * 65):
        with aws.refused(*INVALID):
            aws.create_stream(name, ExtendedS3DestinationConfiguration=destination)


@rule("create-needs-destination", "A stream has exactly one destination.", CREATE)
def create_needs_destination(aws: Account) -> None:
    with aws.refused(*INVALID):
        aws.create_stream()


@rule("hints-range", "Buffering hints are 1 to 128 MiB and 0 to 900 seconds.", BUFFERING)
def hints_range(aws: Account) -> None:
    bucket = aws.bucket()
    for size, seconds in ((129, 60), (0, 60), (5, 901)):
        with aws.refused(*INVALID):
            aws.stream(bucket, BufferingHints={"SizeInMBs": size, "IntervalInSeconds": seconds})


@rule("hints-together", "Whoever gives one of the two buffering hints gives the other.", BUFFERING)
def hints_together(aws: Account) -> None:
    bucket = aws.bucket()
    with aws.refused(*INVALID):
        aws.stream(bucket, BufferingHints={"SizeInMBs": 5})


@rule("create-bad-bucket-arn", "BucketARN is the ARN of a bucket.", CREATE)
def create_bad_bucket_arn(aws: Account) -> None:
    with aws.refused(*INVALID):
        aws.stream("", BucketARN="not-an-arn")


@rule("describe-echo", "DescribeDeliveryStream tells the destination as it was given.", DESCRIBE)
def describe_echo(aws: Account) -> None:
    given = {
        "Prefix": "good/",
        "ErrorOutputPrefix": "bad/",
        "CompressionFormat": "GZIP",
        "FileExtension": ".log",
        "CustomTimeZone": "Europe/Berlin",
        "BufferingHints": {"SizeInMBs": 7, "IntervalInSeconds": 77},
    }
    told = _s3(aws.described(aws.stream(aws.bucket(), **given)))
    same("the destination", {name: told.get(name) for name in given}, given)


@rule("describe-new", "A new stream is ACTIVE in version 1, with its ARN, type, and one destination.", DESCRIBE)
def describe_new(aws: Account) -> None:
    stream = aws.stream(aws.bucket())
    told = aws.described(stream)
    same("VersionId", told["VersionId"], "1")
    same("DeliveryStreamType", told["DeliveryStreamType"], "DirectPut")
    same("HasMoreDestinations", told["HasMoreDestinations"], False)
    arn = told["DeliveryStreamARN"]
    holds(
        f"the ARN is {arn}", arn.startswith("arn:aws:firehose:us-east-1:") and arn.endswith(f":deliverystream/{stream}")
    )


@rule("describe-defaults", "The hints are 5 MiB and 300 s where none are given, and nothing is compressed.", BUFFERING)
def describe_defaults(aws: Account) -> None:
    destination = aws.destination(aws.bucket())
    del destination["BufferingHints"]
    stream = aws.create_stream(ExtendedS3DestinationConfiguration=destination)
    told = _s3(aws.described(stream))
    same("BufferingHints", told.get("BufferingHints"), {"SizeInMBs": 5, "IntervalInSeconds": 300})
    same("CompressionFormat", told.get("CompressionFormat"), "UNCOMPRESSED")


@rule("describe-unknown", "Describing a stream that does not exist is a ResourceNotFoundException.", DESCRIBE)
def describe_unknown(aws: Account) -> None:
    with aws.refused("ResourceNotFoundException"):
        aws.described(aws.fresh("nobody"))


@rule("update-merges", "UpdateDestination changes what is given, keeps the rest, and raises the version.", UPDATE)
def update_merges(aws: Account) -> None:
    stream = aws.stream(aws.bucket(), Prefix="before/", CompressionFormat="GZIP")
    _update(aws, stream, "1", Prefix="after/")
    told = aws.described(stream)
    same("VersionId", told["VersionId"], "2")
    same("Prefix", _s3(told)["Prefix"], "after/")
    same("CompressionFormat", _s3(told)["CompressionFormat"], "GZIP")


@rule(
    "update-version", "An update of another version than the present one is a ConcurrentModificationException.", UPDATE
)
def update_version(aws: Account) -> None:
    stream = aws.stream(aws.bucket())
    with aws.refused("ConcurrentModificationException"):
        _update(aws, stream, "2", Prefix="after/")


@rule("update-followed", "What arrives after an update is delivered by it.", UPDATE)
def update_followed(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.stream(bucket, Prefix="before/")
    _update(aws, stream, "1", Prefix="after/")
    aws.put(stream, b"a")
    aws.delivered(bucket, "after/")


@rule("delete", "A deleted stream is DELETING or gone, and PutRecord then finds none.", DELETE)
def delete(aws: Account) -> None:
    stream, firehose = aws.stream(aws.bucket()), aws.client("firehose")
    firehose.delete_delivery_stream(DeliveryStreamName=stream)

    def is_gone() -> bool:
        try:
            firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"a"})
        except ClientError as error:
            same("the error", error.response["Error"]["Code"], "ResourceNotFoundException")
            return True
        return False

    aws.eventually("PutRecord still takes records", is_gone)
    with aws.refused("ResourceNotFoundException"):
        firehose.delete_delivery_stream(DeliveryStreamName=stream)


@rule("list-streams", "ListDeliveryStreams lists names in order, up to Limit, and says whether there are more.", LIST)
def list_streams(aws: Account) -> None:
    bucket, firehose = aws.bucket(), aws.client("firehose")
    first, second = sorted(aws.stream(bucket) for _ in range(2))
    listed = firehose.list_delivery_streams(Limit=1, ExclusiveStartDeliveryStreamName=first)
    holds(f"{listed['DeliveryStreamNames']} after {first}", all(n > first for n in listed["DeliveryStreamNames"]))
    same("names", len(listed["DeliveryStreamNames"]), 1)
    seen: list[str] = []
    while not seen or listed["HasMoreDeliveryStreams"]:
        listed = firehose.list_delivery_streams(
            Limit=10, **{"ExclusiveStartDeliveryStreamName": seen[-1]} if seen else {}
        )
        seen += listed["DeliveryStreamNames"]
    same("the order", seen, sorted(seen))
    holds("a stream is not listed", {first, second} <= set(seen))


@rule("tags", "Tags given at creation, and added later, are listed.", TAGS)
def tags(aws: Account) -> None:
    destination = aws.destination(aws.bucket())
    stream = aws.create_stream(ExtendedS3DestinationConfiguration=destination, Tags=[{"Key": "one", "Value": "1"}])
    firehose = aws.client("firehose")
    firehose.tag_delivery_stream(DeliveryStreamName=stream, Tags=[{"Key": "two", "Value": "2"}])
    told = firehose.list_tags_for_delivery_stream(DeliveryStreamName=stream)["Tags"]
    same("tags", {each["Key"]: each["Value"] for each in told}, {"one": "1", "two": "2"})
