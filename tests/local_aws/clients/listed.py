"""The public clients that run against the embedded AWS unchanged: what each test tries, and by which page."""

import importlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., Any])


class Client(NamedTuple):
    """A client, as its users call it."""

    name: str
    package: str
    pages: str
    """Where its documentation is; a trial's page is named from there on."""

    @property
    def version(self) -> str:
        """Return the version that is installed, and so the one that is tried."""
        return version(self.package)


BOTO3 = Client("boto3", "boto3", "https://docs.aws.amazon.com/boto3/latest/reference/services/")
AWSWRANGLER = Client("AWS SDK for pandas", "awswrangler", "https://aws-sdk-pandas.readthedocs.io/en/stable/")
PYATHENA = Client("PyAthena", "pyathena", "https://pyathena.dev/master/")
SQLALCHEMY = Client("SQLAlchemy with PyAthena", "sqlalchemy", "https://pyathena.dev/master/")
CLI = Client("AWS CLI", "awscli", "https://docs.aws.amazon.com/cli/latest/reference/")


class Trial(NamedTuple):
    """What a test tries of a client."""

    client: Client
    what: str
    page: str
    test: str
    """The test, as pytest names it."""
    needs: str
    """What a user has to do besides naming the endpoint; empty for nothing."""
    gap: str
    """What the embedded AWS lacks for it; empty for nothing."""


_trials: list[Trial] = []


def tries(client: Client, what: str, page: str, *, needs: str = "", gap: str = "") -> Callable[[Test], Test]:
    """List what the decorated test tries, with the page of the client's documentation that shows it.

    A test with a `gap` is expected to fail, so it says when the gap is closed.
    """

    def listing(test: Test) -> Test:
        file = Path(test.__code__.co_filename).name
        _trials.append(Trial(client, what, client.pages + page, f"{file}::{test.__name__}", needs, gap))
        return pytest.mark.xfail(reason=gap)(test) if gap else test

    return listing


def modules() -> list[ModuleType]:
    """Return this folder's test modules."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
    return [importlib.import_module(f"{__package__}.{name}") for name in names]


def trials() -> list[Trial]:
    """Return what all of this folder's tests try, client by client."""
    modules()
    order = [BOTO3, AWSWRANGLER, PYATHENA, SQLALCHEMY, CLI]
    return sorted(set(_trials), key=lambda trial: (order.index(trial.client), trial.test))
