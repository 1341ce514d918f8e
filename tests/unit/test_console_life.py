"""The page's server as others see it: who holds its folder is stopped, whether or not it answers."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import eventually
from workshop.console import life
from workshop.places import ROOT

# It holds the home as a server does, and answers nobody.
BUSY = """
import os, sys, time
from pathlib import Path
from workshop.local_aws.home import Home

home = Home(Path(sys.argv[1]))
with home.served():
    home.announce("http://127.0.0.1:1", os.getpid(), "busy")
    time.sleep(60)
"""


def test_one_too_busy_to_answer_is_stopped_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    home = life.home_of(aws=False)
    assert not life.stop(aws=False), "there is none yet"
    busy = subprocess.Popen([sys.executable, "-c", BUSY, str(home.root)], cwd=ROOT)
    try:
        eventually(home.address, within=30)
        assert life.stop(aws=False)
        assert busy.wait(10) != 0
        assert not home.is_served()
    finally:
        busy.kill()
        busy.wait()
