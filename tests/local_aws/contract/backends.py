"""The back ends a rule is judged by: the embedded AWS, ministack alone, and moto."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from botocore.config import Config

from benchmarks.firehose import ministack as ministack_alone
from tests.local_aws.conftest import served
from tests.local_aws.contract.account import Account
from tests.local_aws.contract.rules import NO_ANSWER, Finding, Outcome, Rule, judge
from workshop.local_aws.isolation import isolated
from workshop.local_aws.protocol import REGION

INTERVAL_FACTOR = 0.005
"""A stream that delivers every 60 s does so every 0.3 s."""

UNANSWERED = 6
"""Rules that find no answer before a back end is taken to have stopped, and is asked no more."""


@dataclass(frozen=True, slots=True)
class Backend:
    """Somewhere a rule can be observed."""

    name: str
    client: Callable[[str], Any]
    patience: float
    """Seconds a rule waits for one condition."""
    deadline: float
    """Seconds after which a rule is left behind."""
    threads: int

    def findings(self, rules: Iterable[Rule]) -> dict[str, Finding]:
        """Judge by every rule, several at a time, and return what was found by rule id."""
        chosen, unanswered = list(rules), list[str]()

        def judged(one: Rule) -> Finding:
            if len(unanswered) >= UNANSWERED:
                return Finding(Outcome.DIFFERS, f"not asked: {', '.join(unanswered)} found no answer")
            finding = judge(one, Account(self.client, one.id, patience=self.patience), within=self.deadline)
            if finding.seen == NO_ANSWER:
                unanswered.append(one.id)
            return finding

        with ThreadPoolExecutor(self.threads) as pool:
            return dict(zip((one.id for one in chosen), pool.map(judged, chosen), strict=True))


def _clients(endpoint: str | None) -> Callable[[str], Any]:
    """Return a factory of clients that leave every check to the server, and ask once."""
    session = boto3.session.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    config = Config(
        parameter_validation=False,
        retries={"total_max_attempts": 1},
        read_timeout=30,
        max_pool_connections=16,
        s3={"addressing_style": "path"},
        proxies={},
    )

    @cache
    def client(service: str) -> Any:
        return session.client(service, endpoint_url=endpoint, config=config)  # type: ignore[call-overload]

    for service in ("athena", "firehose", "glue", "iam", "kinesis", "lambda", "s3"):
        client(service)  # made before there are threads: a session is not safe to share while it makes clients
    return client


@contextmanager
def ours() -> Iterator[Backend]:
    """Run the embedded AWS in a home of its own."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), interval_factor=INTERVAL_FACTOR) as endpoint:
        yield Backend("ours", _clients(endpoint), patience=30, deadline=60, threads=6)


@contextmanager
def ministack() -> Iterator[Backend]:
    """Run ministack as it comes."""
    with ministack_alone() as (endpoint, process):
        try:
            yield Backend("ministack", _clients(endpoint), patience=8, deadline=25, threads=4)
        finally:
            os.kill(process, signal.SIGKILL)  # told to stop, it would first finish the statements that nobody waits for


@contextmanager
def moto() -> Iterator[Backend]:
    """Mock AWS in this process: moto's server needs packages beyond moto, and answers no differently."""
    from moto import mock_aws

    with (
        patch.dict(os.environ, isolated(os.environ), clear=True),
        mock_aws(config={"lambda": {"use_docker": False}}),
    ):
        # One at a time: its back ends are plain dictionaries.
        yield Backend("moto", _clients(None), patience=1, deadline=10, threads=1)


BACKENDS: dict[str, Callable[[], AbstractContextManager[Backend]]] = {
    "ours": ours,
    "ministack": ministack,
    "moto": moto,
}
