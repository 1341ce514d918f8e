"""Lessons are followed as a learner follows them: in order, each in a shell of its own, in one fresh workshop."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workshop.lessons.resetting import surroundings
from workshop.lessons.running import Shell
from workshop.places import ROOT


@dataclass
class Learner:
    """Somebody with a home of their own, who opens a shell for each lesson."""

    home: Path

    def shell(self) -> Shell:
        return Shell(ROOT, {**surroundings(os.environ), "WORKSHOP_HOME": str(self.home)})

    def check(self, lesson: int) -> dict[str, Any]:
        with self.shell() as shell:
            output, code = shell.run(f"python3 -m workshop check {lesson} --json")
        document: dict[str, Any] = json.loads("\n".join(output))
        assert code == (0 if document["reached"] else 1)
        return document


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Learner]:
    """Nothing is there yet, and nothing is left."""
    learner = Learner(tmp_path_factory.mktemp("learner") / "home with spaces")
    try:
        yield learner
    finally:
        with learner.shell() as shell:
            shell.run("python3 -m workshop down --destroy")
