"""The answers that `POST /events` may give: 202, 401, 405 and 503, whatever arrives."""

import logging
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tagtrail.app import create_app
from tagtrail.config.load import load, with_ingest_token
from tagtrail.errors import StorageUnavailable
from tagtrail.ledger.batch import Projector
from tagtrail.store import moves
from tagtrail.store.database import Store
from tests.checker import check_ledger
from tests.conftest import Clock
from tests.events import SomeEvent, delete_tag, digest_of, envelope, push


@pytest.fixture
def client(store: Store, clock: Clock) -> FlaskClient:
    """A client of the application that may ask; events need the token."""
    config = with_ingest_token(load(data=store.directory, environ={}))
    client = create_app(config, store=store, clock=clock).test_client()
    client.environ_base["HTTP_HOST"] = "localhost"
    return client


@pytest.fixture
def token(client: FlaskClient, store: Store) -> dict[str, str]:
    return {"Authorization": f"Bearer {(store.directory / 'ingest-token').read_text().strip()}"}


def count(store: Store, table: str) -> int:
    [(rows,)] = store.reader().execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(rows)


def test_a_stored_event_is_answered_202_and_can_be_asked_for(
    client: FlaskClient, token: dict[str, str], store: Store
) -> None:
    assert client.post("/events", data=envelope(push("1.0.0", "a", 1)), headers=token).status_code == 202
    [tag] = client.get("/api/v1/tags").json["items"]  # type: ignore[index]
    assert tag["tag"] == "1.0.0"
    check_ledger(store)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": ""}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}]
)
def test_every_wrong_token_gets_one_and_the_same_answer(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/events", data=envelope(push("1.0.0", "a", 1)), headers=headers)
    assert (answer.status_code, answer.data) == (401, b"a valid ingest token is required\n")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_the_scheme_is_read_in_any_case_and_a_slash_at_the_end_does_no_harm(
    client: FlaskClient, token: dict[str, str]
) -> None:
    headers = {"Authorization": token["Authorization"].replace("Bearer", "bearer")}
    assert client.post("/events/", data=b"{}", headers=headers).status_code == 202


def test_an_ingest_token_opens_no_other_door(client: FlaskClient, token: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "config.yml"
    file.write_text("access: {read: [{value: a-token-for-reading-only}]}")
    config = with_ingest_token(load(file, data=tmp_path / "other", environ={}))
    Store(config.data).prepare()
    closed = create_app(config, store=Store(config.data)).test_client()
    assert closed.get("/api/v1/entries", headers=token).status_code == 401
    reading = {"Authorization": "Bearer a-token-for-reading-only"}
    assert closed.get("/api/v1/entries", headers=reading).status_code == 200
    assert closed.post("/events", data=b"", headers=reading).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_post_is_answered(client: FlaskClient, token: dict[str, str], method: str) -> None:
    answer = client.open("/events", method=method, headers=token)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_what_cannot_be_stored_is_answered_503_with_a_time_to_come_back(
    client: FlaskClient, token: dict[str, str], monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    def fail(*_: Any) -> None:
        raise StorageUnavailable("disk I/O error")

    with monkeypatch.context() as broken:
        broken.setattr(Projector, "project", fail)
        answer = client.post("/events", data=envelope(push("1.0.0", "a", 1)), headers=token)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert count(store, "lines") == 0
    assert client.post("/events", data=envelope(push("1.0.0", "a", 1)), headers=token).status_code == 202


def test_a_defect_of_ours_quarantines_the_event_and_does_not_hold_up_the_registry(
    client: FlaskClient, token: dict[str, str], monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    get_tag_state = moves.get_tag_state

    def stumble(db: Any, tag_id: int) -> Any:
        if db.execute("SELECT name FROM tags WHERE id = ?", (tag_id,)).fetchone() == ("cursed",):
            raise ZeroDivisionError
        return get_tag_state(db, tag_id)

    monkeypatch.setattr(moves, "get_tag_state", stumble)
    pull = SomeEvent(action="pull", digest=digest_of("a"), method="GET", at=3)
    body = envelope(push("cursed", "a", 1), push("fine", "a", 2), pull)
    for _ in range(2):
        assert client.post("/events", data=body, headers=token).status_code == 202
    assert count(store, "traffic") == 1
    [(reason,)] = store.reader().execute("SELECT reason FROM quarantine").fetchall()
    assert "ZeroDivisionError" in reason
    assert count(store, "moves") == 1
    check_ledger(store)


def test_a_body_that_ends_early_is_asked_for_again(client: FlaskClient, token: dict[str, str], store: Store) -> None:
    answer = client.post("/events", data=b"{", headers=token, environ_overrides={"CONTENT_LENGTH": "100"})
    assert answer.status_code == 503
    assert count(store, "lines") == 0


def test_encoded_bodies_are_kept_and_not_decoded(client: FlaskClient, token: dict[str, str], store: Store) -> None:
    headers = {**token, "Content-Encoding": "gzip"}
    assert client.post("/events", data=envelope(push("1.0.0", "a", 1)), headers=headers).status_code == 202
    assert store.reader().execute("SELECT reason FROM quarantine").fetchall() == [
        ("the body has Content-Encoding 'gzip'",)
    ]


@pytest.mark.parametrize("kind", ["application/vnd.docker.distribution.events.v2+json", "application/json", "text/x"])
def test_the_content_type_decides_nothing(client: FlaskClient, token: dict[str, str], store: Store, kind: str) -> None:
    body = envelope(push("1.0.0", "a", 1), delete_tag("1.0.0", 2))
    assert client.post("/events", data=body, headers=token, content_type=kind).status_code == 202
    assert count(store, "moves") == 2


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.one_of(
        st.binary(max_size=300), st.builds(lambda raw: b'{"events":[' + raw + b"]}", st.binary(max_size=200))
    )
)
def test_nothing_in_a_body_causes_another_answer_or_a_traceback(
    client: FlaskClient, token: dict[str, str], caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    assert client.post("/events", data=body, headers=token).status_code == 202
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
