"""Objects that are no Parquet: what Hive's SerDes make of them, written once as Parquet of values.

A column's values are in v0, v1 and so on by its place; the texts that are none, in t0, t1 and so on, so that only a
statement which reads them fails. https://docs.aws.amazon.com/athena/latest/ug/lazy-simple-serde.html,
https://docs.aws.amazon.com/athena/latest/ug/csv-serde.html,
https://docs.aws.amazon.com/athena/latest/ug/openx-json-serde.html; lines are not joined, whatever their quotes say.
"""

# ruff: noqa: S608 - SQL is what is made here: names go through quoted(), texts through literal().

import bz2
import csv
import gzip
import hashlib
import io
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from workshop.local_aws.athena.catalog import CSV, JSON_LINES, LAZY, OPENX, ORC, Column, Table
from workshop.local_aws.athena.errors import QueryFailed, not_supported
from workshop.local_aws.athena.footers import fits
from workshop.local_aws.athena.plan import literal, quoted
from workshop.local_aws.athena.trino_types import INTEGERS, Type
from workshop.local_aws.athena.trino_types import duckdb as duckdb_type

_BATCH = 50_000  # rows that are in memory at a time
_SUFFIXES = {".gz", ".bz2", ".zst", ".snappy", ".lz4", ".lzo", ".deflate"}

# What reads otherwise converts anew.
_CODE = hashlib.sha256(Path(__file__).read_bytes() + duckdb.__version__.encode()).hexdigest()


def opened(path: Path, key: str) -> BinaryIO:
    """Open a copy of an object, decompressed as the ending of its key says."""
    match Path(key).suffix:
        case ".gz":
            return cast(BinaryIO, gzip.open(path))
        case ".bz2":
            return cast(BinaryIO, bz2.open(path))
        case ".zst":
            return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")))
        case suffix if suffix in _SUFFIXES:
            raise not_supported(None, f"The compression {suffix} of {key}")
    return path.open("rb")


def reading_of(table: Table) -> str:
    """Return a name for how a table's objects are read: whatever is converted under it has the same values."""
    described = [
        _CODE,
        table.serde,
        *map(str, table.columns),
        *sorted(f"{name}={of}" for name, of in table.parameters.items()),
    ]
    return hashlib.sha256("\0".join(described).encode()).hexdigest()[:16]


def write_values(
    connection: duckdb.DuckDBPyConnection, table: Table, path: Path, key: str, folder: Path, target: Path
) -> None:
    """Convert a copy of an object into Parquet; `folder` is where DuckDB may read what lies between."""
    if table.format == ORC:
        _write_orc(table, path, key, target)
        return
    with tempfile.NamedTemporaryFile(prefix=".", dir=folder) as between:
        if table.format == JSON_LINES:
            if Path(key).suffix in _SUFFIXES - {".gz"}:
                with opened(path, key) as file:
                    shutil.copyfileobj(file, between)
                between.flush()
                path = Path(between.name)
            source = _json_texts(connection, table, path)
        else:
            _write_texts(table, path, key, Path(between.name))
            source = f"read_parquet({literal(between.name)})"
        values = (
            f"{_value(table, column, place, f't{place}', lenient=True)} AS v{place}"
            for place, column in enumerate(table.columns)
        )
        kept = (
            f"v{place}" + (f", CASE WHEN v{place} IS NULL THEN t{place} END AS t{place}" if fails else "")
            for place, fails in enumerate(_may_fail(table, column) for column in table.columns)
        )
        connection.execute(
            f"COPY (SELECT {', '.join(kept)} FROM (SELECT {', '.join(values)}, t.* FROM {source} AS t)) "
            f"TO {literal(str(target))} (FORMAT parquet)"
        )


def stored_value(table: Table, column: Column, place: int, *, wrong: bool) -> str:
    """Return the expression of a column's converted value, or of its failure where there are `wrong` texts."""
    if not wrong:
        return f"v{place}"
    return f"coalesce(v{place}, {_value(table, column, place, f't{place}', lenient=False)})"


def _may_fail(table: Table, column: Column) -> bool:
    return not (table.format == LAZY or _lenient(table) or column.type.name == "varchar")


def _value(table: Table, column: Column, place: int, text: str, *, lenient: bool) -> str:
    """Return the expression of a text's value; of one that is none null if `lenient`, else its failure."""
    if table.format == LAZY:
        return _lazy_value(column.type, text, 2, table)
    if table.format == CSV:
        return _csv_value(column, text, place, lenient=lenient)
    if column.type.name == "varchar":
        return text
    if column.type.of:
        value = f"CAST(CAST({text} AS JSON) AS {duckdb_type(column.type)})"
        return f"TRY({value})" if lenient else value
    return _checked(text, column.type, place, lenient=lenient)


# ---- ORC -------------------------------------------------------------------------------------------------------------


def _write_orc(table: Table, path: Path, key: str, target: Path) -> None:
    """Write the columns of an ORC object, which the table names by their place or, where it says so, by their name.

    https://docs.aws.amazon.com/athena/latest/ug/handling-schema-updates-chapter.html
    """
    try:
        file = orc.ORCFile(path)
    except (OSError, ValueError) as error:
        raise QueryFailed("HIVE_BAD_DATA", f"Malformed ORC file. {error} [s3://…/{key}]") from None
    by_place = table.parameters.get("orc.column.index.access", "true").lower() == "true"
    names = [name.lower() for name in file.schema.names]
    places = {
        place: place if by_place else names.index(column.name)
        for place, column in enumerate(table.columns)
        if (place < len(names) if by_place else column.name in names)
    }
    for place, there in places.items():
        kind, column = file.schema.types[there], table.columns[place]
        if not fits(kind, column.type.name):
            text = f"Column {column.name} of ORC type {kind} in {key} is incompatible with type {column.type}"
            raise QueryFailed("HIVE_BAD_DATA", text)
    schema = pa.schema([(f"v{place}", file.schema.types[there]) for place, there in places.items()])
    with pq.ParquetWriter(target, schema) as writer:
        for number in range(file.nstripes):
            stripe = pa.Table.from_batches([file.read_stripe(number)])
            columns = [stripe.column(there) for there in places.values()]
            writer.write_table(pa.table(columns, schema=schema))


# ---- JSON ------------------------------------------------------------------------------------------------------------


def _json_texts(connection: duckdb.DuckDBPyConnection, table: Table, path: Path) -> str:
    """Return the query of the columns' texts in JSON lines, whose keys are found whatever their case.

    Keys that differ in nothing but their case are the failure that OpenX gives for keys that come twice.
    """
    parameters = table.parameters
    openx = table.serde == OPENX
    skips = openx and parameters.get("ignore.malformed.json", "false").lower() == "true"
    insensitive = not openx or parameters.get("case.insensitive", "true").lower() == "true"
    dots = openx and parameters.get("dots.in.keys", "false").lower() == "true"
    lines = f"read_json_objects({literal(str(path))}, format = 'newline_delimited', ignore_errors = {skips})"
    wrong = "NULL" if skips else "error('HIVE_CURSOR_ERROR: Row is not a valid JSON Object')"
    documents = f"(SELECT CASE WHEN json_type(json) = 'OBJECT' THEN json WHEN json IS NOT NULL THEN {wrong} END AS json FROM {lines})"  # noqa: E501
    shapes = connection.execute(f"SELECT DISTINCT json_keys(json) FROM {lines} WHERE json IS NOT NULL").fetchall()
    if any(len(set(shape or ())) < len(shape or ()) for (shape,) in shapes):
        raise QueryFailed("HIVE_CURSOR_ERROR", "Row is not a valid JSON Object - JSONException: Duplicate key")

    def known(name: str) -> str:
        return name.lower() if insensitive else name

    keys: dict[str, list[str]] = {}
    for key in sorted({key for (shape,) in shapes for key in shape or ()}):
        keys.setdefault(known(key), []).append(key)
        if dots and "." in key:
            keys.setdefault(known(key).replace(".", "_"), []).append(key)
    pointers: list[str] = []
    texts = []
    checks = ["json"]
    for place, column in enumerate(table.columns):
        mapped = parameters.get(f"mapping.{column.name}", column.name) if openx else column.name
        found = keys.get(known(mapped), [])
        places = []
        for key in found:
            pointers.append("/" + key.replace("~", "~0").replace("/", "~1"))
            places.append(f"found[{len(pointers)}]")
        if len(found) > 1:
            among = ", ".join(map(literal, found))
            failed = literal(
                f'HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException: Duplicate key "{known(mapped)}"'
            )
            checks.append(
                f"CASE WHEN len(list_filter(json_keys(json), lambda k: k IN ({among}))) > 1 THEN error({failed}) END"
            )
        text = f"coalesce({', '.join(places)})" if places else "CAST(NULL AS VARCHAR)"
        if insensitive and _has_row(column.type):
            text = f"CASE WHEN {text} = lower({text}) THEN {text} ELSE trino_keys_lowered({text}, {literal(str(column.type))}) END"  # noqa: E501
        texts.append(f"{text} AS t{place}")
    paths = f"[{', '.join(map(literal, pointers))}]" if pointers else "CAST([] AS VARCHAR[])"
    checked = f"CASE WHEN {' IS NULL AND '.join(checks[1:])} IS NULL THEN json END" if checks[1:] else "json"
    extracted = f"json_extract_string({checked}, {paths})" if pointers else "NULL"
    return f"(SELECT {', '.join(texts)} FROM (SELECT {extracted} AS found FROM {documents}))"


def _has_row(kind: Type) -> bool:
    return kind.name == "row" or any(map(_has_row, kind.of))


# ---- delimited text --------------------------------------------------------------------------------------------------


def _write_texts(table: Table, path: Path, key: str, target: Path) -> None:
    """Write the fields of an object's lines as Parquet: a column of texts for each of the table's, t0, t1 and so on."""
    names = [f"t{place}" for place in range(len(table.columns))]
    schema = pa.schema([(name, pa.string()) for name in names])
    split = _csv_fields(table.parameters) if table.format == CSV else _lazy_fields(table.parameters)
    with opened(path, key) as file, pq.ParquetWriter(target, schema, compression="NONE") as writer:
        lines = (line.rstrip(b"\n").rstrip(b"\r").decode("utf-8", "replace") for line in file)
        rows: Iterator[Sequence[str | None]] = map(split, islice(lines, _skipped(table.parameters), None))
        while batch := list(islice(rows, _BATCH)):
            width = len(names)
            columns = [[row[place] if place < len(row) else None for row in batch] for place in range(width)]
            writer.write_table(pa.table([pa.array(column, pa.string()) for column in columns], schema=schema))


def _skipped(parameters: Mapping[str, str]) -> int:
    return int(parameters.get("skip.header.line.count", "0"))


def _character(parameters: Mapping[str, str], name: str, default: str) -> str:
    """Return a delimiter: Hive takes a number for the character of that code."""
    text = parameters.get(name, default)
    return chr(int(text)) if text.isdigit() and len(text) > 1 else text


def _lazy_fields(parameters: Mapping[str, str]) -> Callable[[str], list[str | None]]:
    delimiter = _character(parameters, "field.delim", parameters.get("serialization.format", "\x01"))
    if delimiter == "1":
        delimiter = "\x01"
    null = parameters.get("serialization.null.format", "\\N")
    escape = parameters.get("escape.delim")
    if not escape:
        return lambda line: [None if field == null else field for field in line.split(delimiter)]
    outside = re.compile(rf"(?:[^{re.escape(escape + delimiter)}]|{re.escape(escape)}.)*", re.DOTALL)
    escaped = re.compile(rf"{re.escape(escape)}(.)", re.DOTALL)

    def fields(line: str) -> list[str | None]:
        found: list[str | None] = []
        at = 0
        while True:
            match = outside.match(line, at)
            text = match[0] if match else ""
            found.append(None if text == null else escaped.sub(lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), text))
            at += len(text)
            if at >= len(line):
                return found
            at += 1

    return fields


def _csv_fields(parameters: Mapping[str, str]) -> Callable[[str], list[str | None]]:
    options = {
        "delimiter": parameters.get("separatorChar", ","),
        "quotechar": parameters.get("quoteChar", '"'),
        "escapechar": parameters.get("escapeChar", "\\"),
    }
    for name, value in options.items():
        if len(value) != 1:
            raise not_supported(None, f"OpenCSVSerde with {name} '{value}'")

    def fields(line: str) -> list[str | None]:
        return list(next(csv.reader((line,), doublequote=True, **options), [""]))  # type: ignore[arg-type]

    return fields


# ---- values ----------------------------------------------------------------------------------------------------------


def _lenient(table: Table) -> bool:
    return table.parameters.get("use.null.for.invalid.data", "false").lower() == "true"


def _checked(text: str, kind: Type, place: int, *, lenient: bool) -> str:
    """Return a text as a value, or the failure of one that is none.

    https://repost.aws/knowledge-center/athena-hive-bad-data-parsing-field-value
    """
    value = f"TRY_CAST({text} AS {duckdb_type(kind)})"
    if kind.name in INTEGERS:
        # DuckDB would round '1.5' and count '1e3'.
        value = f"CASE WHEN NOT contains({text}, '.') AND NOT contains(lower({text}), 'e') THEN {value} END"
    if lenient:
        return value
    words = (
        f"'HIVE_BAD_DATA: Error parsing field value ''' || {text} || ''' for field {place}: For input string: \"' "
        f"|| {text} || '\"'"
    )
    return f"coalesce({value}, CASE WHEN {text} IS NOT NULL THEN error({words}) END)"


def _csv_value(column: Column, text: str, place: int, *, lenient: bool) -> str:
    match column.type.name:
        case "varchar":
            return text
        case "date":
            return f"DATE '1970-01-01' + {_checked(text, Type('integer'), place, lenient=lenient)}"
        case "timestamp":
            return f"make_timestamp_ms({_checked(text, Type('bigint'), place, lenient=lenient)})"
    if column.type.of:
        raise not_supported(None, f"A column of type {column.type} in OpenCSVSerde")
    return _checked(text, column.type, place, lenient=lenient)


def _lazy_value(kind: Type, text: str, level: int, table: Table) -> str:
    """Return a value of LazySimpleSerDe, which takes what it cannot read for null; each level has its delimiter."""
    names = {2: ("collection.delim", "colelction.delim"), 3: ("mapkey.delim",)}
    given = next((table.parameters[name] for name in names.get(level, ()) if name in table.parameters), chr(level))
    delimiter = literal(given)
    match kind.name:
        case "varchar":
            return text
        case "array" if not kind.of[0].of:
            item = _lazy_value(kind.of[0], "item", level + 1, table)
            return f"list_transform(string_split({text}, {delimiter}), lambda item: {item})"
        case "row" if not any(of.of for of in kind.of):
            parts = [f"list_extract(string_split({text}, {delimiter}), {place + 1})" for place in range(len(kind.of))]
            fields = (
                f"{quoted(name)} := {_lazy_value(of, part, level + 1, table)}"
                for name, of, part in zip(kind.fields, kind.of, parts, strict=True)
            )
            return f"CASE WHEN {text} IS NOT NULL THEN struct_pack({', '.join(fields)}) END"
        case "map" if not any(of.of for of in kind.of):
            inner = literal(table.parameters.get("mapkey.delim", "\x03"))
            key, value = (
                _lazy_value(of, f"list_extract(string_split(item, {inner}), {place})", level + 2, table)
                for place, of in enumerate(kind.of, 1)
            )
            pairs = (
                f"list_transform(string_split({text}, {delimiter}), lambda item: struct_pack(k := {key}, v := {value}))"
            )
            return f"trino_map({pairs})"
        case "boolean":
            return f"CASE lower({text}) WHEN 'true' THEN true WHEN 'false' THEN false END"
        case "timestamp":
            return f"CASE WHEN {text} NOT LIKE '%T%' THEN TRY_CAST({text} AS TIMESTAMP) END"
    if kind.of:
        raise not_supported(None, f"A column of type {kind} in LazySimpleSerDe")
    return _checked(text, kind, 0, lenient=True)
