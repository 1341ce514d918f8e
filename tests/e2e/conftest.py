"""The product as a user runs it: `python -m workshop …` in processes of their own, each with a home of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from workshop.places import ROOT


@dataclass
class Workshop:
    """One user's workshop, without the live page unless `environment` says otherwise."""

    home: Path
    environment: dict[str, str] = field(default_factory=lambda: {"WORKSHOP_CONSOLE": "no"})

    def start(self, *words: str, extra: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "workshop", *words],
            cwd=ROOT,
            env={**os.environ, **self.environment, **(extra or {}), "WORKSHOP_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, expect: int = 0, extra: Mapping[str, str] | None = None) -> str:
        process = self.start(*words, extra=extra)
        out, err = process.communicate(timeout=300)
        assert process.returncode == expect, f"{words} ended with {process.returncode}\n{out}\n{err}"
        return out

    def json(self, *words: str, expect: int = 0, extra: Mapping[str, str] | None = None) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.run(*words, "--json", expect=expect, extra=extra))
        return document

    def address(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.home / "local" / "address.json").read_text())
        return document


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A workshop that is up, shared by the tests that leave it so."""
    workshop = Workshop(tmp_path_factory.mktemp("a home with spaces"))
    try:
        workshop.run("up")
        yield workshop
    finally:
        workshop.run("down", "--destroy")


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Workshop]:
    """A workshop in which nothing has happened yet."""
    workshop = Workshop(tmp_path / "fresh home")
    try:
        yield workshop
    finally:
        workshop.run("down", "--destroy")
