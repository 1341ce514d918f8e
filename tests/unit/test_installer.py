import contextlib
import errno
import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import eventually
from tests.unit.fake_installers import LOCK, Installers, fresh_copy
from workshop import installer
from workshop.environment import HERE, Environment, StartError
from workshop.installer import (
    FolderNotWritableError,
    HashMismatchError,
    IndexUnreachableError,
    InstallFailedError,
    LockUnusableError,
    NoSpaceError,
    Progress,
    ToolError,
    VenvModuleMissingError,
    explained,
    pinned,
    run_tool,
    with_mirrors,
)

PYTHON = sys.executable


@pytest.fixture
def installers(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Installers:
    fake = Installers(environment)
    monkeypatch.setattr(installer, "run_tool", lambda command, variables, _tick, _keep: fake(command, variables))
    return fake


# The lock


def test_a_requirement_is_cut_out_with_all_its_hashes() -> None:
    assert pinned(LOCK, "uv") == "uv==0.13.8 \\\n    --hash=sha256:dd \\\n    --hash=sha256:ee\n"
    assert pinned(LOCK, "uvloop") == "uvloop==1.0 \\\n    --hash=sha256:ff\n"


@pytest.mark.parametrize("lock", ["", "uvloop==1.0 --hash=sha256:ff", "uv==0.13.8\n", "uv>=1 --hash=sha256:ff"])
def test_a_lock_that_does_not_pin_uv_is_refused(lock: str) -> None:
    with pytest.raises(LockUnusableError, match="does not pin uv"):
        pinned(lock, "uv")


def test_the_lock_of_the_workshop_pins_uv_with_many_hashes() -> None:
    requirement = pinned(HERE.lock.read_text(), "uv")
    assert requirement.count("--hash=sha256:") > 5
    assert requirement.count("==") == 1


def test_every_build_requirement_of_the_workshop_is_pinned_with_a_hash() -> None:
    lock = HERE.build_lock.read_text()
    names = [line.split("==")[0] for line in lock.splitlines() if "==" in line and not line.startswith("#")]
    assert {"setuptools", "wheel", "build"} <= set(names)
    for name in names:
        pinned(lock, name)


# The installation


def test_every_package_is_installed_by_its_hash(environment: Environment, installers: Installers) -> None:
    installer.prepare(environment, io.StringIO())
    assert installers.whole()
    for command, _ in installers.commands:
        if {"install", "sync"} & set(command):
            assert "--require-hashes" in command
    built = installers.commands[-1][0]
    assert built[built.index("--build-constraints") + 1] == str(environment.build_lock)
    assert "--require-build-hashes" in built


def test_a_ready_environment_is_left_alone(environment: Environment, installers: Installers) -> None:
    installer.prepare(environment, io.StringIO())
    done = len(installers.commands)
    installer.prepare(environment, io.StringIO())
    assert len(installers.commands) == done


def test_installers_see_nothing_of_another_python(
    environment: Environment, installers: Installers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("UV_HTTP_TIMEOUT", "77")
    installer.prepare(environment, io.StringIO())
    for _, variables in installers.commands:
        assert "PYTHONPATH" not in variables
        assert variables["UV_HTTP_TIMEOUT"] == "77"
    assert installers.commands[-1][1]["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"


def test_the_command_and_the_import_path_are_there_afterwards(environment: Environment, installers: Installers) -> None:
    installer.prepare(environment, io.StringIO())
    assert os.access(environment.programs / "workshop", os.X_OK)
    [path] = environment.folder.glob("lib/python*/site-packages/workshop.pth")
    assert path.read_text() == f"{environment.root}\n"


@settings(max_examples=25, deadline=None)
@given(
    kills=st.lists(
        st.tuples(st.integers(min_value=1, max_value=90), st.sampled_from([LOCK, LOCK + "# changed\n"])),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_the_moment_of_a_kill_the_next_run_repairs(kills: list[tuple[int, str]]) -> None:
    """Kill installations of this or that lock at their n-th change of a file; no half of one passes for a whole.

    Changes are counted where Python itself announces them, so that the removal of an old environment, the stamp and
    every write in between are moments to be killed at, not only the steps.
    """
    with tempfile.TemporaryDirectory() as temporary, pytest.MonkeyPatch.context() as patch:
        patch.setattr(installer, "NEEDED_BYTES", 0)
        environment = fresh_copy(Path(temporary) / "copy")
        environment.folder.mkdir()
        fake = Installers(environment)
        installer.make(environment, fake, lambda _: None)
        for end, lock in kills:
            environment.lock.write_text(lock)
            if environment.state() != "ready":
                if (child := os.fork()) == 0:
                    _install_until(environment, end)
                _, status = os.waitpid(child, 0)
                assert os.waitstatus_to_exitcode(status) in (0, 9)
            environment.lock.write_text(LOCK)
            assert environment.state() != "ready" or fake.whole()
        if environment.state() != "ready":
            installer.make(environment, fake, lambda _: None)
        assert environment.state() == "ready"
        assert fake.whole()


def test_the_stamp_goes_before_anything_else(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it empties the folder, an installation would else leave a stamp on what is no longer there."""
    environment.folder.mkdir()
    installer.make(environment, Installers(environment), lambda _: None)
    stamped: list[bool] = []
    as_listed, remove = Path.iterdir, shutil.rmtree

    def look_and_remove(path: Path) -> None:
        stamped.append(environment.stamp.exists())
        remove(path)

    monkeypatch.setattr(Path, "iterdir", lambda folder: sorted(as_listed(folder), key=Path.is_file))
    monkeypatch.setattr(shutil, "rmtree", look_and_remove)
    installer.make(environment, Installers(environment), lambda _: None)
    assert stamped
    assert not any(stamped)


def _install_until(environment: Environment, end: int) -> None:
    """Install in a forked process, which ends without any clean-up before its `end`-th change of a file."""
    changes = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal changes
        opened_for_writing = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if opened_for_writing or event in ("os.remove", "os.rmdir", "os.rename", "os.mkdir", "os.symlink", "os.chmod"):
            changes += 1
            if changes >= end:
                os._exit(9)

    try:
        sys.addaudithook(count)
        installer.make(environment, Installers(environment), lambda _: None)
    except BaseException:
        os._exit(1)
    os._exit(0)


def test_a_second_start_waits_and_finds_it_done(environment: Environment, installers: Installers) -> None:
    told = io.StringIO()
    with installer.alone(environment, Progress(io.StringIO())):
        second = threading.Thread(target=_prepare_without_signals, args=(environment, told))
        second.start()
        eventually(lambda: "waiting for another start" in told.getvalue(), within=10)
        assert not installers.commands
        installer.make(environment, installers, lambda _: None)
        done = len(installers.commands)
    second.join(10)
    assert "ready" in told.getvalue()
    assert len(installers.commands) == done


def _prepare_without_signals(environment: Environment, stream: io.StringIO) -> None:
    """Prepare outside the main thread, where Python allows no signal handlers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(installer, "signals_raise", contextlib.nullcontext)
        installer.prepare(environment, stream)


# Running an installer


def test_an_installer_is_given_its_variables_and_returns_its_lines() -> None:
    code = "import os; print('one'); print(os.environ['A'])"
    assert run_tool([PYTHON, "-c", code], {"A": "b"}) == ["one", "b"]


def test_a_failing_installer_tells_its_lines() -> None:
    with pytest.raises(ToolError) as failed:
        run_tool([PYTHON, "-c", "print('this'); print('why'); raise SystemExit(3)"], {})
    assert failed.value.lines == ["this", "why"]


def test_an_interrupted_installer_and_its_children_are_stopped(tmp_path: Path) -> None:
    lock, started = tmp_path / "lock", tmp_path / "started"
    grandchild = (
        "import pathlib, signal, time; from workshop.installer import lock_file\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"file = open({str(lock)!r}, 'wb'); assert lock_file(file.fileno())\n"
        f"pathlib.Path({str(started)!r}).touch(); time.sleep(60)"
    )
    child = (
        "import subprocess, sys\n"
        f"subprocess.run([sys.executable, '-c', {grandchild!r}], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
    )

    def interrupt() -> None:
        if started.exists():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tool([PYTHON, "-c", child], {"PYTHONPATH": str(HERE.root)}, tick=interrupt)
    with lock.open("rb") as file:
        assert eventually(lambda: installer.lock_file(file.fileno()), within=10)


def test_a_killed_start_leaves_its_lock_to_its_installer(tmp_path: Path) -> None:
    """The orphan goes on writing into the environment, so nobody may begin before it has ended."""
    lock, orphan = tmp_path / "lock", tmp_path / "orphan"
    installing = f"import os, pathlib, time; pathlib.Path({str(orphan)!r}).write_text(str(os.getpid())); time.sleep(60)"
    start = (
        "import sys; from workshop.installer import lock_file, run_tool\n"
        f"file = open({str(lock)!r}, 'wb'); assert lock_file(file.fileno())\n"
        f"run_tool([sys.executable, '-c', {installing!r}], {{}}, keep_open=file.fileno())"
    )
    with subprocess.Popen([PYTHON, "-c", start], cwd=HERE.root) as process:
        eventually(lambda: orphan.exists() and orphan.read_text(), within=20)
        process.send_signal(signal.SIGKILL)
    with lock.open("rb") as file:
        assert not installer.lock_file(file.fileno())
        os.kill(int(orphan.read_text()), signal.SIGKILL)
        assert eventually(lambda: installer.lock_file(file.fileno()), within=10)


def test_a_request_to_end_is_an_interruption_unless_it_is_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with installer.signals_raise():
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


# Failures


def test_a_full_disk_is_told_before_anything_is_downloaded(
    environment: Environment, installers: Installers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installer, "NEEDED_BYTES", 2_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=300_000_000))
    with pytest.raises(NoSpaceError, match=r"needs 2\.0 GB, and the disk of .* has 0\.3 GB"):
        installer.prepare(environment, io.StringIO())
    assert not installers.commands


def test_a_python_without_ensurepip_names_the_package_to_install(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name))
    with pytest.raises(VenvModuleMissingError, match="ensurepip") as missing:
        installer.prepare(environment, io.StringIO())
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"sudo apt-get install python{version}-venv" in missing.value.next_step


@pytest.mark.parametrize("lock", ["requirements.txt", "workshop/build-requirements.txt"])
def test_a_missing_lock_is_named_and_the_environment_kept(
    environment: Environment, installers: Installers, lock: str
) -> None:
    installer.prepare(environment, io.StringIO())
    (environment.root / lock).unlink()
    with pytest.raises(LockUnusableError, match=Path(lock).name):
        installer.prepare(environment, io.StringIO())
    assert installers.whole()


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ["Downloading uv", "error: failed to copy file", "  cause: No space left on device (os error 28)"],
            NoSpaceError,
        ),
        (["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."], HashMismatchError),
        (["error: Failed to fetch", "  cause: Hash mismatch for `six==1.0`", "    sha256:00"], HashMismatchError),
        (["error: failed to open file `/home/x`: Permission denied (os error 13)"], FolderNotWritableError),
        (["error: Failed to fetch: `https://x/simple`", "  cause: dns error"], IndexUnreachableError),
        (["  cause: invalid peer certificate: UnknownIssuer", "hint: see there"], IndexUnreachableError),
        (
            ["ERROR: Could not find a version that satisfies the requirement uv==1 (from versions: none)"],
            IndexUnreachableError,
        ),
        (["error: the moon is full"], InstallFailedError),
        ([], InstallFailedError),
    ],
)
def test_what_installers_say_chooses_the_advice(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, lines: list[str], problem: type[StartError]
) -> None:
    def fail(*_: object) -> list[str]:
        raise ToolError(lines)

    monkeypatch.setattr(installer, "run_tool", fail)
    with pytest.raises(problem, match=r"making \.venv") as told:
        installer.prepare(environment, io.StringIO())
    assert "\n" not in told.value.message
    assert told.value.next_step
    assert environment.state() != "ready"


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSPC, NoSpaceError),
        (errno.EROFS, FolderNotWritableError),
        (errno.EACCES, FolderNotWritableError),
        (errno.EIO, InstallFailedError),
    ],
)
def test_what_the_system_says_chooses_the_advice(number: int, problem: type[StartError]) -> None:
    assert type(explained(OSError(number, os.strerror(number)), "making .venv")) is problem


def test_no_password_of_a_mirror_is_shown() -> None:
    told = explained(ToolError(["error: Failed to fetch: `https://me:secret@mirror.example/simple/`"]), "installing uv")
    assert "mirror.example" in str(told)
    assert "secret" not in str(told)


def test_a_defect_is_not_explained_away() -> None:
    defect = ZeroDivisionError()
    assert explained(defect, "making .venv") is defect


# Mirrors


def test_uv_uses_the_mirror_that_pip_was_told_of() -> None:
    told = with_mirrors(
        {"PIP_INDEX_URL": "https://env.example"},
        ["global.index-url='https://file.example'", ":env:.index-url='https://env.example'", "global.cert='/ca.pem'"],
    )
    assert told["UV_DEFAULT_INDEX"] == "https://env.example"
    assert told["SSL_CERT_FILE"] == "/ca.pem"


def test_a_mirror_that_uv_was_told_of_is_kept_and_passed_to_pip() -> None:
    told = with_mirrors({"UV_DEFAULT_INDEX": "https://uv.example"}, ["global.index-url='https://pip.example'"])
    assert told["UV_DEFAULT_INDEX"] == "https://uv.example"
    assert "PIP_INDEX_URL" not in told
    assert with_mirrors({"UV_DEFAULT_INDEX": "https://uv.example"}, [])["PIP_INDEX_URL"] == "https://uv.example"


# Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_with_the_seconds() -> None:
    now = [0.0]
    terminal = Terminal()
    progress = Progress(terminal, clock=lambda: now[0])
    progress.say("installing uv")
    now[0] = 7.2
    progress.tick()
    progress.close("ready")
    assert terminal.getvalue().splitlines()[-1].endswith("[environment] ready after 7.2 s")
    assert "installing uv ... 7 s" in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 1


def test_a_log_has_a_line_for_each_thing_that_is_done() -> None:
    log = io.StringIO()
    progress = Progress(log, clock=lambda: 0.0)
    progress.say("installing uv")
    progress.tick()
    progress.close("ready")
    assert log.getvalue() == "[environment] installing uv ...\n[environment] ready after 0.0 s\n"
