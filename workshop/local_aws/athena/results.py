"""Athena's results: how values are written, the CSV in the output location, and pages of rows."""

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, BinaryIO

from workshop.local_aws.athena.trino_types import LONGEST, Type

# Precision and scale as GetQueryResults reports them for types without parameters.
_PRECISION = {
    "tinyint": 3,
    "smallint": 5,
    "integer": 10,
    "bigint": 19,
    "real": 17,
    "double": 17,
    "varchar": LONGEST,
    "varbinary": 1073741824,
    "timestamp": 3,
    "timestamp with time zone": 3,
}


def column_info(name: str, kind: Type) -> dict[str, Any]:
    """Return a column as ResultSetMetadata describes it.

    https://docs.aws.amazon.com/athena/latest/APIReference/API_ColumnInfo.html
    """
    precision, scale = kind.size if kind.name == "decimal" else (*(kind.size or (_PRECISION.get(kind.name, 0),)), 0)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": "float" if kind.name == "real" else kind.name,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind.name == "varchar",
    }


def shown(value: Any, kind: Type) -> str | None:
    """Return a value as Athena writes it, or None for null: `[1, 2]`, `{a=1}`, `0 01:00:00.000`."""
    if value is None or isinstance(value, str):
        return value
    match kind.name:
        case "array":
            return f"[{', '.join(_inside(item, kind.of[0]) for item in value)}]"
        case "map":
            pairs = (f"{_inside(k, kind.of[0])}={_inside(v, kind.of[1])}" for k, v in value.items())
            return f"{{{', '.join(pairs)}}}"
        case "row":
            items = list(value.values()) if isinstance(value, dict) else list(value)
            names = kind.fields if any(kind.fields) else tuple(f"field{i}" for i in range(len(items)))
            pairs = (f"{name}={_inside(item, of)}" for name, item, of in zip(names, items, kind.of, strict=True))
            return f"{{{', '.join(pairs)}}}"
        case "varbinary":
            return " ".join(f"{byte:02x}" for byte in value)
        case "interval day to second":
            return _interval(value)
    return _scalar(value)


def _inside(value: Any, kind: Type) -> str:
    text = shown(value, kind)
    return "null" if text is None else text


def _scalar(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return java_double(value)
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}.{value.microsecond // 1000:03}"
        case date() | int() | Decimal():
            return str(value)
    return str(value)


def java_double(value: float) -> str:
    """Return a double as Java's Double.toString does: scientific below 10^-3 and from 10^7 on.

    https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/lang/Double.html#toString(double)
    """
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    mantissa = "".join(map(str, digits))
    power = int(exponent) + len(digits) - 1
    return f"{'-' if sign else ''}{mantissa[0]}.{mantissa[1:] or '0'}E{power}"


def _interval(value: timedelta) -> str:
    sign = "-" if value < timedelta() else ""
    value = abs(value)
    hours, rest = divmod(value.seconds, 3600)
    return f"{sign}{value.days} {hours:02}:{rest // 60:02}:{rest % 60:02}.{value.microseconds // 1000:03}"


# ---- CSV: https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
# Every value stands between quotes, and a null is nothing at all: so an empty text and a null differ.


def csv_line(row: Sequence[str | None]) -> str:
    """Return a row of a result as Athena writes it."""
    return ",".join("" if value is None else '"' + value.replace('"', '""') + '"' for value in row) + "\n"


_FIELD = re.compile(rb'(?:"((?:[^"]++|"")*+)")?([,\n])')
_CHUNK = 2**18


def csv_rows(file: BinaryIO, start: int, count: int) -> tuple[list[list[str | None]], int | None]:
    """Read rows of csv_line, the header among them, from a byte on; also return where the next one starts."""
    file.seek(start)
    buffer, at = file.read(_CHUNK), 0
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    while len(rows) < count:
        match = _FIELD.match(buffer, at)
        if match is None:
            more = file.read(max(_CHUNK, len(buffer) - at))
            if not more:
                return rows, None
            start, buffer, at = start + at, buffer[at:] + more, 0
            continue
        at = match.end()
        row.append(None if match[1] is None else match[1].replace(b'""', b'"').decode())
        if match[2] == b"\n":
            rows.append(row)
            row = []
    return rows, start + at if at < len(buffer) or file.read(1) else None


def text_rows(file: BinaryIO, start: int, count: int) -> tuple[list[list[str | None]], int | None]:
    """Read lines of a plain text result from a byte on, each a row of one value; also return where the next starts.

    DESCRIBE and SHOW have several columns and one value a row, as users report of the real one:
    https://github.com/uber/athenadriver/blob/master/resources/UndocumentedAthena.md
    """
    file.seek(start)
    rows: list[list[str | None]] = []
    while len(rows) < count and (line := file.readline()):
        rows.append([line.decode().removesuffix("\n")])
    here = file.tell()
    return rows, here if file.read(1) else None


def page(rows: Sequence[Sequence[str | None]]) -> list[dict[str, Any]]:
    """Return rows as GetQueryResults does: a null is a Datum without a VarCharValue."""
    return [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
