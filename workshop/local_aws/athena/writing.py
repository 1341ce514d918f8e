"""CTAS, INSERT INTO and UNLOAD: a query's rows become files in S3, and last a table or partitions in Glue.

Files are written on this machine first and put under their keys when all of them are complete; if one cannot be put, or
Glue refuses, those that were are taken away again. AWS itself may leave such files behind:
https://docs.aws.amazon.com/athena/latest/ug/ctas-considerations-limitations.html
"""

# ruff: noqa: S608 - SQL is what is made here: names go through quoted(), texts through literal().

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from botocore.exceptions import BotoCoreError, ClientError

from workshop.local_aws.athena.catalog import NO_PARTITION, Catalog, Table, projected_folder, split_location
from workshop.local_aws.athena.errors import QueryFailed, not_supported
from workshop.local_aws.athena.expressions import as_varchar
from workshop.local_aws.athena.plan import CATALOG, Translation, Value, quoted
from workshop.local_aws.athena.statements import CreateTableAs, Insert, Name, Unload, Written
from workshop.local_aws.athena.storage import STORAGES, WRITABLE, File, Layout, compression, hive_type
from workshop.local_aws.athena.trino_types import Type, coercible
from workshop.local_aws.athena.trino_types import duckdb as duckdb_type

MAX_PARTITIONS = 100
"""https://docs.aws.amazon.com/athena/latest/ug/ctas-insert-into.html"""
BATCH = 122_880


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go: the layout of the files, the columns that name partitions, and what Glue is told at the end."""

    location: str
    layout: Layout
    keys: tuple[str, ...] = ()
    key_types: tuple[Type, ...] = ()
    casts: tuple[str, ...] = ()
    """The expression of every column, over the query's columns c0, c1, …; those of the keys last."""
    creates: Mapping[str, Any] | None = None
    into: Table | None = None
    folders: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    """Where the partitions are that Glue knows."""


class Outcome(NamedTuple):
    """What was written."""

    rows: int
    paths: list[str]


class Writing:
    """Writes what one statement asks for."""

    def __init__(self, glue: Any, s3: Any, catalog: Catalog, database: str, put_options: Mapping[str, str]) -> None:
        self._glue = glue
        self._s3 = s3
        self._catalog = catalog
        self._database = database
        self._put_options = put_options

    # ---- before anything is read ---------------------------------------------------------------------------------

    def exists(self, statement: Written) -> bool:
        """Return whether CREATE TABLE IF NOT EXISTS … AS has nothing to do."""
        if not (isinstance(statement, CreateTableAs) and statement.if_not_exists):
            return False
        return self._catalog.table(*self._full(statement.name)) is not None

    def target(self, statement: Written, translation: Translation, tables: str) -> Target:
        """Return where the rows go; `tables` is the folder of a CTAS that names none. Raises QueryFailed."""
        match statement:
            case CreateTableAs():
                return self._created(statement, translation, tables)
            case Unload():
                return self._unloaded(statement, translation)
        return self._inserted(statement, translation)

    def _full(self, name: Name) -> tuple[str, str]:
        return name.database or self._database, name.table

    def _created(self, statement: CreateTableAs, translation: Translation, tables: str) -> Target:
        database, name = self._full(statement.name)
        if not self._catalog.has_database(database):
            raise QueryFailed("SCHEMA_NOT_FOUND", f"line 1:1: Schema '{database}' does not exist")
        if self._catalog.table(database, name) is not None:
            label = f"{CATALOG}.{database}.{name}"
            raise QueryFailed("TABLE_ALREADY_EXISTS", f"line 1:1: Destination table '{label}' already exists")
        asked = dict(statement.properties)
        if str(asked.pop("table_type", "HIVE")).upper() != "HIVE":
            raise not_supported(None, "An Iceberg table")
        for bucketing in ("bucketed_by", "bucket_count"):
            if asked.pop(bucketing, None):
                raise not_supported(None, f"The table property {bucketing}")
        form = str(asked.pop("format", "PARQUET")).upper()
        location = asked.pop("external_location", tables)
        keys = tuple(key.lower() for key in asked.pop("partitioned_by", []))
        packed = compression_of(form, asked)
        properties = _delimiter(form, asked)
        if asked:
            unknown = ", ".join(asked)
            raise QueryFailed(
                "INVALID_TABLE_PROPERTY", f"line 1:1: Catalog '{CATALOG}' table property '{unknown}' does not exist"
            )
        names, types = _named(translation, keys)
        self._check_empty(location, f"Target directory for table '{database}.{name}' already exists: {location}.")
        split = len(names) - len(keys)
        layout = Layout(form, packed, names[:split], types[:split], properties)
        storage = STORAGES[form]
        hive = [{"Name": n, "Type": hive_type(k)} for n, k in zip(names, types, strict=True)]
        table = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"EXTERNAL": "TRUE", "has_encrypted_data": str(bool(self._put_options)).lower()},
            "PartitionKeys": hive[split:],
            "StorageDescriptor": storage.descriptor(hive[:split], location.rstrip("/") + "/", properties),
        }
        creates = {"DatabaseName": database, "TableInput": table}
        return Target(location, layout, keys, types[split:], _casts(types), creates)

    def _unloaded(self, statement: Unload, translation: Translation) -> Target:
        asked = dict(statement.properties)
        if "format" not in asked:
            raise QueryFailed("INVALID_UNLOAD_PROPERTY", "UNLOAD needs the property format")
        form = str(asked.pop("format")).upper()
        keys = tuple(key.lower() for key in asked.pop("partitioned_by", []))
        packed = compression_of(form, asked)
        properties = _delimiter(form, asked)
        if asked:
            raise QueryFailed("INVALID_UNLOAD_PROPERTY", f"Unknown property {', '.join(asked)} of UNLOAD")
        names, types = _named(translation, keys)
        self._check_empty(statement.location, f"Target directory {statement.location} already exists.")
        split = len(names) - len(keys)
        for kind in types:
            hive_type(kind)
        layout = Layout(form, packed, names[:split], types[:split], properties, readable=False)
        return Target(statement.location, layout, keys, types[split:], _casts(types))

    def _inserted(self, statement: Insert, translation: Translation) -> Target:
        database, name = self._full(statement.name)
        table = self._catalog.table(database, name)
        if table is None:
            label = f"{CATALOG}.{database}.{name}"
            raise QueryFailed("TABLE_NOT_FOUND", f"line 1:1: Table '{label}' does not exist")
        if table.view is not None:
            raise QueryFailed("NOT_SUPPORTED", "line 1:1: Inserting into views is not supported")
        form = next((form for form, storage in STORAGES.items() if storage.serde == table.serde), None)
        # https://docs.aws.amazon.com/athena/latest/ug/insert-into.html lists the SerDes.
        if form is None or form not in WRITABLE:
            raise not_supported(None, f"INSERT INTO {database}.{name}: the SerDe {table.serde}")
        columns = (*table.columns, *table.keys)
        wanted = statement.columns or tuple(column.name for column in columns)
        by_name = {column.name: column.type for column in columns}
        for column in wanted:
            if column not in by_name:
                raise QueryFailed(
                    "COLUMN_NOT_FOUND", f"line 1:1: Insert column name does not exist in target table: {column}"
                )
        if len(set(wanted)) < len(wanted):
            twice = next(column for column in wanted if wanted.count(column) > 1)
            raise QueryFailed(
                "DUPLICATE_COLUMN_NAME", f"line 1:1: Insert column name is specified more than once: {twice}"
            )
        given = [kind for _, kind in translation.columns]
        taken = [by_name[column] for column in wanted]
        if len(given) != len(taken) or not all(coercible(a, b) for a, b in zip(given, taken, strict=True)):
            theirs, ours = (", ".join(map(str, kinds)) for kinds in (taken, given))
            raise QueryFailed(
                "TYPE_MISMATCH",
                f"line 1:1: Insert query has mismatched column types: Table: [{theirs}], Query: [{ours}]",
            )
        sources = {column: f"c{position}" for position, column in enumerate(wanted)}
        casts = tuple(f"CAST({sources.get(c.name, 'NULL')} AS {duckdb_type(c.type)})" for c in columns)
        asked = {
            key.split(".")[-1].removesuffix("_compression"): value
            for key, value in table.parameters.items()
            if key in {"write.compression", "write_compression", f"{form.lower()}.compression", "orc.compress"}
        }
        packed = compression(form, next(iter(asked.values()), None))
        names, types = tuple(c.name for c in table.columns), tuple(c.type for c in table.columns)
        layout = Layout(form, packed, names, types, table.parameters)
        folders = (
            {}
            if table.projected
            else {f.values: f"s3://{f.bucket}/{f.prefix}" for f in self._catalog.registered(table)}
        )
        key_types = tuple(key.type for key in table.keys)
        return Target(
            table.location, layout, tuple(k.name for k in table.keys), key_types, casts, into=table, folders=folders
        )

    def _check_empty(self, location: str, words: str) -> None:
        bucket, prefix = split_location(location)
        try:
            found = self._s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount", 0)
        except self._s3.exceptions.NoSuchBucket:
            raise QueryFailed("HIVE_METASTORE_ERROR", f"The bucket of {location} does not exist") from None
        if found:
            raise QueryFailed(
                "HIVE_PATH_ALREADY_EXISTS",
                f"{words} You may need to manually clean the data at location '{location}' before retrying. "
                "Athena will not delete data in your account.",
            )

    # ---- rows to files -------------------------------------------------------------------------------------------

    def write(
        self,
        target: Target,
        translation: Translation,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        commit: Callable[[], None],
        scratch: Path,
        *,
        rows: bool = True,
    ) -> Outcome:
        """Run the query into files and publish them; `commit` is called when nothing can stop it any more."""
        folder = Path(tempfile.mkdtemp(dir=scratch))
        try:
            count, files = _write_files(target, translation, connection, folder) if rows else (0, {})
            commit()
            return Outcome(count, self.publish(target, files, name))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, target: Target, files: Mapping[tuple[str, ...], Path], name: str) -> list[str]:
        """Put complete files under their keys, then tell Glue; what was put is taken away if anything fails."""
        put: list[tuple[str, str]] = []
        try:
            for values, path in files.items():
                bucket, prefix = split_location(self._folder(target, values))
                key = f"{prefix}{name}{target.layout.suffix}"
                put.append((bucket, key))
                with path.open("rb") as body:
                    self._s3.put_object(Bucket=bucket, Key=key, Body=body, **self._put_options)
            self._tell_glue(target, files)
        except (ClientError, BotoCoreError):
            for bucket, key in put:
                self._s3.delete_object(Bucket=bucket, Key=key)
            raise
        return [f"s3://{bucket}/{key}" for bucket, key in put]

    def _folder(self, target: Target, values: tuple[str, ...]) -> str:
        if not target.keys:
            return target.location
        if values in target.folders:
            return target.folders[values]
        if target.into is not None and target.into.projected:
            folder = projected_folder(target.into, values)
            return f"s3://{folder.bucket}/{folder.prefix}"
        named = (f"{key}={escaped(value)}" for key, value in zip(target.keys, values, strict=True))
        return "/".join([target.location.rstrip("/"), *named]) + "/"

    def _tell_glue(self, target: Target, files: Mapping[tuple[str, ...], Path]) -> None:
        if target.creates is not None:
            self._glue.create_table(**target.creates)
            database, table = target.creates["DatabaseName"], target.creates["TableInput"]
        elif target.into is not None and target.keys and not target.into.projected:
            database = target.into.database
            table = self._glue.get_table(DatabaseName=database, Name=target.into.name)["Table"]
        else:
            return
        storage = {key: value for key, value in table["StorageDescriptor"].items() if key != "Location"}
        fresh = [
            {"Values": list(values), "StorageDescriptor": {**storage, "Location": self._folder(target, values)}}
            for values in files
            if target.keys and values not in target.folders
        ]
        if fresh:
            # A hundred at most, which is also the most that one call takes.
            self._glue.batch_create_partition(DatabaseName=database, TableName=table["Name"], PartitionInputList=fresh)


def compression_of(form: str, asked: dict[str, Any]) -> str:
    """Take the compression out of a statement's properties, and return its name for the library."""
    if form not in STORAGES:
        raise QueryFailed("INVALID_TABLE_PROPERTY", f"line 1:1: The format {form} is none of {', '.join(STORAGES)}")
    if form not in WRITABLE:
        raise not_supported(None, f"Writing the format {form}")
    asked.pop("compression_level", None)
    wanted = [asked.pop(key, None) for key in ("write_compression", "compression", f"{form.lower()}_compression")]
    return compression(form, next((str(name) for name in wanted if name), None))


def _delimiter(form: str, asked: dict[str, Any]) -> dict[str, str]:
    delimiter = asked.pop("field_delimiter", None)
    if delimiter is None or form != "TEXTFILE":
        return {}
    # https://docs.aws.amazon.com/athena/latest/ug/unload.html: of one character.
    if len(delimiter) != 1:
        raise QueryFailed("INVALID_TABLE_PROPERTY", "line 1:1: The property field_delimiter takes one character")
    return {"field.delim": delimiter, "serialization.format": delimiter}


def _named(translation: Translation, keys: Sequence[str]) -> tuple[tuple[str, ...], tuple[Type, ...]]:
    """Return the columns of a table that is made of a query; raises QueryFailed where they make none."""
    if translation.unnamed:
        place = translation.unnamed[0] + 1
        raise QueryFailed("COLUMN_NAME_NOT_SPECIFIED", f"line 1:1: Column name not specified at position {place}")
    names = tuple(name.lower() for name, _ in translation.columns)
    for name in names:
        if names.count(name) > 1:
            raise QueryFailed("DUPLICATE_COLUMN_NAME", f"line 1:1: Column name '{name}' specified more than once")
    for key in keys:
        if key not in names:
            raise QueryFailed("INVALID_TABLE_PROPERTY", f"Partition columns {list(keys)} not present in schema")
    if len(keys) == len(names):
        raise QueryFailed("INVALID_TABLE_PROPERTY", "Table contains only partition columns")
    if keys and names[-len(keys) :] != tuple(keys):
        last = f"[{', '.join(names[-len(keys) :])}]"
        raise QueryFailed(
            "HIVE_COLUMN_ORDER_MISMATCH",
            "Partition keys must be the last columns in the table and in the same order as the table properties: "
            f"[{', '.join(keys)}], and not {last}",
        )
    return names, tuple(kind for _, kind in translation.columns)


def _casts(types: Sequence[Type]) -> tuple[str, ...]:
    return tuple(f"c{position}" for position in range(len(types)))


def _write_files(
    target: Target, translation: Translation, connection: duckdb.DuckDBPyConnection, folder: Path
) -> tuple[int, dict[tuple[str, ...], Path]]:
    """Stream the rows into one file a partition."""
    open_files: dict[tuple[str, ...], tuple[Path, File]] = {}
    rows = 0
    schema = target.layout.schema
    try:
        for batch in _batches(connection, _statement(target, translation)):
            rows += batch.num_rows
            for values, part in _split(pa.Table.from_batches([batch]), len(target.keys)):
                if values not in open_files:
                    if len(open_files) == MAX_PARTITIONS:
                        raise QueryFailed(
                            "HIVE_TOO_MANY_OPEN_PARTITIONS",
                            f"Exceeded limit of {MAX_PARTITIONS} open writers for partitions/buckets",
                        )
                    path = folder / str(len(open_files))
                    open_files[values] = path, target.layout.open(path)
                open_files[values][1].write(part.cast(schema))
    finally:
        for _, file in open_files.values():
            file.close()
    return rows, {values: path for values, (path, _) in open_files.items()}


_FAILURES: Mapping[str, type[duckdb.Error]] = {
    "Conversion Error": duckdb.ConversionException,
    "INTERRUPT Error": duckdb.InterruptException,
    "Out of Range Error": duckdb.OutOfRangeException,
}


def _batches(connection: duckdb.DuckDBPyConnection, sql: str) -> Iterator[pa.RecordBatch]:
    """Yield a query's rows; Arrow tells of DuckDB's failures as OSError, with DuckDB's words for their kind."""
    reader = connection.sql(sql).to_arrow_reader(BATCH)
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except OSError as error:
            kind = _FAILURES.get(str(error).partition(":")[0], duckdb.Error)
            raise kind(str(error)) from None
        yield batch


def _statement(target: Target, translation: Translation) -> str:
    """Return the query with its columns as the files hold them, and then the texts of the partition keys."""
    inner = ", ".join(f"c{position}" for position in range(len(translation.columns)))
    held = len(target.layout.names)
    columns = [f"{sql} AS {quoted(n)}" for sql, n in zip(target.casts, target.layout.names, strict=False)]
    for position, (sql, kind) in enumerate(zip(target.casts[held:], target.key_types, strict=True)):
        text = as_varchar(Value(sql, kind))
        if text is None:
            raise not_supported(None, f"A partition key of the type {kind}")
        columns.append(f"coalesce(nullif({text}, ''), '{NO_PARTITION}') AS {quoted(f'key {position}')}")
    return f"SELECT {', '.join(columns)} FROM ({translation.sql}) AS result({inner})"


def _split(rows: pa.Table, keys: int) -> Iterator[tuple[tuple[str, ...], pa.Table]]:
    """Part rows by their last columns, the texts of the partition keys."""
    if not keys:
        if rows.num_rows:
            yield (), rows
        return
    held = rows.num_columns - keys
    names = rows.column_names[held:]
    data = rows.select(range(held))
    for each in rows.select(names).group_by(names, use_threads=False).aggregate([]).to_pylist():
        mask = None
        for name in names:
            same = pc.equal(rows.column(name), each[name])
            mask = same if mask is None else pc.and_(mask, same)
        yield tuple(each[name] for name in names), data.filter(mask)


def escaped(value: str) -> str:
    """Return a partition's value as Hive writes it in a path.

    https://github.com/apache/hive/blob/master/common/src/java/org/apache/hadoop/hive/common/FileUtils.java
    """
    return re.sub(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]", lambda match: f"%{ord(match[0]):02X}", value)


def file_name(submitted: datetime, query_id: str, file_id: str) -> str:
    """Return the name of a file as Athena's engine makes them: time, query and a random part."""
    return f"{submitted:%Y%m%d_%H%M%S}_00000_{query_id[:5]}_{file_id}"
