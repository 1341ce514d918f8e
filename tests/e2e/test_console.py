"""The live page as a process: found, kept at its address, stopped, and what it shows and does with a real pipeline."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import eventually
from tests.e2e.conftest import Workshop
from tests.e2e.test_life import processes_of

WITH_PAGE = {"WORKSHOP_CONSOLE": "yes"}


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Workshop]:
    """A workshop in which nothing was deployed, so that nothing needs to be destroyed."""
    workshop = Workshop(tmp_path / "a bare home")
    yield workshop
    workshop.run("down")


@contextmanager
def serving(workshop: Workshop, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the page from a process of its own; yield it and its address, and end it if the test has not."""
    process = workshop.start("console", "--json", "--no-browser", *words)
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert told, process.communicate()
        yield process, json.loads(told)["url"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def ask(url: str, path: str, body: Any = None) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=60) as client:
        return client.get(url + path) if body is None else client.post(url + path, json=body)


def seen(url: str, wanted: Callable[[dict[str, Any]], object], *, within: float = 60) -> dict[str, Any]:
    """Watch the page's numbers until they are as wanted, and return them."""
    deadline = time.monotonic() + within
    snapshot: dict[str, Any] = {}
    with httpx.Client(trust_env=False, timeout=30) as client, client.stream("GET", f"{url}/api/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("data: "):
                snapshot = json.loads(line.removeprefix("data: "))
                if wanted(snapshot):
                    return snapshot
            if time.monotonic() > deadline:
                pytest.fail(f"not within {within} s: {snapshot}")
    pytest.fail(f"the server let go: {snapshot}")


def address_file(workshop: Workshop) -> Path:
    return workshop.home / "console" / "address.json"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ended_it_leaves_no_process_and_no_address(bare: Workshop, number: signal.Signals) -> None:
    with serving(bare) as (process, url), httpx.Client(trust_env=False, timeout=30) as client:
        assert json.loads(address_file(bare).read_text())["pid"] == process.pid
        with client.stream("GET", f"{url}/api/events") as page:
            lines = page.iter_lines()
            assert next(lines) == "retry: 1000"
            process.send_signal(number)
            _, said = process.communicate(timeout=30)
            # The open page is told, and may come again.
            assert all(line == "" or line.startswith(("event:", "data:", ":")) for line in lines)
    assert (process.returncode, said) == (0, "")
    assert not address_file(bare).exists()
    assert processes_of(bare.home) == []


def test_without_an_embedded_aws_it_says_so_and_what_to_do(bare: Workshop) -> None:
    with serving(bare) as (_, url):
        problem = seen(url, lambda snapshot: snapshot["problem"])["problem"]
        assert problem["message"] == "The embedded AWS does not run."
        assert "up" in problem["next_step"]
        refused = ask(url, "/api/queries", {"sql": "SELECT 1"})
        assert (refused.status_code, refused.json()["error"]["message"]) == (503, problem["message"])
        assert ask(url, "/api/runs", {"hours": 1, "stores": 1, "products": 1}).status_code == 202
        failed = seen(url, lambda snapshot: snapshot["run"]["state"] == "failed")["run"]
        assert failed["problem"]["message"] == problem["message"]


def test_before_aws_was_found_it_says_that_aws_is_what_it_looks_for(bare: Workshop, tmp_path: Path) -> None:
    nowhere = {"HOME": str(tmp_path), "AWS_REGION": "", "AWS_DEFAULT_REGION": "", "AWS_CONFIG_FILE": os.devnull}
    bare.environment = bare.environment | nowhere
    with serving(bare, "--aws") as (_, url):
        snapshot = seen(url, lambda snapshot: snapshot["problem"])
        assert snapshot["target"]["name"] == "aws"
        assert snapshot["problem"]["message"] == "No AWS region is set."


def test_a_second_one_says_where_the_first_is(bare: Workshop) -> None:
    with serving(bare) as (process, url):
        second = bare.json("console", "--no-browser")
        assert second == {"url": url, "pid": process.pid}
        assert url in bare.run("console", "--no-browser", "--port", "1024")
        assert process.poll() is None


def test_the_port_is_kept_from_one_life_to_the_next(bare: Workshop) -> None:
    with serving(bare) as (_, first):
        pass
    with serving(bare) as (process, second):
        assert second == first
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert address_file(bare).exists(), "a killed server leaves its address behind, and is not found by it"
        assert "Nothing was running" in bare.run("down")
    with serving(bare) as (_, third):
        assert third == first


def test_a_port_that_is_taken_is_left_to_its_owner(bare: Workshop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert bare.json("console", "--no-browser", "--port", str(port), expect=1)["error"]["type"] == "PortTaken"
        (bare.home / "console" / "endpoint").write_text(f"http://127.0.0.1:{port}")
        with serving(bare) as (_, url):
            assert not url.endswith(f":{port}")


def test_down_stops_it(bare: Workshop) -> None:
    with serving(bare) as (process, _):
        assert bare.json("down")["stopped"] is True
        assert process.wait(timeout=30) == 0
    assert not address_file(bare).exists()


def test_up_starts_it_and_down_stops_it_and_the_next_up_serves_it_at_the_same_address(fresh: Workshop) -> None:
    with serving(fresh) as (process, url):
        # It was there before anything was deployed, and finds what comes.
        assert fresh.json("up", extra=WITH_PAGE)["console"] == url
        assert process.poll() is None
        assert seen(url, lambda snapshot: not snapshot["problem"] and snapshot["hops"]["lake"]["rows"])
        fresh.run("down")
        assert process.wait(timeout=30) == 0
    told = fresh.run("up", extra=WITH_PAGE)
    assert url in told
    pid = json.loads(address_file(fresh).read_text())["pid"]
    assert os.getpgid(pid) == pid, "a Ctrl-C in the terminal of `up` does not reach it"
    assert ask(url, "/").status_code == 200
    assert fresh.json("up")["console"] is None, "it is left alone where it is not wanted"
    fresh.run("down", "--destroy")
    eventually(lambda: not processes_of(fresh.home), within=10)
    assert not (fresh.home / "console").exists()


def test_what_is_asked_for_by_get_changes_nothing(workshop: Workshop) -> None:
    before = workshop.json("status")
    with serving(workshop) as (_, url):
        seen(url, lambda snapshot: snapshot["hops"]["lake"]["rows"])
        event = ask(url, "/api/recent").json()["events"][0]
        shelf = f"/api/shelves/{event['store_id']}/{event['product_id']}"
        for path in (
            "/", "/api/world", "/api/stock", shelf, "/api/alerts", "/api/deliveries", "/api/recent?kind=low",
            f"/api/traces/{event['event_id']}", "/api/queries", "/api/quarantine", "/api/errors",
        ):  # fmt: skip
            assert ask(url, path).status_code == 200, path
        for path in ("/api/runs", "/api/runs/stop", "/api/dead-letters/sightings"):
            assert ask(url, path).status_code == 405, path
    after = workshop.json("status")
    assert after == before


def test_a_run_is_seen_all_the_way_into_the_lake_and_can_be_stopped(workshop: Workshop) -> None:
    before = workshop.json("status")["events"]["sent"]
    with serving(workshop) as (_, url):
        asked = {"hours": 12, "stores": 10, "products": 50}
        assert ask(url, "/api/runs", asked).status_code == 202
        done = seen(url, lambda snapshot: snapshot["run"]["state"] == "done")["run"]["summary"]
        assert done["events"] > 0
        total = before + done["events"]
        seen(url, lambda snapshot: snapshot["hops"]["lake"]["rows"] == total)
        # A long one is stopped while it runs; nothing else begins meanwhile.
        assert ask(url, "/api/runs", {"hours": 720, "stores": 10, "products": 50}).status_code == 202
        assert ask(url, "/api/runs", asked).status_code == 409
        assert ask(url, "/api/runs/stop", {}).status_code == 202
        stopped = seen(url, lambda snapshot: snapshot["run"]["state"] == "stopped")["run"]
        assert 0 < stopped["progress"] < 1
        assert ask(url, "/api/runs/stop", {}).status_code == 409


def test_a_statement_is_answered_or_refused_where_it_is_wrong(workshop: Workshop) -> None:
    with serving(workshop) as (_, url):
        answer = ask(url, "/api/queries", {"sql": "SELECT store_id, stock FROM stock_events"}).json()
        assert (answer["columns"], len(answer["rows"]), answer["truncated"]) == (["store_id", "stock"], 1000, True)
        refused = ask(url, "/api/queries", {"sql": "SELECT\n  nothing FROM stock_events"})
        error = refused.json()["error"]
        assert (refused.status_code, error["line"], error["column"]) == (400, 2, 3)
        assert ask(url, "/api/traces/S00001-P0001-999999").status_code == 404
        assert ask(url, "/api/dead-letters/no_such_queue", {}).status_code == 404
