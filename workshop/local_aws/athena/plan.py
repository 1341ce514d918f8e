"""What a statement reads: tables, queries and columns, which of them its result needs, and in which partitions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from sqlglot import exp

from workshop.local_aws.athena.catalog import Folder, Table
from workshop.local_aws.athena.trino_types import Type

CATALOG = "awsdatacatalog"
PATH = "$path"


class Value(NamedTuple):
    """An expression in DuckDB's SQL, and its Trino type."""

    sql: str
    type: Type


@dataclass(eq=False, slots=True)
class Scan:
    """One mention of a table: which of its columns are needed, and what is asked of its partitions."""

    name: str
    table: Table
    fields: list["Field"] = field(default_factory=list)
    live: set[str] = field(default_factory=set)
    filters: list["Filter"] = field(default_factory=list)
    bounds: list["Bound"] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Query:
    """A SELECT or what stands for one: its text, its columns, and what it reads."""

    sql: str = ""
    fields: list["Field"] = field(default_factory=list)
    sources: list["Scan | Query"] = field(default_factory=list)
    needs: set["Field"] = field(default_factory=set)
    conditions: list["Condition"] = field(default_factory=list)
    references: int = 0
    bars_filters: bool = False
    """A filter of the reader must not be applied to what the query reads, because of LIMIT or recursion."""
    groups: list[set["Field"]] = field(default_factory=list)
    """A filter of the reader may only concern columns that are in every one of these: GROUP BY, PARTITION BY."""


@dataclass(eq=False, slots=True)
class Field:
    """A column of a scan or a query. `name` is None when nothing can refer to it; `column` is its name in DuckDB."""

    name: str | None
    column: str
    type: Type
    owner: Scan | Query
    reads: set["Field"] = field(default_factory=set)
    same: tuple["Field", ...] = ()
    """The columns this one is a copy of: one, or one for each side of a UNION."""
    hidden: bool = False


class Bound(NamedTuple):
    """A comparison of a column with constants, in DuckDB's SQL: what Parquet's statistics can prove to be untrue."""

    column: str
    sign: str
    constants: tuple[str, ...]


class Condition(NamedTuple):
    """A part of a WHERE or ON that only concerns one source: `sql` speaks of `alias` and its columns."""

    sql: str
    alias: str
    fields: Mapping[str, Field]
    bound: Bound | None = None


class Filter(NamedTuple):
    """A condition on the partition keys of a scan: `sql` speaks of `alias` with columns that are copies of keys."""

    sql: str
    alias: str
    keys: Mapping[str, str]


class Translation(NamedTuple):
    """A statement for DuckDB, its columns' names and Trino types, and the tables to be there under their names."""

    sql: str
    columns: list[tuple[str, Type]]
    scans: list[Scan]
    unnamed: tuple[int, ...] = ()
    """The positions of columns that the statement gives no name; a table cannot be made of them."""


class Tables(Protocol):
    """Where tables are looked up."""

    def table(self, database: str, name: str) -> Table | None:
        """Return a table, or None when there is none."""

    def has_database(self, name: str) -> bool:
        """Return whether there is a database of that name."""

    def databases(self) -> Iterator[str]:
        """Yield the names of all databases."""

    def tables(self, database: str) -> Iterator[Table]:
        """Yield the tables and views of a database."""

    def registered(self, table: Table) -> Iterator[Folder]:
        """Yield the partitions that a table has been given."""


@dataclass(slots=True)
class Source:
    """A relation of a FROM under its alias."""

    alias: str
    fields: list[Field]
    named: bool = True
    """Whether the statement can say the alias."""
    database: str = ""


@dataclass(slots=True)
class Scope:
    """What names mean at one place: the sources of a SELECT, then those of the SELECT around it."""

    parent: "Scope | None"
    database: str
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, tuple[Value, set[Field]]] = field(default_factory=dict)
    """Columns of JOIN … USING, which belong to no side."""
    ctes: dict[str, Query] = field(default_factory=dict)
    windows: dict[str, exp.Window] = field(default_factory=dict)
    outputs: dict[str, tuple[Value, set[Field]]] = field(default_factory=dict)
    """Inside ORDER BY, what is selected under a name."""

    def cte(self, name: str) -> Query | None:
        """Return the query that WITH names so, here or around here."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.ctes:
                return scope.ctes[name]
            scope = scope.parent
        return None


def quoted(name: str) -> str:
    """Return a name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def mark_needed(top: Query) -> None:
    """Find the columns of every scan that the result depends on."""
    entered: set[Query] = set()
    seen: set[Field] = set()

    def enter(query: Query | Scan) -> None:
        if isinstance(query, Scan) or query in entered:
            return
        entered.add(query)
        for needed in query.needs:
            see(needed)
        for source in query.sources:
            enter(source)

    def see(column: Field) -> None:
        if column in seen:
            return
        seen.add(column)
        if isinstance(column.owner, Scan):
            column.owner.live.add(column.column)
            return
        enter(column.owner)
        for read in column.reads:
            see(read)

    enter(top)
    for column in top.fields:
        see(column)


def push(condition: Condition, fields: Mapping[str, Field]) -> None:
    """Carry a condition down to the scans whose partition keys it speaks of, where that changes no result."""
    owner = next(iter(fields.values())).owner
    if any(column.owner is not owner for column in fields.values()):
        return
    if isinstance(owner, Scan):
        keys = {key.name for key in owner.table.keys}
        if all(column.column in keys for column in fields.values()):
            named = {name: column.column for name, column in fields.items()}
            owner.filters.append(Filter(condition.sql, condition.alias, named))
        if condition.bound is not None and len(fields) == 1:
            owner.bounds.append(condition.bound._replace(column=next(iter(fields.values())).column))
        return
    if owner.references > 1 or owner.bars_filters or not all(column.same for column in fields.values()):
        return
    for side in range(min(len(column.same) for column in fields.values())):
        below = {name: column.same[side] for name, column in fields.items()}
        if all(set(below.values()) <= group for group in owner.groups):
            push(condition, below)
