"""The record contract: what a stock event is, read from `glue/stock_event.schema.json` and from nowhere else."""

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

SCHEMA_FILE: Final = Path(__file__).parents[2] / "glue" / "stock_event.schema.json"
SCHEMA: Final[dict[str, Any]] = json.loads(SCHEMA_FILE.read_bytes())

FIELDS: Final[tuple[str, ...]] = tuple(SCHEMA["properties"])
"""The fields of an event in the order in which they are written."""
RECEIVED_AT, *_ = ADDED_FIELDS = tuple(SCHEMA["x-added-by-intake"])
"""What the intake appends to an event."""
QUARANTINE_FIELDS: Final[tuple[str, ...]] = tuple(SCHEMA["x-quarantine"])
"""The columns of a refused document in the quarantine."""


class Refused(Exception):
    """A document that is not a stock event: why, as a sentence, and the field at fault, if one is."""

    def __init__(self, reason: str, field: str | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


class UnsupportedKeyword(Exception):
    """The schema uses a keyword that this reader does not interpret; teach `_rule` before using it."""


def timestamp(moment: datetime) -> str:
    """Write a moment as the contract does: UTC, ISO 8601, milliseconds, `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def read(text: str) -> dict[str, Any]:
    """Return the stock event that a text holds, or raise `Refused`.

    Stricter than `json.loads`: NaN, Infinity, repeated keys and lone surrogates are refused. Stricter than JSON Schema
    in one point: 5.0 is no integer here, because the column is an int and the text is stored as it came.
    """
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Refused(f"The document is not one JSON value (character {error.pos}: {error.msg}).", None) from None
    except RecursionError:
        raise Refused("The document is nested too deeply.", None) from None
    except ValueError:  # int() takes at most 4,300 digits
        raise Refused("The document holds a number with too many digits.", None) from None
    check(document)
    return document  # type: ignore[no-any-return]


def check(document: object) -> None:
    """Raise `Refused` unless a parsed JSON value is a stock event."""
    if not isinstance(document, dict):
        raise Refused(f"The document is {_shown(document)}, not an object.", None)
    for name in SCHEMA["required"]:
        if name not in document:
            raise Refused(f"{name} is missing.", name)
    if len(document) > len(FIELDS) or not document.keys() <= _RULES.keys():
        unknown = _printable(next(name for name in document if name not in _RULES))
        raise Refused(f"{unknown} is not a field of a stock event.", unknown)
    for name, value in document.items():
        if fault := _RULES[name](value):
            raise Refused(f"{name} {fault}", name)
    event_id, store_id, product_id = document["event_id"], document["store_id"], document["product_id"]
    if not event_id.startswith(f"{store_id}-{product_id}-"):  # its pattern says that only the tick can follow
        raise Refused(f"event_id must be {store_id}-{product_id}-tick, not {_shown(event_id)}.", "event_id")


Rule = Callable[[object], str | None]
"""Says what is wrong with a value, as the rest of a sentence that began with the field's name, or None."""

_ANNOTATIONS = {"description", "x-glue-type"}


def _rule(schema: dict[str, Any]) -> Rule:
    """Interpret the part of JSON Schema 2020-12 that the contract uses."""
    schema = {keyword: value for keyword, value in schema.items() if keyword not in _ANNOTATIONS}
    match schema.pop("type"):
        case "string":
            rule = _string_rule(
                pattern=schema.pop("pattern", None),
                shortest=schema.pop("minLength", 0),
                longest=schema.pop("maxLength", math.inf),
                is_moment=schema.pop("format", None) == "date-time",
            )
        case "number" | "integer" as kind:
            rule = _number_rule(kind, least=schema.pop("minimum", -math.inf), most=schema.pop("maximum", math.inf))
        case kind:
            raise UnsupportedKeyword(f"type {kind}")
    if schema:
        raise UnsupportedKeyword(", ".join(schema))
    return rule


def _string_rule(pattern: str | None, shortest: int, longest: float, is_moment: bool) -> Rule:
    # JSON Schema's `$` is the end of the string; Python's also matches before a last newline.
    matches = re.compile(re.sub(r"\$$", r"\\Z", pattern or "")).search

    def rule(value: object) -> str | None:
        if type(value) is not str:
            return f"must be a string, not {_shown(value)}."
        if not shortest <= len(value) <= longest:
            return f"must have {shortest} to {longest} characters, not {len(value)}."
        if not matches(value):
            return f"must match {pattern}, which {_shown(value)} does not."
        if not (value.isascii() or _is_unicode(value)):
            return "holds half of a surrogate pair, which no encoding can store."
        if is_moment and not _is_moment(value):
            return f"must be a moment that the calendar has, not {_shown(value)}."
        return None

    return rule


def _number_rule(kind: str, least: float, most: float) -> Rule:
    def rule(value: object) -> str | None:
        if type(value) is not int and (type(value) is not float or kind == "integer"):
            return f"must be {'an integer' if kind == 'integer' else 'a number'}, not {_shown(value)}."
        if not least <= value <= most or value in (math.inf, -math.inf):
            return f"must be from {least} to {most}, not {_shown(value)}."
        return None

    return rule


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return text[11:13] != "24"  # newer Pythons read 24:00 as the next midnight; the lake's timestamp does not


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text[:60])


def _shown(value: object) -> str:
    """Show a value in a sentence, never at length: a refused document can hold a string of a megabyte."""
    match value:
        case None | bool():
            return json.dumps(value)
        case str():
            return ascii(value) if len(value) <= 40 else f"{value[:40]!a}…"
        case int():
            return str(value) if abs(value) < 10**20 else "an integer of more than 20 digits"
        case float():
            return repr(value)
        case list():
            return "an array"
        case _:
            return "an object"


def _no_constant(name: str) -> NoReturn:
    raise Refused(f"{name} is not a JSON value.", None)


def _no_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = _printable(next(name for name in names if names.count(name) > 1))
        raise Refused(f"{repeated} appears more than once.", repeated)
    return document


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_no_repetition, parse_constant=_no_constant)
_RULES: Final[dict[str, Rule]] = {name: _rule(schema) for name, schema in SCHEMA["properties"].items()}
if SCHEMA["type"] != "object" or SCHEMA["additionalProperties"] is not False:
    raise UnsupportedKeyword("an event is an object without additional properties")
