"""Who may ask, and what: by configured and stored tokens, by a trusted proxy, or because the service is open."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from tagtrail.access.callers import Authenticator, NotAllowed
from tagtrail.access.scopes import SCOPES, Proxy, Scope, find_bearer, hash_token, parse_address
from tagtrail.access.throttle import Throttle
from tagtrail.access.tokens import make_token, revoke_token
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.store.tokens import StoredToken, find_tokens
from tagtrail.trail.names import is_loopback
from tests.api_client import bearer, make_client
from tests.conftest import Ledger
from tests.events import push

DEPLOYMENT = {"environment": "production", "reference": "team/app:prod"}
ELSEWHERE = {"Host": "tagtrail.example"}
PROXY = Proxy(
    addresses=(ip_network("10.0.0.0/28"), ip_network("2001:db8::7")),
    user_header="Remote-User",
    groups_header="Remote-Groups",
    groups=(("auditors", ("read", "identity")), ("pipelines", ("deploy",)), ("owners", ("admin",))),
)
THE_PROXY, SOMEBODY = "10.0.0.7", "192.0.2.9"


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def configured(token: str, *scopes: Scope) -> tuple[bytes, str, frozenset[Scope]]:
    return digest(token), f"access.{scopes[0]}[0]", frozenset(scopes)


def guarded(**more: Any) -> Authenticator:
    tokens = [configured("reader", "read"), configured("deployer", "deploy"), configured("both", "read", "deploy")]
    return Authenticator(configured=tokens, **more)


def with_stored(ledger: Ledger, **more: Any) -> Authenticator:
    """Access by the tokens in the ledger's database, asked through a store of its own, as another process would."""
    store = Store(ledger.store.directory)

    def find_stored() -> list[StoredToken]:
        with store.snapshot() as db:
            return find_tokens(db)

    return Authenticator(find_stored=find_stored, clock=ledger.clock, **more)


def status_of(client: FlaskClient, path: str = "/entries", *, peer: str = "127.0.0.1", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = client.get(f"/api/v1{path}", headers=ELSEWHERE | named, environ_base={"REMOTE_ADDR": peer})
    return sent.status_code


@pytest.mark.parametrize(
    ("headers", "reading", "declaring"),
    [
        ({}, 401, 401),
        (bearer("wrong"), 401, 401),
        (bearer(""), 401, 401),
        ({"Authorization": "reader"}, 401, 401),
        ({"Authorization": "Basic reader"}, 401, 401),
        (bearer("reader"), 200, 403),
        (bearer("deployer"), 403, 201),
        (bearer("both"), 200, 201),
    ],
)
def test_each_token_opens_its_own_doors(ledger: Ledger, headers: dict[str, str], reading: int, declaring: int) -> None:
    ledger.receive(push("prod", "one", 1))
    client = make_client(ledger, guarded())
    for path in ("/entries", "/entries.csv", "/openapi.json", "/registries"):
        answer = client.get(f"/api/v1{path}", headers={**headers, **ELSEWHERE})
        assert answer.status_code == reading
        assert reading == 200 or answer.mimetype == "application/problem+json"
        assert ("WWW-Authenticate" in answer.headers) == (reading == 401)
    answer = client.post("/api/v1/deployments", json=DEPLOYMENT, headers=headers)
    assert answer.status_code == declaring


def test_no_and_wrong_tokens_are_answered_alike(ledger: Ledger) -> None:
    client = make_client(ledger, guarded())
    answers = [client.get("/api/v1/entries", headers=headers) for headers in ({}, bearer("wrong"), bearer("x" * 5000))]
    assert len({answer.data for answer in answers}) == 1


# Stored tokens


def test_a_stored_token_opens_what_its_scopes_say(ledger: Ledger) -> None:
    client = make_client(ledger, with_stored(ledger))
    text = make_token(ledger.recorder, "board", ["read"])
    assert status_of(client, **bearer(text)) == 200
    assert client.post("/api/v1/deployments", json=DEPLOYMENT, headers=bearer(text)).status_code == 403
    assert status_of(client, **bearer(text[:-1])) == 401


def test_revoking_counts_at_once_in_every_process(ledger: Ledger) -> None:
    client = make_client(ledger, with_stored(ledger))
    text = make_token(ledger.recorder, "board", ["read"])
    assert status_of(client, **bearer(text)) == 200
    another_process = Store(ledger.store.directory)
    revoke_token(another_process, Recorder(another_process, clock=ledger.clock), "board")
    another_process.close()
    assert status_of(client, **bearer(text)) == 401


def test_an_expired_token_opens_nothing_and_leaves_the_service_closed(ledger: Ledger) -> None:
    client = make_client(ledger, with_stored(ledger))
    text = make_token(ledger.recorder, "board", ["read"], expires_at=ledger.clock() + 60 * 10**9)
    ledger.clock.pass_seconds(59)
    assert status_of(client, **bearer(text)) == 200
    ledger.clock.pass_seconds(1)
    assert status_of(client, **bearer(text)) == 401
    assert client.get("/api/v1/entries").status_code == 401


def test_the_first_token_closes_an_open_service_and_revoking_it_does_not_open_it(ledger: Ledger) -> None:
    client = make_client(ledger, with_stored(ledger))
    assert client.get("/api/v1/entries").status_code == 200
    make_token(ledger.recorder, "board", ["read"])
    assert client.get("/api/v1/entries").status_code == 401
    revoke_token(ledger.store, ledger.recorder, "board")
    assert client.get("/api/v1/entries").status_code == 401


# Open access


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.7:8080", "[2001:db8::1]:80"]
)
def test_without_tokens_a_page_of_another_name_reaches_nothing(ledger: Ledger, host: str) -> None:
    client = make_client(ledger)
    answer = client.get("/api/v1/entries", headers={"Host": host})
    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert client.post("/api/v1/deployments", json=DEPLOYMENT, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LOCALHOST:1", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"]
)
def test_without_tokens_this_machine_is_answered(ledger: Ledger, host: str) -> None:
    assert make_client(ledger).get("/api/v1/entries", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("site", "destination", "status"),
    [
        ("cross-site", "image", 403),
        ("cross-site", "iframe", 403),
        ("cross-site", "empty", 403),
        ("cross-site", "document", 200),  # somebody followed a link
        ("same-site", "empty", 403),  # another port of the same machine
        ("same-site", "document", 200),
        ("same-origin", "empty", 200),
        ("none", "document", 200),
    ],
)
def test_a_page_of_another_site_cannot_have_a_browser_ask(
    ledger: Ledger, site: str, destination: str, status: int
) -> None:
    sent = {"Sec_Fetch_Site": site, "Sec_Fetch_Dest": destination}
    assert status_of(make_client(ledger), Host="localhost", **sent) == status
    client = make_client(ledger, access=Authenticator(proxy=replace(PROXY, everyone=("read",))))
    assert status_of(client, peer=THE_PROXY, Remote_User="alice", **sent) == status
    assert status_of(make_client(ledger, access=guarded()), Authorization="Bearer reader", **sent) == 200


def test_a_host_that_is_none_is_not_this_machine() -> None:
    assert not any(is_loopback(host) for host in ("", ":", "[", "[]", "10.0.0.1", "127.0.0.1.example", "::1x"))


def test_only_the_same_text_has_the_hash_of_a_token() -> None:
    """A lone surrogate stands for a byte that is no text: it raises nothing and equals no other text."""
    texts = ["t\u00e9", "t\udcc3\udca9", "t\ud800", "t\udcff", "t?"]
    assert len({hash_token(text) for text in texts}) == len(texts)
    assert all(find_bearer(f"Bearer {text}", [(digest("t?"), "found")]) is None for text in texts[:-1])


@pytest.mark.parametrize("scope", SCOPES)
def test_open_means_everything_but_administration(scope: Scope) -> None:
    with Flask("somebody").test_request_context("/"):
        if scope == "admin":
            with pytest.raises(NotAllowed, match="a token is required to change the service"):
                Authenticator().require(request, scope)
        else:
            caller = Authenticator().require(request, scope)
            assert (caller.kind, caller.name, caller.token, caller.user) == ("anonymous", "", None, "")


def test_what_others_can_reach_is_never_open(ledger: Ledger) -> None:
    assert make_client(ledger, Authenticator(may_be_open=False)).get("/api/v1/entries").status_code == 401


@pytest.mark.parametrize("sent", [{"data": b"{}"}, {"data": b"{}", "content_type": "text/plain"}, {"data": {"a": "b"}}])
def test_what_a_web_page_can_send_unasked_is_refused(ledger: Ledger, sent: dict[str, Any]) -> None:
    answer = make_client(ledger).post("/api/v1/deployments", **sent)
    assert (answer.status_code, answer.mimetype) == (415, "application/problem+json")


# A proxy


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        (THE_PROXY, {"Remote_User": "ann", "Remote_Groups": "auditors"}, 200),
        (THE_PROXY, {"Remote_User": "ann", "Remote_Groups": "staff, auditors"}, 200),
        (THE_PROXY, {"Remote_User": "ann", "Remote_Groups": "staff|auditors"}, 200),
        (f"::ffff:{THE_PROXY}", {"Remote_User": "ann", "Remote_Groups": "auditors"}, 200),
        ("2001:db8::7", {"Remote_User": "ann", "Remote_Groups": "auditors"}, 200),
        (THE_PROXY, {"Remote_User": "ann", "Remote_Groups": "Auditors"}, 403),
        (THE_PROXY, {"Remote_User": "ann"}, 403),
        (THE_PROXY, {"Remote_User": "", "Remote_Groups": "auditors"}, 401),
        (THE_PROXY, {"Remote_Groups": "auditors"}, 401),
        (THE_PROXY, {"Remote_User": "ann", "Remote_Groups": "auditors"} | bearer("wrong"), 401),
        (THE_PROXY, {"Remote_User": "ann", "Remote_Groups": "auditors", "Authorization": "Basic YTpi"}, 200),
        (THE_PROXY, {"Remote_User": "ann"} | bearer("reader"), 200),
        ("10.0.0.16", {"Remote_User": "ann", "Remote_Groups": "auditors"}, 401),
        (SOMEBODY, {"Remote_User": "ann", "Remote_Groups": "auditors"}, 401),
        (SOMEBODY, {"Remote_User": "ann", "Remote_Groups": "auditors", "X_Forwarded_For": THE_PROXY}, 401),
        ("", {"Remote_User": "ann", "Remote_Groups": "auditors"}, 401),
        ("127.0.0.1", {"Remote_User": "ann", "Remote_Groups": "auditors"}, 401),
    ],
)
def test_a_user_is_believed_from_the_proxys_address_only(
    ledger: Ledger, peer: str, headers: dict[str, str], status: int
) -> None:
    client = make_client(ledger, guarded(proxy=PROXY))
    assert status_of(client, peer=peer, **headers) == status


def test_a_proxy_closes_the_service(ledger: Ledger) -> None:
    assert make_client(ledger, Authenticator(proxy=PROXY)).get("/api/v1/entries").status_code == 401


def test_everyone_whom_the_proxy_names_may_do_what_everyone_may(ledger: Ledger) -> None:
    proxy = Proxy((ip_network(THE_PROXY),), "Remote-User", everyone=("read",))
    client = make_client(ledger, Authenticator(proxy=proxy))
    assert status_of(client, peer=THE_PROXY, Remote_User="ann") == 200
    headers = ELSEWHERE | {"Remote-User": "ann"}
    answer = client.post(
        "/api/v1/deployments", json=DEPLOYMENT, headers=headers, environ_base={"REMOTE_ADDR": THE_PROXY}
    )
    assert answer.status_code == 403


# Failed authentications


@pytest.fixture
def ticks() -> list[float]:
    return [0.0]


@pytest.fixture
def throttled(ledger: Ledger, ticks: list[float]) -> Callable[..., FlaskClient]:
    def make(**more: Any) -> FlaskClient:
        return make_client(ledger, guarded(throttle=Throttle(monotonic=lambda: ticks[0]), **more))

    return make


def test_ten_refusals_in_a_minute_are_enough(throttled: Callable[..., FlaskClient], ticks: list[float]) -> None:
    client = throttled()
    assert [status_of(client, peer=SOMEBODY, **bearer("guess")) for _ in range(12)] == [401] * 10 + [429] * 2
    answer = client.get("/api/v1/entries", headers=ELSEWHERE, environ_base={"REMOTE_ADDR": SOMEBODY})
    assert (answer.headers["Retry-After"], answer.mimetype) == ("60", "application/problem+json")
    assert status_of(client, peer=SOMEBODY, **bearer("reader")) == 429, "a right guess is answered as a wrong one"
    assert status_of(client, peer="192.0.2.10", **bearer("reader")) == 200
    ticks[0] = 60.0
    assert status_of(client, peer=SOMEBODY, **bearer("reader")) == 200


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", THE_PROXY])
def test_behind_a_proxy_one_caller_cannot_lock_out_the_others(throttled: Callable[..., FlaskClient], peer: str) -> None:
    client = throttled(proxy=PROXY)
    assert [status_of(client, peer=peer, **bearer("guess")) for _ in range(11)] == [401] * 10 + [429]
    assert status_of(client, peer=peer, **bearer("reader")) == 200


def test_a_page_of_another_site_cannot_lock_out_whose_browser_shows_it(throttled: Callable[..., FlaskClient]) -> None:
    client, counted = throttled(), {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "image"}
    assert {status_of(client, peer=SOMEBODY, **counted) for _ in range(12)} == {403}
    assert status_of(client, peer=SOMEBODY, **bearer("reader")) == 200


def test_every_failed_authentication_is_counted(throttled: Callable[..., FlaskClient]) -> None:
    counted: list[int] = []
    client = throttled(count_failure=lambda: counted.append(1))
    for token in ("guess",) * 12 + ("reader", "deployer"):
        status_of(client, peer=THE_PROXY, **bearer(token))
    assert len(counted) == 12


def test_what_was_presented_is_not_logged(
    throttled: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture
) -> None:
    status_of(throttled(), "/entries?token=secret", peer=SOMEBODY, **bearer("guess-what"))
    [record] = caplog.records
    assert record.__dict__["fields"] == {"address": SOMEBODY}
    assert "guess" not in record.getMessage()


# Comparing


def test_every_token_is_compared_and_the_last_that_fits_counts() -> None:
    known = [(digest("a"), 1), (digest("b"), 2)]
    assert [find_bearer(f"Bearer {token}", known) for token in ("a", "b", "c")] == [1, 2, None]
    assert find_bearer(None, known) is None
    assert find_bearer("a", known) is None


def test_an_address_is_what_the_socket_says() -> None:
    assert str(parse_address("::ffff:10.0.0.7")) == "10.0.0.7"
    assert parse_address("") is parse_address("unix:") is None
