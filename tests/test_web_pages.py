"""What holds for every page: nobody is named without the scope, what comes from outside is text, failures are pages."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import url_for
from flask.testing import FlaskClient

from tagtrail.access.tokens import make_token
from tagtrail.store.leases import release_claims
from tagtrail.web.addresses import Addresses
from tagtrail.web.blueprint import STATIC_FOLDER
from tagtrail.web.context import WebPage
from tagtrail.web.pages import PAGES
from tests.api_client import bearer
from tests.application import GUARDED, INGEST, READER, SEER, open_application
from tests.conftest import Ledger
from tests.events import delete_tag, digest_of, envelope, push
from tests.pages import Shown, shown, sign_in, visit

CHANNEL = """
notify:
  debounce: 0s
  channels: [{name: hook, kind: slack, url: {value: "http://127.0.0.1:9/secret-path"}}]
  routes: [{channels: [hook]}]
"""
ACTOR, AGENT, ADDRESS = "Ann <script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "192.0.2.77"
NASTY = {"actor": ACTOR, "agent": AGENT, "address": f"{ADDRESS}:4711"}
TAG = "v1.0.0_" + "x" * 121
LONG = "/".join(["a" * 80, "b" * 80, "c" * 80])


@pytest.fixture
def client(ledger: Ledger, tmp_path: Path) -> FlaskClient:
    """The whole application, with something on every page, told by people with nasty names."""
    client, headers = open_application(ledger, tmp_path, GUARDED + CHANNEL, starts=True), bearer(INGEST)
    for event in (
        push("1.0.0", "one", 1, **NASTY),
        push("1.0.0", "two", 2, **NASTY),
        push("prod", "one", 3, **NASTY),
        push("prod", "two", 4, **NASTY),
        push(TAG, "long", 5, repository=LONG, **NASTY),
        delete_tag("prod", 6, repository=LONG, **NASTY),
    ):
        assert client.post("/events", data=envelope(event), headers=headers).status_code == 202
    assert client.post("/events", data=b"<script>alert(3)</script>", headers=headers).status_code == 202
    return client


def addresses(ledger: Ledger) -> dict[str, str]:
    """An address of each page."""
    one = digest_of("one")
    [(violation,)] = ledger.rows("SELECT seq FROM moves WHERE violates = 1")
    [(published,)] = ledger.rows("SELECT seq FROM publications ORDER BY seq LIMIT 1")
    [(message,)] = ledger.rows("SELECT id FROM deliveries ORDER BY id LIMIT 1")
    return {
        "overview": "/",
        "log": "/log",
        "entry": f"/log/{violation}",
        "deployments": "/deployments",
        "deployment": f"/deployments/{published}/production",
        "compare": "/compare?from=2026-04-20T00:00&until=2026-04-21T00:00",
        "registries": "/registries",
        "registry": "/registries/main",
        "repository": "/registries/main/team/app",
        "tag": "/registries/main/team/app:prod",
        "digest": f"/digests/{one}",
        "violations": "/violations",
        "quarantine": "/quarantine",
        "messages": "/messages",
        "message": f"/messages/{message}",
        "search": "/search?q=a",
    }


def every_page(client: FlaskClient, ledger: Ledger) -> dict[str, Shown]:
    found = {name: visit(client, address) for name, address in addresses(ledger).items()}
    assert found.keys() == {page.name for page in PAGES}
    return found


def test_nobody_is_named_to_whoever_may_not_know_people(client: FlaskClient, ledger: Ledger) -> None:
    sign_in(client, READER)
    for name, page in every_page(client, ledger).items():
        for secret in ("Ann", "alert(1)", "onerror", ADDRESS, "nobody named"):
            assert secret not in page.html, (name, secret)
    assert ledger.rows("SELECT count(*) FROM entries WHERE kind = 'exported'") == [(0,)]


def test_what_comes_from_outside_is_text_wherever_it_is_shown(client: FlaskClient, ledger: Ledger) -> None:
    sign_in(client, SEER)
    pages = every_page(client, ledger)
    assert any("Ann <script>alert(1)</script>" in page.text for page in pages.values())
    for name, page in pages.items():
        assert "<script>alert" not in page.html, name
        assert len(page.find("script")) == 1, name
        assert page.find("img") == [], name


def test_no_page_has_anything_that_the_policy_forbids_or_that_leads_elsewhere(
    client: FlaskClient, ledger: Ledger
) -> None:
    sign_in(client, SEER)
    for name, page in every_page(client, ledger).items():
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "onclick" not in page.html, name
        assert "<style" not in page.html, name
        assert [link for link in page.links if not link.startswith(("/", "?", "#"))] == [], name


def test_every_page_has_one_heading_of_the_first_level_and_a_title(client: FlaskClient, ledger: Ledger) -> None:
    sign_in(client, SEER)
    for name, page in every_page(client, ledger).items():
        assert len(page.find("h1")) == 1, name
        assert " · tagtrail</title>" in page.html, name


def test_a_page_that_would_say_the_same_is_not_sent_again(client: FlaskClient, ledger: Ledger) -> None:
    sign_in(client, READER)
    ledger.clock.pass_seconds(10)  # beyond the instant at which a timeline's range steps on
    for name, address in addresses(ledger).items():
        tag = visit(client, address).headers["ETag"]
        ledger.clock.pass_seconds(1)
        if name != "compare":
            visit(client, address, headers={"If-None-Match": tag}, status=304)


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/registries/nowhere", 404, "no registry nowhere"),
        ("/registries/main/no/such", 404, "no/such"),
        ("/registries/main/team/app:no-such", 404, "no-such"),
        ("/digests/sha256:" + "0" * 64, 404, "no digest"),
        ("/digests/zz", 404, "no digest"),
        ("/messages/msg_nothing", 404, "no message"),
        ("/log/999999999", 404, "999999999"),
        ("/violations?since=yesterday", 400, "since"),
        ("/violations?nonsense=1", 400, "nonsense"),
        ("/violations?tag=a&tag=b", 400, "given 2 times"),
        ("/violations?cursor=x", 400, "cursor"),
        ("/violations?actor=Ann", 403, "may not see identities"),
        ("/no/such/page", 404, "There is no page at this address"),
    ],
)
def test_what_cannot_be_shown_is_said_on_a_page(client: FlaskClient, address: str, status: int, said: str) -> None:
    sign_in(client, READER)
    page = visit(client, address, status=status)
    assert said in page.text
    assert page.html.startswith("<!doctype html>")
    assert "Content-Security-Policy" in page.headers


def test_the_api_answers_its_failures_in_its_own_form(client: FlaskClient) -> None:
    for address in ("/api/v1/nothing", "/api/v1/tags"):
        answer = client.get(address, headers={"Accept": "text/html"})
        assert answer.content_type == "application/problem+json"
    assert client.get("/nothing").content_type == "application/problem+json", "a program says what it takes"


def test_a_failed_message_is_tried_again_only_by_whoever_may(client: FlaskClient, ledger: Ledger) -> None:
    with ledger.store.writing() as tx:
        release_claims(tx)
        tx.execute("UPDATE deliveries SET state = 'failed', finished_at = made_at")
    address = addresses(ledger)["message"]
    sign_in(client, READER)
    page = visit(client, address)
    assert "Try it again" not in page.text
    refused = client.post(f"{address}/retry", data={"csrf_token": page.csrf})
    assert refused.status_code == 403
    sign_in(client, make_token(ledger.recorder, "operator", ["read", "admin"]))
    page = visit(client, address)
    assert "Try it again" in page.text
    assert client.post(f"{address}/retry").status_code == 400, "a form of another site"
    assert client.post(f"{address}/retry", data={"csrf_token": page.csrf}).status_code == 303
    assert "waiting" in visit(client, address).text
    again = shown(client.post(f"{address}/retry", data={"csrf_token": page.csrf}))
    assert (again.status, "only one that failed" in again.text) == (422, True)


def test_a_ticket_is_tied_to_a_line_once_however_often_the_form_is_sent(client: FlaskClient, ledger: Ledger) -> None:
    sign_in(client, make_token(ledger.recorder, "pipeline", ["read", "deploy"]))
    address = addresses(ledger)["entry"]
    data = {"csrf_token": visit(client, "/").csrf, "relation": "ticket", "change": "OPS-17", "key": "form-1"}
    for _ in range(2):
        answer = client.post(f"{address}/annotations", data=data)
        assert answer.status_code == 303
    assert ledger.rows("SELECT count(*) FROM annotations") == [(1,)]
    assert "ticket OPS-17" in visit(client, "/violations").text
    wrong = shown(client.post(f"{address}/annotations", data=data | {"relation": "wish", "key": "form-2"}))
    assert (wrong.status, "choose one of" in wrong.text) == (400, True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_an_address_is_the_one_that_flask_would_make(client: FlaskClient, page: WebPage) -> None:
    named: dict[str, Any] = {
        "registry": "main", "repository": "team/app_x/y.z", "tag": "v1.0_x", "digest": digest_of("one"),
        "seq": 7, "environment": "production", "delivery": "msg_0198",
    }  # fmt: skip
    values = {name: value for name, value in named.items() if f"{name}>" in page.rule}
    query: dict[str, Any] = {"since": "2026-04-20T14:03:00+02:00", "actor": "a&b=c d/é", "none": None}
    address = Addresses([(page.name, page.rule)])(page.name, **values, **query)
    with client.application.test_request_context():
        made = url_for(f"web.{page.name}", **values, **query)
    assert parse_qs(urlsplit(address).query) == parse_qs(urlsplit(made).query)
    assert urlsplit(address).path == urlsplit(made).path


def test_a_static_file_may_be_kept_for_ever_and_no_other_is_served(client: FlaskClient) -> None:
    links = visit(client, "/sign-in").links
    for link in [link for link in links if link.startswith("/static/")]:
        answer = client.get(link)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        name = link.rpartition("/")[2]
        assert answer.data == (STATIC_FOLDER / name).read_bytes()
        assert client.get(f"/static/000000000000/{name}").status_code == 404
    assert client.get("/static/000000000000/..%2Fblueprint.py").status_code == 404
