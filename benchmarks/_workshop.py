"""A workshop in a home of its own, for the figures that only the whole pipeline can give."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from workshop.places import ROOT


@contextmanager
def workshop() -> Iterator[Callable[..., dict[str, Any]]]:
    """Yield what runs `python -m workshop … --json` and returns its document; destroy all at the end."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "WORKSHOP_HOME": home}

        def run(*words: str) -> dict[str, Any]:
            command = [sys.executable, "-m", "workshop", *words, "--json"]
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
            document: dict[str, Any] = json.loads(done.stdout)
            return document

        try:
            yield run
        finally:
            run("down", "--destroy")
