import itertools
import json
from datetime import UTC, datetime
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core import catalogue, contract, screening
from lambdas.core.contract import FIELDS, Refused
from lambdas.core.screening import Rejected, documents, screen
from lambdas.core.simulation import Shop
from tests.unit.stock_events import GOOD, MISFITS, damaged_events, event, line

RECEIVED = datetime(2026, 11, 20, 12, 0, 0, 5_000, tzinfo=UTC)
SUFFIX = ',"received_at":"2026-11-20T12:00:00.005Z"}'


def simulated() -> list[str]:
    lines: list[str] = []
    for number in (1, 2):
        shop = Shop(7, catalogue.store(7, number), catalogue.products(7, 3))
        lines += shop.simulate(shop.opening_stock(), range(40, 60)).lines
    return lines


SIMULATED = simulated()


def is_good(text: str) -> bool:
    try:
        contract.read(text)
    except Refused:
        return False
    return True


def test_good_lines_pass_with_their_arrival_and_nothing_else_changed() -> None:
    screened = screen([line(), SIMULATED[0]], RECEIVED)
    assert screened.rejected == []
    assert screened.good == [line()[:-1] + SUFFIX, SIMULATED[0][:-1] + SUFFIX]
    assert json.loads(screened.good[0]) == GOOD | {"received_at": "2026-11-20T12:00:00.005Z"}


def test_bad_lines_are_handed_back_with_their_place_and_do_not_harm_their_neighbours() -> None:
    lines: list[str | bytes] = [line(), "x", line(stock=1), b"\xff", line(stock=-1)]
    assert screen(lines, RECEIVED).rejected == [
        Rejected(1, "The document is not one JSON value (character 0: Expecting value).", None, "x"),
        Rejected(3, "The document is not UTF-8.", None, b"\xff"),
        Rejected(4, "stock must be from 0 to 1000000, not -1.", "stock", line(stock=-1)),
    ]
    assert len(screen(lines, RECEIVED).good) == 2


# --- Splitting a record ----------------------------------------------------------------------------------------------


def test_blank_lines_are_no_documents() -> None:
    assert documents(b'\n \n{"a": 1}\r\n\t\n [] \n\n') == ['{"a": 1}', "[]"]
    assert documents(b"") == []


def test_bytes_that_are_not_utf_8_affect_their_own_line_alone() -> None:
    assert documents("é\n".encode() + b"\xe9\n\xed\xa0\x80\n ok") == ["é", b"\xe9", b"\xed\xa0\x80", "ok"]


def test_only_a_newline_ends_a_line() -> None:
    text = "a\x0bb\x0cc\x1cd\x85e\u2028f\rg"
    assert documents(text.encode()) == [text]
    assert documents("\u2003\n\x0b".encode()) == ["\u2003", "\x0b"]  # blank to Python, not to JSON


@given(st.binary(max_size=60))
def test_every_byte_that_is_not_blank_is_in_a_document(data: bytes) -> None:
    found = [item.encode() if isinstance(item, str) else item for item in documents(data)]
    assert found == [raw for part in data.split(b"\n") if (raw := part.strip(b" \t\r"))]


# --- The short cut accepts only what the parser accepts --------------------------------------------------------------


def fresh_layout() -> "mock._patch[screening._Layout]":
    return mock.patch.object(screening, "_LAYOUT", screening._Layout())


def assert_verdicts_of_the_parser(texts: list[str]) -> None:
    """Twice, so that what was learned from each text is tried on all of them."""
    with fresh_layout():
        for text in (*texts, *texts):
            assert bool(screen([text], RECEIVED).good) == is_good(text), text


def test_known_parts_are_not_parsed_again() -> None:
    with fresh_layout():
        screen(SIMULATED, RECEIVED)
        with mock.patch.object(contract, "read", side_effect=AssertionError("parsed")):
            assert len(screen(SIMULATED, RECEIVED).good) == len(SIMULATED)


def test_known_parts_are_not_parsed_again_in_the_layout_of_json_dumps() -> None:
    spaced = [json.dumps(json.loads(text)) for text in SIMULATED]
    with fresh_layout():
        screen(spaced, RECEIVED)
        with mock.patch.object(contract, "read", side_effect=AssertionError("parsed")):
            assert len(screen(spaced, RECEIVED).good) == len(spaced)


@settings(max_examples=100)
@given(st.lists(damaged_events(), min_size=1, max_size=3), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_damaged_events(events: list[dict[str, object]], separators: tuple[str, str]) -> None:
    assert_verdicts_of_the_parser([json.dumps(document, separators=separators) for document in [GOOD, *events]])


@pytest.mark.parametrize("name", FIELDS)
def test_every_misfit_in_every_field(name: str) -> None:
    texts = [json.dumps(event(**{name: value}), separators=(",", ":")) for value in MISFITS]
    assert_verdicts_of_the_parser([json.dumps(GOOD, separators=(",", ":")), *texts])


@st.composite
def reassembled(draw: st.DrawFn) -> str:
    """Lines put together from the members of good events: reordered, dropped, repeated, mixed, blanks between them."""
    pool = [json.loads(text) for text in draw(st.lists(st.sampled_from(SIMULATED), min_size=1, max_size=2))]
    names = list(FIELDS)
    for _ in range(draw(st.integers(0, 2))):
        name, place = draw(st.sampled_from(FIELDS)), draw(st.integers(0, len(names)))
        match draw(st.sampled_from(["move", "drop", "repeat"])):
            case "move":
                names = [other for other in names if other != name]
                names.insert(place, name)
            case "drop":
                names = [other for other in names if other != name]
            case _:
                names.insert(place, name)
    blank = st.sampled_from(["", "", "", "", "", " "])
    members = (f'"{name}"{draw(blank)}:{draw(blank)}{json.dumps(draw(st.sampled_from(pool))[name])}' for name in names)
    return "{" + f",{draw(blank)}".join(members) + "}"


@settings(max_examples=60)
@given(st.lists(reassembled(), min_size=2, max_size=5))
def test_reassembled_events(texts: list[str]) -> None:
    assert_verdicts_of_the_parser(texts)


@settings(max_examples=250)
@given(st.data())
def test_events_cut_and_joined_anywhere(data: st.DataObject) -> None:
    first, second = (data.draw(st.sampled_from(SIMULATED)) for _ in range(2))
    cut = data.draw(st.integers(0, len(first)))
    shift = data.draw(st.sampled_from([0, 0, 0, -1, 1]))
    typed = data.draw(
        st.sampled_from(["", "", '"', "\\", "0", "}", ",", ":", "-", "\n", "é", '"stock":', '\\"stock\\":'])
    )
    assert_verdicts_of_the_parser([first, second, first[:cut] + typed + second[max(0, cut + shift) :]])


def test_parts_learned_from_events_in_another_order_are_not_mixed() -> None:
    # Both are good; the store's part of one and the product's part of the other would make a category appear twice.
    moved = json.dumps({name: GOOD[name] for name in sorted(FIELDS, key=lambda name: _ORDER.get(name, 9))})
    assert is_good(moved)
    head, store, product, tail = _parts(moved)
    plain = _parts(line())
    mixed = "".join((head, store, plain[2], plain[3]))
    assert not is_good(mixed)
    assert_verdicts_of_the_parser([line(), moved, mixed, "".join((plain[0], plain[1], product, tail))])


_ORDER = {name: place for place, name in enumerate(FIELDS[:8])} | {"category": 8}


def _parts(text: str) -> tuple[str, str, str, str]:
    cuts = [0, text.index('"store_id"'), text.index('"product_id"'), text.index('"stock"'), len(text)]
    head, store, product, tail = (text[start:end] for start, end in itertools.pairwise(cuts))
    return head, store, product, tail


def test_a_tick_that_was_learned_from_another_place_is_not_believed() -> None:
    # Both hide the ids at the head of event_id, so that the same characters are first found in event_time.
    hidden = line(event_id="2026-01-5", store_id="2026", product_id="01").replace('"2026-01-5"', '"20\\u00326-01-5"')
    assert is_good(hidden)
    mixed = hidden.replace('"event_time": "2026-01-', '"event_time": "S00001-P0006-')
    mixed = mixed[: mixed.index('"store_id"')] + line()[line().index('"store_id"') :]
    assert_verdicts_of_the_parser([line(), hidden, mixed])


@pytest.mark.parametrize("key", ["store_id", "product_id", "stock"])
def test_an_event_that_hides_a_key_that_parts_it_is_not_learned_from(key: str) -> None:
    hidden = line().replace(f'"{key}"', f'"\\u{ord(key[0]):04x}{key[1:]}"')
    assert is_good(hidden)
    tail = line()[line().index('"stock"') :]
    assert_verdicts_of_the_parser([hidden, hidden + tail, line(), hidden[:-1] + tail])


def test_another_stores_or_products_id_is_noticed() -> None:
    other_store, other_product = line().replace("S00001-", "S00002-"), line().replace("-P0006-", "-P0007-")
    assert_verdicts_of_the_parser([line(), other_store, other_product])


def test_what_is_believed_is_bounded_in_length() -> None:
    padded = line().replace('"city": ', '"city": ' + " " * 500_000)
    with fresh_layout():
        assert len(screen([padded, padded], RECEIVED).good) == 2
        assert not screening._LAYOUT.stores
        assert screening._LAYOUT.products  # which were not padded


def test_what_is_believed_is_bounded_in_number() -> None:
    with fresh_layout(), mock.patch.object(screening, "_MOST_BELIEVED", 3):
        for number in range(20):
            text = line(event_id=f"S{number}-P{number}-1", store_id=f"S{number}", product_id=f"P{number}")
            text = text.replace("07:15:00.000Z", f"07:15:{number:02}.000Z")
            assert len(screen([text], RECEIVED).good) == 1
        for known in (screening._LAYOUT.stores, screening._LAYOUT.products, screening._LAYOUT.ticks):
            assert 0 < len(known) <= 3
