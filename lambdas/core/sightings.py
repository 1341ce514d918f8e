"""Which stock events show that a shelf ran low or came back, told from each document alone."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple


class Sighting(NamedTuple):
    """A stock event worth looking at; sightings sort by shelf, then by time.

    `crosses` says whether this very event took the shelf across its threshold: the stock before it follows from the
    units it moved. `event` is the whole event.
    """

    store_id: str
    product_id: str
    tick: int
    is_low: bool
    crosses: bool
    event: Mapping[str, Any]


def sighting(event: Mapping[str, Any]) -> Sighting | None:
    """Return what a stock event shows, or None when its shelf is neither low nor filled up."""
    stock, threshold = event["stock"], event["threshold"]
    sold, received = event["units_sold"], event["units_received"]
    if stock >= threshold and not received:
        return None
    return Sighting(
        event["store_id"],
        event["product_id"],
        tick_of(event["event_id"]),
        is_low=stock < threshold,
        crosses=(stock + sold - received < threshold) is not (stock < threshold),
        event=event,
    )


def tick_of(event_id: str) -> int:
    """Return the tick that an event's id ends in."""
    return int(event_id.rpartition("-")[2])


def latest(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Return what a batch shows in the end: of each shelf at most one sighting per direction.

    That is when the shelf last came back, and the beginning of its being low after that, if it is low. So a shelf
    that ran low and came back within one batch is not reported as low: it is full, and no truck is wanted.
    """
    chosen: list[Sighting] = []
    for _, of_shelf in groupby(sorted(sightings, key=_by_shelf_and_tick), key=_shelf):
        low = back = None
        for seen in of_shelf:
            if not seen.is_low:
                # What is put on a shelf that is back already must not hide when it came back.
                if seen.crosses or back is None or low:
                    back = seen
                low = None
            elif low is None or seen.crosses:
                low = seen
        chosen += (seen for seen in (back, low) if seen)
    return chosen


def _shelf(seen: Sighting) -> tuple[str, str]:
    return seen.store_id, seen.product_id


def _by_shelf_and_tick(seen: Sighting) -> tuple[str, str, int]:
    return seen.store_id, seen.product_id, seen.tick
