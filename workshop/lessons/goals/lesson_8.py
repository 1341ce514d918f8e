"""Lesson 8: nothing is left."""

from workshop.lessons.goals import Deployment, Finding, Goal


def _still_there(deployed: Deployment) -> Finding:
    return Finding(reached=False, found=f"{len(deployed.target.stacks())} stacks are deployed")


def _gone() -> Finding:
    return Finding(reached=True, found="no stack of the workshop is there, or nothing runs")


GOALS = (
    Goal(
        "Everything is removed.",
        "Run `python3 -m workshop down --destroy`, with --aws for an account.",
        _still_there,
        without=_gone,
    ),
)
