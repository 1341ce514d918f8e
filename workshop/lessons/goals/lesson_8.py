"""Lesson 8: nothing is left."""

from workshop import inventory
from workshop.lessons.goals import Deployment, Finding, Goal
from workshop.places import local_home


def _still_there(deployed: Deployment) -> Finding:
    return Finding(reached=False, found=f"{len(deployed.target.stacks())} stacks are deployed")


def _gone(running: Deployment | None) -> Finding:
    if running is None:
        is_kept = local_home().state.exists()
        found = "the embedded AWS is stopped, and keeps what it held" if is_kept else "no embedded AWS is there"
        return Finding(reached=not is_kept, found=found)
    if left := inventory.take(running.target):
        return Finding(
            reached=False, found=f"no stack, but {left[0].service} {left[0].name}, as one of {len(left)} things"
        )
    return Finding(reached=True, found="no stack, and nothing that has its names or its tag")


GOALS = (
    Goal(
        "Everything is removed.",
        "Run `python3 -m workshop down --destroy`, with --aws for an account.",
        _still_there,
        without=_gone,
    ),
)
