"""How long `up` takes: from a fresh clone, with the environment there, and repeated with nothing changed.

Run `python -m benchmarks.up`. The first figure includes the download of the environment, so it needs a network.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from workshop.places import ROOT

TARGETS = {"fresh clone": 90, "environment there": 30, "nothing changed": 12}


def main() -> None:
    """Measure the three runs in a clone of this tree and print each against its target."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "a clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        environment = {"PATH": os.environ["PATH"], "HOME": folder}
        python = getattr(sys, "_base_executable", sys.executable)
        try:
            for name in TARGETS:
                seconds, steps = _up(python, clone, environment)
                told = " · ".join(f"{step['name']} {step['seconds']:.1f}" for step in steps)
                print(f"{name:<18} {seconds:5.1f} s of {TARGETS[name]} s   ({told})")
                if name == "fresh clone":
                    _run(python, clone, environment, "down", "--destroy")
        finally:
            _run(python, clone, environment, "down", "--destroy")


def _up(python: str, clone: Path, environment: Mapping[str, str]) -> tuple[float, list[dict[str, float]]]:
    begun = time.monotonic()
    said = _run(python, clone, environment, "up", "--json")
    return time.monotonic() - begun, json.loads(said)["steps"]


def _run(python: str, clone: Path, environment: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(
        [python, "-m", "workshop", *words], cwd=clone, env=dict(environment), stdout=subprocess.PIPE, check=True
    )
    return done.stdout.decode()


if __name__ == "__main__":
    main()
