import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from lambdas.adapters import delivery_stream
from lambdas.adapters.delivery_stream import DeliveryStream, NotAccepted, firehose
from lambdas.adapters.quarantine import s3
from tests.adapters.conftest import BUCKET, STREAM

THROTTLED = "ServiceUnavailableException"
Answer = Exception | Sequence[str | None]


class Clock:
    """Time that passes only by sleeping and by calls."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Firehose:
    """Answers each call as `decide` says: an error to raise, or an error code or None per record."""

    def __init__(self, decide: Callable[[Sequence[bytes]], Answer]) -> None:
        self.calls: list[list[bytes]] = []
        self.accepted: list[bytes] = []
        self._decide = decide

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803
        assert DeliveryStreamName == STREAM
        records = [record["Data"] for record in Records]
        self.calls.append(records)
        decision = self._decide(records)
        if isinstance(decision, Exception):
            raise decision
        self.accepted += [record for record, code in zip(records, decision, strict=True) if not code]
        results = [
            {"ErrorCode": code, "ErrorMessage": "Slow down."} if code else {"RecordId": "1"} for code in decision
        ]
        return {"FailedPutCount": sum(map(bool, decision)), "RequestResponses": results}


def stream(client: Any, clock: Clock, seed: int = 1) -> DeliveryStream:
    return DeliveryStream(client, STREAM, clock=clock, sleep=clock.sleep, rng=random.Random(seed))


def client_error(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "PutRecordBatch")


@given(st.lists(st.binary(min_size=1, max_size=4), min_size=1, max_size=9), st.integers(0, 10**6))
def test_only_the_records_that_failed_are_sent_again(records: list[bytes], seed: int) -> None:
    chance = random.Random(seed)
    client = Firehose(lambda batch: [THROTTLED if chance.random() < 0.5 else None for _ in batch])
    stream(client, Clock()).send(records, within=1_000)
    assert sorted(client.accepted) == sorted(records)
    for call, following in pairwise(client.calls):
        assert len(following) < len(call) or following == call


def test_the_order_of_what_failed_is_kept_and_the_rest_is_not_repeated() -> None:
    answers: Iterator[Answer] = iter([[None, THROTTLED, None, "InternalFailure"], [THROTTLED, None], [None]])
    client = Firehose(lambda _: next(answers))
    stream(client, Clock()).send([b"a", b"b", b"c", b"d"], within=60)
    assert client.calls == [[b"a", b"b", b"c", b"d"], [b"b", b"d"], [b"b"]]


@pytest.mark.parametrize(
    "error",
    [
        client_error(THROTTLED, 400),
        client_error("ThrottlingException", 400),
        client_error("InternalFailure", 500),
        client_error("SomethingNew", 503),
        ReadTimeoutError(endpoint_url="https://firehose"),
        EndpointConnectionError(endpoint_url="https://firehose"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_a_call_that_fails_as_a_whole_is_repeated(error: Exception) -> None:
    answers: Iterator[Answer] = iter([error, [None, None]])
    client = Firehose(lambda _: next(answers))
    stream(client, Clock()).send([b"a", b"b"], within=60)
    assert client.calls == [[b"a", b"b"]] * 2


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException", "InvalidArgumentException"])
def test_what_repeating_cannot_help_is_raised_at_once(code: str) -> None:
    client, clock = Firehose(lambda _: client_error(code, 400)), Clock()
    with pytest.raises(NotAccepted, match=code) as raised:
        stream(client, clock).send([b"a"], within=60)
    assert (raised.value.records, len(client.calls), clock.pauses) == ([b"a"], 1, [])


def test_when_time_runs_out_the_error_carries_what_was_not_accepted() -> None:
    client, clock = Firehose(lambda batch: [THROTTLED if record == b"b" else None for record in batch]), Clock()
    with pytest.raises(NotAccepted, match=rf"{STREAM} did not accept 1 records \({THROTTLED}\)") as raised:
        stream(client, clock).send([b"a", b"b", b"c"], within=10)
    assert raised.value.records == [b"b"]
    assert clock.now < 110
    assert len(client.calls) > 3


def test_attempts_are_bounded_too() -> None:
    client = Firehose(lambda batch: [THROTTLED for _ in batch])
    with pytest.raises(NotAccepted):
        stream(client, Clock()).send([b"a"], within=float("inf"))
    assert len(client.calls) == delivery_stream._MAX_ATTEMPTS


def test_pauses_grow_to_a_bound_and_are_spread_over_the_whole_range() -> None:
    pauses: list[list[float]] = []
    for seed in range(200):
        clock = Clock()
        with pytest.raises(NotAccepted):
            stream(Firehose(lambda batch: [THROTTLED for _ in batch]), clock, seed).send([b"a"], within=float("inf"))
        pauses.append(clock.pauses)
    for attempt, bound in enumerate([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]):
        of_attempt = [chain[attempt] for chain in pauses]
        assert 0 <= min(of_attempt) < 0.1 * bound
        assert 0.9 * bound < max(of_attempt) <= bound


def test_records_arrive_at_a_stream(aws: None) -> None:
    clock = Clock()
    stream(firehose(), clock).send([b"a\n", b"b\n"], within=10)
    keys = [item["Key"] for item in s3().list_objects_v2(Bucket=BUCKET, Prefix="events/")["Contents"]]
    bodies = [s3().get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    assert b"".join(bodies) == b"a\nb\n"
    with pytest.raises(NotAccepted, match="ResourceNotFoundException"):
        DeliveryStream(firehose(), "elsewhere", clock=clock, sleep=clock.sleep, rng=random.Random(1)).send([b"a"], 10)


def test_the_client_leaves_repeating_to_this_module(aws: None) -> None:
    config = firehose().meta.config
    assert config.retries["total_max_attempts"] == 1  # type: ignore[attr-defined]
    assert config.connect_timeout + config.read_timeout <= delivery_stream.CALL_SECONDS  # type: ignore[attr-defined]
