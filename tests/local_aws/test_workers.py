"""A burst of invocations is worked off by few processes, and every one of them is answered."""

import io
import json
import threading
import zipfile
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.local_aws.conftest import served
from workshop.local_aws import workers
from workshop.local_aws.clients import client

HANDLER = """
import os, time

def handler(event, context):
    if event == "fail":
        raise ValueError("told to")
    time.sleep(0.1)
    return os.getpid()
"""


def bundle() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("told.py", HANDLER)
    return file.getvalue()


def test_a_burst_starts_no_more_processes_than_there_are_cores(tmp_path: Path) -> None:
    with served(tmp_path / "home") as endpoint:
        functions = client("lambda", endpoint)
        functions.create_function(
            FunctionName="told",
            Runtime="python3.14",
            Role="arn:aws:iam::000000000000:role/r",
            Handler="told.handler",
            Code={"ZipFile": bundle()},
        )

        def told(event: str) -> int | str:
            payload = functions.invoke(FunctionName="told", Payload=json.dumps(event).encode())["Payload"]
            answer = json.loads(payload.read())
            return answer if isinstance(answer, int) else str(answer["errorMessage"])

        with ThreadPoolExecutor(8 * workers.MOST) as burst:
            answers = list(burst.map(told, ["work"] * 8 * workers.MOST))
        assert all(isinstance(answer, int) for answer in answers)
        assert len(set(answers)) <= workers.MOST
        # A process that fails gives its place back.
        assert [told("fail") for _ in range(2 * workers.MOST)] == ["told to"] * 2 * workers.MOST
        assert isinstance(told("work"), int)


def test_a_queue_that_moves_starts_no_more_processes_however_long_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE_SECONDS", 2.0)
    places = workers.Places()
    never = threading.Event()

    def work(_: int) -> bool:
        has_place = places.take()
        never.wait(0.1)
        if has_place:
            places.give_back()
        return has_place

    waiting = 25 * workers.MOST  # the last ones wait for longer than the patience lasts
    with ThreadPoolExecutor(waiting) as burst:
        assert all(burst.map(work, range(waiting)))


def test_a_queue_that_stands_still_starts_one_more_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE_SECONDS", 0.5)
    places = workers.Places()
    assert all(places.take() for _ in range(workers.MOST))
    with ThreadPoolExecutor(2) as waiting:
        first, second = waiting.submit(places.take), waiting.submit(places.take)
        done, still = wait([first, second], return_when=FIRST_COMPLETED)
        assert [each.result() for each in done] == [False]
        places.give_back()
        assert [each.result() for each in still] == [True]
