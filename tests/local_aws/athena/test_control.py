"""Athena's work groups, named queries, prepared statements, data catalogues and tags, over plain dictionaries."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workshop.local_aws.athena.control import MOST_STATEMENTS, Control, Stores
from workshop.local_aws.protocol import AwsError

Ask = Callable[..., dict[str, Any]]
BUCKET = {"OutputLocation": "s3://results/"}


def control(ran: set[str] | None = None) -> Ask:
    """Return a function that calls an action of a new account's Athena by its name."""
    ids = count(1)
    primary = {"Name": "primary", "State": "ENABLED", "Configuration": {}}
    own = {"Name": "AwsDataCatalog", "Type": "GLUE", "Parameters": {}}
    made = Control(
        Stores(
            work_groups={"primary": primary},
            named_queries={},
            prepared_statements={},
            data_catalogs={"AwsDataCatalog": own},
            tags={},
        ),
        arn=lambda resource: f"arn:aws:athena:us-east-1:000000000000:{resource}",
        has_run_queries=(ran or set()).__contains__,
        now=lambda: 1.0,
        new_id=lambda: f"id-{next(ids)}",
    )
    return lambda name, **request: made.actions[name](request)


def refused(ask: Ask, name: str, **request: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        ask(name, **request)
    return caught.value


def test_a_work_group_has_awss_defaults() -> None:
    ask = control()
    ask("CreateWorkGroup", Name="team")
    settings = ask("GetWorkGroup", WorkGroup="team")["WorkGroup"]["Configuration"]
    assert settings["EnforceWorkGroupConfiguration"] is True
    assert settings["EngineVersion"] == {
        "SelectedEngineVersion": "AUTO",
        "EffectiveEngineVersion": "Athena engine version 3",
    }
    primary = ask("GetWorkGroup", WorkGroup="primary")["WorkGroup"]["Configuration"]
    assert primary["EnforceWorkGroupConfiguration"] is False


def test_a_work_group_is_updated_and_loses_what_is_to_be_removed() -> None:
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfigurationUpdates.html
    ask = control()
    limit = {"BytesScannedCutoffPerQuery": 10_000_000, "ResultConfiguration": BUCKET}
    ask("CreateWorkGroup", Name="team", Configuration=limit)
    updates = {"RemoveBytesScannedCutoffPerQuery": True, "ResultConfigurationUpdates": {"RemoveOutputLocation": True}}
    ask("UpdateWorkGroup", WorkGroup="team", State="DISABLED", ConfigurationUpdates=updates)
    group = ask("GetWorkGroup", WorkGroup="team")["WorkGroup"]
    assert group["State"] == "DISABLED"
    assert "BytesScannedCutoffPerQuery" not in group["Configuration"]
    assert group["Configuration"]["ResultConfiguration"] == {}
    kept = {"RemoveBytesScannedCutoffPerQuery": False, "ResultConfigurationUpdates": BUCKET}
    ask("UpdateWorkGroup", WorkGroup="team", ConfigurationUpdates=kept)
    assert ask("GetWorkGroup", WorkGroup="team")["WorkGroup"]["Configuration"]["ResultConfiguration"] == BUCKET


def test_a_work_group_is_made_once_and_the_primary_one_never_goes() -> None:
    ask = control()
    ask("CreateWorkGroup", Name="team")
    assert refused(ask, "CreateWorkGroup", Name="team").message == "WorkGroup is already created"
    assert refused(ask, "CreateWorkGroup", Name="primary").error_type == "InvalidRequestException"
    assert refused(ask, "DeleteWorkGroup", WorkGroup="primary").error_type == "InvalidRequestException"
    assert refused(ask, "GetWorkGroup", WorkGroup="other").message == "WorkGroup is not found."


@pytest.mark.parametrize("held", ["history", "query", "statement"])
def test_a_work_group_that_holds_something_goes_only_with_all_of_it(held: str) -> None:
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_DeleteWorkGroup.html
    ask = control(ran={"team"} if held == "history" else None)
    ask("CreateWorkGroup", Name="team", Tags=[{"Key": "k", "Value": "v"}])
    if held == "query":
        ask("CreateNamedQuery", Name="q", Database="d", QueryString="SELECT 1", WorkGroup="team")
    if held == "statement":
        ask("CreatePreparedStatement", StatementName="st", WorkGroup="team", QueryStatement="SELECT ?")
    assert refused(ask, "DeleteWorkGroup", WorkGroup="team").message == "WorkGroup team is not empty"
    ask("DeleteWorkGroup", WorkGroup="team", RecursiveDeleteOption=True)
    ask("CreateWorkGroup", Name="team")
    assert ask("ListNamedQueries", WorkGroup="team")["NamedQueryIds"] == []
    assert ask("ListPreparedStatements", WorkGroup="team")["PreparedStatements"] == []
    assert ask("ListTagsForResource", ResourceARN="arn:aws:athena:us-east-1:000000000000:workgroup/team")["Tags"] == []


def test_a_named_query_is_saved_once_for_a_token() -> None:
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html
    ask = control()
    query = {"Name": "q", "Database": "d", "QueryString": "SELECT 1", "ClientRequestToken": "t" * 32}
    assert ask("CreateNamedQuery", **query) == ask("CreateNamedQuery", **query) == {"NamedQueryId": "id-1"}
    assert (
        refused(ask, "CreateNamedQuery", **query | {"QueryString": "SELECT 2"}).error_type == "InvalidRequestException"
    )
    shown = ask("GetNamedQuery", NamedQueryId="id-1")["NamedQuery"]
    assert shown == {
        **{"Name": "q", "Database": "d", "QueryString": "SELECT 1"},
        **{"NamedQueryId": "id-1", "WorkGroup": "primary"},
    }
    batch = ask("BatchGetNamedQuery", NamedQueryIds=["id-1", "id-9"])
    assert (batch["NamedQueries"], batch["UnprocessedNamedQueryIds"][0]["NamedQueryId"]) == ([shown], "id-9")
    ask("DeleteNamedQuery", NamedQueryId="id-1")
    assert refused(ask, "GetNamedQuery", NamedQueryId="id-1").error_type == "InvalidRequestException"
    elsewhere = query | {"WorkGroup": "nowhere"}
    assert refused(ask, "CreateNamedQuery", **elsewhere).message == "WorkGroup is not found."


def test_a_prepared_statement_that_is_not_there_is_not_found() -> None:
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_GetPreparedStatement.html
    ask = control()
    named = {"StatementName": "st", "WorkGroup": "primary"}
    for action in ("GetPreparedStatement", "DeletePreparedStatement"):
        error = refused(ask, action, **named)
        assert (error.error_type, error.fields["ResourceName"]) == ("ResourceNotFoundException", "st")
    missing = refused(ask, "UpdatePreparedStatement", QueryStatement="SELECT 1", **named)
    assert missing.error_type == "ResourceNotFoundException"
    ask("CreatePreparedStatement", QueryStatement="SELECT ?", **named)
    assert refused(ask, "CreatePreparedStatement", QueryStatement="SELECT ?", **named)
    ask("UpdatePreparedStatement", QueryStatement="SELECT ? + 1", **named)
    batch = ask("BatchGetPreparedStatement", WorkGroup="primary", PreparedStatementNames=["st", "other"])
    assert [each["QueryStatement"] for each in batch["PreparedStatements"]] == ["SELECT ? + 1"]
    assert [each["ErrorCode"] for each in batch["UnprocessedPreparedStatementNames"]] == ["STATEMENT_NOT_FOUND"]


def test_a_work_group_holds_a_thousand_prepared_statements() -> None:
    # https://docs.aws.amazon.com/athena/latest/ug/service-limits.html
    ask = control()
    for n in range(MOST_STATEMENTS):
        ask("CreatePreparedStatement", StatementName=f"s_{n}", WorkGroup="primary", QueryStatement="SELECT 1")
    assert refused(ask, "CreatePreparedStatement", StatementName="one_more", WorkGroup="primary", QueryStatement="x")


def test_data_catalogs_are_registered_and_glues_own_stays() -> None:
    # https://docs.aws.amazon.com/athena/latest/APIReference/API_CreateDataCatalog.html
    ask = control()
    ask("CreateDataCatalog", Name="other", Type="GLUE", Parameters={"catalog-id": "1"})
    assert [c["CatalogName"] for c in ask("ListDataCatalogs")["DataCatalogsSummary"]] == ["AwsDataCatalog", "other"]
    assert ask("GetDataCatalog", Name="awsdatacatalog")["DataCatalog"]["Name"] == "AwsDataCatalog"
    assert "FEDERATED is not supported" in refused(ask, "CreateDataCatalog", Name="f", Type="FEDERATED").message
    assert refused(ask, "CreateDataCatalog", Name="g", Type="GLUE").error_type == "InvalidRequestException"
    assert refused(ask, "DeleteDataCatalog", Name="AWSDATACATALOG").error_type == "InvalidRequestException"
    ask("DeleteDataCatalog", Name="other")
    assert refused(ask, "GetDataCatalog", Name="other").error_type == "InvalidRequestException"


def test_tags_belong_to_what_exists_here() -> None:
    ask = control()
    here = "arn:aws:athena:us-east-1:000000000000:workgroup/primary"
    ask("TagResource", ResourceARN=here, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ask("UntagResource", ResourceARN=here, TagKeys=["a", "never"])
    assert ask("ListTagsForResource", ResourceARN=here)["Tags"] == [{"Key": "b", "Value": "2"}]
    gone = refused(ask, "TagResource", ResourceARN=here + "x", Tags=[])
    assert gone.error_type == "ResourceNotFoundException"
    elsewhere = here.replace("us-east-1", "eu-west-1")
    assert refused(ask, "TagResource", ResourceARN=elsewhere, Tags=[]).error_type == "InvalidRequestException"
    many = [{"Key": str(n), "Value": ""} for n in range(50)]
    assert refused(ask, "TagResource", ResourceARN=here, Tags=many).error_type == "InvalidRequestException"


@given(st.integers(0, 130), st.one_of(st.none(), st.integers(1, 50)))
def test_pages_hold_everything_once(groups: int, size: int | None) -> None:
    ask = control()
    names = [f"g{n:03}" for n in range(groups)]
    for name in names:
        ask("CreateWorkGroup", Name=name)
    asked = {"MaxResults": size} if size else {}
    listed: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = ask("ListWorkGroups", **asked, **token)
        assert len(page["WorkGroups"]) <= (size or 50)
        listed += [group["Name"] for group in page["WorkGroups"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert listed == [*names, "primary"]


def test_a_request_is_checked_against_the_services_model() -> None:
    ask = control()
    wrong = refused(ask, "CreateWorkGroup", Name="a b")
    assert wrong.error_type == "InvalidRequestException"
    assert wrong.fields == {"AthenaErrorCode": "INVALID_INPUT"}
    assert wrong.message == (
        "1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [a-zA-Z0-9._-]{1,128}"
    )
