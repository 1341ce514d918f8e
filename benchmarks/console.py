"""What the live page costs, and how it feels, with 1,000 stores of 100 products while events go through the pipeline.

Run `python -m benchmarks.console`, on a machine that is otherwise idle, with Chromium installed or named in
WORKSHOP_BROWSER. It uses a home of its own, which it removes. The stores trade in equal portions: without the page,
with its pipeline open, with its stores open, and without it again, so that drift of the machine shows. A portion's
speed is its events over the time from its first call to the last event in the lake.
"""

import argparse
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks._workshop import workshop
from benchmarks.firehose import eventually, processor_seconds
from workshop.console.lake_objects import LakeObjects
from workshop.local_aws.clients import client

STORES, PRODUCTS = 1_000, 100
OPENING_HOURS = 8
"""Simulated hours until most stores have opened: time begins at midnight UTC."""

# What the browser notes of itself. Scripts of the page are bound by its policy; those of the browser's driver are not.
_NOTES = """
const notes = (window.notes = { frames: [], tasks: [], snapshots: [] });
const frame = (at) => { notes.frames.push(at); requestAnimationFrame(frame); };
requestAnimationFrame(frame);
new PerformanceObserver((list) => notes.tasks.push(...list.getEntries().map((each) => each.duration)))
  .observe({ type: "longtask" });
window.EventSource = class extends EventSource {
  constructor(...given) {
    super(...given);
    this.addEventListener("snapshot", ({ data }) => notes.snapshots.push([performance.now(), data.length]));
  }
};
"""
_IS_SHOWN = "notes.snapshots.length > 1 && !document.querySelector('[aria-busy=true]')"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the browser and the page's server noted during a portion; seconds, bytes, nodes, shares of a core."""

    snapshots: list[tuple[float, int]]
    frames: list[float]
    longest_task: float
    nodes: list[int]
    server: float

    def lines(self) -> Iterator[str]:
        """Yield what to print."""
        times, sizes = zip(*self.snapshots, strict=True)
        most = max(sum(begun <= at < begun + 1000 for at in times) for begun in times)
        pauses = sorted(after - before for before, after in pairwise(self.frames))
        rate, late = 1000 * len(pauses) / sum(pauses), pauses[math.ceil(0.95 * len(pauses)) - 1]
        yield f"snapshots a second     {1000 * (len(times) - 1) / (times[-1] - times[0]):10.1f}   (at most {most})"
        yield f"bytes a snapshot       {mean(sizes):10,.0f}   (at most {max(sizes):,})"
        yield f"DOM nodes              {max(self.nodes):10,}   (at least {min(self.nodes):,})"
        yield f"frames a second        {rate:10.1f}   (one in twenty takes {late:.0f} ms or more)"
        yield f"longest task           {self.longest_task:10,.0f} ms"
        yield f"server, share of a core{self.server:10.1%}"


def main() -> None:
    """Have the stores trade with and without the page and print what was seen."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--hours", type=int, default=3, help="simulated hours of each portion")
    hours: int = parser.parse_args().hours
    with workshop() as run:
        up = run("up", "--console")
        page = run("console", "--no-browser")
        lake = LakeObjects(
            client("s3", up["endpoint"]),
            up["resources"]["lake_bucket"],
            clock=time.monotonic,
            relist_seconds=math.inf,
            most_footers=10_000,
        )
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
        trade(run, lake, OPENING_HOURS)
        speeds: dict[str, list[float]] = {"closed": [], "pipeline": [], "stores": []}
        for view in ("closed", "pipeline", "stores", "closed"):
            if view == "closed":
                speeds[view].append(trade(run, lake, hours))
            else:
                with looked_at(f"{page['url']}/#/{view}", page["pid"]) as meanwhile:
                    speed, seen = meanwhile(lambda: trade(run, lake, hours))
                speeds[view].append(speed)
                print(f"\n{view}")
                print("\n".join(f"  {line}" for line in seen.lines()))
        first, last = speeds["closed"]
        print(f"\nwithout the page       {first:10,.0f} events a second, and {last:,.0f} at the end")
        for view in ("pipeline", "stores"):
            [speed] = speeds[view]
            print(f"{view:<23}{speed:10,.0f} events a second   ratio {speed / mean((first, last)):.2f}")
        print(f"load of the machine after: {os.getloadavg()[0]:.1f}")


def trade(run: Callable[..., dict[str, Any]], lake: LakeObjects, hours: int) -> float:
    """Have all stores trade, wait for the last event to be in the lake, and return events a second."""
    before, begun = lake.read().rows, time.monotonic()
    made = run("generate", "--hours", str(hours), "--stores", str(STORES), "--products", str(PRODUCTS))
    while (rows := lake.read().rows) < before + made["events"]:
        time.sleep(0.1)
    if rows > before + made["events"]:
        raise AssertionError(f"{made['events']:,} events became {rows - before:,} rows")
    return float(made["events"] / (time.monotonic() - begun))


@contextmanager
def looked_at(url: str, server: int) -> Iterator[Callable[[Callable[[], float]], tuple[float, Seen]]]:
    """Open a view in Chromium; yield what does some work meanwhile, and returns its outcome and what was seen."""
    path = shutil.which(os.environ.get("WORKSHOP_BROWSER", "chromium"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.add_init_script(_NOTES)
        page.goto(url)
        try:
            # Not wait_for_function: the page's policy forbids what that evaluates between its own scripts.
            eventually(lambda: bool(page.evaluate(_IS_SHOWN)), within=60)
            yield lambda work: look(page, server, work)
        finally:
            browser.close()


def look(page: Page, server: int, work: Callable[[], float]) -> tuple[float, Seen]:
    """Do some work, and note what the open page and its server do meanwhile."""
    outcome: list[float] = []
    working = threading.Thread(target=lambda: outcome.append(work()))
    page.evaluate("for (const each of Object.values(notes)) each.length = 0")
    processor, begun, nodes = processor_seconds(server), time.monotonic(), []
    working.start()
    while working.is_alive():
        nodes.append(page.evaluate("document.getElementsByTagName('*').length"))
        working.join(1)
    share = (processor_seconds(server) - processor) / (time.monotonic() - begun)
    if not outcome:
        raise AssertionError("the stores did not trade")
    notes = page.evaluate("notes")
    seen = Seen(notes["snapshots"], notes["frames"], max(notes["tasks"], default=0), nodes, share)
    return outcome[0], seen


if __name__ == "__main__":
    main()
