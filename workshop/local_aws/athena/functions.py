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

# Arguments that must be literals, because their text is translated.
LITERALS = {
    "unit": "A unit of time",
    "pattern": "A date pattern",
    "joda": "A date pattern",
    "path": "A JSON path",
    "replacement": "A replacement",
}
WINDOW_ONLY = frozenset({
    "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value",
    "last_value", "nth_value",
})  # fmt: skip
_LETTERS = frozenset("TUKVWNIDS")
_NESTED = re.compile(r"(array|map|row)\((.+)\)")


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
            parts = tuple(part for part in _split(parameters) if part)
            overloads[name].append(Function(name, parts, result, template))
    return Functions(overloads, frozenset(unsupported) - overloads.keys())


def _split(text: str) -> list[str]:
    """Split at commas outside parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


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
        if match := _NESTED.fullmatch(parameter):
            inside = _split(match[2])
            if kind == UNKNOWN:
                return all(self.fit(part, UNKNOWN) for part in inside)
            if kind.name != match[1] or len(kind.of) != len(inside):
                return False
            return all(self.fit(part, of) for part, of in zip(inside, kind.of, strict=True))
        if parameter == "zoned":
            self.letters["zoned"] = common(self.letters.get("zoned", kind), kind) or UNKNOWN
            return kind.name == "timestamp with time zone"
        if parameter == "moment":
            return kind.name in {"date", "timestamp", "timestamp with time zone", "unknown"}
        return coercible(kind, parse_type(parameter))

    def type_of(self, text: str) -> Type:
        """Return the type that a parameter or a result means here."""
        if text in _LETTERS or text == "zoned":
            return self.letters.get(text, UNKNOWN)
        if text == "D38":
            return Type("decimal", size=(38, self.letters["D"].size[1]))
        if text == "D0":
            precision, scale = as_decimal(self.letters["D"]).size
            return Type("decimal", size=(min(38, precision - scale + min(1, scale)), 0))
        if match := _NESTED.fullmatch(text):
            inside = tuple(self.type_of(part) for part in _split(match[2]))
            return Type(match[1], inside, ("",) * len(inside) if match[1] == "row" else ())
        return parse_type(text)


@dataclass(frozen=True, slots=True)
class Lambda:
    """A lambda in DuckDB's SQL: the names of its variables, which no other lambda has, and its body."""

    variables: tuple[str, ...]
    body: str

    def __str__(self) -> str:
        return f"lambda {', '.join(self.variables)}: {self.body}"

    def of(self, values: Sequence[str]) -> str:
        """Return the body with expressions in the variables' places."""
        body = self.body
        for variable, value in zip(self.variables, values, strict=True):
            body = body.replace(variable, value)
        return f"({body})"


def fill(template: str, arguments: Sequence[str | Lambda], result: Type, extra: Mapping[str, str]) -> str:
    """Put arguments into a line's DuckDB expression."""
    special: dict[str, Callable[[], str]] = {
        "*": lambda: ", ".join(map(str, arguments)),
        "||": lambda: "(" + " || ".join(map(str, arguments)) + ")",
        "null": lambda: " OR ".join(f"{argument} IS NULL" for argument in arguments),
        "=": lambda: duckdb(result),
        "scale": lambda: str(result.size[1]),
    }

    def place(match: re.Match[str]) -> str:
        key, _, values = match[1].partition(":")
        if key.isdigit():
            argument = arguments[int(key)]
            return argument.of(values.split(":")) if isinstance(argument, Lambda) and values else str(argument)
        return special[key]() if key in special else extra.get(key, "")

    named = template.replace("{~}", extra.get("~", ""))
    return re.sub(r"\{(\d+[^{}]*|\*|\|\||null|=|order|nulls|scale)\}", place, named)
