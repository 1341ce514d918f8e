"""Take the pictures of the live page that the pages of docs show.

Run `python -m benchmarks.screenshots`: it brings up a workshop in a home of its own, has the stores trade, and writes
docs/screenshots/*.png, each view once, in light or dark. It needs a Chromium: /usr/bin/chromium, or WORKSHOP_BROWSER.
"""

import os
import re
import shutil
import sys

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from benchmarks._workshop import workshop
from tests.browser.conftest import CHROMIUM, NONE_FOUND
from workshop.places import ROOT

FOLDER = ROOT / "docs" / "screenshots"
MOST_BYTES = 200_000
WIDTH = 1280
ARRIVAL = 120_000
"""Milliseconds within which what a picture waits for has come, on a busy machine."""


def main() -> None:
    """Take every picture, and say how large it is; fail when one is too large to stand in a page."""
    path = os.environ.get("WORKSHOP_BROWSER") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        sys.exit(NONE_FOUND)
    os.environ["WORKSHOP_CONSOLE"] = "yes"
    expect.set_options(timeout=ARRIVAL)
    FOLDER.mkdir(exist_ok=True)
    with workshop() as run, sync_playwright() as playwright:
        url = run("up")["console"]
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        take(browser, url)
        browser.close()


def take(browser: Browser, url: str) -> None:
    """Take the pictures, in the order in which there is something to see."""
    # Of the day that `up` let trade all is over: every truck has come.
    page = window(browser, height=900, theme="dark")
    page.goto(f"{url}/#/trace")
    page.get_by_role("button", name="Low", exact=True).click()
    page.get_by_role("region", name="Events in the lake").get_by_role("row").last.get_by_role("link").click()
    expect(page.get_by_text("Every hop that is due was seen.")).to_be_visible()
    page.evaluate("scrollTo(0, 0)")
    keep(page, "trace")

    page = window(browser, height=830)
    page.goto(f"{url}/#/alerts")
    page.get_by_role("button", name="Closed").click()
    page.get_by_role("row").nth(1).get_by_role("link").click()
    expect(page.get_by_role("group", name=re.compile("^Stock of"))).to_be_visible()
    keep(page, "shelf")

    page = window(browser, height=1000, theme="dark")
    page.goto(f"{url}/#/ask/sales_by_category_and_hour")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("region", name="The answer as a table")).to_be_visible()
    keep(page, "ask")

    page = window(browser, height=780, theme="dark")
    page.goto(url)
    expect(page.get_by_text("events sent are in the lake")).to_be_visible()
    trade(page, hours=24, stores=30)
    expect(figure(page, "trucks")).to_have_text(re.compile("^[1-9]"))
    # Trucks are on the road; the stores go on.
    trade(page, hours=10, stores=30)
    phone = window(browser, width=390, height=844)
    phone.goto(url)
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(figure(page, "firehose")).to_have_text(re.compile("^[1-9]"))
    keep(page, "pipeline")
    expect(phone.locator(".spark-line").first).to_be_visible()
    keep(phone, "phone")

    page = window(browser, height=1410)
    page.goto(f"{url}/#/stores")
    expect(page.get_by_text(re.compile(r"· [1-9]\d* trucks? on the road"))).to_be_visible()
    page.locator(".heat-picture").hover(position={"x": 340, "y": 100})
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator(".cell-detail")).to_be_visible()
    keep(page, "stores")

    page = window(browser, height=860)
    page.goto(f"{url}/#/alerts")
    expect(page.get_by_role("row").filter(has_text="delivered").first).to_be_visible()
    expect(page.locator(".truck").first).to_be_visible()
    keep(page, "alerts")

    # No truck is on the road when the workshop is removed.
    page.goto(url)
    expect(figure(page, "trucks")).to_have_text("0")


def figure(page: Page, hop: str) -> Locator:
    """The large number of a hop."""
    return page.locator(f'[data-hop="{hop}"] .hop-value .number')


def window(browser: Browser, *, width: int = WIDTH, height: int, theme: str = "light") -> Page:
    """Return a window of a size and theme, with nothing in it."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
    )
    context.set_default_timeout(ARRIVAL)
    return context.new_page()


def trade(page: Page, *, hours: int, stores: int) -> None:
    """Have the stores trade, from the page's own form."""
    page.get_by_label("Hours", exact=True).fill(str(hours))
    page.get_by_label("Stores", exact=True).fill(str(stores))
    page.get_by_role("button", name="Run", exact=True).click()


def keep(page: Page, name: str) -> None:
    """Write what a window shows."""
    file = FOLDER / f"{name}.png"
    page.screenshot(path=file)
    with Image.open(file) as picture:  # 256 colours are plenty for it, and a third of the bytes
        picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            file, optimize=True
        )
    size = file.stat().st_size
    print(f"{file.relative_to(ROOT)}  {size / 1000:.0f} kB")
    if size > MOST_BYTES:
        sys.exit(f"{name} is larger than {MOST_BYTES / 1000:.0f} kB: make the window smaller.")


if __name__ == "__main__":
    main()
