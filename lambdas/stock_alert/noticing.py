"""Noticing: sightings become episodes and calls for trucks, and trucks that came are written down."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from lambdas.core import messages
from lambdas.core.contract import Refused, timestamp
from lambdas.core.episodes import Decision, Episode, Step, decide
from lambdas.core.messages import Sightings
from lambdas.core.notification import Arrival, stock_below_threshold
from lambdas.core.sightings import Sighting
from lambdas.core.versions import Conflict

_MOST_TRIES: Final = 20
"""A refused write means that another worker got its own done, and of one shelf there are few to do at a time."""
_MOST_FAULTS_SHOWN: Final = 3
_LONGEST_FAULT_SHOWN: Final = 300


class Alerts(Protocol):
    """Where the episodes are kept."""

    def recent(self, store_id: str, product_id: str) -> list[Episode]:
        """Return a shelf's latest episodes as last written, newest first, at most `episodes.MOST_RECENT`."""

    def one(self, store_id: str, product_id: str, number: int) -> Episode | None:
        """Return an episode as last written, or None."""

    def write(self, episode: Episode) -> None:
        """Write a version of an episode, or raise `Conflict` when the version before it is not the stored one."""


class Bus(Protocol):
    """Where trucks are called."""

    def announce(self, details: Sequence[dict[str, Any]]) -> None:
        """Announce each `StockBelowThreshold`, or raise when one was not accepted; the others may have been."""


class UnknownAlert(Exception):
    """A truck says that it came for an alert that there is not."""


@dataclass(slots=True)
class Noticed:
    """What came of some messages: which failed and why, by message id, and how often each thing happened.

    `tokens` are those of the messages with sightings, and `opened` the episodes that began.
    """

    failed: dict[str, str] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    opened: list[Episode] = field(default_factory=list)
    steps: Counter[Step] = field(default_factory=Counter)
    announced: int = 0
    arrivals: int = 0


def notice(records: Sequence[Mapping[str, Any]], *, alerts: Alerts, bus: Bus, now: Callable[[], datetime]) -> Noticed:
    """Take the records of an SQS event.

    Everything in a message is tried; when anything could not be done, the message has failed and comes again as a
    whole, which changes nothing about the rest. An episode is written before its truck is called, and the message that
    opened it calls the truck again whenever it comes again, until that is written too. Reading decides first: what is
    nothing new is not written.
    """
    noticed = Noticed()
    for record in records:
        message = _Message(alerts, bus, now, noticed)
        message.take(record["body"])
        if message.faults:
            noticed.failed[record["messageId"]] = _summary(message.faults)
    return noticed


class _Message:
    """One message on its way through the ports; `faults` are what could not be done, a sentence each."""

    def __init__(self, alerts: Alerts, bus: Bus, now: Callable[[], datetime], noticed: Noticed) -> None:
        self._alerts = alerts
        self._bus = bus
        self._now = now
        self._noticed = noticed
        self.faults: list[str] = []

    def take(self, body: str) -> None:
        try:
            content = messages.read(body)
        except Refused as refused:
            self.faults.append(refused.reason)
            return
        if isinstance(content, Arrival):
            self._try(self._arrive, content)
        else:
            self._see(content)

    def _try(self, do: Callable[..., None], *args: Any) -> None:
        """Do one thing. Whatever it raises, a bug included, fails this message and leaves the next thing its turn."""
        try:
            do(*args)
        except Exception as error:
            self.faults.append(f"{type(error).__name__}: {error}")

    def _arrive(self, arrival: Arrival) -> None:
        def change() -> None:
            episode = self._alerts.one(arrival.store_id, arrival.product_id, arrival.number)
            if episode is None:
                raise UnknownAlert(f"{arrival.alert_id} is no alert; send the delivery again under the right one.")
            if episode.delivered_at is None:
                self._alerts.write(episode.delivered(arrival.delivered_at, arrival.units))

        _until_undisputed(change)
        self._noticed.arrivals += 1

    def _see(self, content: Sightings) -> None:
        self.faults += content.faults
        self._noticed.tokens.append(content.token)
        calls: dict[str, tuple[Decision, Sighting]] = {}

        def see(seen: Sighting) -> None:
            decision = _until_undisputed(lambda: self._decide(seen, content.token))
            if decision is None:
                return
            self._noticed.steps[decision.step] += 1
            if decision.step is Step.OPEN:
                self._noticed.opened.append(decision.episode)
            if decision.step in (Step.OPEN, Step.ANNOUNCE_AGAIN):
                calls[decision.episode.alert_id] = decision, seen
            elif decision.step is Step.CLOSE:  # over before the truck was called: none is wanted
                calls.pop(decision.episode.alert_id, None)

        for seen in sorted(content.sightings, key=lambda seen: seen.tick):
            self._try(see, seen)
        if calls:
            self._try(self._call, calls)

    def _decide(self, seen: Sighting, token: str) -> Decision | None:
        recent = self._alerts.recent(seen.store_id, seen.product_id)
        decision = decide(recent, seen, token=token, noticed_at=timestamp(self._now()))
        if decision and decision.step is not Step.ANNOUNCE_AGAIN:
            self._alerts.write(decision.episode)
        return decision

    def _call(self, calls: Mapping[str, tuple[Decision, Sighting]]) -> None:
        self._bus.announce([stock_below_threshold(made.episode, seen.event) for made, seen in calls.values()])
        self._noticed.announced += len(calls)
        for made, _ in calls.values():
            if made.step is Step.ANNOUNCE_AGAIN:
                self._try(self._confirm, made.episode)

    def _confirm(self, episode: Episode) -> None:
        try:
            self._alerts.write(episode)
        except Conflict:
            return  # whoever changed it has confirmed it as well, or leaves that to the message's next coming


def _until_undisputed(change: Callable[[], Decision | None]) -> Decision | None:
    """Read, decide and write again for as long as somebody else is quicker."""
    for _ in range(_MOST_TRIES - 1):
        try:
            return change()
        except Conflict:
            continue
    return change()


def _summary(faults: Sequence[str]) -> str:
    """Put a message's faults into a line for the log; they may quote whatever the message held, so they are cut."""
    shown = [
        fault if len(fault) <= _LONGEST_FAULT_SHOWN else f"{fault[:_LONGEST_FAULT_SHOWN]}…"
        for fault in faults[:_MOST_FAULTS_SHOWN]
    ]
    more = len(faults) - len(shown)
    return " ".join(shown) + (f" And {more} more." if more else "")
