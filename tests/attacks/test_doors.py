"""What comes from outside may be hostile: at every door it is taken, or refused with a reason, and nothing is lost.

The doors that need a server, such as SQL in the embedded Athena, are attacked where that server is tested.
"""

import base64
import json
import re
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.text import Text

from lambdas.core import messages
from lambdas.core.contract import Refused
from lambdas.core.deliveries import BadCall, Call, called_for
from lambdas.core.notification import delivery_completed
from lambdas.intake.transformation import transform
from lambdas.store_app.trading import BadRequest, Request
from tests.unit.stock_events import GOOD
from workshop import ask, cli, redrive, replay, screen
from workshop.console.security import foreign
from workshop.errors import WorkshopError

HOSTILE = [
    "' OR '1'='1",
    "'; DROP TABLE stock_events; --",
    '" UNION SELECT * FROM "x',
    "S1'/**/OR/**/1=1",
    "../../../../etc/passwd",
    "..\\..\\windows\\system32",
    "quarantine/../stock_events/x",
    "%2e%2e%2f",
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "{{7*7}}${7*7}#{7*7}",
    "$(touch /tmp/pwned)`id`",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "\x9b31m",
    "[bold red]not markup[/]",
    "[link=file:///etc/passwd]here[/link]",
    "line\r\nINFO forged log line",
    "line\u2028forged\u2029line\x85line",
    "\u202egnp.exe",
    "\u200b\u200d\ufeff",
    "ＤＲＯＰ ｔａｂｌｅ",
    "Ⅷ٣²",
    "e\u0301é",
    "\x00",
    "\ud800",
    "a" * 10_000,
    "--help",
    "-x",
    "@file",
    "=cmd|' /C calc'!A0",
    "null",
    "NaN",
    "1e999",
    "true",
    "",
    " ",
]
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=40)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 1e308, -0.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
DEEP = [
    opening * depth + closing * depth for depth in (50, 5_000, 100_000) for opening, closing in ("[]", ('{"a":', "}"))
]
DOORS = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Examples for each of the ten doors."""


def fits(reason: str) -> bool:
    """Say whether a reason can stand in a log or a terminal: short, one line, nothing that controls."""
    return 0 < len(reason) <= 400 and reason.isprintable()


def changed(template: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return documents that look right but for some of their fields."""
    return st.dictionaries(st.sampled_from([*template, *HOSTILE]), VALUES, max_size=3).map(lambda some: template | some)


def refusal(door: Callable[[], object], refuses: type[Exception]) -> str | None:
    """Knock at a door; return why it was refused, None if it was taken."""
    try:
        door()
    except refuses as refused:
        return str(refused)
    return None


def encoded(value: Any) -> str:
    return json.dumps(value)


@DOORS
@given(VALUES | changed({"hours": 1, "stores": 10, "products": 50, "first_store": 1}))
def test_a_payload_of_store_app_is_done_or_refused(payload: Any) -> None:
    reason = refusal(lambda: Request.parse(payload), BadRequest)
    assert reason is None or fits(reason)


LINES = st.one_of(
    changed(GOOD).map(encoded).map(str.encode),
    VALUES.map(encoded).map(str.encode),
    st.sampled_from(DEEP).map(str.encode),
    st.binary(max_size=60),
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@DOORS
@given(st.lists(LINES, max_size=6))
def test_a_document_is_passed_on_or_quarantined_whole(lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    record = {"recordId": "1", "approximateArrivalTimestamp": 0, "data": base64.b64encode(data).decode()}
    batch = transform([record])
    documents = [line.strip() for line in data.split(b"\n") if line.strip()]
    assert batch.good + len(batch.rows) == len(documents)
    for row in batch.rows:
        assert fits(row["reason"])
        kept = row["document"].encode() if row["document"] is not None else base64.b64decode(row["document_base64"])
        assert kept.strip() in documents
    if batch.good:
        assert len([json.loads(line) for line in base64.b64decode(batch.results[0]["data"]).splitlines()]) == batch.good


SIGHTINGS = st.fixed_dictionaries({"token": TEXTS, "events": st.lists(changed(GOOD) | VALUES, max_size=3)})
ARRIVAL = {
    "version": 1, "delivery_id": "A-S00001-P0001-1", "alert_id": "A-S00001-P0001-1", "store_id": "S00001",
    "product_id": "P0001", "units": 5, "depot": "Venlo", "truck": "VEN-1",
    "dispatched_at": "2026-01-05T07:15:00.000Z", "delivered_at": "2026-01-05T07:17:00.000Z",
}  # fmt: skip
ARRIVALS = st.builds(lambda detail: {"detail-type": "DeliveryCompleted", "detail": detail}, changed(ARRIVAL) | VALUES)


@DOORS
@given((SIGHTINGS | ARRIVALS | VALUES).map(encoded) | st.sampled_from(DEEP) | TEXTS)
def test_a_message_to_the_alert_function_is_read_or_refused(body: str) -> None:
    contents: list[object] = []
    reason = refusal(lambda: contents.append(messages.read(body)), Refused)
    faults = [fault for content in contents if isinstance(content, messages.Sightings) for fault in content.faults]
    assert all(fits(each) for each in ([reason] if reason else faults))


@DOORS
@given(VALUES | changed(ARRIVAL))
def test_an_arrival_is_read_or_refused(detail: Any) -> None:
    reason = refusal(lambda: delivery_completed(detail), Refused)
    assert reason is None or fits(reason)


CALL = {
    "version": 1, "alert_id": "A-S00001-P0001-1", "recommended_quantity": 20,
    "store": {"store_id": "S00001", "latitude": 51.4, "longitude": 6.7}, "product": {"product_id": "P0001"},
}  # fmt: skip
CALLS = st.fixed_dictionaries({"detail": changed(CALL) | VALUES})


@DOORS
@given((CALLS | VALUES).map(encoded) | st.sampled_from(DEEP) | TEXTS)
def test_a_call_for_a_truck_is_followed_or_refused(body: str) -> None:
    reason = refusal(lambda: Call.parse(called_for(body)), BadCall)
    assert reason is None or fits(reason)


EVENTS = st.fixed_dictionaries({"detail-type": TEXTS, "source": TEXTS, "detail": VALUES})


@DOORS
@given((VALUES | EVENTS).map(encoded) | st.sampled_from(DEEP) | TEXTS)
def test_a_dead_event_is_judged(body: str) -> None:
    fault = redrive.event_fault(body)
    assert fault is None or fits(fault)


ENVELOPE = {"rawData": "e30=", "errorCode": "x", "errorMessage": "y", "lastErrorCode": "x", "lastErrorMessage": "y"}
QUARANTINED = {"reason": "x", "document": "{}", "document_base64": None}
PREFIXES = st.sampled_from(
    ["quarantine/dt=2026-01-01/a", "quarantine/a.gz", "errors/processing-failed/a", "errors/format-conversion-failed/a"]
)
BODIES = (changed(ENVELOPE) | changed(QUARANTINED) | VALUES).map(encoded) | st.sampled_from(DEEP)


@DOORS
@given(PREFIXES | TEXTS, BODIES.map(str.encode) | st.binary())
def test_an_object_under_a_failures_prefix_is_read_or_left_where_it_is(key: str, body: bytes) -> None:
    reason = refusal(lambda: replay.read(key, body), replay.Unreadable)
    assert reason is None or fits(reason)


CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@DOORS
@given(TEXTS)
def test_a_text_on_the_terminal_is_itself_and_controls_nothing(text: str) -> None:
    shown = screen.printable(text)
    assert not CONTROLS.search(shown)
    assert Text.from_markup(f"[dim]{shown}[/]").plain == "".join(
        c if c.isprintable() or c == "\n" else "�" for c in text
    )


@DOORS
@given(TEXTS.filter(lambda text: text not in ask.named_queries()))
def test_no_hostile_text_is_the_name_of_a_query(name: str) -> None:
    assert refusal(lambda: ask.statement_of(name), WorkshopError)


PAGE_PORT = 8017
PAGE_HOST = f"127.0.0.1:{PAGE_PORT}"
NEARLY_OURS = st.tuples(TEXTS, st.sampled_from([PAGE_HOST, f"http://{PAGE_HOST}", "same-origin"]), TEXTS).map("".join)


@DOORS
@given(
    st.sampled_from([("host", PAGE_HOST), ("origin", f"http://{PAGE_HOST}"), ("sec-fetch-site", "same-origin")]),
    TEXTS | NEARLY_OURS,
)
def test_no_hostile_text_is_a_header_of_the_live_page(own: tuple[str, str], text: str) -> None:
    name, value = own
    sent = {"host": PAGE_HOST, name: text}
    refused = foreign("POST", "/api/runs", list(sent.items()), port=PAGE_PORT)
    assert (refused is None) == (text == value or (name, text) == ("sec-fetch-site", "none"))
    if refused:
        assert all(fits(said) for said in (str(refused), refused.document["error"]["next_step"]))


COMMANDS = st.sampled_from(["query", "trace", "alerts", "generate", "redrive", "replay", "status", "check", ""])
HARMLESS = TEXTS.filter(lambda text: text != "--help" and len(text) < 1_000)


@settings(DOORS, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(COMMANDS, st.lists(HARMLESS, min_size=1, max_size=3))
def test_words_on_the_command_line_end_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, words: list[str]
) -> None:
    monkeypatch.setenv("WORKSHOP_HOME", str(tmp_path / "nobody lives here"))
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        cli.main([command, *words])
    assert ended.value.code in (1, 2)
    assert "Traceback" not in out.getvalue() + err.getvalue()
    assert not CONTROLS.search(Text.from_ansi(err.getvalue()).plain)
