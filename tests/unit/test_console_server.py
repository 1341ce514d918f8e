"""The page's server: who may ask, what is answered, and what goes with every answer."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from workshop import ask, tracing
from workshop.console import looking, server
from workshop.console.running import NothingRuns, Runs, RunUnderWay
from workshop.console.security import CONTENT_SECURITY_POLICY, HEADERS, Guard, foreign
from workshop.console.server import AT_ONCE, MAX_BODY_BYTES, MAX_ROWS, MAX_WATCHING, Console, application
from workshop.console.watching import Watcher
from workshop.errors import WorkshopError
from workshop.target import Target

PORT = 8017
HERE = f"http://127.0.0.1:{PORT}"
TARGET = Target(name="local", region="us-east-1", endpoint="http://127.0.0.1:1")


@dataclass
class Watched:
    """Stands in for the watcher: what it has read is given."""

    failing: Exception | None = None
    read: dict[str, Any] | None = None
    version: int = 1
    changes: bool = False
    watching: int = 0

    def target(self) -> tuple[Target, dict[str, str]]:
        if self.failing:
            raise self.failing
        return TARGET, {}

    def world(self) -> dict[str, Any] | None:
        return self.read

    def pace(self) -> float:
        return 1.0

    def stock(self) -> bytes | None:
        return b"\x01\x00" if self.read else None

    @contextmanager
    def watched(self) -> Iterator[None]:
        self.watching += 1
        try:
            yield
        finally:
            self.watching -= 1

    def snapshot(self) -> tuple[int, dict[str, Any]]:
        return self.version, {"version": self.version, "said": "two\nlines \u2028"}

    async def changed(self, after: int, *, within: float) -> tuple[int, dict[str, Any]]:
        if self.changes:
            self.version = after + 1
        else:
            await asyncio.sleep(within)
        return self.snapshot()


@dataclass
class Running:
    """Stands in for the runs: what was asked of it."""

    asked: list[Any] = field(default_factory=list)
    refuses: Exception | None = None

    def begin(self, **asked: int) -> dict[str, Any]:
        return self._answer(asked)

    def stop(self) -> dict[str, Any]:
        return self._answer("stop")

    def _answer(self, asked: Any) -> dict[str, Any]:
        if self.refuses:
            raise self.refuses
        self.asked.append(asked)
        return {"state": "running"}


@dataclass
class Site:
    """A server of the page with stand-ins behind it."""

    page: Path
    watcher: Watched = field(default_factory=Watched)
    runs: Running = field(default_factory=Running)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    pause: float = 0.0
    heartbeat: float = 10.0

    def console(self) -> Console:
        return Console(
            cast(Watcher, self.watcher),
            cast(Runs, self.runs),
            identity="it is me",
            stopping=self.stopping,
            pause=self.pause,
            heartbeat=self.heartbeat,
            page=self.page,
        )

    def app(self) -> Guard:
        return application(self.console(), port=PORT)

    def client(self) -> TestClient:
        return TestClient(self.app(), base_url=HERE, raise_server_exceptions=False)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    page = tmp_path / "page"
    (page / "vendor").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>The page</title>")
    (page / "app.js").write_text("export {};")
    (page / "vendor" / "chart.js").write_text("export const chart = 1;")
    (page / "vendor" / "LICENSE").write_text("not the page's")
    (tmp_path / "secret.html").write_text("secret")
    (page / "link.html").symlink_to(tmp_path / "secret.html")
    return Site(page)


POST = {"content-type": "application/json"}

FOREIGN_HOSTS = ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", f"127.0.0.1:{PORT}.evil.example",
                 f"[::1]:{PORT}", f"localhost.:{PORT}", f"LOCALHOST:{PORT}", f"0.0.0.0:{PORT}", ""]  # fmt: skip
FOREIGN_ORIGINS = ["null", "https://evil.example", f"https://127.0.0.1:{PORT}", "http://127.0.0.1:3000",
                   f"http://localhost:{PORT}", f"{HERE}.evil.example", f"{HERE}/", ""]  # fmt: skip
FOREIGN_SITES = ["cross-site", "same-site", "SAME-ORIGIN", "anything", ""]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
@pytest.mark.parametrize("path", ["/", "/page/app.js", "/api/queries", "/api/events"])
def test_under_another_name_the_page_is_not_served(site: Site, host: str, path: str) -> None:
    """DNS rebinding: a name of the attacker's that resolves to 127.0.0.1 makes this server his pages' own."""
    answer = site.client().get(path, headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "ForeignHost")


def test_two_hosts_are_none() -> None:
    both = [("host", f"127.0.0.1:{PORT}"), ("host", "evil.example")]
    assert foreign("GET", "/", both, port=PORT)
    assert foreign("GET", "/", [], port=PORT)
    assert foreign("GET", "/", both[:1], port=PORT) is None


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(site: Site, origin: str, method: str) -> None:
    answer = site.client().request(method, "/api/runs/stop", headers={**POST, "origin": origin})
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "ForeignOrigin")
    assert site.runs.asked == []


@pytest.mark.parametrize("fetch_site", FOREIGN_SITES)
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/runs/stop"), ("GET", "/api/recent"), ("POST", "/")])
def test_another_site_is_refused(site: Site, fetch_site: str, method: str, path: str) -> None:
    answer = site.client().request(method, path, headers={**POST, "sec-fetch-site": fetch_site})
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "ForeignSite")
    assert site.runs.asked == []


def test_a_link_from_another_site_opens_the_page(site: Site) -> None:
    assert site.client().get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": HERE},
        {"origin": HERE, "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"host": f"localhost:{PORT}", "origin": f"http://localhost:{PORT}"},
    ],
)
def test_the_page_itself_and_a_program_may_ask(site: Site, headers: dict[str, str]) -> None:
    client = site.client()
    assert client.get("/", headers=headers).status_code == 200
    assert client.post("/api/runs/stop", headers={**POST, **headers}).status_code == 202


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", None])
def test_what_a_form_can_send_is_no_request(site: Site, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    answer = site.client().post("/api/runs", content=b'{"hours":1,"stores":1,"products":1}', headers=headers)
    assert answer.status_code == 415
    assert site.runs.asked == []


def addresses(site: Site) -> list[tuple[str, str]]:
    """Return every method and address there is, with some value for what varies."""
    filled = {"{name:path}": "app.js", "{store}": "S00001", "{product}": "P0001", "{event_id}": "x", "{queue}": "q"}
    found = []
    for route in site.console().routes():
        path = route.path
        for name, value in filled.items():
            path = path.replace(name, value)
        found += [(method, path) for method in sorted(route.methods or ()) if method != "HEAD"]
    return found


def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace everything that asks AWS; return the list of what was called."""
    called: list[str] = []

    def replaced(name: str) -> Callable[..., dict[str, Any]]:
        def called_instead(*_: Any, **__: Any) -> dict[str, Any]:
            called.append(name)
            return {}

        return called_instead

    for name in ("shelf", "alerts", "deliveries", "recent", "quarantine", "errors", "dead_letters"):
        monkeypatch.setattr(looking, name, replaced(name))
    monkeypatch.setattr(tracing, "trace", lambda *_: tracing.Trace("x", (), ()))
    monkeypatch.setattr(ask, "ask", lambda *_, **__: ask.Answer([], [], [], 0, 0))
    return called


def test_what_changes_something_is_out_of_reach_for_get(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    called = looks(monkeypatch)
    client = site.client()
    posted = [path for method, path in addresses(site) if method == "POST"]
    assert set(posted) == {"/api/dead-letters/q", "/api/queries", "/api/runs", "/api/runs/stop"}
    for path in {path for _, path in addresses(site)} - {"/api/events"}:
        answer = client.get(path, headers=POST)
        assert answer.status_code in (200, 405, 503), path
    assert site.runs.asked == []
    assert "dead_letters" not in called
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE"):
        assert client.request(method, "/api/runs", headers=POST).status_code == 405
    # Starlette answers HEAD where GET is; the events would go on for ever, and nobody would read them.
    assert client.head("/").status_code == 405
    for path in posted:
        client.post(path, headers=POST, json={"sql": "SELECT 1", "hours": 1, "stores": 2, "products": 3})
    assert site.runs.asked == [{"hours": 1, "stores": 2, "products": 3}, "stop"]
    assert "dead_letters" in called


def test_every_answer_carries_the_headers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looks(monkeypatch)
    client = site.client()
    etag = client.get("/").headers["etag"]
    answers = [client.request(method, path, headers=POST) for method, path in addresses(site) if "events" not in path]
    answers += [
        client.get("/nothing/here"),
        client.get("/page/nothing"),
        client.get("/", headers={"if-none-match": etag}),
        client.get("/", headers={"host": "evil.example"}),
        client.post("/api/runs", content="{}"),
        client.post("/api/runs", content=b" " * (MAX_BODY_BYTES + 1), headers=POST),
        client.delete("/api/runs"),
    ]
    site.watcher.failing = ZeroDivisionError("unforeseen")
    answers.append(client.get("/api/deliveries"))
    assert {200, 202, 304, 400, 403, 404, 405, 413, 415, 500, 503} == {answer.status_code for answer in answers}
    for answer in answers:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS, answer.request.url
        assert "access-control-allow-origin" not in answer.headers
        is_api = answer.request.url.path.startswith("/api")
        assert answer.headers.get("cache-control") == "no-store" or not is_api, answer.request.url


def test_the_policy_allows_nothing_but_the_page_s_own_files() -> None:
    policy = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("is_announced", [True, False])
def test_a_body_has_a_longest_length_announced_or_not(site: Site, is_announced: bool) -> None:
    def body(length: int) -> Any:
        text = b'{"sql": "' + b" " * (length - 11) + b'"}'
        return text if is_announced else iter([text[:5], text[5:]])

    client = site.client()
    assert client.post("/api/queries", content=body(MAX_BODY_BYTES), headers=POST).status_code == 400
    assert client.post("/api/queries", content=body(MAX_BODY_BYTES + 1), headers=POST).status_code == 413


def test_a_body_without_end_is_not_read_to_its_end(site: Site) -> None:
    read = 0

    async def receive() -> MutableMapping[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b" " * 1024, "more_body": True}

    status = asyncio.run(asked(site.app(), "/api/runs", method="POST", receive=receive))
    assert status == 413
    assert read <= MAX_BODY_BYTES // 1024 + 1


@pytest.mark.parametrize(
    "body", ["{", "[]", "1", "null", "\x00", '"text"', "[" * 60_000, '{"a":' * 10_000, b"\xff\xfe", b"\xed\xa0\x80"]
)
def test_what_is_no_json_object_is_refused(site: Site, body: str | bytes) -> None:
    answer = site.client().post("/api/runs", content=body, headers=POST)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "NotJson")


WANTED = {"hours": (1, 720), "stores": (1, 1000), "products": (1, 500)}
VALUES = st.none() | st.booleans() | st.floats(-1, 3000) | st.text(max_size=5) | st.integers(-5, 2000)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hours=VALUES, stores=VALUES, products=VALUES)
def test_a_run_begins_with_whole_numbers_in_their_bounds_or_not_at_all(**asked: Any) -> None:
    site = Site(Path("no page"))
    answer = site.client().post("/api/runs", json=asked)
    fits = all(type(asked[name]) is int and least <= asked[name] <= most for name, (least, most) in WANTED.items())
    assert answer.status_code == (202 if fits else 400)
    assert site.runs.asked == ([asked] if fits else [])


@pytest.mark.parametrize(
    "name",
    [
        "../secret.html", "../../server.py", "/etc/passwd", "//etc/passwd", "vendor/../../secret.html",
        "..\\secret.html", "%2e%2e/secret.html", "link.html", "vendor/LICENSE", "vendor", "vendor/", "", ".", "..",
        "app.js/", "app.js\x00", "./app.js", "vendor//chart.js", "\ud800",
    ],
)  # fmt: skip
def test_nothing_but_the_page_s_files_is_served(site: Site, name: str) -> None:
    assert asyncio.run(asked(site.app(), f"/page/{name}")) == 404


def test_a_file_of_the_page_is_served_and_sent_again_only_when_it_changed(site: Site) -> None:
    client = site.client()
    first = client.get("/page/vendor/chart.js")
    assert (first.text, first.headers["content-type"]) == ("export const chart = 1;", "text/javascript; charset=utf-8")
    unchanged = {"if-none-match": first.headers["etag"]}
    assert client.get("/page/vendor/chart.js", headers=unchanged).status_code == 304
    (site.page / "vendor" / "chart.js").write_text("export const chart = 2;")
    assert client.get("/page/vendor/chart.js", headers=unchanged).text == "export const chart = 2;"
    assert "The page" in client.get("/").text


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (WorkshopError("The embedded AWS does not run.", "Run `up`."), 503, "The embedded AWS does not run."),
        (looking.Unknown("There is no shelf.", "Choose another."), 404, "There is no shelf."),
        (tracing.UnknownEvent("Nothing has seen it.", "Wait."), 404, "Nothing has seen it."),
        (
            ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "Scan"),
            502,
            "AWS refused Scan: Rate exceeded (ThrottlingException).",
        ),
        (EndpointConnectionError(endpoint_url="http://x"), 502, "AWS could not be reached: "),
        (ZeroDivisionError("unforeseen"), 500, "The page's server failed."),
    ],
)
def test_a_failure_is_a_sentence_and_a_next_step(site: Site, error: Exception, status: int, says: str) -> None:
    site.watcher.failing = error
    answer = site.client().get("/api/deliveries")
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith(says)
    assert answer.json()["error"]["next_step"]
    assert "unforeseen" not in answer.text


@pytest.mark.parametrize("refuses", [RunUnderWay("It runs.", "Wait."), NothingRuns("Nothing runs.", "Begin.")])
def test_a_run_that_cannot_be_is_a_conflict(site: Site, refuses: Exception) -> None:
    site.runs.refuses = refuses
    asked = {"hours": 1, "stores": 1, "products": 1}
    assert site.client().post("/api/runs", json=asked).status_code == 409
    assert site.client().post("/api/runs/stop", json={}).json()["error"]["type"] == type(refuses).__name__


def test_what_nobody_has_read_yet_is_said_to_be_so(site: Site) -> None:
    client = site.client()
    assert client.get("/api/world").status_code == client.get("/api/stock").status_code == 503
    site.watcher.read = {"stores": []}
    assert client.get("/api/world").json() == {"stores": []}
    assert client.get("/api/stock").content == b"\x01\x00"


@pytest.mark.parametrize("query", ["state=LOW", "limit=0", "limit=1001", "limit=-1", "limit=1e2", "limit=²", "limit="])
def test_a_list_is_asked_for_within_bounds(site: Site, query: str) -> None:
    assert site.client().get(f"/api/alerts?{query}").status_code == 400


@pytest.mark.parametrize("body", [{}, {"sql": ""}, {"sql": " \n"}, {"sql": 1}, {"sql": ["SELECT 1"]}])
def test_without_a_statement_nothing_is_asked(site: Site, body: dict[str, Any]) -> None:
    assert site.client().post("/api/queries", json=body).status_code == 400


def test_an_answer_is_bounded_and_holds_what_json_has_no_word_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []
    rows: list[list[Any]] = [[float("nan"), float("-inf"), 1.5, "\ud800"]] * (MAX_ROWS + 1)

    def answer(*_: Any, limit: int) -> ask.Answer:
        limits.append(limit)
        return ask.Answer(["a", "b", "c", "d"], ["double"] * 3 + ["varchar"], rows, 1, 2)

    monkeypatch.setattr(ask, "ask", answer)
    document = json.loads(site.client().post("/api/queries", json={"sql": "SELECT"}).content)
    assert limits == [MAX_ROWS + 1]
    assert document["rows"] == [["nan", "-inf", 1.5, "\ud800"]] * MAX_ROWS
    assert document["truncated"] is True
    rows.pop()
    assert site.client().post("/api/queries", json={"sql": "SELECT"}).json()["truncated"] is False


@pytest.mark.parametrize(
    ("said", "place"), [("line 3:14: mismatched input", (3, 14)), ("TABLE_NOT_FOUND", (None, None))]
)
def test_a_refused_statement_says_where(
    site: Site, monkeypatch: pytest.MonkeyPatch, said: str, place: tuple[int | None, int | None]
) -> None:
    def refuse(*_: Any, **__: Any) -> ask.Answer:
        raise WorkshopError(f"Athena refused the query: {said}", "Correct it.")

    monkeypatch.setattr(ask, "ask", refuse)
    answer = site.client().post("/api/queries", json={"sql": "SELECT x"})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "QueryRefused")
    assert (error["line"], error["column"]) == place


def test_aws_is_asked_a_few_questions_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def look(*_: Any, **__: Any) -> dict[str, Any]:
        go_on.wait(10)
        return {}

    async def many() -> list[int]:
        console = site.console()
        app = application(console, port=PORT)
        asking = asyncio.gather(*(asked(app, "/api/deliveries") for _ in range(3 * AT_ONCE)))
        try:
            async with asyncio.timeout(5):
                while console._turns.statistics().tasks_waiting < 2 * AT_ONCE:
                    await asyncio.sleep(0)
        finally:
            go_on.set()
        return await asking

    monkeypatch.setattr(looking, "deliveries", look)
    assert asyncio.run(many()) == [200] * 3 * AT_ONCE


def test_no_document_holds_what_a_browser_cannot_read() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        server.JsonResponse({"rows": [[float("nan")]]})


def scope_of(path: str, method: str = "GET") -> MutableMapping[str, Any]:
    headers = [(b"host", f"127.0.0.1:{PORT}".encode()), (b"content-type", b"application/json")]
    return {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
            "scheme": "http", "path": path, "raw_path": b"", "query_string": b"", "root_path": "", "headers": headers,
            "client": None, "server": None}  # fmt: skip


async def never() -> MutableMapping[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("it never comes")


async def asked(
    app: Guard,
    path: str,
    *,
    method: str = "GET",
    receive: Callable[[], Any] = never,
) -> int:
    """Ask for a path as it is, which a client would tidy up first; return the status."""
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope_of(path, method), receive, send)
    return int(sent[0]["status"])


@asynccontextmanager
async def opened(app: Guard, leaves: asyncio.Event | None = None) -> AsyncIterator[asyncio.Queue[tuple[float, str]]]:
    """Open the events; yield the queue of what comes, with the time, and a last empty text."""
    came: asyncio.Queue[tuple[float, str]] = asyncio.Queue()

    async def receive() -> MutableMapping[str, Any]:
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        came.put_nowait((time.monotonic(), message.get("body", b"").decode()))

    task = asyncio.ensure_future(app(scope_of("/api/events"), receive, send))
    try:
        await came.get()
        yield came
    finally:
        task.cancel()
        await asyncio.wait({task})


def test_an_open_page_gets_the_snapshot_at_once_and_when_it_changes(site: Site) -> None:
    async def watch() -> list[str]:
        site.watcher.changes = True
        async with opened(site.app()) as came:
            assert site.watcher.watching == 1
            return [(await came.get())[1] for _ in range(3)]

    first, *others = asyncio.run(watch())
    retry, event = first.split("\n\n", 1)
    assert retry == "retry: 1000"
    for number, each in enumerate([event, *others], start=1):
        name, data, *end = each.split("\n")
        assert (name, end) == ("event: snapshot", ["", ""])
        assert json.loads(data.removeprefix("data: "))["version"] == number
    assert site.watcher.watching == 0


def test_an_open_page_gets_no_more_than_one_snapshot_in_each_pause(site: Site) -> None:
    site.pause = 0.03

    async def watch() -> list[float]:
        site.watcher.changes = True
        async with opened(site.app()) as came:
            return [(await came.get())[0] for _ in range(6)]

    times = asyncio.run(watch())
    assert times[-1] - times[0] >= 5 * site.pause * 0.9
    assert server.LEAST_PAUSE_SECONDS >= 0.2


def test_a_connection_on_which_nothing_happens_shows_that_it_lives(site: Site) -> None:
    site.heartbeat = 0.01

    async def watch() -> list[str]:
        async with opened(site.app()) as came:
            return [(await came.get())[1] for _ in range(3)]

    assert asyncio.run(watch())[1:] == [": still here\n\n"] * 2
    assert server.HEARTBEAT_SECONDS <= 10


def test_a_server_that_stops_lets_the_open_pages_go(site: Site) -> None:
    async def watch() -> None:
        async with opened(site.app()) as came:
            await came.get()
            site.stopping.set()
            assert (await asyncio.wait_for(came.get(), timeout=10))[1] == ""

    asyncio.run(watch())
    assert site.watcher.watching == 0


def test_a_page_that_leaves_is_not_read_for_any_more(site: Site) -> None:
    async def watch() -> None:
        leaves = asyncio.Event()
        async with opened(site.app(), leaves) as came:
            await came.get()
            leaves.set()
            async with asyncio.timeout(10):
                while site.watcher.watching:
                    await asyncio.sleep(0)

    asyncio.run(watch())


def test_there_are_not_more_open_pages_than_the_server_can_bear(site: Site) -> None:
    async def watch() -> int:
        app = site.app()
        async with asyncio.TaskGroup() as group:
            leave = asyncio.Event()

            async def page() -> None:
                async with opened(app) as came:
                    await came.get()
                    await leave.wait()

            for _ in range(MAX_WATCHING):
                group.create_task(page())
            async with asyncio.timeout(10):
                while site.watcher.watching < MAX_WATCHING:
                    await asyncio.sleep(0)
            try:
                async with asyncio.timeout(10):
                    return await asked(app, "/api/events")
            finally:
                leave.set()

    assert asyncio.run(watch()) == 503
    assert site.watcher.watching == 0


def test_a_page_that_was_closed_leaves_its_place_to_another(site: Site) -> None:
    async def watch() -> None:
        app = site.app()
        for _ in range(MAX_WATCHING + 1):
            async with opened(app) as came:
                assert (await came.get())[1].startswith("retry:")

    asyncio.run(watch())


def test_who_finds_the_address_in_a_file_can_tell_who_answers_there(site: Site) -> None:
    assert site.client().get("/_workshop/identity").json() == {"identity": "it is me"}


def test_a_web_socket_is_closed() -> None:
    async def connect() -> list[MutableMapping[str, Any]]:
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await Site(Path("no page")).app()({"type": "websocket", "path": "/", "headers": []}, receive, send)
        return sent

    assert [message["type"] for message in asyncio.run(connect())] == ["websocket.close"]
