"""Glue's tables, and the objects in S3 that hold a table's rows."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from workshop.local_aws.athena.dates import from_joda
from workshop.local_aws.athena.errors import QueryFailed, not_supported
from workshop.local_aws.athena.trino_types import Type, UnknownType, parse_type

PARQUET, ORC, JSON_LINES, LAZY, CSV = "parquet", "orc", "json", "lazy", "csv"
OPENX = "org.openx.data.jsonserde.JsonSerDe"

# https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html
_SERDES = {
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe": PARQUET,
    "org.apache.hadoop.hive.ql.io.orc.OrcSerde": ORC,
    OPENX: JSON_LINES,
    "org.apache.hive.hcatalog.data.JsonSerDe": JSON_LINES,
    "org.apache.hadoop.hive.serde2.JsonSerDe": JSON_LINES,
    "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe": LAZY,
    "org.apache.hadoop.hive.serde2.OpenCSVSerde": CSV,
}
NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
VIEW_TEXT = re.compile(r"/\* Presto View: (?P<body>[A-Za-z0-9+/=\s]+?) \*/")


class Column(NamedTuple):
    """A column of a table, its name in lower case."""

    name: str
    type: Type
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a view of the Glue catalogue."""

    database: str
    name: str
    columns: tuple[Column, ...] = ()
    keys: tuple[Column, ...] = ()
    location: str = ""
    serde: str = ""
    parameters: Mapping[str, str] = None  # type: ignore[assignment]
    view: str | None = None
    view_database: str = ""

    @property
    def format(self) -> str:
        """Return how the table's objects are written; raises QueryFailed for a SerDe that is not read here."""
        if self.serde not in _SERDES:
            raise not_supported(None, f"Table {self.database}.{self.name}: the SerDe {self.serde or '(none)'}")
        if self.serde in _SERDES and self.parameters.get("parquet.column.index.access", "false").lower() == "true":
            raise not_supported(None, f"Table {self.database}.{self.name}: parquet.column.index.access")
        return _SERDES[self.serde]

    @property
    def projected(self) -> bool:
        """Return whether the partitions are computed from the table's parameters."""
        return self.parameters.get("projection.enabled", "false").lower() == "true"


def read_table(described: Mapping[str, Any]) -> Table:
    """Read a table as Glue's GetTable describes it.

    A view's text is Presto's: base64 of a JSON document with `originalSql`, the form Athena itself writes.
    """
    storage = described.get("StorageDescriptor", {})
    database, name = described["DatabaseName"].lower(), described["Name"].lower()
    view = view_database = None
    if described.get("TableType") == "VIRTUAL_VIEW":
        match = VIEW_TEXT.search(described.get("ViewOriginalText") or "")
        if match is None:
            raise not_supported(None, f"View {database}.{name}: its text is not Presto's; a Hive view")
        document = json.loads(base64.b64decode(match["body"]))
        view, view_database = document["originalSql"], document.get("schema") or database
    return Table(
        database=database,
        name=name,
        columns=_columns(storage.get("Columns", [])),
        keys=_columns(described.get("PartitionKeys", [])),
        location=storage.get("Location", ""),
        serde=storage.get("SerdeInfo", {}).get("SerializationLibrary", ""),
        parameters={**storage.get("SerdeInfo", {}).get("Parameters", {}), **described.get("Parameters", {})},
        view=view,
        view_database=view_database or database,
    )


def _columns(described: Sequence[Mapping[str, str]]) -> tuple[Column, ...]:
    return tuple(
        Column(column["Name"].lower(), parse_type(column["Type"]), column.get("Comment")) for column in described
    )


class Folder(NamedTuple):
    """One partition: the text of its keys, and where its objects are."""

    values: tuple[str, ...]
    bucket: str
    prefix: str


class StoredObject(NamedTuple):
    """An object of a table, with the text of its partition's keys."""

    bucket: str
    key: str
    etag: str
    size: int
    values: tuple[str, ...]

    @property
    def path(self) -> str:
        """Return what `"$path"` shows."""
        return f"s3://{self.bucket}/{self.key}"


def split_location(location: str) -> tuple[str, str]:
    """Split `s3://bucket/prefix/` into its bucket and prefix; a prefix ends with a slash."""
    parts = urlsplit(location)
    prefix = parts.path.lstrip("/")
    return parts.netloc, prefix if not prefix or prefix.endswith("/") else prefix + "/"


# ---- partition projection: https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html


def projected_values(table: Table, key: Column, now: datetime, injected: Sequence[str] = ()) -> list[str]:
    """Return every value a projected partition key takes, of an `injected` one those that the statement names.

    Raises QueryFailed where the parameters do not say.
    """

    def setting(name: str, default: str | None = None) -> str:
        value = table.parameters.get(f"projection.{key.name}.{name}", default)
        if value is None:
            raise QueryFailed(
                "INVALID_TABLE_PROPERTY",
                f"Table {table.database}.{table.name} lacks the property projection.{key.name}.{name}",
            )
        return value

    kind = setting("type").lower()
    if kind == "enum":
        return [value.strip() for value in setting("values").split(",")]
    if kind == "integer":
        first, last = (int(part) for part in setting("range").split(","))
        digits = int(setting("digits", "0"))
        return [str(value).zfill(digits) for value in range(first, last + 1, int(setting("interval", "1")))]
    if kind == "date":
        form = setting("format")
        first_text, last_text = setting("range").split(",")
        unit = setting("interval.unit", "HOURS" if "H" in form else "DAYS" if "d" in form else "MONTHS")
        pattern = from_joda(form)
        step, moment, last_moment = (
            int(setting("interval", "1")),
            *(_moment(text.strip(), pattern, now) for text in (first_text, last_text)),
        )
        values = []
        while moment <= last_moment:
            values.append(moment.strftime(pattern))
            moment = _later(moment, step, unit.upper())
        return list(dict.fromkeys(values))
    if kind == "injected":
        # https://docs.aws.amazon.com/athena/latest/ug/partition-projection-dynamic-id-partitioning.html
        if not injected:
            raise QueryFailed(
                "CONSTRAINT_VIOLATION",
                f"For the injected projected partition column {key.name}, the WHERE clause must contain only static equality conditions, and at least one such condition must be present",  # noqa: E501
            )
        return list(dict.fromkeys(injected))
    raise not_supported(None, f"The {kind} partition projection of {table.database}.{table.name}")


def _moment(text: str, pattern: str, now: datetime) -> datetime:
    match = re.fullmatch(r"NOW\s*(?:(?P<sign>[+-])\s*(?P<count>\d+)\s*(?P<unit>[A-Z]+?)S?)?", text.upper())
    if match is None:
        return datetime.strptime(text, pattern).replace(tzinfo=UTC)
    if not match["count"]:
        return now
    return _later(now, int(match["sign"] + match["count"]), match["unit"] + "S")


def _later(moment: datetime, count: int, unit: str) -> datetime:
    if unit in {"MONTHS", "YEARS"}:
        months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "YEARS" else 1)
        return moment.replace(year=months // 12, month=months % 12 + 1, day=1)
    return moment + timedelta(**{unit.lower(): count})


def projected_folder(table: Table, values: Sequence[str]) -> Folder:
    """Return where the objects of a projected partition are: by the template, or as Hive names folders."""
    named = {key.name: value for key, value in zip(table.keys, values, strict=True)}
    template = table.parameters.get("storage.location.template")
    if template:
        location = re.sub(r"\$\{(\w+)\}", lambda match: named[match[1].lower()], template)
    else:
        location = "/".join([table.location.rstrip("/"), *(f"{name}={value}" for name, value in named.items())])
    return Folder(tuple(values), *split_location(location))


class Catalog:
    """Reads Glue and lists S3 for one statement, so that a table is looked up once."""

    def __init__(self, glue: Any, s3: Any) -> None:
        self._glue = glue
        self._s3 = s3
        self._tables: dict[tuple[str, str], Table | None] = {}

    def table(self, database: str, name: str) -> Table | None:
        """Return a table, or None when the catalogue has none of that name."""
        if (database, name) not in self._tables:
            try:
                described = self._glue.get_table(DatabaseName=database, Name=name)["Table"]
            except self._glue.exceptions.EntityNotFoundException:
                self._tables[database, name] = None
            else:
                self._tables[database, name] = read_table({**described, "DatabaseName": database})
        return self._tables[database, name]

    def has_database(self, name: str) -> bool:
        """Return whether the catalogue has a database of that name."""
        try:
            self._glue.get_database(Name=name)
        except self._glue.exceptions.EntityNotFoundException:
            return False
        return True

    def databases(self) -> Iterator[str]:
        """Yield the names of all databases."""
        for page in self._glue.get_paginator("get_databases").paginate():
            yield from (described["Name"].lower() for described in page["DatabaseList"])

    def tables(self, database: str) -> Iterator[Table]:
        """Yield the tables and views of a database; one that cannot be read here has no columns."""
        for page in self._glue.get_paginator("get_tables").paginate(DatabaseName=database):
            for described in page["TableList"]:
                try:
                    yield read_table({**described, "DatabaseName": database})
                except (QueryFailed, UnknownType):
                    view = "" if described.get("TableType") == "VIRTUAL_VIEW" else None
                    yield Table(database, described["Name"].lower(), view=view)

    def registered(self, table: Table) -> Iterator[Folder]:
        """Yield the partitions that are registered in Glue."""
        for page in self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=table.database, TableName=table.name
        ):
            for partition in page["Partitions"]:
                yield Folder(tuple(partition["Values"]), *split_location(partition["StorageDescriptor"]["Location"]))

    def objects(self, folders: Sequence[Folder]) -> list[StoredObject]:
        """List the objects of some partitions, hidden ones left out.

        A few folders are listed one by one; many are found in one listing of what their names have in common.
        """
        found: list[StoredObject] = []
        for bucket in dict.fromkeys(folder.bucket for folder in folders):
            here = [folder for folder in folders if folder.bucket == bucket]
            if len(here) <= 8:
                for folder in here:
                    found += [stored._replace(values=folder.values) for stored in self._list(bucket, folder.prefix)]
            else:
                found += self._sort_into(here, self._list(bucket, _common_start([folder.prefix for folder in here])))
        return found

    def _sort_into(self, folders: Sequence[Folder], listed: Iterator[StoredObject]) -> Iterator[StoredObject]:
        by_prefix = {folder.prefix: folder for folder in folders}
        for stored in listed:
            parts = stored.key.split("/")
            for depth in range(len(parts) - 1, 0, -1):
                if folder := by_prefix.get("/".join(parts[:depth]) + "/"):
                    yield stored._replace(values=folder.values)
                    break

    def _list(self, bucket: str, prefix: str) -> Iterator[StoredObject]:
        try:
            for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", []):
                    # https://docs.aws.amazon.com/athena/latest/ug/creating-tables.html: hidden names are not read.
                    hidden = entry["Key"].rsplit("/", 1)[-1].startswith(("_", "."))
                    if not hidden and entry["Size"]:
                        yield StoredObject(bucket, entry["Key"], entry["ETag"].strip('"'), entry["Size"], ())
        except self._s3.exceptions.NoSuchBucket:
            return


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    length = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]
