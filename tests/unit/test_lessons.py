"""The machinery of the lessons: how they are read, run, compared and judged."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lessons.comparing import difference, lines_match, not_in_the_file, unknown_command
from workshop.errors import WorkshopError
from workshop.lessons import goals
from workshop.lessons.goals import Finding, Goal, judge
from workshop.lessons.reading import BadLesson, Block, Command, Lesson, commands, read
from workshop.lessons.running import NeverEnding, Shell, ShellEnded
from workshop.lessons.variables import variables

FILE = Path("07-of-a-lesson.md")


def console(text: str, *words: str) -> Block:
    return Block(FILE, 10, ("console", *words), tuple(text.splitlines()))


def command(expected: str, exit_code: int = 0) -> Command:
    return Command(FILE, 12, "say hello", tuple(expected.splitlines()), exit_code, is_state=False)


def lesson(folder: Path, text: str) -> Lesson:
    file = folder / "03-of-a-lesson.md"
    file.write_text(text, encoding="utf-8")
    return read(file)


def test_a_lesson_is_its_title_and_its_blocks_each_with_its_line(tmp_path: Path) -> None:
    found = lesson(tmp_path, "# 3 · Firehose\n\n```console state\n$ ls\na\n```\n\n```text\n$ no command\n```\n")
    assert (found.number, found.title) == (3, "Firehose")
    assert [(block.words, block.line) for block in found.blocks] == [(("console", "state"), 4), (("text",), 9)]
    [only] = found.commands()
    assert (only.script, only.expected, only.line, only.is_state) == ("ls", ("a",), 4, True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Firehose\n", 1),
        ("# 4 · Another number than the file's\n", 1),
        ("# 3 · Firehose\n\n```console\n$ ls\n", 3),
        ("# 3 · Firehose\n\n```console\noutput\n```\n", 4),
        ("# 3 · Firehose\n\n```console\n$ ls\n...\n ... \n```\n", 4),
        ("# 3 · Firehose\n\n```console\n$ cat <<END\nno end\n```\n", 4),
        ("# 3 · Firehose\n\n```console stat\n$ ls\n```\n", 3),
    ],
)
def test_a_lesson_that_is_written_wrongly_is_refused_with_its_file_and_line(
    tmp_path: Path, text: str, line: int
) -> None:
    with pytest.raises(BadLesson, match=rf"03-of-a-lesson\.md:{line}: "):
        lesson(tmp_path, text).commands()


def test_a_command_goes_on_after_a_backslash_and_through_its_here_document() -> None:
    found = commands(
        console("$ aws lambda \\\n  invoke\nout\n\n$ cat <<'END' | sort\nb\n$ a\nEND\n$ a\nb\n$ cat <<<word")
    )
    assert [(each.line, each.script, each.expected) for each in found] == [
        (10, "aws lambda \\\n  invoke", ("out",)),
        (14, "cat <<'END' | sort\nb\n$ a\nEND", ()),
        (18, "a", ("b",)),
        (20, "cat <<<word", ()),
    ]


def test_a_block_says_which_exit_code_its_commands_have() -> None:
    assert commands(console("$ false", "exits=1"))[0].exit_code == 1


def test_a_wrong_output_fails_with_the_place_the_command_and_a_diff() -> None:
    wrong = difference(command("one\n...\nthree of ... kinds\nfour"), ["one", "two", "three of 3 kinds", "five"], 0)
    assert wrong is not None
    place, what, *diff = wrong.splitlines()
    assert place == "07-of-a-lesson.md:12: $ say hello"
    assert "what the lesson says" in what
    assert "-four" in diff
    assert "+five" in diff
    assert " three of 3 kinds" in diff, "what matches is no difference"


def test_another_exit_code_fails_though_the_output_is_right() -> None:
    assert difference(command("a", exit_code=1), ["a"], 1) is None
    assert "ended with 0, and the lesson says 1" in (difference(command("a", exit_code=1), ["a"], 0) or "")


def test_blanks_at_the_end_of_lines_and_of_the_output_are_no_difference() -> None:
    assert difference(command("a\n\nb"), ["a  ", "", "b", "", ""], 0) is None


lines = st.lists(st.sampled_from(["", "a", "b", "ab", "aab"]), max_size=6)


@given(lines, st.sets(st.integers(0, 6)), st.data())
def test_lines_match_whatever_wildcards_stand_for(actual: list[str], places: set[int], data: st.DataObject) -> None:
    expected = list(actual)
    for place in sorted(places, reverse=True):
        taken = data.draw(st.integers(0, 3))
        expected[place : place + taken] = ["..."]
    assert lines_match(expected, actual)


@given(lines, lines)
def test_without_wildcards_only_the_same_lines_match(expected: list[str], actual: list[str]) -> None:
    assert lines_match(expected, actual) == (expected == actual)


@given(lines, lines, lines)
def test_a_wildcard_between_lines_takes_any_lines_and_nothing_else(
    begin: list[str], end: list[str], actual: list[str]
) -> None:
    fits = len(actual) >= len(begin) + len(end) and (actual[: len(begin)], actual[len(actual) - len(end) :]) == (
        begin,
        end,
    )
    assert lines_match([*begin, "...", *end], actual) == fits


def test_a_wildcard_inside_a_line_stays_inside_it() -> None:
    assert lines_match(["a ... d"], ["a b c d"])
    assert not lines_match(["a ... d"], ["a b c"])
    assert not lines_match(["a ... d"], ["a b", "c d"])
    assert not lines_match(["a.c ..."], ["abc d"]), "a point is a point"


def quoted(path: str, text: str) -> Block:
    return Block(FILE, 10, ("python", path), tuple(text.splitlines()))


def test_a_quoted_text_has_to_be_in_its_file_in_one_piece_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def f():\n    x = 1\n\n    y = 2\n    return x + y\n", encoding="utf-8")
    assert not_in_the_file(quoted("a.py", "    x = 1\n\n    y = 2"), tmp_path) is None
    assert not_in_the_file(quoted("a.py", "def f():\n    # ...\n    return x + y"), tmp_path) is None
    for wrong in (
        quoted("a.py", "    x = 1\n    y = 2"),
        quoted("a.py", "    return x + y\n# ...\ndef f():"),
        quoted("a.py", "    x = 3"),
        quoted("a.py", "# ..."),
        quoted("b.py", "def f():"),
    ):
        assert (not_in_the_file(wrong, tmp_path) or "").startswith("07-of-a-lesson.md:10: ")


def test_a_command_that_is_shown_has_to_exist_with_its_options() -> None:
    assert unknown_command("python3 -m workshop query --aws low_stock  # a comment") is None
    assert unknown_command("aws s3 ls") is None
    assert unknown_command("python3 -m workshop up --cloud")
    assert unknown_command("python3 -m workshop fly --aws")
    assert unknown_command("python3 -m workshop generate --hours many")


def test_a_shell_keeps_its_variables_and_its_folder_from_command_to_command(tmp_path: Path) -> None:
    with Shell(tmp_path, {"PATH": os.environ["PATH"], "GIVEN": "yes"}) as shell:
        assert shell.run("mkdir inner && cd inner; eval 'set_here=1'") == ([], 0)
        assert shell.run('echo "$GIVEN $set_here ${PWD##*/}"; echo wrong >&2; false') == (["yes 1 inner", "wrong"], 1)
        assert shell.run("read answer")[1] == 1, "nothing can be read, so nothing waits for an answer"
        assert shell.run("( exit 3 )") == ([], 3)
        assert shell.run("if")[1] != 0, "what is no command harms no command after it"
        assert shell.run("echo still here") == (["still here"], 0)


def test_a_command_that_leaves_the_shell_is_named(tmp_path: Path) -> None:
    with Shell(tmp_path, {"PATH": os.environ["PATH"]}) as shell, pytest.raises(ShellEnded, match="exit 3"):
        shell.run("exit 3")


def test_a_command_that_waits_for_ever_is_named_and_ended(tmp_path: Path) -> None:
    with (
        Shell(tmp_path, {"PATH": os.environ["PATH"]}, within=0.2) as shell,
        pytest.raises(NeverEnding, match="until false"),
    ):
        shell.run("until false; do :; done")


def test_variables_survive_evaluation_whatever_is_in_them(tmp_path: Path) -> None:
    strange = "a 'b' \"c\" $(touch here) `d`"
    script = variables({"AWS_PROFILE": "mine", "HOME": "/"}, "http://127.0.0.1:1", {"store_app": strange}).as_script()
    with Shell(tmp_path, {"PATH": os.environ["PATH"], "AWS_PROFILE": "mine"}) as shell:
        assert shell.run(script) == ([], 0)
        assert shell.run('echo "$STORE_APP"')[0] == [strange]
        inherited = shell.run("env")[0]
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:1" in inherited
    assert not any(line.startswith("AWS_PROFILE=") for line in inherited), "a profile would lead elsewhere"
    assert not (tmp_path / "here").exists()


def test_on_aws_the_variables_are_the_resources_alone() -> None:
    script = variables({"AWS_PROFILE": "mine"}, None, {"store_app": "name"}).as_script()
    assert script == "STORE_APP=name\n"


def test_where_nothing_is_deployed_goals_are_judged_without_looking() -> None:
    def look(_: goals.Deployment) -> Finding:
        pytest.fail("there is nothing to look at")

    gone = Goal("Nothing is left.", "Remove it.", look, without=lambda _: Finding(reached=True, found="nothing"))
    judged = judge([Goal("A goal.", "Do it.", look), gone], None, up="Run up.")
    assert [(each.finding.reached, each.next_step) for each in judged] == [(False, "Run up."), (True, "Remove it.")]
    assert goals.as_document(1, judged)["reached"] is False


def test_what_is_stopped_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path))
    (tmp_path / "local" / "state").mkdir(parents=True)
    [stopped] = judge(goals.goals_of(8), None, up="Run up.")
    assert (stopped.finding.reached, "down --destroy" in stopped.next_step) == (False, True)
    (tmp_path / "local" / "state").rmdir()
    [removed] = judge(goals.goals_of(8), None, up="Run up.")
    assert removed.finding.reached


def test_a_lesson_that_does_not_exist_is_refused() -> None:
    with pytest.raises(WorkshopError, match="There is no lesson 99"):
        goals.goals_of(99)
