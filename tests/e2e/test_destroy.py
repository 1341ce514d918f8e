"""`down --destroy` in the stages of its life: interrupted, interrupted again, hindered by a leftover, and done."""

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import eventually
from tests.e2e.conftest import Workshop
from workshop import inventory
from workshop.local_aws.clients import client
from workshop.places import ROOT
from workshop.target import PROJECT_TAG

_DEPLOY = """
from rich.console import Console
from workshop import up
from workshop.steps import Steps
up.up_local(Steps(Console(stderr=True)))
"""
_COMMAND_LINE = Path(sys.executable).parent / "aws"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A workshop in which the stacks are deployed and nothing else has happened: `up` without its trading day."""
    workshop = Workshop(tmp_path_factory.mktemp("to be destroyed"))
    environment = {**os.environ, "WORKSHOP_HOME": str(workshop.home)}
    try:
        subprocess.run([sys.executable, "-c", _DEPLOY], cwd=ROOT, env=environment, check=True, capture_output=True)
        yield workshop
    finally:
        workshop.run("down")


class Aws:
    def __init__(self, workshop: Workshop) -> None:
        self.endpoint: str = workshop.address()["endpoint"]

    def __getitem__(self, service: str) -> Any:
        return client(service, self.endpoint)

    def stacks(self) -> set[str]:
        found = self["cloudformation"].describe_stacks()["Stacks"]
        return {stack["StackName"] for stack in found} & set(inventory.STACKS)


def interrupted_at(workshop: Workshop, moment: str) -> None:
    """Run `down --destroy`, and interrupt it when it has said that a step is done."""
    process = workshop.start("down", "--destroy")
    assert process.stderr
    for line in process.stderr:
        if moment in line:
            process.send_signal(signal.SIGINT)
            break
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Repeat the command to go on." in said
    assert "Traceback" not in said


def test_interrupted_hindered_and_done(deployed: Workshop) -> None:
    aws = Aws(deployed)
    all_stacks = aws.stacks()
    lake = next(b["Name"] for b in aws["s3"].list_buckets()["Buckets"] if b["Name"].startswith("inventorylake"))
    aws["s3"].put_bucket_versioning(Bucket=lake, VersioningConfiguration={"Status": "Enabled"})
    for number in range(3):
        aws["s3"].put_object(Bucket=lake, Key="versions", Body=str(number).encode())
    aws["s3"].delete_object(Bucket=lake, Key="versions")
    aws["s3"].create_multipart_upload(Bucket=lake, Key="unfinished")
    aws["logs"].create_log_group(logGroupName="/aws/lambda/InventoryIngest-StoreAppFunction0")
    aws["logs"].create_log_group(logGroupName="/aws/lambda/somebody's")
    aws["sqs"].create_queue(QueueName="InventoryAlerts-ByHand")
    aws["s3"].create_bucket(Bucket="by-hand")
    aws["s3"].put_bucket_tagging(Bucket="by-hand", Tagging={"TagSet": [PROJECT_TAG]})
    aws["s3"].put_object(Bucket="by-hand", Key="some", Body=b"thing")

    deployed.run("generate", "--hours", "24", "--stores", "20")
    [workflow] = aws["stepfunctions"].list_state_machines()["stateMachines"]
    on_the_road = {"stateMachineArn": workflow["stateMachineArn"], "statusFilter": "RUNNING"}
    eventually(lambda: aws["stepfunctions"].list_executions(**on_the_road)["executions"], within=30)

    interrupted_at(deployed, "✓ StoreApp")
    assert aws.stacks() == all_stacks, "nothing goes before the stream is drained"
    interrupted_at(deployed, "✓ delete        InventoryOperations")
    assert aws.stacks() < all_stacks

    hindered = deployed.json("down", "--destroy", expect=1)
    assert [left["service"] for left in hindered["remaining"]] == ["S3 bucket", "SQS queue"]
    assert aws.stacks() == set()
    assert [bucket["Name"] for bucket in aws["s3"].list_buckets()["Buckets"] if bucket["Name"] == lake] == []
    groups = [group["logGroupName"] for group in aws["logs"].describe_log_groups()["logGroups"]]
    assert groups == ["/aws/lambda/somebody's"]

    told = deployed.run("down", "--destroy", expect=1)
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for left in hindered["remaining"]:
        assert left["how_to_remove"] in told, "the command stands on one line, to be copied"
        words = shlex.split(left["how_to_remove"])
        assert words[0] == "aws"
        subprocess.run([str(_COMMAND_LINE), *words[1:]], env=environment, check=True, capture_output=True)

    done = deployed.json("down", "--destroy")
    assert done["remaining"] == []
    assert not (deployed.home / "local").exists()
    assert deployed.json("down", "--destroy") == {
        "stopped": False,
        "destroyed": [],
        "remaining": [],
        "unseen": None,
    }


def test_an_embedded_aws_that_cannot_start_is_deleted_unseen(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    (tmp_path / "local" / "state").mkdir(parents=True)
    (tmp_path / "local" / "scratch").write_text("no folder, so that the server ends at once")
    told = workshop.run("down", "--destroy")
    assert "could not be asked" in told
    assert not (tmp_path / "local").exists()
    assert json.loads(workshop.run("down", "--destroy", "--json"))["destroyed"] == []
