"""Say what is wrong with this machine: without changing anything, and without the environment."""

import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from workshop.environment import Environment, StartError, State, variables_for_another_python
from workshop.errors import WorkshopError
from workshop.installer import (
    RESTORE_LOCKS,
    FolderNotWritableError,
    LockUnusableError,
    ToolError,
    check_modules,
    check_space,
    explained,
    lock_file,
    pinned,
    run_tool,
    with_mirrors,
)
from workshop.local_aws.home import USUAL_PORT
from workshop.places import local_home


class StaleEnvironmentError(StartError):
    """The environment is not what the locks say."""


@dataclass(frozen=True)
class Finding:
    """What one check found; `fix` is empty when nothing is to be done."""

    name: str
    ok: bool
    says: str
    fix: str = ""


def python(_environment: Environment) -> str:
    """Name the Python at hand; one older than 3.11 does not come this far."""
    return f"Python {'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}"


def venv(_environment: Environment) -> str:
    """Look for what `python -m venv` needs."""
    check_modules()
    return "this Python can make virtual environments"


def disk(environment: Environment) -> str:
    """Compare the free space with what the environment needs, as long as there is none."""
    if environment.state() != "ready":
        check_space(environment.root)
    return f"{shutil.disk_usage(environment.root).free / 1e9:.1f} GB free"


def folder(environment: Environment) -> str:
    """Ask whether the workshop's folder may be written: `.venv` and `.workshop` are made in it."""
    if not os.access(environment.root, os.W_OK | os.X_OK):
        raise FolderNotWritableError(
            f"The folder {environment.root} cannot be written.", "Copy the workshop to a folder that you may write."
        )
    return f"{environment.root} can be written"


def locks(environment: Environment) -> str:
    """Read the locks that pin the packages."""
    for lock in (environment.lock, environment.build_lock):
        if not lock.is_file():
            raise LockUnusableError(f"{lock.name} is missing.", RESTORE_LOCKS)
    uv = pinned(environment.lock.read_text("utf-8"), "uv").split()[0]
    return f"requirements.txt is there and pins {uv}"


def environment_state(environment: Environment) -> str:
    """Compare the environment with its stamp; while someone installs, unfinished is as it should be."""
    says: Mapping[State, str] = {
        "ready": "complete and up to date",
        "missing": "not made yet; the first command makes it",
        "outdated": "older than the locks",
        "unfinished": "an installation was interrupted, or it is not the workshop's own",
        "moved": "made in another folder",
        "broken": "the Python it was made with has been changed or removed",
    }
    state = environment.state()
    if state in ("ready", "missing"):
        return says[state]
    if environment.installing.is_file():
        with environment.installing.open("rb") as file:
            if not lock_file(file.fileno()):
                return "being installed at this moment"
    raise StaleEnvironmentError(f".venv: {says[state]}", "Nothing to do: the next command makes it afresh.")


def package_index(environment: Environment) -> str:
    """Ask the package index for uv, as an installation would, unless everything is installed already."""
    if environment.state() == "ready":
        return "not needed, everything is installed"
    check_modules()
    variables = variables_for_another_python(os.environ) | {"PIP_RETRIES": "0"}
    with tempfile.TemporaryDirectory() as temporary:
        trial = Environment(Path(temporary))
        pip = [str(trial.python), "-m", "pip"]
        try:
            run_tool([sys.executable, "-m", "venv", str(trial.folder)], variables)
            variables = with_mirrors(variables, run_tool([*pip, "config", "list"], variables))
            run_tool([*pip, "index", "versions", "uv"], variables)
        except (OSError, ToolError) as failure:
            raise explained(failure, "asking for uv") from None
    return "answers"


def port(_environment: Environment) -> str:
    """Tell whether the usual port of the embedded AWS is free; another one is taken when it is not."""
    with socket.socket() as attempt:
        taken = attempt.connect_ex(("127.0.0.1", USUAL_PORT)) == 0
    state = "taken; unless it is by the workshop, it uses another one" if taken else "free"
    return f"{USUAL_PORT} is {state}"


def embedded_aws(_environment: Environment) -> str:
    """Tell whether the embedded AWS runs, and where."""
    address = local_home().address()
    return f"runs at {address.endpoint}, process {address.pid}" if address else "does not run"


# Each says what it found, and raises WorkshopError when something is to be done.
CHECKS: dict[str, Callable[[Environment], str]] = {
    "python": python,
    "venv": venv,
    "disk": disk,
    "folder": folder,
    "locks": locks,
    "environment": environment_state,
    "package index": package_index,
    "port": port,
    "embedded AWS": embedded_aws,
}


def examine(environment: Environment, checks: Mapping[str, Callable[[Environment], str]]) -> list[Finding]:
    """Run every check; one that finds a problem does not keep the others from running."""
    findings = []
    for name, check in checks.items():
        try:
            findings.append(Finding(name, True, check(environment)))
        except WorkshopError as problem:
            findings.append(Finding(name, False, problem.message, problem.next_step))
    return findings


def main(environment: Environment, *, as_json: bool) -> int:
    """Show the findings on stdout; return 0 when every check is ok, else 1."""
    findings = examine(environment, CHECKS)
    if as_json:
        sys.stdout.write(json.dumps({"findings": [asdict(finding) for finding in findings]}) + "\n")
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            sys.stdout.write(f"{'ok    ' if finding.ok else 'not ok'}  {finding.name:<{width}}  {finding.says}\n")
            if finding.fix:
                sys.stdout.write(f"{'':{width + 10}}{finding.fix}\n")
    return 0 if all(finding.ok for finding in findings) else 1
