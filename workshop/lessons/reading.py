"""A lesson as it is written: Markdown whose `console` blocks are commands, each with the output it is to have."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workshop.errors import WorkshopError
from workshop.places import ROOT

LESSONS = ROOT / "docs" / "lessons"
WILDCARD = "..."
"""Alone on a line any lines or none, inside a line any text."""

_FENCE = re.compile(r"(`{3,})(.*)")
_TITLE = re.compile(r"# (\d+) · (\S.*)")
# `<<WORD` opens a here-document, `<<<` does not.
_HERE_DOCUMENT = re.compile(r"(?<!<)<<-?\s*(['\"]?)(\w+)\1")
_EXITS = re.compile(r"exits=(\d+)")


class BadLesson(WorkshopError):
    """A lesson is not written as lessons are; the message names its file and line."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: the words after its fence, and its lines, of which the first has the number `line`."""

    file: Path
    line: int
    words: tuple[str, ...]
    lines: tuple[str, ...]

    def refused(self, reason: str, line: int | None = None) -> BadLesson:
        """Return the error that says what is wrong with this block, and where."""
        return BadLesson(f"{place(self.file, line or self.line)}: {reason}.", "Mend the lesson.")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a lesson: where it stands, what bash is given, and what is to come of it.

    `is_state` says that what it does is there for the lessons that follow.
    """

    file: Path
    line: int
    script: str
    expected: tuple[str, ...]
    exit_code: int
    is_state: bool


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson: its number, its title, and its fenced blocks in their order."""

    number: int
    title: str
    file: Path
    blocks: tuple[Block, ...]

    def commands(self) -> list[Command]:
        """Return the commands that run, which are those of its `console` blocks without `aws`."""
        return [command for block in self.blocks if runs(block) for command in commands(block)]


def place(file: Path, line: int) -> str:
    """Write where something stands, from the repository's root if it is in there."""
    return f"{file.relative_to(ROOT) if file.is_relative_to(ROOT) else file}:{line}"


def lessons(folder: Path = LESSONS) -> list[Lesson]:
    """Return all lessons in their order.

    Raises:
        BadLesson: one of them cannot be read as a lesson.
    """
    return [read(file) for file in sorted(folder.glob("[0-9][0-9]-*.md"))]


def read(file: Path) -> Lesson:
    """Read a lesson; raise `BadLesson` when it has no title with its number, or a block has no end."""
    lines = file.read_text(encoding="utf-8").splitlines()
    title = _TITLE.fullmatch(lines[0]) if lines else None
    if title is None or int(title[1]) != int(file.name[:2]):
        raise BadLesson(f"{place(file, 1)}: the title is not `# {int(file.name[:2])} · …`.", "Mend the lesson.")
    return Lesson(int(title[1]), title[2], file, tuple(_blocks(file, lines)))


def _blocks(file: Path, lines: Sequence[str]) -> Iterator[Block]:
    opened: tuple[str, tuple[str, ...], int] | None = None
    for number, line in enumerate(lines, start=1):
        fence = _FENCE.fullmatch(line.strip())
        if opened is None:
            if fence:
                opened = (fence[1], tuple(fence[2].split()), number)
        elif fence and fence[1] == opened[0] and not fence[2]:
            _, words, begun = opened
            yield Block(file, begun + 1, words, tuple(lines[begun : number - 1]))
            opened = None
    if opened:
        raise BadLesson(f"{place(file, opened[2])}: the block has no end.", "Mend the lesson.")


def runs(block: Block) -> bool:
    """Say whether a block's commands are run: a `console` block that is not for AWS alone."""
    return block.words[:1] == ("console",) and "aws" not in block.words


def commands(block: Block) -> list[Command]:
    """Take a `console` block apart.

    Raises:
        BadLesson: an unknown word after the fence, output before any command, a here-document without end, or
            expectations that anything would meet.
    """
    exit_code, is_state = _how(block)
    found: list[Command] = []
    numbered = list(enumerate(block.lines, start=block.line))
    while numbered:
        number, line = numbered.pop(0)
        if not line.startswith("$ "):
            raise block.refused("output stands before any command", number)
        script = [line.removeprefix("$ ")]
        while script[-1].endswith("\\") and numbered:
            script.append(numbered.pop(0)[1])
        if here := _HERE_DOCUMENT.search("\n".join(script)):
            while script[-1] != here[2]:
                if not numbered:
                    raise block.refused(f"the here-document has no end {here[2]}", number)
                script.append(numbered.pop(0)[1])
        expected = []
        while numbered and not numbered[0][1].startswith("$ "):
            expected.append(numbered.pop(0)[1])
        found.append(
            Command(block.file, number, "\n".join(script), tuple(without_blanks(expected)), exit_code, is_state)
        )
    expectations = [line for command in found for line in command.expected if line]
    if expectations and not any(line.replace(WILDCARD, "").strip() for line in expectations):
        raise block.refused("wildcards alone expect nothing")
    return found


def _how(block: Block) -> tuple[int, bool]:
    exit_code, is_state = 0, False
    for word in block.words[1:]:
        if word == "state":
            is_state = True
        elif exits := _EXITS.fullmatch(word):
            exit_code = int(exits[1])
        elif word != "aws":
            raise block.refused(f"a console block is not known to be {word}", block.line - 1)
    return exit_code, is_state


def without_blanks(lines: Sequence[str]) -> list[str]:
    """Return lines without blanks at their ends and without empty lines at the end."""
    kept = [line.rstrip() for line in lines]
    while kept and not kept[-1]:
        kept.pop()
    return kept
