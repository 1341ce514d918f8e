"""Date patterns of MySQL, Joda and Java, in the words of strftime."""

import re

# https://trino.io/docs/current/functions/datetime.html#mysql-date-functions
_MYSQL = {
    "a": "%a", "b": "%b", "c": "%-m", "d": "%d", "e": "%-d", "f": "%f", "H": "%H", "h": "%I", "I": "%I", "i": "%M",
    "j": "%j", "k": "%-H", "l": "%-I", "M": "%B", "m": "%m", "p": "%p", "r": "%I:%M:%S %p", "S": "%S", "s": "%S",
    "T": "%H:%M:%S", "v": "%V", "W": "%A", "x": "%G", "Y": "%Y", "y": "%y", "%": "%%",
}  # fmt: skip

# https://www.joda.org/joda-time/apidocs/org/joda/time/format/DateTimeFormat.html
_JODA = {
    "yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "xxxx": "%G", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m",
    "dd": "%d", "d": "%-d", "DDD": "%j", "EEEE": "%A", "EEE": "%a", "E": "%a", "e": "%u", "ww": "%V",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "%g",
    "a": "%p",
}  # fmt: skip


class UnknownPattern(ValueError):
    """A letter of a date pattern that has no counterpart in strftime."""


def from_mysql(pattern: str) -> str:
    """Return the strftime format of a date_format or date_parse pattern."""

    def letter(match: re.Match[str]) -> str:
        if match[1] not in _MYSQL:
            raise UnknownPattern(f"%{match[1]}")
        return _MYSQL[match[1]]

    return re.sub(r"%(.)", letter, pattern)


_JODA_PART = r"'(?P<quoted>[^']*)'|(?P<letters>([A-Za-z])\3*)|."


def names_zone(part: str) -> bool:
    """Return whether a part of a Joda pattern stands for the time zone or its offset."""
    return re.fullmatch("z+|Z+", part) is not None


def split_zones(pattern: str) -> list[str]:
    """Split a Joda pattern so that what stands for the zone, which strftime knows nothing of, is by itself."""
    parts: list[str] = []
    for part in re.finditer(_JODA_PART, pattern):
        if names_zone(part[0]) or not parts or names_zone(parts[-1]):
            parts.append(part[0])
        else:
            parts[-1] += part[0]
    return parts


def from_joda(pattern: str) -> str:
    """Return the strftime format of a Joda or Java pattern; text between quotes stands for itself."""

    def part(match: re.Match[str]) -> str:
        if match["quoted"] is not None:
            return (match["quoted"] or "'").replace("%", "%%")
        if match["letters"]:
            if match["letters"] not in _JODA:
                raise UnknownPattern(match["letters"])
            return _JODA[match["letters"]]
        return "%%" if match[0] == "%" else match[0]

    return re.sub(_JODA_PART, part, pattern)
