"""The embedded AWS as a process: `python -m workshop.local_aws.server --home DIR`.

It holds a lock on its home for as long as it lives, so whoever cannot take the lock knows that it runs.
"""

import argparse
import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import psutil

from workshop.local_aws import runs, workers
from workshop.local_aws.home import USUAL_PORT, Home, HomeInUse

if TYPE_CHECKING:
    from hypercorn.typing import Framework

    from workshop.local_aws.protocol import Service

DEFAULT_INTERVAL_FACTOR = 0.02
"""Waiting is multiplied by it: Firehose's 60 s become 1.2 s, and a truck's two minutes on the road 2.4 s."""


SNAPSHOT_SECONDS = 5
"""How often changed state is written: what a killed server forgets. Objects are written at once."""
SNAPSHOT_SHARE = 0.05
"""The most of its time that the server writes: the more it holds, the rarer are the snapshots."""


def main() -> None:
    """Serve until told to stop, then deliver what is buffered and keep the state."""
    parser = argparse.ArgumentParser(prog="python -m workshop.local_aws.server", description=main.__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the folder that holds the embedded AWS's state")
    parser.add_argument("--port", type=int, help=f"the port on 127.0.0.1; {USUAL_PORT}, or a free one if that is taken")
    parser.add_argument("--interval-factor", type=float, default=DEFAULT_INTERVAL_FACTOR)
    arguments = parser.parse_args()
    home = Home(arguments.home)
    try:
        with home.served():
            asyncio.run(_serve(home, _listen(arguments.port), arguments.interval_factor))
    except (HomeInUse, OSError) as error:
        sys.exit(str(error))


def _listen(port: int | None) -> socket.socket:
    """Return a listening socket on 127.0.0.1.

    Raises:
        OSError: the port that was asked for by number is taken.
    """
    for candidate in [USUAL_PORT, 0] if port is None else [port]:
        listener = socket.socket()
        # Without it a port stays refused for a minute after the last server on it stopped.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
            listener.listen(256)
        except OSError:
            listener.close()
            if candidate != USUAL_PORT or port is not None:
                raise
        else:
            return listener
    raise AssertionError("the system always has a free port to give")


def _keep_scratch_at_home(home: Home) -> None:
    """Have temporary files, such as functions' unpacked code, made in the home, and clear what the last run left."""
    shutil.rmtree(home.scratch, ignore_errors=True)
    home.scratch.mkdir()
    os.environ["TMPDIR"] = tempfile.tempdir = str(home.scratch)


def _configure_ministack(home: Home, port: int, interval_factor: float) -> None:
    """Set what ministack reads from the environment when it is imported."""
    os.environ.update(
        GATEWAY_PORT=str(port),
        MINISTACK_HOST="127.0.0.1",
        IOT_MTLS_ENABLED="0",
        SFTP_ENABLED="0",
        LOG_LEVEL="WARNING",
        PERSIST_STATE="1",
        STATE_DIR=str(home.state),
        S3_PERSIST="1",
        S3_DATA_DIR=str(home.objects),
        SFN_WAIT_SCALE=str(interval_factor),
        # workers.py bounds what runs at a time; what waits for its turn must not be refused.
        LAMBDA_ACCOUNT_CONCURRENCY="0",
    )


async def _serve(home: Home, listener: socket.socket, interval_factor: float) -> None:
    port = listener.getsockname()[1]
    _keep_scratch_at_home(home)
    _configure_ministack(home, port, interval_factor)
    # Imported late: ministack reads its configuration while it is imported.
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import _build_persistence_save_dict
    from ministack.app import app as ministack
    from ministack.core.persistence import save_all

    from workshop.local_aws.api_destinations import ApiDestinations
    from workshop.local_aws.athena import Athena
    from workshop.local_aws.firehose import Firehose
    from workshop.local_aws.gateway import Gateway

    endpoint = f"http://127.0.0.1:{port}"
    services: list[Service] = [Firehose(endpoint, interval_factor), Athena(endpoint, home.cache)]
    identity = str(uuid4())
    destinations = ApiDestinations(endpoint, home.root / "undelivered", interval_factor)
    destinations.install()
    workers.bound()
    workers.hasten()

    def started() -> None:
        runs.resume()
        destinations.resume()

    gateway = Gateway(services, ministack, identity, on_start=started)

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.graceful_timeout = 3
    config.loglevel = "WARNING"

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)

    async def stopped() -> None:
        await stop.wait()
        # While the server still answers: what Firehose has buffered goes through Lambda, Glue and S3.
        closing = (destinations.close, *(service.close for service in services))
        await asyncio.gather(*(asyncio.to_thread(close) for close in closing))

    async def snapshots() -> None:
        # On the loop's own thread, so that no request changes what is being written.
        pause: float = SNAPSHOT_SECONDS
        while True:
            await asyncio.sleep(pause)
            if gateway.changed:
                gateway.changed = False
                begun = time.monotonic()
                save_all(_build_persistence_save_dict())
                pause = max(SNAPSHOT_SECONDS, (time.monotonic() - begun) / SNAPSHOT_SHARE)

    keeping = asyncio.create_task(snapshots())
    home.announce(endpoint, os.getpid(), identity)
    await serve(cast("Framework", gateway), config, shutdown_trigger=stopped)
    keeping.cancel()
    # A function that is still at work would keep this process, and go on against a server that is gone.
    for child in psutil.Process().children(recursive=True):
        child.kill()


if __name__ == "__main__":
    main()
