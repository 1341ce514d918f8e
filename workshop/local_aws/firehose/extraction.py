"""Partition keys from JSON records: the part of jq 1.6 that the developer guide's own examples are written in.

It is the page "dynamic-partitioning-partitioning-keys": an object of names, each with a path and perhaps a strftime, as
in `{customer_id: .customer_id, device: .type.device, year: .event_timestamp|strftime("%Y")}`. Whatever else jq can do
is refused by name rather than guessed.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_SPACE = r"\s*"
_STRING = r'"(?:[^"\\]|\\.)*"'
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_STEP = rf"\.{_NAME}|\.{_STRING}|\.?\[{_SPACE}(?:{_STRING}|-?[0-9]+){_SPACE}\]"
_KEY = re.compile(rf"{_SPACE}(?P<name>{_NAME}|{_STRING}){_SPACE}")
_PATH = re.compile(rf":{_SPACE}(?P<path>(?:{_STEP})+){_SPACE}")
_TIME = re.compile(rf"\|{_SPACE}strftime{_SPACE}\({_SPACE}(?P<format>{_STRING}){_SPACE}\){_SPACE}")
_ONE_STEP = re.compile(rf"\.?\[{_SPACE}(?P<index>-?[0-9]+){_SPACE}\]|\.?\[?{_SPACE}(?P<key>{_STRING}|{_NAME})")
# What Python's and C's strftime make the same of, whatever the locale.
_TIME_FORMAT = re.compile(r"(?:[^%]|%[YmdHMSjyFTe%])*")
# Beyond them jq writes numbers in another way than Python does.
_PLAIN_INTEGER = 10**15
_PLAIN_FRACTION = 1e-4


class UnsupportedQueryError(ValueError):
    """A query is outside of the part of jq that is evaluated here; the message names it."""


class ExtractionError(ValueError):
    """A record does not give the keys that a query asks for."""


@dataclass(frozen=True, slots=True)
class _Key:
    steps: tuple[str | int, ...]
    time_format: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """A MetadataExtractionQuery."""

    keys: Mapping[str, _Key]

    @classmethod
    def parse(cls, text: str) -> "Query":
        """Read a query. Raises UnsupportedQueryError."""
        inner = text.strip()
        keys: dict[str, _Key] = {}
        if not (inner.startswith("{") and inner.endswith("}")):
            raise _unsupported(text)
        at, end = 0, len(inner) - 1
        while at < end:
            at += 1  # the brace, or the comma before another key
            if (name := _KEY.match(inner, at, end)) is None:
                raise _unsupported(text)
            key, at = _unquoted(name["name"]), name.end()
            steps: tuple[str | int, ...] = (key,)
            time_format = None
            if path := _PATH.match(inner, at, end):
                steps, at = tuple(map(_step, _ONE_STEP.finditer(path["path"]))), path.end()
                if formatted := _TIME.match(inner, at, end):
                    time_format, at = _unquoted(formatted["format"]), formatted.end()
                    if not _TIME_FORMAT.fullmatch(time_format):
                        raise _unsupported(text)
            keys[key] = _Key(steps, time_format)
            if at < end and inner[at] != ",":
                raise _unsupported(text)
        return cls(keys)

    def evaluate(self, data: bytes) -> dict[str, str]:
        """Return the value of each key in a record that is one JSON document. Raises ExtractionError."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            raise ExtractionError("The record is not one JSON document") from None
        return {name: _value(name, key, document) for name, key in self.keys.items()}


def _unsupported(text: str) -> UnsupportedQueryError:
    return UnsupportedQueryError(
        f"The query {text} is outside of the jq that is evaluated here, which is an object of paths such as "
        '{store: .store, kind: .item.kind, day: .at|strftime("%F")}; a Lambda processor can give any other key'
    )


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text
    if "\\(" in text:  # jq evaluates what stands in there
        raise _unsupported(text)
    plain: str = json.loads(text)
    return plain


def _step(match: re.Match[str]) -> str | int:
    return int(match["index"]) if match["index"] is not None else _unquoted(match["key"])


def _value(name: str, key: _Key, document: Any) -> str:
    value = document
    for step in key.steps:
        match value, step:
            case None, _:
                pass
            case dict(), str():
                value = value.get(step)
            case list(), int():
                value = value[step] if -len(value) <= step < len(value) else None
            case _:
                raise ExtractionError(f"Partition key {name}: cannot index {type(value).__name__} with {step!r}")
    if key.time_format is not None:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= _PLAIN_INTEGER:
            raise ExtractionError(f"Partition key {name}: strftime requires a time in seconds")
        value = time.strftime(key.time_format, time.gmtime(value))
    match value:
        case str() if value:
            return value
        case bool():
            return "true" if value else "false"
        case int() if abs(value) < _PLAIN_INTEGER:
            return str(value)
        case float() if _PLAIN_FRACTION <= abs(value) < _PLAIN_INTEGER:
            return repr(value).removesuffix(".0")
    raise ExtractionError(f"Partition key {name} must be a text, a number or a boolean, and neither null nor empty")
