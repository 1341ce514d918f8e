"""The names of the lake that clients are tried on."""

from typing import Any

BUCKET, WORKGROUP = "client-lake", "clients"

_FORMATS = {
    "ParquetHiveSerDe": (
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    ),
    "JsonSerDe": (
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    ),
}


def stored_as(table: dict[str, Any]) -> dict[str, Any]:
    """Return a table that says how it is stored, as a deployed one does; some clients read it."""
    storage = table.get("StorageDescriptor")
    if storage is None:
        return table
    kind = storage["SerdeInfo"]["SerializationLibrary"].rpartition(".")[2]
    storage["InputFormat"], storage["OutputFormat"] = _FORMATS[kind]
    return table
