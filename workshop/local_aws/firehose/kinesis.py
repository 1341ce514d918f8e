"""Kinesis data streams as sources: each shard is read in order, from where the last server stopped.

The page "writing-with-kinesis-streams": reading starts at the LATEST position when the delivery stream is made, and
GetRecords is called once per second for each shard. Here it is called as well when a record has been put.
"""

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from workshop.local_aws.clients import client
from workshop.local_aws.firehose.control import Reading
from workshop.local_aws.firehose.kpl import user_records
from workshop.local_aws.firehose.records import Record
from workshop.local_aws.protocol import Caller

SECONDS_BETWEEN_READS = 1.0
MOST_RECORDS = 1_000
"""Records of one GetRecords call."""

log = logging.getLogger(__name__)


class KinesisSources:
    """Reads the data streams of all delivery streams, on a thread of its own.

    A position is written down after its records were accepted: a kill between the two delivers them twice, never not
    at all.
    """

    def __init__(
        self,
        endpoint: str,
        folder: Path,
        readings: Callable[[], Iterable[Reading]],
        take: Callable[[Caller, str, Sequence[Record]], int],
    ) -> None:
        """Read at `endpoint` and keep positions in `folder`; `take` accepts as many of the first records as it can."""
        self._endpoint = endpoint
        self._folder = folder
        self._readings = readings
        self._take = take
        self._iterators: dict[tuple[Reading, str], str] = {}
        self._failing: set[Reading] = set()
        self._woken = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="kinesis-sources", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread.start()

    def wake(self) -> None:
        """Read now: a data stream has a new record."""
        self._woken.set()

    def close(self) -> None:
        """Read no more."""
        self._closing = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            self._woken.wait(SECONDS_BETWEEN_READS)
            self._woken.clear()
            for reading in self._readings():
                try:
                    self.read(reading)
                    self._failing.discard(reading)
                except Exception:
                    if reading not in self._failing:  # it is tried again every second
                        log.exception("%s cannot read %s now", reading.name, reading.source.arn)
                    self._failing.add(reading)

    def read(self, reading: Reading) -> None:
        """Hand over what the shards of one data stream hold beyond the last position."""
        kinesis = client("kinesis", self._endpoint, reading.region)
        positions = self._positions(reading)
        for page in kinesis.get_paginator("list_shards").paginate(StreamARN=reading.source.arn):
            for shard in page["Shards"]:
                while not self._closing and self._read_shard(kinesis, reading, shard["ShardId"], positions):
                    pass

    def _read_shard(self, kinesis: Any, reading: Reading, shard: str, positions: dict[str, str]) -> bool:
        """Hand over one call's records and return whether there may be more."""
        iterator = self._iterators.pop((reading, shard), None)
        if iterator is None:
            iterator = self._iterator(kinesis, reading, shard, positions.get(shard))
        try:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=MOST_RECORDS)
        except kinesis.exceptions.ExpiredIteratorException:
            return True
        records = [record for read in answer["Records"] for record in _records(shard, read)]
        taken = self._take(Caller(reading.account, reading.region), reading.name, records) if records else 0
        # Of an aggregated record of which a part was taken, all is read again.
        begun = {_sequence_number(record) for record in records[taken:]}
        if finished := [number for record in records[:taken] if (number := _sequence_number(record)) not in begun]:
            positions[shard] = finished[-1]
            self._keep(reading, positions)
        # What was not taken is read again from the position that was kept.
        if taken == len(records) and (following := answer.get("NextShardIterator")):
            self._iterators[reading, shard] = following
        return bool(taken)

    def _iterator(self, kinesis: Any, reading: Reading, shard: str, position: str | None) -> str:
        begin: dict[str, Any] = (
            {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": position}
            if position
            # LATEST as of when the delivery stream was made, which may have been a moment ago.
            else {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": reading.source.start}
        )
        iterator: str = kinesis.get_shard_iterator(StreamARN=reading.source.arn, ShardId=shard, **begin)[
            "ShardIterator"
        ]
        return iterator

    def _file(self, reading: Reading) -> Path:
        # The instant tells a stream from one of the same name that was deleted.
        return self._folder / f"{reading.region}.{reading.name}.{reading.created}.json"

    def _positions(self, reading: Reading) -> dict[str, str]:
        """Return the last sequence number that was accepted of each shard."""
        try:
            positions: dict[str, str] = json.loads(self._file(reading).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return positions

    def _keep(self, reading: Reading, positions: dict[str, str]) -> None:
        draft = self._file(reading).with_suffix(".new")
        draft.write_text(json.dumps(positions), encoding="utf-8")
        draft.replace(self._file(reading))


def _records(shard: str, read: dict[str, Any]) -> Iterator[Record]:
    """Yield the record that was read, or those that the Kinesis Producer Library has put into it."""
    number, arrived = read["SequenceNumber"], read["ApproximateArrivalTimestamp"].timestamp()
    held = user_records(read["Data"]) or [(read["PartitionKey"], read["Data"])]
    for position, (key, data) in enumerate(held):
        origin = (
            ("shardId", shard),
            ("partitionKey", key),
            ("sequenceNumber", number),
            ("subsequenceNumber", str(position)),
        )
        yield Record(f"{number}{position:06d}", data, arrived, origin=origin)


def _sequence_number(record: Record) -> str:
    return dict(record.origin)["sequenceNumber"]
