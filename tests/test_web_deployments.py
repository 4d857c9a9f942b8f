"""Deployments as pages: the list, and one with what was before and after it, what it rests on, and the way back."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tagtrail.ledger.declare import Declaration, declare
from tagtrail.store.deployments import find_last_time, find_next, get_deployment
from tagtrail.trail.names import Reference
from tagtrail.wording.rollback import make_commands
from tests.api_client import RULES, told
from tests.application import DEPLOYER, GUARDED, READER, SEER, open_application
from tests.conftest import Ledger
from tests.events import delete_tag, digest_of, push
from tests.pages import visit

__all__ = ("told",)  # a fixture

FIRST, FORWARD, BACK, INDEX = 5, 7, 9, 14  # lines of the story that move prod of team/app


@pytest.fixture
def client(told: Ledger, tmp_path: Path) -> FlaskClient:
    return open_application(told, tmp_path)


def pinned(content: str) -> Reference:
    return Reference("team/app", "prod", digest_of(content), "registry.example:5000")


def test_the_list_says_what_went_where_from_what_and_for_how_long(client: FlaskClient) -> None:
    page = visit(client, "/deployments?environment=production")
    assert page.text.count("team/app:prod") == 4
    assert all(word in page.text for word in ("rollback", "forward", "first", "until now", "reported"))
    assert "carol (claimed)" in page.text
    assert f"/deployments/{BACK}/production" in page.links
    assert "/api/v1/deployments.csv?environment=production" in page.links
    assert "team/web" not in page.text
    narrowed = visit(client, "/deployments?repository=team/web&since=2026-04-20T12:00")
    assert "unpinned" in narrowed.text
    assert "team/app" not in narrowed.text
    assert "No deployment matches" in visit(client, "/deployments?digest=abcdef").text
    assert "there is no parameter 'kind'" in visit(client, "/deployments?kind=push", status=400).text


def test_the_list_names_nobody_to_who_may_not_know(told: Ledger, tmp_path: Path) -> None:
    client = open_application(told, tmp_path, GUARDED)
    text = visit(client, "/deployments", token=READER).text
    assert not any(name in text for name in ("bob", "carol", "nobody named"))
    assert "bob" in visit(client, "/deployments", token=SEER).text
    one = visit(client, f"/deployments/{BACK}/production", token=READER)
    assert "carol" not in one.text
    assert "relation" not in one.fields
    assert "relation" in visit(client, f"/deployments/{BACK}/production", token=DEPLOYER).fields


def test_a_rollback_says_when_its_environment_had_that_before(client: FlaskClient) -> None:
    page = visit(client, f"/deployments/{BACK}/production")
    assert "Rollback to" in page.text
    assert "which production had before from 2026-04-20 12:00:03 UTC until 2026-04-20 12:00:12 UTC" in page.text
    assert {f"/deployments/{each}/production" for each in (FIRST, FORWARD, INDEX)} <= set(page.links)
    assert "1.0.0 (then)" in page.text  # it was overwritten since
    assert "team/app:prod moved back to" in page.text  # the evidence
    assert str(pinned("one")) in page.copied


def test_what_is_published_now_has_the_way_back(told: Ledger, client: FlaskClient) -> None:
    page = visit(client, f"/deployments/{INDEX}/production")
    assert "published now" in page.text
    commands = make_commands(pinned("one"))
    assert {"\n".join(tool) for tool in (commands.skopeo, commands.crane, commands.docker)} <= set(page.copied)
    assert "Think twice" not in page.text
    assert "To this one again" not in page.text


def test_what_is_not_published_any_more_has_the_way_to_it_with_its_warnings(client: FlaskClient) -> None:
    page = visit(client, f"/deployments/{FORWARD}/production")
    assert "\n".join(make_commands(pinned("two")).skopeo) in page.copied
    assert "it was itself left by going back to an earlier one" in page.text
    assert "the registry has reported its deletion since" in page.text
    first = visit(client, f"/deployments/{FIRST}/production")
    assert "had no other digest before this one" in first.text
    assert "Nothing was published for production before" in first.text


def test_an_index_warns_that_docker_would_push_one_platform(told: Ledger, client: FlaskClient) -> None:
    told.receive(push("prod", "later", 70))
    assert "docker would push your own platform alone" in visit(client, f"/deployments/{INDEX}/production").text


def test_a_declared_deployment_shows_what_it_was_for_and_a_withdrawal_what_ended_it(
    told: Ledger, client: FlaskClient
) -> None:
    said = Declaration(environment="staging", reference="team/web:staging", change="OPS-<1>", actor="dan", note="<b>")
    seq = declare(told.store, told.recorder, said).seq
    page = visit(client, f"/deployments/{seq}/staging")
    assert "The same digest again" in page.text
    assert "declared by a pipeline" in page.text
    assert "OPS-<1>" in page.text
    assert "Note <b>" in page.text
    told.clock.pass_seconds(60)
    told.receive(delete_tag("staging", 86_500, repository="team/web"))
    assert "withdrawn: its tag was deleted" in visit(client, f"/deployments/{seq}/staging").text


@pytest.mark.parametrize("place", ["9/staging", "8/production", "99/production", f"{10**25}/production", "9/%3Cb%3E"])
def test_what_is_no_deployment_is_not_recorded(client: FlaskClient, place: str) -> None:
    assert "is no deployment to" in visit(client, f"/deployments/{place}", status=404).text


def test_the_questions_of_one_deployment(told: Ledger) -> None:
    db = told.store.reader()
    found = get_deployment(db, BACK, RULES, "production")
    assert found is not None
    key, deployment = found
    assert (deployment.direction, deployment.basis) == ("back", "reported")
    assert get_deployment(db, BACK, RULES) is None  # it declared none
    before, after = find_last_time(db, key, RULES), find_next(db, key)
    assert before is not None
    assert after is not None
    assert (before.seq, after.seq, after.direction) == (FIRST, INDEX, "forward")
    newest = get_deployment(db, INDEX, RULES, "production")
    assert newest is not None
    assert find_next(db, newest[0]) is None
    assert find_last_time(db, newest[0], RULES) is None
