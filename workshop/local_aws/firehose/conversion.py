"""JSON documents to one Parquet or ORC object with the columns of a Glue table.

Chunks of records are read in bulk by Arrow, which lets other threads run. What Arrow does not read exactly as the
OpenX JSON SerDe would is decided document by document in Python; so are chunks that hold a document at fault.
The SerDe's rules are those of the Firehose developer guide's page "record-format-conversion": keys in any case,
unknown fields ignored, absent ones null, timestamps as ISO 8601 with Z, as `yyyy-MM-dd HH:mm:ss[.S]` or as epoch
seconds or milliseconds, several documents in one record but no array of them.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from math import isfinite
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json
import pyarrow.orc
import pyarrow.parquet

from workshop.local_aws.firehose.records import Failure, Record

CHUNK = 1 << 20
"""Bytes that are read at once, and read again document by document if one of them is at fault."""

ROW_GROUP = 64 * (1 << 20)
"""Bytes of a row group before it is encoded and compressed."""

PARSE_ERROR = "DataFormatConversion.ParseError"
MALFORMED_DATA = "DataFormatConversion.MalformedData"
INVALID_SCHEMA = "DataFormatConversion.InvalidSchema"


class UnsupportedColumnError(Exception):
    """A Glue table has no columns, or one of a type that cannot be converted; the message names it."""


class MismatchError(ValueError):
    """A value that does not fit its column."""


@dataclass(frozen=True, slots=True)
class GlueType:
    """A Glue column type: what Arrow stores, how one JSON value becomes it, and what Arrow reads in bulk if it can."""

    arrow: pa.DataType
    value: Callable[[Any], Any]
    bulk: pa.DataType | None


def write_parquet(sink: IO[bytes], tables: Iterable[pa.Table], compression: str, *, dictionary: bool = True) -> None:
    """Write tables of one schema, of which there is one at least, as one Parquet file of row groups of ROW_GROUP.

    A row group is written as soon as it is full, so that no more than that is in memory. Timestamps are INT96, as
    Hive's Parquet writer makes them and Firehose with it. The developer guide does not say so; users do (Stack
    Overflow, "How can I write Parquet files with int64 timestamps (instead of int96) from AWS Kinesis Firehose?").
    """
    remaining = iter(tables)
    group = [next(remaining)]
    with pyarrow.parquet.ParquetWriter(
        sink,
        group[0].schema,
        compression="NONE" if compression == "UNCOMPRESSED" else compression,
        use_dictionary=dictionary,
        use_deprecated_int96_timestamps=True,
        store_schema=False,
    ) as writer:
        size = group[0].nbytes
        for table in remaining:
            if size + table.nbytes > ROW_GROUP:
                writer.write_table(pa.concat_tables(group))
                group, size = [], 0
            group.append(table)
            size += table.nbytes
        writer.write_table(pa.concat_tables(group))


def write_orc(sink: IO[bytes], tables: Iterable[pa.Table], compression: str, *, version: str) -> None:
    """Write tables of one schema as one ORC file, whose writer fills stripes of 64 MiB as they come."""
    codec = "UNCOMPRESSED" if compression == "NONE" else compression
    with pyarrow.orc.ORCWriter(sink, compression=codec, file_version=version) as writer:
        for table in tables:
            writer.write(table)


class Converter:
    """Turns records into rows of one table."""

    def __init__(
        self,
        columns: Sequence[Mapping[str, str]],
        *,
        case_insensitive: bool = True,
        dots_to_underscores: bool = False,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare for the `Columns` of a Glue StorageDescriptor. Raises UnsupportedColumnError."""
        if not columns:
            raise UnsupportedColumnError("The table has no columns, so its Parquet could hold no rows")
        self._types: dict[str, GlueType] = {}
        for column in columns:
            try:
                self._types[column["Name"]] = glue_type(column["Type"])
            except ValueError:
                raise UnsupportedColumnError(
                    f"Column {column['Name']} has the type {column['Type']}, which cannot be converted to Parquet"
                ) from None
        self._keys = {name: (keys or {}).get(name, name) for name in self._types}
        if case_insensitive:
            self._keys = {name: key.lower() for name, key in self._keys.items()}
        self._case_insensitive = case_insensitive
        self._dots = dots_to_underscores
        self._schema = pa.schema([(name, each.arrow) for name, each in self._types.items()])
        self._bulk = self._bulk_options()
        decimals = any("decimal" in str(each.arrow) for each in self._types.values())
        self._decoder = json.JSONDecoder(parse_float=Decimal if decimals else None)

    def convert(self, records: Sequence[Record]) -> tuple[pa.Table, list[Failure]]:
        """Convert every document of the records, in order: each is a row of the table or one of the failures."""
        failures: list[Failure] = []
        tables = list(self.tables(records, failures))
        return pa.concat_tables(tables) if tables else self._schema.empty_table(), failures

    def tables(self, records: Sequence[Record], failures: list[Failure]) -> Iterator[pa.Table]:
        """Yield what `convert` would return as tables of few rows, but of one at least; failures are added to those."""
        for chunk in _chunks(records):
            table = self.in_bulk(chunk)
            if table is None:
                table, failed = self.one_by_one(chunk)
                failures += failed
            if table.num_rows:
                yield table

    def in_bulk(self, records: Sequence[Record]) -> pa.Table | None:
        """Return the rows that `one_by_one` would, or None where Arrow cannot be trusted to read them the same way."""
        if self._bulk is None or not all(_is_braced(each.data) for each in records):
            return None
        chunk = b"\n".join(each.data for each in records) if len(records) > 1 else records[0].data
        # Arrow takes a null between documents for one, crashes where it is the only one, and does not look at the
        # encoding of what it skips.
        if _LOOSE_NULL.search(chunk) or not _is_utf8(chunk):
            return None
        try:
            table = pyarrow.json.read_json(
                pa.BufferReader(chunk),
                read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(chunk) + 1),
                parse_options=self._bulk,
            ).select(list(self._keys.values()))
            if self._has_other_spellings(table, chunk):
                return None
            columns = [_checked(table.column(key), self._types[name].arrow) for name, key in self._keys.items()]
        except (pa.ArrowException, MismatchError):
            return None
        return pa.table(columns, schema=self._schema)

    def one_by_one(self, records: Sequence[Record]) -> tuple[pa.Table, list[Failure]]:
        """Convert document by document: slower, and exact about which document is at fault and why."""
        rows: list[list[Any]] = []
        failures = []
        for record in records:
            for position, document in enumerate(self._documents(record)):
                if isinstance(document, Failure):
                    failures.append(replace(document, position=position))
                    continue
                raw, fields = document
                try:
                    rows.append(self._row(fields))
                except (ValueError, TypeError, ArithmeticError) as error:
                    failures.append(
                        Failure(record, raw, MALFORMED_DATA, f"Data does not match the schema. {error}", 1, position)
                    )
        columns = zip(*rows, strict=True) if rows else [()] * len(self._types)
        arrays = [pa.array(values, each.type) for values, each in zip(columns, self._schema, strict=True)]
        return pa.table(arrays, schema=self._schema), failures

    def _bulk_options(self) -> pyarrow.json.ParseOptions | None:
        bulk = [(self._keys[name], each.bulk) for name, each in self._types.items()]
        if self._dots or len({key for key, _ in bulk}) < len(bulk) or any(kind is None for _, kind in bulk):
            return None
        return pyarrow.json.ParseOptions(explicit_schema=pa.schema(bulk), unexpected_field_behavior="ignore")

    def _has_other_spellings(self, table: pa.Table, chunk: bytes) -> bool:
        """Tell whether a null may be a key that Arrow did not find because it is written in another case."""
        missing = [column for column in table.column_names if table.column(column).null_count]
        if not missing or not self._case_insensitive:
            return False
        if _ESCAPED_ASCII.search(chunk):
            return True
        lowered = chunk.lower()
        quoted = [f'"{key}"'.encode() for key in missing]
        return any(lowered.count(key) != chunk.count(key) for key in quoted)

    def _row(self, fields: dict[str, Any]) -> list[Any]:
        if self._dots:
            fields = {key.replace(".", "_"): value for key, value in fields.items()}
        lowered: dict[str, Any] | None = None
        row = []
        for name, key in self._keys.items():
            value = fields.get(key)
            if value is None and self._case_insensitive and key not in fields:
                lowered = lowered if lowered is not None else {each.lower(): fields[each] for each in fields}
                value = lowered.get(key)
            try:
                row.append(None if value is None else self._types[name].value(value))
            except (ValueError, TypeError, ArithmeticError) as error:
                raise MismatchError(f"Column {name}: {error}") from error
        return row

    def _documents(self, record: Record) -> Iterator[tuple[bytes, dict[str, Any]] | Failure]:
        """Yield the documents of a record with their bytes.

        After one that cannot be read, the next document is the next line that begins with a brace.
        """
        text = record.data.decode("utf-8", "surrogateescape")
        start = _skip_space(text, 0)
        if start == len(text):
            yield Failure(record, record.data, MALFORMED_DATA, "The record was empty or contained only whitespace.")
        while start < len(text):
            problem = None
            try:
                fields, end = self._decoder.raw_decode(text, start)
            except (ValueError, RecursionError) as error:
                following = _NEXT_LINE.search(text, start)
                end = following.start() if following else len(text)
                problem = PARSE_ERROR, f"Encountered malformed JSON. {error}"
            raw = text[start:end].encode("utf-8", "surrogateescape")
            if problem is None and not _is_utf8(raw):
                problem = PARSE_ERROR, "Encountered malformed JSON. The document is not UTF-8."
            if problem is None and not isinstance(fields, dict):
                problem = MALFORMED_DATA, "The input JSON contained no object at the top level."
            yield (raw, fields) if problem is None else Failure(record, raw, *problem)
            start = _skip_space(text, end)


_LOOSE_NULL = re.compile(rb"\}[ \t\r\n]*null")
_ESCAPED_ASCII = re.compile(rb"\\u00[0-7]")
_NEXT_LINE = re.compile(r"\n(?=\{)")
_SPACE = " \t\r\n"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,40}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-(?:([0-9]{2})-([0-9]{2})T(?=.*Z)|([0-9]{1,2})-([0-9]{1,2}) (?!.*Z))"
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z?"
)
# The forms that Arrow reads, each of which a whole column must share.
_TIMES = {
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$": pa.timestamp("us", "UTC"),
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$": pa.timestamp("us"),
}


def _chunks(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    first, size = 0, 0
    for index, record in enumerate(records):
        if size and size + len(record.data) > CHUNK:
            yield records[first:index]
            first, size = index, 0
        size += len(record.data)
    if first < len(records):
        yield records[first:]


def _is_braced(data: bytes) -> bool:
    """Tell whether a record begins and ends with a brace: then no document can reach into its neighbour."""
    data = data.strip(b" \t\r\n")
    return data.startswith(b"{") and data.endswith(b"}")


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _skip_space(text: str, index: int) -> int:
    while index < len(text) and text[index] in _SPACE:
        index += 1
    return index


def _checked(column: pa.ChunkedArray, arrow: pa.DataType) -> pa.ChunkedArray:
    """Return what Arrow read as the column's own type. Raises MismatchError or ArrowException if that is not exact."""
    if pa.types.is_decimal(arrow):
        column.validate(full=True)  # Arrow reads 1000 as a decimal(5,2)
    if pa.types.is_floating(arrow) and not pc.all(pc.is_finite(column), min_count=0).as_py():
        raise MismatchError("The column holds NaN or an infinity")
    if pa.types.is_timestamp(arrow):
        for form, zoned in _TIMES.items():
            if pc.all(pc.match_substring_regex(column, form), min_count=0).as_py():
                return column.cast(zoned).cast(arrow)
        raise MismatchError("The column's timestamps are not all of one form")
    if pa.types.is_date(arrow):
        if not pc.all(pc.match_substring_regex(column, f"^{_DATE.pattern}$"), min_count=0).as_py():
            raise MismatchError("The column holds something else than dates")
        return column.cast(arrow)
    return column


def _text(value: Any) -> str:
    match value:
        case str():
            value.encode()
            return value
        case bool():
            return "true" if value else "false"
        case float() | Decimal():
            return repr(_number(value))
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)
        case _:
            return str(value)


def _boolean(value: Any) -> bool:
    match value:
        case bool():
            return value
        case str() if value.lower() in ("true", "false"):
            return value.lower() == "true"
    raise MismatchError(f"{_shown(value)} is not a boolean")


def _whole(bits: int) -> Callable[[Any], int]:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def whole(value: Any) -> int:
        if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise MismatchError(f"{_shown(value)} is not a whole number")
        if not low <= value <= high:
            raise MismatchError(f"{_shown(value)} is not between {low} and {high}")
        return value

    return whole


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise MismatchError(f"{_shown(value)} is not a number")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise MismatchError(f"{_shown(value)} is not a number")
    number = float(value)
    if not isfinite(number):  # Python reads NaN and Infinity, which are not JSON, and 1e999, which is no double
        raise MismatchError(f"{_shown(value)} is not a finite number")
    return number


def _decimal(precision: int, scale: int) -> Callable[[Any], Decimal]:
    unit = Decimal(1).scaleb(-scale)

    def decimal(value: Any) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):  # NaN is a float
            raise MismatchError(f"{_shown(value)} is not a number")
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            raise MismatchError(f"{_shown(value)} is not a number")
        # Hive rounds what has too many decimals, and cannot hold what has too many digits.
        rounded = Decimal(value).quantize(unit, ROUND_HALF_UP, Context(prec=80))
        if len(rounded.as_tuple().digits) > precision:
            raise MismatchError(f"{_shown(value)} has more than {precision - scale} digits before the point")
        return rounded

    return decimal


def _date(value: Any) -> date:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        raise MismatchError(f"{_shown(value)} is not a date like 2026-11-20")
    return date.fromisoformat(value)


_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - Glue timestamps have no zone; the SerDe's are UTC
_LARGEST_EPOCH_SECONDS = 10_000_000_000


def _timestamp(value: Any) -> datetime:
    if isinstance(value, str) and (match := _TIMESTAMP.fullmatch(value)):
        year, month, day, plain_month, plain_day, hour, minute, second, fraction = match.groups()
        return datetime(  # noqa: DTZ001
            int(year),
            int(month or plain_month),
            int(day or plain_day),
            int(hour),
            int(minute),
            int(second),
            int((fraction or "0").ljust(6, "0")[:6]),
        )
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise MismatchError(f"{_shown(value)} is not a timestamp")
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise MismatchError(f"{_shown(value)} is not a timestamp like 2026-11-20T12:00:00.000Z")
        value = float(value) if "." in value else int(float(value))
    seconds = value / 1000 if isinstance(value, int) and value > _LARGEST_EPOCH_SECONDS else float(value)
    return _EPOCH + timedelta(milliseconds=round(seconds * 1000))


def _shown(value: Any) -> str:
    return f"{value!r:.40}"


_PLAIN = {
    "string": GlueType(pa.string(), _text, pa.string()),
    "boolean": GlueType(pa.bool_(), _boolean, pa.bool_()),
    "tinyint": GlueType(pa.int8(), _whole(8), pa.int8()),
    "smallint": GlueType(pa.int16(), _whole(16), pa.int16()),
    "int": GlueType(pa.int32(), _whole(32), pa.int32()),
    "integer": GlueType(pa.int32(), _whole(32), pa.int32()),
    "bigint": GlueType(pa.int64(), _whole(64), pa.int64()),
    "float": GlueType(pa.float32(), _number, pa.float32()),
    "double": GlueType(pa.float64(), _number, pa.float64()),
    "date": GlueType(pa.date32(), _date, pa.string()),
    "timestamp": GlueType(pa.timestamp("us"), _timestamp, pa.string()),
}


def glue_type(text: str) -> GlueType:
    """Read a Glue type such as `decimal(10,2)` or `array<struct<a:int,b:string>>`. Raises ValueError for others."""
    text = text.strip().lower()
    if text in _PLAIN:
        return _PLAIN[text]
    if match := re.fullmatch(r"decimal(?:\((\d+)(?:,\s*(\d+))?\))?", text):
        precision, scale = int(match.group(1) or 10), int(match.group(2) or 0)
        arrow = pa.decimal128(precision, scale)
        return GlueType(arrow, _decimal(precision, scale), arrow)
    if not (match := re.fullmatch(r"(array|map|struct)<(.*)>", text, re.DOTALL)):
        raise ValueError(f"unknown type {text}")
    outer, inner = match.group(1), _split(match.group(2))
    if outer == "array" and len(inner) == 1:
        return _array(glue_type(inner[0]))
    if outer == "map" and len(inner) == 2:
        return _map(glue_type(inner[0]), glue_type(inner[1]))
    if outer == "struct" and all(":" in each for each in inner):
        return _struct({each.partition(":")[0].strip(): glue_type(each.partition(":")[2]) for each in inner})
    raise ValueError(f"unknown type {text}")


def _split(text: str) -> list[str]:
    """Split at the commas that are not within brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char in "<(") - (char in ">)")
        if char == "," and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _array(item: GlueType) -> GlueType:
    def array(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise MismatchError(f"{_shown(value)} is not an array")
        return [None if each is None else item.value(each) for each in value]

    return GlueType(pa.list_(item.arrow), array, None)


def _map(key: GlueType, item: GlueType) -> GlueType:
    def mapping(value: Any) -> list[tuple[Any, Any]]:
        if not isinstance(value, dict):
            raise MismatchError(f"{_shown(value)} is not an object")
        return [(key.value(k), None if v is None else item.value(v)) for k, v in value.items()]

    return GlueType(pa.map_(key.arrow, item.arrow), mapping, None)


def _struct(fields: dict[str, GlueType]) -> GlueType:
    def struct(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise MismatchError(f"{_shown(value)} is not an object")
        lowered = {key.lower(): each for key, each in value.items()}
        found = {name: lowered.get(name) for name in fields}
        return {name: None if each is None else fields[name].value(each) for name, each in found.items()}

    return GlueType(pa.struct([(name, each.arrow) for name, each in fields.items()]), struct, None)
