"""Trino's functions that DuckDB cannot compute: written in Python, for one value at a time.

An exception's text is the statement's failure, its code first. None is never given: a function of a null is null.
"""

import hashlib
import hmac
import json
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

import duckdb

from workshop.local_aws.athena.results import java_double
from workshop.local_aws.athena.trino_types import UNKNOWN, Type, parse_type

WRONG = "INVALID_FUNCTION_ARGUMENT: "
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def _dump(value: Any) -> str:
    """Write a document as Trino's json_parse keeps it: no spaces, numbers as Java writes them."""
    match value:
        case dict():
            return "{" + ",".join(f"{_dump(key)}:{_dump(of)}" for key, of in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_dump, value)) + "]"
        case float():
            return java_double(value)
    return json.dumps(value, ensure_ascii=False)


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(f"{WRONG}Cannot convert value to JSON: '{text}'") from None


def json_parse(text: str) -> str:
    """Return a document with the keys of every object in order, as Trino keeps it."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: ordered(value[key]) for key in sorted(value)}
        return [ordered(item) for item in value] if isinstance(value, list) else value

    return _dump(ordered(_document(text)))


def _found(text: str, path: str) -> list[Any] | None:
    """Return what a path of members and places finds, or None where `strict` or the text does not allow it.

    https://trino.io/docs/current/functions/json.html#json-path-syntax-and-semantics: `lax` opens arrays for a member,
    and takes what is no array for an array of one.
    """
    mode, _, steps = path.partition(" ") if path.startswith(("lax ", "strict ")) else ("lax", "", path)
    step = r"\.([A-Za-z_]\w*)|\.\"([^\"\\]*)\"|\[(\d+)\]"
    if not re.fullmatch(rf"\s*\$({step})*\s*", steps):
        raise ValueError(f"NOT_SUPPORTED: The JSON path {path} is not supported by the embedded Athena")
    try:
        found = [json.loads(text)]
    except ValueError:
        return None
    for name, quoted, place in re.findall(step, steps):
        after: list[Any] = []
        for item in found:
            if place:
                among = item if isinstance(item, list) else [item]
                if mode == "strict" and not (isinstance(item, list) and int(place) < len(item)):
                    return None
                after += among[int(place) : int(place) + 1]
                continue
            among = item if isinstance(item, list) and mode == "lax" else [item]
            there = [one[name or quoted] for one in among if isinstance(one, dict) and (name or quoted) in one]
            if mode == "strict" and not there:
                return None
            after += there
        found = after
    return found


def json_exists(text: str, path: str) -> bool:
    """Return whether a path finds anything."""
    return bool(_found(text, path))


def json_query(text: str, path: str) -> str | None:
    """Return the one value that a path finds, as a document."""
    found = _found(text, path)
    return _dump(found[0]) if found and len(found) == 1 else None


def json_value(text: str, path: str) -> str | None:
    """Return the one scalar that a path finds, as a text."""
    found = _found(text, path)
    if not found or len(found) > 1 or found[0] is None or isinstance(found[0], dict | list):
        return None
    if isinstance(found[0], float):
        raise ValueError("NOT_SUPPORTED: json_value of a fraction is not supported by the embedded Athena")
    return found[0] if isinstance(found[0], str) else _dump(found[0])


def json_value_of(text: str, path: str, kind: str) -> str | None:
    """Return the one scalar that a path finds, as a text to be cast to a type."""
    found = _found(text, path)
    if not found or len(found) > 1 or found[0] is None or isinstance(found[0], dict | list):
        return None
    match kind, found[0]:
        case ("boolean", bool()) | ("double", int() | float()) if kind == "boolean" or not isinstance(found[0], bool):
            return _dump(found[0])
        case ("varchar" | "tinyint" | "smallint" | "integer" | "bigint", str()):
            return found[0] if kind == "varchar" or re.fullmatch(r"[+-]?\d+", found[0]) else None
        case ("tinyint" | "smallint" | "integer" | "bigint", int()) if not isinstance(found[0], bool):
            return str(found[0])
        case ("varchar", bool() | int()):
            return _dump(found[0])
    words = f"JSON_VALUE of {_dump(found[0])} returning {kind} is not supported by the embedded Athena"
    raise ValueError(f"NOT_SUPPORTED: {words}")


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern), re.ASCII)
    except re.error:
        raise ValueError(
            f"NOT_SUPPORTED: An empty group of {pattern} is not supported by the embedded Athena"
        ) from None


def group(text: str, pattern: str, place: int, whole: str) -> str | None:
    """Return a group of the first match, which DuckDB says is `whole`, or None where the group takes no part in it."""
    match = _compiled(pattern).search(text)
    if match is None or match[0] != whole or match[place]:
        raise ValueError(f"NOT_SUPPORTED: An empty group of {pattern} is not supported by the embedded Athena")
    return str(match[place]) if match[place] is not None else None


def groups(text: str, pattern: str, place: int, wholes: list[str]) -> list[str | None]:
    """Return a group of all matches, which DuckDB says are `wholes`, None where the group takes no part in one."""
    matches = list(_compiled(pattern).finditer(text))
    if [match[0] for match in matches] != wholes:
        raise ValueError(f"NOT_SUPPORTED: An empty group of {pattern} is not supported by the embedded Athena")
    return [match[place] for match in matches]


def keys_lowered(text: str, kind: str) -> str:
    """Return a document of a type with the keys of its rows in lower case; those of its maps stay."""

    def lowered(value: Any, of: Type) -> Any:
        match value:
            case dict() if of.name == "row":
                inside = dict(zip(of.fields, of.of, strict=True))
                made: dict[str, Any] = {}
                for key, item in value.items():
                    name = key.lower()
                    if name in made:
                        words = f'Row is not a valid JSON Object - JSONException: Duplicate key "{name}"'
                        raise ValueError(f"HIVE_CURSOR_ERROR: {words}")
                    made[name] = lowered(item, inside.get(name, UNKNOWN))
                return made
            case dict() if of.name == "map":
                return {key: lowered(item, of.of[1]) for key, item in value.items()}
            case list() if of.name == "array":
                return [lowered(item, of.of[0]) for item in value]
        return value

    return json.dumps(lowered(json.loads(text), parse_type(kind)), ensure_ascii=False)


def human_readable_seconds(seconds: float) -> str:
    """Return seconds in words, such as `1 minute, 36 seconds`."""
    left, parts = round(abs(seconds)), []
    for name, size in (("week", 604800), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ", ".join(parts) or "0 seconds"


def soundex(text: str) -> str:
    """Return the American soundex of a word."""
    codes = {
        letter: code for code, letters in enumerate(["BFPV", "CGJKQSXZ", "DT", "L", "MN", "R"], 1) for letter in letters
    }
    letters = [letter for letter in text.upper() if letter.isalpha()]
    if not letters:
        return ""
    if not all(letter.isascii() for letter in letters):
        raise ValueError(f"{WRONG}The character is not mapped: {text}")
    made, last = letters[0], codes.get(letters[0])
    for letter in letters[1:]:
        code = codes.get(letter)
        if code and code != last:
            made += str(code)
        if letter not in "HW":
            last = code
    return (made + "000")[:4]


def hamming_distance(one: str, other: str) -> int:
    """Return at how many places two texts of one length differ."""
    if len(one) != len(other):
        raise ValueError(f"{WRONG}The input strings to hamming_distance function must have the same length")
    return sum(a != b for a, b in zip(one, other, strict=True))


def to_base(number: int, radix: int) -> str:
    """Return a number in another base."""
    if not 2 <= radix <= 36:
        raise ValueError(f"{WRONG}Radix must be between 2 and 36")
    digits, left = "", abs(number)
    while left:
        left, digit = divmod(left, radix)
        digits = DIGITS[digit] + digits
    return ("-" if number < 0 else "") + (digits or "0")


def from_base(text: str, radix: int) -> int:
    """Return a number from its digits in another base."""
    if not 2 <= radix <= 36:
        raise ValueError(f"{WRONG}Radix must be between 2 and 36")
    if not re.fullmatch(rf"[+-]?[{DIGITS[:radix]}]+", text.lower()) or not -(2**63) <= int(text, radix) < 2**63:
        raise ValueError(f"{WRONG}Not a valid base-{radix} number: {text}")
    return int(text, radix)


def luhn_check(text: str) -> bool:
    """Return whether the last digit of a number is its check digit."""
    if not re.fullmatch(r"\d+", text):
        raise ValueError(f"{WRONG}Input must contain only digits")
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in text[-2::-2])
    return (sum(map(int, text[-1::-2])) + sum(doubled)) % 10 == 0


def url_part(text: str, name: str) -> str | None:
    """Return a part of a URL, or None where there is none."""
    try:
        parts = urlsplit(text)
        return {
            "protocol": parts.scheme or None,
            "host": parts.hostname,
            "path": parts.path,
            "query": parts.query or None,
            "fragment": parts.fragment or None,
        }[name]
    except ValueError:
        return None


def url_port(text: str) -> int | None:
    """Return the port of a URL."""
    try:
        return urlsplit(text).port
    except ValueError:
        return None


def url_parameter(text: str, name: str) -> str | None:
    """Return the first value of a query parameter, as it is after decoding."""
    return dict(reversed(parse_qsl(urlsplit(text).query, keep_blank_values=True))).get(name)


def split_pairs(text: str, entries: str, pairs: str) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of a text such as `a=1,b=2`."""
    for entry in text.split(entries) if text else []:
        key, sign, value = entry.partition(pairs)
        if not sign:
            raise ValueError(f"{WRONG}Key-value delimiter must appear exactly once in each entry. Bad input: '{entry}'")
        if pairs in value:
            raise ValueError(f"{WRONG}Key-value delimiter must appear exactly once in each entry. Bad input: '{entry}'")
        yield key, value


def split_to_map(text: str, entries: str, pairs: str) -> dict[str, str]:
    """Return a text such as `a=1,b=2` as a map."""
    made: dict[str, str] = {}
    for key, value in split_pairs(text, entries, pairs):
        if key in made:
            raise ValueError(f"{WRONG}Duplicate keys ({key}) are not allowed")
        made[key] = value
    return made


def split_to_multimap(text: str, entries: str, pairs: str) -> dict[str, list[str]]:
    """Return a text such as `a=1,a=2` as a map of all values of a key."""
    made: dict[str, list[str]] = {}
    for key, value in split_pairs(text, entries, pairs):
        made.setdefault(key, []).append(value)
    return made


def normalize(text: str, form: str) -> str:
    """Return a text in one of Unicode's normal forms."""
    if form not in {"NFC", "NFD", "NFKC", "NFKD"}:
        raise ValueError(f"{WRONG}Normalization form must be one of [NFD, NFC, NFKD, NFKC]")
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]


def digest(data: bytes, name: str) -> bytes:
    """Return a hash."""
    return hashlib.new(name, data).digest()


def keyed_digest(data: bytes, key: bytes, name: str) -> bytes:
    """Return a hash with a key."""
    return hmac.digest(key, data, name)


def url_decode(text: str) -> str:
    """Return a text without its `%20` and `+`."""
    return unquote_plus(text)


def crc32(data: bytes) -> int:
    """Return a CRC-32."""
    return zlib.crc32(data)


def fail(words: str) -> None:
    """Fail the statement, or what `try` encloses; DuckDB's own error() is one that its TRY does not take."""
    raise ValueError(words)


REFUSING = (
    "trino_json_exists",
    "trino_json_query",
    "trino_json_value",
    "trino_json_value_of",
    "trino_group",
    "trino_groups",
)
"""Those that may find themselves not supported, which no `try` must make a null of."""

_TEXT = "VARCHAR"
_FUNCTIONS: list[tuple[str, Callable[..., Any], list[str], str]] = [
    ("trino_fail", fail, [_TEXT], "NULL"),
    ("trino_json_parse", json_parse, [_TEXT], _TEXT),
    ("trino_json_exists", json_exists, [_TEXT, _TEXT], "BOOLEAN"),
    ("trino_json_query", json_query, [_TEXT, _TEXT], _TEXT),
    ("trino_json_value", json_value, [_TEXT, _TEXT], _TEXT),
    ("trino_json_value_of", json_value_of, [_TEXT] * 3, _TEXT),
    ("trino_group", group, [_TEXT, _TEXT, "INTEGER", _TEXT], _TEXT),
    ("trino_groups", groups, [_TEXT, _TEXT, "INTEGER", "VARCHAR[]"], "VARCHAR[]"),
    ("trino_keys_lowered", keys_lowered, [_TEXT, _TEXT], _TEXT),
    ("trino_human_readable_seconds", human_readable_seconds, ["DOUBLE"], _TEXT),
    ("trino_soundex", soundex, [_TEXT], _TEXT),
    ("trino_hamming_distance", hamming_distance, [_TEXT, _TEXT], "BIGINT"),
    ("trino_to_base", to_base, ["BIGINT", "BIGINT"], _TEXT),
    ("trino_from_base", from_base, [_TEXT, "BIGINT"], "BIGINT"),
    ("trino_luhn_check", luhn_check, [_TEXT], "BOOLEAN"),
    ("trino_url_part", url_part, [_TEXT, _TEXT], _TEXT),
    ("trino_url_port", url_port, [_TEXT], "BIGINT"),
    ("trino_url_parameter", url_parameter, [_TEXT, _TEXT], _TEXT),
    ("trino_url_decode", url_decode, [_TEXT], _TEXT),
    ("trino_split_to_map", split_to_map, [_TEXT] * 3, "MAP(VARCHAR, VARCHAR)"),
    ("trino_split_to_multimap", split_to_multimap, [_TEXT] * 3, "MAP(VARCHAR, VARCHAR[])"),
    ("trino_normalize", normalize, [_TEXT, _TEXT], _TEXT),
    ("trino_digest", digest, ["BLOB", _TEXT], "BLOB"),
    ("trino_keyed_digest", keyed_digest, ["BLOB", "BLOB", _TEXT], "BLOB"),
    ("trino_crc32", crc32, ["BLOB"], "BIGINT"),
]


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to a DuckDB."""
    for name, function, parameters, result in _FUNCTIONS:
        connection.create_function(name, _of_values(function), parameters, result, null_handling="special")  # type: ignore[call-overload]


def _of_values(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*arguments: Any) -> Any:
        return None if any(argument is None for argument in arguments) else function(*arguments)

    return call
