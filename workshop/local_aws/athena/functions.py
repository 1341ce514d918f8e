"""Trino's functions: which there are, what they return, and what DuckDB computes them with."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from workshop.local_aws.athena.trino_types import (
    INTEGERS,
    NUMBERS,
    UNKNOWN,
    Type,
    as_decimal,
    coercible,
    common,
    duckdb,
    parse_type,
)

LITERALS = ("unit", "pattern", "joda")
WINDOW_ONLY = frozenset({
    "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value",
    "last_value", "nth_value",
})  # fmt: skip
_LETTERS = frozenset("TUKVNID")


@dataclass(frozen=True, slots=True)
class Function:
    """One line of functions.txt."""

    name: str
    parameters: tuple[str, ...]
    result: str
    template: str

    @property
    def aggregates(self) -> bool:
        """Return whether the function reads many rows."""
        return "@" in self.template

    def accepts(self, count: int) -> bool:
        """Return whether the function takes that many arguments."""
        if self.parameters and self.parameters[-1].endswith("..."):
            return count >= len(self.parameters)
        return count == len(self.parameters)

    def parameter(self, position: int) -> str:
        """Return the parameter an argument is for."""
        return self.parameters[min(position, len(self.parameters) - 1)].removesuffix("...")


@dataclass(frozen=True, slots=True)
class Functions:
    """All of functions.txt: overloads by name, and names that are known and not supported."""

    overloads: Mapping[str, Sequence[Function]]
    unsupported: frozenset[str]


@cache
def functions() -> Functions:
    """Read functions.txt."""
    overloads: dict[str, list[Function]] = defaultdict(list)
    unsupported: set[str] = set()
    for line in (Path(__file__).parent / "functions.txt").read_text("utf-8").splitlines():
        if line.startswith("?"):
            unsupported.update(line[1:].split())
        elif line and not line.startswith("#"):
            signature, template = line.split(" = ", 1)
            left, result = signature.rsplit(") -> ", 1)
            name, parameters = left.split("(", 1)
            parts = tuple(part for part in re.split(r",\s*(?![^()]*\))", parameters) if part)
            overloads[name].append(Function(name, parts, result, template))
    return Functions(overloads, frozenset(unsupported) - overloads.keys())


class Binding:
    """The types that a function's letters stand for in one call."""

    def __init__(self) -> None:
        self.letters: dict[str, Type] = {}

    def fit(self, parameter: str, kind: Type) -> bool:
        """Return whether an argument's type fits a parameter, learning what its letters stand for."""
        if parameter in _LETTERS:
            allowed = {"N": NUMBERS, "I": INTEGERS, "D": ("decimal",)}.get(parameter)
            if allowed and kind.name not in allowed:
                return False
            known = common(self.letters.get(parameter, UNKNOWN), kind)
            if known is None:
                return False
            self.letters[parameter] = known
            return True
        if match := re.fullmatch(r"(array|map)\((.+)\)", parameter):
            inside = re.split(r",\s*(?![^()]*\))", match[2])
            if kind == UNKNOWN:
                return all(self.fit(part, UNKNOWN) for part in inside)
            return kind.name == match[1] and all(self.fit(part, of) for part, of in zip(inside, kind.of, strict=True))
        return coercible(kind, parse_type(parameter))

    def type_of(self, text: str) -> Type:
        """Return the type that a parameter or a result means here."""
        if text in _LETTERS:
            return self.letters.get(text, UNKNOWN)
        if text == "D38":
            return Type("decimal", size=(38, self.letters["D"].size[1]))
        if text == "D0":
            precision, scale = as_decimal(self.letters["D"]).size
            return Type("decimal", size=(min(38, precision - scale + min(1, scale)), 0))
        if match := re.fullmatch(r"(array|map)\((.+)\)", text):
            inside = re.split(r",\s*(?![^()]*\))", match[2])
            return Type(match[1], tuple(self.type_of(part) for part in inside))
        return parse_type(text)


def fill(template: str, arguments: Sequence[str], result: Type, extra: Mapping[str, str]) -> str:
    """Put arguments into a line's DuckDB expression."""
    special: dict[str, Callable[[], str]] = {
        "*": lambda: ", ".join(arguments),
        "||": lambda: "(" + " || ".join(arguments) + ")",
        "null": lambda: " OR ".join(f"{argument} IS NULL" for argument in arguments),
        "=": lambda: duckdb(result),
    }

    def place(match: re.Match[str]) -> str:
        key = match[1]
        if key.isdigit():
            return arguments[int(key)]
        return special[key]() if key in special else extra.get(key, "")

    return re.sub(r"\{(\d+|\*|\|\||null|=|order|nulls)\}", place, template)
