"""What a rule has to work with: an AWS account at some back end, in which every name it makes is its own."""

import io
import itertools
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet
from botocore.exceptions import ClientError

T = TypeVar("T")

PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
ENDED = {"SUCCEEDED", "FAILED", "CANCELLED"}


class Differs(AssertionError):
    """What was observed is not what the rule says."""


class Answer(NamedTuple):
    """How a statement ended: its rows are without the header."""

    execution: dict[str, Any]
    columns: list[tuple[str, str]]
    rows: list[tuple[str | None, ...]]

    @property
    def id(self) -> str:
        return str(self.execution["QueryExecutionId"])

    @property
    def state(self) -> str:
        return str(self.execution["Status"]["State"])

    @property
    def reason(self) -> str:
        return str(self.execution["Status"].get("StateChangeReason", ""))

    @property
    def output(self) -> str:
        return str(self.execution["ResultConfiguration"]["OutputLocation"])

    @property
    def scanned(self) -> int:
        return int(self.execution.get("Statistics", {}).get("DataScannedInBytes", -1))


def same(what: str, observed: object, expected: object) -> None:
    """Raise Differs unless both are equal."""
    if observed != expected:
        raise Differs(f"{what}: {_shown(observed)} instead of {_shown(expected)}")


def holds(what: str, condition: object) -> None:
    """Raise Differs unless the condition is true; `what` says what is seen then."""
    if not condition:
        raise Differs(what)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."


class Account:
    """Makes buckets, streams, tables and functions, asks Athena, and waits no longer than its patience."""

    def __init__(self, client: Callable[[str], Any], name: str, *, patience: float) -> None:
        """Work through `client`, which returns the boto3 client of a service; `name` begins every name that is made."""
        self.client = client
        self.patience = patience
        self._name = name
        self._numbers = itertools.count(1)
        self._streams: list[str] = []

    def fresh(self, what: str) -> str:
        """Return a name that nothing else has."""
        return f"{self._name}-{what}-{next(self._numbers)}"

    def tidy(self) -> None:
        """Delete the delivery streams that were made: some back ends hold few."""
        for name in self._streams:
            with suppress(ClientError):
                self.client("firehose").delete_delivery_stream(DeliveryStreamName=name)

    def eventually(self, what: str, found: Callable[[], T]) -> T:
        """Ask until the answer is true, and return it; raise Differs when patience ends."""
        deadline = time.monotonic() + self.patience
        while not (answer := found()):
            if time.monotonic() > deadline:
                raise Differs(what)
            time.sleep(0.05)
        return answer

    @contextmanager
    def refused(self, *codes: str) -> Iterator[None]:
        """Expect the block to be refused with one of some error types."""
        try:
            yield
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in codes:
                message = error.response["Error"].get("Message", "")
                raise Differs(f"{code} ({message}) instead of {' or '.join(codes)}") from error
        else:
            raise Differs(f"accepted instead of {' or '.join(codes)}")

    # ---- S3, Glue, IAM, Lambda -----------------------------------------------------------------------------------

    def bucket(self, name: str | None = None) -> str:
        """Make a bucket."""
        name = name or self.fresh("bucket")
        self.client("s3").create_bucket(Bucket=name)
        return name

    def put_object(self, bucket: str, key: str, body: bytes) -> None:
        """Write an object."""
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def put_parquet(self, bucket: str, key: str, columns: Mapping[str, Any]) -> None:
        """Write columns as a Parquet object."""
        sink = io.BytesIO()
        pyarrow.parquet.write_table(pa.table(dict(columns)), sink)
        self.put_object(bucket, key, sink.getvalue())

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """Return a bucket's objects by key."""
        s3 = self.client("s3")
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed}

    def object_at(self, location: str) -> bytes:
        """Return the object that an s3:// address names."""
        bucket, _, key = location.removeprefix("s3://").partition("/")
        body: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    @cached_property
    def role(self) -> str:
        """The ARN of a role that services may take on."""
        trust = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": ["firehose.amazonaws.com", "lambda.amazonaws.com"]},
                    "Action": "sts:AssumeRole",
                }
            ],
        }
        made = self.client("iam").create_role(RoleName=self._name[-60:], AssumeRolePolicyDocument=json.dumps(trust))
        return str(made["Role"]["Arn"])

    def function(self, source: str) -> str:
        """Deploy a Python function, whose `handler` is called, and return its ARN."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("index.py", source)
        made = self.client("lambda").create_function(
            FunctionName=self.fresh("function")[-64:],
            Runtime="python3.12",
            Role=self.role,
            Handler="index.handler",
            Timeout=30,
            Code={"ZipFile": archive.getvalue()},
        )
        return str(made["FunctionArn"])

    def database(self) -> str:
        """Make a Glue database."""
        name = self.fresh("db").replace("-", "_")
        self.client("glue").create_database(DatabaseInput={"Name": name})
        return name

    def table(
        self,
        database: str,
        columns: Mapping[str, str],
        location: str = "",
        *,
        name: str = "events",
        serde: str = PARQUET_SERDE,
        keys: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        """Make a Glue table of Parquet objects, or of another SerDe's."""
        parquet = serde == PARQUET_SERDE
        kind = "org.apache.hadoop.hive.ql.io.parquet.MapredParquet" if parquet else "org.apache.hadoop.mapred.Text"
        self.client("glue").create_table(
            DatabaseName=database,
            TableInput={
                "Name": name,
                "TableType": "EXTERNAL_TABLE",
                "Parameters": dict(parameters or {}),
                "PartitionKeys": _columns(keys or {}),
                "StorageDescriptor": {
                    "Columns": _columns(columns),
                    "Location": location,
                    "InputFormat": kind + "InputFormat",
                    "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
                    if parquet
                    else "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    "SerdeInfo": {"SerializationLibrary": serde},
                },
            },
        )

    # ---- Data Firehose -------------------------------------------------------------------------------------------

    def destination(self, bucket: str, **more: Any) -> dict[str, Any]:
        """Return a destination in a bucket that delivers every 60 s, the shortest interval of old."""
        given = {
            "RoleARN": self.role,
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60},
        }
        return given | more

    def stream(self, bucket: str, **more: Any) -> str:
        """Make a stream to a bucket, wait until it is active and return its name."""
        return self.create_stream(ExtendedS3DestinationConfiguration=self.destination(bucket, **more))

    def create_stream(self, name: str | None = None, **request: Any) -> str:
        """Make a stream as a request says, wait until it is active and return its name."""
        name = self.fresh("stream")[-64:] if name is None else name
        self.client("firehose").create_delivery_stream(
            DeliveryStreamName=name, **{"DeliveryStreamType": "DirectPut"} | request
        )
        self._streams.append(name)
        self.eventually("the stream is not ACTIVE", lambda: self.described(name)["DeliveryStreamStatus"] == "ACTIVE")
        return name

    def described(self, stream: str) -> dict[str, Any]:
        """Describe a stream."""
        answer = self.client("firehose").describe_delivery_stream(DeliveryStreamName=stream)
        described: dict[str, Any] = answer["DeliveryStreamDescription"]
        return described

    def converting(self, bucket: str, columns: Mapping[str, str], **more: Any) -> str:
        """Make a stream that converts JSON to Parquet, below `good/`, with errors below `bad/`, by their type."""
        database = self.database()
        self.table(database, columns, f"s3://{bucket}/good/")
        deserializer, serializer = more.pop("OpenXJsonSerDe", {}), more.pop("ParquetSerDe", {})
        schema = {"RoleARN": self.role, "DatabaseName": database, "TableName": "events", "Region": "us-east-1"}
        conversion = {
            "Enabled": True,
            "InputFormatConfiguration": {"Deserializer": {"OpenXJsonSerDe": deserializer}},
            "OutputFormatConfiguration": {"Serializer": {"ParquetSerDe": serializer}},
            "SchemaConfiguration": schema,
        }
        given = {
            "Prefix": "good/",
            "ErrorOutputPrefix": "bad/!{firehose:error-output-type}/",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
            "DataFormatConversionConfiguration": conversion,
        }
        return self.stream(bucket, **given | more)

    def transforming(self, bucket: str, source: str, **more: Any) -> str:
        """Make a stream with a function, to `good/`, with errors below `bad/`. `parameters` go to the processor."""
        given = {"LambdaArn": self.function(source), "BufferIntervalInSeconds": "60"} | more.pop("parameters", {})
        listed = [{"ParameterName": name, "ParameterValue": value} for name, value in given.items()]
        processing = {"Enabled": True, "Processors": [{"Type": "Lambda", "Parameters": listed}]}
        prefixes = {"Prefix": "good/", "ErrorOutputPrefix": "bad/!{firehose:error-output-type}/"}
        return self.stream(bucket, **prefixes | {"ProcessingConfiguration": processing} | more)

    def put(self, stream: str, *data: bytes) -> None:
        """Put records in one call, and expect every one to be taken."""
        records = [{"Data": each} for each in data]
        answer = self.client("firehose").put_record_batch(DeliveryStreamName=stream, Records=records)
        same("FailedPutCount", answer["FailedPutCount"], 0)

    def delivered(self, bucket: str, prefix: str = "", *, contains: bytes = b"") -> dict[str, bytes]:
        """Wait until objects below a prefix hold something, and return them."""

        def found() -> dict[str, bytes]:
            objects = self.objects(bucket, prefix)
            return objects if any(contains in body for body in objects.values()) else {}

        return self.eventually(f"nothing below {prefix or 'the bucket'} in time", found)

    def receives(self, bucket: str, prefix: str, *pieces: bytes) -> None:
        """Wait until the objects below a prefix hold some pieces, in whichever objects and order, and nothing else."""
        size, bodies = sum(map(len, pieces)), list[bytes]()

        def all_there() -> bool:
            bodies[:] = self.objects(bucket, prefix).values()
            return sum(map(len, bodies)) >= size

        with suppress(Differs):
            self.eventually("", all_there)
        holds(
            f"{_shown(bodies)} instead of {_shown(pieces)}",
            sum(map(len, bodies)) == size and all(any(piece in body for body in bodies) for piece in pieces),
        )

    def rows(self, bucket: str, count: int, prefix: str = "good/") -> list[dict[str, Any]]:
        """Wait until the Parquet objects below a prefix hold some number of rows, and return them, sorted."""
        seen: list[dict[str, Any]] = []

        def found() -> bool:
            seen[:] = [
                row
                for body in self.objects(bucket, prefix).values()
                for row in pyarrow.parquet.read_table(io.BytesIO(body)).to_pylist()
            ]
            return len(seen) >= count

        try:
            self.eventually("", found)
        except Differs:
            raise Differs(f"{len(seen)} rows instead of {count}") from None
        return sorted(seen, key=str)

    def envelopes(self, bucket: str, kind: str) -> list[dict[str, Any]]:
        """Wait for failures of a kind below `bad/`, and return them."""
        bodies = self.delivered(bucket, f"bad/{kind}/").values()
        return [json.loads(line) for body in bodies for line in body.decode().splitlines()]

    # ---- Athena --------------------------------------------------------------------------------------------------

    def workgroup(self, **configuration: Any) -> str:
        """Make a work group whose results go to a bucket of its own."""
        name = self.fresh("group")
        given = {"ResultConfiguration": {"OutputLocation": f"s3://{self.bucket()}/results/"}} | configuration
        self.client("athena").create_work_group(Name=name, Configuration=given)
        return name

    @cached_property
    def own_workgroup(self) -> str:
        """A work group for whatever needs no other."""
        return self.workgroup(EnforceWorkGroupConfiguration=False)

    def start(self, statement: str, *parameters: str, database: str = "default", **more: Any) -> str:
        """Start a statement and return its id."""
        request: dict[str, Any] = {"QueryString": statement, "QueryExecutionContext": {"Database": database}}
        if parameters:
            request["ExecutionParameters"] = list(parameters)
        if "WorkGroup" not in more:
            request["WorkGroup"] = self.own_workgroup
        return str(self.client("athena").start_query_execution(**request | more)["QueryExecutionId"])

    def ended(self, query_id: str) -> dict[str, Any]:
        """Wait until an execution has ended, and describe it."""

        def found() -> dict[str, Any]:
            answer = self.client("athena").get_query_execution(QueryExecutionId=query_id)
            execution: dict[str, Any] = answer["QueryExecution"]
            return execution if execution["Status"]["State"] in ENDED else {}

        return self.eventually("the query does not end", found)

    def ask(self, statement: str, *parameters: str, database: str = "default", **more: Any) -> Answer:
        """Run a statement that succeeds; raise Differs if it does not."""
        answer = self.fails(statement, *parameters, database=database, **more)
        holds(f"{answer.state}: {answer.reason}", answer.state == "SUCCEEDED")
        return answer

    def fails(self, statement: str, *parameters: str, database: str = "default", **more: Any) -> Answer:
        """Run a statement to its end, whatever that is."""
        execution = self.ended(self.start(statement, *parameters, database=database, **more))
        if execution["Status"]["State"] != "SUCCEEDED":
            return Answer(execution, [], [])
        columns, rows = [], []
        for page in (
            self.client("athena")
            .get_paginator("get_query_results")
            .paginate(QueryExecutionId=execution["QueryExecutionId"])
        ):
            rows += [tuple(datum.get("VarCharValue") for datum in row["Data"]) for row in page["ResultSet"]["Rows"]]
            columns = [(c["Name"], c["Type"]) for c in page["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
        headed = bool(rows) and list(rows[0]) == [name for name, _ in columns]
        return Answer(execution, columns, rows[1:] if headed else rows)

    def answers(self, statement: str, *rows: Sequence[str | None], database: str = "default") -> None:
        """Expect a statement to answer just these rows."""
        same("rows", self.ask(statement, database=database).rows, [tuple(row) for row in rows])


def _columns(types: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Type": kind} for name, kind in types.items()]
