"""A Kinesis data stream as source: /firehose/latest/dev/writing-with-kinesis-streams.html."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from workshop.local_aws.firehose import kinesis
from workshop.local_aws.firehose.configuration import KinesisSource
from workshop.local_aws.firehose.control import Reading
from workshop.local_aws.firehose.kinesis import KinesisSources
from workshop.local_aws.firehose.records import Record
from workshop.local_aws.protocol import Caller

MADE = datetime(2026, 11, 20, 12, tzinfo=UTC)
ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/arrivals"
READING = Reading("000000000000", "us-east-1", "events", MADE.timestamp(), KinesisSource(ARN, MADE))


class ExpiredIterator(Exception):
    pass


class Kinesis:
    """Shards with (sequence number, arrival, data), read as the API reference says."""

    class exceptions:  # noqa: N801 - as in boto3
        ExpiredIteratorException = ExpiredIterator

    def __init__(self) -> None:
        self.shards: dict[str, list[tuple[str, datetime, bytes]]] = {"shard-0": [], "shard-1": []}
        self.iterators: dict[str, tuple[str, int]] = {}
        self.page = 10

    def put(self, shard: str, data: bytes, after: float = 1.0) -> None:
        number = f"{sum(map(len, self.shards.values())) + 1:05d}"
        self.shards[shard].append((number, MADE + timedelta(seconds=after), data))

    def get_paginator(self, name: str) -> "Kinesis":
        assert name == "list_shards"
        return self

    def paginate(self, *, StreamARN: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - as in boto3
        assert StreamARN == ARN
        yield {"Shards": [{"ShardId": shard} for shard in self.shards]}

    def get_shard_iterator(
        self,
        *,
        StreamARN: str,  # noqa: N803
        ShardId: str,  # noqa: N803
        ShardIteratorType: str,  # noqa: N803
        StartingSequenceNumber: str = "",  # noqa: N803
        Timestamp: datetime = MADE,  # noqa: N803
    ) -> dict[str, str]:
        assert StreamARN == ARN

        def is_before(record: tuple[str, datetime, bytes]) -> bool:
            if ShardIteratorType == "AFTER_SEQUENCE_NUMBER":
                return record[0] <= StartingSequenceNumber
            assert ShardIteratorType == "AT_TIMESTAMP"
            return record[1] < Timestamp

        return {"ShardIterator": self._iterator(ShardId, sum(map(is_before, self.shards[ShardId])))}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803
        if ShardIterator not in self.iterators:
            raise ExpiredIterator
        shard, at = self.iterators[ShardIterator]
        page = self.shards[shard][at : at + min(Limit, self.page)]
        records = [
            {"SequenceNumber": number, "ApproximateArrivalTimestamp": arrived, "Data": data, "PartitionKey": "k"}
            for number, arrived, data in page
        ]
        return {"Records": records, "NextShardIterator": self._iterator(shard, at + len(page))}

    def _iterator(self, shard: str, at: int) -> str:
        self.iterators[name := f"{shard}@{at}"] = (shard, at)
        return name


class Stream:
    """A delivery stream with some room."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.room = 1_000

    def take(self, caller: Caller, name: str, records: Sequence[Record]) -> int:
        assert (caller, name) == (Caller("000000000000", "us-east-1"), "events")
        taken = list(records[: self.room])
        self.records += taken
        self.room -= len(taken)
        return len(taken)

    def data(self) -> list[bytes]:
        return [each.data for each in self.records]


@pytest.fixture
def data_stream(monkeypatch: pytest.MonkeyPatch) -> Kinesis:
    fake = Kinesis()
    monkeypatch.setattr(kinesis, "client", lambda *_: fake)
    return fake


def sources(folder: Path, stream: Stream) -> KinesisSources:
    return KinesisSources("http://127.0.0.1:1", folder, lambda: [READING], stream.take)


def test_reading_starts_when_the_delivery_stream_is_made(data_stream: Kinesis, tmp_path: Path) -> None:
    """ "starts reading data from the LATEST position of your Kinesis stream"."""
    stream = Stream()
    data_stream.put("shard-0", b"before", after=-0.001)
    data_stream.put("shard-0", b"after", after=0)
    sources(tmp_path, stream).read(READING)
    assert stream.data() == [b"after"]


def test_every_shard_is_read_in_order_page_by_page(data_stream: Kinesis, tmp_path: Path) -> None:
    stream = Stream()
    for number in range(25):
        data_stream.put(f"shard-{number % 2}", b"%d" % number)
    sources(tmp_path, stream).read(READING)
    assert stream.data() == [b"%d" % n for n in (*range(0, 25, 2), *range(1, 25, 2))]


def test_a_record_says_where_it_comes_from(data_stream: Kinesis, tmp_path: Path) -> None:
    stream = Stream()
    data_stream.put("shard-1", b"a")
    sources(tmp_path, stream).read(READING)
    [record] = stream.records
    assert record.arrived == MADE.timestamp() + 1
    assert dict(record.origin) == {
        "shardId": "shard-1",
        "partitionKey": "k",
        "sequenceNumber": "00001",
        "subsequenceNumber": "0",
    }


def test_a_restart_goes_on_where_the_last_server_stopped(data_stream: Kinesis, tmp_path: Path) -> None:
    stream = Stream()
    data_stream.put("shard-0", b"a")
    sources(tmp_path, stream).read(READING)
    data_stream.put("shard-0", b"b")
    sources(tmp_path, stream).read(READING)
    assert stream.data() == [b"a", b"b"]


def test_what_finds_no_room_is_read_again(data_stream: Kinesis, tmp_path: Path) -> None:
    stream = Stream()
    stream.room = 2
    for data in (b"a", b"b", b"c"):
        data_stream.put("shard-0", data)
    reader = sources(tmp_path, stream)
    reader.read(READING)
    assert stream.data() == [b"a", b"b"]
    stream.room = 10
    reader.read(READING)
    assert stream.data() == [b"a", b"b", b"c"]


def test_a_position_is_kept_only_after_its_records_were_accepted(data_stream: Kinesis, tmp_path: Path) -> None:
    def refuse(*_: object) -> int:
        raise OSError("the disk is full")

    stream = Stream()
    data_stream.put("shard-0", b"a")
    with pytest.raises(OSError, match="full"):
        KinesisSources("http://127.0.0.1:1", tmp_path, lambda: [READING], refuse).read(READING)
    sources(tmp_path, stream).read(READING)
    assert stream.data() == [b"a"]


# What the Kinesis Producer Library's format makes of a, b and c under the keys k0 and k1 (aggregation-format.md).
_MESSAGE = b"\x0a\x02k0\x0a\x02k1\x1a\x05\x08\x00\x1a\x01a\x1a\x05\x08\x01\x1a\x01b\x1a\x05\x08\x00\x1a\x01c"
AGGREGATED = b"\xf3\x89\x9a\xc2" + _MESSAGE + hashlib.md5(_MESSAGE, usedforsecurity=False).digest()


def test_aggregated_records_are_taken_apart(data_stream: Kinesis, tmp_path: Path) -> None:
    """writing-with-kinesis-streams: "Amazon Data Firehose de-aggregates the records before it delivers them"."""
    stream = Stream()
    data_stream.put("shard-0", AGGREGATED)
    data_stream.put("shard-0", AGGREGATED[:-1] + b"?")  # its checksum is not that of its message
    sources(tmp_path, stream).read(READING)
    assert stream.data() == [b"a", b"b", b"c", AGGREGATED[:-1] + b"?"]
    assert [dict(each.origin)["partitionKey"] for each in stream.records] == ["k0", "k1", "k0", "k"]
    assert len({each.id for each in stream.records}) == 4


def test_an_aggregated_record_of_which_a_part_found_room_is_read_again(data_stream: Kinesis, tmp_path: Path) -> None:
    stream = Stream()
    stream.room = 2
    data_stream.put("shard-0", AGGREGATED)
    reader = sources(tmp_path, stream)
    reader.read(READING)
    stream.room = 10
    reader.read(READING)
    assert stream.data() == [b"a", b"b", b"a", b"b", b"c"]


def test_an_expired_iterator_is_replaced(data_stream: Kinesis, tmp_path: Path) -> None:
    stream = Stream()
    reader = sources(tmp_path, stream)
    reader.read(READING)
    data_stream.iterators.clear()
    data_stream.put("shard-0", b"a")
    reader.read(READING)
    assert stream.data() == [b"a"]


def test_a_shard_that_a_split_has_made_is_read_too(data_stream: Kinesis, tmp_path: Path) -> None:
    stream = Stream()
    reader = sources(tmp_path, stream)
    reader.read(READING)
    data_stream.shards["shard-2"] = []
    data_stream.put("shard-2", b"a")
    reader.read(READING)
    assert stream.data() == [b"a"]


def test_a_stream_of_the_same_name_does_not_go_on_where_the_deleted_one_stopped(
    data_stream: Kinesis, tmp_path: Path
) -> None:
    stream = Stream()
    data_stream.put("shard-0", b"a")
    sources(tmp_path, stream).read(READING)
    again = Reading("000000000000", "us-east-1", "events", MADE.timestamp() + 9, READING.source)
    sources(tmp_path, stream).read(again)
    assert stream.data() == [b"a", b"a"]
