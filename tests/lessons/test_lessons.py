"""Every lesson, in order, in one fresh workshop: what it shows is what comes, and its goals are reached by it alone."""

import pytest

from tests.lessons.comparing import difference
from tests.lessons.conftest import Learner
from workshop.lessons.reading import Lesson, lessons


@pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.file.stem)
def test_a_lesson_does_what_it_says(lesson: Lesson, learner: Learner) -> None:
    before = learner.check(lesson.number)
    assert not any(goal["reached"] for goal in before["goals"]), before
    with learner.shell() as shell:
        for command in lesson.commands():
            if wrong := difference(command, *shell.run(command.script)):
                pytest.fail(wrong, pytrace=False)
    after = learner.check(lesson.number)
    assert after["reached"], after
