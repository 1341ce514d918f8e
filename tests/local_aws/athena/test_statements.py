"""Every statement of statements/*.sql means what Trino's pages say.

A case is a comment that says what it shows, a statement, and either `-->` lines (columns with types, then the rows as
in Athena's CSV) or a `--!` line with the reason of its failure.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local_aws.athena.asking import as_csv, ask
from tests.local_aws.athena.conftest import Opens
from tests.local_aws.athena.lake import Lake, workshop_tables
from workshop.local_aws.athena import Athena

STATEMENTS = Path(__file__).parent / "statements"
CASE = re.compile(r"^-- (?P<title>.+)\n(?P<statement>(?:[A-Z].*\n)+)(?P<expected>(?:--[>!].*\n?)+)", re.MULTILINE)


def cases() -> Iterator[Any]:
    for file in sorted(STATEMENTS.glob("*.sql")):
        for match in CASE.finditer(file.read_text("utf-8")):
            lines = [line[3:].removeprefix(" ") for line in match["expected"].splitlines()]
            fails = match["expected"].startswith("--!")
            statement = match["statement"].rstrip().removesuffix(";")
            yield pytest.param(statement, lines, fails, id=f"{file.stem}: {match['title']}")


@pytest.fixture(scope="module")
def asked(opens: Opens) -> Athena:
    return opens(Lake(workshop_tables()))


@pytest.mark.parametrize(("statement", "expected", "fails"), list(cases()))
def test_statement(asked: Athena, statement: str, expected: list[str], fails: bool) -> None:
    answer = ask(asked, statement)
    if fails:
        assert answer.reason == expected[0]
        assert answer.execution["Status"]["AthenaError"]["ErrorMessage"] == expected[0]
        return
    assert answer.reason == ""
    assert ", ".join(f"{name} {kind}" for name, kind in answer.columns) == expected[0]
    header = as_csv([name for name, _ in answer.columns], []).decode()
    assert as_csv([name for name, _ in answer.columns], answer.rows).decode() == header + "".join(
        line + "\n" for line in expected[1:]
    )


def test_every_case_is_run() -> None:
    """A case that the pattern does not see would be skipped silently."""
    written = sum(len(re.findall(r"(?m);$", file.read_text("utf-8"))) for file in STATEMENTS.glob("*.sql"))
    assert len(list(cases())) == written >= 210
