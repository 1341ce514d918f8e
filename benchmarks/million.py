"""A million events through the whole pipeline on this machine, checked to the unit.

Run `python -m benchmarks.million`. It uses a home of its own, which it removes.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from workshop.places import ROOT

HOURS, STORES, PRODUCTS = 7 * 24, 100, 60


def main() -> None:
    """Generate, wait, count, and show what conservation and the speed of each hop came to."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "WORKSHOP_HOME": home}

        def workshop(*words: str) -> dict[str, Any]:
            command = [sys.executable, "-m", "workshop", *words, "--json"]
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
            document: dict[str, Any] = json.loads(done.stdout)
            return document

        try:
            workshop("up")
            made = workshop("generate", "--hours", str(HOURS), "--stores", str(STORES), "--products", str(PRODUCTS))
            while (events := workshop("status")["events"])["unique"] < events["sent"]:
                time.sleep(1)
            conservation = workshop("query", "conservation")
            rate = made["events"] / made["milliseconds"] * 1000
            print(f"generated    {made['events']:>12,} ({rate:,.0f} a second)")
            print(f"sent         {events['sent']:>12,}")
            print(f"unique       {events['unique']:>12,}")
            print(f"delivered    {events['delivered']:>12,}")
            print(f"quarantined  {events['quarantined']:>12,}")
            print(f"violations of conservation: {conservation['rows'][0][0]} ({conservation['milliseconds']:,} ms)")
        finally:
            workshop("down", "--destroy")


if __name__ == "__main__":
    main()
