"""ministack with our Athena in front: `python -m tests.local_aws.athena.server DIR` prints the port it took."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from workshop.local_aws.athena import Athena
from workshop.local_aws.gateway import Gateway


async def main(folder: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    os.environ.update(GATEWAY_PORT=str(port), IOT_MTLS_ENABLED="0", SFTP_ENABLED="0", LOG_LEVEL="ERROR")
    os.environ.update(S3_DATA_DIR=str(folder / "s3"), STATE_DIR=str(folder / "state"))
    from ministack.app import app

    athena = Athena(f"http://127.0.0.1:{port}", folder / "cache")
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.loglevel = "ERROR"
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def stopped() -> None:
        await stop.wait()
        await asyncio.to_thread(athena.close)

    gateway: Any = Gateway([athena], app, "test")
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await serve(gateway, config, shutdown_trigger=stopped)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
