"""Every rule by name, and that no order, delay or repetition of what a shelf showed changes what is known of it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.core.episodes import MOST_RECENT, Decision, Episode, Step, decide
from lambdas.core.replenishment import order_quantity, order_up_to
from lambdas.core.sightings import Sighting, sighting
from lambdas.core.trading_calendar import WORKSHOP_CALENDAR
from tests.unit.stock_events import event

THRESHOLD = 28
NOW = "2026-11-20T12:00:00.000Z"


def stock_event(tick: int, stock: int, sold: int = 0, received: int = 0, **changes: Any) -> dict[str, Any]:
    return event(
        event_id=f"S00001-P0006-{tick}",
        event_time=WORKSHOP_CALENDAR.end_of(tick),
        stock=stock,
        threshold=THRESHOLD,
        units_sold=sold,
        units_received=received,
        **changes,
    )


def seen(tick: int, stock: int, sold: int = 0, received: int = 0) -> Sighting:
    found = sighting(stock_event(tick, stock, sold, received))
    assert found
    return found


def ran_low(tick: int, stock: int = 20) -> Sighting:
    return seen(tick, stock, sold=THRESHOLD - stock)


def still_low(tick: int) -> Sighting:
    return seen(tick, 19, sold=1)


def came_back(tick: int, received: int = 80) -> Sighting:
    return seen(tick, 10 + received, received=received)


def filled_up(tick: int) -> Sighting:
    """Units were put on a shelf that was not low."""
    return seen(tick, 90, received=40)


class Book:
    """One shelf's episodes, newest first, as decisions write them."""

    def __init__(self, *sightings: Sighting) -> None:
        self.episodes: list[Episode] = []
        self._tokens = map(str, count())
        self.take(sightings)

    def decide(self, one: Sighting, token: str | None = None) -> Decision | None:
        """Decide on a sighting, from a message of its own unless a token is given."""
        recent = self.episodes[:MOST_RECENT]
        return decide(recent, one, token=token or next(self._tokens), noticed_at=NOW)

    def take(self, sightings: Iterable[Sighting], token: str | None = None) -> "Book":
        for one in sightings:
            if decision := self.decide(one, token):
                self.write(decision.episode)
        return self

    def write(self, episode: Episode) -> None:
        if episode.version == 1:
            self.episodes.insert(0, episode)
        else:
            (place,) = (place for place, old in enumerate(self.episodes) if old.number == episode.number)
            assert episode.version == self.episodes[place].version + 1
            self.episodes[place] = episode

    def ends(self) -> list[tuple[int | None, int | None]]:
        """The ticks of each episode's beginning and end, oldest first."""
        return [(episode.opened_tick, episode.closed_tick) for episode in reversed(self.episodes)]


def test_the_first_low_sighting_opens_the_first_episode() -> None:
    decision = Book().decide(ran_low(29), token="T")
    assert decision == Decision(
        Step.OPEN,
        Episode(
            store_id="S00001",
            product_id="P0006",
            number=1,
            state="OPEN",
            stock=20,
            threshold=THRESHOLD,
            noticed_at=NOW,
            version=1,
            ordered=order_up_to(THRESHOLD) - 20,
            token="T",
            opened_tick=29,
            opened_at="2026-01-05T07:15:00.000Z",
            opened_event="S00001-P0006-29",
            opened_exactly=True,
        ),
    )
    assert decision.episode.alert_id == "A-S00001-P0006-1"


def test_the_closing_event_closes_it_and_tells_how_long_it_lasted() -> None:
    book = Book(ran_low(5), came_back(9, received=80))
    (episode,) = book.episodes
    assert (episode.state, episode.version, episode.token) == ("CLOSED", 2, None)
    assert (episode.closed_tick, episode.closed_at, episode.closed_event, episode.received_units) == (
        9,
        WORKSHOP_CALENDAR.end_of(9),
        "S00001-P0006-9",
        80,
    )
    assert episode.duration_seconds == 4 * 15 * 60


@pytest.mark.parametrize(
    ("before", "sighting", "step", "ends"),
    [
        # low, with the newest episode open
        ([ran_low(5)], still_low(7), None, [(5, None)]),
        ([ran_low(5)], ran_low(5), None, [(5, None)]),
        ([ran_low(5)], still_low(3), None, [(5, None)]),
        ([ran_low(5)], ran_low(3), None, [(5, None)]),
        ([ran_low(5)], ran_low(12), Step.OPEN, [(5, None), (12, None)]),
        ([still_low(7)], ran_low(5), Step.CORRECT, [(5, None)]),
        ([still_low(7)], still_low(5), None, [(7, None)]),
        ([still_low(7)], ran_low(12), Step.OPEN, [(7, None), (12, None)]),
        ([still_low(7), ran_low(12)], ran_low(5), Step.CORRECT, [(5, None), (12, None)]),
        ([still_low(7), ran_low(5)], ran_low(3), None, [(5, None)]),
        # low, with the newest episode closed
        ([ran_low(5), came_back(9)], ran_low(12), Step.OPEN, [(5, 9), (12, None)]),
        ([ran_low(5), came_back(9)], still_low(12), Step.OPEN, [(5, 9), (12, None)]),
        ([ran_low(5), came_back(9)], still_low(8), None, [(5, 9)]),
        ([ran_low(5), came_back(9)], ran_low(8), None, [(5, 9)]),
        ([ran_low(5), came_back(9)], ran_low(3), None, [(5, 9)]),
        ([still_low(7), came_back(9)], ran_low(5), Step.CORRECT, [(5, 9)]),
        ([ran_low(5), came_back(9), still_low(14)], ran_low(12), Step.CORRECT, [(5, 9), (12, None)]),
        ([ran_low(5), came_back(9), still_low(14)], ran_low(5), None, [(5, 9), (14, None)]),
        ([ran_low(5), came_back(9), still_low(14)], ran_low(8), None, [(5, 9), (14, None)]),
        # back, with an episode that had begun by then
        ([ran_low(5)], came_back(9), Step.CLOSE, [(5, 9)]),
        ([ran_low(5)], filled_up(9), Step.CLOSE, [(5, 9)]),
        ([ran_low(5), came_back(9)], came_back(9), None, [(5, 9)]),
        ([ran_low(5), came_back(9)], came_back(8), None, [(5, 9)]),
        ([ran_low(5), came_back(9)], filled_up(12), None, [(5, 9)]),
        ([ran_low(5), came_back(9)], came_back(12), Step.RECORD, [(5, 9), (None, 12)]),
        ([ran_low(5), filled_up(12)], came_back(9), Step.CORRECT, [(5, 9)]),
        ([ran_low(5), filled_up(12)], filled_up(11), None, [(5, 12)]),
        ([ran_low(5), filled_up(12), came_back(9)], came_back(8), None, [(5, 9)]),
        ([ran_low(5), filled_up(12), came_back(9)], came_back(11), None, [(5, 9)]),
        ([ran_low(5), filled_up(12), came_back(9)], ran_low(10), None, [(5, 9)]),
        ([ran_low(5), ran_low(12)], came_back(9), Step.CLOSE, [(5, 9), (12, None)]),
        ([ran_low(5), ran_low(12), came_back(15)], came_back(9), Step.CLOSE, [(5, 9), (12, 15)]),
        ([ran_low(5), ran_low(12)], came_back(15), Step.CLOSE, [(5, None), (12, 15)]),
        ([ran_low(5), came_back(9), ran_low(15)], came_back(12), None, [(5, 9), (15, None)]),
        # back, with no episode that had begun by then
        ([ran_low(5)], came_back(5), None, [(5, None)]),
        ([ran_low(5)], came_back(3), None, [(5, None)]),
        ([ran_low(5)], filled_up(3), None, [(5, None)]),
        ([], filled_up(9), None, []),
        ([], came_back(9), Step.RECORD, [(None, 9)]),
        # over before it was noticed
        ([came_back(9)], ran_low(5), None, [(None, 9)]),
        ([came_back(9)], still_low(9), None, [(None, 9)]),
        ([came_back(9)], came_back(9), None, [(None, 9)]),
        ([came_back(9)], came_back(8), None, [(None, 9)]),
        ([came_back(9)], came_back(12), Step.RECORD, [(None, 9), (None, 12)]),
        ([came_back(9), came_back(12)], ran_low(11), None, [(None, 9), (None, 12)]),
        ([came_back(9)], still_low(12), Step.OPEN, [(None, 9), (12, None)]),
        ([came_back(9), still_low(12)], ran_low(11), Step.CORRECT, [(None, 9), (11, None)]),
        ([came_back(9), still_low(12)], ran_low(8), None, [(None, 9), (12, None)]),
    ],
)
def test_rule(
    before: list[Sighting], sighting: Sighting, step: Step | None, ends: list[tuple[int | None, int | None]]
) -> None:
    book = Book(*before)
    decision = book.decide(sighting)
    assert (decision and decision.step) == step
    assert book.take([sighting]).ends() == ends


def test_a_corrected_beginning_keeps_the_alert_and_what_was_ordered() -> None:
    book = Book(still_low(7))
    (before,) = book.episodes
    (after,) = book.take([ran_low(5, stock=27)]).episodes
    assert after == before.changed(
        opened_exactly=True, opened_tick=5, opened_at=WORKSHOP_CALENDAR.end_of(5), opened_event="S00001-P0006-5"
    )
    assert (after.version, after.token) == (2, before.token)


def test_the_beginning_of_an_episode_whose_predecessor_is_out_of_sight_is_not_corrected() -> None:
    book = Book(ran_low(5), came_back(9), still_low(14), came_back(16))
    late = ran_low(8)
    for tick in range(20, 20 + 10 * (MOST_RECENT - 1), 10):
        assert book.decide(late) is None
        book.take([ran_low(tick), came_back(tick + 5)])
    assert book.episodes[MOST_RECENT - 1].opened_tick == 14
    assert book.decide(late) is None


def test_an_episode_over_before_it_was_noticed_calls_no_truck() -> None:
    (episode,) = Book(came_back(9)).episodes
    assert (episode.state, episode.ordered, episode.stock, episode.token) == ("CLOSED", 0, 10, None)
    assert episode.duration_seconds is None


def test_the_message_that_opened_an_episode_and_came_back_announces_it_again_until_that_is_written() -> None:
    book = Book().take([ran_low(5)], token="T")
    assert book.decide(ran_low(5), token="U") is None
    decision = book.decide(ran_low(5), token="T")
    assert decision == Decision(Step.ANNOUNCE_AGAIN, replace(book.episodes[0], version=2, token=None))
    book.write(decision.episode)
    assert book.decide(ran_low(5), token="T") is None


def test_it_announces_again_what_was_corrected_meanwhile() -> None:
    book = Book().take([still_low(7)], token="T").take([ran_low(5)], token="U")
    decision = book.decide(still_low(7), token="T")
    assert decision
    assert (decision.step, decision.episode.opened_tick) == (Step.ANNOUNCE_AGAIN, 5)


@pytest.mark.parametrize("ending", [came_back(9), filled_up(9)])
def test_what_is_over_or_delivered_is_not_announced_again(ending: Sighting) -> None:
    assert Book().take([ran_low(5), ending], token="T").decide(ran_low(5), token="T") is None
    book = Book().take([ran_low(5)], token="T")
    book.write(book.episodes[0].delivered(NOW, 80))
    assert book.decide(ran_low(5), token="T") is None


def test_a_truck_takes_what_others_have_not_brought_yet_into_account() -> None:
    book = Book(ran_low(5), came_back(9, received=30), ran_low(12))
    second, first = book.episodes
    assert first.on_order == first.ordered - 30 > 0
    assert second.ordered == order_quantity(THRESHOLD, 20, first.on_order) < first.ordered

    book = Book(ran_low(5))
    book.write(book.episodes[0].delivered(NOW, 30))
    book.take([came_back(9, received=30), ran_low(12)])
    second, first = book.episodes
    assert (first.delivered_at, first.delivered_units, first.on_order) == (NOW, 30, 0)
    assert second.ordered == first.ordered

    book = Book(ran_low(5), came_back(9, received=1_000), came_back(12), ran_low(14))
    assert [episode.on_order for episode in book.episodes[1:]] == [0, 0]


class Shelf:
    """A shelf that sells, with what it shows on the way to a book. When it is low, units come once that is noticed."""

    def __init__(self) -> None:
        self.stock, self.tick = 40, 0
        self.low: list[bool] = []
        self.shown: list[Sighting] = []
        self.under_way: list[Sighting] = []
        self.book = Book()

    def trade(self, sold: int, received: int, only_noticed: bool = True) -> None:
        if self.stock < THRESHOLD and only_noticed and not self.is_noticed():
            received = 0
        self.tick += 1
        sold = min(sold, self.stock + received)
        self.stock += received - sold
        self.low.append(self.stock < THRESHOLD)
        if sold or received:
            found = sighting(stock_event(self.tick, self.stock, sold, received))
            self.shown += [found] if found else []
            self.under_way += [found] if found else []

    def is_noticed(self) -> bool:
        beginning = self.tick - len(self.low) + len("".join("x-"[low] for low in self.low).rstrip("-")) + 1
        return any((episode.opened_tick or 0) >= beginning for episode in self.book.episodes)

    def arrive(self, place: int, again: bool) -> None:
        if self.under_way:
            place %= len(self.under_way)
            self.book.take([self.under_way[place] if again else self.under_way.pop(place)])

    def islands(self) -> list[tuple[int, int | None]]:
        """When the shelf was low, told from its whole history: the first tick, and the first that is not low again."""
        states = [False, *self.low]
        begun = [tick for tick in range(1, len(states)) if states[tick] and not states[tick - 1]]
        ended = [tick for tick in range(1, len(states)) if states[tick - 1] and not states[tick]]
        return list(zip(begun, [*ended, *[None] * (len(begun) - len(ended))], strict=True))


TRADES = st.tuples(st.just("trade"), st.sampled_from([0, 1, 13, 30]), st.sampled_from([0, 0, 2, 40]))
ARRIVALS = st.tuples(st.just("arrive"), st.integers(0, 9), st.booleans())
LIVES = st.lists(TRADES | ARRIVALS, min_size=20, max_size=60)


def lived(life: Sequence[tuple[str, int, Any]], last: Sequence[int], only_noticed: bool = True) -> Shelf:
    """A shelf after everything it showed has arrived, the rest in the order that `last` says."""
    shelf = Shelf()
    for kind, first, second in life:
        if kind == "trade":
            shelf.trade(first, second, only_noticed)
        else:
            shelf.arrive(first, second)
    for place in last:
        shelf.arrive(place, again=False)
    while shelf.under_way:
        shelf.arrive(0, again=False)
    return shelf


@settings(max_examples=150, deadline=None)
@given(LIVES, st.lists(st.integers(0, 30), max_size=10))
def test_in_whatever_order_sightings_arrive_the_episodes_are_the_times_in_which_the_shelf_was_low(
    life: list[tuple[str, int, Any]], last: list[int]
) -> None:
    shelf = lived(life, last)
    assert shelf.book.ends() == shelf.islands()
    assert [episode.state for episode in shelf.book.episodes if episode.closed_tick is None] == (
        ["OPEN"] if shelf.stock < THRESHOLD else []
    )
    assert [shelf.book.decide(late) for late in shelf.shown] == [None] * len(shelf.shown)


@settings(max_examples=150, deadline=None)
@given(LIVES, st.lists(st.integers(0, 30), max_size=10))
def test_a_shelf_that_comes_back_by_itself_has_an_open_newest_episode_only_while_it_is_low(
    life: list[tuple[str, int, Any]], last: list[int]
) -> None:
    shelf = lived(life, last, only_noticed=False)
    newest = shelf.book.episodes[0] if shelf.book.episodes else None
    assert (newest is not None and newest.state == "OPEN") == (shelf.stock < THRESHOLD)
    for episode in shelf.book.episodes:
        ends = shelf.low[episode.opened_tick - 1 : episode.opened_tick] if episode.opened_tick else [True]
        ends += [not shelf.low[episode.closed_tick - 1]] if episode.closed_tick else []
        assert all(ends)
