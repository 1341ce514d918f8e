"""What a batch tells of low shelves: few messages, each shelf once per direction, and nothing of the healthy ones."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core import messages
from lambdas.core.messages import MAX_MESSAGE_BYTES, MOST_SIGHTINGS
from lambdas.core.screening import screen
from lambdas.core.sightings import Sighting, latest, sighting
from tests.unit.stock_events import GOOD, event, good_events, line
from tests.unit.test_screening import RECEIVED


def shown(stock: int, sold: int, received: int) -> Sighting | None:
    return sighting(event(stock=stock, threshold=10, units_sold=sold, units_received=received))


@pytest.mark.parametrize(
    ("stock", "sold", "received", "expected"),
    [
        (10, 3, 0, None),  # at its threshold a shelf is not low
        (9, 1, 0, (True, True)),
        (9, 0, 0, (True, False)),
        (0, 9, 0, (True, False)),
        (0, 10, 0, (True, True)),
        (5, 2, 4, (True, False)),  # a delivery that does not suffice
        (10, 0, 1, (False, True)),
        (30, 5, 30, (False, True)),
        (30, 0, 20, (False, False)),  # filled up before it was low
        (9, 12, 11, (True, True)),  # 10 before: the delivery was sold within the tick
    ],
)
def test_one_event_tells_whether_its_shelf_is_low_or_back_and_whether_it_crossed(
    stock: int, sold: int, received: int, expected: tuple[bool, bool] | None
) -> None:
    seen = shown(stock, sold, received)
    assert (seen and (seen.is_low, seen.crosses)) == expected


@settings(max_examples=25)
@given(st.lists(good_events(), max_size=8))
def test_the_fast_way_through_the_screening_sees_what_the_events_show(events: list[dict[str, Any]]) -> None:
    lines = [json.dumps(document) for document in events]
    arrival = {"received_at": "2026-11-20T12:00:00.005Z"}
    expected = [seen for document in events if (seen := sighting(document | arrival))]
    assert screen(lines, RECEIVED).sightings == expected  # parsed
    assert screen(lines, RECEIVED).sightings == expected  # recognised


def test_refused_documents_are_no_sightings() -> None:
    assert screen([line(stock=3, units_sold=-1), line(stock=3, extra=1)], RECEIVED).sightings == []


# --- A batch ---------------------------------------------------------------------------------------------------------


def at(tick: int, *, low: bool, crosses: bool = True, store: str = "S1") -> Sighting:
    return Sighting(store, "P1", tick, low, crosses, {"event_id": f"{store}-P1-{tick}"})


def test_of_a_low_run_its_beginning_is_told() -> None:
    assert latest([at(7, low=True, crosses=False), at(5, low=True), at(6, low=True, crosses=False)]) == [
        at(5, low=True)
    ]


def test_without_its_beginning_the_first_that_shows_it_is_told() -> None:
    assert latest([at(n, low=True, crosses=False) for n in (8, 6, 7)]) == [at(6, low=True, crosses=False)]


def test_a_shelf_that_ran_low_and_came_back_within_a_batch_is_told_as_back_alone() -> None:
    assert latest([at(5, low=True), at(9, low=False)]) == [at(9, low=False)]


def test_what_is_put_on_a_shelf_that_is_back_does_not_hide_when_it_came_back() -> None:
    assert latest([at(5, low=False), at(7, low=False, crosses=False)]) == [at(5, low=False)]
    assert latest([at(5, low=False), at(6, low=True), at(7, low=False, crosses=False)]) == [
        at(7, low=False, crosses=False)
    ]


def test_a_shelf_that_came_back_and_ran_low_again_is_told_both_in_their_order() -> None:
    assert latest([at(9, low=True), at(5, low=False)]) == [at(5, low=False), at(9, low=True)]


HISTORIES = st.lists(
    st.builds(at, st.integers(1, 50), low=st.booleans(), crosses=st.booleans(), store=st.sampled_from(["S1", "S2"])),
    max_size=30,
    unique_by=lambda seen: (seen.store_id, seen.tick),
)


@given(HISTORIES, st.randoms(use_true_random=False))
def test_the_order_in_a_batch_and_repetitions_do_not_matter(history: list[Sighting], rng: Any) -> None:
    shuffled = history * 3
    rng.shuffle(shuffled)
    assert latest(shuffled) == latest(history)


@given(HISTORIES)
def test_a_batch_tells_each_shelf_once_per_direction_and_as_low_only_if_it_is_low_in_the_end(
    history: list[Sighting],
) -> None:
    chosen = latest(history)
    directions = [(seen.store_id, seen.is_low) for seen in chosen]
    assert len(directions) == len(set(directions))
    for store in {seen.store_id for seen in history}:
        of_store = [seen for seen in history if seen.store_id == store]
        assert ((store, True) in directions) is max(of_store, key=lambda seen: seen.tick).is_low


# --- Messages --------------------------------------------------------------------------------------------------------


def test_many_sightings_share_few_messages_of_which_none_is_too_large() -> None:
    # The longest events that the contract allows, all of them to be escaped.
    long = event(stock=1, threshold=9, store_name="\U0001f69a" * 120, city="\U0001f69a" * 120, product_name='"' * 120)
    bodies = list(messages.write([Sighting("S", "P", n, True, True, long) for n in range(500)], "r" * 100))
    assert max(len(body.encode()) for body in bodies) <= MAX_MESSAGE_BYTES
    read = [json.loads(body) for body in bodies]
    assert [document for body in read for document in body["events"]] == [long] * 500
    assert len({body["token"] for body in read}) == len(bodies)


def test_no_message_holds_more_than_its_reader_can_take_in_time() -> None:
    bodies = messages.write([Sighting("S", "P", n, True, True, GOOD) for n in range(2 * MOST_SIGHTINGS + 1)], "t")
    assert [len(json.loads(body)["events"]) for body in bodies] == [MOST_SIGHTINGS, MOST_SIGHTINGS, 1]


def test_a_document_padded_with_blanks_does_not_pad_the_message() -> None:
    padded = line(stock=3, threshold=9)[:-1] + " " * 900_000 + "}"
    [body] = messages.write(screen([padded], RECEIVED).sightings, "t")
    assert len(body) < 1_000
    assert json.loads(body)["events"] == [
        GOOD | {"stock": 3, "threshold": 9, "received_at": "2026-11-20T12:00:00.005Z"}
    ]
