"""Who may ask and who may declare a deployment."""

import hashlib
from typing import Any

import pytest

from tagtrail.access import find_bearer
from tagtrail.audit.access import Access, is_loopback
from tests.asking import make_client
from tests.conftest import Ledger
from tests.events import push

DEPLOYMENT = {"environment": "production", "reference": "team/app:prod"}


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


GUARDED = Access(
    read=(digest("reader"), digest("both")),
    deploy=(digest("deployer"), digest("both")),
    reading_is_open=False,
    declaring_is_open=False,
)


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
def test_each_token_opens_its_own_door(ledger: Ledger, headers: dict[str, str], reading: int, declaring: int) -> None:
    ledger.receive(push("prod", "one", 1))
    client = make_client(ledger, GUARDED)
    for path in ("/entries", "/entries.csv", "/openapi.json", "/registries"):
        answer = client.get(f"/api/v1{path}", headers={**headers, "Host": "tagtrail.example"})
        assert answer.status_code == reading
        assert reading == 200 or answer.mimetype == "application/problem+json"
        assert ("WWW-Authenticate" in answer.headers) == (reading == 401)
    answer = client.post("/api/v1/deployments", json=DEPLOYMENT, headers=headers)
    assert answer.status_code == declaring


def test_no_and_wrong_tokens_are_answered_alike(ledger: Ledger) -> None:
    client = make_client(ledger, GUARDED)
    answers = [client.get("/api/v1/entries", headers=headers) for headers in ({}, bearer("wrong"), bearer("x" * 5000))]
    assert len({answer.data for answer in answers}) == 1


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


def test_a_host_that_is_none_is_not_this_machine() -> None:
    assert not any(is_loopback(host) for host in ("", ":", "[", "[]", "10.0.0.1", "127.0.0.1.example", "::1x"))


def test_without_deploy_tokens_beside_read_tokens_nobody_may_declare(ledger: Ledger) -> None:
    access = Access(read=(digest("reader"),), reading_is_open=False, declaring_is_open=False)
    answer = make_client(ledger, access).post("/api/v1/deployments", json=DEPLOYMENT, headers=bearer("reader"))
    assert answer.status_code == 403


@pytest.mark.parametrize("sent", [{"data": b"{}"}, {"data": b"{}", "content_type": "text/plain"}, {"data": {"a": "b"}}])
def test_what_a_web_page_can_send_unasked_is_refused(ledger: Ledger, sent: dict[str, Any]) -> None:
    answer = make_client(ledger).post("/api/v1/deployments", **sent)
    assert (answer.status_code, answer.mimetype) == (415, "application/problem+json")


def test_every_token_is_compared_and_the_last_that_fits_counts() -> None:
    known = [(digest("a"), 1), (digest("b"), 2)]
    assert [find_bearer(f"Bearer {token}", known) for token in ("a", "b", "c")] == [1, 2, None]
    assert find_bearer(None, known) is None
    assert find_bearer("a", known) is None
