"""How fast are stores simulated, against making each event with Faker? Run: python -m benchmarks.simulation."""

import json
import time
from collections.abc import Callable

from faker import Faker

from lambdas.core import catalogue
from lambdas.core.packing import pack
from lambdas.core.simulation import Shop
from lambdas.core.trading_calendar import TICKS_PER_DAY

SEED, STORES, PRODUCTS, DAYS, ROUNDS = 7, 10, 50, 3, 5
FAKED = 1_000


def simulated() -> int:
    """Simulate a chain and pack its events into records, all that StoreApp does before it sends."""
    events = 0
    products = catalogue.products(SEED, PRODUCTS)
    for number in range(1, STORES + 1):
        shop = Shop(SEED, catalogue.store(SEED, number), products)
        on_hand = shop.opening_stock()
        for day in range(DAYS):
            run = shop.simulate(on_hand, range(1 + day * TICKS_PER_DAY, 1 + (day + 1) * TICKS_PER_DAY))
            on_hand = run.on_hand
            events += len(run.lines)
            sum(map(len, pack(run.lines)))
    return events


def faked(faker: Faker) -> int:
    """Make events of the same fields as a generator commonly does, asking Faker for each value."""
    lines = []
    for tick in range(FAKED):
        store_id, product_id = faker.bothify("S#####"), faker.bothify("P####")
        latitude, longitude, city, country, _ = faker.location_on_land()
        event = {
            "event_id": f"{store_id}-{product_id}-{tick}",
            "event_time": faker.date_time_this_year().isoformat(timespec="milliseconds") + "Z",
            "store_id": store_id,
            "store_name": faker.company(),
            "city": city,
            "country": country,
            "latitude": float(latitude),
            "longitude": float(longitude),
            "product_id": product_id,
            "product_name": faker.catch_phrase(),
            "category": faker.word(),
            "unit_price": faker.pyfloat(right_digits=2, min_value=1, max_value=100),
            "stock": faker.random_int(0, 500),
            "threshold": faker.random_int(5, 50),
            "units_sold": faker.random_int(0, 5),
            "units_received": faker.random_int(0, 5),
        }
        lines.append(json.dumps(event, separators=(",", ":")))
    sum(map(len, pack(lines)))
    return FAKED


def best_rate(make: Callable[[], int]) -> float:
    """Return the events per second of the best of some rounds: the machine's other work only ever slows one down."""
    rates = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        events = make()
        rates.append(events / (time.perf_counter() - started))
    return max(rates)


def main() -> None:
    """Print both rates and their ratio."""
    faker = Faker()
    Faker.seed(SEED)
    simulation, generator = best_rate(simulated), best_rate(lambda: faked(faker))
    print(f"{STORES} stores x {PRODUCTS} products x {DAYS} days, best of {ROUNDS} rounds, one core")
    print(f"simulate, encode and pack  {simulation:>9,.0f} events/s")
    print(f"Faker for each record      {generator:>9,.0f} events/s")
    print(f"ratio                      {simulation / generator:>9,.0f}")


if __name__ == "__main__":
    main()
