"""Statements about Glue's databases, tables, partitions and views, which read no rows.

Failures of Hive's statements begin with `FAILED:`, as users report them; AWS does not list them.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from workshop.local_aws.athena import statements
from workshop.local_aws.athena.catalog import VIEW_TEXT, split_location
from workshop.local_aws.athena.errors import QueryFailed, not_supported
from workshop.local_aws.athena.plan import CATALOG, Translation, quoted
from workshop.local_aws.athena.statements import HiveColumn, Name, Partition, Statement
from workshop.local_aws.athena.storage import LAZY_SIMPLE, STORAGES, Storage, hive_type
from workshop.local_aws.athena.trino_types import UnknownType, parse_type
from workshop.local_aws.athena.writing import escaped

_DDL_TASK = "Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."
_HADOOP_TEXT = Storage(LAZY_SIMPLE, STORAGES["TEXTFILE"].input_format, STORAGES["TEXTFILE"].output_format)


class Told(NamedTuple):
    """What a statement answers: the names of its columns, and its lines."""

    columns: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


class Ddl:
    """Runs statements against Glue."""

    def __init__(self, glue: Any, s3: Any, database: str) -> None:
        self._glue = glue
        self._s3 = s3
        self._database = database

    def run(self, statement: Statement) -> Told:
        """Run a statement; raises QueryFailed."""
        match statement:
            case statements.CreateDatabase():
                return self._create_database(statement)
            case statements.DropDatabase():
                return self._drop_database(statement)
            case statements.CreateTable():
                return self._create_table(statement)
            case statements.DropTable() | statements.DropView():
                return self._drop(statement)
            case statements.AddPartitions():
                return self._add_partitions(statement)
            case statements.DropPartitions():
                return self._drop_partitions(statement)
            case statements.RenamePartition():
                return self._rename_partition(statement)
            case statements.AddColumns():
                return self._add_columns(statement)
            case statements.SetProperties():
                table = self._table(statement.name)
                return self._update(table, Parameters={**table.get("Parameters", {}), **statement.properties})
            case statements.SetLocation():
                return self._set_location(statement)
            case statements.RepairTable():
                return self._repair(statement.name)
        return self._shown(statement)

    # ---- databases -----------------------------------------------------------------------------------------------

    def _create_database(self, statement: statements.CreateDatabase) -> Told:
        described = {"Name": statement.name, "Parameters": dict(statement.properties)}
        if statement.comment:
            described["Description"] = statement.comment
        if statement.location:
            described["LocationUri"] = statement.location
        try:
            self._glue.create_database(DatabaseInput=described)
        except self._glue.exceptions.AlreadyExistsException:
            if not statement.if_not_exists:
                text = f"{_DDL_TASK} Database {statement.name} already exists"
                raise QueryFailed("FAILED", text) from None
        return Told()

    def _drop_database(self, statement: statements.DropDatabase) -> Told:
        name = statement.name
        if not self._has_database(name):
            if statement.if_exists:
                return Told()
            raise QueryFailed("FAILED", f"SemanticException [Error 10072]: Database does not exist: {name}")
        if not statement.cascade and next(self._tables(name), None):
            raise QueryFailed(
                "FAILED",
                f"{_DDL_TASK} InvalidOperationException(message:Database {name} is not empty. One or more tables "
                "exist.)",
            )
        self._glue.delete_database(Name=name)
        return Told()

    # ---- tables --------------------------------------------------------------------------------------------------

    def _create_table(self, statement: statements.CreateTable) -> Told:
        database, name = self._full(statement.name)
        for column in (*statement.columns, *statement.keys):
            _check_type(column)
        if not statement.location.startswith("s3://"):
            if statement.location:
                raise QueryFailed("FAILED", f"SemanticException Invalid location: {statement.location}")
            wrong = "java.lang.IllegalArgumentException: Can not create a Path from an empty string"
            raise QueryFailed("FAILED", f"{_DDL_TASK} MetaException(message:{wrong})")
        storage = _storage(statement)
        parameters = {"EXTERNAL": "TRUE", **statement.properties}
        if statement.comment:
            parameters["comment"] = statement.comment
        table = {
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": parameters,
            "PartitionKeys": _glue_columns(statement.keys),
            "StorageDescriptor": storage.descriptor(
                _glue_columns(statement.columns), statement.location, statement.serde_properties
            ),
        }
        try:
            self._glue.create_table(DatabaseName=database, TableInput=table)
        except self._glue.exceptions.AlreadyExistsException:
            if not statement.if_not_exists:
                text = f"{_DDL_TASK} AlreadyExistsException(message:Table {name} already exists)"
                raise QueryFailed("FAILED", text) from None
        except self._glue.exceptions.EntityNotFoundException:
            text = f"SemanticException [Error 10072]: Database does not exist: {database}"
            raise QueryFailed("FAILED", text) from None
        return Told()

    def _drop(self, statement: statements.DropTable | statements.DropView) -> Told:
        database, name = self._full(statement.name)
        wants_view = isinstance(statement, statements.DropView)
        table = self._find(statement.name)
        if table is None:
            if statement.if_exists:
                return Told()
            if wants_view:
                raise QueryFailed("VIEW_NOT_FOUND", f"line 1:1: View '{CATALOG}.{database}.{name}' does not exist")
            raise QueryFailed("FAILED", f"SemanticException [Error 10001]: Table not found {database}.{name}")
        if wants_view and not _is_view(table):
            text = f"line 1:1: View '{CATALOG}.{database}.{name}' does not exist, but a table with that name exists."
            raise QueryFailed("VIEW_NOT_FOUND", text)
        if not wants_view and _is_view(table):
            raise QueryFailed("FAILED", "SemanticException [Error 10128]: Cannot drop a view with DROP TABLE")
        self._glue.delete_table(DatabaseName=database, Name=name)
        return Told()

    def _add_columns(self, statement: statements.AddColumns) -> Told:
        table = self._table(statement.name)
        for column in statement.columns:
            _check_type(column)
        kept = [] if statement.replace else table["StorageDescriptor"]["Columns"]
        names = [each["Name"] for each in (*kept, *table.get("PartitionKeys", []))]
        for column in statement.columns:
            if column.name in names:
                raise QueryFailed("FAILED", f"{_DDL_TASK} Duplicate column name: {column.name}")
            names.append(column.name)
        columns = [*kept, *_glue_columns(statement.columns)]
        return self._update(table, StorageDescriptor={**table["StorageDescriptor"], "Columns": columns})

    def _set_location(self, statement: statements.SetLocation) -> Told:
        table = self._table(statement.name)
        if statement.partition is None:
            return self._update(table, StorageDescriptor={**table["StorageDescriptor"], "Location": statement.location})
        values = _values(table, statement.partition)
        found = next((p for p in self._partitions(table) if p["Values"] == values), None)
        if found is None:
            raise _no_partition(statement.partition)
        self._replace_partition(table, found, {**found["StorageDescriptor"], "Location": statement.location}, values)
        return Told()

    def _update(self, table: Mapping[str, Any], **changed: Any) -> Told:
        kept = {key: value for key, value in table.items() if key in _TABLE_INPUT and value is not None}
        self._glue.update_table(DatabaseName=table["DatabaseName"], TableInput={**kept, **changed})
        return Told()

    # ---- partitions: https://docs.aws.amazon.com/athena/latest/ug/alter-table-add-partition.html -------------------

    def _add_partitions(self, statement: statements.AddPartitions) -> Told:
        table = self._table(statement.name)
        known = [partition["Values"] for partition in self._partitions(table)]
        wanted = [(_values(table, partition), partition) for partition in statement.partitions]
        if not statement.if_not_exists and any(values in known for values, _ in wanted):
            raise QueryFailed("FAILED", f"{_DDL_TASK} AlreadyExistsException(message:Partition already exists.)")
        self._register(table, {tuple(v): partition.location for v, partition in wanted if v not in known})
        return Told()

    def _drop_partitions(self, statement: statements.DropPartitions) -> Told:
        table = self._table(statement.name)
        known = [partition["Values"] for partition in self._partitions(table)]
        wanted = [(_values(table, partition), partition) for partition in statement.partitions]
        missing = next((partition for values, partition in wanted if values not in known), None)
        if missing and not statement.if_exists:
            raise _no_partition(missing)
        for values, _ in wanted:
            if values in known:
                self._glue.delete_partition(
                    DatabaseName=table["DatabaseName"], TableName=table["Name"], PartitionValues=values
                )
        return Told()

    def _rename_partition(self, statement: statements.RenamePartition) -> Told:
        table = self._table(statement.name)
        old, new = _values(table, statement.old), _values(table, statement.new)
        partitions = self._partitions(table)
        found = next((partition for partition in partitions if partition["Values"] == old), None)
        if found is None:
            raise _no_partition(statement.old)
        if any(partition["Values"] == new for partition in partitions):
            raise QueryFailed("FAILED", f"{_DDL_TASK} AlreadyExistsException(message:Partition already exists.)")
        self._replace_partition(table, found, found["StorageDescriptor"], new)
        return Told()

    def _replace_partition(
        self, table: Mapping[str, Any], old: Mapping[str, Any], storage: Mapping[str, Any], values: Sequence[str]
    ) -> None:
        where = {"DatabaseName": table["DatabaseName"], "TableName": table["Name"]}
        changed = {"Values": list(values), "StorageDescriptor": storage, "Parameters": old.get("Parameters", {})}
        self._glue.delete_partition(**where, PartitionValues=old["Values"])
        self._glue.create_partition(**where, PartitionInput=changed)

    def _register(self, table: Mapping[str, Any], locations: Mapping[tuple[str, ...], str]) -> None:
        storage = table["StorageDescriptor"]
        inputs = []
        for values, location in locations.items():
            named = (f"{key}={escaped(value)}" for key, value in zip(_keys(table), values, strict=True))
            place = location or "/".join([storage["Location"].rstrip("/"), *named])
            inputs.append({"Values": list(values), "StorageDescriptor": {**storage, "Location": place}})
        for start in range(0, len(inputs), 100):
            self._glue.batch_create_partition(
                DatabaseName=table["DatabaseName"],
                TableName=table["Name"],
                PartitionInputList=inputs[start : start + 100],
            )

    def _repair(self, name: Name) -> Told:
        """Register the folders that are named as Hive names partitions.

        https://docs.aws.amazon.com/athena/latest/ug/msck-repair-table.html: it adds, and never removes.
        """
        table = self._table(name)
        keys = _keys(table)
        if not keys:
            return Told()
        bucket, prefix = split_location(table["StorageDescriptor"]["Location"])
        pattern = re.compile("/".join(f"{re.escape(key)}=([^/]+)" for key in keys) + "/")
        found: dict[tuple[str, ...], str] = {}
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if match := pattern.match(entry["Key"][len(prefix) :]):
                    values = tuple(_unescaped(value) for value in match.groups())
                    found.setdefault(values, f"s3://{bucket}/{prefix}{match[0]}")
        known = {tuple(partition["Values"]) for partition in self._partitions(table)}
        fresh = {values: place for values, place in found.items() if values not in known}
        if not fresh:
            return Told()
        self._register(table, fresh)
        label = f"{table['Name']}:"
        paths = ["/".join(f"{k}={v}" for k, v in zip(keys, values, strict=True)) for values in fresh]
        missing = "\t".join(["Partitions not in metastore:", *(label + path for path in paths)])
        return Told((), (missing, *(f"Repair: Added partition to metastore {label}{path}" for path in paths)))

    # ---- views: https://docs.aws.amazon.com/athena/latest/ug/create-view.html ------------------------------------

    def create_view(self, statement: statements.CreateView, translation: Translation) -> Told:
        """Keep a view as Athena does: Presto's document in base64, and Hive's columns beside it."""
        database, name = self._full(statement.name)
        if not self._has_database(database):
            raise QueryFailed("SCHEMA_NOT_FOUND", f"line 1:1: Schema '{database}' does not exist")
        names = statement.columns or tuple(column.lower() for column, _ in translation.columns)
        if len(names) != len(translation.columns):
            text = f"Column alias list has {len(names)} entries but relation has {len(translation.columns)} columns"
            raise QueryFailed("MISMATCHED_COLUMN_ALIASES", f"line 1:1: {text}")
        if translation.unnamed and not statement.columns:
            place = translation.unnamed[0] + 1
            raise QueryFailed("COLUMN_NAME_NOT_SPECIFIED", f"line 1:1: Column name not specified at position {place}")
        for column in names:
            if names.count(column) > 1:
                raise QueryFailed("DUPLICATE_COLUMN_NAME", f"line 1:1: Column name '{column}' specified more than once")
        text = statement.text
        if statement.columns:
            text = f"SELECT * FROM ({text}) AS named ({', '.join(quoted(column) for column in names)})"  # noqa: S608
        kinds = [kind for _, kind in translation.columns]
        document = {
            "originalSql": text,
            "catalog": CATALOG,
            "schema": self._database,
            "columns": [{"name": n, "type": str(k)} for n, k in zip(names, kinds, strict=True)],
        }
        columns = [{"Name": n, "Type": _view_type(k)} for n, k in zip(names, kinds, strict=True)]
        encoded = base64.b64encode(json.dumps(document).encode()).decode()
        view = {
            "Name": name,
            "TableType": "VIRTUAL_VIEW",
            "Parameters": {"comment": "Presto View", "presto_view": "true"},
            "PartitionKeys": [],
            "StorageDescriptor": {"Columns": columns, "Location": "", "SerdeInfo": {}},
            "ViewOriginalText": f"/* Presto View: {encoded} */",
            "ViewExpandedText": "/* Presto View */",
        }
        existing = self._find(statement.name)
        if existing is None:
            self._glue.create_table(DatabaseName=database, TableInput=view)
        elif not _is_view(existing):
            raise QueryFailed("TABLE_ALREADY_EXISTS", f"line 1:1: Table already exists: '{CATALOG}.{database}.{name}'")
        elif not statement.replace:
            raise QueryFailed("ALREADY_EXISTS", f"View already exists: '{database}.{name}'")
        else:
            self._glue.update_table(DatabaseName=database, TableInput=view)
        return Told()

    # ---- SHOW and DESCRIBE ---------------------------------------------------------------------------------------

    def _shown(self, statement: Statement) -> Told:
        match statement:
            case statements.ShowDatabases():
                pages = self._glue.get_paginator("get_databases").paginate()
                names = (database["Name"] for page in pages for database in page["DatabaseList"])
                return Told(("database_name",), _matching(names, statement.pattern))
            case statements.ShowTables():
                names = (table["Name"] for table in self._listed(statement.database))
                return Told(("tab_name",), _matching(names, statement.pattern))
            case statements.ShowViews():
                names = (table["Name"] for table in self._listed(statement.database) if _is_view(table))
                return Told(("views",), _matching(names, statement.pattern))
            case statements.ShowColumns():
                table = self._table(statement.name)
                return Told(("field",), tuple(f"{column['Name']:<20}" for column in _all_columns(table)))
            case statements.ShowPartitions():
                return self._show_partitions(statement.name)
            case statements.ShowProperties():
                parameters = self._table(statement.name).get("Parameters", {})
                if statement.property:
                    missing = f"Table {statement.name.table} does not have property: {statement.property}"
                    return Told(("prpt_name",), (parameters.get(statement.property, missing),))
                lines = tuple(f"{key}\t{value}" for key, value in sorted(parameters.items()))
                return Told(("prpt_name", "prpt_value"), lines)
            case statements.ShowCreateTable():
                table = self._table(statement.name)
                if _is_view(table):
                    raise QueryFailed("FAILED", "SemanticException SHOW CREATE TABLE of a view; use SHOW CREATE VIEW")
                # Named as it was asked for: tests/unit/test_athena.py of aws/aws-sdk-pandas, which runs against AWS.
                name = ".".join(part for part in statement.name if part)
                return Told(("createtab_stmt",), tuple(_create_text(table, name)))
            case statements.ShowCreateView():
                return self._show_create_view(statement.name)
            case statements.Describe():
                return self._describe(statement.name)
        raise not_supported(None, f"The statement {statement.subtype}")

    def _show_partitions(self, name: Name) -> Told:
        table = self._table(name)
        keys = _keys(table)
        if not keys:
            raise QueryFailed("FAILED", f"{_DDL_TASK} Table {table['Name']} is not a partitioned table")
        lines = (
            "/".join(f"{k}={escaped(v)}" for k, v in zip(keys, partition["Values"], strict=True))
            for partition in self._partitions(table)
        )
        return Told(("partition",), tuple(sorted(lines)))

    def _show_create_view(self, name: Name) -> Told:
        database, view = self._full(name)
        table = self._find(name)
        label = f"'{CATALOG}.{database}.{view}'"
        if table is None:
            raise QueryFailed("TABLE_NOT_FOUND", f"line 1:1: View {label} does not exist")
        if not _is_view(table):
            text = f"line 1:1: Relation {label} is a table, not a view"
            raise QueryFailed("NOT_SUPPORTED", text)
        lines = [f"CREATE VIEW {database}.{view} AS", *_document(table)["originalSql"].splitlines()]
        return Told(("Create View",), tuple(lines))

    def _describe(self, name: Name) -> Told:
        table = self._table(name)
        if _is_view(table):
            columns = _document(table)["columns"] or [
                {"name": c["Name"], "type": c["Type"]} for c in _all_columns(table)
            ]
            lines = tuple(f"{column['name']}\t{column['type']}\t\t" for column in columns)
            return Told(("Column", "Type", "Extra", "Comment"), lines)

        def line(column: Mapping[str, str]) -> str:
            return f"{column['Name']:<20}\t{column['Type']:<20}\t{column.get('Comment', ''):<20}"

        lines = tuple(line(column) for column in _all_columns(table))
        if table.get("PartitionKeys"):
            heading = f"# {'col_name':<20}\t{'data_type':<20}\t{'comment':<20}"
            keys = tuple(line(column) for column in table["PartitionKeys"])
            lines += ("\t \t ", "# Partition Information\t \t ", heading, "\t \t ", *keys)
        return Told(("col_name", "data_type", "comment"), lines)

    # ---- looking up ----------------------------------------------------------------------------------------------

    def _full(self, name: Name) -> tuple[str, str]:
        return name.database or self._database, name.table

    def _find(self, name: Name) -> dict[str, Any] | None:
        database, table = self._full(name)
        try:
            found: dict[str, Any] = self._glue.get_table(DatabaseName=database, Name=table)["Table"]
        except self._glue.exceptions.EntityNotFoundException:
            return None
        return {**found, "DatabaseName": database}

    def _table(self, name: Name) -> dict[str, Any]:
        table = self._find(name)
        if table is None:
            database, table_name = self._full(name)
            raise QueryFailed("FAILED", f"SemanticException [Error 10001]: Table not found {database}.{table_name}")
        return table

    def _has_database(self, name: str) -> bool:
        try:
            self._glue.get_database(Name=name)
        except self._glue.exceptions.EntityNotFoundException:
            return False
        return True

    def _tables(self, database: str) -> Iterator[dict[str, Any]]:
        for page in self._glue.get_paginator("get_tables").paginate(DatabaseName=database):
            yield from page["TableList"]

    def _listed(self, database: str) -> Iterator[dict[str, Any]]:
        name = database or self._database
        if not self._has_database(name):
            raise QueryFailed("FAILED", f"SemanticException [Error 10072]: Database does not exist: {name}")
        return self._tables(name)

    def _partitions(self, table: Mapping[str, Any]) -> list[dict[str, Any]]:
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=table["DatabaseName"], TableName=table["Name"]
        )
        return [partition for page in pages for partition in page["Partitions"]]


_TABLE_INPUT = frozenset({
    "Name", "Description", "Owner", "Retention", "StorageDescriptor", "PartitionKeys", "ViewOriginalText",
    "ViewExpandedText", "TableType", "Parameters",
})  # fmt: skip


def _storage(statement: statements.CreateTable) -> Storage:
    """Return a new table's SerDe and formats; text is the default.

    https://docs.aws.amazon.com/athena/latest/ug/create-table.html
    """
    form = {"PARQUETFILE": "PARQUET", "": "TEXTFILE"}.get(statement.format, statement.format)
    if statement.input_format:
        base = Storage(LAZY_SIMPLE, statement.input_format, statement.output_format)
    elif form in STORAGES:
        base = _HADOOP_TEXT if form == "TEXTFILE" else STORAGES[form]
    else:
        raise not_supported(None, f"STORED AS {form}")
    return base._replace(serde=statement.serde) if statement.serde else base


def _check_type(column: HiveColumn) -> None:
    try:
        parse_type(column.type)
    except (UnknownType, IndexError):
        text = f"ParseException cannot recognize input near '{column.type}' in column type"
        raise QueryFailed("FAILED", text) from None


def _glue_columns(columns: Sequence[HiveColumn]) -> list[dict[str, str]]:
    return [
        {"Name": c.name, "Type": c.type.replace("integer", "int"), **({"Comment": c.comment} if c.comment else {})}
        for c in columns
    ]


def _view_type(kind: Any) -> str:
    """Return a view column's type for Glue, which has no word for some of Trino's."""
    try:
        return hive_type(kind)
    except QueryFailed:
        return "string"


def _is_view(table: Mapping[str, Any]) -> bool:
    return table.get("TableType") == "VIRTUAL_VIEW"


def _document(table: Mapping[str, Any]) -> dict[str, Any]:
    match = VIEW_TEXT.search(table.get("ViewOriginalText") or "")
    if match is None:
        raise not_supported(None, f"View {table['Name']}: its text is not Presto's; a Hive view")
    document: dict[str, Any] = json.loads(base64.b64decode(match["body"]))
    return document


def _keys(table: Mapping[str, Any]) -> list[str]:
    return [key["Name"] for key in table.get("PartitionKeys", [])]


def _all_columns(table: Mapping[str, Any]) -> list[dict[str, str]]:
    return [*table["StorageDescriptor"].get("Columns", []), *table.get("PartitionKeys", [])]


def _values(table: Mapping[str, Any], partition: Partition) -> list[str]:
    """Return a partition's values in the order of the table's keys."""
    keys = _keys(table)
    unknown = next((key for key in partition.keys if key not in keys), None)
    if unknown:
        text = (
            f"SemanticException [Error 10098]: Non-Partition column appears in the partition specification: {unknown}"
        )
        raise QueryFailed("FAILED", text)
    if len(partition.keys) < len(keys):
        spec = ", ".join(f"{key}={value}" for key, value in partition.keys.items())
        raise QueryFailed(
            "FAILED", f"SemanticException partition spec {{{spec}}} doesn't contain all ({len(keys)}) partition columns"
        )
    return [partition.keys[key] for key in keys]


def _no_partition(partition: Partition) -> QueryFailed:
    spec = ", ".join(f"{key}={value}" for key, value in partition.keys.items())
    return QueryFailed("FAILED", f"SemanticException [Error 10006]: Partition not found ({spec})")


def _matching(names: Iterator[str], pattern: str) -> tuple[str, ...]:
    """Return the names that match, in order: `*` stands for any text and `|` for a choice.

    https://docs.aws.amazon.com/athena/latest/ug/show-tables.html
    """
    choices = "|".join(re.escape(choice).replace(r"\*", ".*") for choice in (pattern or "*").lower().split("|"))
    return tuple(sorted(name for name in names if re.fullmatch(choices, name.lower())))


def _unescaped(value: str) -> str:
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), value)


def _create_text(table: Mapping[str, Any], name: str) -> Iterator[str]:
    """Yield the statement that makes a table, line by line.

    https://docs.aws.amazon.com/athena/latest/ug/show-create-table.html
    """
    storage = table["StorageDescriptor"]
    serde = storage.get("SerdeInfo", {})
    yield f"CREATE EXTERNAL TABLE `{name}`("
    yield from _column_lines(storage.get("Columns", []))
    if table.get("PartitionKeys"):
        yield "PARTITIONED BY ( "
        yield from _column_lines(table["PartitionKeys"])
    yield "ROW FORMAT SERDE "
    yield f"  {_hive_text(serde.get('SerializationLibrary', ''))} "
    if serde.get("Parameters"):
        yield "WITH SERDEPROPERTIES ( "
        yield from _property_lines(serde["Parameters"], ") ")
    yield "STORED AS INPUTFORMAT "
    yield f"  {_hive_text(storage.get('InputFormat', ''))} "
    yield "OUTPUTFORMAT "
    yield f"  {_hive_text(storage.get('OutputFormat', ''))}"
    yield "LOCATION"
    yield f"  {_hive_text(storage.get('Location', ''))}"
    parameters = {key: value for key, value in table.get("Parameters", {}).items() if key != "EXTERNAL"}
    if parameters:
        yield "TBLPROPERTIES ("
        yield from _property_lines(parameters, ")")


def _column_lines(columns: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for position, column in enumerate(columns):
        end = ")" if position == len(columns) - 1 else ", "
        comment = f" COMMENT {_hive_text(column['Comment'])}" if "Comment" in column else ""
        yield f"  `{column['Name']}` {column['Type']}{comment}{end}"


def _property_lines(properties: Mapping[str, str], end: str) -> Iterator[str]:
    lines = [f"  {_hive_text(key)}={_hive_text(value)}" for key, value in sorted(properties.items())]
    yield from (f"{line}, " for line in lines[:-1])
    yield lines[-1] + end


def _hive_text(text: str) -> str:
    shown = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return "'" + re.sub(r"[\x00-\x1f]", lambda match: f"\\u{ord(match[0]):04X}", shown) + "'"
