"""Stock events for the tests, good ones and all kinds of bad ones."""

import json
from typing import Any

from hypothesis import strategies as st

from lambdas.core.contract import FIELDS, SCHEMA

GOOD: dict[str, Any] = {
    "event_id": "S00001-P0006-29",
    "event_time": "2026-01-05T07:15:00.000Z",
    "store_id": "S00001",
    "store_name": "Łódź & Söhne",
    "city": "Houthalen",
    "country": "BE",
    "latitude": 51.03408,
    "longitude": 5.37446,
    "product_id": "P0006",
    "product_name": "Barlow rolled oats 500 g",
    "category": "Breakfast",
    "unit_price": 1.32,
    "stock": 231,
    "threshold": 28,
    "units_sold": 1,
    "units_received": 0,
}


def event(**changes: Any) -> dict[str, Any]:
    return GOOD | changes


def line(**changes: Any) -> str:
    return json.dumps(event(**changes))


MISFITS: list[Any] = [
    None, True, False, 0, 1, -1, 5.0, 0.009, 90, 90.0000001, -180.5, 1_000_000, 1_000_001, 10**30, float("inf"),
    float("-inf"), float("nan"), "", "S1", "S1\n", "x" * 120, "x" * 121, "é", "\ud800", "S1-P1-1", "S1-P1-1\n", "Ａ1",
    "DE",
    "2026-02-30T00:00:00.000Z", "2026-02-28T24:00:00.000Z", "2026-02-28T23:59:60.000Z", "2026-02-28T23:59:59.999Z",
    "2026-02-28T23:59:59.999Z\n", "2026-02-28T23:59:59.999", "0000-01-01T00:00:00.000Z", [], {}, [1], {"a": 1},
]  # fmt: skip


def _values(name: str) -> st.SearchStrategy[Any]:
    schema = SCHEMA["properties"][name]
    match schema["type"]:
        case "integer":
            return st.integers(schema["minimum"], schema["maximum"])
        case "number":
            return st.floats(schema["minimum"], schema["maximum"])
    if name == "event_time":
        return st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z")
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].replace("$", r"\Z"))
    return st.text(min_size=schema["minLength"], max_size=schema["maxLength"])


@st.composite
def good_events(draw: st.DrawFn) -> dict[str, Any]:
    document = {name: draw(_values(name)) for name in FIELDS}
    tick = draw(st.integers(0, 999_999_999))
    return document | {"event_id": f"{document['store_id']}-{document['product_id']}-{tick}"}


MISSING: Any = object()
_ANYTHING = (
    st.text(max_size=20) | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.none(), max_size=1)
)
_DAMAGE = st.one_of(
    st.tuples(st.sampled_from(FIELDS), st.sampled_from(MISFITS) | _ANYTHING),
    st.tuples(st.sampled_from(FIELDS), st.none()).map(lambda damage: (damage[0], MISSING)),
    st.tuples(st.text(max_size=5) | st.just("received_at"), st.just(1)),
)


@st.composite
def damaged_events(draw: st.DrawFn) -> dict[str, Any]:
    """Events with values replaced, a field missing or one too many; some of them are still good."""
    changes = dict(draw(st.lists(_DAMAGE, min_size=1, max_size=2)))
    return {name: value for name, value in event(**changes).items() if value is not MISSING}
