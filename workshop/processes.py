"""Programs that run beside this one, and end with it when it is interrupted."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import IO, TypeVar

from workshop.places import ROOT

T = TypeVar("T")


def start(
    command: Sequence[str], *, environment: Mapping[str, str], output: IO[bytes], folder: Path = ROOT
) -> subprocess.Popen[bytes]:
    """Start a program in a folder, as the leader of a group of its own, which a terminal's Ctrl-C does not reach.

    Interrupted meanwhile, it ends what it has started before the interrupt goes on.
    """
    started: list[subprocess.Popen[bytes]] = []
    try:
        with _interrupts_waiting():
            started.append(
                subprocess.Popen(  # noqa: S603 - callers name programs of the environment
                    list(command),
                    cwd=folder,
                    env=dict(environment),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
    except BaseException:
        for process in started:
            end(process)
        raise
    return started[0]


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it has started, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()


def eventually(found: Callable[[], T], *, within: float) -> T:
    """Ask until the answer is true, at most `within` seconds, and return the last one."""
    deadline = time.monotonic() + within
    while not (answer := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


@contextmanager
def _interrupts_waiting() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done, so that a process is never started and forgotten."""
    came = False

    def note(_: int, __: FrameType | None) -> None:
        nonlocal came
        came = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
