"""Notebooks are run as a learner runs them: by a kernel of their own, in their folder, on a lake that is freshly up."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

# Imported into this folder, the fixture makes a workshop of its own: the tests of tests/e2e trade on in theirs.
from tests.e2e.conftest import Workshop, workshop
from workshop.notebook import Lake, open_lake
from workshop.places import ROOT

__all__ = ["workshop"]

NOTEBOOKS = ROOT / "notebooks"
FILES = sorted(NOTEBOOKS.glob("*.ipynb"))


def read(file: Path) -> NotebookNode:
    notebook: NotebookNode = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[NotebookNode, Path], NotebookNode]:
    """Run a notebook against the workshop in a home, and return it with its outputs."""
    settings = {"IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))}

    def run(notebook: NotebookNode, home: Path) -> NotebookNode:
        client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(NOTEBOOKS)}})
        return client.execute(env={**os.environ, **settings, "WORKSHOP_HOME": str(home)})

    return run


@pytest.fixture(scope="session")
def executed(run: Callable[[NotebookNode, Path], NotebookNode], workshop: Workshop) -> dict[str, NotebookNode]:
    """All notebooks by name, each run from top to bottom, in order, on one lake."""
    return {file.stem: run(read(file), workshop.home) for file in FILES}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The environment of this process, put back afterwards: opening a local lake clears it of everything AWS."""
    before = dict(os.environ)
    yield monkeypatch
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def lake(workshop: Workshop, environment: pytest.MonkeyPatch) -> Lake:
    environment.setenv("WORKSHOP_HOME", str(workshop.home))
    return open_lake()
