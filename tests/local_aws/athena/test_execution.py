"""What is kept of executions, results that are read in pages, and results that are used again."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.local_aws.athena.asking import CALLER, as_csv, ask, ended, rows_of, start
from tests.local_aws.athena.lake import BUCKET, NOW, Lake
from workshop.local_aws.athena import Athena
from workshop.local_aws.athena.execution import Execution, History
from workshop.local_aws.athena.results import csv_rows, text_rows
from workshop.local_aws.protocol import AwsError


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def athena(lake: Lake, clock: Clock, tmp_path: Path) -> Iterator[Athena]:
    athena = Athena("http://127.0.0.1:1", tmp_path, client=lake.client, now=clock)
    yield athena
    athena.close()


# ---- history: https://docs.aws.amazon.com/athena/latest/ug/queries-viewing-history.html ------------------------------


def test_executions_and_their_results_survive_a_restart(athena: Athena, lake: Lake, tmp_path: Path) -> None:
    first = start(athena, "SELECT 1 AS a, 'x' AS b", ClientRequestToken="t" * 32)
    failed = start(athena, "SELECT nothing")
    before = [ended(athena, first), ended(athena, failed)]
    rows = rows_of(athena, first)
    athena.close()
    again = Athena("http://127.0.0.1:1", tmp_path, client=lake.client, now=lambda: NOW)
    assert [ended(again, first), ended(again, failed)] == before
    assert rows_of(again, first) == rows
    assert again.list_query_executions(CALLER, {"WorkGroup": "workshop"})["QueryExecutionIds"] == [failed, first]
    assert start(again, "SELECT 1 AS a, 'x' AS b", ClientRequestToken="t" * 32) == first
    again.close()


def execution(name: str, **more: Any) -> Execution:
    return Execution(
        id=name,
        text="SELECT 1",
        caller=CALLER,
        workgroup="w",
        type="DML",
        subtype="SELECT",
        context={},
        output="",
        result={},
        parameters=[],
        submitted=NOW,
        **more,
    )


def test_what_a_stop_cut_off_has_failed_afterwards(tmp_path: Path) -> None:
    history = History(tmp_path / "h.jsonl")
    history.keep(execution("cut", state="RUNNING"))
    history.close()
    with (tmp_path / "h.jsonl").open("a") as file:
        file.write('{"id": "half')
    again = History(tmp_path / "h.jsonl")
    found = again.get("cut")
    assert found is not None
    assert (found.state, found.error["ErrorCategory"]) == ("FAILED", 1)
    assert [each.id for each in again.newest_first()] == ["cut"]
    again.close()


def test_the_file_holds_no_more_than_the_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workshop.local_aws.athena.execution.MAX_HISTORY", 3)
    for _ in range(2):
        history = History(tmp_path / "h.jsonl")
        for n in range(10):
            history.keep(execution(str(n), completed=None))
        history.close()
    History(tmp_path / "h.jsonl").close()
    lines = (tmp_path / "h.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["7", "8", "9"]


# ---- pages -----------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.none() | st.text(), min_size=2, max_size=2), min_size=1), st.integers(1, 5))
def test_pages_of_a_csv_make_up_the_whole(rows: list[list[str | None]], size: int) -> None:
    file = io.BytesIO(as_csv(["a", "b"], rows))
    found: list[list[str | None]] = []
    at: int | None = 0
    while at is not None:
        page, at = csv_rows(file, at, size)
        assert 1 <= len(page) <= size
        found += page
    assert found == [["a", "b"], *rows]


def test_a_value_longer_than_what_is_read_at_a_time() -> None:
    rows: list[list[str | None]] = [['"' * 700_000, None], ["x" * 600_000, "\n"]]
    assert csv_rows(io.BytesIO(as_csv(["a", "b"], rows)), 0, 10) == ([["a", "b"], *rows], None)


def test_lines_of_a_text_come_in_pages() -> None:
    file = io.BytesIO("a\tb\n\nü\n".encode())
    assert text_rows(file, 0, 2) == ([["a\tb"], [""]], 5)
    assert text_rows(file, 5, 2) == ([["ü"]], None)
    assert text_rows(io.BytesIO(b""), 0, 2) == ([], None)


MEMORY = """
import resource, sys, tempfile
from pathlib import Path
from tests.local_aws.athena.asking import ended, start
from tests.local_aws.athena.lake import Lake
from workshop.local_aws.athena import Athena

class File:
    def put_object(self, Body, **_):
        if not isinstance(Body, bytes):
            while Body.read(2**20): pass

lake = Lake()
clients = lambda service, region: File() if service == "s3" else lake.client(service, region)
athena = Athena("http://127.0.0.1:1", Path(sys.argv[1]), client=clients)
def run(rows):
    query = f"SELECT x AS a, x + 1 AS b, CAST(x AS varchar) AS c FROM UNNEST(sequence(1, {rows})) AS t (x)"
    execution = ended(athena, start(athena, query), within=120)
    assert execution["Status"]["State"] == "SUCCEEDED", execution
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = run(20_000)
print((run(1_000_000) - small) // 1024)
athena.close()
"""


def test_a_million_rows_are_never_held(tmp_path: Path) -> None:
    """Held as Python's texts they take more than 300 MiB; the engine itself takes some for the sequence."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert int(done.stdout) < 150


# ---- results that are used again: https://docs.aws.amazon.com/athena/latest/ug/reusing-query-results.html ------------

REUSE = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 10}}}


def reused(execution: dict[str, Any]) -> bool:
    return bool(execution["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"])


def test_a_result_is_used_again_while_it_is_young(athena: Athena, lake: Lake, clock: Clock) -> None:
    query = "SELECT count(*) AS n FROM stock_events"
    first = ended(athena, start(athena, query))
    clock.now += timedelta(minutes=9)
    second = ended(athena, start(athena, query, **REUSE))
    assert reused(second)
    assert second["ResultConfiguration"]["OutputLocation"] == first["ResultConfiguration"]["OutputLocation"]
    assert second["Statistics"]["DataScannedInBytes"] == 0
    assert rows_of(athena, second["QueryExecutionId"]) == ([("n", "bigint")], [["n"], ["0"]])
    clock.now += timedelta(minutes=2)
    assert not reused(ended(athena, start(athena, query, **REUSE)))


def test_a_result_is_not_used_for_another_question(athena: Athena) -> None:
    ended(athena, start(athena, "SELECT 1"))
    ended(athena, start(athena, "SELECT ?", ExecutionParameters=["1"]))
    assert not reused(ended(athena, start(athena, "SELECT 1")))
    assert not reused(ended(athena, start(athena, "SELECT 2", **REUSE)))
    assert not reused(ended(athena, start(athena, "SELECT 1", **REUSE, QueryExecutionContext={"Database": "other"})))
    assert not reused(ended(athena, start(athena, "SELECT ?", **REUSE, ExecutionParameters=["2"])))
    assert reused(ended(athena, start(athena, "SELECT ?", **REUSE, ExecutionParameters=["1"])))


def test_only_queries_are_used_again(athena: Athena, lake: Lake) -> None:
    ended(athena, start(athena, "CREATE TABLE t AS SELECT 1 AS n"))
    for _ in range(2):
        assert not reused(ended(athena, start(athena, "INSERT INTO t VALUES (1)", **REUSE)))
    assert ask(athena, "SELECT count(*) FROM t").rows == [("3",)]


# ---- requests --------------------------------------------------------------------------------------------------------


def test_a_statement_of_more_than_262144_bytes_is_refused(athena: Athena) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/service-limits.html."""
    longest = "SELECT '" + "ü" * ((262_144 - 9) // 2) + "'"
    assert len(longest.encode()) in (262_143, 262_144)
    assert ended(athena, start(athena, longest))["Status"]["State"] == "SUCCEEDED"
    with pytest.raises(AwsError, match="262144"):
        start(athena, longest + "  ")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ManagedQueryResultsConfiguration": {"Enabled": True}}, "Managed query results are not supported"),
        (
            {
                "ResultConfiguration": {
                    "OutputLocation": f"s3://{BUCKET}/",
                    "EncryptionConfiguration": {"EncryptionOption": "CSE_KMS"},
                }
            },
            "CSE_KMS is not supported",
        ),
    ],
)
def test_settings_that_are_not_there_are_refused_by_name(
    athena: Athena, lake: Lake, settings: dict[str, Any], words: str
) -> None:
    lake.workgroup |= settings
    with pytest.raises(AwsError, match=words):
        start(athena, "SELECT 1")


def test_who_owns_the_bucket_is_not_checked(athena: Athena, lake: Lake) -> None:
    lake.workgroup["EnforceWorkGroupConfiguration"] = False
    asked = {
        "OutputLocation": f"s3://{BUCKET}/mine",
        "ExpectedBucketOwner": "123456789012",
        "AclConfiguration": {"S3AclOption": "BUCKET_OWNER_FULL_CONTROL"},
    }
    assert ended(athena, start(athena, "SELECT 1", ResultConfiguration=asked))["Status"]["State"] == "SUCCEEDED"
