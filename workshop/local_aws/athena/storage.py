"""How tables' rows are written: SerDes, Hive's types, and files of Parquet, ORC, JSON and delimited text."""

import base64
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq

from workshop.local_aws.athena.errors import QueryFailed, not_supported
from workshop.local_aws.athena.results import java_double
from workshop.local_aws.athena.trino_types import Type


class Storage(NamedTuple):
    """How Glue describes a format: its SerDe and Hadoop's classes that read and write it."""

    serde: str
    input_format: str
    output_format: str

    def descriptor(
        self, columns: Sequence[Mapping[str, str]], location: str, properties: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the StorageDescriptor of a table in this format; `properties` are its SerDe's."""
        return {
            "Columns": columns,
            "Location": location,
            "InputFormat": self.input_format,
            "OutputFormat": self.output_format,
            "Compressed": False,
            "NumberOfBuckets": -1,
            "SerdeInfo": {
                "SerializationLibrary": self.serde,
                "Parameters": {"serialization.format": "1", **properties},
            },
        }


_TEXT_FORMATS = (
    "org.apache.hadoop.mapred.TextInputFormat",
    "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
)
LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"

# https://docs.aws.amazon.com/athena/latest/ug/supported-serdes.html
STORAGES: Mapping[str, Storage] = {
    "PARQUET": Storage(
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    ),
    "ORC": Storage(
        "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
        "org.apache.hadoop.hive.ql.io.orc.OrcInputFormat",
        "org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat",
    ),
    "AVRO": Storage(
        "org.apache.hadoop.hive.serde2.avro.AvroSerDe",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerInputFormat",
        "org.apache.hadoop.hive.ql.io.avro.AvroContainerOutputFormat",
    ),
    "JSON": Storage("org.apache.hive.hcatalog.data.JsonSerDe", *_TEXT_FORMATS),
    "TEXTFILE": Storage(LAZY_SIMPLE, *_TEXT_FORMATS),
}
WRITABLE = frozenset({"PARQUET", "ORC", "JSON", "TEXTFILE"})

# https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html: the default is GZIP for Parquet, ZLIB for ORC.
# https://docs.aws.amazon.com/athena/latest/ug/compression-formats.html
_COMPRESSIONS: Mapping[str, Mapping[str, str]] = {
    "PARQUET": {"GZIP": "gzip", "SNAPPY": "snappy", "ZSTD": "zstd", "LZ4": "lz4", "NONE": "none"},
    "ORC": {"ZLIB": "zlib", "SNAPPY": "snappy", "LZ4": "lz4", "ZSTD": "zstd", "NONE": "uncompressed"},
    "JSON": {"GZIP": "gzip", "NONE": "none"},
    "TEXTFILE": {"GZIP": "gzip", "NONE": "none"},
}
_DEFAULT_COMPRESSION = {"PARQUET": "GZIP", "ORC": "ZLIB", "JSON": "GZIP", "TEXTFILE": "GZIP"}


def compression(form: str, asked: str | None) -> str:
    """Return the library's name of a compression; raises QueryFailed for one that is not written here."""
    name = (asked or _DEFAULT_COMPRESSION[form]).upper()
    known = _COMPRESSIONS[form]
    if name not in known:
        raise not_supported(None, f"The compression {name} for {form}")
    return known[name]


GZIP_LEVEL = 6
"""Java's default; Python's and Arrow's is 9, which takes many times as long for nearly the same size."""

_HIVE = {"integer": "int", "real": "float", "varbinary": "binary", "varchar": "string"}


def hive_type(kind: Type) -> str:
    """Return a type as Glue writes it; raises QueryFailed for one that no table can hold."""
    match kind.name:
        case "array":
            return f"array<{hive_type(kind.of[0])}>"
        case "map":
            return f"map<{hive_type(kind.of[0])},{hive_type(kind.of[1])}>"
        case "row":
            if not all(kind.fields):
                raise QueryFailed(
                    "NOT_SUPPORTED",
                    f"Anonymous row type is not supported in Hive. Please give each field a name: {kind}",
                )
            named = (f"{name}:{hive_type(of)}" for name, of in zip(kind.fields, kind.of, strict=True))
            return f"struct<{','.join(named)}>"
        case "decimal":
            return f"decimal({kind.size[0]},{kind.size[1]})"
        case "varchar" if kind.size:
            return f"varchar({kind.size[0]})"
        case "boolean" | "tinyint" | "smallint" | "integer" | "bigint" | "real" | "double" | "date" | "timestamp":
            return _HIVE.get(kind.name, kind.name)
        case "varchar" | "varbinary":
            return _HIVE[kind.name]
    raise QueryFailed("NOT_SUPPORTED", f"Unsupported Hive type: {kind}")


_ARROW = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),
    "varchar": pa.string(),
    "varbinary": pa.binary(),
}


def arrow_type(kind: Type) -> pa.DataType:
    """Return the Arrow type of a column that a table can hold; Athena's timestamps have milliseconds."""
    match kind.name:
        case "array":
            return pa.list_(arrow_type(kind.of[0]))
        case "map":
            return pa.map_(arrow_type(kind.of[0]), arrow_type(kind.of[1]))
        case "row":
            return pa.struct([(name, arrow_type(of)) for name, of in zip(kind.fields, kind.of, strict=True)])
        case "decimal":
            return pa.decimal128(*kind.size)
    return _ARROW[kind.name]


# ---- files -----------------------------------------------------------------------------------------------------------


class File(Protocol):
    """A file that is being written."""

    def write(self, rows: pa.Table) -> None:
        """Add rows."""

    def close(self) -> None:
        """Finish the file."""


class Layout(NamedTuple):
    """What a file of a table holds, and how."""

    form: str
    compression: str
    names: tuple[str, ...]
    types: tuple[Type, ...]
    properties: Mapping[str, str]
    """The SerDe's: of delimited text, its delimiters and its null."""
    readable: bool = True
    """Whether a text that could not be read back is refused; UNLOAD writes it, as the real one does."""

    @property
    def schema(self) -> pa.Schema:
        """Return the columns as Arrow's."""
        return pa.schema([(n, arrow_type(k)) for n, k in zip(self.names, self.types, strict=True)])

    @property
    def suffix(self) -> str:
        """Return how the name of a file ends: readers know gzipped text by it."""
        return ".gz" if self.form in {"JSON", "TEXTFILE"} and self.compression == "gzip" else ""

    def open(self, path: Path) -> File:
        """Begin a file."""
        match self.form:
            case "PARQUET":
                return _Parquet(path, self)
            case "ORC":
                return _Orc(path, self)
            case "JSON":
                return _Lines(path, self, _json_lines(self.names, self.types))
        return _Lines(path, self, _Delimited(self).line)


class _Parquet:
    def __init__(self, path: Path, layout: Layout) -> None:
        level = GZIP_LEVEL if layout.compression == "gzip" else None
        self._writer = pq.ParquetWriter(path, layout.schema, compression=layout.compression, compression_level=level)

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows)

    def close(self) -> None:
        self._writer.close()


class _Orc:
    def __init__(self, path: Path, layout: Layout) -> None:
        self._writer = orc.ORCWriter(str(path), compression=layout.compression)
        self._writer.write(layout.schema.empty_table())

    def write(self, rows: pa.Table) -> None:
        self._writer.write(rows)

    def close(self) -> None:
        self._writer.close()


class _Lines:
    """A text file of one line a row."""

    def __init__(self, path: Path, layout: Layout, line: Callable[[Sequence[Any]], str]) -> None:
        if layout.compression == "gzip":
            self._file: IO[str] = gzip.open(path, "wt", GZIP_LEVEL, encoding="utf-8", newline="\n")  # noqa: SIM115 - close() closes it
        else:
            self._file = path.open("w", encoding="utf-8", newline="\n")
        self._line = line

    def write(self, rows: pa.Table) -> None:
        columns = (column.to_pylist() for column in rows.columns)
        self._file.writelines(self._line(row) + "\n" for row in zip(*columns, strict=True))

    def close(self) -> None:
        self._file.close()


Shows = Callable[[Any], str]

_EXACT_DIGITS = 15
"""What every reader of JSON keeps of a number. A decimal of more is a text, which JsonSerDe reads as well."""


def _json_lines(names: Sequence[str], types: Sequence[Type]) -> Callable[[Sequence[Any]], str]:
    """Return what writes a row as Hive's JsonSerDe reads it: times as texts."""
    keys = [json.dumps(name) + ":" for name in names]
    shows = [_or_null(_json(kind)) for kind in types]

    def line(row: Sequence[Any]) -> str:
        return "{" + ",".join([key + show(value) for key, show, value in zip(keys, shows, row, strict=True)]) + "}"

    return line


def _or_null(show: Shows) -> Shows:
    return lambda value: "null" if value is None else show(value)


def _json(kind: Type) -> Shows:
    match kind.name:
        case "array":
            item = _or_null(_json(kind.of[0]))
            return lambda value: "[" + ",".join(map(item, value)) + "]"
        case "map":
            key, item = _text(kind.of[0]), _or_null(_json(kind.of[1]))
            return lambda value: "{" + ",".join(f"{json.dumps(key(k))}:{item(v)}" for k, v in value) + "}"
        case "row":
            line = _json_lines(kind.fields, kind.of)
            return lambda value: line([value[name] for name in kind.fields])
        case "boolean" | "tinyint" | "smallint" | "integer" | "bigint":
            return _text(kind)
        case "decimal" if kind.size[0] <= _EXACT_DIGITS:
            return _text(kind)
        case "double" | "real":
            return lambda value: repr(value) if value - value == 0 else f'"{java_double(value)}"'
        case "varchar":
            return _JSON_TEXT
    text = _text(kind)
    return lambda value: _JSON_TEXT(text(value))


_JSON_TEXT = json.JSONEncoder(ensure_ascii=False).encode


@cache
def _text(kind: Type) -> Shows:
    match kind.name:
        case "boolean":
            return lambda value: "true" if value else "false"
        case "double" | "real":
            return java_double
        case "decimal":
            return lambda value: f"{value:f}"
        case "timestamp":
            return lambda value: str(value.isoformat(sep=" ", timespec="milliseconds"))
        case "varbinary":
            return lambda value: base64.b64encode(value).decode()
    return str


class _Delimited:
    """LazySimpleSerDe: fields, then items, then map keys, each level with a separator of its own.

    https://docs.aws.amazon.com/athena/latest/ug/lazy-simple-serde.html
    """

    def __init__(self, layout: Layout) -> None:
        properties = layout.properties
        self._types = layout.types
        self._readable = layout.readable
        first = properties.get("field.delim", properties.get("serialization.format", "1"))
        self._separators = [
            "\x01" if first == "1" else first,
            properties.get("collection.delim", "\x02"),
            properties.get("mapkey.delim", "\x03"),
            *(chr(code) for code in range(4, 9)),
        ]
        self._null = properties.get("serialization.null.format", r"\N")
        self._escape = properties.get("escape.delim", "")
        self._special = {*self._separators, "\n", "\r", *self._escape} if self._escape else set()

    def line(self, row: Sequence[Any]) -> str:
        return self._separators[0].join(self._value(v, k, 1) for v, k in zip(row, self._types, strict=True))

    def _value(self, value: Any, kind: Type, level: int) -> str:
        if value is None:
            return self._null
        if kind.of and level >= len(self._separators):
            raise QueryFailed("NOT_SUPPORTED", "Values that deep inside each other in delimited text")
        match kind.name:
            case "array":
                return self._separators[level].join(self._value(item, kind.of[0], level + 1) for item in value)
            case "map":
                return self._separators[level].join(
                    self._value(k, kind.of[0], level + 2)
                    + self._separators[level + 1]
                    + self._value(v, kind.of[1], level + 2)
                    for k, v in value
                )
            case "row":
                fields = zip(kind.fields, kind.of, strict=True)
                return self._separators[level].join(self._value(value[n], of, level + 1) for n, of in fields)
        text = _text(kind)(value)
        if self._escape:
            return "".join(self._escaped(character) for character in text)
        lost = text == self._null or any(mark in text for mark in ("\n", "\r", *self._separators[:level]))
        if lost and self._readable and kind.name == "varchar":
            raise QueryFailed(
                "HIVE_WRITER_DATA_ERROR",
                "The embedded Athena does not write a text that holds the table's delimiter, a line break or its null: "
                "without escape.delim it could not be read back",
            )
        return text

    def _escaped(self, character: str) -> str:
        if character not in self._special:
            return character
        return self._escape + {"\n": "n", "\r": "r"}.get(character, character)
