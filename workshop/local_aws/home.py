"""The folder an embedded AWS lives in: its state, its lock, and where it answers."""

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

USUAL_PORT = 4566
"""Where tools expect a local AWS. Another port is taken when a program is there already."""

IDENTITY_PATH = "/_workshop/identity"
"""What is asked for here answers with the identity in the address: proof of who it is."""


class HomeInUse(RuntimeError):
    """Another embedded AWS lives in this folder."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a running embedded AWS answers, and which process it is."""

    endpoint: str
    pid: int
    identity: str


class Home:
    """One embedded AWS's folder. Several may exist side by side; each serves one state."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.state = self.root / "state"
        self.objects = self.root / "objects"
        self.journals = self.root / "journals"
        self.cache = self.root / "cache"
        self.scratch = self.root / "scratch"
        self.log = self.root / "server.log"
        self.meter = self.root / "metering.json"
        self._address = self.root / "address.json"
        self._lock = self.root / "server.lock"

    @contextmanager
    def served(self) -> Iterator[None]:
        """Hold the home for the life of a server. The lock goes with the process, however it ends.

        Raises:
            HomeInUse: another server holds it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with self._lock.open("a") as lock:
            self._take(lock)
            self._address.unlink(missing_ok=True)
            try:
                yield
            finally:
                self._address.unlink(missing_ok=True)

    def _take(self, lock: IO[str]) -> None:
        # Somebody who looks whether the home is served holds the lock for an instant: try again before giving up.
        for attempt in range(20):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01 * attempt)
            else:
                return
        raise HomeInUse(f"an embedded AWS already runs in {self.root}")

    def announce(self, endpoint: str, pid: int, identity: str) -> None:
        """Write down where the server answers; readers see all of it or nothing."""
        draft = self._address.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(Address(endpoint, pid, identity))), encoding="utf-8")
        draft.replace(self._address)

    def address(self) -> Address | None:
        """Return where the server answers, or None when none runs. One that is just starting has no address yet."""
        if not self.is_served():
            return None
        try:
            return Address(**json.loads(self._address.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def is_served(self) -> bool:
        """Tell whether a server holds the home."""
        if not self._lock.exists():
            return False
        with self._lock.open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False
