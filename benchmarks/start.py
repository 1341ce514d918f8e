"""Seconds from the start of the embedded AWS's process until it answers: an empty home, and one that holds much.

Run as `python -m benchmarks.start`. The full home has 1,000 objects and 100 MiB of records that a killed server has
accepted and not delivered. The ratio is to what the machine needs to import ministack's app and the HTTP server alone.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from benchmarks.firehose import deploy, eventually, packed
from workshop.local_aws import launcher
from workshop.local_aws.clients import client
from workshop.local_aws.home import IDENTITY_PATH, Home
from workshop.local_aws.isolation import isolated

TIMES = 5
OBJECTS = 1_000
RECORDS = 100 * (1 << 20)


def main() -> None:
    """Measure the median of each and print the ratios."""
    bare = [sys.executable, "-c", "import ministack.app, hypercorn.asyncio"]
    base = median(lambda: seconds(bare))
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as full:
        fill(Home(Path(full)))
        print(f"{'imports alone':28}{base:8.2f} s")
        for name, folder in (("an empty home", empty), ("1,000 objects, 100 MiB left", full)):
            taken = median(lambda folder=folder: until_answer(Home(Path(folder))))  # type: ignore[misc]
            print(f"{name:28}{taken:8.2f} s   ratio {taken / base:.2f}")


def median(measure: Callable[[], float]) -> float:
    """Return the median of some measurements."""
    return statistics.median(measure() for _ in range(TIMES))


def seconds(command: list[str]) -> float:
    """Return how long a command takes."""
    began = time.monotonic()
    subprocess.run(command, env=isolated(os.environ), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def until_answer(home: Home) -> float:
    """Return how long a server takes to answer, and kill it, so that it leaves behind what it found."""
    command = [sys.executable, "-m", "workshop.local_aws.server", "--home", str(home.root), "--port", "0"]
    began = time.monotonic()
    process = subprocess.Popen([*command, "--interval-factor", "100"], env=isolated(os.environ), start_new_session=True)
    try:
        eventually(lambda: answers(home, process.pid), within=60)
        return time.monotonic() - began
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(home: Home, process: int) -> bool:
    """Tell whether the server of a home answers."""
    address = home.address()
    if address is None or address.pid != process:
        return False
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address.endpoint + IDENTITY_PATH, timeout=60) as response:
        return address.identity in response.read().decode()


def fill(home: Home) -> None:
    """Put the objects and the records, and kill the server before it delivers these."""
    address = launcher.start(home, port=0, interval_factor=100)
    deploy(address.endpoint)
    s3, firehose = client("s3", address.endpoint), client("firehose", address.endpoint)
    for number in range(OBJECTS):
        s3.put_object(Bucket="bench", Key=f"kept/{number}", Body=b"x" * 1_000)
    left = RECORDS
    while left > 0:
        for records in packed(50_000):
            firehose.put_record_batch(DeliveryStreamName="bench", Records=records)
            left -= sum(len(each["Data"]) for each in records)
    os.killpg(address.pid, signal.SIGKILL)
    eventually(lambda: home.address() is None, within=10)


if __name__ == "__main__":
    main()
