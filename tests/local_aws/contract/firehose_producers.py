"""Rules of Data Firehose's data plane as a producer meets it: PutRecord and PutRecordBatch."""

from tests.local_aws.contract.account import Account, holds, same
from tests.local_aws.contract.rules import rule

PUT_RECORD = "https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecord.html"
PUT_RECORD_BATCH = "https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html"
RECORD = "https://docs.aws.amazon.com/firehose/latest/APIReference/API_Record.html"

KIB = 1024
INVALID = ("InvalidArgumentException", "ValidationException")
"""A constraint of the service model is refused as a ValidationException, which every AWS service may answer."""


@rule("put-record-id", "PutRecord answers a RecordId, another one for every record.", PUT_RECORD)
def put_record_id(aws: Account) -> None:
    stream, firehose = aws.stream(aws.bucket()), aws.client("firehose")
    ids = {firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"a"})["RecordId"] for _ in range(3)}
    same("distinct ids", len(ids), 3)


@rule("put-unknown-stream", "PutRecord to a stream that does not exist is a ResourceNotFoundException.", PUT_RECORD)
def put_unknown_stream(aws: Account) -> None:
    with aws.refused("ResourceNotFoundException"):
        aws.client("firehose").put_record(DeliveryStreamName=aws.fresh("nobody"), Record={"Data": b"a"})


@rule("batch-unknown-stream", "So is PutRecordBatch to a stream that does not exist.", PUT_RECORD_BATCH)
def batch_unknown_stream(aws: Account) -> None:
    with aws.refused("ResourceNotFoundException"):
        aws.client("firehose").put_record_batch(DeliveryStreamName=aws.fresh("nobody"), Records=[{"Data": b"a"}])


@rule(
    "batch-shape",
    "PutRecordBatch answers FailedPutCount and one response for each record, in order, with a RecordId each.",
    PUT_RECORD_BATCH,
)
def batch_shape(aws: Account) -> None:
    stream = aws.stream(aws.bucket())
    answer = aws.client("firehose").put_record_batch(DeliveryStreamName=stream, Records=[{"Data": b"a"}] * 5)
    same("FailedPutCount", answer["FailedPutCount"], 0)
    same("distinct ids", len({each["RecordId"] for each in answer["RequestResponses"]}), 5)
    holds("an ErrorCode beside a RecordId", not any("ErrorCode" in each for each in answer["RequestResponses"]))


@rule("batch-500", "A PutRecordBatch call takes 500 records, and refuses 501 as a whole.", PUT_RECORD_BATCH)
def batch_500(aws: Account) -> None:
    bucket = aws.bucket()
    stream = aws.stream(bucket)
    with aws.refused(*INVALID):
        aws.put(stream, *[b"refused"] * 501)
    aws.put(stream, *[b"taken."] * 500)
    bodies = aws.delivered(bucket, contains=b"taken.").values()
    holds("a record of the refused call was delivered", not any(b"refused" in body for body in bodies))


@rule("batch-empty", "A PutRecordBatch call has at least one record.", PUT_RECORD_BATCH)
def batch_empty(aws: Account) -> None:
    stream = aws.stream(aws.bucket())
    with aws.refused(*INVALID):
        aws.client("firehose").put_record_batch(DeliveryStreamName=stream, Records=[])


@rule("record-1000-kib", "A record may have 1,000 KiB before base64, and not one byte more.", RECORD)
def record_1000_kib(aws: Account) -> None:
    stream, firehose = aws.stream(aws.bucket()), aws.client("firehose")
    firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"a" * 1000 * KIB})
    with aws.refused(*INVALID):
        firehose.put_record(DeliveryStreamName=stream, Record={"Data": b"a" * (1000 * KIB + 1)})


@rule("batch-4-mib", "The records of one call may have 4 MiB together, and no more.", PUT_RECORD_BATCH)
def batch_4_mib(aws: Account) -> None:
    stream = aws.stream(aws.bucket())
    aws.put(stream, *[b"a" * 1000 * KIB] * 4)
    with aws.refused(*INVALID):
        aws.put(stream, *[b"a" * 1000 * KIB] * 4, b"a" * 96 * KIB, b"a")


@rule("record-empty", "A record may be empty, but its Data may not be missing.", RECORD)
def record_empty(aws: Account) -> None:
    stream, firehose = aws.stream(aws.bucket()), aws.client("firehose")
    firehose.put_record(DeliveryStreamName=stream, Record={"Data": b""})
    with aws.refused(*INVALID, "SerializationException"):
        firehose.put_record(DeliveryStreamName=stream, Record={})
