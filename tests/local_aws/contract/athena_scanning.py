"""Rules of what Athena reads: tables, partitions, projection, bytes scanned and their limit."""

import gzip
import json

from tests.local_aws.contract.account import JSON_SERDE, Account, holds, same
from tests.local_aws.contract.rules import rule

PROJECTION = "https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html"
PROJECTION_TYPES = "https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html"
PARTITIONS = "https://docs.aws.amazon.com/athena/latest/ug/partitions.html"
COLUMNAR = "https://docs.aws.amazon.com/athena/latest/ug/columnar-storage.html"
LIMITS = "https://docs.aws.amazon.com/athena/latest/ug/workgroups-setting-control-limits-cloudwatch.html"
WORKGROUP = "https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html"
OPENX = "https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html"
LAZY = "https://docs.aws.amazon.com/athena/latest/ug/lazy-simple-serde.html"
CSV = "https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html"
COMPRESSION = "https://docs.aws.amazon.com/athena/latest/ug/compression-formats.html"
SELECT = "https://docs.aws.amazon.com/athena/latest/ug/select.html"
PROJECTION_SETUP = "https://docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html"
LIMITATIONS = "https://docs.aws.amazon.com/athena/latest/ug/other-notable-limitations.html"
UPDATES = "https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html"

PROJECTED = {
    "projection.enabled": "true",
    "projection.dt.type": "date",
    "projection.dt.format": "yyyy-MM-dd",
    "projection.dt.range": "2026-11-01,2026-11-03",
}


def _days(aws: Account, days: int = 3) -> str:
    """Make a projected table of three days, each with an object of its own; return its database."""
    database, bucket = aws.database(), aws.bucket()
    aws.table(
        database, {"n": "bigint", "s": "string"}, f"s3://{bucket}/e/", keys={"dt": "string"}, parameters=PROJECTED
    )
    for day in range(1, days + 1):
        columns = {"n": list(range(2_000)), "s": [f"{day} and some text {n * 7919}" for n in range(2_000)]}
        aws.put_parquet(bucket, f"e/dt=2026-11-{day:02}/a.parquet", columns)
    return database


@rule("parquet-table", "A Glue table of Parquet objects is read by column.", COLUMNAR)
def parquet_table(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "bigint", "s": "string"}, f"s3://{bucket}/e/")
    aws.put_parquet(bucket, "e/one.parquet", {"n": [1, 2], "s": ["a", None]})
    aws.put_parquet(bucket, "e/two.parquet", {"n": [3], "s": ["c"]})
    aws.answers("SELECT n, s FROM events ORDER BY n", ["1", "a"], ["2", None], ["3", "c"], database=database)


@rule("json-table", "The OpenX SerDe reads a document a line; absent fields are null.", OPENX)
def json_table(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "int", "s": "string", "l": "array<int>"}, f"s3://{bucket}/e/", serde=JSON_SERDE)
    aws.put_object(bucket, "e/a.json", b'{"n": 1, "s": "a", "l": [1, 2]}\n{"n": 2}\n')
    aws.answers("SELECT n, s, l FROM events ORDER BY n", ["1", "a", "[1, 2]"], ["2", None, None], database=database)


@rule("gzip-by-name", "Text objects are decompressed by the extension of their names.", COMPRESSION)
def gzip_by_name(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "int"}, f"s3://{bucket}/e/", serde=JSON_SERDE)
    aws.put_object(bucket, "e/a.json.gz", gzip.compress(b'{"n": 1}\n'))
    aws.answers("SELECT n FROM events", ["1"], database=database)


@rule("csv-table", "LazySimpleSerDe reads text by its field delimiter, and skips the header lines it is told to.", LAZY)
def csv_table(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.ask(
        "CREATE EXTERNAL TABLE events (n int, s string) ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' "
        f"LOCATION 's3://{bucket}/e/' TBLPROPERTIES ('skip.header.line.count'='1')",
        database=database,
    )
    aws.put_object(bucket, "e/a.csv", b"n,s\n1,a\n2,b\n")
    aws.answers("SELECT n, s FROM events ORDER BY n", ["1", "a"], ["2", "b"], database=database)


@rule("quoted-csv-table", "OpenCSVSerde reads quoted values.", CSV)
def quoted_csv_table(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.ask(
        "CREATE EXTERNAL TABLE events (n string, s string) "
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' "
        f"WITH SERDEPROPERTIES ('separatorChar' = ',', 'quoteChar' = '\"') LOCATION 's3://{bucket}/e/'",
        database=database,
    )
    aws.put_object(bucket, "e/a.csv", b'"1","a, b"\n')
    aws.answers("SELECT n, s FROM events", ["1", "a, b"], database=database)


@rule("hidden-objects", "Objects whose names begin with _ or . are not read.", LIMITATIONS)
def hidden_objects(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "int"}, f"s3://{bucket}/e/", serde=JSON_SERDE)
    for name, number in (("a.json", 1), ("_b.json", 2), (".c.json", 3)):
        aws.put_object(bucket, f"e/{name}", json.dumps({"n": number}).encode())
    aws.answers("SELECT n FROM events", ["1"], database=database)


@rule("path", '"$path" is the object a row came from.', SELECT)
def path(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "int"}, f"s3://{bucket}/e/", serde=JSON_SERDE)
    aws.put_object(bucket, "e/a.json", b'{"n": 1}\n')
    aws.answers('SELECT n, "$path" FROM events', ["1", f"s3://{bucket}/e/a.json"], database=database)


@rule("later-column", "A column that an older Parquet object does not have is null there.", UPDATES)
def later_column(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "bigint", "later": "string"}, f"s3://{bucket}/e/")
    aws.put_parquet(bucket, "e/old.parquet", {"n": [1]})
    aws.answers("SELECT n, later FROM events", ["1", None], database=database)


@rule(
    "projection-range", "Projection makes the partitions: no crawler, and nothing beyond the range is read.", PROJECTION
)
def projection_range(aws: Account) -> None:
    database = _days(aws, days=4)
    aws.answers(
        "SELECT dt, count(*) FROM events GROUP BY dt ORDER BY dt",
        *([f"2026-11-{day:02}", "2000"] for day in (1, 2, 3)),
        database=database,
    )


@rule("projection-template", "storage.location.template says where a projected partition lies.", PROJECTION_SETUP)
def projection_template(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    parameters = PROJECTED | {"storage.location.template": f"s3://{bucket}/by-day/${{dt}}/"}
    aws.table(database, {"n": "bigint"}, f"s3://{bucket}/", keys={"dt": "string"}, parameters=parameters)
    aws.put_parquet(bucket, "by-day/2026-11-02/a.parquet", {"n": [5]})
    aws.answers("SELECT dt, n FROM events", ["2026-11-02", "5"], database=database)


@rule("projection-types", "Keys may be projected as enum and integer values too.", PROJECTION_TYPES)
def projection_types(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    parameters = {
        "projection.enabled": "true",
        "projection.shop.type": "enum",
        "projection.shop.values": "A,B",
        "projection.hour.type": "integer",
        "projection.hour.range": "0,23",
        "projection.hour.digits": "2",
    }
    keys = {"shop": "string", "hour": "string"}
    aws.table(database, {"n": "bigint"}, f"s3://{bucket}/e", keys=keys, parameters=parameters)
    aws.put_parquet(bucket, "e/shop=B/hour=07/a.parquet", {"n": [5]})
    aws.put_parquet(bucket, "e/shop=C/hour=07/a.parquet", {"n": [6]})
    aws.answers("SELECT shop, hour, n FROM events", ["B", "07", "5"], database=database)


@rule(
    "projection-injected",
    "A key of injected type takes whatever values a query asks for, and every query has to ask for some.",
    PROJECTION_TYPES,
)
def projection_injected(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    parameters = {"projection.enabled": "true", "projection.device.type": "injected"}
    aws.table(database, {"n": "bigint"}, f"s3://{bucket}/e", keys={"device": "string"}, parameters=parameters)
    aws.put_parquet(bucket, "e/device=x/a.parquet", {"n": [5]})
    aws.answers("SELECT n FROM events WHERE device = 'x'", ["5"], database=database)
    same("without a device", aws.fails("SELECT n FROM events", database=database).state, "FAILED")


@rule("registered-partitions", "Partitions that are registered in Glue are read where they lie.", PARTITIONS)
def registered_partitions(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "int"}, f"s3://{bucket}/e/", serde=JSON_SERDE, keys={"dt": "string"})
    aws.put_object(bucket, "elsewhere/a.json", b'{"n": 1}\n')
    aws.ask(f"ALTER TABLE events ADD PARTITION (dt = 'x') LOCATION 's3://{bucket}/elsewhere/'", database=database)
    aws.answers("SELECT dt, n FROM events", ["x", "1"], database=database)


@rule("repair", "MSCK REPAIR TABLE registers the Hive-style folders it finds.", PARTITIONS)
def repair(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "int"}, f"s3://{bucket}/e/", serde=JSON_SERDE, keys={"dt": "string"})
    aws.put_object(bucket, "e/dt=2026-11-01/a.json", b'{"n": 1}\n')
    aws.answers("SELECT n FROM events", database=database)
    aws.ask("MSCK REPAIR TABLE events", database=database)
    aws.answers("SELECT dt, n FROM events", ["2026-11-01", "1"], database=database)


@rule("bytes-by-partition", "A condition on the partition key reads that partition's bytes alone.", PARTITIONS)
def bytes_by_partition(aws: Account) -> None:
    database = _days(aws)
    one = aws.ask("SELECT sum(n) FROM events WHERE dt = '2026-11-02'", database=database).scanned
    all_days = aws.ask("SELECT sum(n) FROM events", database=database).scanned
    holds(f"one day reads {one} bytes, three {all_days}", 0 < one * 2 < all_days < one * 4)


@rule("bytes-by-column", "Of a columnar table only the columns that are asked for are read.", COLUMNAR)
def bytes_by_column(aws: Account) -> None:
    database = _days(aws)
    narrow = aws.ask("SELECT sum(n) FROM events", database=database).scanned
    wide = aws.ask("SELECT sum(n), max(s) FROM events", database=database).scanned
    holds(f"one column reads {narrow} bytes, both {wide}", 0 < narrow < wide / 2)


@rule("bytes-of-text", "Of text objects every byte is read, compressed as it lies in S3.", COMPRESSION)
def bytes_of_text(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "int", "s": "string"}, f"s3://{bucket}/e/", serde=JSON_SERDE)
    body = gzip.compress(b"".join(b'{"n": %d, "s": "text %d"}\n' % (n, n * 7919) for n in range(500)))
    aws.put_object(bucket, "e/a.json.gz", body)
    same("bytes", aws.ask("SELECT max(n) FROM events", database=database).scanned, len(body))


@rule("cutoff", "A query that scans more than BytesScannedCutoffPerQuery is cancelled.", LIMITS)
def cutoff(aws: Account) -> None:
    database, bucket = aws.database(), aws.bucket()
    aws.table(database, {"n": "int", "s": "string"}, f"s3://{bucket}/e/", serde=JSON_SERDE)
    aws.put_object(bucket, "e/a.json", b'{"n": 1, "s": "%s"}\n' % (b"x" * 1_000_000) * 11)
    group = aws.workgroup(BytesScannedCutoffPerQuery=10_000_000)
    answer = aws.fails("SELECT max(s) FROM events", database=database, WorkGroup=group)
    holds(f"{answer.state}: {answer.reason}", answer.state in {"CANCELLED", "FAILED"})
    holds(f"the reason is {answer.reason}", "limit" in answer.reason)
    aws.put_object(bucket, "e/a.json", b'{"n": 1, "s": "small"}\n')
    aws.ask("SELECT max(s) FROM events", database=database, WorkGroup=group)


@rule("cutoff-minimum", "BytesScannedCutoffPerQuery is at least 10,000,000.", WORKGROUP)
def cutoff_minimum(aws: Account) -> None:
    with aws.refused("InvalidRequestException"):
        aws.workgroup(BytesScannedCutoffPerQuery=9_999_999)
