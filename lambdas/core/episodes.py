"""Episodes of low stock: what a sighting means for a shelf, given what is written down about it.

Sightings come late, twice, out of order and to several workers at once. An episode is one record, numbered per shelf,
and every change of it is one write on the condition of the version before; whoever is refused reads and decides again.
Of the sightings of one shelf, those that cross the threshold say exactly when an episode began or ended; the others
show only that it had begun or ended by then. An episode that was over before it was noticed is recorded as closed and
calls no truck.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from lambdas.core.replenishment import order_quantity
from lambdas.core.sightings import Sighting

MOST_RECENT: Final = 8
"""How many of a shelf's episodes a decision looks back on: a sighting older than those changes nothing."""


def alert_id(store_id: str, product_id: str, number: int) -> str:
    """Return the name of the alert of a shelf's episode."""
    return f"A-{store_id}-{product_id}-{number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One version of what is known of a shelf's being low once. Version 0 has not been written yet.

    `opened_*` and `closed_*` are those of the stock events that showed it, in the store's time; an episode over before
    it was noticed has no opening. `stock` is what was on the shelf when it was noticed.
    """

    store_id: str
    product_id: str
    number: int
    state: Literal["OPEN", "CLOSED"]
    stock: int
    threshold: int
    noticed_at: str
    version: int = 0
    ordered: int = 0
    """Units that were recommended to the truck."""
    token: str | None = None
    """Of the message that opened it, while it is not certain that the truck was called."""
    opened_tick: int | None = None
    opened_at: str | None = None
    opened_event: str | None = None
    opened_exactly: bool = False
    closed_tick: int | None = None
    closed_at: str | None = None
    closed_event: str | None = None
    closed_exactly: bool = False
    settled_tick: int = 0
    """Whatever was low until then belongs to this episode or to one before it. It is the tick of the event that first
    closed the episode, and stays when an earlier event corrects that."""
    received_units: int | None = None
    """Units put on the shelf in the event that closed it."""
    delivered_at: str | None = None
    delivered_units: int | None = None

    @property
    def alert_id(self) -> str:
        """Return the name of its alert, and of its delivery."""
        return alert_id(self.store_id, self.product_id, self.number)

    @property
    def duration_seconds(self) -> int | None:
        """Return how long the shelf was low in simulated seconds, once both ends are known."""
        if not (self.opened_at and self.closed_at):
            return None
        lasted = datetime.fromisoformat(self.closed_at) - datetime.fromisoformat(self.opened_at)
        return round(lasted.total_seconds())

    @property
    def on_order(self) -> int:
        """Return the units that were ordered and have not been seen to arrive, neither by truck nor on the shelf."""
        return 0 if self.delivered_at else max(0, self.ordered - (self.received_units or 0))

    def changed(self, **changes: Any) -> "Episode":
        """Return the next version."""
        return replace(self, version=self.version + 1, **changes)

    def delivered(self, at: str, units: int) -> "Episode":
        """Return the next version, in which the truck has come; so it was certainly called."""
        return self.changed(delivered_at=at, delivered_units=units, token=None)

    def was_low_before(self, tick: int) -> bool:
        """Say whether the episode had begun before a tick, as far as is known."""
        began = self.closed_tick if self.opened_tick is None else self.opened_tick
        return began is not None and began < tick

    def was_over_before(self, tick: int) -> bool:
        """Say whether the episode had certainly ended before a tick."""
        return self.state == "CLOSED" and self.settled_tick < tick


class Step(StrEnum):
    """What can happen to an episode."""

    OPEN = "open"
    """The shelf ran low: write the episode, then call a truck."""
    CLOSE = "close"
    """The shelf came back."""
    RECORD = "record"
    """The shelf came back from having been low unnoticed: no truck is called."""
    CORRECT = "correct"
    """The episode began, or ended, earlier than thought."""
    ANNOUNCE_AGAIN = "announce again"
    """The message that opened the episode came back: call the truck, then write that it is certain."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A step, and the version of the episode to write."""

    step: Step
    episode: Episode


def decide(recent: Sequence[Episode], seen: Sighting, *, token: str, noticed_at: str) -> Decision | None:
    """Say what a sighting means, or None when it is nothing new.

    `recent` are the shelf's latest episodes, at most `MOST_RECENT`, newest first; `token` names the message that
    brought the sighting, `noticed_at` is the present, ISO 8601.
    """
    if seen.is_low:
        return _seen_low(recent, seen, token, noticed_at)
    return _seen_back(recent, seen, noticed_at)


def _seen_low(recent: Sequence[Episode], seen: Sighting, token: str, noticed_at: str) -> Decision | None:
    newest = recent[0] if recent else None
    if newest is None or newest.was_over_before(seen.tick):
        return Decision(Step.OPEN, _opened(recent, seen, token, noticed_at))
    if newest.state == "OPEN":
        if seen.crosses and newest.was_low_before(seen.tick):  # its end is still on the way, and will find it
            return Decision(Step.OPEN, _opened(recent, seen, token, noticed_at))
        if newest.token == token:
            return Decision(Step.ANNOUNCE_AGAIN, newest.changed(token=None))
    if seen.crosses and (episode := _begun_at(recent, seen.tick)):
        return Decision(Step.CORRECT, episode.changed(**_opening(seen)))
    return None


def _seen_back(recent: Sequence[Episode], seen: Sighting, noticed_at: str) -> Decision | None:
    episode = next((episode for episode in recent if episode.was_low_before(seen.tick)), None)
    if episode and episode.state == "OPEN":
        closed = episode.changed(state="CLOSED", token=None, settled_tick=seen.tick, **_closing(seen))
        return Decision(Step.CLOSE, closed)
    if not seen.crosses:
        return None
    if not recent or (episode is recent[0] and episode.was_over_before(seen.tick)):
        return Decision(Step.RECORD, _recorded(recent, seen, noticed_at))
    if episode and not episode.closed_exactly and seen.tick < episode.settled_tick:
        return Decision(Step.CORRECT, episode.changed(**_closing(seen)))
    return None


def _begun_at(recent: Sequence[Episode], tick: int) -> Episode | None:
    """Return the episode that was first seen low after a tick, and began at it if the one before was over by then."""
    for episode, before in zip(recent, [*recent[1:], None], strict=True):
        was_next = before.was_over_before(tick) if before else episode.number == 1
        if was_next and not episode.opened_exactly and tick < (episode.opened_tick or 0):
            return episode
    return None


def _opened(recent: Sequence[Episode], seen: Sighting, token: str, noticed_at: str) -> Episode:
    stock, threshold = seen.event["stock"], seen.event["threshold"]
    on_order = sum(episode.on_order for episode in recent)
    return Episode(
        store_id=seen.store_id,
        product_id=seen.product_id,
        number=_next_number(recent),
        version=1,
        state="OPEN",
        stock=stock,
        threshold=threshold,
        ordered=order_quantity(threshold, stock, on_order),
        noticed_at=noticed_at,
        token=token,
        **_opening(seen),
    )


def _recorded(recent: Sequence[Episode], seen: Sighting, noticed_at: str) -> Episode:
    event = seen.event
    return Episode(
        store_id=seen.store_id,
        product_id=seen.product_id,
        number=_next_number(recent),
        version=1,
        state="CLOSED",
        stock=event["stock"] + event["units_sold"] - event["units_received"],
        threshold=event["threshold"],
        noticed_at=noticed_at,
        settled_tick=seen.tick,
        **_closing(seen),
    )


def _next_number(recent: Sequence[Episode]) -> int:
    return recent[0].number + 1 if recent else 1


def _opening(seen: Sighting) -> dict[str, Any]:
    return {
        "opened_tick": seen.tick,
        "opened_at": seen.event["event_time"],
        "opened_event": seen.event["event_id"],
        "opened_exactly": seen.crosses,
    }


def _closing(seen: Sighting) -> dict[str, Any]:
    return {
        "closed_tick": seen.tick,
        "closed_at": seen.event["event_time"],
        "closed_event": seen.event["event_id"],
        "closed_exactly": seen.crosses,
        "received_units": seen.event["units_received"],
    }
