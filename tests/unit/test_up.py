"""What `up` still has to do is read from the stores' books."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from workshop import cdk, flow, trade, up
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


class CloudFormation:
    """Holds stacks of this project and of others; `log` is shared with whoever else is watched."""

    def __init__(self, log: list[str], stacks: dict[str, str]) -> None:
        self._log = log
        self._stacks = stacks

    def get_paginator(self, _: str) -> "CloudFormation":
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [
            {
                "Stacks": [
                    {
                        "StackName": name,
                        "CreationTime": datetime(2026, 1, 1, hour=len(name), tzinfo=UTC),
                        "Tags": [{"Key": "project", "Value": project}],
                    }
                    for name, project in self._stacks.items()
                ]
            }
        ]

    def delete_stack(self, *, StackName: str) -> None:  # noqa: N803
        self._log.append(f"delete {StackName}")

    def get_waiter(self, _: str) -> "CloudFormation":
        return self

    def wait(self, *, StackName: str) -> None:  # noqa: N803
        self._log.append(f"{StackName} is gone")


def test_stacks_that_are_left_out_are_gone_before_the_others_are_deployed_the_last_made_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = {"Kept": {"type": "aws:cloudformation:stack"}, "Kept.assets": {"type": "cdk:asset-manifest"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": kept}))
    log: list[str] = []
    monkeypatch.setattr(cdk, "run", lambda words, **_: log.append(f"cdk {words[0]}"))
    ours = "inventory-workshop"
    stacks = CloudFormation(log, {"Kept": ours, "Used": ours, "Its user": ours, "Another's": "another"})
    target = Target(name="local", region="us-east-1", _clients={"cloudformation": stacks})
    up._deploy(Steps(Console(file=io.StringIO())), target, tmp_path, environment={}, log=tmp_path / "log")
    assert log == ["delete Its user", "Its user is gone", "delete Used", "Used is gone", "cdk deploy"]
