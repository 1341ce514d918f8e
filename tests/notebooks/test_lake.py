"""A notebook gets tables whose types follow from Athena's, errors that say what to do, and files that go when told."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from tests.e2e.conftest import Workshop
from workshop.errors import WorkshopError
from workshop.notebook import Lake, open_lake
from workshop.target import find_target

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


# ---- files of the lake -----------------------------------------------------------------------------------------------


def scratch_files(lake: Lake) -> set[str]:
    """Return the files of tables that queries made; beside their folders lie the results of the queries themselves."""
    [file] = lake.files().path.head(1)
    pages = (
        find_target(aws=False)
        .client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=urlsplit(file).netloc, Prefix="athena-results/tables/")
    )
    return {item["Key"] for page in pages for item in page.get("Contents", ()) if item["Key"].count("/") > 2}


def test_files_are_those_that_a_question_reads(lake: Lake) -> None:
    files = lake.files()
    assert sorted(files.path) == sorted(lake.ask("events_by_file").path)
    assert files.written_at.is_monotonic_increasing
    assert files.bytes.gt(0).all()


@pytest.mark.parametrize("fails", [False, True])
def test_a_scratch_table_goes_with_its_files_also_when_its_block_fails(lake: Lake, fails: bool) -> None:
    before = scratch_files(lake)
    with (
        pytest.raises(ZeroDivisionError) if fails else nullcontext(),
        lake.scratch_table("numbers", "SELECT 7 AS n", properties="format = 'JSON'") as table,
    ):
        assert lake.ask(f"SELECT n FROM {table}").n.tolist() == [7]
        assert len(scratch_files(lake) - before) == 1
        assert 1 / (0 if fails else 1)
    assert scratch_files(lake) == before
    with pytest.raises(WorkshopError, match="scratch_numbers"):
        lake.ask("SELECT n FROM scratch_numbers")


def test_a_scratch_table_replaces_what_an_interrupted_run_has_left(lake: Lake) -> None:
    lake.ask("CREATE TABLE scratch_numbers WITH (format = 'JSON') AS SELECT 6 AS n")
    with lake.scratch_table("numbers", "SELECT 7 AS n", properties="format = 'JSON'") as table:
        assert lake.ask(f"SELECT n FROM {table}").n.tolist() == [7]


def test_a_refused_scratch_table_leaves_nothing_and_says_why(lake: Lake) -> None:
    before = scratch_files(lake)
    with pytest.raises(WorkshopError, match="COLUMN_NOT_FOUND"):
        lake.scratch_table("numbers", "SELECT nothing FROM stock_events", properties="format = 'JSON'").__enter__()
    assert scratch_files(lake) == before


@pytest.mark.parametrize("place", ["errors/", "athena-results/", "../stock_events/", "stock_events_of_others/"])
def test_only_delivered_files_of_this_lake_are_removed_and_all_or_none(lake: Lake, place: str) -> None:
    files = lake.files().path
    elsewhere = files[0].replace("/stock_events/", f"/{place}")
    for path in (elsewhere, files[0].replace("s3://", "s3://another-")):
        with pytest.raises(ValueError, match="no file under"):
            lake.remove([*files, path])
    assert lake.files().path.tolist() == files.tolist()


# ---- the stores' books and their trucks ------------------------------------------------------------------------------


def test_the_books_are_what_the_lake_holds(lake: Lake) -> None:
    books = lake.books()
    stock = lake.ask("latest_stock")
    assert dict(zip(zip(stock.store_id, stock.product_id, strict=True), stock.stock, strict=True)) == dict(
        zip(zip(books.shelves.store_id, books.shelves.product_id, strict=True), books.shelves.on_hand, strict=True)
    )
    events = lake.ask("SELECT store_id, count(*) AS events FROM unique_events GROUP BY store_id ORDER BY store_id")
    assert books.stores.events_sent.tolist() == events.events.tolist()


def test_deliveries_are_those_of_the_episodes_with_times_that_can_be_subtracted(lake: Lake) -> None:
    episodes, deliveries = lake.ask("episodes"), lake.deliveries()
    alerts = "A-" + episodes.store_id + "-" + episodes.product_id + "-" + episodes.number.astype(str)
    assert sorted(deliveries.alert_id) == sorted(alerts)
    assert deliveries.status.eq("DELIVERED").all()
    assert (deliveries.delivered_at - deliveries.noticed_at).min().total_seconds() > 0
    assert sorted(deliveries.opened_at) == sorted(episodes.opened_at)


def test_a_question_is_repeated_until_its_answer_is_as_wanted(lake: Lake) -> None:
    seen: list[int] = []

    def is_third(answer: pd.DataFrame) -> bool:
        seen.append(int(answer.n[0]))
        return len(seen) == 3

    assert lake.ask("SELECT 1 AS n", until=is_third).n.tolist() == [1]
    assert seen == [1, 1, 1]


def test_what_does_not_become_as_wanted_says_so(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workshop.notebook._within", lambda _: 0.0)
    with pytest.raises(WorkshopError, match="did not become as wanted"):
        lake.ask("SELECT 1 AS n", until=lambda _: False)
