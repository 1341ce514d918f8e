import copy
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambdas.core import contract
from lambdas.core.contract import FIELDS, SCHEMA, Refused, UnsupportedKeyword
from tests.unit.stock_events import GOOD, MISFITS, damaged_events, event, good_events, line


def refusal(text: str) -> Refused:
    with pytest.raises(Refused) as refused:
        contract.read(text)
    return refused.value


# --- The reader against the jsonschema library -----------------------------------------------------------------------


def _library() -> jsonschema.Draft202012Validator:
    """The library as an oracle, with three corrections where Python is not JSON Schema, or we are stricter."""
    schema = copy.deepcopy(SCHEMA)
    for field in schema["properties"].values():
        if "pattern" in field:
            field["pattern"] = field["pattern"].replace("$", r"\Z")  # Python's $ also matches before a last newline
    formats = jsonschema.FormatChecker(formats=())

    @formats.checks("date-time", raises=ValueError)
    def is_moment(value: object) -> bool:
        numbers = [int(number) for number in re.findall(r"[0-9]+", value)] if isinstance(value, str) else []
        if len(numbers) == 7:
            year, month, day, hour, minute, second, _ = numbers
            datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return True

    types = jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int)
    validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, type_checker=types)  # type: ignore[no-untyped-call]
    return validator(schema, format_checker=formats)  # type: ignore[no-any-return]


LIBRARY = _library()


def is_good_to_the_library(document: Any) -> bool:
    if not LIBRARY.is_valid(document):
        return False
    try:
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
    except (UnicodeEncodeError, ValueError):
        return False
    store, product, _tick = document["event_id"].split("-")
    return bool((store, product) == (document["store_id"], document["product_id"]))


def is_good(document: Any) -> bool:
    try:
        contract.check(document)
    except Refused:
        return False
    return True


@settings(max_examples=15)
@given(good_events())
def test_good_events_are_accepted(document: dict[str, Any]) -> None:
    assert is_good_to_the_library(document)
    contract.check(document)


@settings(max_examples=150)
@given(damaged_events())
def test_the_reader_agrees_with_the_jsonschema_library(document: dict[str, Any]) -> None:
    assert is_good(document) == is_good_to_the_library(document)


@pytest.mark.parametrize("name", FIELDS)
def test_the_reader_agrees_on_every_misfit_in_every_field(name: str) -> None:
    for value in MISFITS:
        assert is_good(event(**{name: value})) == is_good_to_the_library(event(**{name: value})), (name, value)


# --- What is refused, why, and for which field -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ("", None, "The document is not one JSON value (character 0: Expecting value)."),
        ("[]", None, "The document is an array, not an object."),
        ("null", None, "The document is null, not an object."),
        ("7", None, "The document is 7, not an object."),
        ("{}", "event_id", "event_id is missing."),
        (line() + "x", None, f"The document is not one JSON value (character {len(line())}: Extra data)."),
        (line() + line(), None, f"The document is not one JSON value (character {len(line())}: Extra data)."),
        ("\ufeff" + line(), None, "The document is not one JSON value (character 0: Expecting value)."),
        (line(stock=float("nan")), None, "NaN is not a JSON value."),
        (line(latitude=float("-inf")), None, "-Infinity is not a JSON value."),
        (line(latitude=0).replace(": 0,", ": 1e999,", 1), "latitude", "latitude must be from -90 to 90, not inf."),
        (line(stock=True), "stock", "stock must be an integer, not true."),
        (line(stock=5.0), "stock", "stock must be an integer, not 5.0."),
        (line(stock="5"), "stock", "stock must be an integer, not '5'."),
        (line(stock=-1), "stock", "stock must be from 0 to 1000000, not -1."),
        (line(stock=10**25), "stock", "stock must be from 0 to 1000000, not an integer of more than 20 digits."),
        (line(units_sold=None), "units_sold", "units_sold must be an integer, not null."),
        (line(unit_price=False), "unit_price", "unit_price must be a number, not false."),
        (line(city=[]), "city", "city must be a string, not an array."),
        (line(city={}), "city", "city must be a string, not an object."),
        (line(city="x" * 1_000_000), "city", "city must have 1 to 120 characters, not 1000000."),
        (line(city="\ud800"), "city", "city holds half of a surrogate pair, which no encoding can store."),
        (line(country="BE\n"), "country", "country must match ^[A-Z]{2}$, which 'BE\\n' does not."),
        (line(received_at="now"), "received_at", "received_at is not a field of a stock event."),
        (line(**{"\ud800" * 99: 1}), "\\ud800" * 60, "\\ud800" * 60 + " is not a field of a stock event."),
        (line()[:-1] + ', "stock": 231}', "stock", "stock appears more than once."),
        (line(store_id="S00002"), "event_id", "event_id must be S00002-P0006-tick, not 'S00001-P0006-29'."),
        (line(stock=0).replace(": 0", ": " + "9" * 5_000), None, "The document holds a number with too many digits."),
        ("[" * 200_000, None, "The document is nested too deeply."),
        ('{"a":' * 200_000, None, "The document is nested too deeply."),
        (
            line(event_time="2026-02-30T00:00:00.000Z"),
            "event_time",
            "event_time must be a moment that the calendar has, not '2026-02-30T00:00:00.000Z'.",
        ),
        (
            line(event_time="2026-02-28T24:00:00.000Z"),
            "event_time",
            "event_time must be a moment that the calendar has, not '2026-02-28T24:00:00.000Z'.",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_a_stock_event_is_refused_with_a_sentence(text: str, field: str | None, reason: str) -> None:
    refused = refusal(text)
    assert (refused.field, refused.reason) == (field, reason)


@pytest.mark.parametrize("name", SCHEMA["required"])
def test_each_required_field_is_missed(name: str) -> None:
    document = event()
    del document[name]
    assert refusal(json.dumps(document)).field == name


@settings(max_examples=50)
@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
@example("1" * 5_000)
@example('{"a": {"b": 1, "b": 2}}')
def test_whatever_the_text_it_is_read_or_refused_and_the_reason_is_short_and_printable(text: str) -> None:
    refused = refusal(text)
    assert len(refused.reason) < 300
    assert refused.reason.encode()
    assert refused.reason.endswith(".")


def test_a_good_document_is_returned_as_it_is() -> None:
    assert contract.read(f" {line()}\r") == GOOD


def test_a_keyword_that_is_not_interpreted_is_not_passed_over() -> None:
    with pytest.raises(UnsupportedKeyword, match="multipleOf"):
        contract._rule({"type": "integer", "multipleOf": 2})
    with pytest.raises(UnsupportedKeyword, match="boolean"):
        contract._rule({"type": "boolean"})


def test_the_columns_come_from_the_schema() -> None:
    assert tuple(GOOD) == FIELDS
    assert contract.ADDED_FIELDS == ("received_at",)
    assert "document_base64" in contract.QUARANTINE_FIELDS


def test_a_timestamp_is_written_in_utc_with_milliseconds() -> None:
    cet = timezone(timedelta(hours=1))
    assert contract.timestamp(datetime(2026, 1, 5, 13, 0, 0, 123_999, tzinfo=cet)) == "2026-01-05T12:00:00.123Z"
