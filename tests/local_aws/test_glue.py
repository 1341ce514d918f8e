"""Glue's tables and partitions, over plain dictionaries."""

import json
from typing import Any

import pytest

from workshop.local_aws.glue import Glue, name_matcher
from workshop.local_aws.protocol import AwsError

DAYS = [["2026-11-20", "1"], ["2026-11-20", "10"], ["2026-11-21", "9"]]


def glue() -> Glue:
    """Return a Glue with a table of three partitions; ministack's UpdateTable merges, as here."""
    table = {
        "Name": "sales",
        "DatabaseName": "shop",
        "Description": "What stores sold",
        "Owner": "",
        "ViewOriginalText": None,
        "VersionId": "1",
        "Parameters": {"a": "1"},
        "PartitionKeys": [{"Name": "day", "Type": "date"}, {"Name": "hour", "Type": "int"}],
        "StorageDescriptor": {"Columns": [{"Name": "units", "Type": "int", "Comment": "pieces"}]},
    }
    tables: dict[str, dict[str, Any]] = {"shop/sales": table}

    def update(request: dict[str, Any]) -> tuple[int, Any, bytes]:
        if request.get("VersionId", table["VersionId"]) != table["VersionId"]:
            return 400, {}, json.dumps({"__type": "ConcurrentModificationException", "message": "stale"}).encode()
        table.update(request["TableInput"], VersionId=str(int(str(table["VersionId"])) + 1))
        return 200, {}, b"{}"

    own = {"DatabaseName": "shop", "TableName": "sales", "CreationTime": 1, "CatalogId": "0"}
    return Glue({"shop": {}}, tables, {"shop/sales": [{"Values": values, **own} for values in DAYS]}, update)


IN_SALES = {"DatabaseName": "shop", "TableName": "sales"}


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("hour > 8", [DAYS[1], DAYS[2]]),
        ("day = '2026-11-20' AND hour IN (1, 2)", [DAYS[0]]),
        ("day BETWEEN '2026-11-21' AND '2026-11-30' OR hour = '1'", [DAYS[0], DAYS[2]]),
        ("NOT (hour <= 9)", [DAYS[1]]),
        ("DAY > '2026-11-20'", [DAYS[2]]),
        ("", DAYS),
    ],
)
def test_partitions_for_which_an_expression_is_true(expression: str, found: list[list[str]]) -> None:
    # https://docs.aws.amazon.com/glue/latest/webapi/API_GetPartitions.html
    answer = glue().actions["GetPartitions"]({**IN_SALES, "Expression": expression})
    assert [partition["Values"] for partition in answer["Partitions"]] == found


@pytest.mark.parametrize(
    "expression",
    ["units = 1", "hour = ", "hour = (SELECT 1)", "1 = 1; DROP TABLE x", "hour = version()", "day > 'no day'"],
)
def test_an_expression_of_anything_else_is_refused(expression: str) -> None:
    with pytest.raises(AwsError) as caught:
        glue().actions["GetPartitions"]({**IN_SALES, "Expression": expression})
    assert caught.value.error_type == "InvalidInputException"


def test_partitions_are_changed_and_deleted_by_their_values() -> None:
    actions = glue().actions
    moved = {"Values": ["2026-11-22", "1"], "StorageDescriptor": {"Location": "s3://b/"}}
    actions["UpdatePartition"]({**IN_SALES, "PartitionValueList": DAYS[0], "PartitionInput": moved})
    unwanted = [{"Values": DAYS[1]}, {"Values": DAYS[0]}]
    answer = actions["BatchDeletePartition"]({**IN_SALES, "PartitionsToDelete": unwanted})
    assert [error["PartitionValues"] for error in answer["Errors"]] == [DAYS[0]]
    left = actions["GetPartitions"](IN_SALES)["Partitions"]
    assert [partition["Values"] for partition in left] == [moved["Values"], DAYS[2]]
    with pytest.raises(AwsError, match="not found"):
        actions["UpdatePartition"]({**IN_SALES, "PartitionValueList": DAYS[0], "PartitionInput": moved})


def test_a_table_is_shown_without_what_it_has_not_and_defined_anew() -> None:
    # https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateTable.html: TableInput defines the table.
    actions = glue().actions
    named = {"DatabaseName": "shop", "Name": "sales"}
    assert {"Owner", "ViewOriginalText"}.isdisjoint(actions["GetTable"](named)["Table"])
    actions["UpdateTable"]({"DatabaseName": "shop", "TableInput": {"Name": "sales", "Parameters": {"b": "2"}}})
    table = actions["GetTable"](named)["Table"]
    assert (table["Parameters"], table["PartitionKeys"], table.get("Description")) == ({"b": "2"}, [], None)
    unkept = {"DatabaseName": "shop", "SkipArchive": True, "TableInput": {"Name": "sales", "Owner": "me"}}
    actions["UpdateTable"](unkept)
    versions = actions["GetTableVersions"](IN_SALES)["TableVersions"]
    assert [version["VersionId"] for version in versions] == ["3", "1"]
    first = actions["GetTableVersion"]({**IN_SALES, "VersionId": "1"})["TableVersion"]["Table"]
    assert (first["Description"], first["Parameters"]) == ("What stores sold", {"a": "1"})
    stale = {"DatabaseName": "shop", "VersionId": "1", "TableInput": {"Name": "sales"}}
    with pytest.raises(AwsError) as caught:
        actions["UpdateTable"](stale)
    assert caught.value.error_type == "ConcurrentModificationException"


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ({"SearchText": "PIECE"}, True),
        ({"SearchText": '"piece"'}, False),
        ({"SearchText": "nothing"}, False),
        ({"Filters": [{"Key": "DatabaseName", "Value": "shop"}]}, True),
        ({"Filters": [{"Key": "Name", "Value": "sale"}]}, False),
    ],
)
def test_tables_are_searched(request_: dict[str, Any], found: bool) -> None:
    # https://docs.aws.amazon.com/glue/latest/webapi/API_SearchTables.html
    assert bool(glue().actions["SearchTables"](request_)["TableList"]) is found


@pytest.mark.parametrize(
    ("expression", "matched"),
    [("sale*", True), ("*ales", True), (".*ale.*", True), ("sale", False), ("s.les|other", True), ("S[a-c]+les", True)],
)
def test_a_tables_name_matches_as_in_hive(expression: str, matched: bool) -> None:
    assert bool(name_matcher(expression)("sales")) is matched


def test_what_is_not_there_is_not_found() -> None:
    for name, request in {
        "GetTable": {"DatabaseName": "shop", "Name": "other"},
        "GetTables": {"DatabaseName": "nowhere"},
        "GetTableVersion": {**IN_SALES, "VersionId": "9"},
    }.items():
        with pytest.raises(AwsError) as caught:
            glue().actions[name](request)
        assert caught.value.error_type == "EntityNotFoundException"
