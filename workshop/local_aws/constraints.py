"""A request checked against the published model of its service, as AWS does before an action sees it."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

_ASTRAL = (r"\uD800\uDC00-\uDBFF\uDFFF", "\U00010000-\U0010ffff")
"""How Java's patterns and Python's write the characters beyond U+FFFF."""
_CLASSES = (r"\p{L}\p{Z}\p{N}", r"\w \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000")
"""How they write letters, separators and numbers."""


def violations(service: str, operation: str, request: dict[str, Any]) -> str | None:
    """Return what is wrong with a request in AWS's words, or None: required members, lengths, ranges, patterns, enums.

    `service` is botocore's name of it. Types are not looked at: the clients do.
    """
    shape = _model(service).operation_model(operation).input_shape
    found = list(_check(shape, request, "")) if shape else []
    if not found:
        return None
    return f"{len(found)} validation error{'s' if len(found) > 1 else ''} detected: {'; '.join(found)}"


@cache
def _model(service: str) -> ServiceModel:
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def _check(shape: Shape, value: Any, path: str) -> Iterator[str]:
    for constraint in _broken(shape, value):
        shown = "null" if value is None else f"'{value}'"
        yield f"Value {shown} at '{path}' failed to satisfy constraint: Member must {constraint}"
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in shape.members.items():
            inside = f"{path}.{name[0].lower()}{name[1:]}".lstrip(".")
            if value.get(name) is not None:
                yield from _check(member, value[name], inside)
            elif name in shape.required_members:
                yield f"Value null at '{inside}' failed to satisfy constraint: Member must not be null"
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for position, item in enumerate(value, start=1):
            yield from _check(shape.member, item, f"{path}.{position}.member")


def _broken(shape: Shape, value: Any) -> Iterator[str]:
    rules = shape.metadata
    measured, of = (len(value), "length") if isinstance(value, str | list) else (value, "value")
    if isinstance(measured, int | float):
        if measured < rules.get("min", measured):
            yield f"have {of} greater than or equal to {rules['min']}"
        if measured > rules.get("max", measured):
            yield f"have {of} less than or equal to {rules['max']}"
    if isinstance(value, str):
        if "pattern" in rules and not re.fullmatch(rules["pattern"].replace(*_ASTRAL).replace(*_CLASSES), value):
            yield f"satisfy regular expression pattern: {rules['pattern']}"
        if "enum" in rules and value not in rules["enum"]:
            yield f"satisfy enum value set: [{', '.join(rules['enum'])}]"
