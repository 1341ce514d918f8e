"""What `up` still has to do is read from the stores' books."""

import io
from typing import Any

import pytest
from rich.console import Console

from workshop import flow, trade, up
from workshop.steps import Steps
from workshop.target import Target


@pytest.mark.parametrize(
    ("books", "trades"),
    [
        ([], True),
        ([0] * up.STORES, True),
        ([1_000] * (up.STORES - 1) + [0], True),
        ([1_000] * up.STORES, False),
        ([1_000] * (up.STORES + 5), False),
    ],
)
def test_the_first_day_is_traded_until_every_store_has_sent_one(
    monkeypatch: pytest.MonkeyPatch, books: list[int], trades: bool
) -> None:
    traded: list[dict[str, Any]] = []
    monkeypatch.setattr(Target, "resources", lambda _: {})
    monkeypatch.setattr(flow, "books", lambda *_: books)
    monkeypatch.setattr(flow, "wait_until_queryable", lambda *_, **__: flow.NOTHING)
    monkeypatch.setattr(trade, "generate", lambda *_, **asked: traded.append(asked))
    up.first_day(Steps(Console(file=io.StringIO())), Target(name="local", region="us-east-1"))
    assert bool(traded) is trades
