"""What a run here would be billed for on AWS: every call is counted in the units of AWS's price list.

Calls over HTTP are seen by the gateway. What ministack does without HTTP, such as invoking a function or taking
messages from a queue, is seen where it does it. Polls that find nothing are not counted: the pace of the pollers here
is not Lambda's.
"""

import json
import math
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qs, unquote

METER_PATH: Final = "/_workshop/meter"
"""Where the gateway answers with the count."""

RECORD_STEP: Final = 5 * 1024
"""Firehose bills each record rounded up to 5 KB (https://aws.amazon.com/firehose/pricing/)."""
CHUNK: Final = 64 * 1024
"""Payload of one billed request of SQS, and of one billed event of EventBridge (their pricing pages)."""
LEAST_SCAN: Final = 10 * 1024**2
SCAN_STEP: Final = 1024**2
"""Athena bills bytes scanned rounded up to a megabyte, 10 MB at least (https://aws.amazon.com/athena/pricing/)."""
PLATFORM_LOG_BYTES: Final = 700
"""What Lambda itself logs of an invocation in JSON, START and REPORT. Assumed: here it logs less."""

Caller = Literal["functions", "services", "tools"]
"""Who calls: the functions, AWS's own services on their behalf, or whoever uses the system from outside."""

SERVICES_APP: Final = "workshop-embedded-aws"
"""The application id that boto3 in this very process puts into its user agent (AWS_SDK_UA_APP_ID)."""

Key = tuple[Caller, str, str]
"""Who calls, the billed unit as the price file names it, and what it was for: a table, a function, a prefix."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CREDENTIAL = re.compile(rb"Credential=([^/,\s]+)/[^/]+/[^/]+/([^/]+)/")
_FUNCTION_KEY = re.compile(r"[0-9]{12}|ASIA[0-9A-F]{16}")
_READ_BODY: Final = ("dynamodb", "sqs", "events")
_READ_ANSWER: Final = ("dynamodb", "sqs")


class Meter:
    """Counts billed units, and the facts of the run that they follow from. Safe to use from any thread."""

    def __init__(self, file: Path, *, now: Callable[[], float] = time.time) -> None:
        """Go on from what `file` holds."""
        self._file = file
        self._now = now
        self._lock = threading.Lock()
        self._counts: Counter[Key] = Counter()
        self._facts: Counter[str] = Counter()
        self._priced_queries: set[str] = set()
        self._metrics_of_hour: set[tuple[int, str, str]] = set()
        self._since = datetime.fromtimestamp(now(), UTC).isoformat(timespec="seconds")
        if file.exists():
            kept = json.loads(file.read_text(encoding="utf-8"))
            self._since = kept["since"]
            self._counts.update({(caller, unit, what): n for caller, unit, what, n in kept["counts"]})
            self._facts.update(kept["facts"])

    def count(self, caller: Caller, unit: str, what: str, amount: float = 1) -> None:
        """Add some billed units."""
        with self._lock:
            self._counts[caller, unit, what] += amount  # type: ignore[assignment]  # a Counter holds floats too

    def note(self, fact: str, amount: float = 1) -> None:
        """Add to a fact of the run, such as the events that StoreApp sent."""
        with self._lock:
            self._facts[fact] += amount  # type: ignore[assignment]

    def as_document(self) -> dict[str, Any]:
        """Return the count: `{"since", "counts": [[caller, unit, what, amount]], "facts": {name: amount}}`."""
        with self._lock:
            counts = [[*key, round(amount, 6)] for key, amount in sorted(self._counts.items())]
            return {"since": self._since, "counts": counts, "facts": dict(self._facts)}

    def keep(self) -> None:
        """Write the count down; readers see all of it or nothing."""
        draft = self._file.with_suffix(".tmp")
        draft.write_text(json.dumps(self.as_document()), encoding="utf-8")
        draft.replace(self._file)

    # ---- calls over HTTP -----------------------------------------------------------------------------------------

    def watch(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, send: Send) -> tuple[Receive, Send]:
        """Return `receive` and `send` by which a request to ministack is seen on its way; most are let pass as is."""
        service, caller = _service(headers), _caller(headers)
        if service == "s3":
            if priced := _s3_request(scope):
                self.count(caller, *priced)
        elif service == "glue":
            self.count(caller, "glue.requests", _action(headers))
        elif service in _READ_BODY:
            return self._read(service, caller, _action(headers), receive, send)
        return receive, send

    def _read(self, service: str, caller: Caller, action: str, receive: Receive, send: Send) -> tuple[Receive, Send]:
        heard: list[bytes] = []
        said: list[bytes] = []
        status = 0

        async def hearing() -> MutableMapping[str, Any]:
            message = await receive()
            heard.append(message.get("body", b""))
            return message

        async def telling(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif service in _READ_ANSWER:
                said.append(message.get("body", b""))
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self._charge(service, caller, action, b"".join(heard), status, b"".join(said))

        return hearing, telling

    def _charge(self, service: str, caller: Caller, action: str, body: bytes, status: int, answer: bytes) -> None:
        match service:
            case "dynamodb":
                for unit, table, units in _dynamodb_units(action, body, status, answer):
                    self.count(caller, unit, table, units)
            case "sqs" if status < 500:
                request = _document(body)
                queue = str(request.get("QueueUrl", "")).rpartition("/")[2]
                sent = [str(each.get("MessageBody", "")) for each in request.get("Entries", [request])]
                received = [str(each.get("Body", "")) for each in _document(answer).get("Messages", [])]
                size = sum(len(text.encode()) for text in sent + received)
                self.count(caller, "sqs.requests", queue, _chunks(size))
            case "events" if action == "PutEvents" and status < 400:
                self.put_events(caller, _document(body).get("Entries", []))

    def put_events(self, caller: Caller, entries: list[dict[str, Any]]) -> None:
        """Count the entries of a PutEvents by their detail type."""
        for entry in entries:
            size = sum(len(str(entry.get(part, "")).encode()) for part in ("Detail", "DetailType", "Source"))
            self.count(caller, "eventbridge.events", str(entry.get("DetailType")), _chunks(size))

    def answered(
        self, headers: Mapping[bytes, bytes], action: str, request: Mapping[str, Any], answer: Mapping[str, Any]
    ) -> None:
        """See a call that one of our own services has answered."""
        match action:
            case "PutRecord":
                self._records(headers, request, [request["Record"]])
            case "PutRecordBatch":
                accepted = zip(request["Records"], answer["RequestResponses"], strict=True)
                self._records(headers, request, [record for record, one in accepted if "ErrorCode" not in one])
            case "GetQueryExecution":
                self._query(_caller(headers), answer["QueryExecution"])
            case "BatchGetQueryExecution":
                for execution in answer["QueryExecutions"]:
                    self._query(_caller(headers), execution)

    def _records(
        self, headers: Mapping[bytes, bytes], request: Mapping[str, Any], records: list[dict[str, str]]
    ) -> None:
        caller, stream = _caller(headers), request["DeliveryStreamName"]
        sizes = [len(record["Data"]) * 3 // 4 - record["Data"].count("=", -2) for record in records]
        billed = sum(math.ceil(size / RECORD_STEP) * RECORD_STEP for size in sizes)
        self.count(caller, "firehose.ingestion", stream, billed)
        if caller == "functions":
            self.note("firehose_records", len(sizes))
            self.note("firehose_bytes", sum(sizes))

    def _query(self, caller: Caller, execution: Mapping[str, Any]) -> None:
        """Count an execution's bytes once it has ended. Statements that define something, and failures, are free."""
        if execution["Status"]["State"] not in ("SUCCEEDED", "CANCELLED") or execution["StatementType"] == "DDL":
            return
        with self._lock:
            if execution["QueryExecutionId"] in self._priced_queries:
                return
            self._priced_queries.add(execution["QueryExecutionId"])
        scanned = execution["Statistics"]["DataScannedInBytes"]
        billed = max(LEAST_SCAN, math.ceil(scanned / SCAN_STEP) * SCAN_STEP)
        self.count(caller, "athena.scanned", execution["WorkGroup"], billed)
        self.note("queries")

    # ---- what ministack does by itself ----------------------------------------------------------------------------

    def install(self) -> None:
        """See what ministack does without HTTP: invocations, messages, deliveries of the bus, steps of workflows."""
        os.environ["AWS_SDK_UA_APP_ID"] = SERVICES_APP
        self._watch_functions()
        self._watch_queues()
        self._watch_workflows()

    def _watch_functions(self) -> None:
        from ministack.core.lambda_runtime import Worker

        invoke, spawn = Worker.invoke, Worker._spawn
        began = threading.local()

        def spawned(worker: Any, *arguments: Any, **named: Any) -> Any:
            begun = time.perf_counter()
            answer = spawn(worker, *arguments, **named)
            began.init = getattr(began, "init", 0.0) + time.perf_counter() - begun
            return answer

        def invoked(worker: Any, event: Any, *arguments: Any, **named: Any) -> Any:
            began.init, begun = 0.0, time.perf_counter()
            answer = invoke(worker, event, *arguments, **named)
            self.invocation(worker.config, event, answer, time.perf_counter() - begun - began.init, began.init)
            return answer

        Worker.invoke, Worker._spawn = invoked, spawned

    def invocation(
        self, config: Mapping[str, Any], event: Any, answer: Mapping[str, Any], seconds: float, init: float
    ) -> None:
        """Count one run of a function: its handler's seconds, and those of its start if it was a cold one."""
        function = _plain_name(config)
        gb = config.get("MemorySize", 128) / 1024
        self.count("services", "lambda.requests", function)
        self.count("services", "lambda.arm_gb_seconds", function, gb * (_billed(seconds) + _billed(init)))
        self.note(f"{function}.seconds", seconds)
        self.note(f"{function}.runs")
        if init:
            self.note(f"{function}.starts")
            self.note(f"{function}.start_seconds", init)
        if (config.get("TracingConfig") or {}).get("Mode") == "Active":
            self.count("services", "xray.traces", function)
        log = answer.get("log") or ""
        self.count("services", "logs.ingestion", function, len(log.encode()) + PLATFORM_LOG_BYTES)
        self._metrics(function, log)
        if function == "store_app" and answer.get("status") == "ok":
            self._traded(event, answer["result"])

    def _traded(self, request: Mapping[str, Any], report: Mapping[str, Any]) -> None:
        """Note what StoreApp was asked for, in the form that the price model asks for a load."""
        hours, products = report["ticks"] // 4, int(request.get("products", 50))
        self.note(f"trade:{hours}:{report['stores']}:{products}")
        self.note("events", report["events"])

    def _metrics(self, function: str, log: str) -> None:
        """Count the custom metrics of a log in CloudWatch's embedded format, each once for every hour it is sent in."""
        hour = int(self._now() // 3600)
        for line in log.splitlines():
            if '"_aws"' not in line:
                continue
            document = _document(line[line.index("{") :].encode())
            for directive in document.get("_aws", {}).get("CloudWatchMetrics", []):
                for metric in directive["Metrics"]:
                    for dimensions in directive["Dimensions"] or [[]]:
                        values = [document.get(name) for name in dimensions]
                        self._metric_hour(function, hour, f"{metric['Name']} {values}")
                    value = document.get(metric["Name"], 0)
                    self.note(f"metric:{metric['Name']}", sum(value) if isinstance(value, list) else value)

    def _metric_hour(self, function: str, hour: int, metric: str) -> None:
        with self._lock:
            known = {each for each in self._metrics_of_hour if each[0] == hour}
            if (hour, function, metric) in known:
                return
            self._facts[f"{function}.hours"] += function not in {sender for _, sender, _ in known}
            self._metrics_of_hour = known | {(hour, function, metric)}
        self.count("services", "cloudwatch.metric_hours", function)

    def _watch_queues(self) -> None:
        from ministack.services import eventbridge, sqs

        receive, delete = sqs._receive_messages_for_esm, sqs._delete_messages_for_esm
        dispatch = eventbridge._dispatch_to_sqs

        def received(queue_url: str, most: int) -> Any:
            messages = receive(queue_url, most)
            if messages:
                size = sum(len(message["body"].encode()) for message in messages)
                self.count("services", "sqs.requests", queue_url.rpartition("/")[2], _chunks(size))
            return messages

        def deleted(queue_url: str, handles: Any) -> None:
            self.count("services", "sqs.requests", queue_url.rpartition("/")[2])
            delete(queue_url, handles)

        def dispatched(spec: Any, payload: str, *arguments: Any) -> None:
            self.count("services", "sqs.requests", spec.resource, _chunks(len(payload.encode())))
            dispatch(spec, payload, *arguments)

        sqs._receive_messages_for_esm, sqs._delete_messages_for_esm = received, deleted
        eventbridge._dispatch_to_sqs = dispatched

    def _watch_workflows(self) -> None:
        from ministack.services import stepfunctions

        add, put_events = stepfunctions._add_event, "arn:aws:states:::events:putEvents"
        put = stepfunctions._SERVICE_DISPATCH[put_events]

        def added(execution: Mapping[str, Any], kind: str, *arguments: Any) -> Any:
            # "Step Functions counts a state transition each time a step of your workflow is executed … including
            # retries" (https://aws.amazon.com/step-functions/pricing/); the start counts as one.
            entered, before = kind.endswith("StateEntered"), execution["events"][-1]["type"]
            again = kind == "TaskScheduled" and before == "TaskFailed"
            if entered or again:
                count = 2 if before == "ExecutionStarted" else 1
                self.count("services", "stepfunctions.transitions", "workflow", count)
            return add(execution, kind, *arguments)

        def putting(resource: str, request: dict[str, Any]) -> Any:
            answer = put(resource, request)
            self.put_events("services", request.get("Entries", []))
            return answer

        stepfunctions._add_event = added
        stepfunctions._SERVICE_DISPATCH[put_events] = putting


def _service(headers: Mapping[bytes, bytes]) -> str:
    found = _CREDENTIAL.search(headers.get(b"authorization", b""))
    return found[2].decode("latin-1") if found else ""


def _action(headers: Mapping[bytes, bytes]) -> str:
    return headers.get(b"x-amz-target", b"").decode("latin-1").partition(".")[2]


def _caller(headers: Mapping[bytes, bytes]) -> Caller:
    """Tell who calls: functions have the account's key, or under AUTH a session's; this process names itself."""
    found, agent = _CREDENTIAL.search(headers.get(b"authorization", b"")), headers.get(b"user-agent", b"")
    # The cdk command has a session's key too, but speaks through the SDK for JavaScript.
    if found and _FUNCTION_KEY.fullmatch(found[1].decode("latin-1")) and b"aws-sdk-js" not in agent:
        return "functions"
    return "services" if f"app/{SERVICES_APP}".encode() in agent else "tools"


def _s3_request(scope: Scope) -> tuple[str, str] | None:
    """Return the price and the prefix of an S3 request; DELETE is free (https://aws.amazon.com/s3/pricing/)."""
    bucket, _, key = unquote(scope["path"]).lstrip("/").partition("/")
    method, query = scope["method"], parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    prefix = (key or query.get("prefix", [""])[0]).partition("/")[0] or bucket
    if method == "GET" and not key:
        return "s3.put", f"list {prefix}"
    if method in ("PUT", "POST"):
        return ("s3.put", prefix) if "delete" not in query else None
    return ("s3.get", prefix) if method in ("GET", "HEAD") else None


def _dynamodb_units(action: str, body: bytes, status: int, answer: bytes) -> Iterator[tuple[str, str, float]]:
    """Yield (price, table, units) of a DynamoDB call, by the sizes of the items.

    A write is billed per KB of the larger of what was there and what is there now, a refused conditional one too, one
    in a transaction twice; a consistent read per 4 KB, an eventual one half ("DynamoDB read and write operations",
    DynamoDB developer guide).
    """
    from ministack.services.dynamodb import _get_item_by_key, _item_size_bytes, _tables

    request, given = _document(body), _document(answer)
    if status >= 500 or (status >= 400 and not _REFUSED_AND_BILLED.search(str(given.get("__type", "")))):
        return

    def stored(table: str, key: Mapping[str, Any]) -> int:
        item = _get_item_by_key(_tables[table], key)
        return _item_size_bytes(item) if item else 0

    def write(request: Mapping[str, Any]) -> float:
        table = request["TableName"]
        if (item := request.get("Item")) is None:
            return _kilobytes(stored(table, request["Key"]), 1)
        names = [part["AttributeName"] for part in _tables[table]["KeySchema"]]
        before = stored(table, {name: item[name] for name in names}) if status >= 400 else 0
        return _kilobytes(max(_item_size_bytes(item) if status < 400 else 0, before), 1)

    table = request.get("TableName", "")
    match action:
        case "PutItem" | "UpdateItem" | "DeleteItem":
            yield "dynamodb.write", table, write(request)
        case "TransactWriteItems":
            for operation in request["TransactItems"]:
                ((_, part),) = operation.items()
                yield "dynamodb.write", part["TableName"], 2 * write(part)
        case "GetItem":
            size = _item_size_bytes(given.get("Item", {}))
            yield "dynamodb.read", table, _kilobytes(size, 4) * _share(request)
        case "Query":
            size = sum(map(_item_size_bytes, given.get("Items", [])))
            yield "dynamodb.read", table, _kilobytes(size, 4) * _share(request)
        case "Scan":
            # A projection does not lower the price: the whole items are read. Only tools scan; some fifty items stand
            # for all, because this runs between two requests.
            stored_items = [item for items in _tables[table]["items"].values() for item in items.values()]
            step = max(1, len(stored_items) // 50)
            size = step * sum(map(_item_size_bytes, stored_items[::step]))
            yield "dynamodb.read", table, _kilobytes(size, 4) * _share(request)


_REFUSED_AND_BILLED = re.compile("ConditionalCheckFailed|TransactionCanceled|TransactionConflict")


def _share(request: Mapping[str, Any]) -> float:
    return 1.0 if request.get("ConsistentRead") else 0.5


def _kilobytes(size: int, step: int) -> float:
    return max(1, math.ceil(size / (step * 1024)))


def _chunks(size: int) -> int:
    return max(1, math.ceil(size / CHUNK))


def _billed(seconds: float) -> float:
    """Round up to a millisecond, as Lambda does."""
    return math.ceil(seconds * 1000) / 1000


def _plain_name(config: Mapping[str, Any]) -> str:
    """Return the folder of a function of ours, from its handler `lambdas.<folder>.handler.handler`, else its name."""
    parts = str(config.get("Handler", "")).split(".")
    return parts[1] if parts[0] == "lambdas" and len(parts) > 1 else str(config.get("FunctionName", "unknown"))


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
