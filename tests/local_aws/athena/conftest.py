"""An Athena over a lake in memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.local_aws.athena.lake import NOW, Lake, workshop_tables
from workshop.local_aws.athena import Athena

Opens = Callable[[Lake], Athena]


@pytest.fixture(scope="module")
def opens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opens]:
    """Return a function that opens an Athena over a lake, at noon on 2026-11-21."""
    with ExitStack() as stack:

        def open_over(lake: Lake) -> Athena:
            folder: Path = tmp_path_factory.mktemp("athena")
            athena = Athena("http://127.0.0.1:1", folder, client=lake.client, now=lambda: NOW)
            stack.callback(athena.close)
            return athena

        yield open_over


@pytest.fixture
def lake() -> Lake:
    return Lake(workshop_tables())


@pytest.fixture
def athena(lake: Lake, opens: Opens) -> Athena:
    return opens(lake)
