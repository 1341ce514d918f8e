"""The lake is private, holds the record contract's columns, and cannot be asked too much at once."""

import base64
import json
from typing import Any

import pytest

from stacks.contract import GLUE
from tests.stacks.conftest import Template, resources


def tables(stacks: dict[str, Template]) -> dict[str, Any]:
    return {
        table["TableInput"]["Name"]: table["TableInput"] for table in resources(stacks, "AWS::Glue::Table").values()
    }


def columns(table: dict[str, Any]) -> dict[str, str]:
    return {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((GLUE / "stock_event.schema.json").read_text())
    return document


def test_stock_events_has_the_columns_of_the_contract(aws: dict[str, Template], contract: dict[str, Any]) -> None:
    expected = {**contract["properties"], **contract["x-added-by-intake"]}
    assert columns(tables(aws)["stock_events"]) == {name: field["x-glue-type"] for name, field in expected.items()}


def test_quarantine_has_the_columns_of_the_contract(aws: dict[str, Template], contract: dict[str, Any]) -> None:
    expected = {name: field["x-glue-type"] for name, field in contract["x-quarantine"].items()}
    assert columns(tables(aws)["quarantine"]) == expected


@pytest.mark.parametrize("name", ["stock_events", "quarantine"])
def test_partitions_are_projected_so_that_no_crawler_is_needed(aws: dict[str, Template], name: str) -> None:
    table = tables(aws)[name]
    assert [key["Name"] for key in table["PartitionKeys"]] == ["dt"]
    assert table["Parameters"]["projection.enabled"] == "true"
    assert table["Parameters"]["projection.dt.type"] == "date"


def test_the_view_is_stored_as_athena_stores_views(aws: dict[str, Template]) -> None:
    view = tables(aws)["unique_events"]
    encoded = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    definition = json.loads(base64.b64decode(encoded))
    assert definition["originalSql"] == (GLUE / "views" / "unique_events.sql").read_text()
    assert [column["name"] for column in definition["columns"]] == list(columns(view))
    assert set(columns(view)) == {*columns(tables(aws)["stock_events"]), "dt"}


def test_the_bucket_is_private_encrypted_and_answers_over_tls_alone(aws: dict[str, Template]) -> None:
    [bucket] = resources(aws, "AWS::S3::Bucket").values()
    assert bucket["PublicAccessBlockConfiguration"] == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    assert bucket["BucketEncryption"]
    [policy] = resources(aws, "AWS::S3::BucketPolicy").values()
    assert any(
        statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in policy["PolicyDocument"]["Statement"]
        if "Condition" in statement
    )


def test_queries_cannot_leave_the_workgroups_settings_or_scan_without_bound(aws: dict[str, Template]) -> None:
    [workgroup] = resources(aws, "AWS::Athena::WorkGroup").values()
    configuration = workgroup["WorkGroupConfiguration"]
    assert configuration["EnforceWorkGroupConfiguration"] is True
    assert 0 < configuration["BytesScannedCutoffPerQuery"] <= 10 * 1024**3
    assert configuration["ResultConfiguration"]["EncryptionConfiguration"] == {"EncryptionOption": "SSE_S3"}


@pytest.mark.parametrize("target", ["aws", "local"])
def test_every_query_file_is_a_named_query(target: str, request: pytest.FixtureRequest) -> None:
    deployed = {q["Name"]: q for q in resources(request.getfixturevalue(target), "AWS::Athena::NamedQuery").values()}
    files = {file.stem: file.read_text() for file in (GLUE / "queries").glob("*.sql")}
    assert {name: query["QueryString"] for name, query in deployed.items()} == files
    assert all(query["Description"].endswith("?") for query in deployed.values())
