"""The demo's story in a real browser, told by the real registry: wire it, see it, find what was, go back, prove it."""

import csv
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Locator, expect

from tests.browser import AHEAD, Desk, Window, desk  # noqa: F401 - a fixture
from tests.real import TOKEN, Layout, Registry, Service, eventually
from tests.story import APP, USERS, Digests, tell_story

CLIPBOARD = ["clipboard-read", "clipboard-write"]


@dataclass
class World:
    """A registry and tagtrail side by side, after the story; `then` is when prod was 1.1.0, in whole seconds."""

    service: Service
    registry: Registry
    digests: Digests
    then: datetime


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("world")
    settings = {"registries": [{"name": "main", "authentication": "htpasswd", "tokens": [{"value": TOKEN}]}]}
    service = Service(directory / "tagtrail", settings)
    registry = Registry(directory / "registry", events_url=f"{service.url}/events", users=USERS)
    forward = 0

    def note(step: str) -> None:
        """Pickers know whole seconds: one begins between the step forward and the step back."""
        nonlocal forward
        if "pushes 1.1.0 again" in step:
            forward = int(time.time()) + 1
        if "rolls prod back" in step:
            eventually(lambda: time.time() >= forward, "a second began")

    try:
        service.start()
        registry.start()
        digests = tell_story(registry, directory / "images", say=note)
        yield World(service, registry, digests, datetime.fromtimestamp(forward, UTC))
    finally:
        registry.process.stop()
        service.process.stop()


@pytest.fixture
def window(desk: Desk, world: World) -> Iterator[Window]:  # noqa: F811
    with desk.window(world.service, permissions=CLIPBOARD) as window:
        yield window


def copied_by(button: Locator, *, key: str | None = None) -> str:
    """What the button copies, pressed with the mouse or with a key. The clipboard is one for all windows."""
    page = button.page
    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    button.press(key) if key else button.click()
    eventually(lambda: page.evaluate("navigator.clipboard.readText()") != "nothing yet", "something is copied")
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


@pytest.mark.parametrize("key", [None, "Enter"], ids=["mouse", "keyboard"])
def test_a_first_start_from_the_block_to_the_green_lamp(key: str | None, desk: Desk, tmp_path: Path) -> None:  # noqa: F811
    """The block is copied from the page into a real registry's configuration; the first push turns the page green."""
    service = Service(tmp_path / "tagtrail")
    service.start()
    registry = None
    try:
        with desk.window(service, permissions=CLIPBOARD) as window:
            page = window.open("/")
            expect(page.get_by_role("heading", level=1)).to_have_text("Connect your registry")
            expect(page.get_by_role("status").filter(has_text="Waiting for the first event.")).to_be_visible()
            page.evaluate("window.wasNotLoadedAgain = true")
            button = page.get_by_role("button", name=re.compile("^Copy command"))
            block = copied_by(button, key=key)
            assert block.strip() == page.locator("pre.command").inner_text().strip()
            registry = Registry(tmp_path / "registry", events_url=f"{service.url}/events", block=block)
            registry.start()
            layout = Layout(tmp_path / "layout")
            layout.image("one", "one")
            registry.push(layout.directory, "one", "team/app:1.0.0")
            expect(page.locator(".check.good .lamp.good")).to_be_visible(timeout=60_000)
            expect(page.get_by_role("heading", name="Published now")).to_be_visible()
            assert page.evaluate("window.wasNotLoadedAgain")
            moved = page.get_by_role("region", name="Newest moves").inner_text()
            assert (moved.count("team/app"), moved.count("1.0.0 created")) == (1, 1)
    finally:
        if registry is not None:
            registry.process.stop()
        service.process.stop()


def test_a_first_start_needs_no_script(desk: Desk, tmp_path: Path) -> None:  # noqa: F811
    """The page is then loaded again every few seconds; the block can be marked and copied."""
    service = Service(tmp_path / "tagtrail")
    service.start()
    try:
        with desk.window(service, scripted=False) as window:
            page = window.open("/")
            assert "notifications:" in page.locator("pre.command").inner_text()
            assert page.locator("noscript meta[http-equiv=refresh], meta[http-equiv=refresh]").count() == 1
    finally:
        service.process.stop()


@pytest.mark.parametrize("scripted", [True, False])
def test_what_prod_was_at_a_time_is_found(scripted: bool, desk: Desk, world: World) -> None:  # noqa: F811
    """The picker is in the reader's zone where a script can say so, and in UTC where none can."""
    with desk.window(world.service, scripted=scripted) as window:
        page = window.open("/")
        page.locator(".board").get_by_role("link", name=APP, exact=True).click()
        page.locator("main").get_by_role("link", name="prod", exact=True).first.click()
        assert page.url == f"{window.home}/registries/main/{APP}:prod"
        picked = world.then + AHEAD if scripted else world.then
        assert ("UTC+05:30" if scripted else "(UTC)") in page.locator("form.at label").inner_text()
        page.locator("form.at").get_by_label(re.compile("^Time")).fill(picked.strftime("%Y-%m-%dT%H:%M:%S"))
        page.locator("form.at").get_by_role("button").click()
        said = page.locator("main").get_by_role("status").inner_text()
        assert "1.1.0" in said
        assert world.digests.second in page.locator("main").get_by_role("status").inner_html()
        assert "alice" in said


@pytest.mark.parametrize("path", ["/", f"/registries/main/{APP}:prod", "the newest deployment"])
def test_the_command_to_go_back_is_the_one_of_the_command_line(path: str, world: World, window: Window) -> None:
    page = window.open("/deployments" if "deployment" in path else path)
    if "deployment" in path:
        page.get_by_label("Repository", exact=True).fill(APP)
        page.get_by_role("button", name="Show").click()
        page.locator("tbody tr a").first.click()
    for summary in page.locator("main summary").filter(has_text=re.compile("^(One step back|How$)")).all():
        summary.click()
    expect(page.locator("main pre.command").filter(has_text="skopeo").first).to_be_visible()
    printed = world.service.cli("rollback", f"{APP}@production")
    commands = page.locator("main pre.command").filter(has_text=world.digests.second)
    copied = copied_by(commands.filter(has_text="skopeo").first.get_by_role("button"))
    assert world.digests.second in copied
    assert [line for line in copied.splitlines() if line not in printed] == []


def test_a_digest_is_copied_where_the_browser_keeps_its_clipboard_to_itself(world: World, window: Window) -> None:
    """As over plain HTTP from another machine; it is pasted as a person would."""
    window.context.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page = window.open(f"/digests/{world.digests.first}")
    page.get_by_role("button", name="Copy digest").first.click()
    expect(page.get_by_role("button", name="Copy digest").first).to_be_focused()
    page.get_by_role("searchbox").focus()
    page.keyboard.press("Control+V")
    assert page.get_by_role("searchbox").input_value() == world.digests.first


def test_the_log_of_a_filter_is_exported_as_it_is_shown(world: World, window: Window) -> None:
    page = window.open("/log")
    page.get_by_label("Repository", exact=True).fill(APP)
    page.get_by_label("Kind").select_option("push")
    page.get_by_role("button", name="Show").click()
    shown = page.locator("ol.lines a.line").all_inner_texts()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV", exact=True).click()
    exported = Path(download.value.path()).read_bytes()
    asked = {"repository": APP, "kind": "push"}
    answer = requests.get(f"{world.service.url}/api/v1/entries.csv", params=asked, timeout=10)
    assert exported == answer.content
    rows = csv.DictReader(exported.decode("utf-8-sig").splitlines())
    assert [f"line {row['seq']}" for row in rows] == shown
    assert len(shown) > 5


def test_the_proof_of_a_line_is_downloaded(world: World, window: Window) -> None:
    page = window.open("/violations")
    page.locator("tbody a.line").first.click()
    proof = page.get_by_role("link", name=re.compile(r"\.tlog-proof$"))
    eventually(lambda: window.page.reload() is not None and proof.count() == 1, "the line is signed", seconds=70)
    with page.expect_download() as download:
        proof.click()
    number = page.url.rpartition("/")[2]
    assert download.value.suggested_filename == f"line-{number}.tlog-proof"
    assert Path(download.value.path()).read_text().startswith(f"c2sp.org/tlog-proof@v1\nindex {number}\n")


def test_a_violation_is_closed_by_what_is_tied_to_it(world: World, window: Window) -> None:
    page = window.open("/")
    page.get_by_role("region", name="Open violations").get_by_role("link", name=re.compile(r"^line ")).click()
    page.get_by_text("Tie a ticket, an approval or a note to it").click()
    page.get_by_label("What it is").select_option("approval")
    page.get_by_label("Which one").fill("OPS-17 <b>bold</b>")
    page.get_by_role("button", name="Tie it").click()
    expect(page.locator(".tied-list")).to_contain_text("approval OPS-17 <b>bold</b>")
    assert "None." in window.open("/").get_by_role("region", name="Open violations").inner_text()
