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
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import psutil

from workshop.local_aws import interrupted, late, objects, permissions, workers
from workshop.local_aws.clients import ROOT
from workshop.local_aws.home import USUAL_PORT, Home, HomeInUse
from workshop.local_aws.late import LateService, Once, when_used

if TYPE_CHECKING:
    from hypercorn.typing import Framework

    from workshop.local_aws.athena import Athena
    from workshop.local_aws.firehose.kinesis import KinesisSources
    from workshop.local_aws.firehose.service import Firehose
    from workshop.local_aws.protocol import Service

DEFAULT_INTERVAL_FACTOR = 0.02
"""Waiting is multiplied by it: Firehose's 60 s become 1.2 s, and a truck's two minutes on the road 2.4 s."""


GO_ON_SECONDS = 0.5
"""How long after the start the services are made that nobody has asked for, and what is left in journals goes on."""
SNAPSHOT_SECONDS = 5
"""How often changed state is written: what a killed server forgets. Objects are written at once."""
SNAPSHOT_SHARE = 0.05
"""The most of its time that the server writes: the more it holds, the rarer are the snapshots."""


def main() -> None:
    """Serve until told to stop, then deliver what is buffered and keep the state."""
    parser = argparse.ArgumentParser(prog="python -m workshop.local_aws.server", description=main.__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the folder that holds the embedded AWS's state")
    parser.add_argument(
        "--port", type=int, help=f"the port on 127.0.0.1; else the last one here, {USUAL_PORT}, or a free one"
    )
    parser.add_argument("--interval-factor", type=float, default=DEFAULT_INTERVAL_FACTOR)
    parser.add_argument(
        "--enforce-iam", action="store_true", help="refuse what the policies of the calling role do not allow"
    )
    arguments = parser.parse_args()
    home = Home(arguments.home)
    try:
        with home.served():
            listener = home.listen(arguments.port, usual=USUAL_PORT)
            asyncio.run(_serve(home, listener, arguments.interval_factor, arguments.enforce_iam))
    except (HomeInUse, OSError) as error:
        sys.exit(str(error))


def _keep_scratch_at_home(home: Home) -> None:
    """Have temporary files, such as functions' unpacked code, made in the home, and clear what the last run left."""
    shutil.rmtree(home.scratch, ignore_errors=True)
    home.scratch.mkdir()
    os.environ["TMPDIR"] = tempfile.tempdir = str(home.scratch)
    # The functions' bytecode too: each start unpacks them elsewhere, and what is elsewhere would stay.
    os.environ.pop("PYTHONPYCACHEPREFIX", None)


def _configure_ministack(home: Home, port: int, interval_factor: float, enforce_iam: bool) -> None:
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
        AUTH=str(enforce_iam),
        # workers.py bounds what runs at a time; what waits for its turn must not be refused.
        LAMBDA_ACCOUNT_CONCURRENCY="0",
    )


async def _serve(home: Home, listener: socket.socket, interval_factor: float, enforce_iam: bool) -> None:
    port = listener.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    home.move_to(endpoint)
    _keep_scratch_at_home(home)
    _configure_ministack(home, port, interval_factor, enforce_iam)
    # Imported late: ministack reads its configuration while it is imported.
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import _build_persistence_save_dict
    from ministack.app import app as ministack
    from ministack.core.persistence import save_all

    from workshop.local_aws.api_destinations import ApiDestinations
    from workshop.local_aws.gateway import Gateway
    from workshop.local_aws.metering import Meter

    loop = asyncio.get_running_loop()

    async def keep() -> None:
        # On the loop's own thread, so that no request changes what is being written.
        save_all(_build_persistence_save_dict())
        meter.keep()

    def keep_now() -> None:
        asyncio.run_coroutine_threadsafe(keep(), loop).result()

    # A start does not wait for what is imported in these: it takes longer than all the rest.
    def make_firehose() -> "Firehose":
        from workshop.local_aws.firehose.service import Firehose

        return Firehose(
            endpoint,
            home.journals,
            interval_factor,
            on_new_stream=keep_now,
            credentials_of=permissions.credentials_of if enforce_iam else lambda _role: ROOT,
        )

    def make_kinesis() -> "KinesisSources":
        from workshop.local_aws.firehose import control
        from workshop.local_aws.firehose.kinesis import KinesisSources

        return KinesisSources(endpoint, home.root / "kinesis", control.readings, firehose().take)

    def make_athena() -> "Athena":
        from workshop.local_aws.athena import Athena

        return Athena(endpoint, home.cache)

    def install_firehose() -> None:
        from workshop.local_aws.firehose import control

        control.install(kinesis().wake)

    def install_athena() -> None:
        from workshop.local_aws.athena import control

        control.install(athena().has_run_queries)

    def install_glue() -> None:
        from workshop.local_aws import glue

        glue.install()

    firehose, kinesis, athena = Once(make_firehose), Once(make_kinesis), Once(make_athena)
    services: list[Service] = [LateService("Firehose_20150804", firehose), LateService("AmazonAthena", athena)]
    # Kinesis tells Firehose of its records.
    when_used(["ministack.services.firehose", "ministack.services.kinesis"], install_firehose)
    when_used(["ministack.services.athena"], install_athena)
    when_used(["ministack.services.glue"], install_glue)
    late.restore_stacks()
    identity = str(uuid4())
    destinations = ApiDestinations(endpoint, home.root / "undelivered", interval_factor)
    destinations.install()
    meter = Meter(home.meter)
    meter.install()
    objects.install()
    workers.bound()
    workers.hasten()
    if enforce_iam:
        permissions.install()

    def started() -> None:
        interrupted.release_messages()
        interrupted.resume_runs()
        destinations.resume()
        # Who has waited for the start is answered first. On a thread, for it asks this very server.
        loop.call_later(GO_ON_SECONDS, threading.Thread(target=go_on, name="go-on", daemon=True).start)

    def go_on() -> None:
        kinesis().start()
        firehose().resume()
        athena()

    gateway = Gateway(
        services,
        ministack,
        identity,
        on_start=started,
        meter=meter,
        authorise=permissions.authorise if enforce_iam else lambda *_: None,
    )

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.graceful_timeout = 3
    config.loglevel = "WARNING"

    stop = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stop.set)

    async def stopped() -> None:
        await stop.wait()
        # While the server still answers: what Firehose has buffered goes through Lambda, Glue and S3.
        closing = (kinesis().close, destinations.close, *(service.close for service in services))
        await asyncio.gather(*(asyncio.to_thread(close) for close in closing))

    async def snapshots() -> None:
        pause: float = SNAPSHOT_SECONDS
        while True:
            await asyncio.sleep(pause)
            if gateway.changed:
                gateway.changed = False
                begun = time.monotonic()
                await keep()
                pause = max(SNAPSHOT_SECONDS, (time.monotonic() - begun) / SNAPSHOT_SHARE)

    keeping = asyncio.create_task(snapshots())
    home.announce(endpoint, os.getpid(), identity)
    await serve(cast("Framework", gateway), config, shutdown_trigger=stopped)
    keeping.cancel()
    meter.keep()
    # A function that is still at work would keep this process, and go on against a server that is gone.
    for child in psutil.Process().children(recursive=True):
        child.kill()


if __name__ == "__main__":
    main()
