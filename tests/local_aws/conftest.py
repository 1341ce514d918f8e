"""The embedded AWS as users run it, for the tests that go over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workshop.local_aws import launcher
from workshop.local_aws.home import Home

# Any free port, so that no test meets a program that is already there.
FREE = 0


@contextmanager
def served(folder: Path, *, interval_factor: float | None = None) -> Iterator[str]:
    """Serve an embedded AWS from a folder for as long as the block lasts, and yield its endpoint."""
    home = Home(folder)
    try:
        yield launcher.start(home, port=FREE, interval_factor=interval_factor).endpoint
    finally:
        launcher.stop(home)
