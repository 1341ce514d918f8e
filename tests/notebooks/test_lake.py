"""A notebook gets tables whose types follow from Athena's, and errors that say what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tests.e2e.conftest import Workshop
from workshop.errors import WorkshopError
from workshop.notebook import Lake, open_lake

COLUMNS = {
    "CAST(7 AS tinyint)": "Int64",
    "CAST(7 AS bigint)": "Int64",
    "CAST(7 AS double)": "float64",
    "CAST(7.25 AS decimal(9, 2))": "float64",
    "true": "boolean",
    "'seven'": "str",
    "DATE '2026-01-05'": "datetime64[us]",
    "TIMESTAMP '2026-01-05 07:15:00.250'": "datetime64[us]",
}


@pytest.mark.parametrize("condition", ["true", "false"])
def test_a_dtype_follows_from_the_athena_type_alone(lake: Lake, condition: str) -> None:
    values = ", ".join(f"{value} AS c{place}" for place, value in enumerate(COLUMNS))
    nothing = ", ".join("NULL" for _ in COLUMNS)
    table = lake.ask(f"SELECT {values} WHERE {condition} UNION ALL SELECT {nothing} WHERE {condition}")
    assert len(table) == (2 if condition == "true" else 0)
    assert [str(dtype) for dtype in table.dtypes] == list(COLUMNS.values())


def test_values_survive(lake: Lake) -> None:
    table = lake.ask("SELECT BIGINT '9007199254740993' AS big, TIMESTAMP '2026-01-05 07:15:00.250' AS at")
    assert table.big[0] == 2**53 + 1
    assert table["at"][0].isoformat() == "2026-01-05T07:15:00.250000"


def test_two_columns_may_have_one_name(lake: Lake) -> None:
    table = lake.ask("SELECT 1 AS n, 2 AS n")
    assert list(table.columns) == ["n", "n"]
    assert table.to_numpy().tolist() == [[1, 2]]


def test_a_name_and_its_statement_answer_alike_and_what_they_took_is_remembered(lake: Lake) -> None:
    assert "asked" in lake.cost
    table = lake.ask("low_stock")
    assert lake.last is not None
    assert lake.last.data_scanned_bytes > 0
    assert lake.cost.startswith(f"{len(table)} rows")
    lake.ask("SELECT 1")
    assert lake.last.data_scanned_bytes == 0


@pytest.mark.parametrize(
    ("asked", "says"),
    [("no_such_query", "low_stock"), ("SELECT nothing FROM stock_events", "COLUMN_NOT_FOUND"), ("SELEC 1", "line 1:1")],
)
def test_what_cannot_be_answered_says_why(lake: Lake, asked: str, says: str) -> None:
    with pytest.raises(WorkshopError, match=says):
        lake.ask(asked)


def test_a_process_that_was_cut_off_from_aws_does_not_take_the_embedded_one_for_it(lake: Lake) -> None:
    with pytest.raises(WorkshopError, match="Restart the kernel"):
        open_lake(aws=True)


def test_a_lake_that_went_away_says_so(lake: Lake, environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("WORKSHOP_HOME", str(tmp_path))
    with pytest.raises(WorkshopError, match="workshop up"):
        lake.ask("low_stock")


def shown(run: Callable[[NotebookNode, Path], NotebookNode], source: str, home: Path) -> list[NotebookNode]:
    """Return what a notebook shows whose one cell fails."""
    cell = new_code_cell(source, metadata={"tags": ["raises-exception"]})  # type: ignore[no-untyped-call]
    notebook = run(new_notebook(cells=[cell]), home)  # type: ignore[no-untyped-call]
    outputs: list[NotebookNode] = notebook.cells[0].outputs
    return outputs


def test_a_notebook_before_up_shows_a_sentence_and_the_next_step(
    run: Callable[[NotebookNode, Path], NotebookNode], tmp_path: Path
) -> None:
    [error] = shown(run, "from workshop.notebook import open_lake\nopen_lake()", tmp_path)
    assert error.traceback == ["The embedded AWS does not run.", "Run `python3 -m workshop up`."]


def test_a_notebook_shows_a_refused_statement_the_same_way(
    run: Callable[[NotebookNode, Path], NotebookNode], workshop: Workshop
) -> None:
    [error] = shown(run, "from workshop.notebook import open_lake\nopen_lake().ask('SELEC 1')", workshop.home)
    assert len(error.traceback) == 2
    assert "line 1:1" in error.traceback[0]
