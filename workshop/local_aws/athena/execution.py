"""Query executions as Athena remembers them, also over a restart."""

import json
import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from workshop.local_aws.athena.errors import INTERNAL
from workshop.local_aws.protocol import Caller

MAX_HISTORY = 10_000
"""AWS keeps 45 days: https://docs.aws.amazon.com/athena/latest/ug/queries-viewing-history.html."""
ENGINE_VERSION = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


@dataclass(slots=True)
class Execution:
    """One query execution: everything that is told of it after its end."""

    id: str
    text: str
    caller: Caller
    workgroup: str
    type: str
    subtype: str
    context: dict[str, Any]
    output: str
    result: dict[str, Any]
    """What else the result configuration says, such as its encryption."""
    parameters: list[str]
    submitted: datetime
    reuse: dict[str, Any] = field(default_factory=dict)
    token: str = ""
    request: str = ""
    """A digest of the request, to which a token is bound."""
    state: str = "QUEUED"
    reason: str = ""
    error: dict[str, Any] = field(default_factory=dict)
    completed: datetime | None = None
    queued_ms: int = 0
    planning_ms: int = 0
    engine_ms: int = 0
    total_ms: int = 0
    scanned: int = 0
    row_count: int = 0
    update_count: int = 0
    columns: list[dict[str, Any]] = field(default_factory=list)
    manifest: str = ""
    reused: bool = False

    def described(self) -> dict[str, Any]:
        """Return the execution as GetQueryExecution does."""
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted.timestamp()}
        if self.completed:
            status["CompletionDateTime"] = self.completed.timestamp()
        if self.reason:
            status["StateChangeReason"] = self.reason
        if self.error:
            status["AthenaError"] = self.error
        statistics: dict[str, Any] = {
            "EngineExecutionTimeInMillis": self.engine_ms,
            "DataScannedInBytes": self.scanned,
            "TotalExecutionTimeInMillis": self.total_ms,
            "QueryQueueTimeInMillis": self.queued_ms,
            "QueryPlanningTimeInMillis": self.planning_ms,
            "ServicePreProcessingTimeInMillis": 0,
            "ServiceProcessingTimeInMillis": max(0, self.total_ms - self.queued_ms - self.engine_ms),
            "ResultReuseInformation": {"ReusedPreviousResult": self.reused},
        }
        if self.manifest:
            statistics["DataManifestLocation"] = self.manifest
        described = {
            "QueryExecutionId": self.id,
            "Query": self.text,
            "StatementType": self.type,
            "SubstatementType": self.subtype,
            "ResultConfiguration": {"OutputLocation": self.output, **self.result},
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": self.reuse or {"Enabled": False}},
            "QueryExecutionContext": self.context,
            "Status": status,
            "Statistics": statistics,
            "WorkGroup": self.workgroup,
            "EngineVersion": ENGINE_VERSION,
        }
        if self.parameters:
            described["ExecutionParameters"] = self.parameters
        return described


def _to_json(execution: Execution) -> str:
    return json.dumps(asdict(execution), default=datetime.isoformat)


def _from_json(line: str) -> Execution:
    document: dict[str, Any] = json.loads(line)
    known = {each.name for each in fields(Execution)}
    for name in ("submitted", "completed"):
        if document.get(name):
            document[name] = datetime.fromisoformat(document[name])
    document["caller"] = Caller(**document["caller"])
    return Execution(**{key: value for key, value in document.items() if key in known})


class History:
    """The latest executions, in the order of their start, in memory and in a file of JSON lines.

    An execution is written when it starts and again when it ends; the last line of an id counts. One that a stop of the
    server cut off is FAILED when the file is read again.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._executions: OrderedDict[str, Execution] = OrderedDict()
        self._started_by: dict[tuple[Caller, str], Execution] = {}
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                self._read(line)
        for execution in self._executions.values():
            if execution.completed is None:
                _cut_off(execution)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.write_text("".join(_to_json(each) + "\n" for each in self._executions.values()), "utf-8")
        draft.replace(path)
        self._file = path.open("a", encoding="utf-8")

    def _read(self, line: str) -> None:
        try:
            execution = _from_json(line)
        except ValueError:
            return  # The server was killed in the middle of the last line.
        self._remember(execution)

    def keep(self, execution: Execution) -> None:
        """Remember an execution as it is now."""
        with self._lock:
            if execution.completed and execution.id not in self._executions:
                return  # So many were started since that it is forgotten.
            self._remember(execution)
            if not self._file.closed:
                self._file.write(_to_json(execution) + "\n")
                self._file.flush()

    def _remember(self, execution: Execution) -> None:
        self._executions[execution.id] = execution
        if execution.token:
            self._started_by[execution.caller, execution.token] = execution
        while len(self._executions) > MAX_HISTORY:
            _, forgotten = self._executions.popitem(last=False)
            self._started_by.pop((forgotten.caller, forgotten.token), None)

    def get(self, query_id: str) -> Execution | None:
        """Return an execution, or None."""
        with self._lock:
            return self._executions.get(query_id)

    def started_by(self, caller: Caller, token: str) -> Execution | None:
        """Return the execution that a caller's token started, or None."""
        with self._lock:
            return self._started_by.get((caller, token))

    def newest_first(self) -> list[Execution]:
        """Return all executions."""
        with self._lock:
            return list(reversed(self._executions.values()))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def _cut_off(execution: Execution) -> None:
    execution.state, execution.completed = "FAILED", execution.submitted
    execution.reason = "GENERIC_INTERNAL_ERROR: the embedded AWS was stopped while the statement ran"
    execution.error = athena_error(execution.reason, 1, INTERNAL)


def athena_error(text: str, category: int, error_type: int) -> dict[str, Any]:
    """Return an entry of the error catalogue.

    https://docs.aws.amazon.com/athena/latest/ug/error-reference.html
    """
    return {"ErrorCategory": category, "ErrorType": error_type, "Retryable": False, "ErrorMessage": text}
