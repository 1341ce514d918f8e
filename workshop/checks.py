"""Every check of the project, in the order in which they are quickest to fail."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from workshop.places import ROOT
from workshop.start import ENVIRONMENT_SECONDS

CHECKS: Sequence[tuple[str, list[str]]] = (
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("types", ["mypy"]),
    ("import rules", ["lint-imports"]),
    ("known vulnerabilities", ["python", "-m", "workshop.vulnerabilities"]),
)


# A file's tests stay in one process, in their order: what they share is set up once, and the cores work side by side.
# The files come in their order too, not those with few tests last: the longest tests are in files of their own.
ALL_TESTS = ["pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder"]


def run_all(pytest_arguments: Sequence[str]) -> int:
    """Run the checks, then pytest with the arguments given; return 0 if all passed.

    With arguments for pytest only pytest runs: somebody is looking at some tests.
    """
    if pytest_arguments:
        return 1 if _run("tests", ["pytest", *pytest_arguments]) else 0
    failed = [name for name, command in (*CHECKS, ("tests", ALL_TESTS)) if _run(name, command) != 0]
    if failed:
        sys.stderr.write(f"failed: {', '.join(failed)}\n")
    return 1 if failed else 0


def _run(name: str, command: list[str]) -> int:
    sys.stderr.write(f"== {name}: {' '.join(command)}\n")
    sys.stderr.flush()
    program = str(Path(sys.executable).parent / command[0])
    # An `up` among the tests has installed nothing.
    variables = {key: value for key, value in os.environ.items() if key != ENVIRONMENT_SECONDS}
    done = subprocess.run([program, *command[1:]], cwd=ROOT, env=variables, check=False)  # noqa: S603 - our tools
    return done.returncode
