"""Trino's types: read from Glue and from SQL, compared, and named for DuckDB."""

import re
from dataclasses import dataclass

LONGEST = 2147483647  # an unbounded varchar's length in Athena's column information


@dataclass(frozen=True, slots=True)
class Type:
    """A Trino type; `of` holds the element, the key and value, or the fields; `size` the length or precision, scale.

    The values of a timestamp with time zone are instants: `zone` is DuckDB's expression of the zone they are shown in,
    or nothing where it differs from row to row.
    """

    name: str
    of: tuple["Type", ...] = ()
    fields: tuple[str, ...] = ()
    size: tuple[int, ...] = ()
    zone: str = "'UTC'"

    def __str__(self) -> str:
        """Return the type as Trino prints it, such as `map(varchar, array(integer))`."""
        if self.name == "row":
            named = (f"{name} {kind}".strip() for name, kind in zip(self.fields, self.of, strict=True))
            return f"row({', '.join(named)})"
        if self.name == "timestamp":
            return "timestamp(3)"
        if self.name == "timestamp with time zone":
            return "timestamp(3) with time zone"
        inside = ", ".join(map(str, self.of or self.size))
        return f"{self.name}({inside})" if inside else self.name


UNKNOWN, BOOLEAN, DATE, DOUBLE, JSON = (Type(name) for name in ("unknown", "boolean", "date", "double", "json"))
INTEGER, BIGINT, VARCHAR, TIMESTAMP = (Type(name) for name in ("integer", "bigint", "varchar", "timestamp"))
TIMESTAMP_TZ, VARBINARY = Type("timestamp with time zone"), Type("varbinary")
DAY_TO_SECOND, YEAR_TO_MONTH = Type("interval day to second"), Type("interval year to month")

INTEGERS = ("tinyint", "smallint", "integer", "bigint")
NUMBERS = (*INTEGERS, "decimal", "real", "double")
INTERVALS = (DAY_TO_SECOND.name, YEAR_TO_MONTH.name)

# The decimal an integer becomes beside a decimal: https://trino.io/docs/current/functions/decimal.html
DIGITS = {"tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19}

_SYNONYMS = {
    "int": "integer",
    "string": "varchar",
    "text": "varchar",
    "char": "varchar",
    "float": "real",
    "binary": "varbinary",
    "struct": "row",
    "numeric": "decimal",
    "timestamptz": "timestamp with time zone",
    "interval": "interval day to second",
}
_KNOWN = {
    *NUMBERS,
    *INTERVALS,
    *("boolean", "date", "timestamp", "timestamp with time zone", "time", "varchar", "varbinary", "json", "uuid"),
    *("array", "map", "row", "unknown"),
}


class UnknownType(ValueError):
    """A type that Athena does not know, or (`known`) that the embedded one does not have."""

    def __init__(self, text: str, *, known: bool = False) -> None:
        super().__init__(text)
        self.known = known


def parse_type(text: str) -> Type:
    """Read a type in Hive's or Trino's notation: `map<string,int>` and `map(varchar, integer)` are the same."""
    tokens = re.findall(r'"[^"]*"|[^\s,:<>()"]+|[,:<>()]', text)
    kind, rest = _parse(tokens)
    if rest:
        raise UnknownType(f"{text} is not a type")
    return kind


def _parse(tokens: list[str]) -> tuple[Type, list[str]]:
    if not tokens:
        raise UnknownType("a type is missing")
    name, rest = tokens[0].lower(), tokens[1:]
    while rest and re.fullmatch(r"[A-Za-z]+", rest[0]):
        name, rest = f"{name} {rest[0].lower()}", rest[1:]
    name = _SYNONYMS.get(name, name)
    if not rest or rest[0] not in "<(":
        if name not in _KNOWN:
            raise UnknownType(f"Unknown type: {name}")
        return Type(name, size=(38, 0) if name == "decimal" else ()), rest
    rest = rest[1:]
    fields: list[str] = []
    of: list[Type] = []
    size: list[int] = []
    while rest and rest[0] not in ">)":
        if rest[0].isdigit():
            size.append(int(rest[0]))
            rest = rest[1:]
        else:
            if name == "row":
                fields.append(rest[0].strip('"').lower())
                rest = rest[2:] if rest[1] == ":" else rest[1:]
            kind, rest = _parse(rest)
            of.append(kind)
        if rest and rest[0] == ",":
            rest = rest[1:]
    rest = rest[1:]
    if rest[:3] and " ".join(rest[:3]).lower() == "with time zone":
        name, rest = "timestamp with time zone", rest[3:]
    if name not in _KNOWN:
        raise UnknownType(f"Unknown type: {name}")
    if name in {"timestamp", "timestamp with time zone", "time"} and size not in ([], [3]):
        raise UnknownType(f"{name}({size[0]}), whose values are not kept in milliseconds,", known=True)
    if name == "decimal" and len(size) == 1:
        size.append(0)
    return Type(name, tuple(of), tuple(fields), tuple(size) if name in {"decimal", "varchar"} else ()), rest


def duckdb(kind: Type) -> str:
    """Return the DuckDB type that holds a Trino type's values."""
    match kind.name:
        case "array":
            return f"{duckdb(kind.of[0])}[]"
        case "map":
            return f"MAP({duckdb(kind.of[0])}, {duckdb(kind.of[1])})"
        case "row":
            named = (f'"{name}" {duckdb(of)}' for name, of in zip(kind.fields, kind.of, strict=True))
            return f"STRUCT({', '.join(named)})"
        case "decimal":
            return f"DECIMAL({kind.size[0]}, {kind.size[1]})"
    return {
        "real": "FLOAT",
        "timestamp with time zone": "TIMESTAMPTZ",
        "varbinary": "BLOB",
        "interval day to second": "INTERVAL",
        "interval year to month": "INTERVAL",
        "unknown": "INTEGER",
    }.get(kind.name, kind.name.upper())


def as_decimal(kind: Type) -> Type:
    """Return the decimal that holds every value of an integer type; a decimal is itself."""
    return kind if kind.name == "decimal" else Type("decimal", size=(DIGITS[kind.name], 0))


def common(left: Type, right: Type) -> Type | None:
    """Return the type both sides are coerced to, or None where Trino finds none: there is none for text and numbers.

    https://trino.io/docs/current/language/types.html: only literals' lengths differ between our varchars.
    """
    if left == right or right == UNKNOWN:
        return left
    if left == UNKNOWN:
        return right
    names = {left.name, right.name}
    if names == {"varchar"}:
        return VARCHAR
    if names <= set(NUMBERS):
        if "decimal" in names and names <= {*INTEGERS, "decimal"}:
            (p1, s1), (p2, s2) = as_decimal(left).size, as_decimal(right).size
            scale = max(s1, s2)
            return Type("decimal", size=(min(38, max(p1 - s1, p2 - s2) + scale), scale))
        return max(left, right, key=lambda kind: NUMBERS.index(kind.name))
    order = ("date", "timestamp", "timestamp with time zone")
    if names == {"timestamp with time zone"}:
        return Type(left.name, zone="")
    if names <= set(order):
        return max(left, right, key=lambda kind: order.index(kind.name))
    if len(names) == 1 and len(left.of) == len(right.of) and left.of:
        inside = [common(a, b) for a, b in zip(left.of, right.of, strict=True)]
        if all(kind is not None for kind in inside):
            return Type(left.name, tuple(kind for kind in inside if kind is not None), left.fields)
    return None


def common_of(kinds: list[Type]) -> Type | None:
    """Return the one type a list of values is coerced to, or None."""
    found: Type | None = kinds[0]
    for kind in kinds[1:]:
        if found is None:
            return None
        found = common(found, kind)
    return found


def coercible(kind: Type, to: Type) -> bool:
    """Return whether Trino turns a value of one type into another without being asked."""
    if to.name == "decimal" and kind.name in {*INTEGERS, "decimal"}:
        return True
    if kind.name == to.name and kind.name in {"varchar", "timestamp with time zone"}:
        return True
    return common(kind, to) == to
