"""Ask Athena: named queries from `glue/queries` and free SQL, the same on both targets."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyathena
from botocore.exceptions import BotoCoreError, ClientError
from pyathena.error import DatabaseError

from workshop.errors import WorkshopError
from workshop.places import QUERIES
from workshop.target import Target

# "Amazon Athena pricing", us-east-1, November 2026: per terabyte scanned, at least 10 MB for each query.
USD_PER_TERABYTE = 5.0
LEAST_BYTES = 10 * 1024**2


# PyAthena logs what it also raises; without a handler Python would print that log with its traceback.
logging.getLogger("pyathena").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query returned, and what it took."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    data_scanned_bytes: int
    milliseconds: int

    @property
    def price_usd(self) -> float:
        """What AWS charges for the bytes scanned."""
        return max(self.data_scanned_bytes, LEAST_BYTES) / 1024**4 * USD_PER_TERABYTE

    def as_document(self) -> dict[str, Any]:
        """Return the `query --json` document."""
        return {
            "columns": self.columns,
            "types": self.types,
            "rows": [[_plain(value) for value in row] for row in self.rows],
            "data_scanned_bytes": self.data_scanned_bytes,
            "milliseconds": self.milliseconds,
            "price_usd": self.price_usd,
        }


def named_queries() -> Mapping[str, Path]:
    """Return the files of the named queries by name."""
    return {file.stem: file for file in sorted(QUERIES.glob("*.sql"))}


def question(statement: str) -> str:
    """Return the question a named query answers: its first line, a comment."""
    return statement.splitlines()[0].removeprefix("--").strip()


def statement_of(name: str) -> str:
    """Return the SQL of a named query.

    Raises:
        WorkshopError: no query has that name.
    """
    queries = named_queries()
    if name not in queries:
        raise WorkshopError(f"There is no query named {name!r}.", f"Choose one of: {', '.join(queries)}.")
    return queries[name].read_text(encoding="utf-8")


def ask(
    target: Target,
    resources: Mapping[str, str],
    statement: str,
    *,
    texts: Sequence[str] = (),
    limit: int = 0,
) -> Answer:
    """Run one statement and return at most `limit` rows of its answer; 0 means all.

    Each `?` of the statement stands for one of the `texts`; they are execution parameters, so no text becomes SQL.

    Raises:
        WorkshopError: Athena refused or failed the statement; the message is Athena's own.
    """
    connection = pyathena.connect(
        work_group=resources["workgroup"],
        schema_name=resources["database"],
        region_name=target.region,
        endpoint_url=target.endpoint,
        config=target.config,
        poll_interval=0.05 if target.endpoint else 0.5,
    )
    begun = time.monotonic()
    with connection.cursor() as cursor:
        try:
            if texts:
                cursor.execute(statement, [_literal(text) for text in texts], paramstyle="qmark")
            else:
                cursor.execute(statement)
            rows = cursor.fetchmany(limit) if limit else cursor.fetchall()
        except DatabaseError as error:
            raise _refusal(error) from error
        description = cursor.description or []
        return Answer(
            columns=[column[0] for column in description],
            types=[str(column[1]) for column in description],
            rows=[list(row) for row in rows],
            data_scanned_bytes=cursor.data_scanned_in_bytes or 0,
            milliseconds=round((time.monotonic() - begun) * 1000),
        )


def _literal(text: str) -> str:
    """Write a text as an execution parameter wants it: quoted ("Use execution parameters", Athena user guide)."""
    return "'" + text.replace("'", "''") + "'"


def _refusal(error: DatabaseError) -> Exception:
    """Return what PyAthena's error means: a statement that Athena refused, or a call that never got so far."""
    match error.__cause__:
        case ClientError() as cause if cause.response["Error"]["Code"] == "InvalidRequestException":
            said = cause.response["Error"]["Message"]
        case ClientError() | BotoCoreError() as cause:
            return cause
        case _:
            said = str(error)
    return WorkshopError(f"Athena refused the query: {said}", "Correct the statement and ask again.")


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: times in ISO 8601, decimals as text so that no digit is lost."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal() | bytes():
            return str(value)
        case _:
            return value
