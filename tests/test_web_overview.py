"""The overview: first start, the board, what moved, what is wrong."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tagtrail.ledger.annotate import Annotation, annotate
from tagtrail.store.environments import RecentPublication
from tagtrail.trail.instant import DAY, SECOND
from tagtrail.web.pages.overview import STEP, WEEKS, Bars, make_sparkline
from tests.application import INGEST, OPEN, SEER, open_application
from tests.conftest import Ledger
from tests.events import delete_tag, digest_of, push
from tests.pages import visit


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path) -> FlaskClient:
    """A service that anybody on this machine may ask."""
    return open_application(ledger, tmp_path, starts=True)


def test_a_new_installation_shows_what_to_paste_until_the_first_event(client: FlaskClient, ledger: Ledger) -> None:
    page = visit(client, "/")
    assert f"Bearer {INGEST}" in page.html
    assert "Waiting for the first event" in page.text
    assert '<meta http-equiv="refresh"' in page.html, "it also turns green without a script"
    ledger.receive(push(None, "one", 1))
    page = visit(client, "/")
    assert INGEST not in page.html
    assert "Registry main is wired: its first event arrived" in page.text
    ledger.clock.pass_seconds(3_600)
    assert "is wired" not in visit(client, "/").text


def test_with_tokens_the_block_is_shown_without_its_token(ledger: Ledger, tmp_path: Path) -> None:
    client = open_application(ledger, tmp_path, OPEN + f"access: {{read: [{{value: {SEER}}}]}}\n", starts=True)
    page = visit(client, "/", token=SEER)
    assert INGEST not in page.html
    assert "Bearer THE-TOKEN" in page.text
    assert "tagtrail registry-config --registry main" in page.text


@pytest.mark.parametrize("address", ["/", "/registries/main"])
@pytest.mark.parametrize(
    ("form", "label", "settings"),
    [
        (None, "config.yml", "notifications:"),
        ("compose", "compose.yml", "REGISTRY_NOTIFICATIONS: |"),
        ("environment", "Environment variable", "export REGISTRY_NOTIFICATIONS="),
    ],
)
def test_tabs_offer_each_form_of_the_settings_without_a_script(
    client: FlaskClient, address: str, form: str | None, label: str, settings: str
) -> None:
    page = visit(client, address + (f"?form={form}" if form else ""))
    assert settings in page.text
    tabs = {tab.text: tab for tab in page.find("a") if tab["href"].partition("?")[0] == address}
    assert [name for name, tab in tabs.items() if name == label and tab["aria-current"] == "page"] == [label]
    assert {"config.yml", "compose.yml", "Environment variable"} <= set(tabs)
    assert "Push a tag" in page.text or "then push a tag" in page.text


def test_an_unknown_form_is_refused(client: FlaskClient) -> None:
    assert "form is 'xml'" in visit(client, "/?form=xml", status=400).text


def test_the_board_tells_what_is_published_by_its_release_tag_and_how_to_go_back(
    client: FlaskClient, ledger: Ledger
) -> None:
    ledger.receive(
        push("1.0.0", "one", 1), push("prod", "one", 2), push("1.1.0", "two", 60), push("prod", "two", 61, actor="ann")
    )
    page = visit(client, "/")
    board = page.text.partition("Published now")[2].partition("Wiring")[0]
    assert f"1.1.0 {digest_of('two')[:19]}" in board
    assert "by ann (claimed)" in board
    assert "One step back: 1.0.0" in board
    command = f"docker://registry.example:5000/team/app@{digest_of('one')} docker://registry.example:5000/team/app:prod"
    assert command in page.text
    assert "unpinned" not in board


def test_a_digest_without_a_release_tag_is_marked(client: FlaskClient, ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1))
    assert "unpinned" in visit(client, "/").text


def test_a_deleted_tag_of_an_environment_is_withdrawn(client: FlaskClient, ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1), delete_tag("prod", 2))
    board = visit(client, "/").text.partition("Published now")[2]
    assert "withdrawn its tag was deleted" in board


def test_the_board_goes_on_and_is_narrowed(client: FlaskClient, ledger: Ledger) -> None:
    ledger.receive(*(push("prod", "one", at, repository=f"team/app-{at:02d}") for at in range(15)))
    ledger.receive(push("prod", "one", 90, repository="other/app"))
    page = visit(client, "/")
    [more] = [link for link in page.links if "cursor=" in link]
    board = visit(client, f"/{more}").text.partition("Published now")[2].partition("Wiring")[0]
    assert "team/app-14" in board
    assert "team/app-05" not in board
    narrowed = visit(client, "/?repository=other/**").text.partition("Published now")[2].partition("Wiring")[0]
    assert "other/app" in narrowed
    assert "team/" not in narrowed
    visit(client, "/?repository=%5B", status=400)


def test_a_violation_is_open_until_something_is_tied_to_its_line(client: FlaskClient, ledger: Ledger) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    [outcome] = ledger.receive(push("1.0.0", "two", 2))
    assert "moved team/app:1.0.0" in visit(client, "/").text.partition("Open violations")[2]
    annotate(ledger.store, ledger.recorder, outcome.seq, Annotation("ticket", "OPS-17"))
    assert visit(client, "/").text.partition("Open violations")[2].startswith(" None.")
    assert "ticket OPS-17" in visit(client, "/violations").text
    page = visit(client, "/violations?repository=team/app&since=2020-01-01T00:00:00Z")
    assert "/api/v1/violations.csv?repository=team%2Fapp&since=2020-01-01T00%3A00%3A00Z" in page.links


def test_of_a_hundred_environments_some_are_shown_until_the_repository_is_asked_for(
    ledger: Ledger, tmp_path: Path
) -> None:
    places = ", ".join(f"{{name: place-{number}, tag: place-{number}}}" for number in range(15))
    client = open_application(ledger, tmp_path, f"{OPEN}environments: [{places}]\n", starts=True)
    ledger.receive(*(push(f"place-{number}", "one", number) for number in range(15)))
    page = visit(client, "/")
    assert page.html.count('class="place"') == 12
    assert "3 more environments of team/app" in page.text
    assert visit(client, "/?repository=team/app").html.count('class="place"') == 15
    assert visit(client, "/?environment=place-14").html.count('class="place"') == 1


def test_moves_of_one_pipeline_are_told_together(client: FlaskClient, ledger: Ledger) -> None:
    """A long name is not repeated for each tag; moves that lie far apart are not told as one."""
    ledger.receive(
        push("prod", "one", 0),
        push("1.0.0", "two", 5_000, actor="ann"), push("latest", "two", 5_001, actor="ann"),
        push("prod", "two", 5_002, actor="bob"),
        push("prod", "one", 9_000, repository="team/web"),
        push("stable", "two", 9_001),
    )  # fmt: skip
    told = visit(client, "/").text.partition("Newest moves")[2]
    digest = digest_of("two")[:19]
    assert f"team/app prod moved latest created 1.0.0 created {digest}" in told
    assert "by bob, ann" in told
    assert told.count("team/app ") == 3, "stable an hour later, the pipeline, prod at first"


def test_the_page_is_sent_again_only_when_something_changed(client: FlaskClient, ledger: Ledger) -> None:
    ledger.receive(push("prod", "one", 1))
    tag = visit(client, "/").headers["ETag"]
    ledger.clock.pass_seconds(30)
    visit(client, "/", headers={"If-None-Match": tag}, status=304)  # how long ago it was is the script's to say
    ledger.receive(push("prod", "two", 2))
    visit(client, "/", headers={"If-None-Match": tag})


def test_the_strip_has_a_place_for_each_day_on_which_something_was_published() -> None:
    today = 20_000
    first = today - 7 * WEEKS + 1
    recent = [
        RecentPublication(first * DAY - 1, "forward"),  # the day before the strip begins
        RecentPublication(first * DAY, "first"),
        RecentPublication(today * DAY + SECOND, "forward"),
        RecentPublication(today * DAY + 2 * SECOND, "back"),
        RecentPublication(today * DAY + 3 * SECOND, None),
    ]
    last = STEP * (7 * WEEKS - 1)
    assert make_sparkline(recent, today=today) == (
        Bars("moved", "M0 17v-7h5v7z"),
        Bars("withdrawn", f"M{last} 17v-13h5v13z"),
    )
    assert make_sparkline(recent[:-1], today=today)[0] == Bars("back", f"M{last} 17v-10h5v10z")


def test_a_registry_that_is_no_longer_configured_is_still_shown(ledger: Ledger, tmp_path: Path) -> None:
    ledger.receive(push("prod", "one", 1))
    client = open_application(ledger, tmp_path, OPEN.replace("name: main", "name: other"), starts=True)
    page = visit(client, "/registries/main")
    assert "no longer configured" in page.text
    assert "config.yml" not in page.text
    assert "config.yml" in visit(client, "/registries/other").text
    assert "no longer configured" in visit(client, "/registries").text
