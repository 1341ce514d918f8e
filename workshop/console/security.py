"""What the page's server lets in, and what it tells browsers to keep to.

It has no password, for it listens on 127.0.0.1 alone. What could still get at it is another page in the same browser:
by a request to this address, or by a name of its own that it lets resolve to 127.0.0.1 (DNS rebinding). Both show in
headers that a page cannot forge.
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""They go with every answer, refusals and failures included."""

_OWN = {"same-origin", "none"}


class Refusal(Exception):
    """A request that is not followed: its status, a sentence and the next step, as the API words errors."""

    def __init__(self, status: int, kind: str, message: str, next_step: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.document = {"error": {"type": kind, "message": message, "next_step": next_step, **more}}


def foreign(method: str, path: str, headers: list[tuple[str, str]], *, port: int) -> Refusal | None:
    """Return why a request is not this page's own, or None when it may be.

    `Sec-Fetch-Site` and `Origin` are checked when they are sent: programs such as curl send neither. Another port of
    this machine is `same-site` and as foreign as any other ("Fetch Metadata Request Headers", W3C). A link from
    elsewhere may open the page, but nothing under /api, where a GET may have Athena scan bytes that cost money.
    """
    sent: dict[str, list[str]] = {}
    for name, value in headers:
        sent.setdefault(name.lower(), []).append(value)
    host = sent.get("host", [])
    if host not in ([f"127.0.0.1:{port}"], [f"localhost:{port}"]):
        return Refusal(403, "ForeignHost", "The page has another address.", f"Open http://127.0.0.1:{port}/.")
    if sent.get("origin", [f"http://{host[0]}"]) != [f"http://{host[0]}"]:
        return Refusal(403, "ForeignOrigin", "Another page asked for this.", f"Open http://127.0.0.1:{port}/.")
    guarded = method != "GET" or path.startswith("/api")
    if guarded and not _OWN.issuperset(sent.get("sec-fetch-site", [])):
        return Refusal(403, "ForeignSite", "Another site asked for this.", f"Open http://127.0.0.1:{port}/.")
    if method not in {"GET", "POST"}:
        return Refusal(405, "NoSuchMethod", "Only GET and POST are known here.", "Ask with one of them.")
    return None


class Guard:
    """Stands before an application: refuses what is not the page's own, and puts the headers on every answer."""

    def __init__(self, app: App, *, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection of ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                set_already = {name.lower() for name, _ in message.get("headers", [])}
                ours = {**HEADERS, **({"cache-control": "no-store"} if scope["path"].startswith("/api") else {})}
                added = [(name.encode(), value.encode()) for name, value in ours.items()]
                message["headers"] = [
                    *message.get("headers", []),
                    *((name, value) for name, value in added if name not in set_already),
                ]
            await send(message)

        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        refused = foreign(scope["method"], scope["path"], headers, port=self._port)
        if refused is None:
            await self._app(scope, receive, send_with_headers)
            return
        body = json.dumps(refused.document).encode()
        # What follows of a refused request is not read, so the connection cannot carry another.
        sent = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send_with_headers({"type": "http.response.start", "status": refused.status, "headers": sent})
        await send_with_headers({"type": "http.response.body", "body": body})
