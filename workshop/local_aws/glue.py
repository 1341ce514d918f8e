"""What clients ask of Glue's tables and partitions that ministack does not answer, or not as AWS does."""

import copy
import json
import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

import duckdb
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from workshop.local_aws.constraints import violations
from workshop.local_aws.overlay import overlay
from workshop.local_aws.protocol import AwsError

_VERSIONS = "ArchivedVersions"
"""Where a table's earlier versions are kept: in ministack's record of it, with which they are persisted and deleted."""
_PAGE = 100  # https://docs.aws.amazon.com/glue/latest/webapi/API_GetTables.html
_PARTITIONS_PAGE = 1000  # https://docs.aws.amazon.com/glue/latest/webapi/API_GetPartitions.html

Tables = MutableMapping[str, dict[str, Any]]
Partitions = MutableMapping[str, list[dict[str, Any]]]
Ministack = Callable[[dict[str, Any]], tuple[int, Any, bytes]]


class Glue:
    """Actions over ministack's tables and partitions, both by `{database}/{table}`."""

    def __init__(
        self, databases: Mapping[str, Any], tables: Tables, partitions: Partitions, update_table: Ministack
    ) -> None:
        """Answer from ministack's stores; `update_table` is its own way to change a table."""
        self._databases = databases
        self._tables = tables
        self._partitions = partitions
        self._update_table = update_table
        actions = {
            "GetTable": self.get_table,
            "GetTables": self.get_tables,
            "SearchTables": self.search_tables,
            "UpdateTable": self.update_table,
            "GetTableVersion": self.get_table_version,
            "GetTableVersions": self.get_table_versions,
            "GetPartitions": self.get_partitions,
            "UpdatePartition": self.update_partition,
            "BatchDeletePartition": self.batch_delete_partition,
        }
        self.actions = {name: _checked(name, answer) for name, answer in actions.items()}

    def get_table(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe a table with what it has; ministack adds empty members, which UpdateTable would refuse."""
        return {"Table": _shown(self._table(request, request["Name"]))}

    def get_tables(self, request: dict[str, Any]) -> dict[str, Any]:
        """List a database's tables whose names match an expression, in which `*` stands for any text."""
        database = request["DatabaseName"]
        if database not in self._databases:
            raise _not_found(f"Database {database} not found.")
        matches = name_matcher(request.get("Expression") or "*")
        found = [
            _shown(table)
            for key, table in self._tables.items()
            if key.partition("/")[0] == database and matches(table["Name"])
        ]
        return _page("TableList", found, request, _PAGE)

    def search_tables(self, request: dict[str, Any]) -> dict[str, Any]:
        """List the tables whose name, columns, comments or description hold a text, or whose members equal a filter.

        https://docs.aws.amazon.com/glue/latest/webapi/API_SearchTables.html: a text in quotes is to be met whole.
        """
        text = (request.get("SearchText") or "").lower()
        wanted = text.strip('"')
        found = [
            _shown(table)
            for table in self._tables.values()
            if all(_met(table, condition) for condition in request.get("Filters") or [])
            and (not wanted or any(wanted == t if text != wanted else wanted in t for t in _texts(table)))
        ]
        if request.get("SortCriteria"):
            raise AwsError("InvalidInputException", "SortCriteria is not supported by the embedded Glue")
        return _page("TableList", found, request, _PAGE)

    def update_table(self, request: dict[str, Any]) -> dict[str, Any]:
        """Define a table anew: what a request does not name is gone. The earlier version is kept.

        https://docs.aws.amazon.com/glue/latest/webapi/API_UpdateTable.html
        """
        wanted = request["TableInput"]
        table = self._table(request, wanted["Name"])
        earlier = copy.deepcopy({key: value for key, value in table.items() if key != _VERSIONS})
        gone = ("Description", "Owner", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
        # ministack merges: it is told of everything.
        nothing: dict[str, Any] = {"StorageDescriptor": {}, "PartitionKeys": [], "Parameters": {}}
        cleared = {key: nothing.get(key, "") for key in gone if key not in wanted}
        status, _, body = self._update_table({**request, "TableInput": {**cleared, **wanted}})
        if status >= 400:
            answer = json.loads(body)
            raise AwsError(answer["__type"], answer.get("message") or answer.get("Message", ""), status=status)
        if not request.get("SkipArchive"):
            table.setdefault(_VERSIONS, []).append(earlier)
        return {}

    def get_table_version(self, request: dict[str, Any]) -> dict[str, Any]:
        """Describe one version of a table, the latest unless one is named."""
        table = self._table(request, request["TableName"])
        wanted = request.get("VersionId") or table["VersionId"]
        for version in _versions(table):
            if version["VersionId"] == wanted:
                return {"TableVersion": version}
        raise _not_found(f"Version {wanted} of table {table['Name']} not found.")

    def get_table_versions(self, request: dict[str, Any]) -> dict[str, Any]:
        """List a table's versions, the latest first."""
        return _page("TableVersions", _versions(self._table(request, request["TableName"])), request, _PAGE)

    def get_partitions(self, request: dict[str, Any]) -> dict[str, Any]:
        """List a table's partitions for which an expression over the partition keys is true."""
        table = self._table(request, request["TableName"])
        found: Iterable[dict[str, Any]] = self._partitions.get(_key(request, request["TableName"]), [])
        if expression := (request.get("Expression") or "").strip():
            found = _where(expression, table, list(found))
        return _page("Partitions", list(found), request, _PARTITIONS_PAGE)

    def update_partition(self, request: dict[str, Any]) -> dict[str, Any]:
        """Define a partition anew, under other values if the request gives them."""
        self._table(request, request["TableName"])
        key, values = _key(request, request["TableName"]), request["PartitionValueList"]
        for position, partition in enumerate(self._partitions.get(key, [])):
            if partition["Values"] == values:
                kept = {k: partition[k] for k in ("DatabaseName", "TableName", "CreationTime", "CatalogId")}
                self._partitions[key][position] = {"Values": values, **request["PartitionInput"], **kept}
                return {}
        raise _not_found(f"Partition {values} of table {request['TableName']} not found.")

    def batch_delete_partition(self, request: dict[str, Any]) -> dict[str, Any]:
        """Delete partitions; those that are not there are listed as errors."""
        self._table(request, request["TableName"])
        key = _key(request, request["TableName"])
        unwanted = [entry["Values"] for entry in request["PartitionsToDelete"]]
        there = self._partitions.get(key, [])
        known = [partition["Values"] for partition in there]
        self._partitions[key] = [partition for partition in there if partition["Values"] not in unwanted]
        detail = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": "Partition not found."}
        return {
            "Errors": [{"PartitionValues": values, "ErrorDetail": detail} for values in unwanted if values not in known]
        }

    def _table(self, request: Mapping[str, Any], name: str) -> dict[str, Any]:
        database = request["DatabaseName"]
        if database not in self._databases:
            raise _not_found(f"Database {database} not found.")
        table = self._tables.get(f"{database}/{name}")
        if table is None:
            raise _not_found(f"Entity Not Found: table {name} of database {database}")
        return table


def name_matcher(expression: str) -> Callable[[str], object]:
    """Return a test of a table's name: a regular expression in which a bare `*` stands for any text, as in Hive.

    Raises:
        re.error: it is none.
    """
    return re.compile(re.sub(r"(?<![.\])\\])\*", ".*", expression), re.IGNORECASE).fullmatch


def _checked(operation: str, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    def checked(request: dict[str, Any]) -> dict[str, Any]:
        if wrong := violations("glue", operation, request):
            raise AwsError("ValidationException", wrong)
        return answer(request)

    return checked


def _key(request: Mapping[str, Any], table: str) -> str:
    return f"{request['DatabaseName']}/{table}"


def _not_found(message: str) -> AwsError:
    return AwsError("EntityNotFoundException", message)


def _page(key: str, found: list[Any], request: Mapping[str, Any], most: int) -> dict[str, Any]:
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise AwsError("InvalidInputException", "The NextToken is invalid")
    start = int(token)
    end = start + min(request.get("MaxResults") or most, most)
    return {key: found[start:end], **({"NextToken": str(end)} if end < len(found) else {})}


def _shown(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value not in (None, "") and key != _VERSIONS}


def _versions(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    latest_first = [table, *reversed(table.get(_VERSIONS, []))]
    return [{"Table": _shown(version), "VersionId": version["VersionId"]} for version in latest_first]


def _texts(table: Mapping[str, Any]) -> list[str]:
    columns = [*(table.get("StorageDescriptor") or {}).get("Columns", []), *(table.get("PartitionKeys") or [])]
    texts = [
        table["Name"],
        table.get("Description"),
        *(column.get(of) for column in columns for of in ("Name", "Comment")),
    ]
    return [text.lower() for text in texts if text]


def _met(table: Mapping[str, Any], condition: Mapping[str, str]) -> bool:
    """Tell whether a member is the value, or has it among its words: `customer-link` has `link`, `xlink` has not."""
    if "Comparator" in condition and condition["Comparator"] != "EQUALS":
        raise AwsError("InvalidInputException", f"{condition['Comparator']} is not supported by the embedded Glue")
    key, value = condition["Key"], condition["Value"].lower()
    held = str(table.get(key[:1].upper() + key[1:]) or "").lower()
    return held == value or value in re.split(r"[^a-z0-9_]+", held)


_CONDITIONS = (
    *(
        exp.And,
        exp.Or,
        exp.Not,
        exp.Paren,
        exp.EQ,
        exp.NEQ,
        exp.GT,
        exp.GTE,
        exp.LT,
        exp.LTE,
        exp.In,
        exp.Between,
        exp.Like,
    ),
    *(exp.Is, exp.Null, exp.Column, exp.Identifier, exp.Literal, exp.Neg),
)
_TYPES = {
    "tinyint": "BIGINT",
    "smallint": "BIGINT",
    "int": "BIGINT",
    "bigint": "BIGINT",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "decimal": "DECIMAL(38, 18)",
}


def _where(expression: str, table: Mapping[str, Any], partitions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the partitions for which a condition on the keys is true.

    https://docs.aws.amazon.com/glue/latest/webapi/API_GetPartitions.html lists the operators and the types of keys.
    """
    keys = {key["Name"].lower(): key["Type"].lower() for key in table.get("PartitionKeys") or []}
    try:
        condition = parse_one(expression, read="hive")
    except SqlglotError as error:
        raise AwsError("InvalidInputException", f"Unsupported expression '{expression}': {error}") from None
    for node in condition.walk():
        if not isinstance(node, _CONDITIONS) or (isinstance(node, exp.Column) and node.name.lower() not in keys):
            raise AwsError("InvalidInputException", f"Unsupported expression '{expression}' at '{node.sql()}'")
    columns = ", ".join(
        f'CAST(v[{position}] AS {_TYPES.get(kind.partition("(")[0], "VARCHAR")}) AS "{name}"'
        for position, (name, kind) in enumerate(keys.items(), start=1)
    )
    sql = (
        f"SELECT i FROM (SELECT i, {columns} FROM (SELECT unnest($i) AS i, unnest($v) AS v)) "  # noqa: S608 - checked
        f"WHERE {condition.sql(dialect='duckdb')} ORDER BY i"
    )
    with duckdb.connect(config={"enable_external_access": False}) as connection:
        values = [partition["Values"] for partition in partitions]
        try:
            rows = connection.execute(sql, {"i": list(range(len(values))), "v": values}).fetchall()
        except duckdb.Error as error:
            raise AwsError("InvalidInputException", f"Unsupported expression '{expression}': {error}") from None
    return [partitions[row[0]] for row in rows]


def install() -> None:
    """Have ministack answer these actions as AWS does."""
    from ministack.services import glue

    overlay(glue, Glue(glue._databases, glue._tables, glue._partitions, glue._update_table).actions)
