"""Lesson 3: an event put by hand came through Firehose, and its second delivery did no harm."""

from workshop.ask import ask
from workshop.lessons.goals import Deployment, Finding, Goal

_STORE = "LEARNER"


def _events(deployed: Deployment, statement: str) -> int:
    [[count]] = ask(deployed.target, deployed.resources, statement, texts=[_STORE]).rows
    return int(count)


def _unique(deployed: Deployment) -> int:
    return _events(deployed, "SELECT count(*) FROM unique_events WHERE store_id = ?")


def _arrived(deployed: Deployment) -> Finding:
    unique = _unique(deployed)
    return Finding(unique > 0, f"unique_events has {unique:,} of store {_STORE}")


def _twice(deployed: Deployment) -> Finding:
    delivered = _events(deployed, "SELECT count(*) FROM stock_events WHERE store_id = ?")
    unique = _unique(deployed)
    return Finding(delivered > unique > 0, f"stock_events has {delivered:,} of them, unique_events {unique:,}")


GOALS = (
    Goal(
        "An event that you put into the stream is in the lake.",
        f'Put an event of the store {_STORE} into the stream, as under "Do it", and wait until it is delivered.',
        _arrived,
    ),
    Goal(
        "It was delivered twice and counts once.",
        'Put the same event again, as under "Break it and repair it", and wait until it is delivered.',
        _twice,
    ),
)
