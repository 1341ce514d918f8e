"""The most memory the embedded AWS takes for many events, from PutRecordBatch to Parquet in S3.

Run as `python -m benchmarks.memory`. The events are those of `benchmarks.firehose`, 100,000 different ones again and
again. The peak is VmHWM of the server's process, which Linux keeps in /proc.
"""

import argparse
import itertools
import time
from pathlib import Path

from benchmarks.firehose import count_rows, deploy, embedded, packed
from workshop.local_aws.clients import client

DIFFERENT = 100_000
MIB = 1 << 20


def main() -> None:
    """Put the events, wait for the last row, and print the server's peak."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--documents", type=int, default=10_000_000, help="a multiple of 100,000")
    arguments = parser.parse_args()
    with embedded() as (endpoint, process):
        deploy(endpoint)
        before = peak(process)
        began = time.monotonic()
        size = put(endpoint, arguments.documents)
        counted: dict[str, int] = {}
        while sum(counted.values()) < arguments.documents:
            time.sleep(0.2)
            count_rows(endpoint, counted)
        if (rows := sum(counted.values())) != arguments.documents:
            raise AssertionError(f"{arguments.documents} documents became {rows} rows")
        seconds, most = time.monotonic() - began, peak(process)
    print(f"{arguments.documents:,} events, {size / MIB:,.0f} MiB sent in {seconds:,.0f} s, {len(counted)} objects")
    print(
        f"peak resident memory of the server: {most / MIB:,.0f} MiB, of which {before / MIB:,.0f} MiB before the first"
    )
    print(f"ratio to the bytes sent: {most / size:.3f}")


def put(endpoint: str, documents: int) -> int:
    """Put the documents, again where there was no room, and return their bytes."""
    firehose, size = client("firehose", endpoint), 0
    batches = list(packed(DIFFERENT))
    for records in itertools.chain.from_iterable(itertools.repeat(batches, documents // DIFFERENT)):
        waiting = records
        while waiting:
            answer = firehose.put_record_batch(DeliveryStreamName="bench", Records=waiting)["RequestResponses"]
            waiting = [each for each, one in zip(waiting, answer, strict=True) if "ErrorCode" in one]
            if waiting:
                time.sleep(0.05)
        size += sum(len(each["Data"]) for each in records)
    return size


def peak(process: int) -> int:
    """Return the most memory that a process has held, in bytes."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
