"""How large things are that are billed by size: measured on what the functions' own adapters write."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from lambdas.adapters.alerts import AlertsTable
from lambdas.adapters.deliveries import DeliveriesTable
from lambdas.adapters.shelves import ShelvesTable
from lambdas.core import catalogue
from lambdas.core.deliveries import Call, Delivery
from lambdas.core.episodes import Episode, decide
from lambdas.core.ledger import Ledger, Receipt
from lambdas.core.notification import stock_below_threshold
from lambdas.core.replenishment import order_quantity
from lambdas.core.sightings import Sighting, latest, sighting
from lambdas.core.simulation import Shop
from lambdas.core.trading_calendar import TICKS_PER_DAY, TICKS_PER_HOUR

SEED: Final = 7
_WARM_UP_DAYS, _DAYS = 2, 5
_STORES: Final = 2
_MOST_PRODUCTS: Final = 100
"""Of a larger assortment a sample trades: shelves do not know of each other."""
_NOON: Final = "2026-11-21T12:00:00.000Z"
_ID: Final = "0b6c1d0e-5f0a-4c1b-9f0e-3a2d1c4b5a69"


@dataclass(frozen=True, slots=True)
class Shape:
    """What the simulation makes of a load, per shelf and hour or per event, once it has settled."""

    events_per_shelf_hour: float
    bytes_per_event: float
    alerts_per_event: float
    sightings_per_event: float
    sighting_bytes: float


@lru_cache(maxsize=8)
def shape(products: int, hours_per_run: int, *, trucks: bool) -> Shape:
    """Trade some stores for a week as the deployed system does, and return what there was to send and to tell.

    Trucks called in one run have unloaded by the next. Without trucks the shelves are filled up every night.
    """
    carried = min(products, _MOST_PRODUCTS)
    chunk = hours_per_run * TICKS_PER_HOUR
    events = size = alerts = told = told_bytes = 0
    ticks_seen = 0
    for number in range(1, _STORES + 1):
        shop = Shop(SEED, catalogue.store(SEED, number), catalogue.products(SEED, carried), overnight=not trucks)
        stock = shop.opening_stock()
        low: set[str] = set()
        receipts: dict[str, int] = {}
        for tick in range(1, (_WARM_UP_DAYS + _DAYS) * TICKS_PER_DAY, chunk):
            run = shop.simulate(stock, range(tick, tick + chunk), receipts)
            stock, receipts, called = run.on_hand, {}, 0
            seen = latest(filter(None, (sighting(json.loads(line)) for line in run.lines)))
            for one in seen:
                if not one.is_low:
                    low.discard(one.product_id)
                elif one.product_id not in low:
                    low.add(one.product_id)
                    called += 1
                    if trucks:
                        wanted = order_quantity(one.event["threshold"], one.event["stock"], 0)
                        receipts[one.product_id] = wanted
            if tick > _WARM_UP_DAYS * TICKS_PER_DAY:
                ticks_seen += chunk
                events += len(run.lines)
                size += sum(map(len, run.lines)) + len(run.lines)
                alerts += called
                told += len(seen)
                told_bytes += sum(len(json.dumps(one.event, separators=(",", ":"))) for one in seen)
    hours = ticks_seen / TICKS_PER_HOUR * carried
    return Shape(events / hours, size / events, alerts / events, told / events, told_bytes / max(1, told))


@dataclass(frozen=True, slots=True)
class Items:
    """Bytes of the items that the functions write, as DynamoDB counts them, and of what goes over queue and bus."""

    ledger: int
    plan: int
    receipt: int
    episode_open: int
    episode_delivered: int
    episode_closed: int
    delivery_sent: int
    delivery_made: int
    announcement: int


@lru_cache(maxsize=8)
def items(products: int) -> Items:
    """Have the adapters write one of each, and measure it. A store has `products` shelves."""
    store, product = catalogue.store(SEED, 1), catalogue.products(SEED, 1)[0]
    shop = Shop(SEED, store, catalogue.products(SEED, min(products, _MOST_PRODUCTS)), overnight=False)
    on_hand = (shop.opening_stock() * math.ceil(products / _MOST_PRODUCTS))[:products]
    receipt = Receipt(f"A-{store.store_id}-{product.product_id}-12", product.product_id, 75)
    ledger = Ledger(store.store_id, 200, 9_600, on_hand, (), None, 200_000)
    planned = ledger.planned(_ID, SEED, TICKS_PER_HOUR, [product.product_id], overnight=False)
    size = _ledger_size(ledger)

    event = _low_event(shop)
    seen = sighting(event)
    decision = decide([], seen, token=f"{_ID}/0", noticed_at=_NOON) if seen else None
    if seen is None or decision is None:
        raise AssertionError("a low shelf calls a truck")
    opened = decision.episode
    delivered = opened.delivered(_NOON, opened.ordered)
    notification = stock_below_threshold(opened, event)
    sent = Delivery.called(Call.parse(notification), opened.alert_id, 240).dispatched(_NOON)
    made = sent.delivered(_NOON)
    return Items(
        ledger=size,
        plan=_ledger_size(planned) - size,
        receipt=_ledger_size(replace(ledger, receipts=(receipt,))) - size,
        episode_open=_episode_size(opened),
        episode_delivered=_episode_size(delivered),
        episode_closed=_episode_size(_closed(delivered, seen)),
        delivery_sent=_delivery_size(sent),
        delivery_made=_delivery_size(made),
        announcement=len(json.dumps(notification, separators=(",", ":"))),
    )


def item_size(item: Mapping[str, Any]) -> int:
    """Return the bytes of an item: names and values ("DynamoDB item sizes and formats", DynamoDB developer guide)."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":  # "approximately (number of significant digits / 2) + 1 byte"
            digits = value.strip("-").replace(".", "").strip("0")
            return math.ceil(len(digits) / 2) + 1
        case "L":  # "a List or Map requires an overhead of 3 bytes", and one for each element
            return 3 + sum(1 + _value_size(each) for each in value)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(each) for name, each in value.items())
        case _:
            return 1


class _Capture:
    """A DynamoDB client that keeps the item it is given."""

    item: Mapping[str, Any]

    def put_item(self, *, Item: Mapping[str, Any], **_: Any) -> None:  # noqa: N803 - boto3's name
        self.item = Item


def _ledger_size(ledger: Ledger) -> int:
    client: Any = _Capture()
    ShelvesTable(client, "").write(ledger)
    return item_size(client.item)


def _episode_size(episode: Episode) -> int:
    client: Any = _Capture()
    AlertsTable(client, "").write(episode)
    return item_size(client.item)


def _delivery_size(delivery: Delivery) -> int:
    client: Any = _Capture()
    DeliveriesTable(client, "", "").write(delivery)
    return item_size(client.item)


def _low_event(shop: Shop) -> dict[str, Any]:
    """Return an event of the simulation that takes a shelf below its threshold."""
    for line in shop.simulate(shop.opening_stock(), range(1, 3 * TICKS_PER_DAY)).lines:
        event: dict[str, Any] = json.loads(line)
        if event["stock"] < event["threshold"]:
            return event
    raise AssertionError("without trucks some shelf runs low within three days")


def _closed(episode: Episode, seen: Sighting) -> Episode:
    back = {**seen.event, "stock": seen.event["threshold"] + 60, "units_received": 75, "units_sold": 0}
    back["event_id"] = back["event_id"].rpartition("-")[0] + f"-{seen.tick + 4}"
    later = sighting(back)
    decision = decide([episode], later, token="", noticed_at=_NOON) if later else None
    if decision is None:
        raise AssertionError("a shelf that is back closes its episode")
    return decision.episode
