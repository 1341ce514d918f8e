"""A put that S3 cannot write is an error, and the bucket holds what it held; what it can write is not in memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

# S3 in a process of its own, in which no file can be larger than a megabyte once that is said: like a full disk.
PUTS = """
import asyncio, json, os, resource, sys

os.environ.update(S3_PERSIST="1", S3_DATA_DIR=sys.argv[1], LOG_LEVEL="CRITICAL")
from ministack.services import s3
from workshop.local_aws import objects

if sys.argv[2] == "ours":
    objects.install()

def ask(method, path, body=b"", **query):
    given = {name: [value] for name, value in query.items()}
    status, headers, answer = asyncio.run(s3.handle_request(method, path, {}, body, given))
    return status, answer.decode() if len(answer) < 1_000 else len(answer)

def fill():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))

def free():
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

SMALL, LARGE = b"small", b"x" * 2_000_000
ask("PUT", "/plain")
ask("PUT", "/versioned")
enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
ask("PUT", "/versioned", enabled, versioning="")
seen = {}
"""


def puts(folder: Path, body: str, by: str = "ours") -> dict[str, Any]:
    command = [sys.executable, "-c", PUTS + body + "\nprint(json.dumps(seen))", str(folder), by]
    seen: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return seen


def test_an_object_that_is_not_written_is_an_error_and_is_not_there(tmp_path: Path) -> None:
    body = """
fill()
seen["put"] = ask("PUT", "/plain/new", LARGE)
seen["get"] = ask("GET", "/plain/new")
seen["list"] = ask("GET", "/plain")
free()
seen["again"] = ask("PUT", "/plain/new", LARGE)
seen["then"] = ask("GET", "/plain/new")
"""
    seen = puts(tmp_path, body)
    assert seen["put"][0] == 500
    assert "InternalError" in seen["put"][1]
    assert seen["get"][0] == 404
    assert "<Key>" not in seen["list"][1]
    assert (seen["again"][0], seen["then"]) == (200, [200, 2_000_000])
    # What this guards against: ministack by itself says that it has it.
    assert puts(tmp_path / "ministack", body, by="ministack")["put"][0] == 200


def test_the_object_that_was_there_stays(tmp_path: Path) -> None:
    seen = puts(
        tmp_path,
        """
for bucket in ("plain", "versioned"):
    ask("PUT", f"/{bucket}/kept", SMALL)
fill()
for bucket in ("plain", "versioned"):
    seen[bucket] = [ask("PUT", f"/{bucket}/kept", LARGE)[0], ask("GET", f"/{bucket}/kept")]
seen["versions"] = ask("GET", "/versioned", versions="")[1].count("<VersionId>")
""",
    )
    assert seen == {"plain": [500, [200, "small"]], "versioned": [500, [200, "small"]], "versions": 1}


def test_an_upload_in_parts_can_be_completed_once_there_is_room(tmp_path: Path) -> None:
    seen = puts(
        tmp_path,
        """
import re
upload = re.search("<UploadId>(.*)</UploadId>", ask("POST", "/plain/parts", uploads="")[1])[1]
ask("PUT", "/plain/parts", LARGE, uploadId=upload, partNumber="1")
etag = re.search("<ETag>(.*)</ETag>", ask("GET", "/plain/parts", uploadId=upload)[1])[1]
part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
whole = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
fill()
seen["full"] = ask("POST", "/plain/parts", whole, uploadId=upload)[0]
free()
seen["free"] = ask("POST", "/plain/parts", whole, uploadId=upload)[0]
seen["then"] = ask("GET", "/plain/parts")
""",
    )
    assert seen == {"full": 500, "free": 200, "then": [200, 2_000_000]}


def test_no_version_is_held_in_memory_and_each_can_be_read(tmp_path: Path) -> None:
    seen = puts(
        tmp_path,
        """
ask("PUT", "/versioned/grown", SMALL)
ask("PUT", "/versioned/grown", LARGE)
versions = s3._object_versions["versioned", "grown"]
seen["held"] = [version["data"] for version in versions]
seen["read"] = [ask("GET", "/versioned/grown", versionId=version["version_id"]) for version in versions]
""",
    )
    assert seen == {"held": [None, None], "read": [[200, "small"], [200, 2_000_000]]}
