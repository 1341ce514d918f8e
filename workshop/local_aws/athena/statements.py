"""The kinds of Athena's statements, and what each asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from sqlglot import exp

Properties = Mapping[str, Any]


class Name(NamedTuple):
    """A table's name in lower case, and its database where the statement says it."""

    database: str
    table: str


class HiveColumn(NamedTuple):
    """A column as Hive's DDL declares it."""

    name: str
    type: str
    comment: str = ""


class Partition(NamedTuple):
    """A partition of an ALTER TABLE: its keys and values, and where it is."""

    keys: Mapping[str, str]
    location: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement; how GetQueryExecution calls it.

    https://docs.aws.amazon.com/athena/latest/APIReference/API_QueryExecution.html names the types. Which sub-statement
    types there are is not documented; these are the ones that users' programs are reported to look for.
    """

    type: ClassVar[str] = "DDL"
    subtype: ClassVar[str] = ""


@dataclass(frozen=True, slots=True)
class Select(Statement):
    """A query; its rows are the result."""

    type = "DML"
    subtype = "SELECT"
    query: exp.Expr


@dataclass(frozen=True, slots=True)
class Explain(Statement):
    """EXPLAIN (TYPE VALIDATE)."""

    type = "UTILITY"
    subtype = "EXPLAIN"
    statement: Statement


@dataclass(frozen=True, slots=True)
class CreateTableAs(Statement):
    """CREATE TABLE … AS."""

    subtype = "CREATE_TABLE_AS_SELECT"
    name: Name
    query: exp.Expr
    properties: Properties = field(default_factory=dict)
    if_not_exists: bool = False
    with_data: bool = True


@dataclass(frozen=True, slots=True)
class Insert(Statement):
    """INSERT INTO."""

    type = "DML"
    subtype = "INSERT"
    name: Name
    query: exp.Expr
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unload(Statement):
    """UNLOAD (…) TO."""

    type = "DML"
    subtype = "UNLOAD"
    query: exp.Expr
    location: str
    properties: Properties


@dataclass(frozen=True, slots=True)
class CreateView(Statement):
    """CREATE [OR REPLACE] VIEW."""

    subtype = "CREATE_VIEW"
    name: Name
    query: exp.Expr
    text: str
    columns: tuple[str, ...] = ()
    replace: bool = False


@dataclass(frozen=True, slots=True)
class DropView(Statement):
    """DROP VIEW."""

    subtype = "DROP_VIEW"
    name: Name
    if_exists: bool


@dataclass(frozen=True, slots=True)
class CreateDatabase(Statement):
    """CREATE DATABASE or SCHEMA."""

    subtype = "CREATE_DATABASE"
    name: str
    if_not_exists: bool
    comment: str
    location: str
    properties: Properties


@dataclass(frozen=True, slots=True)
class DropDatabase(Statement):
    """DROP DATABASE or SCHEMA."""

    subtype = "DROP_DATABASE"
    name: str
    if_exists: bool
    cascade: bool


@dataclass(frozen=True, slots=True)
class CreateTable(Statement):
    """CREATE EXTERNAL TABLE."""

    subtype = "CREATE_TABLE"
    name: Name
    if_not_exists: bool = False
    columns: tuple[HiveColumn, ...] = ()
    keys: tuple[HiveColumn, ...] = ()
    comment: str = ""
    serde: str = ""
    serde_properties: Properties = field(default_factory=dict)
    format: str = ""
    input_format: str = ""
    output_format: str = ""
    location: str = ""
    properties: Properties = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DropTable(Statement):
    """DROP TABLE."""

    subtype = "DROP_TABLE"
    name: Name
    if_exists: bool


@dataclass(frozen=True, slots=True)
class AddPartitions(Statement):
    """ALTER TABLE … ADD PARTITION."""

    subtype = "ALTER_TABLE_ADD_PARTITION"
    name: Name
    partitions: tuple[Partition, ...]
    if_not_exists: bool


@dataclass(frozen=True, slots=True)
class DropPartitions(Statement):
    """ALTER TABLE … DROP PARTITION."""

    subtype = "ALTER_TABLE_DROP_PARTITION"
    name: Name
    partitions: tuple[Partition, ...]
    if_exists: bool


@dataclass(frozen=True, slots=True)
class RenamePartition(Statement):
    """ALTER TABLE … PARTITION … RENAME TO PARTITION."""

    subtype = "ALTER_TABLE_RENAME_PARTITION"
    name: Name
    old: Partition
    new: Partition


@dataclass(frozen=True, slots=True)
class AddColumns(Statement):
    """ALTER TABLE … ADD or REPLACE COLUMNS."""

    subtype = "ALTER_TABLE_ADD_COLUMNS"
    name: Name
    columns: tuple[HiveColumn, ...]
    replace: bool


@dataclass(frozen=True, slots=True)
class SetProperties(Statement):
    """ALTER TABLE … SET TBLPROPERTIES."""

    subtype = "ALTER_TABLE_SET_TBLPROPERTIES"
    name: Name
    properties: Properties


@dataclass(frozen=True, slots=True)
class SetLocation(Statement):
    """ALTER TABLE … SET LOCATION, of the table or of a partition."""

    subtype = "ALTER_TABLE_SET_LOCATION"
    name: Name
    partition: Partition | None
    location: str


@dataclass(frozen=True, slots=True)
class RepairTable(Statement):
    """MSCK REPAIR TABLE."""

    subtype = "MSCK_REPAIR_TABLE"
    name: Name


@dataclass(frozen=True, slots=True)
class Utility(Statement):
    """A SHOW or DESCRIBE."""

    type = "UTILITY"


@dataclass(frozen=True, slots=True)
class ShowDatabases(Utility):
    """SHOW DATABASES or SCHEMAS."""

    subtype = "SHOW_DATABASES"
    pattern: str


@dataclass(frozen=True, slots=True)
class ShowTables(Utility):
    """SHOW TABLES."""

    subtype = "SHOW_TABLES"
    database: str
    pattern: str


@dataclass(frozen=True, slots=True)
class ShowViews(Utility):
    """SHOW VIEWS."""

    subtype = "SHOW_VIEWS"
    database: str
    pattern: str


@dataclass(frozen=True, slots=True)
class ShowColumns(Utility):
    """SHOW COLUMNS."""

    subtype = "SHOW_COLUMNS"
    name: Name


@dataclass(frozen=True, slots=True)
class ShowPartitions(Utility):
    """SHOW PARTITIONS."""

    subtype = "SHOW_PARTITIONS"
    name: Name


@dataclass(frozen=True, slots=True)
class ShowProperties(Utility):
    """SHOW TBLPROPERTIES, all or one."""

    subtype = "SHOW_TBLPROPERTIES"
    name: Name
    property: str


@dataclass(frozen=True, slots=True)
class ShowCreateTable(Utility):
    """SHOW CREATE TABLE."""

    subtype = "SHOW_CREATE_TABLE"
    name: Name


@dataclass(frozen=True, slots=True)
class ShowCreateView(Utility):
    """SHOW CREATE VIEW."""

    subtype = "SHOW_CREATE_VIEW"
    name: Name


@dataclass(frozen=True, slots=True)
class Describe(Utility):
    """DESCRIBE a table or a view."""

    subtype = "DESCRIBE_TABLE"
    name: Name


@dataclass(frozen=True, slots=True)
class Prepare(Statement):
    """PREPARE … FROM."""

    subtype = "PREPARE"
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Execute(Statement):
    """EXECUTE … [USING …]."""

    type = "DML"
    subtype = "EXECUTE"
    name: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deallocate(Statement):
    """DEALLOCATE PREPARE."""

    subtype = "DEALLOCATE_PREPARE"
    name: str


Written = CreateTableAs | Insert | Unload
