"""The folder a server lives in: its lock and where it answers, and of an embedded AWS the state and all it holds."""

import fcntl
import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

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

    def answers(self) -> bool:
        """Tell whether the process that wrote the address is the one that answers there, within five seconds."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.endpoint + IDENTITY_PATH, timeout=5) as response:
                return self.identity in response.read().decode()
        except OSError:
            return False


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
        self._last_endpoint = self.root / "endpoint"
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

    def listen(self, port: int | None, *, usual: int) -> socket.socket:
        """Return a listening socket on 127.0.0.1: at `port`, or at the last one here, the usual one or a free one.

        Raises:
            OSError: the port that was asked for by number is taken.
        """
        for candidate in [port] if port is not None else [self._last_port() or usual, usual, 0]:
            listener = socket.socket()
            # Without it a port stays refused for a minute after the last server on it stopped.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", candidate))
                listener.listen(256)
            except OSError:
                listener.close()
                if candidate in (port, 0):
                    raise
            else:
                return listener
        raise AssertionError("the system always has a free port to give")

    def move_to(self, endpoint: str) -> None:
        """Have what is kept name this endpoint instead of the last one: queues are known by addresses that hold it.

        Items of tables are their owners', and stay as they are.
        """
        if self._last_endpoint.exists():
            before = self._last_endpoint.read_text(encoding="utf-8").encode() + b"/"
            for file in self.state.glob("*.json") if before != endpoint.encode() + b"/" else ():
                if file.name != "dynamodb.json" and before in (content := file.read_bytes()):
                    draft = file.with_suffix(".tmp")
                    draft.write_bytes(content.replace(before, endpoint.encode() + b"/"))
                    draft.replace(file)
        self._last_endpoint.write_text(endpoint, encoding="utf-8")

    def _last_port(self) -> int | None:
        try:
            return urlsplit(self._last_endpoint.read_text(encoding="utf-8")).port
        except (FileNotFoundError, ValueError):
            return None

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
