"""The page's server as a process: started, found, and stopped. What it is made of is imported when it serves."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast
from uuid import uuid4

from botocore.config import Config

from workshop import processes
from workshop.errors import WorkshopError
from workshop.local_aws.home import Address, Home, HomeInUse
from workshop.places import kept
from workshop.target import PROMPT, Target, find_target

if TYPE_CHECKING:
    from hypercorn.typing import Framework

USUAL_PORT = 8017
START_SECONDS = 30
GRACE_SECONDS = 2.0
"""How long a server that was told to stop waits for answers under way."""
STOP_SECONDS = 10
"""How long another process waits for it, before it ends it the hard way."""


class PortTaken(WorkshopError):
    """Another program listens on the port that was asked for."""


class NotStopped(WorkshopError):
    """The page's server does not end."""


@dataclass(frozen=True, kw_only=True)
class SharedTarget(Target):
    """A target for several threads, of which boto3's session lets only one make a client at a time."""

    _turn: threading.Lock

    @property
    def config(self) -> Config:
        """Its clients wait a few seconds: a page that shows old numbers has to say so soon."""
        return self._here(PROMPT)

    def _once(self, name: str, service: str, config: Config) -> Any:
        with self._turn:
            return super()._once(name, service, config)


def home_of(*, aws: bool) -> Home:
    """Return the folder of a target's page: its lock, its address, its log, and the port it had."""
    return Home(kept() / ("console-aws" if aws else "console"))


def running(*, aws: bool) -> Address | None:
    """Return where a target's page is served, or None."""
    address = home_of(aws=aws).address()
    return address if address is not None and address.answers() else None


def find(*, aws: bool) -> Target:
    """Return the target as it is now: the embedded AWS may have come back at another port.

    Raises:
        WorkshopError: the embedded AWS does not run, or no region is set.
    """
    found = find_target(aws=aws)
    return SharedTarget(name=found.name, region=found.region, endpoint=found.endpoint, _turn=threading.Lock())


def serve(*, aws: bool, port: int | None, ready: Callable[[Address, bool], None]) -> None:
    """Serve a target's page until Ctrl-C or SIGTERM, and end this process; return at once when another serves it.

    `ready` is told the address, and whether it was there before.

    Raises:
        PortTaken: the port that was asked for is not free.
    """
    home = home_of(aws=aws)
    try:
        with home.served():
            try:
                listener = home.listen(port, usual=USUAL_PORT)
            except OSError:
                raise PortTaken(
                    f"Port {port} of 127.0.0.1 is not free.", "Name another with --port, or leave it out."
                ) from None
            asyncio.run(_serve(home, listener, aws=aws, ready=lambda address: ready(address, False)))
    except HomeInUse:
        processes.eventually(partial(running, aws=aws), within=START_SECONDS)
        other = running(aws=aws)
        if other is None:
            raise WorkshopError("The page is served already, but does not answer.", f"Look at {home.log}.") from None
        ready(other, True)
        return
    # A question to AWS that is still under way has a thread, for which Python would wait; nobody else does any more.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


async def _serve(home: Home, listener: socket.socket, *, aws: bool, ready: Callable[[Address], None]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    from hypercorn.asyncio import serve as hypercorn
    from hypercorn.config import Config

    from workshop.console.running import Runs
    from workshop.console.server import Console, application
    from workshop.console.watching import Watcher

    port = listener.getsockname()[1]
    runs = Runs(lambda: watcher.target(), poke=lambda: watcher.poke())
    watcher = Watcher(partial(find, aws=aws), run=runs.document, expected="aws" if aws else "local")
    address = Address(f"http://127.0.0.1:{port}", os.getpid(), str(uuid4()))
    console = Console(watcher, runs, identity=address.identity, stopping=stop)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.graceful_timeout = GRACE_SECONDS
    config.loglevel = "WARNING"
    config.include_server_header = False
    app = cast("Framework", application(console, port=port))
    serving = asyncio.create_task(hypercorn(app, config, shutdown_trigger=stop.wait))
    home.move_to(address.endpoint)
    home.announce(address.endpoint, address.pid, address.identity)
    ready(address)
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
    closing = threading.Thread(target=watcher.close, daemon=True)
    closing.start()
    await asyncio.wait({serving}, timeout=GRACE_SECONDS)
    closing.join(timeout=GRACE_SECONDS)
    if serving.done():
        serving.result()


class Beside:
    """A page's server that is started beside a longer command, and ended with it when that fails."""

    def __init__(self, *, aws: bool, wanted: bool) -> None:
        self._aws = aws
        self._wanted = wanted
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def start(self) -> None:
        """Start the server, unless one runs or none is wanted, and do not wait for it."""
        if not self._wanted or running(aws=self._aws):
            return
        home = home_of(aws=self._aws)
        home.root.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "workshop", "console", "--no-browser", *(["--aws"] if self._aws else [])]
        with home.log.open("ab") as log:
            self._process = processes.start(command, environment=os.environ, output=log)

    def address(self) -> str | None:
        """Wait for the server and return where it answers; None when there is none, or it does not start."""
        if not self._wanted:
            return None
        processes.eventually(lambda: running(aws=self._aws) or self._has_ended(), within=START_SECONDS)
        found = running(aws=self._aws)
        return found.endpoint if found else None

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is not None and self._process is not None:
            processes.end(self._process)


def stop(*, aws: bool) -> bool:
    """Stop a target's page and return whether it was served.

    Raises:
        NotStopped: its process is still there.
    """
    # Whoever holds the home wrote the address. It may be too busy to answer, and is no less there.
    home = home_of(aws=aws)
    # One that has just begun holds its home and has no address yet.
    processes.eventually(lambda: home.address() or not home.is_served(), within=START_SECONDS)
    address = home.address()
    if address is None:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(address.pid, number)
        # Its lock goes with it, however it ends; its process may stay as a zombie until who started it looks.
        if processes.eventually(lambda: not home.is_served(), within=STOP_SECONDS):
            return True
    raise NotStopped(f"Process {address.pid} still serves the page.", f"End it with `kill -9 {address.pid}`.")
