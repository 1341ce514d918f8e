"""From low shelves to full ones: wait for the trucks, let the stores put on the shelf what they brought, and look."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workshop import alerts, flow
from workshop.alerts import Alert
from workshop.ask import ask
from workshop.errors import WorkshopError
from workshop.target import Target


@dataclass(frozen=True, slots=True)
class Refilled:
    """A shelf that a truck filled: its alert, and the units on it after the event that closed the alert."""

    alert: Alert
    stock_after: int


def has_trucks(resources: Mapping[str, str]) -> bool:
    """Say whether our truck system is deployed."""
    return "deliveries_table" in resources


def wait_for_trucks(
    target: Target, resources: Mapping[str, str], *, within: float, progress: Callable[[float], None]
) -> None:
    """Wait until nothing is left in the queues and a truck has unloaded for every open alert, or time is up.

    Raises:
        WorkshopError: a delivery has failed.
    """

    def share_delivered() -> float:
        due = alerts.read(target, resources, state=alerts.OPEN)
        failed = [alert for alert in due if alert.delivery and alert.delivery.status == "FAILED"]
        if failed and failed[0].delivery:
            raise WorkshopError(
                f"{len(failed)} deliveries failed, such as {failed[0].episode.alert_id}: {failed[0].delivery.reason}",
                "Mend the cause, then `python3 -m workshop redrive` restarts them.",
            )
        delivered = sum(alert.episode.delivered_at is not None for alert in due)
        return (delivered + _is_quiet(target, resources)) / (len(due) + 1)

    _wait(share_delivered, target, within, progress)


def wait_for_closing(
    target: Target, resources: Mapping[str, str], *, within: float, progress: Callable[[float], None]
) -> None:
    """Wait until every alert whose truck's units are on the shelf is closed, or time is up."""

    def share_closed() -> float:
        waiting = {receipt.delivery_id for receipt in flow.receipts(target, resources)}
        still_open = [
            alert
            for alert in alerts.read(target, resources, state=alerts.OPEN)
            if alert.episode.delivered_at and alert.episode.alert_id not in waiting
        ]
        return 1 / (len(still_open) + 1) if _is_quiet(target, resources) else 0.0

    _wait(share_closed, target, within, progress)


def refilled(target: Target, resources: Mapping[str, str], *, limit: int) -> list[Refilled]:
    """Return the alerts closed last of shelves that a truck filled."""
    closed = [alert for alert in alerts.read(target, resources, state=alerts.CLOSED) if alert.delivery][:limit]
    if not closed:
        return []
    places = ", ".join("?" * len(closed))
    rows = ask(
        target,
        resources,
        f"SELECT event_id, stock FROM unique_events WHERE event_id IN ({places})",  # noqa: S608 - question marks alone
        texts=[alert.episode.closed_event or "" for alert in closed],
    ).rows
    stock_after: dict[str, int] = dict(rows)
    return [
        Refilled(alert, stock_after[event]) for alert in closed if (event := alert.episode.closed_event) in stock_after
    ]


def _is_quiet(target: Target, resources: Mapping[str, str]) -> bool:
    queues = flow.queues(target, resources)
    return not any(depth["waiting"] or depth["in_flight"] for depth in queues.values())


def _wait(share: Callable[[], float], target: Target, within: float, progress: Callable[[float], None]) -> None:
    deadline = time.monotonic() + within
    while (done := share()) < 1 and time.monotonic() < deadline:
        progress(done)
        time.sleep(0.2 if target.endpoint else 5)
