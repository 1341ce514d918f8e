"""`reset N` brings about what lesson N begins with, exactly."""

import pytest

from tests.lessons.comparing import difference
from tests.lessons.conftest import Learner
from workshop.lessons.reading import lessons


def test_after_a_reset_a_lesson_does_what_it_says_again(learner: Learner) -> None:
    [lesson] = [each for each in lessons() if each.number == 4]
    with learner.shell() as shell:
        output, code = shell.run("python3 -m workshop reset 4 --yes")
        assert (output[-1:], code) == (["Lesson 4 can begin."], 0), output
        assert learner.check(3)["reached"]
        assert not learner.check(4)["reached"]
        for command in lesson.commands():
            if wrong := difference(command, *shell.run(command.script)):
                pytest.fail(wrong, pytrace=False)
    assert learner.check(4)["reached"]


def test_a_reset_asks_first_and_changes_nothing_when_it_is_declined(learner: Learner) -> None:
    learner.home.mkdir(parents=True, exist_ok=True)
    (learner.home / "kept").touch()
    with learner.shell() as shell:
        output, code = shell.run("python3 -m workshop reset 2")
    assert code == 1
    assert "Nothing was changed." in "\n".join(output)
    assert (learner.home / "kept").exists()


def test_a_lesson_that_does_not_exist_removes_nothing(learner: Learner) -> None:
    with learner.shell() as shell:
        output, code = shell.run("python3 -m workshop reset 99 --yes")
    assert code == 1
    assert "There is no lesson 99." in "\n".join(output)
    assert "remove everything" not in "\n".join(output)
