"""The pipeline under its own roles alone, and that it misses what is taken from them."""

import os
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import ClientError

from benchmarks.least_privilege import Pipeline, listed, start
from tests.e2e.conftest import Workshop
from workshop.local_aws import launcher
from workshop.local_aws.clients import Credentials, client
from workshop.local_aws.home import Home
from workshop.target import local_target

MISSED = (
    ("StoreAppRole", "firehose:PutRecordBatch"),
    ("StoreAppRole", "dynamodb:PutItem"),
    ("IntakeRole", "s3:PutObject"),
    ("IntakeRole", "sqs:SendMessage"),
    ("StreamRole", "glue:GetTable"),
    ("StockAlertRole", "sqs:ReceiveMessage"),
    ("StockAlertRole", "events:PutEvents"),
    ("TruckDispatchRole", "states:StartExecution"),
    ("WorkflowRole", "lambda:InvokeFunction"),
    ("DeliveryRole", "dynamodb:UpdateItem"),
    ("TruckCallsQueue", "sqs:SendMessage"),
)
"""Of each role and queue what each of its statements is for; `python -m benchmarks.least_privilege` tries them all."""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A workshop that is up, in an embedded AWS that enforces policies."""
    environment = dict(os.environ)
    workshop = Workshop(tmp_path_factory.mktemp("enforced"))
    try:
        start(workshop.home)
        yield workshop
    finally:
        # What points this process at this embedded AWS.
        os.environ.clear()
        os.environ.update(environment)
        launcher.stop(Home(workshop.home / "local"))


@pytest.fixture(scope="module")
def pipeline(workshop: Workshop) -> Pipeline:
    return Pipeline(local_target(workshop.json("status")["endpoint"]))


def test_stores_trade_events_arrive_alerts_call_trucks_and_trucks_close_them(workshop: Workshop) -> None:
    status = workshop.json("status")
    assert 0 < status["events"]["sent"] == status["events"]["unique"]
    assert status["alerts"]["closed"] > 0
    assert status["deliveries"] == {"DELIVERED": sum(status["alerts"].values())}


def test_a_role_may_do_nothing_but_what_its_policies_allow(workshop: Workshop) -> None:
    status = workshop.json("status")
    endpoint, resources = status["endpoint"], status["resources"]
    [arn] = [
        role["Arn"]
        for page in client("iam", endpoint).get_paginator("list_roles").paginate()
        for role in page["Roles"]
        if "StoreAppRole" in role["RoleName"]
    ]
    session = client("sts", endpoint).assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    credentials = Credentials(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])
    forged = credentials._replace(secret_key="guessed")
    firehose = client("firehose", endpoint, credentials=credentials)
    one = {"DeliveryStreamName": resources["delivery_stream"]}
    assert firehose.put_record_batch(**one, Records=[{"Data": b"{}"}])["FailedPutCount"] == 0
    refused: dict[str, Callable[[], object]] = {
        "PutRecord": lambda: firehose.put_record(**one, Record={"Data": b"{}"}),
        "PutRecordBatch": lambda: client("firehose", endpoint, credentials=forged).put_record_batch(
            **one, Records=[{"Data": b"{}"}]
        ),
        "StartQueryExecution": lambda: client("athena", endpoint, credentials=credentials).start_query_execution(
            QueryString="SELECT 1", WorkGroup=resources["workgroup"]
        ),
        "ListObjectsV2": lambda: client("s3", endpoint, credentials=credentials).list_objects_v2(
            Bucket=resources["lake_bucket"]
        ),
    }
    codes = {}
    for name, call in refused.items():
        with pytest.raises(ClientError) as refusal:
            call()
        codes[name] = refusal.value.response["Error"]["Code"]
    assert codes == {
        "PutRecord": "AccessDeniedException",
        "PutRecordBatch": "InvalidSignatureException",
        "StartQueryExecution": "AccessDeniedException",
        "ListObjectsV2": "AccessDenied",
    }


@pytest.mark.parametrize(("owner", "action"), MISSED)
def test_what_is_taken_away_is_missed(pipeline: Pipeline, owner: str, action: str) -> None:
    [mutant] = [
        mutant
        for policy in pipeline.policies()
        if policy.owner == owner
        for mutant in policy.mutants()
        if action in listed(mutant.statement["Action"]) and mutant.taken == (action,)
    ]
    pipeline.recover(owner)
    assert pipeline.judge(mutant).harm
