"""The page in a real browser against a real pipeline: one Chromium and one workshop for the whole folder."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.e2e.conftest import Workshop

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
NONE_FOUND = (
    "There is no Chromium for the page's tests: `apt-get install chromium`, or say where one is in WORKSHOP_BROWSER."
)
PATIENCE = 30_000
"""Milliseconds within which the page shows what it is about to show, on a busy machine."""

# A policy's violation is an event of the document that broke it, and also a line in the console.
_TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI, sourceFile, lineNumber}) =>
  console.error(`refused by ${violatedDirective}: ${blockedURI} (${sourceFile}:${lineNumber})`));
"""


def browser_path() -> str:
    """Return where the browser is; skip where there is none, and fail where it is not as WORKSHOP_BROWSER says."""
    if named := os.environ.get("WORKSHOP_BROWSER"):
        if not (found := shutil.which(named)):
            pytest.fail(f"WORKSHOP_BROWSER names {named!r}, which is no program.")
        return found
    for name in CHROMIUM:
        if found := shutil.which(name):
            return found
    pytest.skip(NONE_FOUND)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser that ends with the module: while Playwright runs, nothing else in this thread may run an event loop."""
    path = browser_path()
    with sync_playwright() as playwright:
        # As root, as in a container, Chromium has no sandbox; what it opens here is our own page alone.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def workshop(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A workshop that is up, with its page. No browser, no workshop: `browser` skips before it is made."""
    workshop = Workshop(tmp_path_factory.mktemp("a workshop with a page"), {"WORKSHOP_CONSOLE": "yes"})
    try:
        workshop.run("up")
        yield workshop
    finally:
        workshop.run("down")
        shutil.rmtree(workshop.home, ignore_errors=True)


@dataclass
class Console:
    """The page as one test sees it: opened in windows of its own, with every fault of theirs kept."""

    browser: Browser
    url: str
    faults: list[str] = field(default_factory=list)
    refusals: set[str] = field(default_factory=set)
    """Patterns of paths whose requests may fail in this test, which the browser tells in its console."""

    def window(self, *, width: int = 1280, height: int = 900, theme: str = "light") -> Page:
        """Return a window in which nothing is open yet."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if theme == "dark" else "light",
            service_workers="block",
        )
        context.set_default_timeout(PATIENCE)
        context.add_init_script(_TELL_VIOLATIONS)
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self._heard)
        page.on("requestfinished", lambda request: self._asked(request.url))
        return page

    def open(self, route: str = "", *, width: int = 1280, height: int = 900, theme: str = "light") -> Page:
        """Open a view in a window of its own."""
        page = self.window(width=width, height=height, theme=theme)
        page.goto(f"{self.url}/#/{route}")
        return page

    def close(self) -> None:
        """Close every window."""
        for context in self.browser.contexts:
            context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        where = urlsplit(str(message.location.get("url", ""))).path
        refused = message.text.startswith("Failed to load resource")
        if not (refused and any(re.fullmatch(pattern, where) for pattern in self.refusals)):
            self.faults.append(f"{message.type}: {message.text} ({where})")

    def _asked(self, url: str) -> None:
        if not url.startswith((self.url, "data:")):
            self.faults.append(f"asked elsewhere: {url}")


def address_file(workshop: Workshop) -> Path:
    return workshop.home / "console" / "address.json"


@pytest.fixture
def console(browser: Browser, workshop: Workshop) -> Iterator[Console]:
    """The page. A test fails when a window breaks the policy, throws, or has an error in its console."""
    console = Console(browser, json.loads(address_file(workshop).read_text())["endpoint"])
    try:
        yield console
    finally:
        console.close()
    assert console.faults == []
