"""What is true once a lesson is done, looked up in the deployment through AWS's own APIs, which changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from workshop.errors import WorkshopError
from workshop.places import local_home
from workshop.target import Target, find_target


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a goal looks at: a target that runs, and the physical names there by their plain ones."""

    target: Target
    resources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a goal is reached, and what was seen, as the end of a line."""

    reached: bool
    found: str


def nothing(_: Deployment | None) -> Finding:
    """Find that nothing is deployed."""
    return Finding(reached=False, found="nothing is deployed here, or it does not run")


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be true, how to see whether it is, and what to do when it is not.

    `without` is asked instead of `look` where nothing is deployed; it is given None when nothing runs either.
    """

    goal: str
    next_step: str
    look: Callable[[Deployment], Finding]
    without: Callable[[Deployment | None], Finding] = nothing


@dataclass(frozen=True, slots=True)
class Judged:
    """One goal and what was found of it."""

    goal: str
    finding: Finding
    next_step: str


def numbers() -> list[int]:
    """Return the lessons that have goals: each has a module of this package, `lesson_N`, with its `GOALS`."""
    return sorted(int(module.name.removeprefix("lesson_")) for module in iter_modules(__path__))


def goals_of(lesson: int) -> Sequence[Goal]:
    """Return the goals of a lesson; raise `WorkshopError` when there is no such lesson."""
    if lesson not in numbers():
        raise WorkshopError(f"There is no lesson {lesson}.", f"Choose one from 1 to {max(numbers())}.")
    found: Sequence[Goal] = import_module(f"{__name__}.lesson_{lesson}").GOALS
    return found


def deployment(*, aws: bool) -> Deployment | None:
    """Return what is deployed, or None when the embedded AWS does not run."""
    if not aws and local_home().address() is None:
        return None
    target = find_target(aws=aws)
    return Deployment(target, target.resources() if target.stacks() else {})


def judge(goals: Sequence[Goal], deployed: Deployment | None, *, up: str) -> list[Judged]:
    """Look at each goal; where something would have to be deployed, `up` is what there is to do."""
    if deployed is None or not deployed.resources:
        return [
            Judged(each.goal, each.without(deployed), up if each.without is nothing else each.next_step)
            for each in goals
        ]
    return [Judged(each.goal, each.look(deployed), each.next_step) for each in goals]


def as_document(lesson: int, judged: Sequence[Judged]) -> dict[str, Any]:
    """Return the `check --json` document."""
    return {
        "lesson": lesson,
        "reached": all(each.finding.reached for each in judged),
        "goals": [
            {
                "goal": each.goal,
                "reached": each.finding.reached,
                "found": each.finding.found,
                "next_step": None if each.finding.reached else each.next_step,
            }
            for each in judged
        ],
    }
