import gzip
import json
import time
from typing import Any
from unittest import mock

import pytest

from lambdas.adapters.quarantine import Quarantine, s3
from tests.adapters.conftest import BUCKET


@pytest.fixture
def quarantine(aws: None) -> Quarantine:
    return Quarantine(s3(), BUCKET)


def row(received_at: str, **values: Any) -> dict[str, Any]:
    return {"reason": "é\n", "field": None, "position": 0, "received_at": received_at, **values}


def stored() -> dict[str, list[dict[str, Any]]]:
    """The objects of the bucket: key and rows."""
    client = s3()
    keys = [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    bodies = {key: gzip.decompress(client.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys}
    return {key: [json.loads(line) for line in body.splitlines()] for key, body in bodies.items()}


def test_a_batch_is_one_object_of_json_lines_in_the_partition_of_its_arrival(quarantine: Quarantine) -> None:
    rows = [row("2026-11-20T23:59:59.999Z"), row("2026-11-20T23:59:59.999Z", position=1)]
    quarantine.keep(["r1", "r2"], rows)
    ((key, kept),) = stored().items()
    assert key.startswith("quarantine/dt=2026-11-20/")
    assert key.endswith(".json.gz")
    assert kept == rows


def test_a_repeated_batch_replaces_its_object_byte_for_byte(quarantine: Quarantine) -> None:
    def body() -> bytes:
        (item,) = s3().list_objects_v2(Bucket=BUCKET)["Contents"]
        return s3().get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()

    quarantine.keep(["r1", "r2"], [row("2026-11-20T00:00:00.000Z")])
    first = body()
    with mock.patch("time.time", return_value=time.time() + 100):  # a gzip header holds the time
        quarantine.keep(["r1", "r2"], [row("2026-11-20T00:00:00.000Z")])
    assert body() == first


def test_another_batch_is_another_object(quarantine: Quarantine) -> None:
    for record_ids in (["r1"], ["r2"], ["r1", "r2"], ["r1,r2"]):
        quarantine.keep(record_ids, [row("2026-11-20T00:00:00.000Z")])
    assert len(stored()) == 4


def test_a_batch_over_midnight_is_split_by_day(quarantine: Quarantine) -> None:
    late, early = row("2026-11-20T23:59:59.999Z"), row("2026-11-21T00:00:00.000Z", position=1)
    quarantine.keep(["r1", "r2", "r3"], [late, early, late])
    assert {key[:24]: rows for key, rows in stored().items()} == {
        "quarantine/dt=2026-11-20": [late, late],
        "quarantine/dt=2026-11-21": [early],
    }


def test_what_cannot_be_written_is_raised(aws: None) -> None:
    with pytest.raises(s3().exceptions.NoSuchBucket):
        Quarantine(s3(), "elsewhere").keep(["r1"], [row("2026-11-20T00:00:00.000Z")])
