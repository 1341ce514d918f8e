"""What every test may use, and the one rule all of them keep: no network beyond this machine."""

import atexit
import os
import time
from collections.abc import Callable
from typing import TypeVar

import boto3
import hypothesis
import pytest
import pytest_socket

T = TypeVar("T")

# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("here")


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Unit tests open no socket at all; the others reach 127.0.0.1 alone."""
    if "unit" in item.path.relative_to(item.config.rootpath).parts:
        pytest_socket.disable_socket(allow_unix_socket=True)
    else:
        pytest_socket.socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: much of an end-to-end test is waiting for something to arrive."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture
def default_session_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a test makes of boto3's default session, credentials included, from the tests after it."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test after its argument where the value is compressed: gzip writes the time into it, and workers that
    run tests side by side have to collect the same names."""
    return argname if isinstance(val, bytes) and val.startswith(b"\x1f\x8b") else None


def pytest_unconfigure() -> None:
    """Let the interpreter end in silence: DuckDB's binding lists, over eighty lines, what was not freed by then."""
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))


def eventually(found: Callable[[], T], *, within: float) -> T:
    """Ask until the answer is true, and return it; fail when time runs out."""
    deadline = time.monotonic() + within
    while not (answer := found()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within} s: {found}")
        time.sleep(0.05)
    return answer
