"""What the stock alert's ports promise, of the table and of its stand-in alike, and what only the table can do."""

from dataclasses import fields, replace
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.adapters.alerts import AlertsTable
from lambdas.adapters.shelves import dynamodb
from lambdas.core.episodes import Episode
from lambdas.core.versions import Conflict
from lambdas.stock_alert import noticing
from tests.adapters import in_memory
from tests.adapters.conftest import ALERTS

OPEN = Episode(
    store_id="S00001",
    product_id="P0001",
    number=1,
    state="OPEN",
    stock=3,
    threshold=7,
    noticed_at="2026-11-20T12:00:00.000Z",
    version=1,
    ordered=40,
    token="c6af9ac6/0",
    opened_tick=29,
    opened_at="2026-01-05T07:15:00.000Z",
    opened_event="S00001-P0001-29",
    opened_exactly=True,
)
CLOSED = OPEN.changed(
    state="CLOSED",
    token=None,
    closed_tick=33,
    closed_at="2026-01-05T08:15:00.000Z",
    closed_event="S00001-P0001-33",
    closed_exactly=True,
    settled_tick=33,
    received_units=40,
)

TEXTS = st.none() | st.text(min_size=1, max_size=20)
NUMBERS = st.none() | st.integers(0, 10**9)
MOMENTS = st.none() | st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z")
_BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    str(str | None): TEXTS,
    str(int | None): NUMBERS,
    str(int): st.integers(0, 10**9),
    str(bool): st.booleans(),
}
EPISODES = st.builds(
    Episode,
    **{field.name: _BY_TYPE[str(field.type)] for field in fields(Episode) if str(field.type) in _BY_TYPE}
    | {"opened_at": MOMENTS, "closed_at": MOMENTS, "noticed_at": st.text(max_size=20)}
    | {"store_id": st.just("S00001"), "product_id": st.just("P0001"), "state": st.sampled_from(["OPEN", "CLOSED"])}
    | {"number": st.integers(1, 999_999), "version": st.just(1)},
)


@pytest.fixture(params=["in memory", "table"])
def alerts(aws: None, request: pytest.FixtureRequest) -> noticing.Alerts:
    return in_memory.Alerts() if request.param == "in memory" else AlertsTable(dynamodb(), ALERTS)


def test_an_unknown_shelf_has_no_episodes(alerts: noticing.Alerts) -> None:
    alerts.write(replace(OPEN, product_id="P00010"))
    alerts.write(replace(OPEN, store_id="S00002"))
    assert alerts.recent("S00001", "P0001") == []
    assert alerts.one("S00001", "P0001", 1) is None


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(EPISODES)
def test_an_episode_is_read_as_it_was_written(alerts: noticing.Alerts, episode: Episode) -> None:
    before = alerts.one("S00001", "P0001", episode.number)
    episode = replace(episode, version=before.version + 1 if before else 1)
    alerts.write(episode)
    assert alerts.one("S00001", "P0001", episode.number) == episode


def test_the_eight_newest_episodes_of_the_shelf_come_newest_first(alerts: noticing.Alerts) -> None:
    numbers = [*range(1, 12), 99_999, 100_000]
    for number in numbers:
        alerts.write(replace(OPEN, number=number))
        alerts.write(replace(OPEN, number=number, product_id="P00011"))
    assert [episode.number for episode in alerts.recent("S00001", "P0001")] == numbers[:-9:-1]
    assert {episode.product_id for episode in alerts.recent("S00001", "P0001")} == {"P0001"}


@pytest.mark.parametrize("stored", [0, 1, 2, 3])
def test_a_version_follows_only_the_one_before(alerts: noticing.Alerts, stored: int) -> None:
    for version in range(1, stored + 1):
        alerts.write(replace(OPEN, version=version))
    for version in {1, 2, 3, 4, 5} - {stored + 1}:
        with pytest.raises(Conflict, match="A-S00001-P0001-1"):
            alerts.write(replace(OPEN, version=version, stock=99))
    assert alerts.one("S00001", "P0001", 1) == (replace(OPEN, version=stored) if stored else None)


def test_what_is_no_longer_so_is_gone(alerts: noticing.Alerts) -> None:
    alerts.write(OPEN)
    alerts.write(CLOSED)
    assert alerts.recent("S00001", "P0001") == [CLOSED]


def test_readers_of_the_table_find_the_alert_and_how_long_it_lasted(aws: None) -> None:
    table = AlertsTable(dynamodb(), ALERTS)
    table.write(OPEN)
    table.write(CLOSED)
    (item,) = dynamodb().scan(TableName=ALERTS)["Items"]
    assert item["shelf"] == {"S": "S00001-P0001"}
    assert item["alert_id"] == {"S": "A-S00001-P0001-1"}
    assert item["duration_seconds"] == {"N": "3600"}
    assert "token" not in item


def test_reading_sees_what_was_just_written(aws: None) -> None:
    """DynamoDB read consistency: strongly consistent reads. No imitation shows stale data, so the calls are asked."""
    client = mock.Mock(wraps=dynamodb())
    table = AlertsTable(client, ALERTS)
    table.recent("S00001", "P0001")
    table.one("S00001", "P0001", 1)
    assert [call.kwargs["ConsistentRead"] for call in (client.query.call_args, client.get_item.call_args)] == [True] * 2


def test_a_write_whose_answer_was_lost_is_repeated_and_refused_although_it_took_place(aws: None) -> None:
    """The client sends a call again when it got no answer: Boto3 developer guide, Retries."""
    hooks: Any = dynamodb().meta.events
    repeats = iter([0.0])  # seconds until the call is sent again
    hooks.register_first("needs-retry.dynamodb.PutItem", lambda **_: next(repeats, None), "lost answer")
    table = AlertsTable(dynamodb(), ALERTS)
    try:
        with pytest.raises(Conflict):
            table.write(OPEN)
    finally:
        hooks.unregister("needs-retry.dynamodb.PutItem", unique_id="lost answer")
    assert table.recent("S00001", "P0001") == [OPEN]


def test_any_other_error_is_not_a_conflict(aws: None) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        AlertsTable(dynamodb(), "elsewhere").write(OPEN)
