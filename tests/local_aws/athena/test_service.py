"""Query executions as Athena's API describes them: https://docs.aws.amazon.com/athena/latest/APIReference/."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.local_aws.athena.asking import CALLER, ask, ended, rows_of, start
from tests.local_aws.athena.events import event
from tests.local_aws.athena.lake import BUCKET, NOW, Lake, parquet, table, workshop_tables
from workshop.local_aws.athena import Athena
from workshop.local_aws.athena.catalog import StoredObject
from workshop.local_aws.athena.engine import ObjectCache
from workshop.local_aws.protocol import AwsError, Caller

SLOW = (
    "SELECT count(*) FROM UNNEST(sequence(1, 50000)) AS a (x), UNNEST(sequence(1, 50000)) AS b (y) WHERE x * y % 7 = 3"
)


def refused(athena: Athena, statement: str, **more: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        start(athena, statement, **more)
    return caught.value


def test_an_execution_is_described_as_athena_does(athena: Athena, lake: Lake) -> None:
    lake.put_events([event("A", "P1", 1, 3)])
    execution = ask(athena, "SELECT stock FROM stock_events").execution
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["Status"]["CompletionDateTime"] >= execution["Status"]["SubmissionDateTime"] == NOW.timestamp()
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "SELECT")
    assert execution["WorkGroup"] == "workshop"
    assert execution["QueryExecutionContext"] == {"Database": "workshop"}
    assert execution["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    statistics = execution["Statistics"]
    assert statistics["DataScannedInBytes"] > 0
    assert statistics["TotalExecutionTimeInMillis"] >= statistics["EngineExecutionTimeInMillis"] > 0
    location = execution["ResultConfiguration"]["OutputLocation"]
    key = location.removeprefix(f"s3://{BUCKET}/")
    assert key == f"athena-results/{execution['QueryExecutionId']}.csv"
    assert lake.objects[BUCKET, key] == b'"stock"\n"3"\n'
    assert (BUCKET, key + ".metadata") in lake.objects


def test_a_failure_is_a_state_with_a_reason_and_an_entry_of_the_error_catalogue(athena: Athena) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/error-reference.html."""
    status = ended(athena, start(athena, "SELECT nothing FROM stock_events"))["Status"]
    assert status["State"] == "FAILED"
    assert status["StateChangeReason"] == status["AthenaError"]["ErrorMessage"]
    assert status["AthenaError"] | {"ErrorMessage": ""} == {
        "ErrorCategory": 2,
        "ErrorType": 1006,
        "Retryable": False,
        "ErrorMessage": "",
    }


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT FROM stock_events", "line 1:8: mismatched input 'FROM'"),
        ("SELECT 1\nFROM (", "line 2:6: mismatched input '('"),
        ("SELEC 1", "line 1:1: mismatched input 'SELEC'"),
        ("SELECT 'a", "line 1:10: mismatched input '<EOF>'"),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
        ("-- nothing", "line 1:1: mismatched input '<EOF>'"),
    ],
)
def test_a_text_that_is_no_statement_is_refused_at_once(athena: Athena, statement: str, message: str) -> None:
    error = refused(athena, statement)
    assert (error.error_type, error.message) == ("InvalidRequestException", message)
    assert error.fields == {"AthenaErrorCode": "MALFORMED_QUERY"}


def test_pages_begin_with_the_header_and_end_without_a_token(athena: Athena) -> None:
    query_id = start(athena, "SELECT x FROM UNNEST(sequence(1, 2500)) AS t (x) ORDER BY x")
    ended(athena, query_id)
    first = athena.get_query_results(CALLER, {"QueryExecutionId": query_id})
    assert len(first["ResultSet"]["Rows"]) == 1000
    assert first["ResultSet"]["Rows"][0] == {"Data": [{"VarCharValue": "x"}]}
    for size in (1, 7, 1000) if first else ():
        rows = rows_of(athena, query_id, max(size, 100))[1]
        assert [row[0] for row in rows] == ["x", *map(str, range(1, 2501))]
    with pytest.raises(AwsError, match="MaxResults"):
        athena.get_query_results(CALLER, {"QueryExecutionId": query_id, "MaxResults": 1001})
    with pytest.raises(AwsError, match="NextToken"):
        athena.get_query_results(CALLER, {"QueryExecutionId": query_id, "NextToken": "x"})


def test_column_information(athena: Athena) -> None:
    query_id = start(athena, "SELECT 1 AS i, CAST(1.25 AS decimal(10, 2)) AS d, ARRAY['a'] AS a, CAST(1 AS real) AS r")
    ended(athena, query_id)
    answer = athena.get_query_results(CALLER, {"QueryExecutionId": query_id})
    columns = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [(c["Type"], c["Precision"], c["Scale"], c["CaseSensitive"]) for c in columns] == [
        ("integer", 10, 0, False),
        ("decimal", 10, 2, False),
        ("array", 0, 0, False),
        ("float", 17, 0, False),
    ]


def test_parameters_stand_where_the_question_marks_are(athena: Athena) -> None:
    statement = "SELECT ? AS a, x, '?' AS q FROM (VALUES 1, 2, 3) AS t (x) WHERE x IN (?, ?) -- ?"
    answer = ask(athena, statement, ["'it''s'", "1", "3"])
    assert answer.rows == [("it's", "1", "?"), ("it's", "3", "?")]
    assert answer.execution["ExecutionParameters"] == ["'it''s'", "1", "3"]
    assert ask(athena, "SELECT ?").reason == (
        "INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected 1 but found 0"
    )


def test_a_token_starts_a_statement_once(athena: Athena) -> None:
    first = start(athena, "SELECT 1", ClientRequestToken="t" * 32)
    assert start(athena, "SELECT 1", ClientRequestToken="t" * 32) == first
    assert start(athena, "SELECT 1", ClientRequestToken="u" * 32) != first
    assert refused(athena, "SELECT 2", ClientRequestToken="t" * 32).message == "Idempotent parameters do not match"


def test_one_token_from_many_threads_starts_one_execution(athena: Athena) -> None:
    gate = threading.Barrier(8)

    def ask_once(_: int) -> str:
        gate.wait()
        return start(athena, "SELECT 1", ClientRequestToken="t" * 32)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask_once, range(8)))) == 1


def test_an_enforcing_workgroup_decides_where_results_go(athena: Athena, lake: Lake) -> None:
    """https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html."""
    mine = {"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/mine"}}

    def location() -> str:
        execution = ended(athena, start(athena, "SELECT 1", **mine))
        return str(execution["ResultConfiguration"]["OutputLocation"])

    assert location().startswith(f"s3://{BUCKET}/athena-results/")
    lake.workgroup["EnforceWorkGroupConfiguration"] = False
    assert location().startswith(f"s3://{BUCKET}/mine/")
    lake.workgroup = {}
    assert "No output location provided" in refused(athena, "SELECT 1").message


def test_a_stopped_statement_is_cancelled_and_stays_so(athena: Athena) -> None:
    query_id = start(athena, SLOW)
    athena.stop_query_execution(CALLER, {"QueryExecutionId": query_id})
    assert ended(athena, query_id)["Status"]["State"] == "CANCELLED"
    with pytest.raises(AwsError, match="CANCELLED"):
        athena.get_query_results(CALLER, {"QueryExecutionId": query_id})
    # The worker is free again: more statements than workers run to their end.
    assert [ask(athena, "SELECT 1").rows for _ in range(6)] == [[("1",)]] * 6


def test_a_running_statement_is_interrupted(athena: Athena) -> None:
    query_id = start(athena, SLOW)
    while (
        athena.get_query_execution(CALLER, {"QueryExecutionId": query_id})["QueryExecution"]["Status"]["State"]
        == "QUEUED"
    ):
        pass
    with pytest.raises(AwsError, match="not yet finished"):
        athena.get_query_results(CALLER, {"QueryExecutionId": query_id})
    athena.stop_query_execution(CALLER, {"QueryExecutionId": query_id})
    eventually(lambda: query_id not in athena._jobs, within=5)  # Left alone it takes far longer.
    assert ended(athena, query_id)["Status"]["StateChangeReason"] == "Query was cancelled by user"


def test_executions_are_listed_newest_first_for_their_workgroup_account_and_region(athena: Athena) -> None:
    ids = [start(athena, f"SELECT {n}") for n in range(3)]
    listed = athena.list_query_executions(CALLER, {"WorkGroup": "workshop", "MaxResults": 2})
    assert listed["QueryExecutionIds"] == [ids[2], ids[1]]
    rest = athena.list_query_executions(CALLER, {"WorkGroup": "workshop", "NextToken": listed["NextToken"]})
    assert rest == {"QueryExecutionIds": [ids[0]]}
    assert athena.list_query_executions(CALLER, {})["QueryExecutionIds"] == []
    elsewhere = Caller(CALLER.account, "eu-west-1")
    with pytest.raises(AwsError, match="was not found"):
        athena.get_query_execution(elsewhere, {"QueryExecutionId": ids[0]})
    batch = athena.batch_get_query_execution(CALLER, {"QueryExecutionIds": [ids[0], "none"]})
    assert [execution["Query"] for execution in batch["QueryExecutions"]] == ["SELECT 0"]
    assert [missing["QueryExecutionId"] for missing in batch["UnprocessedQueryExecutionIds"]] == ["none"]


def test_history_is_bounded(athena: Athena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workshop.local_aws.athena.execution.MAX_HISTORY", 3)
    ids = [start(athena, "SELECT 1", ClientRequestToken=str(n) * 32) for n in range(5)]
    with pytest.raises(AwsError, match="was not found"):
        athena.get_query_execution(CALLER, {"QueryExecutionId": ids[1]})
    assert ended(athena, ids[2])["Status"]["State"] == "SUCCEEDED"


def test_results_that_were_deleted_are_missed_by_name(athena: Athena, lake: Lake) -> None:
    query_id = start(athena, "SELECT 1")
    execution = ended(athena, query_id)
    del lake.objects[BUCKET, execution["ResultConfiguration"]["OutputLocation"].removeprefix(f"s3://{BUCKET}/")]
    with pytest.raises(AwsError, match="Could not find results"):
        athena.get_query_results(CALLER, {"QueryExecutionId": query_id})


def test_statements_run_at_the_same_time_do_not_see_each_others_tables(athena: Athena, lake: Lake) -> None:
    for n in range(8):
        lake.tables[f"t{n}"] = table(f"t{n}", {"n": "int"}, f"s3://{BUCKET}/t{n}/")
        lake.put(f"t{n}/a", parquet([{"n": n}] * (n + 1), {"n": "int"}))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: ask(athena, f"SELECT count(*), max(n) FROM t{n}").rows, [*range(8)] * 4))
    assert answers == [[(str(n + 1), str(n))] for n in range(8)] * 4


# ---- what a statement must not reach ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        'SELECT * FROM "/etc/passwd"',
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM information_schema.key_column_usage",
        "SELECT * FROM sqlite_master",
        "SELECT getenv('HOME')",
        "SELECT trino_unit('day')",
        "SELECT current_setting('allowed_directories')",
        "SELECT error('DIVISION_BY_ZERO: x')",
        "ATTACH '/tmp/other.db'",
        "COPY (SELECT 1) TO '/tmp/stolen'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "PRAGMA version",
        "CALL pragma_version()",
    ],
)
def test_a_statement_reaches_no_file_setting_or_function_of_the_engine(athena: Athena, statement: str) -> None:
    with suppress(AwsError):
        # Some are no statements of Athena's at all, and are refused before they start.
        reason = ended(athena, start(athena, statement))["Status"]["StateChangeReason"]
        assert reason.split(":")[0] in {"FUNCTION_NOT_FOUND", "TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND", "NOT_SUPPORTED"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "COPY (SELECT 1) TO '/tmp/athena-must-not-write'",
        "ATTACH '/tmp/athena-must-not-attach.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
    ],
)
def test_the_engine_itself_would_refuse(athena: Athena, statement: str) -> None:
    """The second lock, behind the translation: even DuckDB's own SQL gets nowhere."""
    with athena._engine.connect() as connection, pytest.raises(Exception, match=r"[Pp]ermission|locked|disabled"):
        connection.execute(statement)


# ---- the cache -------------------------------------------------------------------------------------------------------


def stored(lake: Lake, key: str, body: bytes) -> StoredObject:
    lake.put(key, body)
    return StoredObject(BUCKET, key, key, len(body), ())


def test_the_cache_removes_what_was_used_longest_ago(tmp_path: Path) -> None:
    lake = Lake(workshop_tables())
    cache = ObjectCache(tmp_path / "objects", lambda region: lake.client("s3", region), limit=250)
    a, b, c = (stored(lake, name, b"x" * 100) for name in "abc")
    for each in (a, b, a, c, a, c):
        with cache.copies([each], "us-east-1"):
            pass
    assert lake.fetched == ["a", "b", "c"]
    with cache.copies([b], "us-east-1"):
        pass
    assert lake.fetched == ["a", "b", "c", "b"]
    cache.close()


def test_the_cache_keeps_what_is_in_use(tmp_path: Path) -> None:
    lake = Lake(workshop_tables())
    cache = ObjectCache(tmp_path / "objects", lambda region: lake.client("s3", region), limit=150)
    a, b = (stored(lake, name, b"x" * 100) for name in "ab")
    with cache.copies([a], "us-east-1") as in_use:
        with cache.copies([b], "us-east-1"):
            pass
        assert in_use[0].read_bytes() == b"x" * 100
    cache.close()


def test_the_cache_fetches_once_for_many_threads_and_knows_its_copies_when_opened_again(tmp_path: Path) -> None:
    lake = Lake(workshop_tables())
    objects = [stored(lake, str(n), bytes([n])) for n in range(20)]

    def use(cache: ObjectCache) -> list[bytes]:
        with cache.copies(objects, "us-east-1") as paths:
            return [path.read_bytes() for path in paths]

    cache = ObjectCache(tmp_path / "objects", lambda region: lake.client("s3", region))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, [cache] * 8)) == [[bytes([n]) for n in range(20)]] * 8
    cache.close()
    (tmp_path / "objects" / ".partial").write_bytes(b"half")
    again = ObjectCache(tmp_path / "objects", lambda region: lake.client("s3", region))
    use(again)
    again.close()
    assert len(lake.fetched) == 20
    assert not (tmp_path / "objects" / ".partial").exists()
