"""Go back to the start of a lesson: remove everything, then run what the lessons before it leave behind."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from workshop.errors import WorkshopError
from workshop.lessons.reading import Lesson, place
from workshop.lessons.running import Shell
from workshop.local_aws.isolation import isolated
from workshop.places import ROOT
from workshop.steps import Steps

REMOVE = "python3 -m workshop down --destroy"


class StepFailed(WorkshopError):
    """A command that brings a state about did not end as its lesson says."""


def reset(lessons: Sequence[Lesson], number: int, steps: Steps) -> None:
    """Bring the embedded AWS to where lesson `number` begins.

    Raises:
        WorkshopError: there is no such lesson.
        StepFailed: a command did not end with the exit code that its lesson names.
    """
    if number not in (known := [lesson.number for lesson in lessons]):
        raise WorkshopError(f"There is no lesson {number}.", f"Choose one of: {', '.join(map(str, known))}.")
    environment = surroundings(os.environ)
    with steps.step("down", "remove everything"), Shell(ROOT, environment) as shell:
        _, code = shell.run(REMOVE)
        if code:
            raise StepFailed("Something was left.", f"`{REMOVE}` says what, and how to remove it.")
    for lesson in lessons:
        state = [command for command in lesson.commands() if command.is_state]
        if lesson.number >= number or not state:
            continue
        with steps.step(f"lesson {lesson.number}", lesson.title) as progress, Shell(ROOT, environment) as shell:
            for done, command in enumerate(state):
                progress(done / len(state))
                output, code = shell.run(command.script)
                if code != command.exit_code:
                    said = next((line.strip() for line in reversed(output) if line.strip()), "it said nothing")
                    raise StepFailed(
                        f"{place(command.file, command.line)} ended with {code}: {said}",
                        "Run the lesson's commands by hand to see more.",
                    )


def surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a lesson's shell: it leads to no AWS account, and `python3` is this Python."""
    programs = str(Path(sys.executable).parent)
    return {**isolated(environment), "PATH": os.pathsep.join([programs, environment.get("PATH", os.defpath)])}
