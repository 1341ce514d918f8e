"""The notebooks run, their exercises are open and solvable, and what is stored in them is what a fresh lake answers."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode

from tests.notebooks.conftest import NOTEBOOKS, read
from workshop.places import ROOT

STORED = [pytest.param(read(file), id=file.stem) for file in sorted(NOTEBOOKS.glob("*.ipynb"))]

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
    """Return the tables by cell, without the bill: how many bytes are read depends on how Firehose cut the files."""
    return {
        cell.id: [output.data["text/plain"] for output in cell.outputs if "text/html" in output.get("data", {})]
        for cell in code_cells(notebook)
        if cell.id != "bill"
    }


def test_only_the_exercise_fails_and_its_solution_passes(executed: NotebookNode) -> None:
    errors = {
        cell.id: output.ename
        for cell in code_cells(executed)
        for output in cell.outputs
        if output.output_type == "error"
    }
    assert errors == {tagged(executed, "exercise").id: "AssertionError"}
    assert "Solved" in "".join(texts(tagged(executed, "solution")))


def test_what_is_stored_is_what_a_fresh_lake_answers(executed: NotebookNode) -> None:
    stored = tables(read(NOTEBOOKS / "01_ask_the_lake.ipynb"))
    assert any(stored.values())
    assert stored == tables(executed)


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
