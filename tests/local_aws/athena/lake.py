"""A lake in memory: the few calls of Glue, S3 and Athena that the service makes, and tables to put there."""

# ruff: noqa: ARG002 - the fakes take what boto3 is given

import base64
import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from botocore.exceptions import ClientError

ROOT = Path(__file__).parents[3]
CONTRACT = json.loads((ROOT / "glue" / "stock_event.schema.json").read_text("utf-8"))
DATABASE, BUCKET, WORKGROUP = "workshop", "lake", "workshop"
PARQUET_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
JSON_SERDE = "org.openx.data.jsonserde.JsonSerDe"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

_ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "timestamp": pa.timestamp("ms"),
}


def glue_types(section: str) -> dict[str, str]:
    """Return the columns of a part of the contract: `properties`, `x-quarantine`."""
    columns = CONTRACT[section] | (CONTRACT["x-added-by-intake"] if section == "properties" else {})
    return {name: described["x-glue-type"] for name, described in columns.items()}


def table(
    name: str,
    columns: Mapping[str, str],
    location: str,
    *,
    keys: Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
    serde: str = PARQUET_SERDE,
) -> dict[str, Any]:
    """Return a Glue table."""
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": dict(parameters or {}),
        "PartitionKeys": [{"Name": key, "Type": kind} for key, kind in (keys or {}).items()],
        "StorageDescriptor": {
            "Columns": [{"Name": column, "Type": kind} for column, kind in columns.items()],
            "Location": location,
            "SerdeInfo": {"SerializationLibrary": serde},
        },
    }


def view(name: str, sql: str) -> dict[str, Any]:
    """Return a Glue view as Athena stores one."""
    document = {"originalSql": sql, "catalog": "awsdatacatalog", "schema": DATABASE, "columns": []}
    text = base64.b64encode(json.dumps(document).encode()).decode()
    return {"Name": name, "TableType": "VIRTUAL_VIEW", "ViewOriginalText": f"/* Presto View: {text} */"}


DAILY = {
    "projection.enabled": "true",
    "projection.dt.type": "date",
    "projection.dt.format": "yyyy-MM-dd",
    "projection.dt.range": "2026-01-01,NOW",
}


def workshop_tables() -> list[dict[str, Any]]:
    """Return the tables and the view that the workshop deploys."""
    day = {"dt": "string"}
    return [
        table("stock_events", glue_types("properties"), f"s3://{BUCKET}/stock_events/", keys=day, parameters=DAILY),
        table(
            "quarantine",
            glue_types("x-quarantine"),
            f"s3://{BUCKET}/quarantine/",
            keys=day,
            parameters=DAILY,
            serde=JSON_SERDE,
        ),
        view("unique_events", (ROOT / "glue" / "views" / "unique_events.sql").read_text("utf-8")),
    ]


def parquet(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], **options: Any) -> bytes:
    """Write rows as Parquet by their Glue types."""
    schema = pa.schema([(name, _ARROW[kind]) for name, kind in columns.items()])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), buffer, **options)
    return buffer.getvalue()


def json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Write rows as gzipped JSON lines."""
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())


class NotFound(Exception):
    """What the fakes raise for a name they do not know."""


class Exists(Exception):
    """What the fakes raise for a name that is taken."""


class Lake:
    """The fakes' state; `client` stands for `workshop.local_aws.clients.client`."""

    def __init__(self, tables: Sequence[Mapping[str, Any]] = ()) -> None:
        self.tables = {described["Name"]: dict(described) for described in tables}
        self.partitions: dict[str, list[dict[str, Any]]] = {}
        self.objects: dict[tuple[str, str], bytes] = {}
        self.workgroup: dict[str, Any] = {
            "EnforceWorkGroupConfiguration": True,
            "ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/athena-results/"},
        }
        self.databases: dict[str, dict[str, Any]] = {DATABASE: {"Name": DATABASE}}
        self.prepared: dict[str, str] = {}
        self.refused: dict[str, int] = {}
        """How many more calls of an operation go well before it is refused."""
        self.listed: list[str] = []
        self.fetched: list[str] = []
        self.put_options: dict[str, dict[str, Any]] = {}

    def client(self, service: str, region: str) -> Any:
        return {"glue": _Glue, "s3": _S3, "athena": _Workgroups}[service](self)

    def refuse(self, operation: str) -> None:
        """Fail an operation as AWS does once its time has come."""
        if operation in self.refused:
            self.refused[operation] -= 1
            if self.refused[operation] < 0:
                raise ClientError({"Error": {"Code": "InternalError", "Message": "We broke"}}, operation)

    def under(self, prefix: str) -> list[str]:
        """Return the keys of the lake's bucket that begin so."""
        return sorted(key for bucket, key in self.objects if bucket == BUCKET and key.startswith(prefix))

    def put(self, key: str, body: bytes) -> None:
        self.objects[BUCKET, key] = body

    def put_events(self, events: Sequence[Mapping[str, Any]], name: str = "part") -> None:
        """Write events into the partitions of their arrival."""
        for dt in sorted({f"{event['received_at']:%Y-%m-%d}" for event in events}):
            rows = [event for event in events if f"{event['received_at']:%Y-%m-%d}" == dt]
            self.put(f"stock_events/dt={dt}/{name}.parquet", parquet(rows, glue_types("properties")))


class _Glue:
    class exceptions:  # noqa: N801 - boto3's spelling
        EntityNotFoundException = NotFound
        AlreadyExistsException = Exists

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def get_table(self, DatabaseName: str, Name: str) -> dict[str, Any]:  # noqa: N803
        if DatabaseName not in self._lake.databases or Name not in self._lake.tables:
            raise NotFound(Name)
        found = self._lake.tables[Name]
        if found.get("DatabaseName", DATABASE) != DATABASE != DatabaseName:
            raise NotFound(Name)
        return {"Table": found | {"DatabaseName": DatabaseName}}

    def create_table(self, DatabaseName: str, TableInput: dict[str, Any]) -> None:  # noqa: N803
        self.get_database(DatabaseName)
        if TableInput["Name"] in self._lake.tables:
            raise Exists(TableInput["Name"])
        self._lake.refuse("create_table")
        self._lake.tables[TableInput["Name"]] = TableInput

    def update_table(self, DatabaseName: str, TableInput: dict[str, Any]) -> None:  # noqa: N803
        self._lake.tables[TableInput["Name"]] = TableInput

    def delete_table(self, DatabaseName: str, Name: str) -> None:  # noqa: N803
        del self._lake.tables[Name]
        self._lake.partitions.pop(Name, None)

    def get_database(self, Name: str) -> dict[str, Any]:  # noqa: N803
        if Name not in self._lake.databases:
            raise NotFound(Name)
        return {"Database": self._lake.databases[Name]}

    def create_database(self, DatabaseInput: dict[str, Any]) -> None:  # noqa: N803
        if DatabaseInput["Name"] in self._lake.databases:
            raise Exists(DatabaseInput["Name"])
        self._lake.databases[DatabaseInput["Name"]] = DatabaseInput

    def delete_database(self, Name: str) -> None:  # noqa: N803
        del self._lake.databases[Name]

    def batch_create_partition(
        self,
        DatabaseName: str,  # noqa: N803
        TableName: str,  # noqa: N803
        PartitionInputList: list[dict[str, Any]],  # noqa: N803
    ) -> None:
        self._lake.partitions.setdefault(TableName, []).extend(PartitionInputList)

    def create_partition(self, DatabaseName: str, TableName: str, PartitionInput: dict[str, Any]) -> None:  # noqa: N803
        self._lake.partitions.setdefault(TableName, []).append(PartitionInput)

    def delete_partition(self, DatabaseName: str, TableName: str, PartitionValues: list[str]) -> None:  # noqa: N803
        kept = [each for each in self._lake.partitions[TableName] if each["Values"] != PartitionValues]
        self._lake.partitions[TableName] = kept

    def get_paginator(self, name: str) -> Any:
        lake = self._lake

        class Pages:
            def paginate(self, DatabaseName: str = "", TableName: str = "") -> Iterator[dict[str, Any]]:  # noqa: N803
                yield {
                    "Partitions": lake.partitions.get(TableName, []),
                    "DatabaseList": list(lake.databases.values()),
                    "TableList": list(lake.tables.values()) if DatabaseName == DATABASE else [],
                }

        return Pages()


class _S3:
    class exceptions:  # noqa: N801
        NoSuchBucket = NotFound

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def get_paginator(self, name: str) -> Any:
        lake = self._lake

        class Objects:
            def paginate(self, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
                lake.listed.append(Prefix)
                yield {
                    "Contents": [
                        {"Key": key, "Size": len(body), "ETag": f'"{hashlib.md5(body).hexdigest()}"'}  # noqa: S324
                        for (bucket, key), body in sorted(lake.objects.items())
                        if bucket == Bucket and key.startswith(Prefix)
                    ]
                }

        return Objects()

    def get_object(self, Bucket: str, Key: str, IfMatch: str = "") -> dict[str, Any]:  # noqa: N803
        self._lake.fetched.append(Key)
        if (Bucket, Key) not in self._lake.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": Key}}, "GetObject")
        return {"Body": io.BytesIO(self._lake.objects[Bucket, Key])}

    def put_object(self, Bucket: str, Key: str, Body: Any, **options: Any) -> dict[str, Any]:  # noqa: N803
        self._lake.refuse("put_object")
        self._lake.objects[Bucket, Key] = Body if isinstance(Body, bytes) else Body.read()
        self._lake.put_options[Key] = options
        return {}

    def delete_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        self._lake.objects.pop((Bucket, Key), None)
        return {}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        body = self._lake.objects.get((Bucket, Key))
        if body is None:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
        return {"ETag": f'"{hashlib.md5(body).hexdigest()}"', "ContentLength": len(body)}  # noqa: S324

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:  # noqa: N803
        found = [key for bucket, key in self._lake.objects if bucket == Bucket and key.startswith(Prefix)]
        return {"KeyCount": min(MaxKeys, len(found))}


class _Workgroups:
    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def get_work_group(self, WorkGroup: str) -> dict[str, Any]:  # noqa: N803
        return {"WorkGroup": {"Name": WorkGroup, "State": "ENABLED", "Configuration": self._lake.workgroup}}

    def get_prepared_statement(self, StatementName: str, WorkGroup: str) -> dict[str, Any]:  # noqa: N803
        if StatementName not in self._lake.prepared:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": StatementName}}, "Get")
        return {"PreparedStatement": {"QueryStatement": self._lake.prepared[StatementName]}}

    def create_prepared_statement(self, StatementName: str, WorkGroup: str, QueryStatement: str) -> None:  # noqa: N803
        if StatementName in self._lake.prepared:
            message = f"Prepared statement {StatementName} already exists in {WorkGroup}"
            raise ClientError({"Error": {"Code": "InvalidRequestException", "Message": message}}, "Create")
        self._lake.prepared[StatementName] = QueryStatement

    def delete_prepared_statement(self, StatementName: str, WorkGroup: str) -> None:  # noqa: N803
        if StatementName not in self._lake.prepared:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": StatementName}}, "Delete")
        del self._lake.prepared[StatementName]
