"""What is extended when it is imported or first used: once, before anybody sees it, and nobody waits for nobody."""

import asyncio
import importlib
import sys
import threading
from pathlib import Path

import pytest

from workshop.local_aws import late
from workshop.local_aws.late import Once, when_imported, when_used

SOON = 10.0


@pytest.fixture(autouse=True)
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module that nobody has imported, with what a service of ministack has."""
    name = f"late_{tmp_path.name}"
    body = "async def handle_request(*arguments):\n    return arguments\n"
    (tmp_path / f"{name}.py").write_text(body, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_it_is_made_once_however_many_ask() -> None:
    made: list[int] = []
    once = Once(lambda: made.append(1) or made)  # type: ignore[func-returns-value]
    threads = [threading.Thread(target=once) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_a_module_tells_when_it_is_imported_and_at_once_when_it_was(service: str) -> None:
    told: list[str] = []
    when_imported(service, lambda: told.append("when"))
    assert told == []
    importlib.import_module(service)
    when_imported(service, lambda: told.append("after"))
    assert told == ["when", "after"]


def test_waiting_for_a_module_that_another_thread_imports_waits_for_nobody(service: str) -> None:
    importing, go_on, told = threading.Event(), threading.Event(), []

    def hold() -> None:
        importing.set()
        assert go_on.wait(SOON)

    when_imported(service, hold)
    thread = threading.Thread(target=importlib.import_module, args=(service,))
    thread.start()
    assert importing.wait(SOON)
    when_imported(service, lambda: told.append(threading.current_thread()))
    assert told == []
    go_on.set()
    thread.join(SOON)
    assert told == [thread]


def test_it_is_installed_before_the_first_request_and_once(service: str) -> None:
    installed: list[str] = []
    when_used([service], lambda: installed.append(service))
    module = importlib.import_module(service)
    assert installed == []
    assert [asyncio.run(module.handle_request(n)) for n in range(2)] == [(0,), (1,)]
    assert installed == [service]


def test_it_is_installed_with_the_types_of_templates(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack calls a service by its functions, without a request."""
    monkeypatch.setattr(late, "PROVISIONERS", service)
    installed: list[str] = []
    when_used([], lambda: installed.append(service))
    importlib.import_module(service)
    assert installed == [service]
    del sys.modules[service]
