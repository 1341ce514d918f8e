"""ministack with our Firehose in front and nothing else: `python -m tests.local_aws.firehose.server PORT FACTOR`."""

import asyncio
import os
import signal
import sys
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from workshop.local_aws.firehose import Firehose
from workshop.local_aws.gateway import Gateway


async def main(port: int, interval_factor: float) -> None:
    os.environ.update(GATEWAY_PORT=str(port), IOT_MTLS_ENABLED="0", SFTP_ENABLED="0", LOG_LEVEL="WARNING")
    from ministack.app import app

    firehose = Firehose(f"http://127.0.0.1:{port}", interval_factor)
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def stopped() -> None:
        await stop.wait()
        await asyncio.to_thread(firehose.close)

    gateway: Any = Gateway([firehose], app, "test")
    await serve(gateway, config, shutdown_trigger=stopped)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
