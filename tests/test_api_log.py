"""`/log`: the checkpoint for everybody, and the proof of a line for whoever may read."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tagtrail.access.callers import Authenticator
from tagtrail.api.log import make_log_blueprint
from tagtrail.api.problems import register_errors
from tagtrail.app import add_security_headers
from tagtrail.store.lines import get_line
from tagtrail.tlog.proofs import read_proof
from tests.conftest import Clock
from tests.events import push
from tests.signed_log import Log, checkpoint_of, make_log

READER = hashlib.sha256(b"reader").digest()
ELSEWHERE = {"Host": "tagtrail.example"}


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    """Five lines, of which nothing is signed yet."""
    log = make_log(tmp_path, clock)
    log.ledger.receive(*(push("latest", f"image {at}", at) for at in range(1, 6)))
    yield log
    log.ledger.store.close()


def client_of(log: Log, access: Authenticator) -> FlaskClient:
    app = Flask("log", static_folder=None)
    app.after_request(add_security_headers)
    register_errors(app)
    app.register_blueprint(make_log_blueprint(store=log.ledger.store, access=access))
    return app.test_client()


@pytest.fixture
def client(log: Log) -> FlaskClient:
    return client_of(log, Authenticator())


def test_before_the_first_checkpoint_it_says_so(client: FlaskClient) -> None:
    for path in ("/log/checkpoint", "/log/proof?seq=0"):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
        assert answer.json is not None
        assert answer.json["detail"].startswith("nothing was signed yet")


def test_the_checkpoint_is_what_was_signed(log: Log, client: FlaskClient) -> None:
    signed = log.log_signer.sign()
    answer = client.get("/log/checkpoint")
    assert (answer.text, answer.content_type) == (signed.note, "text/plain; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert client.get("/log/checkpoint", headers=tag).status_code == 304
    log.ledger.receive(push("latest", "more", 9))
    log.log_signer.sign()
    assert client.get("/log/checkpoint", headers=tag).status_code == 200


def test_everybody_may_have_the_checkpoint_and_only_readers_a_proof(log: Log) -> None:
    log.log_signer.sign()
    client = client_of(log, Authenticator(configured=[(READER, "reader", frozenset({"read"}))]))
    assert client.get("/log/checkpoint", headers=ELSEWHERE).status_code == 200
    assert client.get("/log/proof?seq=0", headers=ELSEWHERE).status_code == 401
    bearer = {"Authorization": "Bearer reader"}
    assert client.get("/log/proof?seq=0", headers=ELSEWHERE | bearer).status_code == 200


def test_a_proof_proves_its_line_under_the_newest_or_an_older_checkpoint(log: Log, client: FlaskClient) -> None:
    old = log.log_signer.sign()
    log.ledger.receive(push("latest", "more", 9))
    new = log.log_signer.sign()
    line = get_line(log.ledger.store.reader(), 3)
    assert line is not None
    for path, signed in (("/log/proof?seq=3", new), (f"/log/proof?seq=3&size={old.size}", old)):
        answer = client.get(path)
        assert answer.content_type == "text/plain; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="line-3.tlog-proof"'
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert read_proof(answer.text).verify(line.line, log.log_signer.verifier_keys()) == checkpoint_of(signed.note)


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("", 400, "seq is missing"),
        ("seq=", 400, "write a number"),
        ("seq=-1", 400, "write a number"),
        ("seq=1e3", 400, "write a number"),
        ("seq=" + "9" * 5_000, 400, "write a number"),
        ("seq=1&seq=2", 400, "is given 2 times"),
        ("seq=1&tree=5", 400, "there is no parameter 'tree'"),
        ("seq=1&size=x", 400, "size is 'x'"),
        ("seq=3&size=2", 404, "no checkpoint was signed at 2 lines"),
        ("seq={size}", 404, "line {size} is under no checkpoint yet; ask again when"),
        ("seq={size}0", 404, "there is no line {size}0"),
        ("seq=999999999999999", 404, "there is no line"),
    ],
)
def test_what_cannot_be_proved_is_answered_with_the_reason(
    log: Log, client: FlaskClient, query: str, status: int, said: str
) -> None:
    size = str(log.log_signer.sign().size)
    log.ledger.receive(push("latest", "more", 9))
    answer = client.get("/log/proof?" + query.replace("{size}", size))
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert answer.json is not None
    assert said.replace("{size}", size) in answer.json["detail"]


def test_a_line_above_the_asked_checkpoint_is_no_part_of_it(log: Log, client: FlaskClient) -> None:
    size = log.log_signer.sign().size
    log.ledger.receive(push("latest", "more", 9))
    log.log_signer.sign()
    answer = client.get(f"/log/proof?seq={size}&size={size}")
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["parameter"] == "size"


def test_the_checkpoint_takes_no_parameter(client: FlaskClient) -> None:
    assert client.get("/log/checkpoint?size=3").status_code == 400


def test_a_ledger_that_is_not_what_was_signed_gives_no_proof(log: Log, client: FlaskClient) -> None:
    log.log_signer.sign()
    log.tamper("UPDATE lines SET leaf = zeroblob(32) WHERE seq = 2")
    answer = client.get("/log/proof?seq=1")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
