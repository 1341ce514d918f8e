"""DuckDB over copies of S3's objects: what a translated statement needs is fetched, counted and read."""

# ruff: noqa: S608 - SQL is what is made here: names go through quoted(), texts through literal().

import hashlib
import os
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from workshop.local_aws.athena.catalog import (
    NO_PARTITION,
    PARQUET,
    Catalog,
    Column,
    Folder,
    StoredObject,
    projected_folder,
    projected_values,
    split_location,
)
from workshop.local_aws.athena.errors import INTERNAL, QueryCancelled, QueryFailed
from workshop.local_aws.athena.expressions import as_varchar
from workshop.local_aws.athena.footers import Footer, excludes, read_footer
from workshop.local_aws.athena.plan import PATH, Scan, Translation, Value, literal, quoted
from workshop.local_aws.athena.scalars import register
from workshop.local_aws.athena.sources import reading_of, stored_value, write_values
from workshop.local_aws.athena.trino_types import VARCHAR
from workshop.local_aws.athena.trino_types import duckdb as duckdb_type

CACHE_BYTES = 4 * 2**30

# DuckDB tells these apart in its text alone.
_PHRASES = (
    ("Division by zero", "DIVISION_BY_ZERO", "Division by zero"),
    (
        "More than one row returned by a subquery",
        "SUBQUERY_MULTIPLE_ROWS",
        "Scalar sub-query has returned multiple rows",
    ),
    ("Malformed JSON in file", "HIVE_CURSOR_ERROR", "Row is not a valid JSON Object"),
    ("Malformed JSON", "INVALID_FUNCTION_ARGUMENT", "Cannot convert value to JSON"),
    ("invalid perl operator", "NOT_SUPPORTED", "The embedded Athena's regular expressions have no look-around"),
    ("Could not parse string", "INVALID_FUNCTION_ARGUMENT", None),
)
# What macros.sql and scalars.py fail with, the code first.
_CODED = re.compile(
    r"\b(?P<code>INVALID_FUNCTION_ARGUMENT|INVALID_CAST_ARGUMENT|DIVISION_BY_ZERO|NOT_SUPPORTED|HIVE_BAD_DATA|"
    r"HIVE_CURSOR_ERROR): "
    r"(?P<words>.*)"
)
_OVERFLOW = re.compile(r"Overflow in (?P<operation>\w+) of (?P<kind>INT\d+) \((?P<left>-?\d+) \S (?P<right>-?\d+)\)")
_OUT_OF_RANGE = re.compile(r"with value (?P<value>\S+) can't be cast .* destination type (?P<kind>\w+)")
_NOT_CAST = re.compile(r"Could not convert string '(?P<text>.*)' to (?P<kind>\w+)")
_INTEGERS = {"INT8": "tinyint", "INT16": "smallint", "INT32": "integer", "INT64": "bigint"}


class ObjectCache:
    """Copies of S3 objects in a folder, each fetched once, the least recently used removed beyond a size.

    A copy is named after bucket, key and ETag, so a changed object is another copy, and one that is in use stays.
    """

    def __init__(self, folder: Path, s3: Callable[[str], Any], limit: int = CACHE_BYTES) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._s3 = s3
        self._limit = limit
        self._lock = threading.Lock()
        self._pins: dict[str, int] = {}
        self._fetching: dict[str, threading.Lock] = {}
        self._sizes: OrderedDict[str, int] = OrderedDict()
        for path in sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime):
            if path.name.startswith("."):
                path.unlink()
            else:
                self._sizes[path.name] = path.stat().st_size
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="athena-fetch")

    @contextmanager
    def copies(self, objects: Sequence[StoredObject], region: str) -> Iterator[list[Path]]:
        """Yield the paths of the objects' copies, in order; they stay until the end of the block."""
        names = [_copy_name(stored) for stored in objects]
        with self._lock:
            for name in names:
                self._pins[name] = self._pins.get(name, 0) + 1
        try:
            missing = {name: stored for name, stored in zip(names, objects, strict=True) if name not in self._sizes}
            list(self._pool.map(lambda item: self._fetch(item[0], item[1], region), missing.items()))
            with self._lock:
                for name in names:
                    self._sizes.move_to_end(name)
            yield [self.folder / name for name in names]
        finally:
            with self._lock:
                for name in names:
                    self._unpin(name)
                self._shrink()

    @contextmanager
    def converted(
        self, stored: StoredObject, how: str, make: Callable[[Path, str, Path, Path], None]
    ) -> Iterator[Path]:
        """Yield the path of what `make` writes of an object's copy, which lies here; made once for each `how`."""
        copy = _copy_name(stored)
        name = f"{copy}.{how}.parquet"
        with self._lock:
            self._pins[name] = self._pins.get(name, 0) + 1
            alone = self._fetching.setdefault(name, threading.Lock())
        try:
            with alone:
                if name not in self._sizes:
                    partial_path = self.folder / f".{name}"
                    try:
                        make(self.folder / copy, stored.key, self.folder, partial_path)
                        partial_path.replace(self.folder / name)
                    except BaseException:
                        partial_path.unlink(missing_ok=True)
                        raise
                    with self._lock:
                        self._sizes[name] = (self.folder / name).stat().st_size
            with self._lock:
                self._fetching.pop(name, None)
                self._sizes.move_to_end(name)
            yield self.folder / name
        finally:
            with self._lock:
                self._unpin(name)
                self._shrink()

    def close(self) -> None:
        """Stop fetching."""
        self._pool.shutdown(cancel_futures=True)

    def _fetch(self, name: str, stored: StoredObject, region: str) -> None:
        with self._lock:
            alone = self._fetching.setdefault(name, threading.Lock())
        with alone:
            if name in self._sizes:
                return
            body = self._s3(region).get_object(Bucket=stored.bucket, Key=stored.key, IfMatch=stored.etag)["Body"]
            handle, partial = tempfile.mkstemp(prefix=".", dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    for chunk in iter(lambda: body.read(2**20), b""):
                        file.write(chunk)
                Path(partial).replace(self.folder / name)
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise
            with self._lock:
                self._sizes[name] = (self.folder / name).stat().st_size
                self._fetching.pop(name, None)

    def _unpin(self, name: str) -> None:
        self._pins[name] -= 1
        if not self._pins[name]:
            del self._pins[name]

    def _shrink(self) -> None:
        total = sum(self._sizes.values())
        for name in list(self._sizes):
            if total <= self._limit:
                return
            if name not in self._pins:
                total -= self._sizes.pop(name)
                (self.folder / name).unlink(missing_ok=True)


def _copy_name(stored: StoredObject) -> str:
    digest = hashlib.sha256("\0".join([stored.bucket, stored.key, stored.etag]).encode()).hexdigest()
    return digest[:40] + (".gz" if stored.key.endswith(".gz") else "")


class Engine:
    """One DuckDB that may read the cache's folder and nothing else, whatever a statement says."""

    def __init__(self, cache: ObjectCache) -> None:
        self._cache = cache
        self._footers: dict[Path, Footer] = {}
        self._duckdb = duckdb.connect(":memory:")
        spill = cache.folder.parent / "spill"
        macros = (Path(__file__).parent / "macros.sql").read_text("utf-8")
        register(self._duckdb)
        # What two expressions share would be computed before both, outside of a TRY around it, and fail the statement.
        self._duckdb.execute(f"""
            SET disabled_optimizers = 'common_subexpressions';
            SET TimeZone = 'UTC';
            SET autoinstall_known_extensions = false;
            SET autoload_known_extensions = false;
            SET temp_directory = {literal(str(spill))};
            SET allowed_directories = [{literal(str(cache.folder) + "/")}];
            {macros}
            SET enable_external_access = false;
            SET lock_configuration = true;
        """)

    def connect(self) -> duckdb.DuckDBPyConnection:
        """Return a connection with temporary views of its own; interrupt() on it stops what it runs."""
        return self._duckdb.cursor()

    def close(self) -> None:
        """Close DuckDB."""
        self._duckdb.close()

    @contextmanager
    def opened(
        self,
        translation: Translation,
        connection: duckdb.DuckDBPyConnection,
        catalog: Catalog,
        region: str,
        now: datetime,
        cutoff: int | None = None,
    ) -> Iterator[int]:
        """Hold ready what a statement reads, and yield the bytes that are scanned for it.

        Within the block the connection runs the statement; failures of DuckDB's leave it as QueryFailed or
        QueryCancelled. Raises QueryCancelled beyond the cutoff in bytes.
        """
        try:
            objects = {scan.name: self._objects(scan, connection, catalog, now) for scan in translation.scans}
            everything = list(dict.fromkeys(stored for listed in objects.values() for stored in listed))
            with self._cache.copies(everything, region) as paths, ExitStack() as stack:
                copies = dict(zip(everything, paths, strict=True))
                scanned = sum(self._scanned(scan, objects[scan.name], copies, connection) for scan in translation.scans)
                if cutoff is not None and scanned > cutoff:
                    raise QueryCancelled("Bytes scanned limit was exceeded")
                for scan in translation.scans:
                    listed = objects[scan.name]
                    read = [copies[stored] for stored in listed]
                    if scan.table.format != PARQUET:
                        make = partial(write_values, connection, scan.table)
                        how = reading_of(scan.table)
                        read = [stack.enter_context(self._cache.converted(stored, how, make)) for stored in listed]
                    view = self._view(scan, listed, read)
                    connection.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(scan.name)} AS {view}")
                yield scanned
        except duckdb.InterruptException:
            raise QueryCancelled("Query was cancelled by user") from None
        except duckdb.Error as error:
            raise _failed(error) from error

    # ---- which objects -------------------------------------------------------------------------------------------

    def _objects(
        self, scan: Scan, connection: duckdb.DuckDBPyConnection, catalog: Catalog, now: datetime
    ) -> list[StoredObject]:
        table = scan.table
        if not table.keys:
            return catalog.objects([Folder((), *split_location(table.location))])
        if table.projected:
            values = [projected_values(table, key, now, self._named(scan, key, connection)) for key in table.keys]
            unnested = (
                f"(SELECT unnest({_list(v)}::VARCHAR[]) AS {quoted(k.name)})"
                for k, v in zip(table.keys, values, strict=True)
            )
            chosen = self._chosen(scan, connection, f"SELECT * FROM {', '.join(unnested)}")
            return catalog.objects([projected_folder(table, row) for row in chosen])
        folders = {folder.values: folder for folder in catalog.registered(table)}
        if not folders:
            return []
        texts = ", ".join(f"({', '.join(literal(value) for value in values)})" for values in folders)
        names = ", ".join(quoted(key.name) for key in table.keys)
        chosen = self._chosen(scan, connection, f"SELECT * FROM (VALUES {texts}) AS folders({names})")
        return catalog.objects([folders[row] for row in chosen])

    def _named(self, scan: Scan, key: Column, connection: duckdb.DuckDBPyConnection) -> list[str]:
        """Return the values of a partition key that the statement asks for by = or IN."""
        asked = [bound.constants for bound in scan.bounds if bound.column == key.name and bound.sign in {"=", "in"}]
        constants = ", ".join(asked[0]) if asked else ""
        row = connection.execute(f"SELECT {constants}").fetchone() if constants else None
        return [str(value) for value in row or ()]

    def _chosen(self, scan: Scan, connection: duckdb.DuckDBPyConnection, candidates: str) -> list[tuple[str, ...]]:
        """Return the partitions, as the texts of their keys, in which the scan's filters can be true."""
        name = quoted(f"{scan.name} folders")
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT row_number() OVER () AS i, * FROM ({candidates})"
        )
        kinds = {key.name: key for key in scan.table.keys}
        tests = [f"SELECT i FROM {name}"]
        for test in scan.filters:
            columns = (f"{_key(quoted(key), kinds[key])} AS {quoted(column)}" for column, key in test.keys.items())
            tests.append(
                f"SELECT i FROM (SELECT i, {', '.join(columns)} FROM {name}) AS {quoted(test.alias)} WHERE {test.sql}"
            )
        kept = " INTERSECT ".join(f"({each})" for each in tests)
        keys = ", ".join(quoted(key.name) for key in scan.table.keys)
        return connection.execute(f"SELECT {keys} FROM {name} WHERE i IN ({kept}) ORDER BY i").fetchall()

    # ---- what they cost ------------------------------------------------------------------------------------------

    def _scanned(
        self,
        scan: Scan,
        objects: Sequence[StoredObject],
        copies: Mapping[StoredObject, Path],
        connection: duckdb.DuckDBPyConnection,
    ) -> int:
        """Return the bytes that have to be read: of Parquet the needed columns' chunks, else whole objects.

        Trino leaves out the row groups whose statistics say that no row can be wanted. A column of rows counts whole
        here even if the statement needs one field of it, and so does an ORC object, where Athena reads less.
        """
        if scan.table.format != PARQUET:
            return sum(stored.size for stored in objects)
        bounds = [
            (bound.column, bound.sign, connection.execute(f"SELECT {', '.join(bound.constants)}").fetchone() or ())
            for bound in scan.bounds
        ]
        groups = (group for stored in objects for group in self._footer(copies[stored]).groups)
        return sum(
            size
            for group in groups
            if not any(excludes(group.ranges.get(column), sign, constants) for column, sign, constants in bounds)
            for column, size in group.sizes.items()
            if column in scan.live
        )

    def _footer(self, path: Path) -> Footer:
        """Return what an object's footer says, read once."""
        if path not in self._footers:
            self._footers[path] = read_footer(path)
        return self._footers[path]

    # ---- reading them --------------------------------------------------------------------------------------------

    def _view(self, scan: Scan, objects: Sequence[StoredObject], paths: Sequence[Path]) -> str:
        """Return the SELECT that reads a scan's needed columns; a column the files lack is null."""
        table = scan.table
        live = [column for column in table.columns if column.name in scan.live]
        footers = [self._footer(path) for path in paths]
        there: set[str] = set().union(*(footer.columns for footer in footers))
        source = f"read_parquet({_list(map(str, paths))}, union_by_name = true)"
        if table.format == PARQUET:
            for stored, footer in zip(objects, footers, strict=True):
                footer.check(live, stored.path)
            values = {column: _from_parquet(quoted(column.name), column) for column in live if column.name in there}
        else:
            values = {}
            for place, column in enumerate(table.columns):
                if column in live and f"v{place}" in there:
                    wrong = any(footer.holds(f"t{place}") for footer in footers)
                    values[column] = _from_parquet(stored_value(table, column, place, wrong=wrong), column)
        for position, key in enumerate(table.keys):
            values[key] = _key(_by_file([stored.values[position] for stored in objects]), key)
        values[Column(PATH, VARCHAR)] = _by_file([stored.path for stored in objects])
        # The statement names columns that its result does not depend on: they are there, and not read.
        selected = (
            f"{values[column] if paths and column in values else _absent(column)} AS {quoted(column.name)}"
            for column in (*table.columns, *table.keys, Column(PATH, VARCHAR))
        )
        return f"SELECT {', '.join(selected)} {f'FROM {source}' if paths else 'WHERE false'}"


def _list(texts: Any) -> str:
    return f"[{', '.join(literal(text) for text in texts)}]"


def _by_file(values: Sequence[str]) -> str:
    """Return the expression of a text that depends on the file a row is in."""
    if len(set(values)) <= 1:
        return literal(values[0]) if values else "NULL"
    return f"list_extract({_list(values)}, CAST(file_index AS BIGINT) + 1)"


def _key(text: str, key: Column) -> str:
    return f"CAST(nullif({text}, {literal(NO_PARTITION)}) AS {duckdb_type(key.type)})"


def _absent(column: Column) -> str:
    return f"CAST(NULL AS {duckdb_type(column.type)})"


def _from_parquet(value: str, column: Column) -> str:
    """Return a value of a Parquet file in the type of its column; Athena's timestamps have milliseconds."""
    sql = f"CAST({value} AS {duckdb_type(column.type)})"
    if column.type.name == "timestamp":
        sql = f"CAST(CAST({sql} AS TIMESTAMP_MS) AS TIMESTAMP)"
    return sql


def as_texts(translation: Translation) -> str:
    """Return the statement with its columns in Athena's texts; what is nested is left to Python."""
    names = [f"c{position}" for position in range(len(translation.columns))]
    texts = (
        as_varchar(Value(name, kind)) if kind.name != "json" else f"CAST({name} AS VARCHAR)"
        for name, (_, kind) in zip(names, translation.columns, strict=True)
    )
    shown = ", ".join(text or name for text, name in zip(texts, names, strict=True))
    return f"SELECT {shown} FROM ({translation.sql}) AS result({', '.join(names)})"


def _failed(error: duckdb.Error) -> QueryFailed:
    text = str(error)
    if coded := _CODED.search(text):
        return QueryFailed(coded["code"], coded["words"])
    for phrase, code, words in _PHRASES:
        if phrase in text:
            return QueryFailed(code, words or text.splitlines()[0].partition(": ")[2])
    if found := _OVERFLOW.search(text):
        kind, left, right = _INTEGERS.get(found["kind"], found["kind"]), found["left"], found["right"]
        signs = {"addition": "+", "subtraction": "-", "multiplication": "*"}
        words = f"{kind} {found['operation']} overflow: {left} {signs.get(found['operation'], '?')} {right}"
        return QueryFailed("NUMERIC_VALUE_OUT_OF_RANGE", words)
    if found := _OUT_OF_RANGE.search(text):
        kind = _INTEGERS.get(found["kind"], found["kind"].lower())
        return QueryFailed("NUMERIC_VALUE_OUT_OF_RANGE", f"Out of range for {kind}: {found['value']}")
    if found := _NOT_CAST.search(text):
        return QueryFailed("INVALID_CAST_ARGUMENT", f"Cannot cast '{found['text']}' to {found['kind']}")
    first = text.splitlines()[0].partition(": ")[2] if ": " in text.splitlines()[0] else text
    if isinstance(error, duckdb.ConversionException):
        return QueryFailed("INVALID_CAST_ARGUMENT", first)
    if isinstance(error, duckdb.OutOfRangeException):
        return QueryFailed("NUMERIC_VALUE_OUT_OF_RANGE", first)
    if isinstance(error, duckdb.NotImplementedException | duckdb.BinderException | duckdb.ParserException):
        return QueryFailed("NOT_SUPPORTED", f"The embedded Athena cannot run this: {first}")
    return QueryFailed("GENERIC_INTERNAL_ERROR", first, category=1, error_type=INTERNAL)
