"""The page of a repository: its timeline, its tags now, the deleted ones; and what it reads of many."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tagtrail.trail.instant import SECOND, format_instant
from tests.api_client import story
from tests.application import GUARDED, READER, SEER, open_application
from tests.conftest import Ledger
from tests.events import START, SomeEvent, delete_tag, digest_of, envelope, push
from tests.pages import Shown, visit

ADDRESS = "/registries/main/team/app"


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path) -> FlaskClient:
    return open_application(ledger, tmp_path)


def at(seconds: float) -> str:
    return format_instant(START + int(seconds * SECOND), 0)


def lanes(seen: Shown) -> list[str]:
    return [svg["aria-label"] for svg in seen.find("svg", "lane")]


def pieces(seen: Shown, class_: str = "piece") -> list[str]:
    """What the links of the picture say to somebody who cannot see it."""
    return [link.text for link in seen.find("a", class_) if "piece" in link.classes]


def test_each_moving_tag_and_each_violated_release_tag_has_a_lane(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(*story())
    seen = visit(client, f"{ADDRESS}?since={at(0)}&until={at(100)}")
    assert lanes(seen) == ["prod", "1.1.0", "1.0.0", "stable", "release tags that did not move"]
    assert any("violation: moved by mallory" in text for text in pieces(seen, "digest"))
    assert any("deleted: a violation" in text and "by carol" in text for text in pieces(seen, "gone"))
    assert any(text.startswith("\N{LEFTWARDS ARROW WITH HOOK} 1.0.0") for text in pieces(seen, "digest"))


def test_a_segment_leads_to_its_digest_and_its_table_says_the_same(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(*story())
    seen = visit(client, f"{ADDRESS}?since={at(0)}&until={at(100)}")
    [link] = [each for each in seen.find("a", "piece") if "1.1.0" in each.text and "moved by bob" in each.text]
    assert link["href"] == f"/digests/{digest_of('two')}"
    [row] = [each for each in seen.find("tr") if "1.1.0" in each.text and "moved" in each.text and "bob" in each.text]
    assert "2026-04-20 12:00:12 UTC" in row.text
    assert "2026-04-20 12:00:20 UTC" in row.text
    assert len(seen.find("tr")) > len(pieces(seen))


def test_moves_too_near_each_other_are_a_block_that_leads_nearer(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(*(push("edge", str(n), 10_000 + n * 5, actor="ann") for n in range(40)))
    [block] = [each for each in visit(client, f"{ADDRESS}?since={at(0)}").find("a", "many") if "39 moves" in each.text]
    assert block["href"].startswith(f"{ADDRESS}?since=2026-04-20T")
    nearer = visit(client, block["href"])
    assert sum("moved by ann" in text for text in pieces(nearer)) + len(pieces(nearer, "many")) > 1


def test_moves_at_one_instant_lead_to_the_tag(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(*(push("edge", str(n), 10, id=str(n)) for n in range(5)))
    [block] = visit(client, f"{ADDRESS}?since={at(0)}&until={at(1000)}").find("a", "many")
    assert block["href"] == f"{ADDRESS}:edge"


def test_what_stood_before_the_range_is_in_it(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("edge", "one", 10), push("edge", "two", 5_000))
    seen = visit(client, f"{ADDRESS}?since={at(1_000)}&until={at(9_000)}")
    assert len(pieces(seen)) == 2
    assert "stood before" in pieces(seen)[0]
    assert pieces(visit(client, f"{ADDRESS}?since={at(-500)}&until={at(5)}")) == []


def test_tags_now_say_what_kind_they_are_why_and_what_they_mean(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(*story())
    seen = visit(client, ADDRESS)
    text = " ".join(each.text for each in seen.find("tr"))
    assert "production" in text
    assert any(badge["title"] == "is a version" for badge in seen.find("span", "release"))
    assert any("follows the newest push" in each["title"] for each in seen.find("span"))
    tags = [link.text for link in seen.find("a", "tag") if link["href"].startswith(f"{ADDRESS}:")]
    assert tags[-5:] == ["prod", "stable", "2.0", "1.0.0", "1.1.0"]  # the last is the deleted one


def test_its_log_and_its_csv_are_a_step_away(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("edge", "one", 10))
    addresses = [link["href"] for link in visit(client, ADDRESS).find("a")]
    assert "/log?registry=main&repository=team/app" in addresses
    [csv] = [address for address in addresses if address.startswith("/api/v1/entries.csv")]
    assert "edge" in client.get(csv).text


def test_what_was_never_recorded_is_not_found(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("edge", "one", 10))
    for address in ("/registries/main/team/other", "/registries/other/team/app"):
        visit(client, address, status=404)


@pytest.mark.parametrize("query", ["since=yesterday", "since=2030-01-01T00:00:00Z", "lanes=0", "tags=x", "color=red"])
def test_what_cannot_be_asked_is_said(ledger: Ledger, client: FlaskClient, query: str) -> None:
    ledger.receive(push("edge", "one", 10))
    visit(client, f"{ADDRESS}?{query}", status=400)


def test_people_are_shown_to_those_who_may_know(ledger: Ledger, tmp_path: Path) -> None:
    client = open_application(ledger, tmp_path, GUARDED)
    ledger.receive(push("edge", "one", 10, actor="alice"), push("edge", "two", 500, actor="alice"))
    assert "alice" not in visit(client, ADDRESS, token=READER).html
    assert "moved by alice" in visit(client, ADDRESS, token=SEER).find("svg", "lane")[0].text


def test_text_from_outside_is_text_in_the_picture_too(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("edge", "one", 10, actor='"><script>alert(1)</script>\u202e'))
    answer = visit(client, ADDRESS).html
    assert "<script>alert" not in answer
    assert "\u202e" not in answer
    assert "&lt;script&gt;" in answer


def test_a_page_that_would_say_the_same_is_not_sent_again(ledger: Ledger, client: FlaskClient) -> None:
    ledger.receive(push("edge", "one", 10))
    ledger.clock.pass_seconds(1)  # a range that ends now ends at a step after it
    tag = visit(client, ADDRESS).headers["ETag"]
    ledger.clock.pass_seconds(1)
    visit(client, ADDRESS, headers={"If-None-Match": tag}, status=304)


def receive_many(ledger: Ledger, events: list[SomeEvent]) -> None:
    for start in range(0, len(events), 250):
        ledger.receive_body(envelope(*events[start : start + 250]))


def test_of_many_tags_and_moves_a_bounded_part_is_read_and_drawn(
    ledger: Ledger, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tagtrail.web.timeline.lanes.MOST_MOVES", 600)
    events = [push(f"1.{number}.0", f"r{number}", number * 40) for number in range(100)]
    events += [push(f"topic-{n % 40}", f"c{n}", 5_000 + n) for n in range(1_000)]
    events += [push("prod", f"c{n}", 7_000 + n) for n in range(400)]
    receive_many(ledger, events)
    statements: list[str] = []
    ledger.store.reader().set_trace_callback(statements.append)
    seen = visit(client, f"{ADDRESS}?since={at(0)}")
    ledger.store.reader().set_trace_callback(None)
    assert 0 < len(statements) < 250
    assert len(lanes(seen)) == 17
    assert len(pieces(seen)) < 17 * 40
    assert "More lanes" in " ".join(each.text for each in seen.find("nav"))
    assert "only the newest moves" in " ".join(each.text for each in seen.find("p"))
    [more] = [link["href"] for link in seen.find("a", "button") if link.text == "More lanes"]
    other = visit(client, f"{ADDRESS}{more}")
    assert set(lanes(other)).isdisjoint(lanes(seen))


def test_a_repository_with_more_tags_than_are_looked_at_says_so(
    ledger: Ledger, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.receive(*(push(f"1.{number}.0", "one", number) for number in range(8)))
    ledger.receive(push("prod", "one", 50), push("zeta", "one", 60), delete_tag("zeta", 70))
    monkeypatch.setattr("tagtrail.store.timeline._MOST_RECENT", 2)
    monkeypatch.setattr("tagtrail.web.pages.repository.MOST_TAGS", 4)
    seen = visit(client, ADDRESS)
    assert lanes(seen)[:2] == ["prod", "zeta"]
    assert "more than 4 tags" in " ".join(each.text for each in seen.find("p"))
