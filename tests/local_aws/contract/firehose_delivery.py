"""Rules of Data Firehose's delivery to S3: when objects are written, what they are called and what is in them."""

import gzip
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.local_aws.contract.account import Account, Differs, holds, same
from tests.local_aws.contract.rules import rule

BASIC_DELIVER = "https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html"
BUFFERING = "https://docs.aws.amazon.com/firehose/latest/APIReference/API_BufferingHints.html"
OBJECT_NAME = "https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html"
PREFIXES = "https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html"
EXTENDED_S3 = "https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html"
PROCESSOR = "https://docs.aws.amazon.com/firehose/latest/APIReference/API_Processor.html"
RETRY = "https://docs.aws.amazon.com/firehose/latest/dev/retry.html"
PARTITIONING = "https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-partitioning-keys.html"
KINESIS = "https://docs.aws.amazon.com/firehose/latest/dev/writing-with-kinesis-streams.html"

MIB = 1 << 20
_SUFFIX = r"(?P<version>\d+)-(?P<time>\d{4}(?:-\d\d){5})-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"


def only_key(objects: dict[str, bytes]) -> str:
    """Return the key of the one object that there is."""
    same("objects", len(objects), 1)
    return next(iter(objects))


def is_now(text: str, pattern: str, zone: Any = UTC) -> None:
    """Raise Differs unless a text is the present time, give or take a few minutes."""
    try:
        moment = datetime.strptime(text, pattern).replace(tzinfo=zone)
    except ValueError:
        raise Differs(f"{text!r} is not of the form {pattern}") from None
    holds(f"{text} is not the time of arrival", abs(datetime.now(UTC) - moment) < timedelta(hours=1, minutes=5))


@rule(
    "interval-gathers",
    "Records that arrive within the buffering interval become one S3 object, joined without a delimiter.",
    BASIC_DELIVER,
)
def interval_gathers(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.stream(bucket, BufferingHints={"SizeInMBs": 5, "IntervalInSeconds": 300})
    for data in (b"one", b"two", b"three"):
        aws.client("firehose").put_record(DeliveryStreamName=stream, Record={"Data": data})
    objects = aws.delivered(bucket)
    same("the object", objects[only_key(objects)], b"onetwothree")


@rule(
    "size-triggers",
    "A buffer that has reached its size is delivered before its interval is over, several records in one object.",
    BUFFERING,
)
def size_triggers(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.stream(bucket, BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900})
    aws.put(stream, *[b"a" * 300_000] * 5)
    sizes = [len(body) for body in aws.delivered(bucket).values()]
    holds(f"objects of {sizes} bytes for records of 300,000", max(sizes) > 300_000)


@rule(
    "default-prefix", "Without a prefix of one's own an object's name begins with YYYY/MM/dd/HH/ in UTC.", OBJECT_NAME
)
def default_prefix(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.stream(bucket), b"a")
    is_now(only_key(aws.delivered(bucket))[:14], "%Y/%m/%d/%H/")


@rule(
    "plain-prefix",
    "A prefix without an expression stands before YYYY/MM/dd/HH/, and with a slash at its end is a folder.",
    PREFIXES,
)
def plain_prefix(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.stream(bucket, Prefix="logs/"), b"a")
    key = only_key(aws.delivered(bucket))
    same("the key's beginning", key[:5], "logs/")
    is_now(key[5:19], "%Y/%m/%d/%H/")


@rule(
    "object-name",
    "An object's name ends with the stream's name, its version, the date and time, and a UUID.",
    OBJECT_NAME,
)
def object_name(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.stream(bucket)
    aws.put(stream, b"a")
    key = only_key(aws.delivered(bucket))
    match = re.fullmatch(rf"{re.escape(stream)}-{_SUFFIX}", key.rpartition("/")[2])
    if match is None:
        raise Differs(f"the name is {key}")
    same("the version", match["version"], "1")
    is_now(match["time"], "%Y-%m-%d-%H-%M-%S")


@rule(
    "name-has-version",
    "The version in an object's name grows by one with every change of the stream's configuration.",
    OBJECT_NAME,
)
def name_has_version(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.stream(bucket)
    described = aws.described(stream)
    aws.client("firehose").update_destination(
        DeliveryStreamName=stream,
        CurrentDeliveryStreamVersionId=described["VersionId"],
        DestinationId=described["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate={"Prefix": "second/"},
    )
    aws.put(stream, b"a")
    key = only_key(aws.delivered(bucket))
    holds(f"the name is {key}", re.search(rf"/{re.escape(stream)}-2-\d{{4}}-", key))


@rule("timestamp-prefix", "!{timestamp:...} in a prefix is the records' time of arrival in Java's format.", PREFIXES)
def timestamp_prefix(aws: Account) -> None:
    bucket = aws.bucket()
    prefix = "year=!{timestamp:yyyy}/day=!{timestamp:MM-dd}/at-!{timestamp:HH}/"
    aws.put(aws.stream(bucket, Prefix=prefix, ErrorOutputPrefix="bad/!{firehose:error-output-type}/"), b"a")
    is_now(only_key(aws.delivered(bucket)).rpartition("/")[0], "year=%Y/day=%m-%d/at-%H")


@rule("custom-time-zone", "CustomTimeZone moves the times in prefixes and names to another time zone.", OBJECT_NAME)
def custom_time_zone(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.stream(bucket, CustomTimeZone="Asia/Tokyo"), b"a")
    is_now(only_key(aws.delivered(bucket))[:14], "%Y/%m/%d/%H/", ZoneInfo("Asia/Tokyo"))


@rule("random-string", "!{firehose:random-string} is eleven characters, another for every object.", PREFIXES)
def random_string(aws: Account) -> None:
    bucket = aws.bucket()
    prefix = "!{firehose:random-string}/"
    aws.put(aws.stream(bucket, Prefix=prefix, ErrorOutputPrefix="bad/!{firehose:error-output-type}/"), b"a")
    drawn = only_key(aws.delivered(bucket)).partition("/")[0]
    holds(f"it is {drawn}", re.fullmatch(r"[A-Za-z0-9_-]{11}", drawn))


@rule(
    "error-prefix-needed",
    "A prefix with an expression is refused unless there is an error output prefix.",
    PREFIXES,
)
def error_prefix_needed(aws: Account) -> None:
    bucket = aws.bucket()
    with aws.refused("InvalidArgumentException"):
        aws.stream(bucket, Prefix="!{timestamp:yyyy}/")


@rule("error-type-in-prefix", "!{firehose:error-output-type} may not stand in the prefix of good data.", PREFIXES)
def error_type_in_prefix(aws: Account) -> None:
    bucket, both = aws.bucket(), "x/!{firehose:error-output-type}/"
    with aws.refused("InvalidArgumentException"):
        aws.stream(bucket, Prefix=both, ErrorOutputPrefix=both)


@rule(
    "error-type-required",
    "An error output prefix with expressions has !{firehose:error-output-type} among them.",
    PREFIXES,
)
def error_type_required(aws: Account) -> None:
    bucket = aws.bucket()
    with aws.refused("InvalidArgumentException"):
        aws.stream(bucket, Prefix="good/", ErrorOutputPrefix="bad/!{timestamp:yyyy}/")


@rule(
    "gzip",
    "With CompressionFormat GZIP an object is one gzip stream, and its name ends with .gz.",
    "https://docs.aws.amazon.com/firehose/latest/dev/create-destination.html",
)
def gzipped(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.stream(bucket, CompressionFormat="GZIP"), b"one\ntwo\n")
    objects = aws.delivered(bucket)
    key = only_key(objects)
    same("the beginning", objects[key][:2], b"\x1f\x8b")
    same("the content", gzip.decompress(objects[key]), b"one\ntwo\n")
    same("the extension", key[-3:], ".gz")


@rule("file-extension", "FileExtension ends the object's name, in place of the usual extension.", OBJECT_NAME)
def file_extension(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put(aws.stream(bucket, CompressionFormat="GZIP", FileExtension=".jsonl"), b"a")
    key = only_key(aws.delivered(bucket))
    holds(f"the name is {key}", key.endswith(".jsonl"))


@rule("delimiter", "The AppendDelimiterToRecord processor puts a newline after every record.", PROCESSOR)
def delimiter(aws: Account) -> None:
    bucket = aws.bucket()
    parameters = [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}]
    processor = {"Type": "AppendDelimiterToRecord", "Parameters": parameters}
    aws.put(aws.stream(bucket, ProcessingConfiguration={"Enabled": True, "Processors": [processor]}), b"one", b"two")
    aws.receives(bucket, "", b"one\n", b"two\n")


@rule(
    "retry-until-bucket",
    "While S3 refuses an object, delivery is tried again, and nothing is lost: a bucket made later gets all.",
    RETRY,
)
def retry_until_bucket(aws: Account) -> None:
    bucket = aws.fresh("later")
    aws.put(aws.stream(bucket, BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 0}), b"early")
    missing = aws.client("s3").exceptions.NoSuchBucket
    try:
        aws.objects(bucket)
    except missing:
        aws.bucket(bucket)
    else:
        raise Differs("the bucket exists, though nobody made it")
    aws.delivered(bucket, contains=b"early")


PARTITIONER = """
import base64, json

def handler(event, context):
    def one(record):
        keys = {"shop": json.loads(base64.b64decode(record["data"]))["shop"]}
        return {**record, "result": "Ok", "metadata": {"partitionKeys": keys}}
    return {"records": [one(record) for record in event["records"]]}
"""


@rule(
    "lambda-partitions",
    "With dynamic partitioning !{partitionKeyFromLambda:...} is the key that the function gave a record.",
    PARTITIONING,
)
def lambda_partitions(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.transforming(
        bucket,
        PARTITIONER,
        Prefix="good/shop=!{partitionKeyFromLambda:shop}/",
        BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 60},
        DynamicPartitioningConfiguration={"Enabled": True},
    )
    aws.put(stream, b'{"shop": "A", "n": 1}', b'{"shop": "B", "n": 2}', b'{"shop": "A", "n": 3}')
    aws.delivered(bucket, "good/shop=B/", contains=b'"n": 2')
    joined = b"".join(aws.delivered(bucket, "good/shop=A/", contains=b'"n": 3').values())
    holds(f"below shop=A there is {joined!r}", b'"n": 1' in joined and b'"n": 2' not in joined)


@rule(
    "inline-partitions",
    "!{partitionKeyFromQuery:...} is what a jq expression of the MetadataExtraction processor finds in a record.",
    PARTITIONING,
)
def inline_partitions(aws: Account) -> None:
    bucket = aws.bucket()
    parameters = {"MetadataExtractionQuery": "{shop: .shop}", "JsonParsingEngine": "JQ-1.6"}
    listed = [{"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()]
    stream = aws.stream(
        bucket,
        Prefix="good/shop=!{partitionKeyFromQuery:shop}/",
        ErrorOutputPrefix="bad/!{firehose:error-output-type}/",
        BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 60},
        DynamicPartitioningConfiguration={"Enabled": True},
        ProcessingConfiguration={
            "Enabled": True,
            "Processors": [{"Type": "MetadataExtraction", "Parameters": listed}],
        },
    )
    aws.put(stream, b'{"shop": "A"}', b'{"shop": "B"}')
    aws.delivered(bucket, "good/shop=A/")
    aws.delivered(bucket, "good/shop=B/")


REPLACER = """
def handler(event, context):
    return {"records": [{**record, "result": "Ok", "data": "Tk8="} for record in event["records"]]}
"""


@rule("source-backup", "With S3BackupMode Enabled the untransformed records go to the backup bucket too.", EXTENDED_S3)
def source_backup(aws: Account) -> None:
    bucket = aws.bucket()
    backup = aws.destination(bucket, Prefix="source/")
    aws.put(aws.transforming(bucket, REPLACER, S3BackupMode="Enabled", S3BackupConfiguration=backup), b"as it came")
    aws.delivered(bucket, "good/", contains=b"NO")
    aws.delivered(bucket, "source/", contains=b"as it came")


def _from_kinesis(aws: Account, bucket: str) -> tuple[str, str]:
    """Make a Kinesis stream and a delivery stream that reads from it; return both names."""
    source = aws.fresh("source")
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName=source, ShardCount=1)

    def status() -> dict[str, Any]:
        described: dict[str, Any] = kinesis.describe_stream(StreamName=source)["StreamDescription"]
        return described

    aws.eventually("the source does not become ACTIVE", lambda: status()["StreamStatus"] == "ACTIVE")
    name = aws.create_stream(
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": status()["StreamARN"], "RoleARN": aws.role},
        ExtendedS3DestinationConfiguration=aws.destination(bucket),
    )
    return source, name


@rule("kinesis-source", "A stream with a Kinesis data stream as its source delivers that stream's records.", KINESIS)
def kinesis_source(aws: Account) -> None:
    bucket = aws.bucket()
    source, _ = _from_kinesis(aws, bucket)

    def sent() -> bool:
        # Reading begins at LATEST: what is sent before it does is not delivered.
        aws.client("kinesis").put_record(StreamName=source, Data=b"from kinesis", PartitionKey="k")
        return any(b"from kinesis" in body for body in aws.objects(bucket).values())

    aws.eventually("nothing was delivered", sent)


@rule(
    "kinesis-refuses-puts",
    "PutRecord and PutRecordBatch are refused for a stream whose source is a Kinesis data stream.",
    KINESIS,
)
def kinesis_refuses_puts(aws: Account) -> None:
    _, stream = _from_kinesis(aws, aws.bucket())
    with aws.refused("InvalidArgumentException"):
        aws.client("firehose").put_record(DeliveryStreamName=stream, Record={"Data": b"a"})
    with aws.refused("InvalidArgumentException"):
        aws.put(stream, b"a")
