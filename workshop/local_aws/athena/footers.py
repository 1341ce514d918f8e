"""Parquet's footers: the bytes of column chunks, and the statistics that let a reader leave row groups out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from workshop.local_aws.athena.catalog import Column
from workshop.local_aws.athena.errors import QueryFailed
from workshop.local_aws.athena.trino_types import INTEGERS


class Range(NamedTuple):
    """The least and the greatest value of a column in a row group; both None where all are null."""

    low: Any
    high: Any


@dataclass(frozen=True, slots=True)
class RowGroup:
    """The compressed bytes of each column, and the ranges of those that have statistics, by names in lower case."""

    sizes: dict[str, int]
    ranges: dict[str, Range]


@dataclass(frozen=True, slots=True)
class Footer:
    """What is known of a Parquet object without reading its rows."""

    kinds: dict[str, tuple[pa.DataType, str]]
    """Arrow's and Parquet's type of each column."""
    groups: tuple[RowGroup, ...]

    @property
    def columns(self) -> set[str]:
        """Return the names of the columns, in lower case."""
        return set(self.kinds)

    def holds(self, column: str) -> bool:
        """Return whether there may be a value in a column: whether it is there and not known to be null throughout."""
        return column in self.kinds and any(group.ranges.get(column) != Range(None, None) for group in self.groups)

    def check(self, wanted: Sequence[Column], path: str) -> None:
        """Raise QueryFailed for a column whose values are of another kind than the table says.

        https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html
        """
        for column in wanted:
            if column.name in self.kinds:
                arrow, physical = self.kinds[column.name]
                if not fits(arrow, column.type.name):
                    text = f"Field {column.name}'s type {physical} in parquet file {path} is incompatible with type {column.type} defined in table schema"  # noqa: E501
                    raise QueryFailed("HIVE_BAD_DATA", text)


def read_footer(path: Path) -> Footer:
    """Read a footer; raises QueryFailed for what is no Parquet."""
    try:
        metadata = pq.read_metadata(path)
    except (OSError, ValueError) as error:
        raise QueryFailed("HIVE_BAD_DATA", f"Not valid Parquet file: {error}") from None
    physical: dict[str, str] = {}
    groups = []
    for number in range(metadata.num_row_groups):
        sizes: dict[str, int] = {}
        ranges: dict[str, Range] = {}
        for position in range(metadata.num_columns):
            chunk = metadata.row_group(number).column(position)
            name = chunk.path_in_schema.split(".")[0].lower()
            sizes[name] = sizes.get(name, 0) + chunk.total_compressed_size
            physical[name] = {"BYTE_ARRAY": "BINARY"}.get(chunk.physical_type, chunk.physical_type)
            statistics = chunk.statistics
            if "." in chunk.path_in_schema or statistics is None:
                continue
            if statistics.has_min_max:
                ranges[name] = Range(_bare(statistics.min), _bare(statistics.max))
            elif statistics.has_null_count and statistics.null_count == chunk.num_values:
                ranges[name] = Range(None, None)
        groups.append(RowGroup(sizes, ranges))
    schema = metadata.schema.to_arrow_schema()
    kinds = {field.name.lower(): (field.type, physical.get(field.name.lower(), "")) for field in schema}
    return Footer(kinds, tuple(groups))


def excludes(known: Range | None, sign: str, constants: Sequence[Any]) -> bool:
    """Return whether no value in a range can fulfil a comparison; False wherever that is not certain."""
    if known is None or any(constant is None for constant in constants):
        return False
    if known.low is None:
        return True
    low, high = known
    values = [_bare(constant) for constant in constants]
    try:
        match sign:
            case "=" | "in":
                return all(value < low or value > high for value in values)
            case "<":
                return bool(low >= values[0])
            case "<=":
                return bool(low > values[0])
            case ">":
                return bool(high <= values[0])
            case ">=":
                return bool(high < values[0])
            case "between":
                return bool(high < values[0] or low > values[1])
    except TypeError:
        pass
    return False


def _bare(value: Any) -> Any:
    """Return a value as it is compared: Athena's timestamps have milliseconds and no zone."""
    if isinstance(value, datetime):
        return value.replace(microsecond=value.microsecond // 1000 * 1000, tzinfo=None)
    return value if isinstance(value, int | float | str | bytes | date | Decimal) else None


def fits(kind: pa.DataType, wanted: str) -> bool:
    """Return whether values of an Arrow type can be read as a Trino type of that name."""
    if wanted in INTEGERS:
        return bool(pa.types.is_integer(kind))
    match wanted:
        case "double" | "real":
            return bool(pa.types.is_floating(kind))
        case "varchar" | "varbinary":
            texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
            return any(test(kind) for test in (*texts, pa.types.is_fixed_size_binary, pa.types.is_dictionary))
        case "boolean":
            return bool(pa.types.is_boolean(kind))
        case "date":
            return bool(pa.types.is_date(kind))
        case "timestamp":
            return bool(pa.types.is_timestamp(kind))
        case "decimal":
            return bool(pa.types.is_decimal(kind) or pa.types.is_integer(kind))
    return True
