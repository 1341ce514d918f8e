"""The front door: our services answer the actions they name, ministack answers everything else."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from workshop.local_aws.home import IDENTITY_PATH
from workshop.local_aws.metering import METER_PATH, Meter
from workshop.local_aws.protocol import ACCOUNT, REGION, AwsError, Caller, Service

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Authorise = Callable[[Scope, Caller, bytes], None]

_HOST = re.compile(rb"(127\.0\.0\.1|([a-z0-9.-]+\.)?localhost)(:[0-9]+)?", re.IGNORECASE)
_ORIGIN = re.compile(rb"https?://" + _HOST.pattern, re.IGNORECASE)

log = logging.getLogger(__name__)


class Gateway:
    """An ASGI app that routes each request by its X-Amz-Target."""

    def __init__(
        self,
        services: Iterable[Service],
        fallback: AsgiApp,
        identity: str,
        on_start: Callable[[], None],
        meter: Meter,
        authorise: Authorise = lambda *_: None,
    ) -> None:
        """Route to `services` first, else to `fallback`; IDENTITY_PATH answers `identity`: proof of who was reached.

        `on_start` is called once when the fallback has started up. `meter` sees every call; METER_PATH answers its
        count. `authorise` raises AwsError for a caller who may not ask for what a request to `services` asks for.
        """
        self._on_start = on_start
        self._meter = meter
        self._authorise = authorise
        self._services = {service.target_prefix: service for service in services}
        self._fallback = fallback
        self._identity = identity
        # An action may take long and calls this very server for Glue, S3 and Lambda. Threads of its own keep it from
        # waiting for one that ministack needs to answer that call.
        self._threads = ThreadPoolExecutor(max_workers=32, thread_name_prefix="gateway")
        self.changed = False
        """Whether ministack was asked for anything that may have changed its state."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; what is not HTTP, such as the server's start and stop, is ministack's."""
        if scope["type"] != "http":
            await self._fallback(scope, receive, self._starting(send))
            return
        if scope["path"] == IDENTITY_PATH:
            await _answer(send, 200, {"identity": self._identity})
            return
        headers = dict(scope["headers"])
        if not _is_from_this_machine(headers):
            message = "The embedded AWS answers programs of this machine, not web pages from elsewhere"
            await _answer(send, 403, {"__type": "AccessDeniedException", "message": message})
            return
        if scope["path"] == METER_PATH:
            await _answer(send, 200, self._meter.as_document())
            return
        prefix, _, name = headers.get(b"x-amz-target", b"").decode("latin-1").partition(".")
        service = self._services.get(prefix)
        action = service.actions.get(name) if service else None
        if action is None:
            self.changed |= scope["method"] not in ("GET", "HEAD")
            await self._fallback(scope, *self._meter.watch(scope, headers, receive, send))
            return
        body = await _body(receive)

        def act() -> dict[str, Any]:
            caller = _caller(headers)
            self._authorise(scope, caller, body)
            request = _parse(body)
            answer = action(caller, request)
            self._meter.answered(headers, name, request, answer)
            return answer

        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, act)
        except AwsError as error:
            await _answer(send, error.status, {"__type": error.error_type, "message": error.message, **error.fields})
        except Exception:
            log.exception("%s.%s failed", prefix, name)
            message = f"{name} failed inside the embedded AWS; its log says why"
            await _answer(send, 500, {"__type": "InternalFailure", "message": message})
        else:
            await _answer(send, 200, answer)

    def _starting(self, send: Send) -> Send:
        async def told(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._on_start()
            await send(message)

        return told


def _is_from_this_machine(headers: Mapping[bytes, bytes]) -> bool:
    """Tell a program, or a page that this machine serves, from a web page of elsewhere in the user's browser.

    Whoever reaches this server can run code, as Lambda functions. A page of another site is betrayed by its Origin, one
    that has made its own name point to 127.0.0.1 (DNS rebinding) by the Host.
    """
    origin = headers.get(b"origin")
    return bool(_HOST.fullmatch(headers.get(b"host", b""))) and (origin is None or bool(_ORIGIN.fullmatch(origin)))


def _caller(headers: dict[bytes, bytes]) -> Caller:
    """Read the caller from a Signature Version 4 header. A twelve-digit access key names its account."""
    signature = re.search(rb"Credential=([^/,\s]+)/[^/]+/([^/]+)/", headers.get(b"authorization", b""))
    if signature is None:
        return Caller(ACCOUNT, REGION)
    key, region = (part.decode("latin-1") for part in signature.groups())
    return Caller(key if re.fullmatch(r"[0-9]{12}", key) else ACCOUNT, region)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", f"The request is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise AwsError("SerializationException", "The request is not a JSON object")
    return request


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionAbortedError("the client left before its request was complete")
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _answer(send: Send, status: int, document: dict[str, Any]) -> None:
    body = json.dumps(document).encode()
    headers = [
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"content-length", str(len(body)).encode()),
        (b"x-amzn-requestid", str(uuid4()).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
