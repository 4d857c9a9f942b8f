"""The audit log as a page: sentences by day, narrowed by its address, with exports of exactly that."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from tagtrail.trail.instant import SECOND, format_instant
from tests.api_client import told
from tests.application import GUARDED, READER, SEER, open_application
from tests.conftest import Ledger
from tests.events import START, digest_of, envelope, push
from tests.pages import visit

__all__ = ("told",)  # a fixture


@pytest.fixture
def client(told: Ledger, tmp_path: Path) -> FlaskClient:
    return open_application(told, tmp_path)


def test_each_line_is_a_sentence_with_its_evidence_under_its_day(client: FlaskClient) -> None:
    page = visit(client, "/log")
    assert page.headings[1:] == [("h2", "2026-04-20 UTC"), ("h2", "2026-04-21 UTC")]
    assert "recorded 23 h 58 min later" in page.text
    assert "team/app:prod moved back to" in page.text
    assert "published for production by carol (claimed)" in page.text
    assert "VIOLATION: a release tag never moves by mallory" in page.text
    assert "/log/5" in page.links
    assert {"is-move", "is-violation", "is-quiet"} <= set(page.classes)
    quiet = visit(client, "/log?kind=started").classes
    assert "is-quiet" in quiet
    assert "is-move" not in quiet


def test_the_filter_is_the_address_and_stands_in_the_form_and_the_caption(client: FlaskClient) -> None:
    page = visit(client, "/log?repository=team/*&tag=prod&kind=push&environment=production&actor=carol")
    assert page.text.count("moved back to") == 1
    assert "repository team/*" in page.text
    assert page.fields["tag"] == "prod"
    assert page.fields["actor"] == "carol"
    assert "/log/7" not in page.links
    assert "there is no parameter 'repo' here" in visit(client, "/log?repo=x", status=400).text
    assert "no entries of kind" in visit(client, "/log?kind=moved", status=400).text


def test_exports_have_exactly_this_filter(client: FlaskClient) -> None:
    page = visit(client, "/log?repository=team/*&since=2026-04-20T14:03&actor=carol&cursor=WzEwMF0&limit=5")
    exports = {urlsplit(link).path: parse_qs(urlsplit(link).query) for link in page.links if link.startswith("/api/")}
    asked = {"repository": ["team/*"], "since": ["2026-04-20T14:03:00Z"]}
    lists = [f"/api/v1/entries.{ending}" for ending in ("csv", "ndjson", "json")]
    assert exports == {path: {**asked, "actor": ["carol"]} for path in lists} | {"/api/v1/export": asked}
    assert "a bundle has no filter actor and ignores it" in page.text
    for link in page.links:
        if link.startswith("/api/v1/entries"):
            assert client.get(link).status_code == 200


def test_pages_lead_on_until_every_line_was_shown(told: Ledger, client: FlaskClient) -> None:
    told.receive_body(envelope(*(push("often", f"content {number}", 100 + number) for number in range(120))))
    seen: list[str] = []
    path: str | None = "/log"
    while path is not None:
        page = visit(client, path)
        seen += [link for link in page.links if link.removeprefix("/log/").isdigit()]
        path = next((f"/log{link}" for link in page.links if link.startswith("?cursor=")), None)
    ((last,),) = told.rows("SELECT max(seq) FROM lines")
    assert set(seen) == {f"/log/{seq}" for seq in range(last + 1)}


def test_who_may_not_know_people_is_told_of_none(told: Ledger, tmp_path: Path) -> None:
    client = open_application(told, tmp_path, GUARDED)
    reader = visit(client, "/log", token=READER)
    assert not any(name in reader.text for name in ("alice", "bob", "carol", "mallory"))
    assert "actor" not in reader.fields
    assert not any("/api/v1/export" in link for link in reader.links)
    assert "mallory" in visit(client, "/log", token=SEER).text
    visit(client, "/log?actor=carol", token=READER, status=403)


def test_what_did_not_change_is_not_sent_again_and_what_comes_is_shown_as_text(
    told: Ledger, client: FlaskClient
) -> None:
    first = client.get("/log")
    told.clock.pass_seconds(60)
    assert client.get("/log", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    told.receive(push("x", "x", 70, actor="<img src=x>\u202e evil"))
    later = client.get("/log", headers={"If-None-Match": first.headers["ETag"]})
    assert later.status_code == 200
    assert "<img" not in later.text
    assert "&lt;img src=x&gt;\\u202e evil" in later.text


def test_since_and_until_are_when_lines_were_recorded(told: Ledger, client: FlaskClient) -> None:
    told.clock.pass_seconds(3600)
    told.receive(push("new", "new", 80))
    since = format_instant(told.clock.now - SECOND, 0)
    page = visit(client, f"/log?since={since}")
    assert digest_of("new")[:19] in page.text
    assert page.text.count("line ") == 1
    assert "No line matches." in visit(client, f"/log?until={format_instant(START, 0)}").text
