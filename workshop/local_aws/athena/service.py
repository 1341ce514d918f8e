"""Athena's query executions: from StartQueryExecution to rows, as the API shows them."""

import hashlib
import json
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import duckdb
from botocore.exceptions import BotoCoreError, ClientError

from workshop.local_aws import clients
from workshop.local_aws.athena import statements
from workshop.local_aws.athena.catalog import Catalog, StoredObject, split_location
from workshop.local_aws.athena.catalogs import Catalogs
from workshop.local_aws.athena.ddl import Ddl, Told
from workshop.local_aws.athena.engine import Engine, ObjectCache, as_texts
from workshop.local_aws.athena.errors import INTERNAL, MalformedStatement, QueryCancelled, QueryFailed
from workshop.local_aws.athena.execution import Execution, History, athena_error
from workshop.local_aws.athena.grammar import read
from workshop.local_aws.athena.plan import Translation
from workshop.local_aws.athena.results import column_info, csv_line, csv_rows, page, shown, text_rows
from workshop.local_aws.athena.statements import Statement, Written
from workshop.local_aws.athena.translate import translate
from workshop.local_aws.athena.trino_types import BIGINT, BOOLEAN, VARCHAR, Type
from workshop.local_aws.athena.writing import Writing, file_name
from workshop.local_aws.constraints import violations
from workshop.local_aws.protocol import Action, AwsError, Caller

MAX_QUERY_BYTES = 262_144  # https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
MAX_RESULTS = 1000  # https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html
MAX_LISTED = 50
PARALLEL = 4
FETCHED = 10_000
REUSE_MINUTES = 60  # https://docs.aws.amazon.com/athena/latest/APIReference/API_ResultReuseByAgeConfiguration.html

Clients = Callable[[str, str], Any]
"""Return the client of a service, such as `s3`, in a region."""


def invalid(message: str, code: str = "INVALID_INPUT") -> AwsError:
    """Return the refusal of a request."""
    return AwsError("InvalidRequestException", message, AthenaErrorCode=code)


@dataclass(slots=True)
class Job:
    """An execution that has not ended, and what it takes to run it."""

    execution: Execution
    statement: Statement | QueryFailed
    cutoff: int | None
    put_options: dict[str, str]
    tables: str
    """The folder of a CTAS that names none."""
    started: float
    connection: duckdb.DuckDBPyConnection | None = None
    committed: bool = False
    """Whether it is too late to stop it: its files are being put."""


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
        self._scratch = cache_dir / "writing"
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        self._engine = Engine(self._cache)
        self._lock = threading.Lock()
        self._history = History(cache_dir / "executions.jsonl")
        self._jobs: dict[str, Job] = {}
        self._workers = ThreadPoolExecutor(PARALLEL, thread_name_prefix="athena")
        checked: Mapping[str, Action] = {
            "StartQueryExecution": self.start_query_execution,
            "GetQueryExecution": self.get_query_execution,
            "BatchGetQueryExecution": self.batch_get_query_execution,
            "ListQueryExecutions": self.list_query_executions,
            "GetQueryRuntimeStatistics": self.get_query_runtime_statistics,
            "StopQueryExecution": self.stop_query_execution,
        }
        self.actions: Mapping[str, Action] = {
            **{operation: _checked(operation, action) for operation, action in checked.items()},
            "GetQueryResults": self.get_query_results,  # words its limit in its own way
            **Catalogs(self._client).actions,
        }

    def close(self) -> None:
        """Cancel what runs and close DuckDB."""
        with self._lock:
            running = list(self._jobs.values())
        for job in running:
            self._cancel(job)
        self._workers.shutdown(cancel_futures=True)
        self._cache.close()
        self._engine.close()
        self._history.close()

    def has_run_queries(self, caller: Caller, workgroup: str) -> bool:
        """Tell whether a work group has a query history."""
        return any((e.caller, e.workgroup) == (caller, workgroup) for e in self._history.newest_first())

    # ---- actions -------------------------------------------------------------------------------------------------

    def start_query_execution(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Accept a statement and return its id at once."""
        text = request.get("QueryString") or ""
        if not text.strip():
            raise invalid("QueryString must not be empty")
        if len(text.encode()) > MAX_QUERY_BYTES:
            raise invalid(
                "1 validation error detected: Value at 'queryString' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_QUERY_BYTES}"
            )
        job = self._accepted(caller, request, text)
        with self._lock:
            if first := self._history.started_by(caller, job.execution.token):
                if first.request != job.execution.request:
                    raise invalid("Idempotent parameters do not match")
                return {"QueryExecutionId": first.id}
            self._jobs[job.execution.id] = job
            self._history.keep(job.execution)
        self._workers.submit(self._run, job)
        return {"QueryExecutionId": job.execution.id}

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
        ids = [e.id for e in self._history.newest_first() if (e.caller, e.workgroup) == (caller, workgroup)]
        start = _position(request.get("NextToken"))
        count = request.get("MaxResults") or MAX_LISTED
        listed: dict[str, Any] = {"QueryExecutionIds": ids[start : start + count]}
        if start + count < len(ids):
            listed["NextToken"] = str(start + count)
        return listed

    def get_query_results(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Return a page of a finished execution's rows; of a query's, the first row of all is the header."""
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
        rows, following = self._page(execution, _position(request.get("NextToken")), count)
        answer: dict[str, Any] = {
            "UpdateCount": execution.update_count,
            "ResultSet": {"Rows": page(rows), "ResultSetMetadata": {"ColumnInfo": execution.columns}},
        }
        if following is not None:
            answer["NextToken"] = str(following)
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
        """Cancel an execution; one that has ended stays as it is, and so does one whose files are being put."""
        execution = self._execution(caller, request)
        with self._lock:
            job = self._jobs.get(execution.id)
        if job is not None:
            self._cancel(job)
        return {}

    # ---- running -------------------------------------------------------------------------------------------------

    def _accepted(self, caller: Caller, request: dict[str, Any], text: str) -> Job:
        workgroup = request.get("WorkGroup") or "primary"
        try:
            described = self._client("athena", caller.region).get_work_group(WorkGroup=workgroup)["WorkGroup"]
        except ClientError:
            raise invalid(f"WorkGroup {workgroup} is not found.") from None
        if described.get("State") == "DISABLED":
            raise invalid(f"WorkGroup {workgroup} is disabled.")
        settings = described.get("Configuration", {})
        if settings.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
            raise invalid("Managed query results are not supported by the embedded Athena")
        theirs, ours = request.get("ResultConfiguration") or {}, settings.get("ResultConfiguration") or {}
        # https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html: botocore's default is True.
        enforced = bool(settings.get("EnforceWorkGroupConfiguration"))
        chosen = ours if enforced else {**ours, **theirs}
        location = chosen.get("OutputLocation")
        if not location:
            raise invalid(
                "No output location provided. An output location is required either through the Workgroup result "
                "configuration setting or as an API input."
            )
        parameters = request.get("ExecutionParameters") or []
        statement = self._read(caller, workgroup, text, parameters)
        if enforced and isinstance(statement, statements.CreateTableAs) and "external_location" in statement.properties:
            raise invalid(
                "The Create Table As Select query failed because it was submitted with an 'external_location' property "
                "to an Athena Workgroup that enforces a centralized output location for all queries. Please remove the "
                "'external_location' property and resubmit the query."
            )
        new_id, base = self._new_id(), location.rstrip("/")
        execution = Execution(
            id=new_id,
            text=text,
            caller=caller,
            workgroup=workgroup,
            type="DML" if isinstance(statement, QueryFailed) else statement.type,
            subtype="SELECT" if isinstance(statement, QueryFailed) else statement.subtype,
            context=request.get("QueryExecutionContext") or {},
            output=f"{base}/{_output_name(statement, new_id)}",
            result={key: chosen[key] for key in ("EncryptionConfiguration",) if key in chosen},
            parameters=parameters,
            submitted=self._now(),
            reuse=_reuse(request),
            token=request.get("ClientRequestToken") or "",
            request=hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest(),
        )
        return Job(
            execution=execution,
            statement=statement,
            cutoff=settings.get("BytesScannedCutoffPerQuery"),
            put_options=_put_options(execution.result.get("EncryptionConfiguration") or {}),
            tables=f"{base}/tables/{new_id}/",
            started=perf_counter(),
        )

    def _read(self, caller: Caller, workgroup: str, text: str, parameters: Sequence[str]) -> Statement | QueryFailed:
        """Read a statement, and in the place of EXECUTE what was prepared under its name."""
        try:
            statement = read(text, parameters)
            if not isinstance(statement, statements.Execute):
                return statement
            try:
                found = self._client("athena", caller.region).get_prepared_statement(
                    StatementName=statement.name, WorkGroup=workgroup
                )["PreparedStatement"]
            except ClientError:
                return QueryFailed("NOT_FOUND", f"Prepared statement not found: {statement.name}")
            return read(found["QueryStatement"], statement.parameters or parameters)
        except MalformedStatement as error:
            raise invalid(str(error), "MALFORMED_QUERY") from None
        except QueryFailed as error:
            return error

    def _run(self, job: Job) -> None:
        execution = job.execution
        with self._lock:
            if execution.completed is not None:
                del self._jobs[execution.id]
                return
            execution.state = "RUNNING"
            job.connection = self._engine.connect()
        begun = perf_counter()
        execution.queued_ms = round((begun - job.started) * 1000)
        try:
            self._work(job, job.connection)
            self._end(job, "SUCCEEDED")
        except QueryCancelled as cancelled:
            self._end(job, "CANCELLED", str(cancelled))
        except QueryFailed as failed:
            self._end(job, "FAILED", error=failed)
        except (ClientError, BotoCoreError) as error:
            self._end(job, "FAILED", error=QueryFailed("GENERIC_USER_ERROR", str(error)))
        except Exception as error:
            wrong = QueryFailed("GENERIC_INTERNAL_ERROR", f"{type(error).__name__}: {error}", 1, INTERNAL)
            self._end(job, "FAILED", error=wrong)
            raise
        finally:
            with self._lock:
                job.connection.close()
                job.connection = None
                del self._jobs[execution.id]

    def _work(self, job: Job, connection: duckdb.DuckDBPyConnection) -> None:
        execution, statement = job.execution, job.statement
        if isinstance(statement, QueryFailed):
            raise statement
        region = execution.caller.region
        glue, s3 = self._client("glue", region), self._client("s3", region)
        # awswrangler's describe_table, show_create_table and repair_table send it in backticks.
        database = (execution.context.get("Database") or "default").strip("`").lower()
        catalog = Catalog(glue, s3)
        ddl = Ddl(glue, s3, database)

        def planned(query: Any) -> Translation:
            begun = perf_counter()
            translation = translate(query, database, catalog, execution.submitted)
            execution.planning_ms = round((perf_counter() - begun) * 1000)
            return translation

        match statement:
            case statements.Select():
                if not self._reused(job):
                    self._select(job, planned(statement.query), connection, catalog)
            case statements.CreateTableAs() | statements.Insert() | statements.Unload():
                writing = Writing(glue, s3, catalog, database, job.put_options)
                self._write(job, writing, statement, planned, connection, catalog)
            case statements.Explain():
                self._explain(job, statement, planned)
            case statements.CreateView():
                self._tell(job, ddl.create_view(statement, planned(statement.query)))
            case statements.Prepare() | statements.Deallocate():
                self._prepare(job, statement)
            case _:
                self._tell(job, ddl.run(statement))

    # ---- the kinds of statements -----------------------------------------------------------------------------------

    def _reused(self, job: Job) -> bool:
        """Take the result of an earlier execution of the same query, if the request allows one as old.

        https://docs.aws.amazon.com/athena/latest/ug/reusing-query-results.html
        """
        execution = job.execution
        if not execution.reuse.get("Enabled"):
            return False
        oldest = execution.submitted - timedelta(minutes=execution.reuse.get("MaxAgeInMinutes", REUSE_MINUTES))
        for each in self._history.newest_first():
            if each.state == "SUCCEEDED" and not each.reused and _same_query(each, execution):
                assert each.completed is not None  # noqa: S101 - it has succeeded
                if each.completed < oldest:
                    return False
                execution.output, execution.columns, execution.row_count = each.output, each.columns, each.row_count
                execution.reused = True
                return True
        return False

    def _select(
        self, job: Job, translation: Translation, connection: duckdb.DuckDBPyConnection, catalog: Catalog
    ) -> None:
        """Write the rows as they come into a file, and put it into the output location."""
        execution = job.execution
        kinds = [kind for _, kind in translation.columns]
        plain = all(not kind.of and kind.name not in {"varbinary", "interval day to second"} for kind in kinds)
        begun = perf_counter()
        with tempfile.TemporaryFile(dir=self._scratch) as file:
            try:
                with self._engine.opened(
                    translation, connection, catalog, execution.caller.region, execution.submitted, job.cutoff
                ) as execution.scanned:
                    file.write(csv_line([name for name, _ in translation.columns]).encode())
                    cursor = connection.execute(as_texts(translation))
                    while rows := cursor.fetchmany(FETCHED):
                        execution.row_count += len(rows)
                        if not plain:
                            rows = [tuple(map(shown, row, kinds)) for row in rows]
                        file.write("".join(map(csv_line, rows)).encode())
            finally:
                execution.engine_ms = round((perf_counter() - begun) * 1000)
            execution.columns = _columns(translation.columns)
            file.seek(0)
            self._put_result(job, file)

    def _write(
        self,
        job: Job,
        writing: Writing,
        statement: Written,
        planned: Callable[[Any], Translation],
        connection: duckdb.DuckDBPyConnection,
        catalog: Catalog,
    ) -> None:
        execution = job.execution
        execution.columns = _columns([("rows", BIGINT)])
        paths: list[str] = []
        if not writing.exists(statement):
            translation = planned(statement.query)
            target = writing.target(statement, translation, job.tables)
            begun = perf_counter()
            try:
                with self._engine.opened(
                    translation, connection, catalog, execution.caller.region, execution.submitted, job.cutoff
                ) as execution.scanned:
                    name = file_name(execution.submitted, execution.id, self._new_id())
                    rows = not isinstance(statement, statements.CreateTableAs) or statement.with_data
                    written = writing.write(
                        target, translation, connection, name, lambda: self._commit(job), self._scratch, rows=rows
                    )
            finally:
                execution.engine_ms = round((perf_counter() - begun) * 1000)
            execution.row_count = execution.update_count = written.rows
            paths = written.paths
        # https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
        manifest = f"{execution.output}-manifest.csv"
        s3 = self._client("s3", execution.caller.region)
        for location, body in (
            (manifest, "".join(path + "\n" for path in paths)),
            (f"{execution.output}.metadata", ""),
        ):
            bucket, key = _object(location)
            s3.put_object(Bucket=bucket, Key=key, Body=body.encode(), **job.put_options)
        execution.manifest = manifest

    def _explain(self, job: Job, statement: statements.Explain, planned: Callable[[Any], Translation]) -> None:
        """Validate a query. A statement that writes is read, and its query checked."""
        inner = statement.statement
        if isinstance(inner, statements.Select | Written):
            planned(inner.query)
        job.execution.columns = _columns([("Valid", BOOLEAN)])
        self._put_text(job, "true\n")

    def _prepare(self, job: Job, statement: statements.Prepare | statements.Deallocate) -> None:
        """Keep or forget a prepared statement of the workgroup, in the same place as CreatePreparedStatement does."""
        athena = self._client("athena", job.execution.caller.region)
        name = {"StatementName": statement.name, "WorkGroup": job.execution.workgroup}
        try:
            if isinstance(statement, statements.Prepare):
                athena.create_prepared_statement(**name, QueryStatement=statement.text)
            else:
                athena.delete_prepared_statement(**name)
        except ClientError as error:
            raise QueryFailed("GENERIC_USER_ERROR", error.response["Error"]["Message"]) from None
        self._put_text(job, "")

    def _tell(self, job: Job, told: Told) -> None:
        job.execution.columns = _columns([(name, VARCHAR) for name in told.columns])
        self._put_text(job, "".join(line + "\n" for line in told.lines))

    def _put_text(self, job: Job, text: str) -> None:
        self._put_result(job, text.encode())

    def _put_result(self, job: Job, body: Any) -> None:
        bucket, key = _object(job.execution.output)
        s3 = self._client("s3", job.execution.caller.region)
        kind = "text/plain" if key.endswith(".txt") else "application/octet-stream"
        s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=kind, **job.put_options)
        # The real one is a protocol buffer that AWS does not document; clients look for its presence.
        s3.put_object(Bucket=bucket, Key=key + ".metadata", Body=b"", **job.put_options)

    # ---- ends ----------------------------------------------------------------------------------------------------

    def _commit(self, job: Job) -> None:
        """Go past the point where the execution can be stopped; raises QueryCancelled if it was."""
        with self._lock:
            if job.execution.completed is not None:
                raise QueryCancelled("Query was cancelled by user")
            job.committed = True

    def _end(self, job: Job, state: str, reason: str = "", error: QueryFailed | None = None) -> None:
        execution = job.execution
        with self._lock:
            if execution.completed is not None:
                return
            execution.reason = str(error) if error else reason
            if error:
                execution.error = athena_error(str(error), error.category, error.error_type)
            execution.total_ms = round((perf_counter() - job.started) * 1000)
            execution.completed = self._now()
            execution.state = state
            self._history.keep(execution)

    def _cancel(self, job: Job) -> None:
        with self._lock:
            if job.committed:
                return
        self._end(job, "CANCELLED", "Query was cancelled by user")
        if job.execution.state == "CANCELLED":
            threading.Thread(target=self._interrupt, args=(job,), daemon=True).start()

    def _interrupt(self, job: Job) -> None:
        """Interrupt DuckDB until the execution lets go: it forgets an interrupt that falls between two statements."""
        while True:
            with self._lock:
                if job.connection is None:
                    return
                job.connection.interrupt()
            sleep(0.02)

    def _execution(self, caller: Caller, request: dict[str, Any]) -> Execution:
        wanted = request.get("QueryExecutionId", "")
        execution = self._history.get(wanted)
        if execution is None or execution.caller != caller:
            raise invalid(f"QueryExecution {wanted} was not found")
        return execution

    def _page(self, execution: Execution, start: int, count: int) -> tuple[list[list[str | None]], int | None]:
        """Return rows of the object in the output location, as the real one reads it, and where the next begin."""
        read_rows = {".csv": csv_rows, ".txt": text_rows}.get(execution.output[-4:])
        if read_rows is None:
            return [], None
        bucket, key = _object(execution.output)
        region = execution.caller.region
        try:
            head = self._client("s3", region).head_object(Bucket=bucket, Key=key)
            stored = StoredObject(bucket, key, head["ETag"].strip('"'), head["ContentLength"], ())
            with self._cache.copies([stored], region) as [path], path.open("rb") as file:
                return read_rows(file, start, count)
        except ClientError:
            raise invalid(f"Could not find results of query {execution.id} at {execution.output}") from None


def _object(location: str) -> tuple[str, str]:
    bucket, key = split_location(location)
    return bucket, key.rstrip("/")


def _columns(named: Sequence[tuple[str, Type]]) -> list[dict[str, Any]]:
    return [column_info(name, kind) for name, kind in named]


def _output_name(statement: Statement | QueryFailed, query_id: str) -> str:
    """Return the name of a result: rows are in a .csv, lines in a .txt, and what is written has a manifest beside it.

    https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
    """
    match statement:
        case QueryFailed() | statements.Select():
            return f"{query_id}.csv"
        case statements.CreateTableAs():
            return f"tables/{query_id}"
        case statements.Insert() | statements.Unload():
            return query_id
    return f"{query_id}.txt"


def _put_options(encryption: Mapping[str, str]) -> dict[str, str]:
    """Return how S3 is asked to encrypt.

    https://docs.aws.amazon.com/athena/latest/APIReference/API_EncryptionConfiguration.html
    """
    match encryption.get("EncryptionOption"):
        case None:
            return {}
        case "SSE_S3":
            return {"ServerSideEncryption": "AES256"}
        case "SSE_KMS":
            key = {"SSEKMSKeyId": encryption["KmsKey"]} if "KmsKey" in encryption else {}
            return {"ServerSideEncryption": "aws:kms", **key}
        case other:
            raise invalid(f"The encryption option {other} is not supported by the embedded Athena")


def _reuse(request: Mapping[str, Any]) -> dict[str, Any]:
    asked: dict[str, Any] = (request.get("ResultReuseConfiguration") or {}).get("ResultReuseByAgeConfiguration") or {}
    age = asked.get("MaxAgeInMinutes", REUSE_MINUTES)
    if not 0 <= age <= 10_080:
        raise invalid("MaxAgeInMinutes must be between 0 and 10080")
    return {**asked, "MaxAgeInMinutes": age} if asked.get("Enabled") else asked


def _same_query(one: Execution, other: Execution) -> bool:
    def key(execution: Execution) -> tuple[Any, ...]:
        folder = execution.output.rpartition("/")[0]
        return (
            *(execution.caller, execution.workgroup, execution.text, execution.parameters, execution.subtype),
            *(execution.context, folder, execution.result),
        )

    return key(one) == key(other)


def _checked(operation: str, action: Action) -> Action:
    def check_and_act(caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        if wrong := violations("athena", operation, request):
            raise invalid(wrong)
        return action(caller, request)

    return check_and_act


def _position(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdigit():
        raise invalid("The NextToken is invalid")
    return int(token)
