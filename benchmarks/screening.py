"""How fast does the intake screen events, against bare json.loads? Run: python -m benchmarks.screening."""

import base64
import json
import time
from collections.abc import Callable
from functools import partial

from lambdas.core import catalogue
from lambdas.core.packing import pack
from lambdas.core.simulation import Shop
from lambdas.core.trading_calendar import TICKS_PER_DAY
from lambdas.intake.transformation import transform

SEED, STORES, PRODUCTS, DAYS, ROUNDS = 7, 20, 100, 2, 7
ARRIVAL = 1_795_176_000_123


def lines_of_a_chain() -> list[str]:
    """Return a chain's events as StoreApp writes them."""
    lines: list[str] = []
    for number in range(1, STORES + 1):
        shop = Shop(SEED, catalogue.store(SEED, number), catalogue.products(SEED, PRODUCTS))
        lines += shop.simulate(shop.opening_stock(), range(1, 1 + DAYS * TICKS_PER_DAY)).lines
    return lines


def batch(lines: list[str]) -> list[dict[str, object]]:
    """Return the lines as Firehose hands them over: full records in base64."""
    return [
        {"recordId": str(number), "approximateArrivalTimestamp": ARRIVAL, "data": base64.b64encode(record).decode()}
        for number, record in enumerate(pack(lines))
    ]


def read(lines: list[str]) -> int:
    """Do nothing but parse each line; return how many there are."""
    return len([json.loads(line) for line in lines])


def screened(batches: list[list[dict[str, object]]]) -> int:
    """Do all that the intake does between Firehose's request and its answer; return how many events passed."""
    return sum(transform(batch).good for batch in batches)


def best_rates(events: int, *tasks: Callable[[], int]) -> list[float]:
    """Return each task's events per second, of the best of some rounds in which the tasks take turns."""
    best = [0.0] * len(tasks)
    for _ in range(ROUNDS):
        for place, task in enumerate(tasks):
            started = time.perf_counter()
            if task() != events:
                raise SystemExit("Some good events did not pass.")
            best[place] = max(best[place], events / (time.perf_counter() - started))
    return best


def main() -> None:
    """Print the rates for events as StoreApp writes them, as json.dumps does by default, and in another order."""
    compact = lines_of_a_chain()
    events = [json.loads(line) for line in compact]
    layouts = {
        "as StoreApp writes": compact,
        "as json.dumps writes": [json.dumps(event) for event in events],
        "fields in another order": [json.dumps(dict(reversed(event.items()))) for event in events],
    }
    print(f"{len(compact):,} events of {STORES} stores x {PRODUCTS} products, best of {ROUNDS} rounds, one core")
    print(f"{'':<24}{'json.loads/s':>14}{'screened/s':>14}{'time ratio':>12}")
    for layout, lines in layouts.items():
        records = batch(lines)
        batches = [records[first : first + 3] for first in range(0, len(records), 3)]
        rates = best_rates(len(lines), partial(read, lines), partial(screened, batches))
        ratio = rates[0] / rates[1]
        print(f"{layout:<24}{rates[0]:>14,.0f}{rates[1]:>14,.0f}{ratio:>12.2f}")


if __name__ == "__main__":
    main()
