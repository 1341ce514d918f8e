"""Start, find and stop the embedded AWS of a home."""

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from workshop import processes
from workshop.errors import WorkshopError
from workshop.local_aws.home import Address, Home
from workshop.local_aws.isolation import isolated

START_SECONDS = 60
STOP_SECONDS = 60
"""Delivering a full buffer takes a few seconds on a slow machine; this is an order of magnitude more."""


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
    if running is not None and running.answers():
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
        return address if address and address.pid == process.pid and address.answers() else None

    try:
        address = processes.eventually(reached, within=START_SECONDS)
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
    if not processes.eventually(lambda: not _lives(address.pid), within=STOP_SECONDS):
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


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it logged nothing")
