"""A burst of invocations is worked off by few processes, and every one of them is answered."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
