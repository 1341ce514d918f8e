"""An AWS that takes a call and never answers it: the page says so soon, reads on elsewhere, and heals by itself."""

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from tests.conftest import eventually
from workshop import trade
from workshop.ask import ask
from workshop.console import life, readings
from workshop.console import watching as watching_module
from workshop.console.life import SharedTarget
from workshop.console.readings import Deployment, Pauses, Source, read_queues, read_tables
from workshop.console.watching import Watcher
from workshop.target import PROMPT

pytestmark = pytest.mark.usefixtures("default_session_of_its_own")

RESOURCES = {
    "alerts_table": "alerts",
    "store_app": "StoreApp",
    "sightings_dead_letters": "http://127.0.0.1/0/dead",
    "workgroup": "workshop",
    "database": "workshop",
}
SUMMARY = {"events": 7, "from": "a", "to": "b", "units_sold": 0, "units_received": 0}
ANSWERS: Mapping[str, Any] = {
    "Scan": {"Items": [], "Count": 0},
    "GetQueueAttributes": {
        "Attributes": {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesNotVisible": "0"}
    },
    "configuration": {"Environment": {"Variables": {"SEED": "7"}}},
    "invocations": SUMMARY,
}


class HangingAws(ThreadingHTTPServer):
    """Answers some operations, and holds those in `hanging` until `go_on` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hanging: set[str] = set()
        self.held = threading.Event()
        self.go_on = threading.Event()

    def handle_error(self, *_: Any) -> None:
        """Whoever gave up does not listen to the late answer."""


class Handler(BaseHTTPRequestHandler):
    server: HangingAws

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer()

    def answer(self) -> None:
        operation = self.headers.get("x-amz-target", self.path).replace("/", ".").rpartition(".")[2]
        if operation in self.server.hanging:
            self.server.held.set()
            self.server.go_on.wait(30)
        body = json.dumps(ANSWERS.get(operation, {})).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingAws]:
    monkeypatch.setattr(life, "PROMPT", PROMPT.merge(Config(read_timeout=0.2, retries={"total_max_attempts": 1})))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    server = HangingAws()
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        server.server_close()
        serving.join()


@dataclass(frozen=True, kw_only=True)
class Deployed(SharedTarget):
    """A target in which the names of resources are known."""

    _turn: threading.Lock = field(default_factory=threading.Lock)

    def resources(self) -> dict[str, str]:
        return RESOURCES


def target_at(aws: HangingAws) -> Deployed:
    return Deployed(name="local", region="us-east-1", endpoint=f"http://127.0.0.1:{aws.server_port}")


def test_a_call_that_nothing_answers_has_failed_after_ten_seconds() -> None:
    attempts = PROMPT.retries["total_max_attempts"]  # type: ignore[attr-defined]
    assert attempts * max(PROMPT.connect_timeout, PROMPT.read_timeout) <= 10  # type: ignore[attr-defined]


def test_a_source_that_hangs_is_told_leaves_the_others_alone_and_heals(
    aws: HangingAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching_module, "_AFTER_A_PROBLEM", Pauses(0.05, 0.05))
    read = [0]

    def queues(deployed: Deployment) -> Any:
        depths = read_queues(deployed)
        read[0] += 1
        return depths

    def problem() -> Any:
        return watching.snapshot()[1]["problem"]

    target = target_at(aws)
    sources = (Source("tables", Pauses(0.05, 0), read_tables), Source("queues", Pauses(0.05, 0), queues))
    watching = Watcher(lambda: target, sources=sources, deployment=Deployment)
    try:
        with watching.watched():
            eventually(lambda: watching.snapshot()[1]["hops"]["alerts"]["open"] == 0, within=10)
            aws.hanging = {"Scan"}
            assert aws.held.wait(10)
            before = read[0]
            eventually(lambda: read[0] > before + 2, within=10)
            told = eventually(problem, within=10)
            assert "could not be reached" in told["message"]
            aws.hanging = set()
            eventually(lambda: problem() is None, within=10)
    finally:
        aws.go_on.set()
        watching.close()


def test_whatever_the_page_asks_gives_up_except_for_the_run_of_store_app(aws: HangingAws) -> None:
    """StoreApp's invocation is held for as long as the other calls take to give up, and is waited for all the same."""
    target = target_at(aws)
    aws.hanging = {"invocations", "configuration", "StartQueryExecution"}
    with ThreadPoolExecutor() as pool:
        run = pool.submit(trade.generate, target, RESOURCES, hours=1, stores=1, products=1, progress=lambda _: None)
        assert aws.held.wait(10)
        try:
            for asked in (lambda: readings._seed(target, RESOURCES), lambda: ask(target, RESOURCES, "SELECT 1")):
                with pytest.raises(ReadTimeoutError):
                    asked()
            assert not run.done()
        finally:
            aws.go_on.set()
        assert run.result(10)["events"] == 7
