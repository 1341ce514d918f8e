"""What a lesson says against what there is: output with wildcards, text quoted from files, commands that are shown."""

import difflib
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from typer.exceptions import TyperException

from workshop.cli import app
from workshop.lessons.reading import WILDCARD, Block, Command, place, without_blanks

LEFT_OUT = "# ..."
_TOOL = ("python3", "-m", "workshop")


def difference(command: Command, output: Sequence[str], exit_code: int) -> str | None:
    """Return what is wrong with what came of a command, with its place and a diff, or None."""
    actual = without_blanks(output)
    wrong = []
    if exit_code != command.exit_code:
        wrong.append(f"it ended with {exit_code}, and the lesson says {command.exit_code}")
    if not lines_match(command.expected, actual):
        wrong.append("the output is not the lesson's (- what the lesson says, + what came)")
    if not wrong:
        return None
    diff = difflib.unified_diff(list(_filled_in(command.expected, actual)), actual, lineterm="", n=3)
    return "\n".join([f"{place(command.file, command.line)}: $ {command.script}", "; ".join(wrong), *list(diff)[2:]])


def lines_match(expected: Sequence[str], actual: Sequence[str]) -> bool:
    """Say whether lines are as expected, where a wildcard alone stands for any lines or none."""
    # The pieces between wildcards are looked for from left to right: if they can be found at all, they are found so.
    pieces: list[list[str]] = [[]]
    for line in expected:
        if line.strip() == WILDCARD:
            pieces.append([])
        else:
            pieces[-1].append(line)
    first, *others = pieces
    if not _stands_at(first, actual, 0):
        return False
    if not others:
        return len(actual) == len(first)
    *middle, last = others
    at, until = len(first), len(actual) - len(last)
    for piece in middle:
        while not _stands_at(piece, actual, at):
            at += 1
            if at > until:
                return False
        at += len(piece)
    return at <= until and _stands_at(last, actual, until)


def _stands_at(piece: Sequence[str], actual: Sequence[str], at: int) -> bool:
    there = actual[at : at + len(piece)]
    return len(there) == len(piece) and all(map(line_matches, piece, there))


def line_matches(expected: str, actual: str) -> bool:
    """Say whether a line is as expected, where a wildcard inside it stands for any text."""
    return re.fullmatch(".*".join(map(re.escape, expected.split(WILDCARD))), actual) is not None


def _filled_in(expected: Sequence[str], actual: Sequence[str]) -> Iterator[str]:
    """Replace an expected line by one that it matches, so that a diff shows only what differs."""
    for line in expected:
        is_inside = WILDCARD in line and line.strip() != WILDCARD
        yield next((candidate for candidate in actual if is_inside and line_matches(line, candidate)), line)


def not_in_the_file(block: Block, root: Path) -> str | None:
    """Return what is wrong with a block that quotes a file: its text is not there in one piece, but for `# ...`."""
    file = root / block.words[1]
    if not file.is_file():
        return f"{place(block.file, block.line)}: there is no file {block.words[1]}"
    quoted = [WILDCARD if line.strip() == LEFT_OUT else line for line in without_blanks(block.lines)]
    source = without_blanks(file.read_text(encoding="utf-8").splitlines())
    if not quoted or all(line == WILDCARD for line in quoted):
        return f"{place(block.file, block.line)}: it quotes nothing"
    # A line of the file that holds three dots is quoted as it is.
    pieces = [list(piece) for piece in _pieces(quoted)]
    at = 0
    for piece in pieces:
        while source[at : at + len(piece)] != piece:
            at += 1
            if at > len(source):
                line = next((line for line in piece if line not in source), piece[0])
                return f"{place(block.file, block.line)}: {block.words[1]} has no such text: {line.strip()}"
        at += len(piece)
    return None


def _pieces(quoted: Sequence[str]) -> Iterator[list[str]]:
    piece: list[str] = []
    for line in [*quoted, WILDCARD]:
        if line != WILDCARD:
            piece.append(line)
        elif piece:
            yield piece
            piece = []


def unknown_command(script: str) -> str | None:
    """Return what the tool's command line says against a command that is shown and not run, or None."""
    words = shlex.split(script, comments=True)
    if tuple(words[:3]) != _TOOL:
        return None
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    try:
        with group.make_context("workshop", words[3:]) as context:
            name, command, arguments = group.resolve_command(context, words[3:])
            assert command is not None
            command.make_context(name, arguments, parent=context)
    except TyperException as refused:
        return refused.format_message()
    return None
