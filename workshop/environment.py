"""Tell whether `.venv` is what the locks say: standard library alone, and in milliseconds, for it runs at every start.

A stamp, removed before the first change of an installation and written after the last one, is what tells a whole
environment from a half-finished one.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workshop.errors import WorkshopError

State = Literal["ready", "missing", "outdated", "unfinished", "moved", "broken"]


class StartError(WorkshopError):
    """Says why a command cannot begin; its exit code is the process's."""

    exit_code = 1


class StoppedError(StartError):
    """The user, or the system, asked to stop."""

    exit_code = 130


@dataclass(frozen=True)
class Environment:
    """The environment of one copy of the workshop, whose folder is `root`."""

    root: Path

    @property
    def folder(self) -> Path:
        """`.venv` in the workshop's folder."""
        return self.root / ".venv"

    @property
    def programs(self) -> Path:
        """The folder of the environment's commands."""
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> Path:
        """The environment's interpreter, which may be a dangling link."""
        return self.programs / ("python.exe" if sys.platform == "win32" else "python")

    @property
    def lock(self) -> Path:
        """The packages, pinned with hashes."""
        return self.root / "requirements.txt"

    @property
    def build_lock(self) -> Path:
        """The packages that source distributions in the lock are built with, pinned with hashes."""
        return self.root / "workshop" / "build-requirements.txt"

    @property
    def stamp(self) -> Path:
        """What a whole environment was made from."""
        return self.folder / "workshop-stamp.json"

    @property
    def installing(self) -> Path:
        """The file that is locked while someone installs."""
        return self.folder / "workshop-installing.lock"

    def state(self) -> State:
        """Compare the stamp with what it should say now. Starts no process, so that it costs milliseconds."""
        try:
            stamped = json.loads(self.stamp.read_bytes())
        except (OSError, ValueError):
            occupied = self.folder.is_dir() and any(path != self.installing for path in self.folder.iterdir())
            return "unfinished" if occupied else "missing"
        try:
            now = self.fingerprint()
        except OSError:
            return "broken"
        if stamped == now:
            return "ready"
        if not isinstance(stamped, dict) or stamped.get("folder") != now["folder"]:
            return "moved"
        return "outdated" if {**stamped, "lock": now["lock"]} == now else "broken"

    def fingerprint(self) -> dict[str, str]:
        """Describe what the environment depends on; raises OSError when its interpreter is gone.

        The interpreter is told by the file behind the link: an upgrade of the system's Python replaces that file, and
        the installed packages may then be of the wrong version.
        """
        locks = hashlib.sha256(self.lock.read_bytes() + self.build_lock.read_bytes())
        interpreter = self.python.resolve(strict=True)
        base = re.search(r"^executable = (.+)$", (self.folder / "pyvenv.cfg").read_text("utf-8"), re.MULTILINE)
        files = sorted({interpreter, Path(base[1])} if base else {interpreter})
        described = [f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
        return {
            "lock": locks.hexdigest(),
            "folder": str(self.folder),
            "platform": f"{sys.platform} {os.uname().machine if hasattr(os, 'uname') else ''}".strip(),
            "python": " and ".join(described),
        }

    def is_running(self) -> bool:
        """Tell whether this process runs on the environment's interpreter."""
        return self.folder.is_dir() and self.folder.samefile(sys.prefix)


HERE = Environment(Path(__file__).resolve().parent.parent)


def variables_for_another_python(variables: Mapping[str, str]) -> dict[str, str]:
    """Leave out what belongs to the Python of this process and would mislead another one."""
    own = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    return {name: value for name, value in variables.items() if name not in own}
