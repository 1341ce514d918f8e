"""Which documents of a Firehose record are stock events, at the speed of reading them."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from lambdas.core import contract
from lambdas.core.contract import FIELDS, RECEIVED_AT, SCHEMA, Refused
from lambdas.core.sightings import Sighting, sighting


class Rejected(NamedTuple):
    """A refused document as it came (bytes when it is not UTF-8), and why."""

    position: int
    reason: str
    field: str | None
    document: str | bytes


@dataclass(slots=True)
class Screened:
    """The good documents of one record with `received_at` added, and the refused ones; each in its order.

    `sightings` are the good documents that show a shelf low or back.
    """

    good: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)


def documents(data: bytes) -> list[str | bytes]:
    """Split a record into its documents, one a line; those that are not UTF-8 stay bytes. Blank lines are none."""
    try:
        return [line for text in data.decode().split("\n") if (line := text.strip(_BLANK))]
    except UnicodeDecodeError:
        return [_decoded(raw) for line in data.split(b"\n") if (raw := line.strip(_BLANK.encode()))]


def screen(lines: Iterable[str | bytes], received_at: datetime) -> Screened:
    """Check each document against the contract and add `received_at` to the text of the good ones.

    `received_at` is the record's arrival, not the present, so a repeated batch gives the same bytes. The good text is
    otherwise untouched. Documents laid out as StoreApp writes them are recognised from their text (see `_Layout`);
    all others are parsed, and only the parser refuses.
    """
    arrival = {RECEIVED_AT: contract.timestamp(received_at)}
    suffix = "," + json.dumps(arrival, separators=(",", ":"))[1:]
    screened = Screened()
    good, rejected = screened.good, screened.rejected
    recognised = _LAYOUT.recognised
    for line in lines:
        try:
            if isinstance(line, bytes):
                raise Refused("The document is not UTF-8.", None)
            if counts := recognised(line):
                stock, threshold, _, received = counts
                event = json.loads(line) if received != "0" or _is_less(stock, threshold) else None
            else:
                event = contract.read(line)
                _LAYOUT.learn(line, event)
        except Refused as refused:
            rejected.append(Rejected(len(good) + len(rejected), refused.reason, refused.field, line))
            continue
        good.append(line[:-1] + suffix)
        if event and (seen := sighting(event | arrival)):
            screened.sightings.append(seen)
    return screened


def _is_less(a: str, b: str) -> bool:
    """Compare integers as they are written, without leading zeros; converting them takes three times as long."""
    return a < b if len(a) == len(b) else len(a) < len(b)


def _decoded(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


class _Layout:
    """Recognises good events from their text, without parsing them.

    An event in the contract's order reads `{"event_id":"S1-P1-` tick `"store_id":` store `"product_id":` product
    `"stock":` tail. The tail, four integers, is matched by a pattern. The texts about the tick (its number and time),
    the store and the product repeat for ever: each is believed when an accepted event held it in the same place.
    The keys that part them cannot occur elsewhere in an accepted event, since a quote inside a JSON string is escaped
    and every key is known; so a line put together from believed parts is one that the parser accepts.
    """

    def __init__(self) -> None:
        self.ticks: dict[str, str] = {}
        self.stores: dict[str, str] = {}
        self.products: dict[str, str] = {}

    def recognised(self, line: str) -> Sequence[str]:
        """Return a line's four integers if it surely is a stock event; nothing means only that it has to be parsed."""
        head, _, rest = line.partition(_STORE)
        store, _, rest = rest.partition(_PRODUCT)
        product, _, tail = rest.partition(_STOCK)
        try:
            ids = self.stores[store] + self.products[product]
        except KeyError:
            return ()
        opening, _, tick = head.partition(ids)
        counts = _TAIL(tail) if self.ticks.get(tick) == opening else None
        return counts.groups() if counts else ()

    def learn(self, line: str, event: dict[str, Any]) -> None:
        """Believe the parts of an accepted line that follows the layout."""
        head, _, rest = line.partition(_STORE)
        store, _, rest = rest.partition(_PRODUCT)
        product, found_all, _ = rest.partition(_STOCK)
        store_id, product_id = event["store_id"] + "-", event["product_id"] + "-"
        opening, _, tick = head.partition(store_id + product_id)
        if found_all and opening in _OPENINGS and tuple(event) == FIELDS:
            _believe(self.stores, store, store_id)
            _believe(self.products, product, product_id)
            _believe(self.ticks, tick, opening)


def _believe(known: dict[str, str], text: str, value: str) -> None:
    # Bounded in number and in length: a good document can be padded with a megabyte of blanks.
    if len(text) <= _LONGEST_BELIEVED:
        if len(known) >= _MOST_BELIEVED:
            known.clear()
        known[text] = value


def _integer(name: str) -> str:
    """Return a pattern of integers that the contract surely accepts: fewer digits than its maximum, no sign."""
    schema = SCHEMA["properties"][name]
    if schema["minimum"] > 0:
        raise contract.UnsupportedKeyword(f"minimum above zero of {name}")
    digits = len(str(schema["maximum"])) - 1
    return rf"(0|[1-9][0-9]{{0,{digits - 1}}})"


_BLANK = " \t\r"
_LONGEST_BELIEVED = 2_000
_MOST_BELIEVED = 20_000
_OPENINGS: Final = ('{"event_id":"', '{"event_id": "')
_STORE, _PRODUCT, _STOCK = '"store_id":', '"product_id":', '"stock":'
_TAIL: Final = re.compile(
    rf" ?{_integer('stock')}, ?"
    + ", ?".join(f'"{name}": ?{_integer(name)}' for name in FIELDS[FIELDS.index("stock") + 1 :])
    + r"\}"
).fullmatch
_LAYOUT: Final = _Layout()
