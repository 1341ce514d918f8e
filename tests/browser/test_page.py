"""What a learner does on the page and sees there, from the first run to a server that went and came back.

The tests stay in one file and so in one process: they share a workshop, and each leaves it fit for the next.
"""

import json
import re
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import PATIENCE, Console, address_file
from tests.conftest import eventually
from tests.e2e.conftest import Workshop
from tests.unit.stock_events import line
from workshop.local_aws.clients import client

# How long a whole way may take on a busy machine: Firehose's buffer, a queue, a truck.
ARRIVAL: Final = 60_000
HOSTILE: Final = "<img src=x onerror=window.pwned=1>"
HOPS: Final = ("Accepted", "Object", "Row", "Sighting", "Alert", "Truck", "Unloaded", "Shelf")
"""The hops of a low event at which a time is kept."""
FIRST_ROWS: Final = {"exclude": [["tbody tr:nth-child(n+13)"]]}
"""What axe looks at: a dozen rows stand for the others of their table, which are made in the same way."""

expect.set_options(timeout=PATIENCE)


def value(page: Page, hop: str) -> Locator:
    """The large number on a hop's card."""
    return page.locator(f'[data-hop="{hop}"] .hop-value .number')


def number(text: str | None) -> int:
    assert text is not None
    return int(text.replace(",", ""))


def known(shown: Locator) -> int:
    """Return a number once it has been read."""
    expect(shown).to_have_text(re.compile(r"^[\d,]+$"))
    return number(shown.text_content())


def ask_to_run(page: Page, *, hours: int, stores: int, products: int) -> None:
    for label, wanted in (("Hours", hours), ("Stores", stores), ("Products", products)):
        page.get_by_label(label, exact=True).fill(str(wanted))
    page.get_by_role("button", name="Run", exact=True).click()


def run(page: Page, *, hours: int, stores: int = 10, products: int = 50) -> int:
    """Have the stores trade, and return how many events the page says they sent."""
    before = known(value(page, "store_app"))
    ask_to_run(page, hours=hours, stores=stores, products=products)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    said = page.locator(".runner-answer")
    expect(said).to_contain_text("Done in", timeout=ARRIVAL)
    found = re.search(r"([\d,]+) events? of", said.inner_text())
    assert found
    expect(value(page, "store_app")).to_have_text(f"{before + number(found[1]):,}")
    return number(found[1])


def no_sideways_scroll(page: Page) -> None:
    assert page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth") <= 0


def any_shelf(console: Console) -> str:
    """Return the route of a shelf that was low once."""
    alerts = httpx.get(f"{console.url}/api/alerts?limit=1", trust_env=False, timeout=30).json()["alerts"]
    return f"stores/{alerts[0]['store_id']}/{alerts[0]['product_id']}"


def any_event(console: Console) -> str:
    events = httpx.get(f"{console.url}/api/recent?kind=low", trust_env=False, timeout=30).json()["events"]
    return f"trace/{events[0]['event_id']}"


def event_of_a_closed_episode(console: Console) -> str:
    """Return an event that the page lists, whose truck has come and whose shelf is full again."""
    with httpx.Client(base_url=console.url, trust_env=False, timeout=30) as client:
        episodes = client.get("/api/alerts?state=CLOSED&limit=1000").json()["alerts"]
        events = client.get("/api/recent?kind=low").json()["events"]
    over = {(each["store_id"], each["product_id"], each["opened_at"][:19]) for each in episodes if each["delivery"]}
    event_id: str = next(
        each["event_id"] for each in events if (each["store_id"], each["product_id"], each["event_time"][:19]) in over
    )
    return event_id


def ask_named(page: Page) -> None:
    page.get_by_role("link", name="stock_out_minutes").click()
    page.get_by_role("button", name="Run").click()


# What of each view has to be there before it is looked at as a whole.
VIEWS: dict[str, tuple[Callable[[Console], str], Callable[[Page], object], str]] = {
    "pipeline": (lambda _: "pipeline", lambda _: None, "[data-hop=shelves] .number"),
    "stores": (lambda _: "stores", lambda _: None, ".heat-picture"),
    "a shelf": (any_shelf, lambda _: None, ".chart canvas"),
    "alerts": (lambda _: "alerts", lambda page: page.get_by_role("button", name="All").click(), "table"),
    "trace": (any_event, lambda _: None, ".way-list"),
    "ask": (lambda _: "ask", ask_named, ".answer-figures"),
}


def opened(console: Console, name: str, **window: Any) -> Page:
    """Open a view with all that belongs to it."""
    route, prepare, whole = VIEWS[name]
    page = console.open(route(console), **window)
    prepare(page)
    expect(page.locator(whole).first).to_be_visible()
    return page


def test_a_run_goes_all_the_way_from_the_button_to_a_full_shelf(console: Console) -> None:
    page = console.open()
    before = known(value(page, "lake"))
    closed = page.locator('[data-hop="alerts"] dd').first
    closed_before = known(closed)
    sent = run(page, hours=9)
    expect(value(page, "lake")).to_have_text(f"{before + sent:,}", timeout=ARRIVAL)
    expect(page.get_by_text("events sent are in the lake")).to_be_visible()
    expect(value(page, "alerts")).not_to_have_text("0", timeout=ARRIVAL)

    page.get_by_role("link", name="Alerts", exact=True).click()
    episodes = page.get_by_role("region", name="Episodes")
    arrived = episodes.get_by_role("row").filter(has_text="delivered").first
    expect(arrived).to_be_visible(timeout=ARRIVAL)
    shelf = arrived.get_by_role("link")
    name, way = shelf.inner_text(), shelf.get_attribute("href")
    assert name
    assert way

    # The truck has unloaded; the store puts it on the shelf when it next trades.
    page.get_by_role("link", name="Pipeline", exact=True).click()
    run(page, hours=1)
    expect(closed).not_to_have_text(f"{closed_before:,}", timeout=ARRIVAL)
    page.get_by_role("link", name="Alerts", exact=True).click()
    page.get_by_role("button", name="Closed").click()
    expect(episodes.locator(f'tbody a[href="{way}"]').first).to_have_text(name, timeout=ARRIVAL)


def test_an_event_is_followed_hop_by_hop(console: Console) -> None:
    page = console.open("trace")
    page.get_by_role("button", name="Low", exact=True).click()
    expect(page.get_by_role("button", name="Low", exact=True)).to_have_attribute("aria-pressed", "true")
    event_id = event_of_a_closed_episode(console)
    page.get_by_role("region", name="Events in the lake").get_by_role("link", name=event_id, exact=True).click()
    expect(page).to_have_url(re.compile(f"#/trace/{event_id}$"))
    way = page.get_by_role("region", name=event_id)
    expect(way).to_contain_text("Every hop that is due was seen.")
    hops = way.locator(".way-list h3").all_inner_texts()
    # In the order of their times: the sighting leaves before the object is written, or after.
    assert sorted(hops) == sorted(["Produced", "Closed", *HOPS])
    clock = re.compile(r"^\d\d:\d\d:\d\d$")
    for hop in HOPS:
        passed = way.get_by_role("listitem").filter(has=page.get_by_role("heading", name=hop, exact=True))
        expect(passed.locator(".passed-when strong")).to_have_text(clock)

    console.refusals.add("/api/traces/S00001-P0001-999999")
    page.get_by_label("Event id").fill("s00001-p0001-999999")
    page.get_by_role("button", name="Trace").click()
    expect(page.get_by_role("alert")).to_be_visible()


def test_questions_are_answered_and_a_wrong_one_is_shown_where_it_is_wrong(console: Console) -> None:
    page = console.open("ask")
    page.get_by_role("link", name="sales_by_category_and_hour").click()
    statement = page.get_by_label("SQL statement")
    expect(statement).to_have_value(re.compile("What does each category sell"))
    page.get_by_role("button", name="Run").click()
    figures = page.locator(".answer-figures dd")
    expect(figures.first).to_have_text(re.compile(r"^[1-9]"))
    expect(figures.nth(3)).to_have_text(re.compile(r"^\$0\.0000"))
    expect(page.get_by_role("region", name="The answer as a table").get_by_role("row").nth(1)).to_be_visible()

    statement.fill("SELECT category, count(DISTINCT product_id) AS products\nFROM unique_events GROUP BY category")
    statement.press("Control+Enter")
    expect(page.get_by_role("columnheader", name="products")).to_be_visible()
    expect(page.locator(".bars-row").first).to_be_visible()
    page.reload()
    expect(statement).to_have_value(re.compile(r"count\(DISTINCT"))

    console.refusals.add("/api/queries")
    statement.fill("SELECT category,\n       colour\nFROM unique_events")
    statement.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("colour")
    expect(page.locator(".sql-wrong")).to_have_text("colour")
    expect(statement).to_have_attribute("aria-invalid", "true")
    expect(statement).to_be_focused()
    place = statement.evaluate("area => [area.selectionStart, area.selectionEnd]")
    assert place == [len("SELECT category,\n       ")] * 2
    statement.press("End")
    statement.press("a")
    expect(page.locator(".sql-wrong")).to_have_count(0)


def test_what_was_refused_and_what_nobody_could_handle_is_red_and_can_be_read(
    console: Console, workshop: Workshop
) -> None:
    page = console.open()
    firehose, sightings = page.locator("[data-hop=firehose]"), page.locator("[data-hop=sightings]")
    expect(value(page, "firehose")).to_be_visible()
    expect(firehose.get_by_role("button")).to_have_count(0)

    resources, endpoint = workshop.json("status")["resources"], workshop.address()["endpoint"]
    client("firehose", endpoint).put_record(
        DeliveryStreamName=resources["delivery_stream"], Record={"Data": f"{line(stock=-7)}\n".encode()}
    )
    refused = firehose.get_by_role("button", name="1 refused object")
    expect(refused).to_be_visible(timeout=ARRIVAL)
    expect(firehose).to_have_class(re.compile(r"\balarmed\b"))
    bad = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--bad')").strip()
    red = tuple(int(bad[at : at + 2], 16) for at in (1, 3, 5))
    expect(refused).to_have_css("color", "rgb({}, {}, {})".format(*red))
    refused.click()
    dialog = page.get_by_role("dialog", name="Refused documents")
    expect(dialog.locator(".letter")).to_have_count(1)
    expect(dialog.locator(".letter")).to_contain_text("field stock")
    expect(dialog.locator("pre")).to_contain_text('"stock": -7')
    expect(dialog).to_contain_text("python3 -m workshop replay --quarantine --dry-run")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)

    client("sqs", endpoint).send_message(
        QueueUrl=resources["sightings_dead_letters"], MessageBody=f"{HOSTILE} is no sighting"
    )
    letter = sightings.get_by_role("button", name="1 dead letter")
    expect(letter).to_be_visible(timeout=ARRIVAL)
    letter.click()
    dialog = page.get_by_role("dialog", name="Dead letters: sightings")
    expect(dialog.locator("pre")).to_have_text(f"{HOSTILE} is no sighting")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)


def test_a_run_is_stopped_and_a_second_one_refused(console: Console) -> None:
    page = console.open()
    # A page that has not heard of the run: what it is told at its opening is the last it hears.
    late = console.window()
    snapshot = first_snapshot(console)
    late.route("**/api/events", lambda route: route.fulfill(**events(snapshot)))
    late.goto(console.url)
    expect(late.get_by_role("button", name="Run", exact=True)).to_be_enabled()

    expect(value(page, "store_app")).not_to_have_text("–")
    ask_to_run(page, hours=720, stores=10, products=3)
    expect(page.get_by_role("progressbar")).to_be_visible()
    console.refusals.add("/api/runs")
    late.get_by_role("button", name="Run", exact=True).click()
    expect(late.locator(".fault")).to_contain_text("StoreApp is trading already.")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("The run was stopped.")
    assert first_snapshot(console)["run"]["state"] == "stopped"
    assert 0 < first_snapshot(console)["run"]["progress"] < 1


def test_the_stores_are_told_in_words_and_reached_by_keyboard(console: Console) -> None:
    page = console.open("stores")
    expect(page.get_by_role("img", name=re.compile(r"^Map of 10 stores in \d+ countries; \d+ of them"))).to_be_visible()
    page.get_by_text("The map by country").click()
    countries = page.get_by_role("region", name="The map by country")
    assert sum(map(int, countries.locator("tbody td:nth-child(2)").all_inner_texts())) == 10

    heat = page.get_by_role("application")
    expect(heat).to_have_attribute("aria-label", re.compile(r"^Heat map of 500 shelves: 10 stores across, 50 products"))
    heat.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        heat.press(key)
    said = page.locator(".heat [role=status]")
    expect(said).to_have_text(re.compile(r"^.+, .+: .+, (sold out|low|.+), \d+ of \d+\.$"))
    product = page.locator(".cell-detail p").nth(1).inner_text()
    heat.press("Enter")
    expect(page).to_have_url(re.compile(r"#/stores/S00002/P\d{4}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(product)
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("group", name=re.compile(f"^Stock of {re.escape(product)} over time"))).to_be_visible()
    table = page.get_by_text("The chart as a table")
    table.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Events of the shelf").get_by_role("row").nth(1)).to_be_visible()

    page.get_by_role("link", name="All stores").click()
    search = page.get_by_role("combobox")
    search.fill("S00003")
    search.press("Enter")
    expect(page.locator("#store-title")).to_be_focused()
    expect(page.locator(".side .note")).to_contain_text("S00003")


def test_by_keyboard_alone(console: Console) -> None:
    page = console.open()
    events_before = known(value(page, "store_app"))
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    assert urlsplit(page.url).fragment == "/"

    def tab_to(found: Locator, *, most: int = 20) -> None:
        for _ in range(most):
            page.keyboard.press("Tab")
            if found.evaluate("element => element === document.activeElement"):
                assert found.evaluate("element => getComputedStyle(element).outlineStyle") != "none", "no ring is seen"
                return
        pytest.fail(f"{most} tabs do not reach {found}")

    tab_to(page.get_by_label("Hours"))
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(re.compile("The run is done: [1-9]"))
    expect(value(page, "store_app")).not_to_have_text(f"{events_before:,}")
    page.reload()
    for name in ("Stores", "Alerts", "Trace", "Ask"):
        link = page.get_by_role("navigation", name="Views").get_by_role("link", name=name, exact=True)
        page.evaluate("document.activeElement.blur()")
        page.locator(".skip").focus()
        tab_to(link)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text(name)
        expect(page.locator("main")).to_be_focused()
        expect(link).to_have_attribute("aria-current", "page")


@pytest.mark.parametrize("name", VIEWS)
def test_axe_finds_nothing_serious_in_light_and_dark(console: Console, name: str) -> None:
    page = opened(console, name)
    for theme in ("light", "dark"):
        if theme == "dark":
            page.get_by_role("button", name="Dark theme").click()
            expect(page.get_by_role("button", name="Light theme")).to_be_visible()
        assert page.evaluate("document.documentElement.dataset.theme") == theme
        # What fades from one theme to the other would be judged half way.
        page.evaluate("document.getAnimations().forEach((each) => each instanceof CSSTransition && each.finish())")
        violations = Axe().run(page, context=FIRST_ROWS).response["violations"]
        grave = [each for each in violations if each["impact"] in {"serious", "critical"}]
        assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in grave] == [], theme


@pytest.mark.parametrize("name", VIEWS)
def test_on_a_phone_nothing_scrolls_sideways(console: Console, name: str) -> None:
    page = opened(console, name, width=360, height=740)
    no_sideways_scroll(page)


def first_snapshot(console: Console) -> dict[str, Any]:
    """Return what the page's server tells now."""
    with httpx.stream("GET", f"{console.url}/api/events", trust_env=False, timeout=30) as answer:
        for text in answer.iter_lines():
            if text.startswith("data: ") and (found := json.loads(text.removeprefix("data: ")))["versions"]["world"]:
                snapshot: dict[str, Any] = found
                return snapshot
    pytest.fail("the server told nothing")


def events(*snapshots: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of server-sent events that ends, and is not asked for again while a test lasts."""
    told = "".join(f"event: snapshot\ndata: {json.dumps(snapshot)}\n\n" for snapshot in snapshots)
    return {"content_type": "text/event-stream", "body": f"retry: 600000\n\n{told}"}


def with_hostile_text(document: Any) -> Any:
    """Replace every text that people or other systems have written. Ids, states and times are the server's own."""
    own = {"id", "state", "status", "at", "sql", "country", "type"}
    match document:
        case dict():
            return {
                name: each
                if name in own or name.endswith(("_id", "_at", "_time", "ended", "begun"))
                else HOSTILE
                if isinstance(each, str) and not re.match(r"\d{4}-\d\d-\d\dT", each)
                else with_hostile_text(each)
                for name, each in document.items()
            }
        case list():
            return [with_hostile_text(each) for each in document]
        case _:
            return document


@pytest.mark.parametrize("name", VIEWS)
def test_hostile_text_stays_text(console: Console, name: str) -> None:
    route, prepare, _ = VIEWS[name]
    told = first_snapshot(console)
    hostile = {
        **told,
        "target": {**told["target"], "region": HOSTILE},
        "problem": {"message": HOSTILE, "next_step": HOSTILE, "since": told["at"]},
        "run": {
            **told["run"],
            "state": "failed",
            "summary": None,
            "problem": {"message": HOSTILE, "next_step": HOSTILE},
        },
    }

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/api/events":
            route.fulfill(**events(hostile))
        elif path == "/api/stock":
            route.continue_()
        elif path == "/api/queries" and route.request.method == "POST":
            document = {"columns": [HOSTILE, "units"], "types": ["varchar", "bigint"], "rows": [[HOSTILE, 3], ["b", 4]]}
            figures = {"truncated": False, "data_scanned_bytes": 1, "milliseconds": 1, "price_usd": 0.00005}
            route.fulfill(json={**document, **figures})
        else:
            response = route.fetch()
            assert response.ok, path
            route.fulfill(response=response, json=with_hostile_text(response.json()))

    page = console.window()
    way = route(console)
    page.route("**/api/**", answer)
    page.goto(f"{console.url}/#/{way}")
    expect(page.locator(".banner.bad")).to_contain_text(HOSTILE)
    if name == "ask":
        page.locator(".named a").first.click()
        page.get_by_role("button", name="Run").click()
        expect(page.locator(".answer-figures")).to_be_visible()
    else:
        prepare(page)
    expect(page.locator("main")).to_contain_text(HOSTILE)
    assert page.locator("main img, main script, main iframe").count() == 0
    assert page.evaluate("window.pwned") is None
    page.unroute_all(behavior="ignoreErrors")


def test_the_embedded_aws_goes_and_comes_back_at_another_port(console: Console, workshop: Workshop) -> None:
    page = console.open()
    shown = known(value(page, "lake"))
    page.evaluate("window.notReloaded = true")
    before = urlsplit(workshop.address()["endpoint"])
    assert before.port
    server = psutil.Process(workshop.address()["pid"])
    server.send_signal(signal.SIGTERM)
    server.wait(timeout=60)
    problem = page.locator(".banner.bad")
    expect(problem).to_contain_text("The embedded AWS does not run.")
    expect(problem).to_contain_text("python3 -m workshop up")
    expect(value(page, "lake")).to_have_text(f"{shown:,}")

    with socket.socket() as taken:  # so that it comes back at another one
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", before.port))
        taken.listen()
        workshop.run("up")
    assert urlsplit(workshop.address()["endpoint"]).port != before.port
    expect(problem).to_have_count(0)
    run(page, hours=1)
    assert page.evaluate("window.notReloaded") is True


def test_the_pages_server_goes_and_comes_back(console: Console, workshop: Workshop) -> None:
    page = console.open()
    shown = known(value(page, "lake"))
    page.evaluate("window.notReloaded = true")
    console.refusals.add("/api/events")
    server = psutil.Process(json.loads(address_file(workshop).read_text())["pid"])
    server.send_signal(signal.SIGTERM)
    banner = page.get_by_text("The page's server is out of reach.", exact=True)
    expect(banner).to_be_visible()
    expect(page.get_by_text("Reconnecting", exact=True)).to_be_visible()
    expect(value(page, "lake")).to_have_text(f"{shown:,}")
    eventually(lambda: not address_file(workshop).exists(), within=10)

    with ExitStack() as ends:
        again = workshop.start("console", "--json", "--no-browser")
        ends.callback(again.communicate, timeout=30)
        ends.callback(again.terminate)
        expect(banner).to_have_count(0)
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        expect(page.get_by_role("status")).to_have_text("Connected again.")
        # It is alive, not only painted: a new run is seen.
        run(page, hours=1)
        assert page.evaluate("window.notReloaded") is True
