"""Athena's data catalogues as its API tells of them: databases and tables, read from Glue."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from botocore.exceptions import ClientError

from workshop.local_aws.constraints import violations
from workshop.local_aws.glue import name_matcher
from workshop.local_aws.protocol import Action, AwsError, Caller

AWS_DATA_CATALOG = "awsdatacatalog"
MAX_LISTED = 50


class Catalogs:
    """Answers for the databases and tables of a catalogue; Glue's own are the only ones that can be read here."""

    def __init__(self, client: Callable[[str, str], Any]) -> None:
        """Ask with `client`, which returns the client of a service, such as `glue`, in a region."""
        self._client = client
        self.actions: Mapping[str, Action] = {
            "GetDatabase": self.get_database,
            "ListDatabases": self.list_databases,
            "GetTableMetadata": self.get_table_metadata,
            "ListTableMetadata": self.list_table_metadata,
        }

    def get_database(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Describe one database."""
        glue, catalog = self._reached(caller, "GetDatabase", request)
        with _glues_refusals():
            return {
                "Database": _database(glue.get_database(Name=request["DatabaseName"].lower(), **catalog)["Database"])
            }

    def list_databases(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """List the databases of a catalogue."""
        glue, catalog = self._reached(caller, "ListDatabases", request)
        with _glues_refusals():
            pages = glue.get_paginator("get_databases").paginate(**catalog)
            found = [_database(described) for page in pages for described in page["DatabaseList"]]
        return page_of("DatabaseList", found, request)

    def get_table_metadata(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """Describe one table or view; names are looked up in lower case, as Glue keeps them."""
        glue, catalog = self._reached(caller, "GetTableMetadata", request)
        database, name = request["DatabaseName"].lower(), request["TableName"].lower()
        with _glues_refusals():
            return {
                "TableMetadata": table_metadata(glue.get_table(DatabaseName=database, Name=name, **catalog)["Table"])
            }

    def list_table_metadata(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        """List the tables and views of a database whose names match the expression."""
        glue, catalog = self._reached(caller, "ListTableMetadata", request)
        database, matches = request["DatabaseName"].lower(), _matcher(request.get("Expression") or "*")
        with _glues_refusals():
            glue.get_database(Name=database, **catalog)
            pages = glue.get_paginator("get_tables").paginate(DatabaseName=database, **catalog)
            found = [table for page in pages for table in page["TableList"] if matches(table["Name"])]
        listed = [table_metadata(table) for table in sorted(found, key=lambda table: table["Name"])]
        return page_of("TableMetadataList", listed, request)

    def _reached(self, caller: Caller, operation: str, request: dict[str, Any]) -> tuple[Any, dict[str, str]]:
        """Return Glue's client and what tells it the catalogue, for a request that has passed AWS's checks."""
        if wrong := violations("athena", operation, request):
            raise invalid(wrong)
        glue, name = self._client("glue", caller.region), request["CatalogName"]
        if name.lower() == AWS_DATA_CATALOG:
            return glue, {}
        try:
            described = self._client("athena", caller.region).get_data_catalog(Name=name)["DataCatalog"]
        except ClientError as error:
            raise invalid(error.response["Error"]["Message"]) from None
        if described["Type"] != "GLUE":
            raise AwsError(
                "MetadataException",
                f"The data catalog {name} is of type {described['Type']}, which the embedded Athena does not support",
            )
        return glue, {"CatalogId": described["Parameters"]["catalog-id"]}


def invalid(message: str) -> AwsError:
    """Return the refusal of a request."""
    return AwsError("InvalidRequestException", message, AthenaErrorCode="INVALID_INPUT")


def page_of(
    key: str, found: list[Any], request: Mapping[str, Any], most: int = MAX_LISTED, *, unasked: int | None = None
) -> dict[str, Any]:
    """Return the page of a listing that a request asks for: `MaxResults` of it, `unasked` or `most` by default."""
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise invalid("The NextToken is invalid")
    start = int(token)
    end = start + min(request.get("MaxResults") or unasked or most, most)
    return {key: found[start:end], **({"NextToken": str(end)} if end < len(found) else {})}


@contextmanager
def _glues_refusals() -> Iterator[None]:
    """Word a refusal of Glue's as Athena passes it on.

    Reported by users (DyfanJones/noctua #205); PyAthena reads Glue's code out of the message.
    """
    try:
        yield
    except ClientError as error:
        code, said = error.response["Error"]["Code"], error.response["Error"]["Message"]
        raise AwsError(
            "MetadataException",
            f"{said} (Service: AmazonDataCatalog; Status Code: 400; Error Code: {code}; "
            f"Request ID: {uuid4()}; Proxy: null)",
        ) from None


def _matcher(expression: str) -> Callable[[str], object]:
    try:
        return name_matcher(expression)
    except re.error as error:
        raise invalid(f"The expression {expression} is not a regular expression: {error}") from None


def _database(described: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: described[key] for key in ("Name", "Description") if described.get(key)}
    return {**kept, "Parameters": described.get("Parameters") or {}}


def table_metadata(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a Glue table as Athena describes it: where and how it is stored is among its parameters.

    AWS documents the shape alone (API_TableMetadata); the parameters are those that PyAthena's `pyathena/glue.py`,
    which stands in for this very call, records of the service.
    """
    storage = table.get("StorageDescriptor") or {}
    serde = storage.get("SerdeInfo") or {}
    stored = {
        "location": storage.get("Location"),
        "inputformat": storage.get("InputFormat"),
        "outputformat": storage.get("OutputFormat"),
        "serde.serialization.lib": serde.get("SerializationLibrary"),
    }
    parameters = {
        **(table.get("Parameters") or {}),
        **{key: value for key, value in stored.items() if value is not None},
        **{f"serde.param.{key}": value for key, value in (serde.get("Parameters") or {}).items()},
    }
    described: dict[str, Any] = {
        "Name": table["Name"],
        "Columns": [_column(column) for column in storage.get("Columns") or []],
        "PartitionKeys": [_column(column) for column in table.get("PartitionKeys") or []],
        "Parameters": parameters,
    }
    if table.get("TableType"):
        described["TableType"] = table["TableType"]
    return described | {
        key: table[key].timestamp() for key in ("CreateTime", "LastAccessTime") if table.get(key) is not None
    }


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    return {key: column[key] for key in ("Name", "Type", "Comment") if key in column}
