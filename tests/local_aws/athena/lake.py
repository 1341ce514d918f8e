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
        self.listed: list[str] = []
        self.fetched: list[str] = []

    def client(self, service: str, region: str) -> Any:
        return {"glue": _Glue, "s3": _S3, "athena": _Workgroups}[service](self)

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

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def get_table(self, DatabaseName: str, Name: str) -> dict[str, Any]:  # noqa: N803
        if DatabaseName != DATABASE or Name not in self._lake.tables:
            raise NotFound(Name)
        return {"Table": self._lake.tables[Name] | {"DatabaseName": DATABASE}}

    def get_database(self, Name: str) -> dict[str, Any]:  # noqa: N803
        if Name != DATABASE:
            raise NotFound(Name)
        return {"Database": {"Name": Name}}

    def get_paginator(self, name: str) -> Any:
        lake = self._lake

        class Partitions:
            def paginate(self, DatabaseName: str, TableName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
                yield {"Partitions": lake.partitions.get(TableName, [])}

        return Partitions()


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

    def put_object(self, Bucket: str, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803
        self._lake.objects[Bucket, Key] = Body
        return {}


class _Workgroups:
    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def get_work_group(self, WorkGroup: str) -> dict[str, Any]:  # noqa: N803
        return {"WorkGroup": {"Name": WorkGroup, "State": "ENABLED", "Configuration": self._lake.workgroup}}
