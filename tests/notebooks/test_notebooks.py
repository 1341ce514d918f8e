"""The notebooks run, their exercises are open and solvable, and what is stored in them is what a fresh lake answers."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode

from tests.notebooks.conftest import FILES, read
from workshop.places import ROOT

STORED = [pytest.param(read(file), id=file.stem) for file in FILES]
NAMES = [file.stem for file in FILES]

# A folder that only the machine of its writer has, the address of a server there, or a name made up by a deployment.
OF_ONE_MACHINE = re.compile(
    r"/(?:home|root|Users|tmp|var|opt|usr|mnt|private|workspace)/|[A-Z]:\\|127\.0\.0\.1|localhost|inventorylake-|Inventory\w+-\w+"
)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tagged(notebook: NotebookNode, tag: str) -> NotebookNode:
    found: list[NotebookNode] = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    [cell] = found
    return cell


def texts(cell: NotebookNode) -> list[str]:
    """Return what a cell shows, as text; pictures are left out."""
    shown: list[Any] = []
    for output in cell.outputs:
        shown.append(output.get("text"))
        shown.append("\n".join(output.get("traceback", [])))
        shown.extend(content for kind, content in output.get("data", {}).items() if not kind.startswith("image/"))
    return [str(text) for text in shown if text]


def tables(notebook: NotebookNode) -> dict[str, list[str]]:
    """Return the tables by cell, without those of cells tagged `varies`.

    Those show files, and bytes read of them: how Firehose cuts the events into files depends on when they came.
    """
    return {
        cell.id: [output.data["text/plain"] for output in cell.outputs if "text/html" in output.get("data", {})]
        for cell in code_cells(notebook)
        if "varies" not in cell.metadata.get("tags", [])
    }


@pytest.mark.parametrize("name", NAMES)
def test_only_the_exercise_fails_and_its_solution_passes(executed: dict[str, NotebookNode], name: str) -> None:
    errors = {
        cell.id: output.ename
        for cell in code_cells(executed[name])
        for output in cell.outputs
        if output.output_type == "error"
    }
    assert errors == {tagged(executed[name], "exercise").id: "AssertionError"}
    assert "Solved" in "".join(texts(tagged(executed[name], "solution")))


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_what_is_stored_is_what_a_fresh_lake_answers(executed: dict[str, NotebookNode], file: Path) -> None:
    stored = tables(read(file))
    assert any(stored.values())
    assert stored == tables(executed[file.stem])


@pytest.mark.parametrize("stored", STORED)
def test_it_can_be_read_without_running(stored: NotebookNode) -> None:
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [cell.id for cell in cells if not cell.outputs] == []
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs)
    assert [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"] == []


@pytest.mark.parametrize("stored", STORED)
def test_it_starts_local_and_hides_the_solution(stored: NotebookNode) -> None:
    assert code_cells(stored)[0].source.splitlines()[0] == "AWS = False"
    assert "raises-exception" in tagged(stored, "exercise").metadata.tags
    assert tagged(stored, "solution").metadata.jupyter.source_hidden is True


@pytest.mark.parametrize("stored", STORED)
def test_nothing_in_it_belongs_to_one_machine(stored: NotebookNode) -> None:
    told = [cell.source for cell in stored.cells] + [text for cell in code_cells(stored) for text in texts(cell)]
    everything = "\n".join([*told, json.dumps(stored.metadata), *(json.dumps(cell.metadata) for cell in stored.cells)])
    assert OF_ONE_MACHINE.findall(everything) == []
    for folder in (ROOT, Path.home(), Path(sys.prefix)):
        assert f"{folder}/" not in everything
