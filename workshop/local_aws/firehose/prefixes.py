"""Prefix expressions of S3 objects, as the Firehose developer guide's page "s3-prefixes" defines them."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime


class UnsupportedExpressionError(ValueError):
    """A prefix holds an expression that cannot be evaluated; the message names it."""


FROM_QUERY = "partitionKeyFromQuery:"
FROM_LAMBDA = "partitionKeyFromLambda:"
PARTITION_NAMESPACES = (FROM_QUERY, FROM_LAMBDA)

DEFAULT_TIME = "!{timestamp:yyyy/MM/dd/HH/}"

_EXPRESSION = re.compile(r"!\{([^:}]*):([^}]*)\}")
_PATTERN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# Java's DateTimeFormatter letters: (instant, how often the letter is repeated) -> text.
_LETTERS: dict[str, Callable[[datetime, int], str]] = {
    "y": lambda at, n: f"{at.year % 100:02d}" if n == 2 else f"{at.year:0{n}d}",
    "u": lambda at, n: f"{at.year % 100:02d}" if n == 2 else f"{at.year:0{n}d}",
    "M": lambda at, n: _name(_MONTHS[at.month - 1], n) if n > 2 else f"{at.month:0{n}d}",
    "d": lambda at, n: f"{at.day:0{n}d}",
    "D": lambda at, n: f"{at.timetuple().tm_yday:0{n}d}",
    "E": lambda at, n: _name(_DAYS[at.weekday()], max(n, 3)),
    "H": lambda at, n: f"{at.hour:0{n}d}",
    "h": lambda at, n: f"{at.hour % 12 or 12:0{n}d}",
    "m": lambda at, n: f"{at.minute:0{n}d}",
    "s": lambda at, n: f"{at.second:0{n}d}",
    "S": lambda at, n: f"{at.microsecond:06d}000"[:n],
    "a": lambda at, _: "AM" if at.hour < 12 else "PM",
}


def _name(name: str, repeated: int) -> str:
    return name[:3] if repeated == 3 else name


def format_time(pattern: str, at: datetime) -> str:
    """Format an instant with the common letters of Java's DateTimeFormatter; text in single quotes is literal."""

    def one(match: re.Match[str]) -> str:
        quoted, letter = match.group(1), match.group(2)
        if quoted is not None:
            return quoted.replace("''", "'") or "'"
        if letter is None:
            return match.group(0)
        if letter not in _LETTERS:
            raise UnsupportedExpressionError(
                f"The letter {letter} in !{{timestamp:{pattern}}} is not supported; use {''.join(sorted(_LETTERS))}"
            )
        return _LETTERS[letter](at, len(match.group(0)))

    return _PATTERN.sub(one, pattern)


def evaluate(
    prefix: str,
    at: datetime,
    random_string: Callable[[], str],
    error_output_type: str | None = None,
    *,
    keys: Mapping[str, str] | None = None,
) -> str:
    """Evaluate a prefix for an object whose oldest record arrived `at`; every random string is a new one.

    `error_output_type` is set for error prefixes alone; `keys` are the values of partition keys, by expression. Raises
    UnsupportedExpressionError.
    """

    def one(match: re.Match[str]) -> str:
        expression = f"{match.group(1)}:{match.group(2)}"
        if keys and expression in keys:
            return keys[expression]
        match match.group(1), match.group(2):
            case "timestamp", pattern:
                return format_time(pattern, at)
            case "firehose", "random-string":
                return random_string()
            case "firehose", "error-output-type" if error_output_type:
                return error_output_type
        raise UnsupportedExpressionError(f"{match.group(0)} cannot be evaluated in the prefix {prefix}")

    return _EXPRESSION.sub(one, prefix)


def expressions(prefix: str) -> list[str]:
    """Return the expressions of a prefix, such as `timestamp:yyyy`, in order."""
    return [f"{namespace}:{value}" for namespace, value in _EXPRESSION.findall(prefix)]


def partition_keys(prefix: str) -> tuple[str, ...]:
    """Return the expressions of a prefix that name partition keys, each once."""
    found = [each for each in expressions(prefix) if each.startswith(PARTITION_NAMESPACES)]
    return tuple(dict.fromkeys(found))


def delivery_prefix(prefix: str) -> str:
    """Add the default time to a prefix that names none, as the page's semantic rules say."""
    return prefix if "!{timestamp:" in prefix else prefix + DEFAULT_TIME


def error_prefix(prefix: str, error_output_prefix: str) -> str:
    """Return where failed records go; without an ErrorOutputPrefix that is below the Prefix, per type and time."""
    return error_output_prefix or f"{prefix}!{{firehose:error-output-type}}/{DEFAULT_TIME}"
