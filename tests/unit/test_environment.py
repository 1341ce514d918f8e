import os
import sys
from pathlib import Path

import pytest

from tests.unit.fake_installers import Installers
from workshop import installer
from workshop.environment import HERE, Environment, variables_for_another_python


def test_nothing_is_missing_and_an_install_makes_it_ready(environment: Environment) -> None:
    assert environment.state() == "missing"
    environment.folder.mkdir()
    environment.installing.touch()
    assert environment.state() == "missing", "the file that is locked is not an environment"
    installer.make(environment, Installers(environment), lambda _: None)
    assert environment.state() == "ready"


@pytest.mark.parametrize("lock", ["requirements.txt", "workshop/build-requirements.txt"])
def test_a_changed_lock_is_noticed(installed: Environment, lock: str) -> None:
    with (installed.root / lock).open("a") as file:
        file.write("# one more line\n")
    assert installed.state() == "outdated"


def test_a_missing_stamp_is_an_unfinished_install(installed: Environment) -> None:
    installed.stamp.unlink()
    assert installed.state() == "unfinished"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null"])
def test_a_stamp_that_says_nothing_is_not_believed(installed: Environment, content: bytes) -> None:
    installed.stamp.write_bytes(content)
    assert installed.state() in ("unfinished", "moved")


def test_a_moved_folder_is_noticed(installed: Environment) -> None:
    moved = installed.root.with_name("moved")
    installed.root.rename(moved)
    assert Environment(moved).state() == "moved"


def test_a_removed_interpreter_is_noticed(installed: Environment) -> None:
    installed.python.unlink()
    installed.python.symlink_to("/nonexistent/python3")
    assert installed.state() == "broken"


def test_a_link_to_another_interpreter_is_noticed(installed: Environment, tmp_path: Path) -> None:
    other = tmp_path / "python3"
    other.write_bytes(b"another Python")
    installed.python.unlink()
    installed.python.symlink_to(other)
    assert installed.state() == "broken"


def test_an_upgraded_interpreter_is_noticed(environment: Environment, tmp_path: Path) -> None:
    interpreter = tmp_path / "python3"
    interpreter.write_bytes(b"version 1")
    environment.programs.mkdir(parents=True)
    environment.python.symlink_to(interpreter)
    (environment.folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    before = environment.fingerprint()
    interpreter.write_bytes(b"version 2")
    os.utime(interpreter, ns=(0, interpreter.stat().st_mtime_ns + 1))
    assert environment.fingerprint() != before


def test_a_missing_description_is_noticed(installed: Environment) -> None:
    (installed.folder / "pyvenv.cfg").unlink()
    assert installed.state() == "broken"


def test_looking_changes_nothing(installed: Environment) -> None:
    def files() -> dict[Path, int]:
        return {path: path.lstat().st_mtime_ns for path in installed.root.rglob("*")}

    before = files()
    installed.state()
    assert files() == before


def test_looking_needs_neither_installers_nor_packages() -> None:
    """The check runs at every start, so what an installation alone needs stays unimported."""
    code = "import sys, workshop.start; workshop.environment.HERE.state(); print(*sorted(sys.modules))"
    imported = run_on_base(code).split()
    assert not {"subprocess", "ssl", "shutil", "tempfile", "socket", "typer", "rich", "boto3"} & set(imported)


def run_on_base(code: str) -> str:
    """Run code on the interpreter behind this environment, which has no packages but its own."""
    import subprocess

    base = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run([base, "-S", "-c", code], cwd=HERE.root, capture_output=True, text=True, check=True)
    return done.stdout


def test_what_belongs_to_another_python_is_left_out() -> None:
    theirs = {"PYTHONPATH": "/x", "PYTHONHOME": "/x", "VIRTUAL_ENV": "/x", "__PYVENV_LAUNCHER__": "/x"}
    assert variables_for_another_python({**theirs, "HOME": "/h", "UV_DEFAULT_INDEX": "i"}) == {
        "HOME": "/h",
        "UV_DEFAULT_INDEX": "i",
    }
