"""Documents per second from PutRecordBatch to Parquet in S3: this Firehose and ministack's own, through the same calls.

Run as `python -m benchmarks.firehose`. Each server runs in a process of its own; the clock starts before the first call
and stops when the last row is in S3. "One core" divides by the server's processor time instead, so that the client,
which shares the machine, does not count. Rows are counted in the Parquet that was written.
"""

import argparse
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet

from workshop.local_aws.clients import client
from workshop.local_aws.home import Home
from workshop.local_aws.isolation import isolated
from workshop.local_aws.launcher import start, stop

ROOT = Path(__file__).parent.parent
DOCUMENTS_PER_RECORD = 2_000


@dataclass(frozen=True, slots=True)
class Rate:
    """What one server did with some documents."""

    documents: int
    seconds: float
    processor_seconds: float

    @property
    def per_second(self) -> float:
        """Documents per second of the clock."""
        return self.documents / self.seconds

    @property
    def per_core_second(self) -> float:
        """Documents per second of the server's processor time."""
        return self.documents / self.processor_seconds


def main() -> None:
    """Measure both and print the ratio."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--documents", type=int, default=400_000, help="how many for this Firehose")
    parser.add_argument("--baseline", type=int, default=4_000, help="how many for ministack's own, which is slow")
    arguments = parser.parse_args()
    with ministack() as (endpoint, process):
        theirs = measure(endpoint, process, arguments.baseline)
    with embedded() as (endpoint, process):
        ours = measure(endpoint, process, arguments.documents)
    print(f"{'':24}{'documents':>12}{'seconds':>10}{'per second':>12}{'on one core':>13}")
    for name, rate in (("ministack alone", theirs), ("workshop.local_aws", ours)):
        print(
            f"{name:24}{rate.documents:>12,}{rate.seconds:>10.2f}{rate.per_second:>12,.0f}{rate.per_core_second:>13,.0f}"
        )
    print(f"ratio: {ours.per_second / theirs.per_second:,.0f} by the clock, ", end="")
    print(f"{ours.per_core_second / theirs.per_core_second:,.0f} on one core")


def measure(endpoint: str, process: int, documents: int) -> Rate:
    """Deploy a stream to Parquet, put the documents in it and wait for the last row."""
    deploy(endpoint)
    batches = list(packed(documents))
    firehose = client("firehose", endpoint)
    before, began = processor_seconds(process), time.monotonic()
    for records in batches:
        waiting = records
        while waiting:  # a refused record is sent again, as any producer does
            answer = firehose.put_record_batch(DeliveryStreamName="bench", Records=waiting)["RequestResponses"]
            waiting = [each for each, one in zip(waiting, answer, strict=True) if "ErrorCode" in one]
            if waiting:
                time.sleep(0.05)
    counted: dict[str, int] = {}
    while sum(counted.values()) < documents:
        if time.monotonic() > began + 300:
            raise TimeoutError(f"{sum(counted.values())} of {documents} documents were delivered in 300 s")
        time.sleep(0.02)
        count_rows(endpoint, counted)
    seconds, processor = time.monotonic() - began, processor_seconds(process) - before
    if (rows := sum(counted.values())) != documents:
        raise AssertionError(f"{documents} documents became {rows} rows")
    return Rate(documents, seconds, processor)


def deploy(endpoint: str) -> None:
    """Create bucket, table and stream: 64 MiB or 60 s, Parquet with Snappy, no processor."""
    client("s3", endpoint).create_bucket(Bucket="bench")
    client("glue", endpoint).create_database(DatabaseInput={"Name": "bench"})
    schema = json.loads((ROOT / "glue" / "stock_event.schema.json").read_text())
    columns = [{"Name": name, "Type": field["x-glue-type"]} for name, field in schema["properties"].items()]
    table = {"Name": "events", "StorageDescriptor": {"Columns": columns}}
    client("glue", endpoint).create_table(DatabaseName="bench", TableInput=table)
    role = "arn:aws:iam::000000000000:role/bench"
    client("firehose", endpoint).create_delivery_stream(
        DeliveryStreamName="bench",
        ExtendedS3DestinationConfiguration={
            "RoleARN": role,
            "BucketARN": "arn:aws:s3:::bench",
            "Prefix": "events/!{timestamp:yyyy-MM-dd}/",
            "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
            "DataFormatConversionConfiguration": {
                "Enabled": True,
                "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": {}}},
                "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": {}}},
                "SchemaConfiguration": {"RoleARN": role, "DatabaseName": "bench", "TableName": "events"},
            },
        },
    )


def packed(documents: int) -> Iterator[list[dict[str, bytes]]]:
    """Yield the records of each call: newline-separated stock events, 2,000 to a record and five records to a call."""
    lines = [json.dumps(event(number), separators=(",", ":")) for number in range(documents)]
    records = [
        {"Data": "\n".join(lines[first : first + DOCUMENTS_PER_RECORD]).encode()}
        for first in range(0, documents, DOCUMENTS_PER_RECORD)
    ]
    for first in range(0, len(records), 5):
        yield records[first : first + 5]


def event(number: int) -> dict[str, Any]:
    """Return a stock event of the usual shape and size; two never agree in all they carry."""
    tick, shelf = divmod(number, 500)
    store, product = divmod(shelf, 50)
    return {
        "event_id": f"S{store:03}-P{product:04}-{tick}",
        "event_time": f"2026-11-20T{tick // 4 % 24:02}:{tick % 4 * 15:02}:00.000Z",
        "store_id": f"S{store:03}",
        "store_name": f"Corner Shop {store}",
        "city": "Lyon",
        "country": "FR",
        "latitude": 45.764 + store,
        "longitude": 4.8357,
        "product_id": f"P{product:04}",
        "product_name": f"Organic whole milk, {product} cl",
        "category": "Dairy",
        "unit_price": 1.29 + product,
        "stock": number * 7919 % 100,
        "threshold": 20,
        "units_sold": number * 104729 % 7,
        "units_received": 0,
    }


def count_rows(endpoint: str, counted: dict[str, int]) -> None:
    """Add the rows of the objects that are new to `counted`, by key."""
    s3 = client("s3", endpoint)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket="bench"):
        for found in page.get("Contents", []):
            if found["Key"].startswith("errors/"):
                raise AssertionError(f"{found['Key']} was written")
            if found["Key"] not in counted:
                body = s3.get_object(Bucket="bench", Key=found["Key"])["Body"].read()
                counted[found["Key"]] = pyarrow.parquet.ParquetFile(io.BytesIO(body)).metadata.num_rows


def processor_seconds(process: int) -> float:
    """Return the processor time a process has used. Linux keeps it in /proc."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def embedded() -> Iterator[tuple[str, int]]:
    """Run the embedded AWS; yield its endpoint and process id."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        address = start(home, port=free_port())
        try:
            yield address.endpoint, address.pid
        finally:
            stop(home)


@contextmanager
def ministack() -> Iterator[tuple[str, int]]:
    """Run ministack alone; yield its endpoint and process id."""
    port = free_port()
    environment = isolated(os.environ) | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "ministack"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: answers(port), within=30)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def eventually(condition: Callable[[], bool], *, within: float) -> None:
    """Wait until a condition holds. Raises TimeoutError."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing in {within} s")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Tell whether something listens on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


if __name__ == "__main__":
    main()
