import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from tests.unit.fake_installers import Installers, fresh_copy
from workshop import __main__ as entry
from workshop import installer, start
from workshop.environment import HERE, Environment
from workshop.start import COMMANDS, HANDED_OVER


class HandedOver(Exception):
    """Ends this process, as far as the code under test can tell, in place of os.execve."""

    def __init__(self, program: str, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self.program = program
        self.command = list(command)
        self.variables = dict(variables)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    def execve(program: str, command: Sequence[str], variables: Mapping[str, str]) -> None:
        raise HandedOver(program, command, variables)

    environment = fresh_copy(tmp_path / "with space")
    fake = Installers(environment)
    monkeypatch.setattr(installer, "NEEDED_BYTES", 0)
    monkeypatch.setattr(installer, "run_tool", lambda command, variables, _tick, _keep: fake(command, variables))
    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.delenv(HANDED_OVER, raising=False)
    return environment


@pytest.fixture
def inside(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Make this process look like one that runs in the environment; what its command line is called with."""
    calls: list[list[str]] = []

    def cli(arguments: list[str]) -> None:
        calls.append(arguments)
        sys.exit(7)

    environment.folder.mkdir()
    monkeypatch.setattr(sys, "prefix", str(environment.folder))
    monkeypatch.setitem(sys.modules, "workshop.cli", SimpleNamespace(main=cli))
    monkeypatch.setenv("PATH", "/usr/bin")
    return calls


def test_bytecode_that_is_unwanted_in_the_tree_is_kept_in_the_environment(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    with pytest.raises(HandedOver) as handed_over:
        start.main(["up"], environment)
    variables = handed_over.value.variables
    assert "PYTHONDONTWRITEBYTECODE" not in variables
    assert variables["PYTHONPYCACHEPREFIX"] == str(environment.folder / "bytecode")


def test_the_first_command_installs_and_goes_on_inside(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("AWS_PROFILE", "kept")
    with pytest.raises(HandedOver) as handed:
        start.main(["status", "--json"], environment)
    over = handed.value
    assert over.command == [str(environment.python), "-m", "workshop", "status", "--json"]
    assert over.program == over.command[0]
    assert "PYTHONPATH" not in over.variables
    assert over.variables["AWS_PROFILE"] == "kept"
    assert float(over.variables["WORKSHOP_ENVIRONMENT_SECONDS"]) >= 0
    told = capsys.readouterr()
    assert told.out == "", "stdout is for the JSON document"
    assert "[environment] ready" in told.err


def test_a_ready_environment_is_handed_over_to_in_silence(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(HandedOver):
        start.main(["up"], environment)
    capsys.readouterr()
    monkeypatch.setenv("WORKSHOP_ENVIRONMENT_SECONDS", "an earlier one's")
    with pytest.raises(HandedOver) as handed:
        start.main([], environment)
    assert capsys.readouterr() == ("", "")
    assert "WORKSHOP_ENVIRONMENT_SECONDS" not in handed.value.variables


def test_the_process_that_was_handed_over_to_runs_the_command(
    environment: Environment, inside: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HANDED_OVER, str(environment.folder))
    with pytest.raises(SystemExit) as ended:
        start.main(["query", "low_stock"], environment)
    assert ended.value.code == 7
    assert inside == [["query", "low_stock"]]
    assert HANDED_OVER not in os.environ, "a child that starts the workshop is not this process"
    assert os.environ["PATH"] == f"{environment.programs}{os.pathsep}/usr/bin"


def test_a_command_line_that_returns_is_a_success_and_no_reason_to_start_again(
    environment: Environment, inside: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HANDED_OVER, str(environment.folder))
    monkeypatch.setitem(sys.modules, "workshop.cli", SimpleNamespace(main=inside.append))
    assert start.main(["status"], environment) == 0
    assert inside == [["status"]]


def test_a_process_inside_an_outdated_environment_renews_it_first(
    environment: Environment, inside: list[list[str]]
) -> None:
    with pytest.raises(HandedOver):
        start.main(["up"], environment)
    assert environment.state() == "ready"
    assert not inside
    with pytest.raises(SystemExit):
        start.main(["up"], environment)
    assert inside == [["up"]]


def test_an_interpreter_that_does_not_run_in_its_environment_does_not_loop(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(HANDED_OVER, str(environment.folder))
    assert start.main(["up"], environment) == 1
    assert "Remove the folder .venv" in capsys.readouterr().err


def test_another_copy_of_the_workshop_is_not_mistaken_for_a_loop(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HANDED_OVER, "/another/.venv")
    with pytest.raises(HandedOver):
        start.main(["up"], environment)


def test_a_package_that_was_removed_by_hand_is_named(
    environment: Environment,
    inside: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(HANDED_OVER, str(environment.folder))
    monkeypatch.setitem(sys.modules, "workshop.cli", None)
    assert start.main(["up"], environment) == 1
    assert "lacks workshop.cli" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["up", "--help"], ["-h"], ["doctor", "--help"]])
def test_help_installs_nothing(
    environment: Environment, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert start.main(arguments, environment) == 0
    assert "python3 -m workshop COMMAND" in capsys.readouterr().out
    assert not environment.folder.exists()


def test_the_version_installs_nothing(environment: Environment, capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(["--version"], environment) == 0
    assert capsys.readouterr().out.startswith("inventory-workshop ")
    assert not environment.folder.exists()


def test_a_command_that_does_not_exist_installs_nothing(
    environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start.main(["upp", "--json"], environment) == 2
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "UnknownCommandError"
    assert not environment.folder.exists()


def test_help_without_the_environment_lists_the_commands_there_are() -> None:
    from workshop.cli import app

    command = typer.main.get_command(app)
    assert set(COMMANDS) == set(command.list_commands(None))  # type: ignore[attr-defined]


def test_a_failure_is_one_document_on_stdout_with_json(
    environment: Environment, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.lock.unlink()
    assert start.main(["up", "--json"], environment) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["error"].keys() == {"type", "message", "next_step"}
    assert told.err == ""


def test_an_interruption_is_a_sentence_and_130(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(installer, "run_tool", interrupt)
    assert start.main(["up"], environment) == 130
    assert "Stopped." in capsys.readouterr().err
    assert environment.state() != "ready"


def test_an_old_python_is_refused_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.too_old((3, 9), ["up"]) == 1
    assert capsys.readouterr().err.startswith("The workshop needs Python 3.11 or newer, and this is Python 3.9.\n")
    assert entry.too_old((3, 9), ["up", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "PythonTooOldError"


def test_an_old_python_can_read_the_file_that_refuses_it() -> None:
    """Python 3.6 itself is seldom at hand: its grammar is asked for instead."""
    import ast

    for name in ("__main__.py", "__init__.py"):
        ast.parse((HERE.root / "workshop" / name).read_text(), feature_version=(3, 6))


def test_the_real_entry_needs_no_packages(tmp_path: Path) -> None:
    """Run from a copy without environment, by the Python behind this environment, with no variables but PATH."""
    (tmp_path / "workshop").mkdir()
    for module in ("__init__", "__main__", "environment", "errors", "start"):
        source = HERE.root / "workshop" / f"{module}.py"
        (tmp_path / "workshop" / source.name).write_bytes(source.read_bytes())
    base = getattr(sys, "_base_executable", sys.executable)
    command = [base, "-S", "-m", "workshop", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  up " in done.stdout
