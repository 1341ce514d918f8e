"""Rules of what Athena writes: tables as queries, inserts, unloads, views and DDL."""

import gzip
import io
import json

import pyarrow.parquet

from tests.local_aws.contract.account import Account, holds, same
from tests.local_aws.contract.rules import rule

_UG = "https://docs.aws.amazon.com/athena/latest/ug/"
CTAS = _UG + "create-table-as.html"
PATH_EXISTS = "https://github.com/dbt-labs/dbt-athena/issues/58"
INSERT = _UG + "insert-into.html"
UNLOAD = _UG + "unload.html"
VIEW = _UG + "create-view.html"
CREATE_TABLE = _UG + "create-table.html"
CREATE_DATABASE = _UG + "create-database.html"
DROP_TABLE = _UG + "drop-table.html"
SHOW_PARTITIONS = _UG + "show-partitions.html"
DESCRIBE = _UG + "describe-table.html"
SHOW_CREATE = _UG + "show-create-table.html"
OUTPUT_FILES = _UG + "querying-finding-output-files.html"
RESULTS = "https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html"

ROWS = "(VALUES (1, 'a'), (2, 'b')) AS t(n, s)"


@rule("ctas", "CREATE TABLE AS SELECT makes a table of its rows, in Parquet unless a format is given.", CTAS)
def ctas(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.ask(
        f"CREATE TABLE made WITH (external_location = 's3://{bucket}/made/') AS SELECT * FROM {ROWS}", database=database
    )
    aws.answers("SELECT n, s FROM made ORDER BY n", ["1", "a"], ["2", "b"], database=database)
    for body in aws.objects(bucket, "made/").values():
        same("columns", pyarrow.parquet.read_schema(io.BytesIO(body)).names, ["n", "s"])


@rule("ctas-format", "CTAS writes the format it is told: here JSON.", CTAS)
def ctas_format(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    properties = f"format = 'JSON', external_location = 's3://{bucket}/made/'"
    aws.ask(f"CREATE TABLE made WITH ({properties}) AS SELECT * FROM {ROWS}", database=database)
    text = b"".join(gzip.decompress(b) if b[:2] == b"\x1f\x8b" else b for b in aws.objects(bucket, "made/").values())
    same("documents", sorted(json.loads(line)["n"] for line in text.splitlines()), [1, 2])
    aws.answers("SELECT n FROM made ORDER BY n", ["1"], ["2"], database=database)


@rule("ctas-partitions", "partitioned_by makes a folder and a partition for each value of the last columns.", CTAS)
def ctas_partitions(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    properties = f"partitioned_by = ARRAY['s'], external_location = 's3://{bucket}/made/'"
    aws.ask(f"CREATE TABLE made WITH ({properties}) AS SELECT n, s FROM {ROWS}", database=database)
    folders = {key.split("/")[1] for key in aws.objects(bucket, "made/")}
    same("folders", folders, {"s=a", "s=b"})
    aws.answers("SELECT n FROM made WHERE s = 'b'", ["2"], database=database)


@rule("ctas-not-empty", "CTAS fails where its location already has data: HIVE_PATH_ALREADY_EXISTS.", PATH_EXISTS)
def ctas_not_empty(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.put_object(bucket, "made/there", b"x")
    statement = f"CREATE TABLE made WITH (external_location = 's3://{bucket}/made/') AS SELECT 1 AS n"
    answer = aws.fails(statement, database=database)
    same("its state", answer.state, "FAILED")
    holds(f"the reason is {answer.reason}", "HIVE_PATH_ALREADY_EXISTS" in answer.reason)
    same("what was there", aws.objects(bucket, "made/"), {"made/there": b"x"})


@rule("ctas-exists", "CTAS of a table that exists fails.", CTAS)
def ctas_exists(aws: Account) -> None:
    database = aws.database()
    aws.ask("CREATE TABLE made AS SELECT 1 AS n", database=database)
    same("its state", aws.fails("CREATE TABLE made AS SELECT 2 AS n", database=database).state, "FAILED")
    aws.answers("SELECT n FROM made", ["1"], database=database)


@rule("insert", "INSERT INTO adds the rows of a SELECT or of VALUES to a table.", INSERT)
def insert(aws: Account) -> None:
    database = aws.database()
    aws.ask(f"CREATE TABLE made AS SELECT * FROM {ROWS}", database=database)
    aws.ask("INSERT INTO made VALUES (3, 'c')", database=database)
    aws.ask("INSERT INTO made (s, n) SELECT 'd', n + 3 FROM made WHERE n = 1", database=database)
    aws.answers("SELECT n, s FROM made ORDER BY n", ["1", "a"], ["2", "b"], ["3", "c"], ["4", "d"], database=database)


@rule("update-count", "GetQueryResults tells how many rows CTAS or INSERT INTO wrote as UpdateCount.", RESULTS)
def update_count(aws: Account) -> None:
    database, athena = aws.database(), aws.client("athena")
    made = aws.ask(f"CREATE TABLE made AS SELECT * FROM {ROWS}", database=database)
    same("of CTAS", athena.get_query_results(QueryExecutionId=made.id).get("UpdateCount"), 2)
    added = aws.ask("INSERT INTO made VALUES (3, 'c')", database=database)
    same("of INSERT", athena.get_query_results(QueryExecutionId=added.id).get("UpdateCount"), 1)


@rule("manifest", "A manifest in the output location lists the objects that INSERT INTO wrote.", OUTPUT_FILES)
def manifest(aws: Account) -> None:
    database = aws.database()
    aws.ask(f"CREATE TABLE made AS SELECT * FROM {ROWS}", database=database)
    told = aws.ask("INSERT INTO made VALUES (3, 'c')", database=database)
    location = told.execution["Statistics"].get("DataManifestLocation", "")
    holds(f"the manifest is {location or 'missing'}", location.endswith(f"{told.id}-manifest.csv"))
    (written,) = aws.object_at(location).decode().split()
    holds("what it lists is not there", aws.object_at(written))


@rule("unload-parquet", "UNLOAD writes a SELECT's rows as Parquet below an empty location, and makes no table.", UNLOAD)
def unload_parquet(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.ask(f"UNLOAD (SELECT * FROM {ROWS}) TO 's3://{bucket}/out/' WITH (format = 'PARQUET')", database=database)
    same("n", sorted(row["n"] for row in aws.rows(bucket, 2, "out/")), [1, 2])
    same("tables", aws.client("glue").get_tables(DatabaseName=database)["TableList"], [])


@rule("unload-json", "UNLOAD writes JSON or TEXTFILE too, gzipped unless told otherwise.", UNLOAD)
def unload_json(aws: Account) -> None:
    bucket = aws.bucket()
    aws.ask(f"UNLOAD (SELECT * FROM {ROWS}) TO 's3://{bucket}/json/' WITH (format = 'JSON')")
    lines = b"".join(gzip.decompress(body) for body in aws.objects(bucket, "json/").values()).splitlines()
    same("documents", sorted(json.loads(line)["s"] for line in lines), ["a", "b"])
    properties = "format = 'TEXTFILE', field_delimiter = ',', compression = 'NONE'"
    aws.ask(f"UNLOAD (SELECT * FROM {ROWS}) TO 's3://{bucket}/text/' WITH ({properties})")
    same("lines", sorted(b"".join(aws.objects(bucket, "text/").values()).splitlines()), [b"1,a", b"2,b"])


@rule("unload-not-empty", "UNLOAD fails where its location already has data.", UNLOAD)
def unload_not_empty(aws: Account) -> None:
    bucket = aws.bucket()
    aws.put_object(bucket, "out/there", b"x")
    answer = aws.fails(f"UNLOAD (SELECT 1 AS n) TO 's3://{bucket}/out/' WITH (format = 'PARQUET')")
    same("its state", answer.state, "FAILED")
    same("what was there", aws.objects(bucket, "out/"), {"out/there": b"x"})


@rule("view", "A view is a query under a name; CREATE OR REPLACE changes it, DROP VIEW removes it.", VIEW)
def view(aws: Account) -> None:
    database = aws.database()
    aws.ask(f"CREATE VIEW seen AS SELECT n * 10 AS tens FROM {ROWS}", database=database)
    aws.answers("SELECT tens FROM seen ORDER BY tens", ["10"], ["20"], database=database)
    aws.ask("CREATE OR REPLACE VIEW seen AS SELECT 7 AS n", database=database)
    aws.answers("SELECT n FROM seen", ["7"], database=database)
    aws.ask("DROP VIEW seen", database=database)
    same("its state", aws.fails("SELECT n FROM seen", database=database).state, "FAILED")


@rule("view-in-glue", "Athena keeps a view in Glue as a VIRTUAL_VIEW with Presto's text.", VIEW)
def view_in_glue(aws: Account) -> None:
    database = aws.database()
    aws.ask("CREATE VIEW seen AS SELECT 7 AS n", database=database)
    told = aws.client("glue").get_table(DatabaseName=database, Name="seen")["Table"]
    same("TableType", told["TableType"], "VIRTUAL_VIEW")
    holds("its text is not Presto's", told.get("ViewOriginalText", "").startswith("/* Presto View: "))


@rule("create-table", "CREATE EXTERNAL TABLE makes a Glue table.", CREATE_TABLE)
def create_table(aws: Account) -> None:
    database = aws.database()
    aws.ask(
        "CREATE EXTERNAL TABLE IF NOT EXISTS events (id string, tags array<string>) PARTITIONED BY (dt string) "
        "STORED AS PARQUET LOCATION 's3://nowhere/e/' TBLPROPERTIES ('projection.enabled' = 'false')",
        database=database,
    )
    told = aws.client("glue").get_table(DatabaseName=database, Name="events")["Table"]
    columns = [(each["Name"], each["Type"]) for each in told["StorageDescriptor"]["Columns"]]
    same("columns", columns, [("id", "string"), ("tags", "array<string>")])
    same("keys", [each["Name"] for each in told["PartitionKeys"]], ["dt"])
    same("location", told["StorageDescriptor"]["Location"].rstrip("/"), "s3://nowhere/e")


@rule("create-database", "CREATE DATABASE and DROP DATABASE make and remove a Glue database.", CREATE_DATABASE)
def create_database(aws: Account) -> None:
    name, glue = aws.fresh("db").replace("-", "_"), aws.client("glue")
    aws.ask(f"CREATE DATABASE {name}")
    same("Name", glue.get_database(Name=name)["Database"]["Name"], name)
    aws.ask(f"DROP DATABASE {name}")
    with aws.refused("EntityNotFoundException"):
        glue.get_database(Name=name)


@rule("drop-table", "DROP TABLE removes the table from Glue and leaves an external table's data.", DROP_TABLE)
def drop_table(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "bigint"}, f"s3://{bucket}/e/")
    aws.put_parquet(bucket, "e/a.parquet", {"n": [1]})
    aws.ask("DROP TABLE events", database=database)
    same("tables", aws.client("glue").get_tables(DatabaseName=database)["TableList"], [])
    same("objects", list(aws.objects(bucket)), ["e/a.parquet"])


@rule("show-partitions", "SHOW PARTITIONS lists a table's partitions as key=value.", SHOW_PARTITIONS)
def show_partitions(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "int"}, f"s3://{bucket}/e/", keys={"dt": "string"})
    for day in ("a", "b"):
        aws.client("glue").create_partition(
            DatabaseName=database,
            TableName="events",
            PartitionInput={"Values": [day], "StorageDescriptor": {"Location": f"s3://{bucket}/e/dt={day}/"}},
        )
    same("rows", sorted(aws.ask("SHOW PARTITIONS events", database=database).rows), [("dt=a",), ("dt=b",)])


@rule("describe-table", "DESCRIBE lists a table's columns and their types.", DESCRIBE)
def describe_table(aws: Account) -> None:
    database = aws.database()
    aws.table(database, {"id": "string", "n": "int"}, "s3://nowhere/")
    rows = aws.ask("DESCRIBE events", database=database).rows
    words = [" ".join(filter(None, row)).split()[:2] for row in rows]
    same("columns", words[:2], [["id", "string"], ["n", "int"]])


@rule("show-create-table", "SHOW CREATE TABLE tells the statement that would make the table.", SHOW_CREATE)
def show_create_table(aws: Account) -> None:
    database = aws.database()
    aws.table(database, {"id": "string"}, "s3://nowhere/e/")
    text = "\n".join(str(row[0]) for row in aws.ask("SHOW CREATE TABLE events", database=database).rows)
    holds(f"it is {text[:60]!r}", "CREATE EXTERNAL TABLE" in text and "s3://nowhere/e" in text)
