"""Signing in and out: who gets in, what the browser keeps, and what another site cannot do."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tagtrail.access.tokens import make_token, revoke_token
from tests.application import GUARDED, READER, SEER, open_application
from tests.conftest import Ledger
from tests.pages import shown, sign_in, visit
from tests.test_app import client, later

__all__ = ("client", "later")  # fixtures


def test_a_stranger_is_shown_where_to_sign_in_and_returns_to_what_they_wanted(client: FlaskClient) -> None:
    answer = visit(client, "/violations?tag=prod", status=303)
    assert answer.headers["Location"] == "/sign-in?next=/violations?tag%3Dprod"
    form = visit(client, answer.headers["Location"])
    assert 'name="next" value="/violations?tag=prod"' in form.html
    assert sign_in(client, READER, next="/violations?tag=prod").headers["Location"] == "/violations?tag=prod"
    visit(client, "/violations?tag=prod")


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(client: FlaskClient) -> None:
    cookie = sign_in(client, READER).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert READER not in cookie


def test_the_cookie_goes_over_https_only_where_the_service_is_reached_so(ledger: Ledger, tmp_path: Path) -> None:
    client = open_application(ledger, tmp_path, GUARDED + "public_url: https://tagtrail.example\n")
    assert "Secure" in visit(client, "/sign-in").headers["Set-Cookie"]


def test_a_wrong_token_signs_nobody_in(client: FlaskClient) -> None:
    answer = sign_in(client, "the-token-of-nobody-at-all")
    assert answer.status == 401
    assert "This token is unknown" in answer.text
    assert "the-token-of-nobody-at-all" not in answer.html
    visit(client, "/", status=303)


def test_a_token_that_may_not_read_says_so(client: FlaskClient, ledger: Ledger) -> None:
    answer = sign_in(client, make_token(ledger.recorder, "pipeline", ["deploy"]))
    assert (answer.status, "may not read" in answer.text) == (403, True)


def test_an_address_that_guesses_is_slowed_down(client: FlaskClient) -> None:
    stranger = {"REMOTE_ADDR": "203.0.113.9"}
    form = visit(client, "/sign-in")
    data = {"csrf_token": form.csrf, "token": "wrong-wrong-wrong-wrong"}
    tries = [client.post("/sign-in", data=data, environ_base=stranger).status_code for _ in range(12)]
    assert tries[:10] == [401] * 10
    assert tries[10:] == [429, 429]
    assert client.get("/", environ_base=stranger).status_code == 303, "who only looks is not refused"


@pytest.mark.parametrize("made", [None, "forged", "empty"])
def test_a_form_of_another_site_is_refused(client: FlaskClient, made: str | None) -> None:
    visit(client, "/sign-in")
    data = {"token": READER} | ({} if made is None else {"csrf_token": "" if made == "empty" else made})
    answer = shown(client.post("/sign-in", data=data))
    assert answer.status == 400
    assert "not sent from this site" in answer.text
    visit(client, "/", status=303)


@pytest.mark.parametrize(
    "wanted",
    ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "evil", "/a\r\nX-Bad: 1"],
)
def test_nobody_is_led_to_another_site_afterwards(client: FlaskClient, wanted: str) -> None:
    assert sign_in(client, READER, next=wanted).headers["Location"] == "/"


def test_signing_out_forgets(client: FlaskClient) -> None:
    sign_in(client, READER)
    page = visit(client, "/")
    assert client.post("/sign-out", data={"csrf_token": page.csrf}).status_code == 303
    visit(client, "/", status=303)


def test_a_revoked_token_signs_out_at_once(client: FlaskClient, ledger: Ledger) -> None:
    sign_in(client, make_token(ledger.recorder, "board", ["read"]))
    visit(client, "/")
    revoke_token(ledger.store, ledger.recorder, "board")
    assert "was revoked or has expired" in visit(client, "/", status=401).text
    visit(client, "/", status=303)  # the browser has forgotten it


def test_a_reader_downloads_from_the_api_by_the_same_session_and_changes_nothing(client: FlaskClient) -> None:
    sign_in(client, READER)
    assert client.get("/api/v1/entries.csv").status_code == 200
    assert client.post("/api/v1/deployments", json={}).status_code == 401


def test_a_wrong_bearer_token_is_refused_whoever_is_signed_in(client: FlaskClient) -> None:
    sign_in(client, READER)
    answer = client.get("/api/v1/tags", headers={"Authorization": "Bearer something-else-entirely"})
    assert answer.status_code == 401


def test_the_session_of_another_key_is_no_session(client: FlaskClient) -> None:
    sign_in(client, READER)
    client.application.config["SECRET_KEY"] = b"another"
    visit(client, "/", status=303)


def test_who_sees_people_is_recorded_and_who_does_not_is_shown_none(client: FlaskClient, ledger: Ledger) -> None:
    sign_in(client, READER)
    assert "ann" not in visit(client, "/").text
    assert ledger.rows("SELECT count(*) FROM entries WHERE kind = 'exported'") == [(0,)]
    sign_in(client, SEER)
    assert "ann" in visit(client, "/").text
    visit(client, "/")
    [(line,)] = ledger.rows("SELECT l.line FROM lines l JOIN entries e USING (seq) WHERE e.kind = 'exported'")
    assert b'"format":"html"' in line


def test_a_user_of_the_proxy_needs_no_token(client: FlaskClient) -> None:
    answer = client.get("/", headers={"X-User": "eve"}, environ_base={"REMOTE_ADDR": "192.0.2.1"})
    assert answer.status_code == 200
    assert "eve" in answer.text
    assert client.get("/", headers={"X-User": "eve"}).status_code == 303
