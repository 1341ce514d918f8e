"""Text from outside is shown, never obeyed."""

import io

import pytest
from rich.console import Console

from workshop import ask, screen


def shown(value: object) -> str:
    answer = ask.Answer(columns=["c"], types=["varchar"], rows=[[value]], data_scanned_bytes=0, milliseconds=1)
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    console.print(screen.answer_table(answer))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("control", ["\x1b]0;owned\x07", "\x1b[2J", "\r", "\x9b31m"])
def test_terminal_controls_in_data_do_not_reach_the_terminal(control: str) -> None:
    text = shown(f"before{control}after")
    assert "before" in text
    assert "after" in text
    assert control not in text


def test_markup_in_data_is_shown_as_it_is() -> None:
    assert "[bold]Tea[/]" in shown("[bold]Tea[/]")


def test_the_least_that_a_query_costs_is_ten_megabytes() -> None:
    def price(scanned: int) -> float:
        return ask.Answer(columns=[], types=[], rows=[], data_scanned_bytes=scanned, milliseconds=0).price_usd

    assert price(0) == price(10 * 1024**2) == pytest.approx(5 * 10 / 1024**2)
    assert price(1024**4) == pytest.approx(5.0)
