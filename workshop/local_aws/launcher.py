"""Start, find and stop the embedded AWS of a home."""

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from workshop import processes
from workshop.errors import WorkshopError
from workshop.local_aws.home import IDENTITY_PATH, Address, Home
from workshop.local_aws.isolation import isolated

START_SECONDS = 60
STOP_SECONDS = 60
"""Delivering a full buffer takes a few seconds on a slow machine; this is an order of magnitude more."""

T = TypeVar("T")


class NotStarted(WorkshopError):
    """The embedded AWS did not come up; the message ends with the last line it logged."""


class NotStopped(WorkshopError):
    """The embedded AWS does not stop."""


def start(
    home: Home, *, port: int | None = None, interval_factor: float | None = None, enforce_iam: bool = False
) -> Address:
    """Start the embedded AWS of a home, or find the one that runs, and return where it answers.

    It outlives this process. Interrupted while it waits, it stops what it started. One that runs stays as it is,
    whether it enforces IAM policies or not.

    Raises:
        NotStarted: the server ended or did not answer in time.
    """
    running = home.address()
    if running is not None and _answers(running):
        return running
    home.root.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "workshop.local_aws.server", "--home", str(home.root)]
    if port is not None:
        command += ["--port", str(port)]
    if interval_factor is not None:
        command += ["--interval-factor", str(interval_factor)]
    if enforce_iam:
        command.append("--enforce-iam")
    with home.log.open("ab") as log:
        process = processes.start(command, environment=isolated(os.environ), output=log)

    def reached() -> Address | None:
        if process.poll() is not None:
            raise NotStarted(f"The embedded AWS ended at once: {_last_line(home.log)}", f"Its log is {home.log}.")
        address = home.address()
        return address if address and address.pid == process.pid and _answers(address) else None

    try:
        address = _eventually(reached, within=START_SECONDS)
        if address is None:
            raise NotStarted(
                f"The embedded AWS did not answer in {START_SECONDS} s: {_last_line(home.log)}",
                f"Its log is {home.log}.",
            )
    except BaseException:
        processes.end(process)
        raise
    return address


def stop(home: Home) -> bool:
    """Stop the embedded AWS of a home after it has delivered what it buffers; return whether one ran.

    Raises:
        NotStopped: it is still there after STOP_SECONDS.
    """
    # Whoever holds the home wrote the address. It may be too busy to answer, and is no less there.
    address = home.address()
    if address is None:
        return False
    os.kill(address.pid, signal.SIGTERM)
    if not _eventually(lambda: None if _lives(address.pid) else True, within=STOP_SECONDS):
        raise NotStopped(
            f"Process {address.pid} still serves {home.root} after {STOP_SECONDS} s.", f"Its log is {home.log}."
        )
    return True


def _lives(group: int) -> bool:
    """Tell whether any process of the group is left: the server leads its own, and its functions' workers are in it."""
    # A server that this very process started stays as a zombie until it is waited for.
    with suppress(ChildProcessError):
        os.waitpid(group, os.WNOHANG)
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _answers(address: Address) -> bool:
    """Tell whether the process that wrote the address is the one that answers there."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address.endpoint + IDENTITY_PATH, timeout=5) as response:
            return address.identity in response.read().decode()
    except (urllib.error.URLError, OSError):
        return False


def _eventually(found: Callable[[], T | None], *, within: float) -> T | None:
    """Ask until there is an answer that is not None, or time runs out."""
    deadline = time.monotonic() + within
    while (answer := found()) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it logged nothing")
