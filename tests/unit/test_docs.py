"""The pages hold together: links lead somewhere, files and commands named in them exist, words are spelled.

Read are the Markdown files and the texts of the notebooks; nothing is asked over the network, so of links to the web
only the pages' own part is checked.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.main import get_command

from workshop.cli import app
from workshop.places import ROOT
from workshop.start import COMMANDS

PAGES = sorted(
    file
    for pattern in ("*.md", "docs/**/*.md", "notebooks/*.ipynb", "workshop/**/*.md")
    for file in ROOT.glob(pattern)
    if ".ipynb_checkpoints" not in file.parts
)

NOT_MISSPELLED: Mapping[str, str] = {}
"""What codespell takes for a slip and is none, with the reason."""

_FENCE = re.compile(r"^ *(`{3,}|~{3,}).*?^ *\1`*~* *$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(
    r"\]\(<?([^()\s<>]+)>?(?:\s+\"[^\"]*\")?\)|(?:src|href|srcset)=\"([^\"]+)\"|^ {0,3}\[[^\]]+\]:\s*(\S+)", re.M
)
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)
_ANCHOR = re.compile(r"<\w+[^>]*\b(?:id|name)=\"([^\"]+)\"")
_COMMAND = re.compile(r"^(?:\$ )?(?:python3 -m workshop|…) (.+)$", re.DOTALL)
_PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]+)*/?")


@cache
def text_of(page: Path) -> str:
    """Return a page's Markdown: of a notebook its texts, cell by cell."""
    text = page.read_text("utf-8")
    if page.suffix != ".ipynb":
        return text
    return "\n\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")


def anchors(text: str) -> set[str]:
    """Return what a link may name after `#`.

    Source: "Basic writing and formatting syntax", Section links (GitHub Docs): lower case, punctuation removed, spaces
    become hyphens, and the second of the same name gets -1.
    """
    found = set(_ANCHOR.findall(text))
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        words = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", unescape(re.sub(r"<[^>]+>", "", heading)))
        name = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        again = (f"{name}-{number}" for number in range(1, 1_000))
        found.add(name if name not in found else next(each for each in again if each not in found))
    return found


def broken_links(page: Path, text: str) -> Iterator[str]:
    """Yield every link that leads to no file of the project, or to no heading of one."""
    for groups in _LINK.findall(_SPAN.sub("", _FENCE.sub("", text))):
        link = next(filter(None, groups))
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        if path and not (target.exists() and target.is_relative_to(ROOT)):
            yield f"{link}: there is no such file"
        elif anchor and anchor not in anchors(text if target == page else text_of(target)):
            yield f"{link}: there is no such heading"


def spans(text: str) -> Iterator[str]:
    """Yield what stands between backticks."""
    for _, span in _SPAN.findall(_FENCE.sub("", text)):
        yield " ".join(span.split())


def written_commands(text: str) -> Iterator[str]:
    """Yield every command of the workshop: between backticks, and on the lines of blocks."""
    blocks = (block[0].replace("\\\n", " ") for block in _FENCE.finditer(text))
    for line in (*spans(text), *(line.strip() for block in blocks for line in block.splitlines())):
        if command := _COMMAND.match(line):
            yield command[1]


def unknown_commands(text: str) -> Iterator[str]:
    """Yield every command that the workshop does not have, or that does not have such an option."""
    cli = get_command(app)
    for command in written_commands(text):
        name = command.split()[0]
        if name in ("COMMAND", "--help", "--version"):
            continue
        known = getattr(cli, "commands", {}).get(name)
        if known is None or name not in COMMANDS:
            yield f"{command}: there is no such command"
            continue
        options = {option for each in known.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}
        if not known.context_settings.get("ignore_unknown_options"):
            # What is quoted is the user's own, and what follows the command in its line is another's.
            own = re.split(r"  |[|;&>)]", re.sub(r"'[^']*'?|\"[^\"]*\"?", "…", command))[0]
            given = re.findall(r"(?<![\w-])--[a-z][a-z-]*", own)
            yield from (f"{command}: {option} is no option" for option in given if option not in options)


def missing_files(text: str) -> Iterator[str]:
    """Yield every path between backticks that begins like one of the project's and is none."""
    folders = {each.name for each in ROOT.iterdir() if each.is_dir()} - {".venv", ".workshop"}
    for span in spans(text):
        first = span.partition("/")[0]
        looks_like_one = "/" in span and first in folders and _PATH.fullmatch(span)
        if looks_like_one and not any(ROOT.glob(span.rstrip("/").replace("NAME", "*"))):
            yield span


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_links_lead_somewhere(page: Path) -> None:
    assert list(broken_links(page, text_of(page))) == []


def test_commands_exist(page: Path) -> None:
    assert list(unknown_commands(text_of(page))) == []


def test_files_exist(page: Path) -> None:
    assert list(missing_files(text_of(page))) == []


def misspelled(text: str) -> list[str]:
    """Return what codespell finds in a text."""
    program = str(Path(sys.executable).parent / "codespell")
    ignored = ["--ignore-words-list", ",".join(NOT_MISSPELLED)] if NOT_MISSPELLED else []
    command = [program, "--config", "/dev/null", "--toml", "/dev/null", *ignored, "-"]
    found = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return [line.strip() for line in found.stdout.splitlines() if "==>" in line]


def test_words_are_spelled() -> None:
    """All pages at once, because the list of words takes longer to read than they."""
    pictures = [file.read_text("utf-8") for file in sorted((ROOT / "docs" / "diagrams").glob("*.toml"))]
    assert misspelled("\n".join([*map(text_of, PAGES), *pictures])) == []


def test_every_exception_is_needed() -> None:
    text = "\n".join(map(text_of, PAGES)).lower()
    assert [word for word in NOT_MISSPELLED if word not in text] == []


def test_readme_lists_the_lessons_in_order() -> None:
    lessons = [str(file.relative_to(ROOT)) for file in sorted((ROOT / "docs" / "lessons").glob("[0-9]*.md"))]
    linked = re.findall(r"\]\((docs/lessons/[0-9][^)]*)\)", text_of(ROOT / "README.md"))
    assert lessons
    assert [link for link in linked if link in lessons] == lessons


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](nowhere.md)", "nowhere.md: there is no such file"),
        ("[a](README.md#nowhere)", "README.md#nowhere: there is no such heading"),
        ("# One\n[a](#two)", "#two: there is no such heading"),
        ("[a][b]\n\n[b]: nowhere.md", "nowhere.md: there is no such file"),
        ('<img src="docs/nowhere.svg">', "docs/nowhere.svg: there is no such file"),
        ("[a](../../../../../etc/passwd)", "../../../../../etc/passwd: there is no such file"),
    ],
)
def test_a_broken_link_is_found(text: str, found: str) -> None:
    assert list(broken_links(ROOT / "page.md", text)) == [found]


@pytest.mark.parametrize(
    "text",
    [
        "# On AWS · and `back`\n[a](#on-aws--and-back)",
        "## Why\n## Why\n[a](#why-1)",
        "`[a](nowhere.md)`",
        "```\n[a](nowhere.md)\n```",
        "[a](https://example.com/nowhere.md#x)",
        "[a](docs/alerts.md#settings)",
    ],
)
def test_a_good_link_is_not(text: str) -> None:
    assert list(broken_links(ROOT / "page.md", text)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("`python3 -m workshop fly`", ["fly: there is no such command"]),
        ("`… fly`", ["fly: there is no such command"]),
        ("```\n$ python3 -m workshop status --colour\n```", ["status --colour: --colour is no option"]),
        ('`python3 -m workshop query --sql "…"`, `… down --destroy`, `python3 -m workshop test -k x --lf`', []),
    ],
)
def test_an_unknown_command_is_found(text: str, found: list[str]) -> None:
    assert list(unknown_commands(text)) == found


def test_a_missing_file_is_found() -> None:
    assert list(missing_files("`docs/nowhere.md`, `docs/alerts.md`, `glue/queries/*.sql`, `errors/x`")) == [
        "docs/nowhere.md"
    ]


def test_a_slip_is_found() -> None:
    assert misspelled("They recieve it.") == ["1: They recieve it.", "recieve ==> receive"][1:]
