"""Rules of Athena's results: rows, pages, types and the objects in the output location."""

import csv
import io

from tests.local_aws.contract.account import Account, holds, same
from tests.local_aws.contract.athena_executions import INVALID, LONG
from tests.local_aws.contract.rules import rule

GET_RESULTS = "https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html"
COLUMN_INFO = "https://docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html"
DATUM = "https://docs.aws.amazon.com/athena/latest/APIReference/API_Datum.html"
CSV_NULLS = "https://github.com/pyathena-dev/PyAthena/pull/643"
OUTPUT_FILES = "https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html"
TYPES = "https://docs.aws.amazon.com/athena/latest/ug/data-types.html"


@rule("header-row", "The first row of a SELECT's results is its column names.", GET_RESULTS)
def header_row(aws: Account) -> None:
    query_id = aws.ask("SELECT 1 AS one, 'b' AS two").id
    rows = aws.client("athena").get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
    told = [[datum["VarCharValue"] for datum in row["Data"]] for row in rows]
    same("rows", told, [["one", "two"], ["1", "b"]])


@rule(
    "paging", "MaxResults rows come at a time, the header being the first of all, and NextToken leads on.", GET_RESULTS
)
def paging(aws: Account) -> None:
    athena = aws.client("athena")
    query_id = aws.ask("SELECT n FROM (VALUES (1), (2), (3), (4), (5)) AS t(n) ORDER BY n").id
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = athena.get_query_results(QueryExecutionId=query_id, MaxResults=2, **token)
        rows = [row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]]
        holds(f"a page of {len(rows)} rows", len(rows) <= 2)
        seen += rows
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    same("rows", seen, ["n", "1", "2", "3", "4", "5"])


@rule("thousand-rows", "A page has at most 1,000 rows, and MaxResults may not be more.", GET_RESULTS)
def thousand_rows(aws: Account) -> None:
    athena = aws.client("athena")
    numbers = ", ".join(f"({n})" for n in range(1500))
    query_id = aws.ask(f"SELECT n FROM (VALUES {numbers}) AS t(n)").id
    page = athena.get_query_results(QueryExecutionId=query_id)
    same("rows", len(page["ResultSet"]["Rows"]), 1000)
    holds("there is no NextToken", page.get("NextToken"))
    with aws.refused(INVALID):
        athena.get_query_results(QueryExecutionId=query_id, MaxResults=1001)


@rule(
    "column-types", "ColumnInfo names Athena's types: integer, bigint, double, varchar, decimal and so on.", COLUMN_INFO
)
def column_types(aws: Account) -> None:
    expressions = {
        "1": "integer",
        "CAST(1 AS bigint)": "bigint",
        "CAST(1 AS double)": "double",
        "CAST(1 AS real)": "float",
        "true": "boolean",
        "'a'": "varchar",
        "DATE '2026-11-20'": "date",
        "TIMESTAMP '2026-11-20 12:00:00.000'": "timestamp",
        "CAST(1.5 AS decimal(10, 2))": "decimal",
        "ARRAY[1]": "array",
        "MAP(ARRAY['a'], ARRAY[1])": "map",
        "CAST(ROW(1, 'a') AS ROW(n integer, s varchar))": "row",
    }
    columns = aws.ask("SELECT " + ", ".join(f"{text} AS c{i}" for i, text in enumerate(expressions))).columns
    same("types", [kind.partition("(")[0] for _, kind in columns], list(expressions.values()))


@rule("decimal-precision", "A decimal's ColumnInfo has its precision and scale.", COLUMN_INFO)
def decimal_precision(aws: Account) -> None:
    query_id = aws.ask("SELECT CAST(1.5 AS decimal(10, 2)) AS d").id
    told = aws.client("athena").get_query_results(QueryExecutionId=query_id)["ResultSet"]["ResultSetMetadata"]
    (column,) = told["ColumnInfo"]
    same("precision and scale", (column["Precision"], column["Scale"]), (10, 2))
    same("Nullable", column["Nullable"], "UNKNOWN")


@rule("values", "Values are text as Trino writes it: true, 1.50, 2026-11-20 12:00:00.000, [1, 2], {a=1}.", TYPES)
def values(aws: Account) -> None:
    aws.answers(
        "SELECT true, CAST(1.5 AS decimal(5, 2)), TIMESTAMP '2026-11-20 12:00:00.000', DATE '2026-11-20', "
        "ARRAY[1, 2], MAP(ARRAY['a'], ARRAY[1]), 1e0, 'a'",
        ["true", "1.50", "2026-11-20 12:00:00.000", "2026-11-20", "[1, 2]", "{a=1}", "1.0", "a"],
    )


@rule("nulls", "A null is a Datum without a VarCharValue; an empty string has an empty one.", DATUM)
def nulls(aws: Account) -> None:
    aws.answers("SELECT CAST(NULL AS varchar), ''", [None, ""])


@rule("unnamed-columns", "A column without a name is called _col0, _col1 and so on.", GET_RESULTS)
def unnamed_columns(aws: Account) -> None:
    same("names", [name for name, _ in aws.ask("SELECT 1 + 1, 'x', 2 AS two").columns], ["_col0", "_col1", "two"])


@rule(
    "results-unfinished", "The results of an execution that has not ended are an InvalidRequestException.", GET_RESULTS
)
def results_unfinished(aws: Account) -> None:
    query_id = aws.start(LONG)
    with aws.refused(INVALID):
        aws.client("athena").get_query_results(QueryExecutionId=query_id)
    aws.client("athena").stop_query_execution(QueryExecutionId=query_id)


@rule("results-failed", "So are those of an execution that has failed.", GET_RESULTS)
def results_failed(aws: Account) -> None:
    query_id = aws.fails("SELECT nothing").id
    with aws.refused(INVALID):
        aws.client("athena").get_query_results(QueryExecutionId=query_id)


@rule(
    "csv-output",
    "A SELECT's results are a CSV object, named after the execution, in the output location.",
    OUTPUT_FILES,
)
def csv_output(aws: Account) -> None:
    answer = aws.ask("SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(n, s) ORDER BY n")
    holds(f"the output is {answer.output}", answer.output.endswith(f"/{answer.id}.csv"))
    same("the object", aws.object_at(answer.output), b'"n","s"\n"1","a"\n"2","b"\n')


@rule("csv-quoting", "Every value in the CSV is quoted, quotes are doubled, and only a null is nothing.", CSV_NULLS)
def csv_quoting(aws: Account) -> None:
    answer = aws.ask("""SELECT 'say "hi", you' AS a, CAST(NULL AS varchar) AS b, '' AS c""")
    text = aws.object_at(answer.output).decode()
    same("the object", text, '"a","b","c"\n"say ""hi"", you",,""\n')
    same("read back", list(csv.reader(io.StringIO(text)))[1], ['say "hi", you', "", ""])


@rule("metadata-output", "Beside the CSV lies an object of the same name with .metadata behind it.", OUTPUT_FILES)
def metadata_output(aws: Account) -> None:
    answer = aws.ask("SELECT 1 AS n")
    bucket, _, key = answer.output.removeprefix("s3://").partition("/")
    holds("it does not exist", f"{key}.metadata" in aws.objects(bucket))


@rule("ddl-output", "The results of DDL and utility statements are a text object.", OUTPUT_FILES)
def ddl_output(aws: Account) -> None:
    database = aws.database()
    aws.table(database, {"n": "int"}, "s3://nowhere/")
    answer = aws.ask("SHOW TABLES", database=database)
    holds(f"the output is {answer.output}", answer.output.endswith(f"/{answer.id}.txt"))
    same("the object", aws.object_at(answer.output).strip(), b"events")
    same("rows", answer.rows, [("events",)])
