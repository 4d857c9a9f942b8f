"""The system's Chromium, as somebody sits before it. What must happen in no window is remembered, and fails a test."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, expect, sync_playwright

from tests.real import Service, need

# Nothing is resolved but this machine: a request to elsewhere would fail, and is seen by the window as well.
SWITCHES = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
_PATIENCE = 20_000  # milliseconds: a busy machine is no fault
expect.set_options(timeout=_PATIENCE)
NARROW, WIDE = 320, 1280
Scheme = Literal["light", "dark"]
ZONE, AHEAD = "Asia/Kolkata", timedelta(hours=5, minutes=30)  # where all windows are; it has no summer time
_AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
_RUN_AXE = """async () => {
  const found = await axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    resultTypes: ["violations"],
  });
  return found.violations.flatMap((each) => each.nodes.map((node) => `${each.id}: ${node.html.slice(0, 200)}`));
}"""


@dataclass
class Window:
    """A window on one service. `strange` is what happened in it and should not have: any request to another host, a
    dialog, an error of a script, a complaint of the browser (a breach of the pages' CSP is one), a window opened.
    """

    context: BrowserContext
    home: str
    page: Page = field(init=False)
    strange: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("request", self._note_request)
        self.context.on("console", self._note_words)
        self.context.on("dialog", self._note_dialog)
        self.context.on("weberror", lambda error: self.strange.append(f"error: {error.error}"))
        self.page = self.context.new_page()
        self.context.on("page", lambda page: self.strange.append(f"opened: {page.url}"))

    def open(self, path: str) -> Page:
        """Go to a page of the service."""
        self.page.goto(self.home + path)
        return self.page

    def forgive(self, text: str) -> None:
        """Forget a complaint that the test provoked: there must be one with this text."""
        assert any(text in each for each in self.strange), self.strange
        self.strange = [each for each in self.strange if text not in each]

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith(f"{self.home}/"):
            self.strange.append(f"asked elsewhere: {request.url}")

    def _note_words(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.strange.append(f"said: {message.text}")

    def _note_dialog(self, dialog: Dialog) -> None:
        self.strange.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    # ---- What a page must be like

    @property
    def overflow(self) -> int:
        """How many pixels the page is wider than its window."""
        width = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return int(width)

    def audit(self) -> list[str]:
        """What axe-core has to say against the page as it is shown. It is run through the browser's protocol, and the
        pages' own policy stays as strict as it is.
        """
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(_AXE)
        found: list[str] = self.page.evaluate(_RUN_AXE)
        return found


@dataclass
class Desk:
    """Where somebody opens windows on a service."""

    browser: Browser

    @contextmanager
    def window(self, service: Service | str, *, scripted: bool = True, **more: Any) -> Iterator[Window]:
        """A window without cookies, closed at the end of the block; nothing strange may have happened in it."""
        home = service if isinstance(service, str) else service.url
        context = self.browser.new_context(
            java_script_enabled=scripted, accept_downloads=True, timezone_id=ZONE, locale="en-GB", **more
        )
        context.set_default_timeout(_PATIENCE)
        try:
            window = Window(context, home)
            yield window
            assert window.strange == []
        finally:
            context.close()


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """The browser, started once for the tests of a file, and ended with them: Playwright keeps a loop of its own."""
    program = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(SWITCHES))
        yield Desk(browser)
        browser.close()


def path_of(page: Page) -> str:
    """The address of the page without its host."""
    parts = urlsplit(page.url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
