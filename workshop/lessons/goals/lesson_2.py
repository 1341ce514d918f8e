"""Lesson 2: StoreApp was called by hand, and what failed was sent after all."""

from lambdas.adapters.shelves import ShelvesTable
from lambdas.core.ledger import Ledger
from workshop.lessons.goals import Deployment, Finding, Goal

_ELEVENTH, _TWELFTH = "S00011", "S00012"


def _books(deployed: Deployment, store_id: str) -> Ledger:
    table = ShelvesTable(deployed.target.client("dynamodb"), deployed.resources["shelves_table"])
    return table.read(store_id)


def _eleventh(deployed: Deployment) -> Finding:
    sent = _books(deployed, _ELEVENTH).events_sent
    return Finding(sent > 0, f"{_ELEVENTH} has sent {sent:,} events")


def _twelfth(deployed: Deployment) -> Finding:
    books = _books(deployed, _TWELFTH)
    if books.plan:
        return Finding(reached=False, found=f"{_TWELFTH} has a plan that was not finished")
    found = f"{_TWELFTH} has sent {books.events_sent:,} events and stands at tick {books.next_tick}"
    return Finding(books.events_sent > 0, found)


GOALS = (
    Goal(
        "An eleventh store has traded, because you called StoreApp.",
        'Invoke StoreApp with the payload {"first_store": 11, "stores": 1, "hours": 24}, as under "Do it".',
        _eleventh,
    ),
    Goal(
        "The twelfth store's failed day was sent after all.",
        'Give StoreApp its settings back and invoke it with {"first_store": 12, "stores": 1, "hours": 24}.',
        _twelfth,
    ),
)
