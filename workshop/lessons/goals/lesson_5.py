"""Lesson 5: the event that called a truck has come again, and called no second one."""

from lambdas.core.episodes import alert_id
from workshop.ask import ask
from workshop.lessons.goals import Deployment, Finding, Goal

_STORE, _PRODUCT, _EVENT = "S00001", "P0005", "S00001-P0005-78"
_TOLD = f"SELECT count(*) FROM stock_events WHERE event_id = '{_EVENT}'"  # noqa: S608 - a constant


def _told_again(deployed: Deployment) -> Finding:
    [[told]] = ask(deployed.target, deployed.resources, _TOLD).rows
    if told <= 1:
        return Finding(reached=False, found=f"{_EVENT} is {told} times in stock_events")
    if "delivery_workflow" not in deployed.resources:
        return Finding(reached=False, found="no trucks are deployed here")
    called = len(_runs(deployed))
    return Finding(called == 1, f"{_EVENT} is {told} times in stock_events, and called {called} truck")


def _runs(deployed: Deployment) -> list[str]:
    pages = (
        deployed.target.client("stepfunctions")
        .get_paginator("list_executions")
        .paginate(stateMachineArn=deployed.resources["delivery_workflow"])
    )
    return [run["name"] for page in pages for run in page["executions"] if _is_of_the_episode(run["name"])]


def _is_of_the_episode(name: str) -> bool:
    """Say whether a run is the first of the shelf's first episode, or one that took it over."""
    first = alert_id(_STORE, _PRODUCT, 1)
    return name == first or name.startswith(f"{first}-")


GOALS = (
    Goal(
        "An event that called a truck has come again, and called no second one.",
        f"Send {_EVENT} with put-record, as the lesson shows, and wait until it is in the lake.",
        _told_again,
    ),
)
