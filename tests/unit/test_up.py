"""What `up` still has to do is read from the stores' books."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.unit.cloudformation import CloudFormation, Stack
from workshop import cdk, flow, trade, up
from workshop.errors import WorkshopError
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


def test_stacks_that_are_left_out_are_gone_before_the_others_are_deployed_its_users_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = {"Kept": {"type": "aws:cloudformation:stack"}, "Kept.assets": {"type": "cdk:asset-manifest"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": kept}))
    log: list[str] = []
    cloudformation = CloudFormation(
        Stack(name="Kept"),
        Stack(name="Its user", imports=("value",)),
        Stack(name="Used", exports=("value",)),
        Stack(name="Another's", tags=[]),
    )
    monkeypatch.setattr(
        cdk, "run", lambda words, **_: log.append(f"cdk {words[0]} beside {', '.join(cloudformation.stacks)}")
    )
    target = Target(
        name="local", region="us-east-1", endpoint="http://127.0.0.1", _clients={"cloudformation": cloudformation}
    )
    up._deploy(Steps(Console(file=io.StringIO())), target, tmp_path, environment={}, log=tmp_path / "log")
    assert cloudformation.log == ["STANDARD Its user", "STANDARD Used"]
    assert log == ["cdk deploy beside Kept, Another's"]


def test_a_stack_that_is_left_out_and_will_not_go_stops_the_deployment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {}}))
    deployed: list[object] = []
    monkeypatch.setattr(cdk, "run", lambda words, **_: deployed.append(words))
    cloudformation = CloudFormation(Stack(name="Protected", is_protected=True))
    target = Target(name="local", region="us-east-1", _clients={"cloudformation": cloudformation})
    with pytest.raises(WorkshopError, match="did not delete Protected"):
        up._deploy(Steps(Console(file=io.StringIO())), target, tmp_path, environment={}, log=tmp_path / "log")
    assert deployed == []
