"""What cannot be done is refused with a sentence and the next step, as text and as JSON."""

import pytest

from tests.e2e.conftest import Workshop


@pytest.mark.parametrize(
    ("words", "code", "kind", "says"),
    [
        (["query", "no_such_query"], 1, "WorkshopError", "no_such_query"),
        (["query", "--sql", "SELECT x FROM stock_events"], 1, "WorkshopError", "COLUMN_NOT_FOUND"),
        (["query", "--sql", "SELEC"], 1, "WorkshopError", "mismatched input 'SELEC'"),
        (["query", "low_stock", "--sql", "SELECT 1"], 1, "WorkshopError", "--sql"),
        (["generate", "--hours", "0"], 2, "Usage", "--hours"),
        (["generate", "--stores", "many"], 2, "Usage", "--stores"),
        (["fly"], 2, "Usage", "fly"),
    ],
)
def test_a_refusal_names_what_was_wrong(workshop: Workshop, words: list[str], code: int, kind: str, says: str) -> None:
    error = workshop.json(*words, expect=code)["error"]
    assert error["type"] == kind
    assert says in error["message"]
    assert error["next_step"]
    process = workshop.start(*words)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert says in err
    assert "Traceback" not in err


def test_a_command_before_up_says_so(fresh: Workshop) -> None:
    error = fresh.json("generate", expect=1)["error"]
    assert "up" in error["next_step"]
    assert fresh.json("status")["running"] is False
    assert "Nothing was running" in fresh.run("down")
