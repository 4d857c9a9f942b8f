"""Where the parts meet: what is configured reaches the door that it is for."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tagtrail.access.tokens import make_token
from tests.api_client import bearer
from tests.application import GUARDED, INGEST, READER, SEER, open_application
from tests.conftest import Ledger
from tests.events import envelope, push
from tests.test_access_failed_authentications import Later


@pytest.fixture
def later() -> Later:
    """What is to be done later; it is done when the test says so."""
    return []


@pytest.fixture
def client(ledger: Ledger, later: Later, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The whole application."""
    monkeypatch.setattr("tagtrail.access.throttle._later", later.append)
    client = open_application(ledger, tmp_path, GUARDED)
    body = envelope(push("prod", "one", 1, actor="ann"))
    assert client.post("/events", data=body, headers=bearer(INGEST)).status_code == 202
    return client


def actors(client: FlaskClient, headers: dict[str, str], peer: str = "127.0.0.1") -> tuple[int, list[str | None]]:
    answer = client.get("/api/v1/tags", headers=headers, environ_base={"REMOTE_ADDR": peer})
    return answer.status_code, [item["actor"] for item in (answer.json or {}).get("items", ())]


def test_a_configured_token_has_the_scopes_of_its_lists(client: FlaskClient, ledger: Ledger) -> None:
    assert actors(client, bearer(READER)) == (200, [None])
    assert actors(client, bearer(SEER)) == (200, ["ann"])
    [(line,)] = ledger.rows("SELECT line FROM lines WHERE line LIKE '%exported%'")
    assert b'"token":"access.read[1]"' in line


def test_stored_tokens_and_the_proxy_work_beside_it(client: FlaskClient, ledger: Ledger) -> None:
    text = make_token(ledger.recorder, "board", ["read"])
    assert actors(client, bearer(text)) == (200, [None])
    assert actors(client, {"X-User": "bob"}, "192.0.2.1") == (200, [None])
    assert actors(client, {"X-User": "bob"}, "192.0.2.2") == (401, [])


@pytest.mark.parametrize("token", [INGEST, "another", ""])
def test_a_token_of_ingest_opens_no_other_door(client: FlaskClient, token: str) -> None:
    assert actors(client, bearer(token)) == (401, [])


@pytest.mark.parametrize("token", [READER, SEER])
def test_no_other_token_opens_ingest(client: FlaskClient, token: str) -> None:
    assert client.post("/events", data=envelope(push("prod", "two", 2)), headers=bearer(token)).status_code == 401


def test_each_door_counts_whom_it_refused(client: FlaskClient, ledger: Ledger, later: Later) -> None:
    for _ in range(15):
        assert client.post("/events", headers=bearer("wrong")).status_code == 401
        assert actors(client, bearer("wrong"))[0] in (401, 429)
    later.pop()()
    assert later == []
    assert ledger.rows("SELECT door, refusals FROM refusals ORDER BY door") == [("api", 15), ("events", 15)]
