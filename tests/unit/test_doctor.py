import contextlib
import errno
import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import Mock

import pytest

from workshop import doctor, installer
from workshop.doctor import Finding, StaleEnvironmentError, examine
from workshop.environment import Environment
from workshop.errors import WorkshopError
from workshop.installer import FolderNotWritableError, IndexUnreachableError, LockUnusableError, NoSpaceError, ToolError


def test_a_check_that_finds_something_does_not_keep_the_others_from_running(environment: Environment) -> None:
    def fails(_environment: Environment) -> str:
        raise WorkshopError("It is so.", "Do this.")

    findings = examine(environment, {"a": fails, "b": lambda _: "fine"})
    assert findings == [Finding("a", False, "It is so.", "Do this."), Finding("b", True, "fine")]


def test_the_exit_code_and_the_document_say_the_same(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(_environment: Environment) -> str:
        raise WorkshopError("It is so.", "Do this.")

    monkeypatch.setattr(doctor, "CHECKS", {"fine": lambda _: "all is well"})
    assert doctor.main(environment, as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == {
        "findings": [{"name": "fine", "ok": True, "says": "all is well", "fix": ""}]
    }
    monkeypatch.setattr(doctor, "CHECKS", {"fine": lambda _: "all is well", "longer": fails})
    assert doctor.main(environment, as_json=False) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok      fine    all is well",
        "not ok  longer  It is so.",
        "                Do this.",
    ]


def test_an_environment_that_was_never_made_is_nothing_wrong(environment: Environment) -> None:
    assert "not made yet" in doctor.environment_state(environment)


def test_a_complete_environment_is_said_to_be_so(installed: Environment) -> None:
    assert doctor.environment_state(installed) == "complete and up to date"
    assert "not needed" in doctor.package_index(installed)


def test_a_half_finished_environment_is_found(installed: Environment) -> None:
    installed.stamp.unlink()
    with pytest.raises(StaleEnvironmentError, match="interrupted"):
        doctor.environment_state(installed)


def test_an_environment_with_another_lock_is_found(installed: Environment) -> None:
    with installed.lock.open("a") as lock:
        lock.write("# changed\n")
    with pytest.raises(StaleEnvironmentError, match="older than the locks"):
        doctor.environment_state(installed)


def test_an_installation_that_is_going_on_is_nothing_wrong(installed: Environment) -> None:
    installed.stamp.unlink()
    with installed.installing.open("wb") as file:
        assert installer.lock_file(file.fileno())
        assert "at this moment" in doctor.environment_state(installed)


def test_a_disk_without_room_is_found_unless_everything_is_installed(
    installed: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installer, "NEEDED_BYTES", 10**18)
    assert "free" in doctor.disk(installed)
    installed.stamp.unlink()
    with pytest.raises(NoSpaceError):
        doctor.disk(installed)


def test_a_folder_that_cannot_be_written_is_found(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "can be written" in doctor.folder(environment)
    monkeypatch.setattr(os, "access", lambda _folder, _mode: False)
    with pytest.raises(FolderNotWritableError):
        doctor.folder(environment)


@pytest.mark.parametrize("lock", ["requirements.txt", "workshop/build-requirements.txt"])
def test_a_missing_lock_is_found(environment: Environment, lock: str) -> None:
    assert "uv==0.13.8" in doctor.locks(environment)
    (environment.root / lock).unlink()
    with pytest.raises(LockUnusableError, match=Path(lock).name):
        doctor.locks(environment)


def test_an_index_that_does_not_answer_is_found(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str], _variables: Mapping[str, str]) -> list[str]:
        asked.append(command)
        if "versions" in command:
            raise ToolError(["ERROR: No matching distribution found for uv"])
        return []

    monkeypatch.setattr(doctor, "run_tool", run)
    with pytest.raises(IndexUnreachableError):
        doctor.package_index(environment)
    assert not environment.folder.exists(), "the doctor tries elsewhere"
    assert not Path(asked[0][-1]).parent.exists(), "and leaves nothing behind"


@pytest.mark.parametrize(("answer", "says"), [(0, "is taken"), (errno.ECONNREFUSED, "is free")])
def test_the_port_is_told_and_nothing_wrong_either_way(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, answer: int, says: str
) -> None:
    attempt = Mock(**{"connect_ex.return_value": answer})
    monkeypatch.setattr(socket, "socket", lambda: contextlib.nullcontext(attempt))
    assert says in doctor.port(environment)
    attempt.connect_ex.assert_called_once_with(("127.0.0.1", 4566))
