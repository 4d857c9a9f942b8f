"""Every page in a real browser: axe-core, narrow windows, no script, and the worst names shown as nothing but text."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from tagtrail.web.pages import PAGES
from tests.browser import NARROW, WIDE, Desk, Scheme, Window, desk  # noqa: F401 - a fixture
from tests.chat import ChatRoom
from tests.events import envelope, push
from tests.hostile_data import IMAGE, REPOSITORY, SCRIPT, TAG, Worst

NAMES = [page.name for page in PAGES]
FAILURES = {"/nowhere": 404, "/?repository=%22%3E%3Cimg%3E": 400, "/log/999999999": 404, "/digests/sha256:00": 404}


@dataclass
class Premises:
    """The service with the worst in it, and the addresses of its pages."""

    worst: Worst
    addresses: dict[str, list[str]]


@pytest.fixture(scope="module")
def premises(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Premises]:
    room = ChatRoom()
    worst = Worst(tmp_path_factory.mktemp("worst"), room)
    try:
        worst.fill()
        yield Premises(worst, worst.addresses())
    finally:
        worst.service.process.stop()
        room.close()


@pytest.fixture(scope="module")
def scripted(desk: Desk, premises: Premises) -> Iterator[Window]:  # noqa: F811
    """One window for all tests that look at pages; each goes to its own."""
    with desk.window(premises.worst.service) as window:
        yield window


@pytest.fixture(scope="module")
def unscripted(desk: Desk, premises: Premises) -> Iterator[Window]:  # noqa: F811
    with desk.window(premises.worst.service, scripted=False) as window:
        yield window


@pytest.fixture(autouse=True)
def nothing_strange(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever was strange is told of the page where it happened."""
    windows = [request.getfixturevalue(name) for name in ("scripted", "unscripted") if name in request.fixturenames]
    yield
    for window in windows:
        strange, window.strange = window.strange, []
        assert strange == []


# Each width and each scheme once: what axe looks at in both is the same but for its colours and its width.
VIEWS: tuple[tuple[int, Scheme], ...] = ((WIDE, "light"), (NARROW, "dark"))


def look(window: Window, path: str) -> list[str]:
    """What is wrong with a page, wide and narrow, light and dark."""
    page = window.open(path)
    wrong = []
    for width, scheme in VIEWS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        there = f"{path[:60]}, {width} px, {scheme}: "
        wrong += [there + each for each in window.audit()]
        if window.overflow > 0:
            wrong.append(f"{there}it is {window.overflow} px too wide")
    return wrong


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_kept_out_of_a_page(name: str, scripted: Window, premises: Premises) -> None:
    for path in premises.addresses[name]:
        assert look(scripted, path) == []
        assert scripted.page.locator("h1").count() == 1


@pytest.mark.parametrize(("path", "status"), FAILURES.items())
def test_nobody_is_kept_out_of_a_page_that_tells_of_a_failure(path: str, status: int, scripted: Window) -> None:
    assert look(scripted, path) == []
    scripted.forgive(f"status of {status}")


def test_the_colours_are_not_the_same_in_both_schemes(scripted: Window) -> None:
    """So that what is looked at above are really two."""
    page, seen = scripted.open("/"), set()
    for _, scheme in VIEWS:
        page.emulate_media(color_scheme=scheme)
        seen.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert len(seen) == 2


def test_axe_finds_what_is_wrong(scripted: Window) -> None:
    """So that nothing found means something."""
    page = scripted.open("/registries")
    page.evaluate("document.querySelector('h1').outerHTML = '<h1><img src=\"/icon.svg\"></h1>'")
    page.wait_for_timeout(0)
    assert any(each.startswith("image-alt: ") for each in scripted.audit())
    scripted.forgive("status of 404")


def test_what_is_typed_is_not_lost_when_something_happens(desk: Desk, premises: Premises) -> None:  # noqa: F811
    """A page that nobody touched is renewed by itself; one with something typed into it waits."""
    service = premises.worst.service
    with desk.window(service) as window:
        window.page.clock.install()
        page = window.open("/log?repository=live/page")
        assert service.post(envelope(push("one", "one", 0, repository="live/page"))) == 202
        page.clock.fast_forward(20_000)
        expect(page.locator("ol.lines a.line")).to_have_count(1)
        page.get_by_label("Repository", exact=True).fill("typed")
        page.locator("h1").click()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        assert service.post(envelope(push("two", "two", 1, repository="live/page"))) == 202
        page.clock.fast_forward(60_000)
        assert page.get_by_label("Repository", exact=True).input_value() == "typed"
        assert asked == []


def test_a_line_that_is_read_stays_where_it_is_when_newer_ones_come(desk: Desk, premises: Premises) -> None:  # noqa: F811
    service = premises.worst.service
    with desk.window(service) as window:
        window.page.clock.install()
        page = window.open("/log")
        page.evaluate("scrollTo(0, 600)")
        read = page.locator("ol.lines a.line").nth(15).inner_text()
        line = page.get_by_role("link", name=read, exact=True).last
        before = line.evaluate("each => each.getBoundingClientRect().top")
        newest = page.locator("ol.lines a.line").first.inner_text()
        assert service.post(envelope(push("three", "three", 2, repository="live/page"))) == 202
        page.clock.fast_forward(20_000)
        expect(page.locator("ol.lines a.line").first).not_to_have_text(newest)
        assert abs(line.evaluate("each => each.getBoundingClientRect().top") - before) < 2


# ---- Without a script


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_no_script(name: str, unscripted: Window, premises: Premises) -> None:
    for path in premises.addresses[name]:
        page = unscripted.open(path)
        assert page.locator("h1").count() == 1
        assert page.locator("main").inner_text().strip() != ""
        assert page.locator("button.copy").count() == 0, "a script ran"


def test_a_list_is_filtered_without_a_script(unscripted: Window) -> None:
    page = unscripted.open("/violations")
    page.get_by_label("Repository", exact=True).fill(REPOSITORY)
    page.get_by_role("button", name="Show").click()
    assert {REPOSITORY} == set(page.locator("tbody .image a:first-child").all_inner_texts())


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("team/web", "/registries/main/team/web"),
        ("team/web:prod", "/registries/main/team/web:prod"),
        (f"`docker://registry.example:5000/{REPOSITORY}:{TAG}`", f"/registries/main/{REPOSITORY}:{TAG}"),
    ],
)
def test_what_is_pasted_is_found_without_a_script(asked: str, found: str, unscripted: Window) -> None:
    page = unscripted.open("/")
    page.get_by_role("searchbox").fill(asked)
    page.get_by_role("searchbox").press("Enter")
    page.wait_for_url(f"{unscripted.home}{found}")


def test_the_navigation_leads_through_all_lists_by_keyboard(unscripted: Window) -> None:
    page = unscripted.open("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    links = page.get_by_role("navigation", name="Pages").get_by_role("link")
    for number in range(links.count()):
        links.nth(number).press("Enter")
        assert page.locator("nav [aria-current=page]").inner_text() == links.nth(number).inner_text()


# ---- The worst names

_ELEMENTS = "script:not([src^='/static/']), img, iframe, object, embed, style, textarea, form[action^='http'], base"
_ATTRIBUTES = "[onerror], [onload], [onclick], [style]"


@pytest.mark.parametrize("name", NAMES)
def test_the_worst_names_are_nothing_but_text(name: str, scripted: Window, premises: Premises) -> None:
    for path in premises.addresses[name]:
        page = scripted.open(path)
        assert page.locator(_ELEMENTS).evaluate_all("found => found.map((each) => each.outerHTML)") == []
        assert page.locator(_ATTRIBUTES).evaluate_all("found => found.map((each) => each.outerHTML)") == []
        assert "\u202e" not in page.content(), "a text can turn the line around"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/search?q=a%3Cscript%3Ealert(1)%3C%2Fscript%3Ez", SCRIPT),
        ("/violations", IMAGE),
        ("/violations", REPOSITORY),
        ("/", REPOSITORY),
        ("/quarantine", SCRIPT),
    ],
)
def test_the_worst_names_are_shown_as_they_are(path: str, shown: str, scripted: Window) -> None:
    assert shown in (scripted.open(path).locator("main").text_content() or "")
