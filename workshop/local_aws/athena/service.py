"""Athena's query executions: from StartQueryExecution to rows, as the API shows them."""

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import duckdb
from botocore.exceptions import BotoCoreError, ClientError
from sqlglot import exp

from workshop.local_aws import clients
from workshop.local_aws.athena.catalog import Catalog, split_location
from workshop.local_aws.athena.engine import Engine, ObjectCache
from workshop.local_aws.athena.errors import INTERNAL, MalformedStatement, QueryCancelled, QueryFailed
from workshop.local_aws.athena.results import column_info, from_csv, page, shown, to_csv
from workshop.local_aws.athena.statement import parse
from workshop.local_aws.athena.translate import translate
from workshop.local_aws.athena.trino_types import Type
from workshop.local_aws.protocol import Action, AwsError, Caller

MAX_HISTORY = 10_000
MAX_RESULTS = 1000  # https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
MAX_LISTED = 50
PARALLEL = 4
ENGINE_VERSION = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}

Clients = Callable[[str, str], Any]
"""Return the client of a service, such as `s3`, in a region."""


def invalid(message: str, code: str = "INVALID_INPUT") -> AwsError:
    """Return the refusal of a request."""
    return AwsError("InvalidRequestException", message, AthenaErrorCode=code)


@dataclass(slots=True)
class Execution:
    """One query execution."""

    id: str
    text: str
    statement: exp.Expr | QueryFailed
    caller: Caller
    workgroup: str
    context: dict[str, Any]
    output: str
    encryption: dict[str, Any]
    parameters: list[str]
    cutoff: int | None
    submitted: datetime
    state: str = "QUEUED"
    reason: str | None = None
    error: QueryFailed | None = None
    completed: datetime | None = None
    started: float = 0.0
    queued_ms: int = 0
    engine_ms: int = 0
    total_ms: int = 0
    planning_ms: int = 0
    scanned: int = 0
    row_count: int = 0
    columns: list[tuple[str, Type]] = field(default_factory=list)
    connection: duckdb.DuckDBPyConnection | None = None

    def described(self) -> dict[str, Any]:
        """Return the execution as GetQueryExecution does."""
        status: dict[str, Any] = {"State": self.state, "SubmissionDateTime": self.submitted.timestamp()}
        if self.completed:
            status["CompletionDateTime"] = self.completed.timestamp()
        if self.reason:
            status["StateChangeReason"] = self.reason
        if self.error:
            status["AthenaError"] = {
                "ErrorCategory": self.error.category,
                "ErrorType": self.error.error_type,
                "Retryable": False,
                "ErrorMessage": str(self.error),
            }
        described = {
            "QueryExecutionId": self.id,
            "Query": self.text,
            "StatementType": "DML",
            "SubstatementType": "SELECT",
            "ResultConfiguration": {"OutputLocation": self.output, **self.encryption},
            "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": False}},
            "QueryExecutionContext": self.context,
            "Status": status,
            "Statistics": {
                "EngineExecutionTimeInMillis": self.engine_ms,
                "DataScannedInBytes": self.scanned,
                "TotalExecutionTimeInMillis": self.total_ms,
                "QueryQueueTimeInMillis": self.queued_ms,
                "QueryPlanningTimeInMillis": self.planning_ms,
                "ServicePreProcessingTimeInMillis": 0,
                "ServiceProcessingTimeInMillis": max(0, self.total_ms - self.queued_ms - self.engine_ms),
                "ResultReuseInformation": {"ReusedPreviousResult": False},
            },
            "WorkGroup": self.workgroup,
            "EngineVersion": ENGINE_VERSION,
        }
        if self.parameters:
            described["ExecutionParameters"] = self.parameters
        return described


class Athena:
    """Runs queries on worker threads over what Glue and S3 at one endpoint hold.

    Workgroups, data catalogues, named queries and prepared statements are not its own: the endpoint answers for them.
    """

    target_prefix = "AmazonAthena"

    def __init__(
        self,
        endpoint: str,
        cache_dir: Path,
        *,
        client: Clients | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._client = client or (lambda service, region: clients.client(service, endpoint, region))
        self._now = now
        self._new_id = new_id
        self._cache = ObjectCache(cache_dir / "objects", partial(self._client, "s3"))
        self._engine = Engine(self._cache)
        self._lock = threading.Lock()
        self._executions: OrderedDict[str, Execution] = OrderedDict()
        self._tokens: dict[tuple[Caller, str], tuple[dict[str, Any], str]] = {}
        self._pages: OrderedDict[str, list[list[str | None]]] = OrderedDict()
        self._workers = ThreadPoolExecutor(PARALLEL, thread_name_prefix="athena")
        self.actions: Mapping[str, Action] = {
            "StartQueryExecution": self.start_query_execution,
            "GetQueryExecution": self.get_query_execution,
            "BatchGetQueryExecution": self.batch_get_query_execution,
            "ListQueryExecutions": self.list_query_executions,
            "GetQueryResults": self.get_query_results,
            "GetQueryRuntimeStatistics": self.get_query_runtime_statistics,
            "StopQueryExecution": self.stop_query_execution,
        }

    def close(self) -> None:
        """Cancel what runs and close DuckDB."""
        with self._lock:
            running = [execution for execution in self._executions.values() if execution.completed is None]
        for execution in running:
            self._cancel(execution)
        self._workers.shutdown(cancel_futures=True)
        self._cache.close()
        self._engine.close()

    # ---- actions -------------------------------------------------------------------------------------------------

    def start_query_execution(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Accept a statement and return its id at once."""
        text = request.get("QueryString") or ""
        if not text.strip():
            raise invalid("QueryString must not be empty")
        token = request.get("ClientRequestToken")
        execution = self._accepted(caller, request, text)
        with self._lock:
            first, first_id = self._tokens.setdefault((caller, token), (request, execution.id)) if token else ({}, None)
            if first_id not in (None, execution.id):
                if first != request:
                    raise invalid("Idempotent parameters do not match")
                return {"QueryExecutionId": first_id}
            self._executions[execution.id] = execution
            while len(self._executions) > MAX_HISTORY:
                dropped, _ = self._executions.popitem(last=False)
                self._tokens = {key: value for key, value in self._tokens.items() if value[1] != dropped}
        self._workers.submit(self._run, execution)
        return {"QueryExecutionId": execution.id}

    def get_query_execution(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Describe one execution."""
        return {"QueryExecution": self._execution(caller, request).described()}

    def batch_get_query_execution(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Describe up to 50 executions."""
        found, missing = [], []
        for each in request.get("QueryExecutionIds", []):
            try:
                found.append(self._execution(caller, {"QueryExecutionId": each}).described())
            except AwsError as error:
                missing.append({"QueryExecutionId": each, "ErrorCode": "INVALID_INPUT", "ErrorMessage": error.message})
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def list_query_executions(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """List a workgroup's executions, newest first."""
        workgroup = request.get("WorkGroup") or "primary"
        with self._lock:
            ids = [e.id for e in reversed(self._executions.values()) if (e.caller, e.workgroup) == (caller, workgroup)]
        start = _position(request.get("NextToken"))
        count = min(request.get("MaxResults") or MAX_LISTED, MAX_LISTED)
        listed: dict[str, Any] = {"QueryExecutionIds": ids[start : start + count]}
        if start + count < len(ids):
            listed["NextToken"] = str(start + count)
        return listed

    def get_query_results(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Return a page of a finished execution's rows; the first row of all is the header."""
        execution = self._execution(caller, request)
        if execution.state in {"QUEUED", "RUNNING"}:
            raise invalid(
                f"Query has not yet finished. Current state: {execution.state}", "INVALID_QUERY_EXECUTION_STATE"
            )
        if execution.state != "SUCCEEDED":
            text = f"Query did not finish successfully. Final query state: {execution.state}"
            raise invalid(text, "INVALID_QUERY_EXECUTION_STATE")
        count = request.get("MaxResults", MAX_RESULTS)
        if not 1 <= count <= MAX_RESULTS:
            raise invalid(f"MaxResults is more than maximum allowed length {MAX_RESULTS}.")
        start = _position(request.get("NextToken"))
        rows = self._rows(execution)
        answer: dict[str, Any] = {
            "UpdateCount": 0,
            "ResultSet": {
                "Rows": page(rows[start : start + count]),
                "ResultSetMetadata": {"ColumnInfo": [column_info(name, kind) for name, kind in execution.columns]},
            },
        }
        if start + count < len(rows):
            answer["NextToken"] = str(start + count)
        return answer

    def get_query_runtime_statistics(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Return an execution's times, bytes and rows; there are no stages to tell of."""
        execution = self._execution(caller, request)
        return {
            "QueryRuntimeStatistics": {
                "Timeline": {
                    "QueryQueueTimeInMillis": execution.queued_ms,
                    "QueryPlanningTimeInMillis": execution.planning_ms,
                    "EngineExecutionTimeInMillis": execution.engine_ms,
                    "TotalExecutionTimeInMillis": execution.total_ms,
                },
                "Rows": {"InputBytes": execution.scanned, "OutputRows": execution.row_count},
            }
        }

    def stop_query_execution(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Cancel an execution; one that has ended stays as it is."""
        self._cancel(self._execution(caller, request))
        return {}

    # ---- running -------------------------------------------------------------------------------------------------

    def _accepted(self, caller: Caller, request: dict[str, Any], text: str) -> Execution:
        parameters = request.get("ExecutionParameters") or []
        statement: exp.Expr | QueryFailed
        try:
            statement = parse(text, parameters)
        except MalformedStatement as error:
            raise invalid(str(error), "MALFORMED_QUERY") from None
        except QueryFailed as error:
            statement = error
        workgroup = request.get("WorkGroup") or "primary"
        try:
            described = self._client("athena", caller.region).get_work_group(WorkGroup=workgroup)["WorkGroup"]
        except ClientError:
            raise invalid(f"WorkGroup {workgroup} is not found.") from None
        if described.get("State") == "DISABLED":
            raise invalid(f"WorkGroup {workgroup} is disabled.")
        settings = described.get("Configuration", {})
        theirs, ours = request.get("ResultConfiguration") or {}, settings.get("ResultConfiguration") or {}
        # https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html: botocore's default is True.
        chosen = ours if settings.get("EnforceWorkGroupConfiguration") else {**ours, **theirs}
        location = chosen.get("OutputLocation")
        if not location:
            raise invalid(
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input."
            )
        new_id = self._new_id()
        encryption = {key: chosen[key] for key in ("EncryptionConfiguration",) if key in chosen}
        return Execution(
            id=new_id,
            text=text,
            statement=statement,
            caller=caller,
            workgroup=workgroup,
            context=request.get("QueryExecutionContext") or {},
            output=f"{location.rstrip('/')}/{new_id}.csv",
            encryption=encryption,
            parameters=parameters,
            cutoff=settings.get("BytesScannedCutoffPerQuery"),
            submitted=self._now(),
            started=perf_counter(),
        )

    def _run(self, execution: Execution) -> None:
        with self._lock:
            if execution.completed is not None:
                return
            execution.state = "RUNNING"
            execution.connection = self._engine.connect()
        begun = perf_counter()
        execution.queued_ms = round((begun - execution.started) * 1000)
        try:
            self._work(execution, execution.connection)
            self._end(execution, "SUCCEEDED")
        except QueryCancelled as cancelled:
            self._end(execution, "CANCELLED", str(cancelled))
        except QueryFailed as failed:
            self._end(execution, "FAILED", error=failed)
        except (ClientError, BotoCoreError) as error:
            self._end(execution, "FAILED", error=QueryFailed("GENERIC_USER_ERROR", str(error)))
        except Exception as error:
            wrong = QueryFailed("GENERIC_INTERNAL_ERROR", f"{type(error).__name__}: {error}", 1, INTERNAL)
            self._end(execution, "FAILED", error=wrong)
            raise
        finally:
            with self._lock:
                execution.connection.close()
                execution.connection = None

    def _work(self, execution: Execution, connection: duckdb.DuckDBPyConnection) -> None:
        if isinstance(execution.statement, QueryFailed):
            raise execution.statement
        region = execution.caller.region
        catalog = Catalog(self._client("glue", region), self._client("s3", region))
        database = (execution.context.get("Database") or "default").lower()
        begun = perf_counter()
        translation = translate(execution.statement, database, catalog, execution.submitted)
        execution.planning_ms = round((perf_counter() - begun) * 1000)
        try:
            result = self._engine.run(translation, connection, catalog, region, execution.submitted, execution.cutoff)
        finally:
            execution.engine_ms = round((perf_counter() - begun) * 1000)
        execution.scanned = result.scanned
        execution.columns = translation.columns
        kinds = [kind for _, kind in translation.columns]
        plain = all(not kind.of and kind.name not in {"varbinary", "interval day to second"} for kind in kinds)
        rows = (
            result.rows
            if plain
            else [tuple(shown(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in result.rows]
        )
        execution.row_count = len(rows)
        body = to_csv([name for name, _ in translation.columns], rows)
        bucket, key = split_location(execution.output)
        s3 = self._client("s3", region)
        s3.put_object(Bucket=bucket, Key=key.rstrip("/"), Body=body, ContentType="application/octet-stream")
        # The real one is a protocol buffer that AWS does not document; clients look for its presence.
        s3.put_object(Bucket=bucket, Key=key.rstrip("/") + ".metadata", Body=b"")

    def _end(
        self, execution: Execution, state: str, reason: str | None = None, error: QueryFailed | None = None
    ) -> None:
        with self._lock:
            if execution.completed is not None:
                return
            execution.state = state
            execution.reason = str(error) if error else reason
            execution.error = error
            execution.total_ms = round((perf_counter() - execution.started) * 1000)
            execution.completed = self._now()

    def _cancel(self, execution: Execution) -> None:
        self._end(execution, "CANCELLED", "Query was cancelled by user")
        if execution.state == "CANCELLED":
            threading.Thread(target=self._interrupt, args=(execution,), daemon=True).start()

    def _interrupt(self, execution: Execution) -> None:
        """Interrupt DuckDB until the execution lets go: it forgets an interrupt that falls between two statements."""
        while True:
            with self._lock:
                if execution.connection is None:
                    return
                execution.connection.interrupt()
            sleep(0.02)

    def _execution(self, caller: Caller, request: dict[str, Any]) -> Execution:
        wanted = request.get("QueryExecutionId", "")
        with self._lock:
            execution = self._executions.get(wanted)
        if execution is None or execution.caller != caller:
            raise invalid(f"QueryExecution {wanted} was not found")
        return execution

    def _rows(self, execution: Execution) -> list[list[str | None]]:
        """Return the rows of the CSV in the output location, as the real one reads them; a few results are kept."""
        with self._lock:
            if execution.id in self._pages:
                self._pages.move_to_end(execution.id)
                return self._pages[execution.id]
        bucket, key = split_location(execution.output)
        try:
            body = self._client("s3", execution.caller.region).get_object(Bucket=bucket, Key=key.rstrip("/"))["Body"]
        except ClientError:
            raise invalid(f"Could not find results of query {execution.id} at {execution.output}") from None
        rows = from_csv(body.read())
        with self._lock:
            self._pages[execution.id] = rows
            while len(self._pages) > PARALLEL:
                self._pages.popitem(last=False)
        return rows


def _position(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdigit():
        raise invalid("The NextToken is invalid")
    return int(token)
