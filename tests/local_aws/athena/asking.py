"""Ask an Athena service as a client does, and wait for the answer."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from tests.local_aws.athena.lake import DATABASE, WORKGROUP
from workshop.local_aws.athena import Athena
from workshop.local_aws.athena.results import csv_line
from workshop.local_aws.protocol import Caller

CALLER = Caller("000000000000", "us-east-1")
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


class Answer(NamedTuple):
    """How a statement ended."""

    execution: dict[str, Any]
    columns: list[tuple[str, str]]
    rows: list[tuple[str | None, ...]]

    @property
    def reason(self) -> str:
        return str(self.execution["Status"].get("StateChangeReason", ""))

    @property
    def scanned(self) -> int:
        return int(self.execution["Statistics"]["DataScannedInBytes"])


def start(athena: Athena, statement: str, **more: Any) -> str:
    """Start a statement in the workshop's database and return its id."""
    request = {
        "QueryString": statement,
        "QueryExecutionContext": {"Database": DATABASE},
        "WorkGroup": WORKGROUP,
        **more,
    }
    return str(athena.start_query_execution(CALLER, request)["QueryExecutionId"])


def ended(athena: Athena, query_id: str, within: float = 30) -> dict[str, Any]:
    """Wait until an execution has ended, and describe it."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        execution: dict[str, Any] = athena.get_query_execution(CALLER, {"QueryExecutionId": query_id})["QueryExecution"]
        if execution["Status"]["State"] in ENDED:
            return execution
        time.sleep(0.002)
    raise AssertionError(f"{query_id} has not ended within {within} s")


def rows_of(
    athena: Athena, query_id: str, page_size: int = 1000
) -> tuple[list[tuple[str, str]], list[list[str | None]]]:
    """Return the columns and all rows, the header first."""
    rows: list[list[str | None]] = []
    request: dict[str, Any] = {"QueryExecutionId": query_id, "MaxResults": page_size}
    while True:
        answer = athena.get_query_results(CALLER, request)
        rows += [[datum.get("VarCharValue") for datum in row["Data"]] for row in answer["ResultSet"]["Rows"]]
        if "NextToken" not in answer:
            columns = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
            return [(column["Name"], column["Type"]) for column in columns], rows
        request["NextToken"] = answer["NextToken"]


def ask(athena: Athena, statement: str, parameters: Sequence[str] = ()) -> Answer:
    """Run a statement to its end."""
    query_id = start(athena, statement, **({"ExecutionParameters": list(parameters)} if parameters else {}))
    execution = ended(athena, query_id)
    if execution["Status"]["State"] != "SUCCEEDED":
        return Answer(execution, [], [])
    columns, rows = rows_of(athena, query_id)
    return Answer(execution, columns, [tuple(row) for row in rows[1:]])


def as_csv(header: Sequence[str], rows: Sequence[Sequence[str | None]]) -> bytes:
    """Return a whole result as Athena writes it."""
    return "".join(map(csv_line, (header, *rows))).encode()
