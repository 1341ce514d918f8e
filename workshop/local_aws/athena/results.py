"""Athena's results: how values are written, the CSV in the output location, and pages of rows."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

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


def to_csv(header: Sequence[str], rows: Sequence[Sequence[str | None]]) -> bytes:
    """Write a result as Athena does."""
    lines = (
        ",".join("" if value is None else '"' + value.replace('"', '""') + '"' for value in row)
        for row in (header, *rows)
    )
    return "".join(line + "\n" for line in lines).encode()


def from_csv(body: bytes) -> list[list[str | None]]:
    """Read what to_csv wrote, the header among the rows."""
    text = body.decode()
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    at = 0
    while at < len(text):
        if text[at] == '"':
            end = at + 1
            while True:
                end = text.index('"', end)
                if text[end + 1 : end + 2] != '"':
                    break
                end += 2
            row.append(text[at + 1 : end].replace('""', '"'))
            at = end + 1
        else:
            row.append(None)
        if text[at] == "\n":
            rows.append(row)
            row = []
        at += 1
        if text[at - 1] == "," and at < len(text) and text[at] == "\n":
            row.append(None)
            rows.append(row)
            row = []
            at += 1
    return rows


def page(rows: Sequence[Sequence[str | None]]) -> list[dict[str, Any]]:
    """Return rows as GetQueryResults does: a null is a Datum without a VarCharValue."""
    return [{"Data": [{} if value is None else {"VarCharValue": value} for value in row]} for row in rows]
