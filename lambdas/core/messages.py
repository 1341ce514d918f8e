"""What goes over the queue of the alerts: sightings, and word of trucks that came."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lambdas.core import contract
from lambdas.core.contract import RECEIVED_AT, Refused
from lambdas.core.notification import DELIVERY_COMPLETED, Arrival, delivery_completed
from lambdas.core.packing import pack
from lambdas.core.sightings import Sighting, sighting

MAX_MESSAGE_BYTES: Final = 256 * 1_024
"""What an SQS message may surely hold; the limit was raised in 2025, but not what producers and consumers assume."""
_ENVELOPE_BYTES: Final = 512
MOST_SIGHTINGS: Final = 100
"""How many share a message: each costs its reader some milliseconds, and what is not done in time comes again whole."""
_LONGEST_TOKEN: Final = 100


@dataclass(frozen=True, slots=True)
class Sightings:
    """A message of sightings. `token` tells it from every other; `faults` say what of it cannot be read, and why."""

    token: str
    sightings: tuple[Sighting, ...]
    faults: tuple[str, ...]


def write(sightings: Iterable[Sighting], token: str) -> Iterator[str]:
    """Write sightings into as few messages as may be, of at most `MOST_SIGHTINGS` each: `{"token": …, "events": […]}`.

    `token` has to be new for each attempt: by it a message is known again however often, and by whatever way, it comes.
    """
    lines = [json.dumps(seen.event, separators=(",", ":")) for seen in sightings]
    shares = (lines[first : first + MOST_SIGHTINGS] for first in range(0, len(lines), MOST_SIGHTINGS))
    records = (record for share in shares for record in pack(share, MAX_MESSAGE_BYTES - _ENVELOPE_BYTES))
    for number, record in enumerate(records):
        events = record.decode().rstrip("\n").replace("\n", ",")
        yield f'{{"token":{json.dumps(f"{token}/{number}")},"events":[{events}]}}'


def read(body: str) -> Sightings | Arrival:
    """Return what a message holds; raise `Refused` when it holds neither sightings nor a `DeliveryCompleted`.

    An event that is no stock event is a fault and harms no neighbour; one that shows nothing is left out.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused("The message is not JSON.", None) from None
    match message:
        case {"detail-type": str(kind), "detail": detail} if kind == DELIVERY_COMPLETED:
            return delivery_completed(detail)
        case {"token": str(token), "events": list(events)} if 0 < len(token) <= _LONGEST_TOKEN:
            return _sightings(token, events)
        case _:
            raise Refused(f"The message is neither sightings with their token nor a {DELIVERY_COMPLETED}.", None)


def _sightings(token: str, events: list[Any]) -> Sightings:
    sightings, faults = [], []
    for place, event in enumerate(events):
        if isinstance(event, dict):
            event = {name: value for name, value in event.items() if name != RECEIVED_AT}
        try:
            contract.check(event)
        except Refused as refused:
            faults.append(f"Event {place}: {refused.reason}")
        else:
            if seen := sighting(event):
                sightings.append(seen)
    return Sightings(token, tuple(sightings), tuple(faults))
