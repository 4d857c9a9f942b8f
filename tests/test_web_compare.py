"""Two times compared as a page: what moved in between, what that came to, and for which environments."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tagtrail.ledger.declare import Declaration, declare
from tagtrail.store.names import Repository, Tag
from tagtrail.trail.instant import SECOND, format_instant
from tagtrail.trail.moves import Difference
from tagtrail.web.pages.compare import Changed, group, sort_changed, summarise
from tests.api_client import told
from tests.application import open_application
from tests.conftest import Ledger
from tests.events import START, digest_of, envelope, push
from tests.pages import visit

__all__ = ("told",)  # a fixture


@pytest.fixture
def client(told: Ledger, tmp_path: Path) -> FlaskClient:
    return open_application(told, tmp_path)


def between(since: float, until: float, more: str = "") -> str:
    times = (format_instant(START + int(at * SECOND), 0) for at in (since, until))
    return "/compare?from={}&until={}".format(*times) + more


def test_the_sentence_at_the_top_says_it_all(client: FlaskClient) -> None:
    page = visit(client, between(0, 63.5))
    assert (
        "Between 2026-04-20 12:00:00 UTC and 2026-04-20 12:01:03 UTC, 7 tags of 3 repositories moved;"
        " lab changed in 1, production changed in 1, staging changed in 1; 2 release tags were violated." in page.text
    )
    assert page.headings[1:] == [("h2", "lab/x"), ("h2", "team/app"), ("h2", "team/web")]
    assert "prod production" in page.text
    assert page.text.index("prod production") < page.text.index("1.0.0 violation") < page.text.index("2.0 nothing")
    assert "latest lab nothing as before 2 moves, ended where it began 2026-04-20 12:01:03 UTC" in page.text


def test_a_tag_is_compared_by_what_it_was_at_both_times(client: FlaskClient) -> None:
    went = visit(client, between(5, 15, "&environment=production"))
    assert "1 tag of 1 repository moved; production changed in 1." in went.text
    assert f"1.0.0 {digest_of('one')[:19]} 1.1.0 {digest_of('two')[:19]} 1 move" in went.text
    back = visit(client, between(5, 25, "&environment=production&repository=team/*"))
    assert "2 moves, ended where it began" in back.text
    assert {"/log/7", "/log/9"} <= set(back.links)
    assert "no tag moved" in visit(client, between(25, 29)).text
    assert "no tag moved that matches the filter" in visit(client, between(0, 60, "&environment=staging")).text


def test_a_move_at_the_first_time_itself_lies_before_and_one_at_the_second_within(client: FlaskClient) -> None:
    assert "no tag moved" in visit(client, between(12, 19, "&repository=team/app")).text
    assert "1 tag of 1 repository moved" in visit(client, between(11, 12, "&repository=team/app")).text


def test_without_times_it_is_the_last_day_and_quick_links_lead_to_others(told: Ledger, client: FlaskClient) -> None:
    assert "7 tags of 3 repositories moved" in visit(client, "/compare").text
    told.clock.pass_seconds(86_400)
    page = visit(client, "/compare?environment=production")
    assert "no tag moved" in page.text
    assert page.fields["from"] == "2026-04-21T12:00:00"
    [week] = [link for link in page.links if "from=2026-04-15" in link]
    assert "environment=production" in week
    assert "1 tag of 1 repository moved" in visit(client, f"/compare{week}").text


@pytest.mark.parametrize(("since", "until"), [(10, 10), (10, 9)])
def test_the_second_time_lies_after_the_first(client: FlaskClient, since: float, until: float) -> None:
    assert "until does not lie after from" in visit(client, between(since, until), status=400).text


def test_odd_parameters_are_answered_and_bad_ones_told(client: FlaskClient) -> None:
    assert "from:" in visit(client, "/compare?from=yesterday", status=400).text
    assert "no tag moved that matches the filter" in visit(client, "/compare?environment=nowhere").text
    assert (
        "tags of 3 repositories" in visit(client, "/compare?from=1970-01-01&until=2262-04-11T23:47:16.854775806Z").text
    )
    assert "there is no parameter 'since'" in visit(client, "/compare?since=2026-04-20", status=400).text


def test_declared_deployments_are_among_what_changed(told: Ledger, client: FlaskClient) -> None:
    said = Declaration(environment="staging", reference="team/web:staging", change="OPS-<1>")
    seq = declare(told.store, told.recorder, said).seq
    page = visit(client, between(86_000, 90_000))
    assert "no tag moved; staging changed in 1." in page.text
    assert "Declared for staging" in page.text
    assert "OPS-<1>" in page.text
    assert f"/deployments/{seq}/staging" in page.links
    assert "Declared" not in visit(client, between(86_000, 90_000, "&environment=production")).text


def test_what_is_more_than_can_be_compared_says_so(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagtrail.store.compare.MOST_COMPARED", 3)
    page = visit(client, between(0, 70))
    assert (
        "There are too many moves since 2026-04-20 12:00:00 UTC to compare at once: this comparison begins at"
        in page.text
    )


def test_many_tags_are_cut_with_those_of_environments_shown(told: Ledger, client: FlaskClient) -> None:
    many = (push(f"tag-{number}", "many", 200 + number, repository="big") for number in range(120))
    told.receive_body(envelope(*many))
    page = visit(client, between(0, 400))
    assert "127 tags of 4 repositories moved" in page.text
    assert "And 67 tags more" in page.text
    assert "staging staging" in page.text


def changed(repository: str, tag: str, *environments: str, violations: int = 0) -> Changed:
    return Changed(Tag(1, tag, Repository(1, "main", repository)), environments, Difference(1, 2, ()), violations)


def test_groups_begin_with_repositories_of_environments_and_in_them_with_their_tags() -> None:
    some = [
        changed("a", "x"),
        changed("b", "1.0", violations=1),
        changed("b", "0.9"),
        changed("b", "prod", "production"),
        changed("c", "y"),
        changed("c", "staging", "staging"),
    ]
    groups = group(sort_changed(some), ())
    assert [(each.repository, [one.tag.name for one in each.tags]) for each in groups] == [
        ("b", ["prod", "1.0", "0.9"]),
        ("c", ["staging", "y"]),
        ("a", ["x"]),
    ]
    summary = summarise(some, ())
    assert (summary.tags, summary.repositories, summary.violations) == (6, 3, 1)
    assert summary.environments == (("production", 1), ("staging", 1))
