"""Stock events for tests: exact shelves, and what at-least-once delivery does to them."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

START = datetime(2026, 11, 20)  # noqa: DTZ001 - the lake's timestamps have no zone
TICK = timedelta(minutes=15)


def event(
    store: str,
    product: str,
    tick: int,
    stock: int,
    *,
    sold: int = 0,
    received: int = 0,
    threshold: int = 5,
    price: float = 2.0,
    category: str = "Food",
    received_at: datetime | None = None,
) -> dict[str, Any]:
    """Return the event of a shelf at the end of a tick, counted from 1."""
    time = START + TICK * tick
    return {
        "event_id": f"{store}-{product}-{tick}",
        "event_time": time,
        "store_id": store,
        "store_name": f"Shop {store}",
        "city": "Bonn",
        "country": "DE",
        "latitude": 50.73,
        "longitude": 7.1,
        "product_id": product,
        "product_name": f"Product {product}",
        "category": category,
        "unit_price": price,
        "stock": stock,
        "threshold": threshold,
        "units_sold": sold,
        "units_received": received,
        "received_at": received_at or time + timedelta(seconds=1),
    }


def simulate(seed: int, *, stores: int = 3, products: int = 4, ticks: int = 40) -> list[dict[str, Any]]:
    """Return a lake of shelves that sell, run out and are refilled, in the order of their ticks."""
    rng = random.Random(seed)
    made = []
    for store in range(stores):
        for product in range(products):
            stock = rng.randint(0, 20)
            for tick in range(1, ticks + 1):
                received = rng.choice([0] * 9 + [12])
                sold = min(stock + received, rng.choice([0, 0, 1, 2, 4]))
                if not received and not sold:
                    continue
                stock += received - sold
                made.append(
                    event(
                        f"S{store}",
                        f"P{product}",
                        tick,
                        stock,
                        sold=sold,
                        received=received,
                        threshold=3 + product,
                        price=1.25 * (product + 1),
                        category=["Food", "Drinks"][product % 2],
                    )
                )
    return made


def deliver(events: Sequence[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Return the events as they may arrive: some twice, some late, on two days."""
    rng = random.Random(seed)
    arrived = []
    for one in events:
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            delay = timedelta(seconds=rng.choice([1, 1, 2, 1800, 36000]))
            arrived.append({**one, "received_at": one["event_time"] + delay})
    rng.shuffle(arrived)
    return arrived
