"""boto3 against the embedded AWS, with nothing but the endpoint in the environment."""

import io
import json
import zipfile
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import boto3
import pytest

from tests.local_aws.athena.lake import DATABASE
from tests.local_aws.clients.lake import BUCKET, WORKGROUP
from tests.local_aws.clients.listed import BOTO3, tries

pytestmark = pytest.mark.usefixtures("endpoint")


def eventually(found: Callable[[], Any], *, within: float = 20) -> Any:
    deadline = monotonic() + within
    while not (answer := found()) and monotonic() < deadline:
        sleep(0.05)
    return answer


def ended(athena: Any, query_id: str) -> dict[str, Any]:
    def execution() -> dict[str, Any] | None:
        described: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        return described if described["Status"]["State"] not in {"QUEUED", "RUNNING"} else None

    answer: dict[str, Any] = eventually(execution)
    return answer


@tries(BOTO3, "Athena: a query from its start to its rows", "athena.html")
def test_a_query_from_its_start_to_its_rows() -> None:
    athena = boto3.client("athena")
    started = athena.start_query_execution(
        QueryString="SELECT count(*) FROM stock_events WHERE dt = '2026-11-20'",
        QueryExecutionContext={"Database": DATABASE, "Catalog": "AwsDataCatalog"},
        WorkGroup=WORKGROUP,
    )["QueryExecutionId"]
    assert ended(athena, started)["Status"]["State"] == "SUCCEEDED"
    rows = athena.get_query_results(QueryExecutionId=started)["ResultSet"]["Rows"]
    assert rows == [{"Data": [{"VarCharValue": "_col0"}]}, {"Data": [{"VarCharValue": "8"}]}]
    assert athena.list_query_executions(WorkGroup=WORKGROUP)["QueryExecutionIds"][0] == started
    statistics = athena.get_query_runtime_statistics(QueryExecutionId=started)["QueryRuntimeStatistics"]
    assert statistics["Rows"]["OutputRows"] == 1
    with pytest.raises(athena.exceptions.InvalidRequestException) as caught:
        athena.start_query_execution(QueryString="SELECT 1", WorkGroup="no-such")
    assert caught.value.response.get("AthenaErrorCode") == "INVALID_INPUT"


@tries(BOTO3, "Athena: databases, tables and views of a catalogue", "athena/paginator/ListTableMetadata.html")
def test_databases_tables_and_views_of_a_catalogue() -> None:
    athena = boto3.client("athena")
    assert athena.list_data_catalogs()["DataCatalogsSummary"] == [{"CatalogName": "AwsDataCatalog", "Type": "GLUE"}]
    [database] = athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    assert (database["Name"], database["Description"]) == (DATABASE, "What stores report")
    pages = athena.get_paginator("list_table_metadata").paginate(
        CatalogName="awsdatacatalog", DatabaseName=DATABASE, PaginationConfig={"PageSize": 2}
    )
    tables = [(table["Name"], table["TableType"]) for page in pages for table in page["TableMetadataList"]]
    assert tables == [
        ("quarantine", "EXTERNAL_TABLE"),
        ("stock_events", "EXTERNAL_TABLE"),
        ("unique_events", "VIRTUAL_VIEW"),
    ]
    described = athena.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName=DATABASE, TableName="Stock_Events"
    )["TableMetadata"]
    assert described["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    assert {"Name": "stock", "Type": "int"} in described["Columns"]
    assert described["Parameters"]["location"] == f"s3://{BUCKET}/stock_events/"
    with pytest.raises(athena.exceptions.MetadataException, match="Error Code: EntityNotFoundException"):
        athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName=DATABASE, TableName="nothing")
    with pytest.raises(athena.exceptions.InvalidRequestException):
        athena.list_databases(CatalogName="nowhere")


@tries(BOTO3, "Athena: work groups, their settings and their deletion", "athena/client/update_work_group.html")
def test_work_groups() -> None:
    athena = boto3.client("athena")
    athena.create_work_group(Name="team", Description="ours", Tags=[{"Key": "cost", "Value": "1"}])
    athena.update_work_group(
        WorkGroup="team",
        ConfigurationUpdates={
            "BytesScannedCutoffPerQuery": 10_000_000,
            "ResultConfigurationUpdates": {"OutputLocation": f"s3://{BUCKET}/team/"},
        },
    )
    described = athena.get_work_group(WorkGroup="team")["WorkGroup"]
    assert described["Configuration"]["ResultConfiguration"] == {"OutputLocation": f"s3://{BUCKET}/team/"}
    assert described["Configuration"]["EnforceWorkGroupConfiguration"] is True
    assert described["Configuration"]["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    arn = "arn:aws:athena:us-east-1:000000000000:workgroup/team"
    assert athena.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "cost", "Value": "1"}]
    started = athena.start_query_execution(QueryString="SELECT 1", WorkGroup="team")["QueryExecutionId"]
    assert ended(athena, started)["Status"]["State"] == "SUCCEEDED"
    with pytest.raises(athena.exceptions.InvalidRequestException, match="WorkGroup team is not empty"):
        athena.delete_work_group(WorkGroup="team")
    athena.delete_work_group(WorkGroup="team", RecursiveDeleteOption=True)
    with pytest.raises(athena.exceptions.InvalidRequestException, match="WorkGroup is not found"):
        athena.get_work_group(WorkGroup="team")


@tries(BOTO3, "Athena: named queries and prepared statements", "athena/client/create_prepared_statement.html")
def test_named_queries_and_prepared_statements() -> None:
    athena = boto3.client("athena")
    query_id = athena.create_named_query(
        Name="low", Database=DATABASE, QueryString="SELECT 1", WorkGroup=WORKGROUP, ClientRequestToken="t" * 32
    )["NamedQueryId"]
    athena.update_named_query(NamedQueryId=query_id, Name="low", QueryString="SELECT 2")
    assert athena.get_named_query(NamedQueryId=query_id)["NamedQuery"]["QueryString"] == "SELECT 2"
    assert athena.list_named_queries(WorkGroup=WORKGROUP)["NamedQueryIds"] == [query_id]
    assert athena.list_named_queries()["NamedQueryIds"] == []
    athena.create_prepared_statement(StatementName="above", WorkGroup=WORKGROUP, QueryStatement="SELECT ? + 1 AS n")
    with pytest.raises(athena.exceptions.ResourceNotFoundException) as caught:
        athena.get_prepared_statement(StatementName="below", WorkGroup=WORKGROUP)
    assert caught.value.response.get("ResourceName") == "below"
    started = athena.start_query_execution(QueryString="EXECUTE above USING 2", WorkGroup=WORKGROUP)["QueryExecutionId"]
    assert ended(athena, started)["Status"]["State"] == "SUCCEEDED"
    rows = athena.get_query_results(QueryExecutionId=started)["ResultSet"]["Rows"]
    assert rows[1] == {"Data": [{"VarCharValue": "3"}]}


@tries(BOTO3, "Glue: versions of a table, partitions by an expression", "glue/client/get_table_versions.html")
def test_versions_of_a_table_and_partitions_by_an_expression() -> None:
    glue = boto3.client("glue")
    glue.create_database(DatabaseInput={"Name": "versions"})
    table: Any = {"Name": "t", "PartitionKeys": [{"Name": "n", "Type": "int"}], "Parameters": {"a": "1"}}
    glue.create_table(DatabaseName="versions", TableInput=table)
    glue.update_table(DatabaseName="versions", TableInput=table | {"Parameters": {"b": "2"}})
    versions = glue.get_table_versions(DatabaseName="versions", TableName="t")["TableVersions"]
    assert [version["Table"]["Parameters"] for version in versions] == [{"b": "2"}, {"a": "1"}]
    entries: Any = [{"Values": [str(n)], "StorageDescriptor": {"Location": f"s3://{BUCKET}/{n}/"}} for n in (2, 10)]
    glue.batch_create_partition(DatabaseName="versions", TableName="t", PartitionInputList=entries)
    found = glue.get_partitions(DatabaseName="versions", TableName="t", Expression="n > 9")["Partitions"]
    assert [partition["Values"] for partition in found] == [["10"]]
    refused = glue.batch_delete_partition(
        DatabaseName="versions", TableName="t", PartitionsToDelete=[{"Values": ["10"]}, {"Values": ["11"]}]
    )["Errors"]
    assert [error["PartitionValues"] for error in refused] == [["11"]]
    left = glue.get_partitions(DatabaseName="versions", TableName="t")["Partitions"]
    assert [partition["Values"] for partition in left] == [["2"]]


@tries(BOTO3, "Firehose: records into S3", "firehose/client/put_record_batch.html")
def test_records_into_s3() -> None:
    s3, firehose = boto3.client("s3"), boto3.client("firehose")
    s3.create_bucket(Bucket="into-s3")
    firehose.create_delivery_stream(
        DeliveryStreamName="into-s3",
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::000000000000:role/firehose",
            "BucketARN": "arn:aws:s3:::into-s3",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
        },
    )
    eventually(lambda: _stream_state(firehose) == "ACTIVE")
    answer = firehose.put_record_batch(DeliveryStreamName="into-s3", Records=[{"Data": b"a\n"}, {"Data": b"b\n"}])
    assert answer["FailedPutCount"] == 0
    [stored] = eventually(lambda: s3.list_objects_v2(Bucket="into-s3").get("Contents"))
    assert s3.get_object(Bucket="into-s3", Key=stored["Key"])["Body"].read() == b"a\nb\n"


def _stream_state(firehose: Any) -> str:
    described = firehose.describe_delivery_stream(DeliveryStreamName="into-s3")["DeliveryStreamDescription"]
    return str(described["DeliveryStreamStatus"])


TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Group": {
            "Type": "AWS::Athena::WorkGroup",
            "Properties": {"Name": "deployed", "RecursiveDeleteOption": False},
        },
        "Query": {
            "Type": "AWS::Athena::NamedQuery",
            "Properties": {"Database": DATABASE, "QueryString": "SELECT 1", "WorkGroup": {"Ref": "Group"}},
        },
        "Statement": {
            "Type": "AWS::Athena::PreparedStatement",
            "Properties": {"StatementName": "ready", "WorkGroup": {"Ref": "Group"}, "QueryStatement": "SELECT ?"},
        },
        "Catalog": {
            "Type": "AWS::Athena::DataCatalog",
            "Properties": {"Name": "same", "Type": "GLUE", "Parameters": {"catalog-id": "000000000000"}},
        },
    },
    "Outputs": {"Query": {"Value": {"Ref": "Query"}}, "Statement": {"Value": {"Ref": "Statement"}}},
}


@tries(BOTO3, "CloudFormation: named queries, prepared statements, data catalogues", "cloudformation.html")
def test_a_stack_deploys_named_queries_and_prepared_statements() -> None:
    cloudformation, athena = boto3.client("cloudformation"), boto3.client("athena")
    outputs = _deployed(cloudformation, "create_stack", "stack_create_complete", TEMPLATE)
    query = athena.get_named_query(NamedQueryId=outputs["Query"])["NamedQuery"]
    assert (query["QueryString"], query["WorkGroup"]) == ("SELECT 1", "deployed")
    assert outputs["Statement"] == "ready"
    assert athena.list_databases(CatalogName="same")["DatabaseList"]

    changed = json.loads(json.dumps(TEMPLATE).replace("SELECT 1", "SELECT 2").replace("SELECT ?", "SELECT ? + 1"))
    replaced = _deployed(cloudformation, "update_stack", "stack_update_complete", changed)
    assert replaced["Query"] != outputs["Query"], "CloudFormation replaces a named query whatever changes of it"
    assert athena.list_named_queries(WorkGroup="deployed")["NamedQueryIds"] == [replaced["Query"]]
    statement = athena.get_prepared_statement(StatementName="ready", WorkGroup="deployed")["PreparedStatement"]
    assert statement["QueryStatement"] == "SELECT ? + 1"

    cloudformation.delete_stack(StackName="athena")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="athena", WaiterConfig={"Delay": 1})
    assert "deployed" not in [group["Name"] for group in athena.list_work_groups()["WorkGroups"]]


@tries(BOTO3, "CloudFormation: a work group that holds something stays", "cloudformation/client/delete_stack.html")
def test_a_stack_does_not_delete_a_work_group_that_holds_something() -> None:
    cloudformation, athena = boto3.client("cloudformation"), boto3.client("athena")
    group = {"Resources": {"Group": TEMPLATE["Resources"]["Group"]}}
    _deployed(cloudformation, "create_stack", "stack_create_complete", group)
    athena.create_named_query(Name="mine", Database=DATABASE, QueryString="SELECT 1", WorkGroup="deployed")
    cloudformation.delete_stack(StackName="athena")

    def failed() -> bool:
        [stack] = cloudformation.describe_stacks(StackName="athena")["Stacks"]
        return bool(stack["StackStatus"] == "DELETE_FAILED")

    assert eventually(failed)
    athena.delete_work_group(WorkGroup="deployed", RecursiveDeleteOption=True)
    cloudformation.delete_stack(StackName="athena")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="athena", WaiterConfig={"Delay": 1})


def _deployed(cloudformation: Any, action: str, waiter: str, template: dict[str, Any]) -> dict[str, str]:
    getattr(cloudformation, action)(StackName="athena", TemplateBody=json.dumps(template))
    cloudformation.get_waiter(waiter).wait(StackName="athena", WaiterConfig={"Delay": 1})
    [stack] = cloudformation.describe_stacks(StackName="athena")["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def function_package(code: str) -> bytes:
    """Return a function's code as Lambda takes it."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as package:
        package.writestr("handler.py", code)
    return body.getvalue()
