"""Rules of Athena's query executions: how they start, end, are found again and are bounded by their work group."""

from botocore.exceptions import ClientError

from tests.local_aws.contract.account import Account, Differs, holds, same
from tests.local_aws.contract.rules import rule

_API = "https://docs.aws.amazon.com/athena/latest/APIReference/"
START = _API + "API_StartQueryExecution.html"
GET = _API + "API_GetQueryExecution.html"
EXECUTION = _API + "API_QueryExecution.html"
STATUS = _API + "API_QueryExecutionStatus.html"
BATCH_GET = _API + "API_BatchGetQueryExecution.html"
LIST = _API + "API_ListQueryExecutions.html"
STOP = _API + "API_StopQueryExecution.html"
STATISTICS = _API + "API_QueryExecutionStatistics.html"
RUNTIME = _API + "API_GetQueryRuntimeStatistics.html"
NAMED = _API + "API_CreateNamedQuery.html"
LIST_NAMED = _API + "API_ListNamedQueries.html"
PREPARED = _API + "API_CreatePreparedStatement.html"
GET_PREPARED = _API + "API_GetPreparedStatement.html"
WORKGROUP = _API + "API_WorkGroupConfiguration.html"
CREATE_WORKGROUP = _API + "API_CreateWorkGroup.html"
UPDATE_WORKGROUP = _API + "API_UpdateWorkGroup.html"
REUSE = "https://docs.aws.amazon.com/athena/latest/ug/reusing-query-results.html"
OVERRIDE = "https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html"
PARAMETERS = "https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html"
ERRORS = "https://docs.aws.amazon.com/athena/latest/ug/error-reference.html"
EXPLAIN = "https://docs.aws.amazon.com/athena/latest/ug/athena-explain-statement.html"
CATALOGS = _API + "API_ListDataCatalogs.html"
DATABASES = _API + "API_ListDatabases.html"
TABLE_METADATA = _API + "API_GetTableMetadata.html"

INVALID = "InvalidRequestException"
_NUMBERS = ", ".join(f"({number})" for number in range(800))
LONG = f"WITH t(n) AS (VALUES {_NUMBERS}) SELECT count(*) FROM t a, t b, t c WHERE (a.n * b.n + c.n) % 7 = 3"
"""A statement that is still at work when the next request comes."""


@rule("query-succeeds", "An execution is QUEUED or RUNNING until it has SUCCEEDED, and tells when.", STATUS)
def query_succeeds(aws: Account) -> None:
    query_id = aws.start("SELECT 1")
    first = aws.client("athena").get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"]
    holds(f"its state is {first}", first in {"QUEUED", "RUNNING", "SUCCEEDED"})
    status = aws.ended(query_id)["Status"]
    same("its state in the end", status["State"], "SUCCEEDED")
    holds("it ends before it begins", status["SubmissionDateTime"] <= status["CompletionDateTime"])


@rule("query-fails", "A failed execution says why: StateChangeReason, and AthenaError with its category.", STATUS)
def query_fails(aws: Account) -> None:
    answer = aws.fails("SELECT 1 / 0")
    same("its state", answer.state, "FAILED")
    holds("there is no reason", answer.reason)
    error = answer.execution["Status"].get("AthenaError", {})
    same("the category", error.get("ErrorCategory"), 2)
    same("its message", error.get("ErrorMessage"), answer.reason)


@rule("query-describes", "GetQueryExecution tells the statement, work group, database, output and engine.", EXECUTION)
def query_describes(aws: Account) -> None:
    database = aws.database()
    told = aws.ask("SELECT 1", database=database).execution
    same("Query", told["Query"], "SELECT 1")
    same("WorkGroup", told["WorkGroup"], aws.own_workgroup)
    same("Database", told["QueryExecutionContext"]["Database"], database)
    same("StatementType", told["StatementType"], "DML")
    same("EffectiveEngineVersion", told["EngineVersion"]["EffectiveEngineVersion"], "Athena engine version 3")


@rule("statement-types", "SELECT is DML, DROP TABLE is DDL, SHOW TABLES is UTILITY.", EXECUTION)
def statement_types(aws: Account) -> None:
    database = aws.database()
    for statement, kind in (
        ("SELECT 1", "DML"),
        ("DROP TABLE IF EXISTS made", "DDL"),
        ("SHOW TABLES", "UTILITY"),
    ):
        same(statement, aws.ask(statement, database=database).execution.get("StatementType"), kind)


@rule("explain", "EXPLAIN tells how a statement would be run, as rows of text.", EXPLAIN)
def explain(aws: Account) -> None:
    holds("there are no rows", aws.ask("EXPLAIN SELECT 1").rows)


@rule("no-output", "Without an output location, of the call or the work group, a query is refused.", START)
def no_output(aws: Account) -> None:
    group = aws.fresh("group")
    aws.client("athena").create_work_group(Name=group, Configuration={"EnforceWorkGroupConfiguration": False})
    with aws.refused(INVALID):
        aws.start("SELECT 1", WorkGroup=group)


@rule("unknown-workgroup", "A work group that does not exist is an InvalidRequestException.", START)
def unknown_workgroup(aws: Account) -> None:
    with aws.refused(INVALID):
        aws.start("SELECT 1", WorkGroup=aws.fresh("nobody"))


@rule("query-too-long", "A statement has at most 262,144 characters.", START)
def query_too_long(aws: Account) -> None:
    aws.ask("SELECT 1 --" + "x" * (262_144 - 11))
    with aws.refused(INVALID):
        aws.start("SELECT 1 --" + "x" * (262_145 - 11))


@rule("query-empty", "An empty statement is an InvalidRequestException.", START)
def query_empty(aws: Account) -> None:
    with aws.refused(INVALID):
        aws.start("")


@rule("not-sql", "What is no statement at all does not run: it is refused, or fails with a syntax error.", ERRORS)
def not_sql(aws: Account) -> None:
    try:
        answer = aws.fails("SELEKT everything FORM here")
    except ClientError as error:
        same("the error", error.response["Error"]["Code"], INVALID)
        return
    holds(f"{answer.state} {answer.reason}", answer.state == "FAILED" and "SYNTAX_ERROR" in answer.reason)


TOKEN = "one-token-for-every-time-it-is-asked"


@rule("token-same", "The same ClientRequestToken with the same request is the same execution.", START)
def token_same(aws: Account) -> None:
    token = aws.fresh(TOKEN)
    first, second = (aws.start("SELECT 1", ClientRequestToken=token) for _ in range(2))
    same("the second id", second, first)


@rule("token-other", "The same ClientRequestToken with another statement is an InvalidRequestException.", START)
def token_other(aws: Account) -> None:
    token = aws.fresh(TOKEN)
    aws.start("SELECT 1", ClientRequestToken=token)
    with aws.refused(INVALID):
        aws.start("SELECT 2", ClientRequestToken=token)


@rule("token-length", "A ClientRequestToken has 32 to 128 characters.", START)
def token_length(aws: Account) -> None:
    with aws.refused(INVALID):
        aws.start("SELECT 1", ClientRequestToken="short")


@rule("unknown-query", "An execution id that does not exist is an InvalidRequestException.", GET)
def unknown_query(aws: Account) -> None:
    with aws.refused(INVALID):
        aws.client("athena").get_query_execution(QueryExecutionId="11111111-2222-3333-4444-555555555555")


@rule("batch-get", "BatchGetQueryExecution tells what it knows, and names what it does not.", BATCH_GET)
def batch_get(aws: Account) -> None:
    known, unknown = aws.ask("SELECT 1").id, "11111111-2222-3333-4444-555555555555"
    told = aws.client("athena").batch_get_query_execution(QueryExecutionIds=[known, unknown])
    same("known", [each["QueryExecutionId"] for each in told["QueryExecutions"]], [known])
    same("unknown", [each["QueryExecutionId"] for each in told["UnprocessedQueryExecutionIds"]], [unknown])


@rule("list-queries", "ListQueryExecutions lists a work group's executions, and no other's, page by page.", LIST)
def list_queries(aws: Account) -> None:
    group, other = aws.workgroup(), aws.workgroup()
    mine = {aws.start(f"SELECT {number}", WorkGroup=group) for number in range(3)}
    aws.start("SELECT 9", WorkGroup=other)
    athena = aws.client("athena")
    page = athena.list_query_executions(WorkGroup=group, MaxResults=2)
    same("ids on the first page", len(page["QueryExecutionIds"]), 2)
    rest = athena.list_query_executions(WorkGroup=group, MaxResults=2, NextToken=page["NextToken"])
    same("the ids", {*page["QueryExecutionIds"], *rest["QueryExecutionIds"]}, mine)


@rule("list-limit", "ListQueryExecutions lists at most 50 at a time.", LIST)
def list_limit(aws: Account) -> None:
    with aws.refused(INVALID):
        aws.client("athena").list_query_executions(WorkGroup=aws.own_workgroup, MaxResults=51)


@rule("stop-running", "StopQueryExecution makes a running execution CANCELLED.", STOP)
def stop_running(aws: Account) -> None:
    query_id = aws.start(LONG)
    aws.client("athena").stop_query_execution(QueryExecutionId=query_id)
    same("its state", aws.ended(query_id)["Status"]["State"], "CANCELLED")


@rule("stop-unknown", "Stopping an execution that does not exist is an InvalidRequestException.", STOP)
def stop_unknown(aws: Account) -> None:
    with aws.refused(INVALID):
        aws.client("athena").stop_query_execution(QueryExecutionId="11111111-2222-3333-4444-555555555555")


@rule("statistics", "An execution tells the milliseconds it queued, ran and took in all, and its bytes.", STATISTICS)
def statistics(aws: Account) -> None:
    told = aws.ask("SELECT 1").execution["Statistics"]
    same("DataScannedInBytes", told["DataScannedInBytes"], 0)
    holds("it ran longer than it took", told["EngineExecutionTimeInMillis"] <= told["TotalExecutionTimeInMillis"])
    holds("it queued longer than it took", told["QueryQueueTimeInMillis"] <= told["TotalExecutionTimeInMillis"])


@rule("runtime-statistics", "GetQueryRuntimeStatistics tells the rows an execution answered.", RUNTIME)
def runtime_statistics(aws: Account) -> None:
    query_id = aws.ask("SELECT * FROM (VALUES (1), (2), (3)) AS t(n)").id
    told = aws.client("athena").get_query_runtime_statistics(QueryExecutionId=query_id)["QueryRuntimeStatistics"]
    same("OutputRows", told["Rows"]["OutputRows"], 3)


@rule("reuse-results", "A query that may reuse results no older than an hour scans nothing the second time.", REUSE)
def reuse_results(aws: Account) -> None:
    allowed = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 60}}
    aws.ask("SELECT 'again'", ResultReuseConfiguration=allowed)
    told = aws.ask("SELECT 'again'", ResultReuseConfiguration=allowed).execution["Statistics"]
    same("ReusedPreviousResult", told.get("ResultReuseInformation", {}).get("ReusedPreviousResult"), True)


@rule("parameters", "ExecutionParameters take the places of the question marks, in order.", PARAMETERS)
def parameters(aws: Account) -> None:
    answer = aws.ask("SELECT n FROM (VALUES (1), (2), (3), (4)) AS t(n) WHERE n > ? AND n < ?", "1", "4")
    same("rows", sorted(answer.rows), [("2",), ("3",)])


@rule("parameters-count", "Too few parameters are refused or fail.", PARAMETERS)
def parameters_count(aws: Account) -> None:
    try:
        answer = aws.fails("SELECT ?, ?", "1")
    except ClientError as error:
        same("the error", error.response["Error"]["Code"], INVALID)
        return
    same("its state", answer.state, "FAILED")


@rule("prepared", "A prepared statement is run with EXECUTE ... USING, and told by GetPreparedStatement.", PARAMETERS)
def prepared(aws: Account) -> None:
    athena, group = aws.client("athena"), aws.own_workgroup
    statement = "SELECT n FROM (VALUES (1), (2), (3)) AS t(n) WHERE n >= ?"
    athena.create_prepared_statement(StatementName="at_least", WorkGroup=group, QueryStatement=statement)
    told = athena.get_prepared_statement(StatementName="at_least", WorkGroup=group)["PreparedStatement"]
    same("QueryStatement", told["QueryStatement"], statement)
    same("rows", sorted(aws.ask("EXECUTE at_least USING 2").rows), [("2",), ("3",)])


@rule("prepared-by-sql", "PREPARE and DEALLOCATE PREPARE make and remove a prepared statement.", PARAMETERS)
def prepared_by_sql(aws: Account) -> None:
    aws.ask("PREPARE twice FROM SELECT ? * 2 AS n")
    same("rows", aws.ask("EXECUTE twice USING 21").rows, [("42",)])
    aws.ask("DEALLOCATE PREPARE twice")
    try:
        holds("it still runs", aws.fails("EXECUTE twice USING 21").state == "FAILED")
    except ClientError as error:
        same("the error", error.response["Error"]["Code"], INVALID)


@rule("prepared-twice", "A second prepared statement of the same name in a work group is refused.", PREPARED)
def prepared_twice(aws: Account) -> None:
    given = {"StatementName": "once", "WorkGroup": aws.own_workgroup, "QueryStatement": "SELECT ?"}
    aws.client("athena").create_prepared_statement(**given)
    with aws.refused(INVALID):
        aws.client("athena").create_prepared_statement(**given)


@rule("prepared-gone", "A prepared statement that was deleted is a ResourceNotFoundException.", GET_PREPARED)
def prepared_gone(aws: Account) -> None:
    athena, named = aws.client("athena"), {"StatementName": "gone", "WorkGroup": aws.own_workgroup}
    athena.create_prepared_statement(QueryStatement="SELECT ?", **named)
    athena.delete_prepared_statement(**named)
    with aws.refused("ResourceNotFoundException"):
        athena.get_prepared_statement(**named)


@rule("named-query", "A named query is kept as it was given until it is deleted.", NAMED)
def named_query(aws: Account) -> None:
    athena, given = aws.client("athena"), {"Name": "daily", "Database": "default", "QueryString": "SELECT 1"}
    query_id = athena.create_named_query(**given)["NamedQueryId"]
    told = athena.get_named_query(NamedQueryId=query_id)["NamedQuery"]
    same("the query", {name: told[name] for name in given}, given)
    athena.delete_named_query(NamedQueryId=query_id)
    with aws.refused(INVALID):
        athena.get_named_query(NamedQueryId=query_id)


@rule("named-by-workgroup", "ListNamedQueries lists those of one work group.", LIST_NAMED)
def named_by_workgroup(aws: Account) -> None:
    athena, group = aws.client("athena"), aws.own_workgroup
    given = {"Name": "daily", "Database": "default", "QueryString": "SELECT 1"}
    query_id = athena.create_named_query(WorkGroup=group, **given)["NamedQueryId"]
    athena.create_named_query(WorkGroup=aws.workgroup(), **given)
    same("the ids", athena.list_named_queries(WorkGroup=group)["NamedQueryIds"], [query_id])


@rule("workgroup-twice", "A second work group of the same name is refused.", CREATE_WORKGROUP)
def workgroup_twice(aws: Account) -> None:
    with aws.refused(INVALID):
        aws.client("athena").create_work_group(Name=aws.own_workgroup)


@rule("workgroup-disabled", "A work group that is DISABLED runs no queries.", UPDATE_WORKGROUP)
def workgroup_disabled(aws: Account) -> None:
    group = aws.workgroup()
    aws.client("athena").update_work_group(WorkGroup=group, State="DISABLED")
    with aws.refused(INVALID):
        aws.start("SELECT 1", WorkGroup=group)


@rule(
    "workgroup-enforces", "A work group that enforces its configuration overrides the call's output location.", OVERRIDE
)
def workgroup_enforces(aws: Account) -> None:
    group, elsewhere = aws.workgroup(EnforceWorkGroupConfiguration=True), f"s3://{aws.bucket()}/mine/"
    answer = aws.ask("SELECT 1", WorkGroup=group, ResultConfiguration={"OutputLocation": elsewhere})
    holds(f"the output is {answer.output}", answer.output.endswith(f"/results/{answer.id}.csv"))


@rule("workgroup-allows", "One that does not enforce it lets the call say where its output goes.", OVERRIDE)
def workgroup_allows(aws: Account) -> None:
    group, elsewhere = aws.workgroup(EnforceWorkGroupConfiguration=False), f"s3://{aws.bucket()}/mine/"
    answer = aws.ask("SELECT 1", WorkGroup=group, ResultConfiguration={"OutputLocation": elsewhere})
    same("the output", answer.output, f"{elsewhere}{answer.id}.csv")


@rule("workgroup-default-enforces", "A work group enforces its configuration unless it is told not to.", WORKGROUP)
def workgroup_default_enforces(aws: Account) -> None:
    told = aws.client("athena").get_work_group(WorkGroup=aws.workgroup())["WorkGroup"]["Configuration"]
    same("EnforceWorkGroupConfiguration", told.get("EnforceWorkGroupConfiguration"), True)


@rule("data-catalog", "AwsDataCatalog is there without anyone making it.", CATALOGS)
def data_catalog(aws: Account) -> None:
    listed = aws.client("athena").list_data_catalogs()["DataCatalogsSummary"]
    same("its type", {each["CatalogName"]: each["Type"] for each in listed}.get("AwsDataCatalog"), "GLUE")


@rule("list-databases", "ListDatabases lists Glue's databases.", DATABASES)
def list_databases(aws: Account) -> None:
    made = aws.database()
    pages = aws.client("athena").get_paginator("list_databases").paginate(CatalogName="AwsDataCatalog")
    holds("the database is not listed", made in [each["Name"] for page in pages for each in page["DatabaseList"]])


@rule("table-metadata", "GetTableMetadata tells a table's columns and partition keys.", TABLE_METADATA)
def table_metadata(aws: Account) -> None:
    database = aws.database()
    aws.table(database, {"id": "string", "n": "int"}, "s3://nowhere/", keys={"dt": "string"})
    try:
        told = aws.client("athena").get_table_metadata(
            CatalogName="AwsDataCatalog", DatabaseName=database, TableName="events"
        )["TableMetadata"]
    except KeyError as missing:
        raise Differs(f"the answer has no {missing}") from None
    same("columns", [(each["Name"], each["Type"]) for each in told["Columns"]], [("id", "string"), ("n", "int")])
    same("keys", [each["Name"] for each in told["PartitionKeys"]], ["dt"])
