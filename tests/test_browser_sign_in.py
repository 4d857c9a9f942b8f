"""Signing in with a token in a real browser: who sees what, how long, and what another site cannot have sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest

from tests.browser import Desk, Window, desk, path_of  # noqa: F401 - a fixture
from tests.chat import ChatRoom, Reply
from tests.command_line import CommandLine
from tests.events import envelope, push
from tests.hostile_data import settings_for
from tests.real import Service, eventually

SECRET = "the-name-of-somebody"
LISTS = ("/", "/log", "/log/2", "/deployments", "/violations", "/registries/main/team/app:1.0.0")


@dataclass
class House:
    """A service that only tokens open, with a trail and a message that could not be sent."""

    service: Service
    room: ChatRoom
    made: int = 0

    def token(self, *scopes: str) -> str:
        """A new token, made as an operator makes it; they are called token-1, token-2 and so on."""
        self.made += 1
        named = [f"token-{self.made}", *(f"--scope={scope}" for scope in scopes)]
        return CommandLine(self.service.data).ask("token", "create", *named).strip()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    room = ChatRoom()
    room.otherwise = Reply(404)
    service = Service(tmp_path_factory.mktemp("house"), settings_for(room))
    try:
        service.start()
        told = [push("1.0.0", "a", 1), push("prod", "a", 2), push("1.0.0", "b", 3)]
        assert service.post(envelope(*(each for each in told))) == 202
        assert service.post(envelope(push("prod", "b", 4, actor=SECRET, address="198.51.100.77:1"))) == 202
        room.wait_for(1, seconds=60)
        house = House(service, room)
        house.token("read")  # until there is one, a service on loopback is open
        yield house
    finally:
        service.process.stop()
        room.close()


@pytest.fixture
def window(desk: Desk, house: House) -> Iterator[Window]:  # noqa: F811
    with desk.window(house.service) as window:
        yield window


def sign_in(window: Window, token: str, *, wanted: str = "/") -> None:
    """Go to a page, be asked who it is, and say so."""
    page = window.open(wanted)
    assert page.locator("h1").inner_text() == "Sign in"
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_whoever_signs_in_comes_to_the_page_that_they_wanted(house: House, window: Window) -> None:
    wanted = "/violations?repository=team%2F**"
    sign_in(window, house.token("read"), wanted=wanted)
    assert path_of(window.page) == wanted
    assert f"token token-{house.made}" in window.page.locator("header").inner_text()


def test_a_wrong_token_is_refused_and_may_be_corrected(house: House, window: Window) -> None:
    sign_in(window, "tt_nonsense", wanted="/violations")
    assert window.page.get_by_role("alert").inner_text() == "This token is unknown or has expired."
    window.forgive("status of 401")
    window.page.get_by_label("Token").fill(house.token("read"))
    window.page.keyboard.press("Enter")
    window.page.wait_for_url(f"{window.home}/violations")


def test_a_token_that_may_not_read_is_told_so(house: House, window: Window) -> None:
    sign_in(window, house.token("deploy"))
    assert "The token is valid, but" in window.page.get_by_role("alert").inner_text()
    window.forgive("status of 403")


@pytest.mark.parametrize(("scopes", "sees"), [(("read",), False), (("read", "identity"), True)])
def test_people_are_seen_with_the_scope_for_it_only(
    scopes: tuple[str, ...], sees: bool, house: House, window: Window
) -> None:
    sign_in(window, house.token(*scopes))
    seen = [window.open(path).content() for path in LISTS]
    assert any(SECRET in content for content in seen) is sees
    assert all("198.51.100.77" not in content for content in seen) or sees


def test_a_reader_may_not_ask_for_somebodys_doings(house: House, window: Window) -> None:
    sign_in(window, house.token("read"))
    page = window.open(f"/log?actor={SECRET}")
    assert page.locator("h1").inner_text() == "Not allowed"
    window.forgive("status of 403")


def test_the_cookie_is_nothing_for_scripts_nor_for_other_sites(house: House, window: Window) -> None:
    token = house.token("read")
    sign_in(window, token)
    [cookie] = window.context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("tagtrail", True, "Lax")
    assert (cookie["domain"], cookie["path"]) == ("127.0.0.1", "/")
    assert window.page.evaluate("document.cookie") == ""
    assert token not in cookie["value"]


def test_over_https_the_cookie_is_for_https_only(desk: Desk, house: House) -> None:  # noqa: F811
    """By the address that people use, whatever stands between."""
    more = {"public_url": "https://tagtrail.example", "data": str(house.service.directory / "other")}
    service = Service(house.service.directory / "https", more)
    service.start()
    try:
        with desk.window(service) as window:
            answer = window.context.request.get(f"{service.url}/sign-in")
            assert "; Secure" in answer.headers["set-cookie"]
    finally:
        service.process.stop()


def test_whoever_signs_out_is_nobody(house: House, window: Window) -> None:
    sign_in(window, house.token("read"))
    window.page.get_by_role("button", name="Sign out").click()
    assert path_of(window.page) == "/sign-in"
    assert window.open("/violations").locator("h1").inner_text() == "Sign in"
    window.page.go_back()
    assert window.page.get_by_role("button", name="Sign out").count() == 0, "what was read is still in the browser"


def test_a_revoked_token_signs_nobody_in_any_more(house: House, window: Window) -> None:
    sign_in(window, house.token("read"))
    CommandLine(house.service.data).ask("token", "revoke", f"token-{house.made}")
    assert window.open("/violations").locator("h1").inner_text() == "Signed out"
    window.forgive("status of 401")
    assert window.open("/violations").locator("h1").inner_text() == "Sign in"


@pytest.mark.parametrize(
    "wanted",
    ["//elsewhere.example/", "https://elsewhere.example/", "/\\elsewhere.example", "javascript:alert(1)",
     "/\t/elsewhere.example", "\\\\elsewhere.example", "elsewhere.example", "/%0d//elsewhere.example\r\n"],
)  # fmt: skip
def test_a_link_to_the_form_leads_nowhere_else(wanted: str, house: House, window: Window) -> None:
    window.open(f"/sign-in?next={quote(wanted)}")
    window.page.get_by_label("Token").fill(house.token("read"))
    window.page.get_by_role("button", name="Sign in").click()
    assert path_of(window.page) == "/"


# ---- Forms that change something


def failed_message(window: Window) -> str:
    """The address of the newest message that was given up, when there is one."""
    link = window.page.locator("tbody a.line[href^='/messages/']").first
    eventually(
        lambda: window.open("/messages?state=failed") is not None and link.count() == 1, "a message failed", seconds=60
    )
    address = link.get_attribute("href")
    assert address is not None
    return address


def test_only_whoever_may_is_shown_the_button(house: House, window: Window) -> None:
    sign_in(window, house.token("read"))
    window.open(failed_message(window))
    assert window.page.get_by_role("button", name="Try it again").count() == 0


@pytest.mark.parametrize("forged", [None, "", "nonsense"])
def test_a_form_of_another_site_changes_nothing(forged: str | None, house: House, window: Window) -> None:
    sign_in(window, house.token("read", "admin", "deploy"))
    message = failed_message(window)
    form: dict[str, str | float | bool] = {"relation": "note", "note": "forged"}
    if forged is not None:
        form["csrf_token"] = forged
    for path in (f"{message}/retry", "/log/2/annotations", "/sign-out"):
        answer = window.context.request.post(window.home + path, form=form, max_redirects=0)
        assert (answer.status, "Not sent from here" in answer.text()) == (400, True), path
    assert window.open(message).locator("dl.facts .badge.bad").inner_text() == "failed"
    assert "forged" not in window.open("/log/2").content()


@pytest.mark.parametrize("scripted", [False, True])
def test_a_failed_message_is_tried_again(scripted: bool, desk: Desk, house: House) -> None:  # noqa: F811
    with desk.window(house.service, scripted=scripted) as window:
        assert house.service.post(envelope(push("1.0.0", f"for {scripted}", 10 + scripted))) == 202
        sign_in(window, house.token("read", "admin"))
        message = failed_message(window)
        house.room.otherwise = Reply(200)
        window.open(message).get_by_role("button", name="Try it again").click()
        assert path_of(window.page) == message
        sent = window.page.locator("dl.facts .badge.good")
        eventually(
            lambda: window.open(message) is not None and sent.count() == 1, "the page says that it was sent", seconds=60
        )
        house.room.otherwise = Reply(404)
