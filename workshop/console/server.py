"""The page's server: the files of the page, its numbers as server-sent events, and the API behind its buttons."""

import asyncio
import hashlib
import json
import logging
import math
import re
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from workshop import ask, tracing
from workshop.console import looking
from workshop.console.running import NothingRuns, Runs, RunUnderWay
from workshop.console.security import Guard, Refusal
from workshop.console.watching import Watcher
from workshop.errors import WorkshopError
from workshop.local_aws.home import IDENTITY_PATH
from workshop.target import AwsOutOfReach, AwsRefused, aws_in_plain_words

PAGE = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
"""What the page is made of. A file of another type in its folder, such as a licence, is not served."""

MAX_BODY_BYTES = 64 * 1024
MAX_ROWS = 1000
MAX_WATCHING = 32
"""Pages that may be open at once; each keeps a connection."""
LEAST_PAUSE_SECONDS = 0.2
HEARTBEAT_SECONDS = 10.0
AT_ONCE = 8
"""Questions to AWS that are asked at once; each takes a thread."""

# Trino tells where a statement is wrong as "line 1:8: Column 'x' cannot be resolved".
_PLACE = re.compile(r"\bline (\d+):(\d+)\b")

_log = logging.getLogger(__name__)
T = TypeVar("T")


class JsonResponse(Response):
    """A JSON document in ASCII: a lone surrogate in somebody's text is no reason to fail."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the document's bytes."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class Console:
    """What the routes answer. Blocking work is done on threads."""

    def __init__(
        self,
        watcher: Watcher,
        runs: Runs,
        *,
        identity: str,
        stopping: asyncio.Event,
        pause: float = LEAST_PAUSE_SECONDS,
        heartbeat: float = HEARTBEAT_SECONDS,
        page: Path = PAGE,
    ) -> None:
        self._watcher = watcher
        self._runs = runs
        self._identity = identity
        self._stopping = stopping
        self._pause = pause
        self._heartbeat = heartbeat
        self._page = page
        self._watching = 0
        self._turns = anyio.CapacityLimiter(AT_ONCE)

    def routes(self) -> list[Route]:
        """Return the routes. Whatever is reached by GET changes nothing."""
        return [
            Route("/", self.index),
            Route("/page/{name:path}", self.file),
            Route(IDENTITY_PATH, self.identity),
            Route("/api/events", self.events),
            Route("/api/world", self.world),
            Route("/api/stock", self.stock),
            Route("/api/shelves/{store}/{product}", self.shelf),
            Route("/api/alerts", self.alerts),
            Route("/api/deliveries", self.deliveries),
            Route("/api/recent", self.recent),
            Route("/api/traces/{event_id}", self.trace),
            Route("/api/queries", self.queries, methods=["GET"]),
            Route("/api/quarantine", self.quarantine),
            Route("/api/errors", self.errors),
            Route("/api/dead-letters/{queue}", self.dead_letters, methods=["POST"]),
            Route("/api/queries", self.query, methods=["POST"]),
            Route("/api/runs", self.begin_run, methods=["POST"]),
            Route("/api/runs/stop", self.stop_run, methods=["POST"]),
        ]

    async def index(self, request: Request) -> Response:
        """Return the page itself."""
        return self._file(request, "index.html")

    async def file(self, request: Request) -> Response:
        """Return a file of the page."""
        return self._file(request, request.path_params["name"])

    def _file(self, request: Request, name: str) -> Response:
        # The name is looked up among those there are and never joined to a path, so that none leads elsewhere.
        files = {
            file.relative_to(self._page).as_posix(): file
            for file in self._page.rglob("*")
            if file.suffix in TYPES and file.is_file() and not file.is_symlink()
        }
        if name not in files:
            raise HTTPException(404)
        content = files[name].read_bytes()
        headers = {"etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"', "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=TYPES[files[name].suffix])

    async def identity(self, _: Request) -> Response:
        """Return who this is, for those who found the address in a file."""
        return JsonResponse({"identity": self._identity})

    async def events(self, _: Request) -> Response:
        """Send the snapshot whenever it changes, as server-sent events."""
        if self._watching >= MAX_WATCHING:
            raise Refusal(503, "TooManyPages", f"{MAX_WATCHING} pages are open already.", "Close some of them.")
        return StreamingResponse(self._snapshots(), media_type="text/event-stream")

    async def _snapshots(self) -> AsyncIterator[str]:
        self._watching += 1
        stopped = asyncio.ensure_future(self._stopping.wait())
        changed: asyncio.Future[tuple[int, dict[str, Any]]] | None = None
        try:
            with self._watcher.watched():
                version, document = self._watcher.snapshot()
                yield f"retry: 1000\n\n{_event(document)}"
                while True:
                    # A slow reader is waited for where it is sent to, and then gets the latest alone.
                    await asyncio.wait({stopped}, timeout=self._pause)
                    changed = asyncio.ensure_future(self._watcher.changed(version, within=self._heartbeat))
                    await asyncio.wait({changed, stopped}, return_when=asyncio.FIRST_COMPLETED)
                    if stopped.done():
                        return
                    latest, document = changed.result()
                    yield _event(document) if latest != version else ": still here\n\n"
                    version = latest
        finally:
            stopped.cancel()
            if changed is not None:
                changed.cancel()
            self._watching -= 1

    async def world(self, _: Request) -> Response:
        """Return the stores, the products and the depots."""
        return JsonResponse(_read(self._watcher.world()))

    async def stock(self, _: Request) -> Response:
        """Return all shelves as one matrix."""
        return Response(_read(self._watcher.stock()), media_type="application/octet-stream")

    async def shelf(self, request: Request) -> Response:
        """Return one shelf over time."""
        place = request.path_params
        return await self._look(partial(looking.shelf, store=place["store"], product=place["product"]))

    async def alerts(self, request: Request) -> Response:
        """Return the low-stock episodes, the open ones first."""
        state = _one_of(request, "state", ("OPEN", "CLOSED", "ALL"), default="ALL")
        text = request.query_params.get("limit", "200")
        limit = _whole(int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None, "limit", 1, 1000)
        return await self._look(partial(looking.alerts, state=state, limit=limit, world=self._watcher.world()))

    async def deliveries(self, _: Request) -> Response:
        """Return the trucks on the road."""
        return await self._look(partial(looking.deliveries, pace=self._watcher.pace()))

    async def recent(self, request: Request) -> Response:
        """Return events that are worth a trace."""
        kind = _one_of(request, "kind", ("latest", "low", "received"), default="latest")
        return await self._look(partial(looking.recent, kind=kind))

    async def trace(self, request: Request) -> Response:
        """Follow one event through every hop."""

        def followed(target: Any, resources: Mapping[str, str]) -> dict[str, Any]:
            trace = tracing.trace(target, resources, request.path_params["event_id"])
            document = trace.as_document()
            hops = [{**shown, "note": hop.note} for shown, hop in zip(document["hops"], trace.hops, strict=True)]
            return {**document, "hops": hops}

        return await self._look(followed)

    async def queries(self, _: Request) -> Response:
        """Return the named queries with the questions they answer."""
        statements = {name: ask.statement_of(name) for name in ask.named_queries()}
        listed = [{"name": name, "question": ask.question(sql), "sql": sql} for name, sql in statements.items()]
        return JsonResponse({"queries": listed})

    async def quarantine(self, _: Request) -> Response:
        """Return the newest documents that the intake refused."""
        return await self._look(looking.quarantine)

    async def errors(self, _: Request) -> Response:
        """Return the newest records that Firehose failed on."""
        return await self._look(looking.errors)

    async def dead_letters(self, request: Request) -> Response:
        """Look into a dead-letter queue, which hides its messages from others for a moment."""
        await _body(request)
        return await self._look(partial(looking.dead_letters, queue=request.path_params["queue"]))

    async def query(self, request: Request) -> Response:
        """Ask Athena."""
        sql = (await _body(request)).get("sql")
        if not isinstance(sql, str) or not sql.strip():
            raise Refusal(400, "NoStatement", "There is no statement.", "Write one, or choose a named query.")

        def answered(target: Any, resources: Mapping[str, str]) -> dict[str, Any]:
            try:
                document = ask.ask(target, resources, sql, limit=MAX_ROWS + 1).as_document()
            except WorkshopError as error:
                place = _PLACE.search(error.message)
                line, column = map(int, place.groups()) if place else (None, None)
                said = ("QueryRefused", error.message, error.next_step)
                raise Refusal(400, *said, line=line, column=column) from error
            rows = [[_finite(value) for value in row] for row in document["rows"][:MAX_ROWS]]
            return {**document, "rows": rows, "truncated": len(document["rows"]) > MAX_ROWS}

        return await self._look(answered)

    async def begin_run(self, request: Request) -> Response:
        """Have the stores trade."""
        body = await _body(request)
        asked = {
            name: _whole(body.get(name), name, 1, most)
            for name, most in (("hours", 720), ("stores", 1000), ("products", 500))
        }
        return JsonResponse(self._runs.begin(**asked), status_code=202)

    async def stop_run(self, request: Request) -> Response:
        """End the run after the portion under way."""
        await _body(request)
        return JsonResponse(self._runs.stop(), status_code=202)

    async def _look(self, read: Callable[..., dict[str, Any]]) -> Response:
        def look() -> dict[str, Any]:
            with aws_in_plain_words():
                return read(*self._watcher.target())

        # Abandoned when the server stops: what AWS has been asked cannot be taken back.
        return JsonResponse(await anyio.to_thread.run_sync(look, limiter=self._turns, abandon_on_cancel=True))


def application(console: Console, *, port: int) -> Guard:
    """Return the ASGI application for the page at a port of 127.0.0.1."""
    return Guard(
        Starlette(
            routes=console.routes(),
            exception_handlers={
                Refusal: _refused,
                WorkshopError: _in_plain_words,
                HTTPException: _unknown,
                Exception: _failed,
            },
        ),
        port=port,
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - Starlette passes what it was registered for
    return JsonResponse(error.document, status_code=error.status)


async def _in_plain_words(_: Request, error: Exception) -> Response:
    assert isinstance(error, WorkshopError)  # noqa: S101
    match error:
        case looking.Unknown() | tracing.UnknownEvent():
            status = 404
        case RunUnderWay() | NothingRuns():
            status = 409
        case AwsRefused() | AwsOutOfReach():
            status = 502
        case _:
            status = 503
    return await _refused(_, Refusal(status, type(error).__name__, error.message, error.next_step))


async def _unknown(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    said = Refusal(error.status_code, "NotFound", "There is nothing at this address.", "Open / for the page.")
    if error.status_code == 405:
        said = Refusal(405, "NoSuchMethod", "This address is asked in another way.", "docs/console.md lists the API.")
    return JsonResponse(said.document, status_code=said.status, headers=error.headers)


async def _failed(_: Request, __: Exception) -> Response:
    # Starlette raises it again once this is sent, and hypercorn logs it.
    return await _refused(_, Refusal(500, "Failed", "The page's server failed.", "Its log says why; try again."))


async def _body(request: Request) -> dict[str, Any]:
    """Return a request's JSON object; none at all is an empty one.

    Raises:
        Refusal: it is no JSON, no object, or longer than MAX_BODY_BYTES.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        # A form of another page can be sent without asking, but not with this type ("CORS-safelisted", Fetch).
        raise Refusal(415, "NotJson", "The request is not JSON.", "Send it as application/json.")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise Refusal(413, "TooLong", f"The request is longer than {MAX_BODY_BYTES:,} bytes.", "Shorten it.")
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Refusal(400, "NotJson", "The request cannot be read as JSON.", "Send one JSON object.") from None
    if not isinstance(document, dict):
        raise Refusal(400, "NotJson", "The request is no JSON object.", "Send one JSON object.")
    return document


def _whole(value: object, name: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise Refusal(400, "BadValue", f"{name} is no whole number from {least} to {most:,}.", "Correct it.")
    return value


def _one_of(request: Request, name: str, known: tuple[str, ...], *, default: str) -> str:
    value = request.query_params.get(name, default)
    if value not in known:
        raise Refusal(400, "BadValue", f"{name} is not one of those known.", f"Choose one of: {', '.join(known)}.")
    return value


def _read(part: T | None) -> T:
    if part is None:
        raise Refusal(503, "NotReadYet", "The stores have not been read yet.", "Keep the page open and try again.")
    return part


def _finite(value: Any) -> Any:
    """Return a value as JSON can hold it: it has no word for what is not a number."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _event(document: Mapping[str, Any]) -> str:
    return f"event: snapshot\ndata: {json.dumps(document, separators=(',', ':'))}\n\n"
