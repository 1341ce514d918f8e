"""Decide what a command needs before it can run, and hand it over to the Python of the environment.

Every start passes here twice, on either side of the handing over, so what is seldom needed is imported where it is.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence

from workshop.environment import HERE, Environment, StartError, StoppedError, variables_for_another_python

# Both are for the one process that is handed over to: that it is, lest it start another, and what an installation took.
HANDED_OVER = "WORKSHOP_HANDED_OVER"
ENVIRONMENT_SECONDS = "WORKSHOP_ENVIRONMENT_SECONDS"

COMMANDS = {
    "up": "start everything here, or on AWS with --aws, and show the first answers",
    "generate": "let the stores trade, for example: generate --hours 4",
    "query": "ask Athena a named question, or any other with --sql",
    "status": "what runs, how many events went through each hop, and what waits",
    "alerts": "which shelves ran low, and which truck came",
    "trace": "follow one event through every hop, for example: trace S00001-P0001-96",
    "redrive": "put dead letters back into their queue",
    "replay": "put refused and failed events back into the stream",
    "console": "the live page: every event on its way, stores, alerts and trucks",
    "cost": "what all this costs on AWS, idle and at a load",
    "check": "have I finished a lesson? for example: check 1",
    "reset": "go back to the start of a lesson, for example: reset 3",
    "env": "variables that lead the AWS CLI to all this, for a shell's eval",
    "bench": "measure the speed of each part",
    "test": "run the whole test suite",
    "doctor": "what is wrong with this machine",
    "down": "stop; with --destroy remove everything",
}


class UnknownCommandError(StartError):
    """The command does not exist."""

    exit_code = 2


class DamagedEnvironmentError(StartError):
    """The environment has its stamp, but was changed by hand since."""


def main(arguments: Sequence[str], environment: Environment = HERE) -> int:
    """Run one command of the workshop and return its exit code.

    Help, the version and the doctor need no environment. Everything else makes the environment first if it is not
    ready, and replaces this process by one that runs on the environment's Python.
    """
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    wants_help = not arguments or not {"--help", "-h"}.isdisjoint(arguments)
    try:
        if command == "doctor" and not wants_help:
            from workshop import doctor

            return doctor.main(environment, as_json="--json" in arguments)
        handed_over = os.environ.pop(HANDED_OVER, None) == str(environment.folder)
        running = environment.is_running()
        if handed_over and not running:
            raise DamagedEnvironmentError(
                "The Python in .venv does not run in its environment.",
                "Remove the folder .venv and run the command again.",
            )
        if handed_over or environment.state() == "ready":
            return command_line(environment, arguments) if running else hand_over(environment, arguments)
        if wants_help or command is None:
            sys.stdout.write(version() if "--version" in arguments and not wants_help else usage())
            return 0
        if command not in COMMANDS:
            raise UnknownCommandError(f"There is no command {command}.", f"Choose one of: {', '.join(COMMANDS)}.")
        from workshop import installer

        seconds = installer.prepare(environment, sys.stderr)
        return hand_over(environment, arguments, {ENVIRONMENT_SECONDS: f"{seconds:.1f}"})
    except StartError as problem:
        return report(problem, as_json="--json" in arguments)
    except KeyboardInterrupt:
        stopped = StoppedError("Stopped.", "Run the command again: an unfinished environment is made afresh.")
        return report(stopped, as_json="--json" in arguments)


def command_line(environment: Environment, arguments: Sequence[str]) -> int:
    """Run a command of the environment, whose programs come first in PATH from here on."""
    os.environ["PATH"] = os.pathsep.join(filter(None, [str(environment.programs), os.environ.get("PATH")]))
    try:
        from workshop.cli import main as cli
    except ModuleNotFoundError as missing:
        raise DamagedEnvironmentError(
            f"The environment lacks {missing.name}.",
            "Remove the folder .venv and run the command again: it is made afresh.",
        ) from missing
    cli(list(arguments))
    return 0


def hand_over(environment: Environment, arguments: Sequence[str], facts: Mapping[str, str] | None = None) -> int:
    """Go on as `.venv/bin/python -m workshop`; on Windows, which cannot replace a process, wait for one that does."""
    command = [str(environment.python), "-m", "workshop", *arguments]
    kept = {name: value for name, value in os.environ.items() if name != ENVIRONMENT_SECONDS}
    variables = {**variables_for_another_python(kept), HANDED_OVER: str(environment.folder), **(facts or {})}
    if variables.pop("PYTHONDONTWRITEBYTECODE", None):
        # Who wants no bytecode wants none in the tree. To compile aws_cdk for every command would take seconds of each.
        variables.setdefault("PYTHONPYCACHEPREFIX", str(environment.folder / "bytecode"))
    sys.stdout.flush()
    sys.stderr.flush()
    if sys.platform != "win32":
        os.execve(command[0], command, variables)  # noqa: S606  # no shell is wanted
    import subprocess

    return subprocess.run(command, env=variables, check=False).returncode  # noqa: S603


def usage() -> str:
    """Return the help that needs no environment."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {does}" for name, does in COMMANDS.items()]
    return "\n".join(
        [
            "Usage: python3 -m workshop COMMAND [OPTIONS]",
            "",
            "Streaming inventory analytics on your laptop, or on AWS. The first command makes .venv (1.8 GB).",
            "",
            *lines,
            "",
            "Every command takes --help; all but test and bench take --json for one JSON document on stdout.",
            "",
        ]
    )


def version() -> str:
    """Return the line that `--version` shows, read from the project's description."""
    import tomllib

    project = tomllib.loads((HERE.root / "pyproject.toml").read_text("utf-8"))["project"]
    return f"{project['name']} {project['version']}\n"


def report(problem: StartError, *, as_json: bool) -> int:
    """Show a problem, as JSON on stdout or as text on stderr, and return the exit code that belongs to it."""
    if as_json:
        error = {"type": type(problem).__name__, "message": problem.message, "next_step": problem.next_step}
        sys.stdout.write(json.dumps({"error": error}) + "\n")
    else:
        sys.stderr.write(f"{problem.message}\n{problem.next_step}\n")
    return problem.exit_code
