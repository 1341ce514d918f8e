"""Lesson 1: the pipeline runs, a day went through it, and its loop has closed."""

from workshop import closing, flow
from workshop.lessons.goals import Deployment, Finding, Goal
from workshop.up import STORES

_UP = "Run `python3 -m workshop up`; what is done already is not done again."


def _traded(deployed: Deployment) -> Finding:
    stores = sum(sent > 0 for sent in flow.books(deployed.target, deployed.resources))
    return Finding(stores >= STORES, f"{stores} stores have sent events, by the shelves table")


def _queryable(deployed: Deployment) -> Finding:
    counts = flow.count(deployed.target, deployed.resources)
    found = f"{counts['unique']:,} of {counts['sent']:,} events, by Athena and the stores' books"
    return Finding(0 < counts["sent"] <= counts["unique"], found)


def _refilled(deployed: Deployment) -> Finding:
    filled = closing.refilled(deployed.target, deployed.resources, limit=1)
    if not filled:
        return Finding(reached=False, found="no alert is closed that a truck came for")
    episode = filled[0].alert.episode
    return Finding(reached=True, found=f"{episode.store_id} {episode.product_id}: {filled[0].stock_after} units again")


GOALS = (
    Goal("Ten stores have traded their first day.", _UP, _traded),
    Goal("Every event that was sent can be asked for.", _UP, _queryable),
    Goal("A shelf ran low, a truck came, and the shelf is full.", _UP, _refilled),
)
