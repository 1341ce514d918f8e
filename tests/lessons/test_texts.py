"""What the lessons show without running it, and their form."""

import re

import pytest

from tests.lessons.comparing import not_in_the_file, unknown_command
from workshop.lessons.reading import Lesson, commands, lessons, place
from workshop.places import ROOT

SECTIONS = (
    "What you will see", "Do it", "Predict", "Look", "Why", "Break it and repair it", "Check", "Go further", "On AWS"
)  # fmt: skip
EACH_LESSON = pytest.mark.parametrize("lesson", lessons(), ids=lambda lesson: lesson.file.stem)


@EACH_LESSON
def test_what_a_lesson_quotes_is_in_the_file(lesson: Lesson) -> None:
    quotes = [block for block in lesson.blocks if block.words[:1] != ("console",) and len(block.words) > 1]
    assert [wrong for block in quotes if (wrong := not_in_the_file(block, ROOT))] == []


@EACH_LESSON
def test_what_a_lesson_shows_of_aws_are_commands_with_options_that_exist(lesson: Lesson) -> None:
    shown = [command for block in lesson.blocks if "aws" in block.words for command in commands(block)]
    wrong = [(place(each.file, each.line), why) for each in shown if (why := unknown_command(each.script))]
    assert wrong == []
    assert shown, "a lesson says how it is done on AWS"


@EACH_LESSON
def test_a_lesson_has_its_sections_in_order(lesson: Lesson) -> None:
    text = lesson.file.read_text(encoding="utf-8")
    assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == SECTIONS
    assert text.count("<details>") == text.count("</details>") >= 1


def test_lessons_are_numbered_without_a_gap() -> None:
    assert [lesson.number for lesson in lessons()] == list(range(1, len(lessons()) + 1))
