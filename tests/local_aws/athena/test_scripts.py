"""Every script of scripts/*.sql does what AWS's pages say: its statements run one after another in an empty database.

A step is a comment that says what it shows, a statement, and what it answers: `-->` columns with types and then the
rows (as CSV after a SELECT, line by line after SHOW and DESCRIBE), `--=` the number of rows that were written, or `--!`
the reason of its failure.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.local_aws.athena.asking import CALLER, ended, rows_of, start
from tests.local_aws.athena.conftest import Opens
from tests.local_aws.athena.lake import Lake
from workshop.local_aws.athena import Athena
from workshop.local_aws.athena.results import csv_line
from workshop.local_aws.protocol import AwsError

SCRIPTS = Path(__file__).parent / "scripts"
STEP = re.compile(r"^-- (?P<title>.+)\n(?P<statement>(?:(?!--).+\n)+?)(?P<expected>(?:--[>!=].*\n?)+)", re.MULTILINE)


class Step(NamedTuple):
    title: str
    statement: str
    kind: str
    expected: list[str]


def steps(file: Path) -> list[Step]:
    found = []
    for match in STEP.finditer(file.read_text("utf-8")):
        lines = match["expected"].splitlines()
        statement = match["statement"].rstrip().removesuffix(";")
        found.append(Step(match["title"], statement, lines[0][2], [line[3:].removeprefix(" ") for line in lines]))
    return found


def answered(athena: Athena, step: Step) -> list[str]:
    """Return what a statement answers, in the notation of the scripts."""
    try:
        query_id = start(athena, step.statement)
    except AwsError as error:
        return [f"{error.error_type}: {error.message}"]
    execution = ended(athena, query_id)
    if execution["Status"]["State"] != "SUCCEEDED":
        return [str(execution["Status"]["StateChangeReason"])]
    if step.kind == "=":
        return [str(athena.get_query_results(CALLER, {"QueryExecutionId": query_id})["UpdateCount"])]
    columns, rows = rows_of(athena, query_id)
    head = ", ".join(f"{name} {kind}" for name, kind in columns)
    if execution["SubstatementType"] == "SELECT":
        return [head, *(csv_line(row).removesuffix("\n") for row in rows[1:])]
    return [head, *(str(row[0]) for row in rows)]


def scripts() -> Iterator[Any]:
    for file in sorted(SCRIPTS.glob("*.sql")):
        yield pytest.param(file, id=file.stem)


@pytest.mark.parametrize("file", list(scripts()))
def test_script(opens: Opens, file: Path) -> None:
    lake = Lake()
    lake.workgroup["EnforceWorkGroupConfiguration"] = False
    athena = opens(lake)
    for step in steps(file):
        assert (step.title, answered(athena, step)) == (step.title, step.expected)


def test_every_step_is_run() -> None:
    """A step that the pattern does not see would be skipped silently."""
    written = sum(len(re.findall(r"(?m);$", file.read_text("utf-8"))) for file in SCRIPTS.glob("*.sql"))
    assert sum(len(steps(file)) for file in SCRIPTS.glob("*.sql")) == written >= 80
