"""A copy of what an environment is made from, and an environment that fake installers have made."""

from pathlib import Path

import pytest

from tests.unit.fake_installers import Installers, fresh_copy
from workshop import installer
from workshop.environment import Environment


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setattr(installer, "NEEDED_BYTES", 0)
    return fresh_copy(tmp_path / "with space")


@pytest.fixture
def installed(environment: Environment) -> Environment:
    environment.folder.mkdir()
    installer.make(environment, Installers(environment), lambda _: None)
    return environment
