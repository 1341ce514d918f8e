"""Let the stores trade: invoke StoreApp in portions small enough to watch."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from workshop.errors import WorkshopError
from workshop.target import Target

# A portion is about a second of work, so that progress moves and no invocation comes near Lambda's fifteen minutes.
PORTION_HOURS = 24
PORTION_STORES = 25

Summary = dict[str, Any]


def portions(hours: int, stores: int) -> Iterator[dict[str, int]]:
    """Split a request into payloads for StoreApp: all stores trade a day before any begins the next."""
    for begun in range(0, hours, PORTION_HOURS):
        for first in range(1, stores + 1, PORTION_STORES):
            yield {
                "hours": min(PORTION_HOURS, hours - begun),
                "first_store": first,
                "stores": min(PORTION_STORES, stores - first + 1),
            }


def generate(
    target: Target,
    resources: Mapping[str, str],
    *,
    hours: int,
    stores: int,
    products: int,
    progress: Callable[[float], None],
) -> Summary:
    """Have `stores` stores trade `hours` simulated hours and return the `generate --json` document.

    Raises:
        WorkshopError: StoreApp refused or failed a portion; what it had committed before stays.
    """
    begun = time.monotonic()
    todo = list(portions(hours, stores))
    done = []
    for number, payload in enumerate(todo, start=1):
        done.append(_invoke(target, resources["store_app"], {**payload, "products": products}))
        progress(number / len(todo))
    return {
        "events": sum(part["events"] for part in done),
        "stores": stores,
        "ticks": hours * 4,
        "from": min(part["from"] for part in done),
        "to": max(part["to"] for part in done),
        "units_sold": sum(part["units_sold"] for part in done),
        "units_received": sum(part["units_received"] for part in done),
        "milliseconds": round((time.monotonic() - begun) * 1000),
    }


def _invoke(target: Target, function: str, payload: Mapping[str, int]) -> Summary:
    response = target.invoker().invoke(FunctionName=function, Payload=json.dumps(payload).encode())
    answer: Summary = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        reason = answer.get("errorMessage", "it did not say why")
        raise WorkshopError(
            f"StoreApp failed: {reason}", "What it had sent is safe: repeat the command to go on from there."
        )
    return answer
