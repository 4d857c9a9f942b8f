"""`/api/v1/status` tells a monitor how the ledger is doing."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tagtrail.health import Readiness, make_health_blueprint
from tagtrail.server.watch import Watch
from tagtrail.store.status import Verification, keep_verification
from tagtrail.tlog.signer import LogPlace, LogSigner
from tests.api_client import make_client
from tests.application import OPEN, open_application
from tests.conftest import Ledger
from tests.events import push


@pytest.fixture
def place(tmp_path: Path) -> LogPlace:
    return LogPlace("tagtrail.example", tmp_path / "key.pem", tmp_path / "journal")


@pytest.fixture
def watch(ledger: Ledger, place: LogPlace) -> Watch:
    """What a worker process does beside answering; it verifies nothing here."""
    log_signer = LogSigner(ledger.store, place, clock=ledger.clock)
    return Watch(
        ledger.store, log_signer, checkpoint_every=60, verify_every=3_600, verifying=["true"], clock=ledger.clock
    )


def make_probe(ledger: Ledger) -> FlaskClient:
    app = Flask("probe", static_folder=None)
    app.register_blueprint(make_health_blueprint(Readiness(ledger.store, clock=ledger.clock)))
    return app.test_client()


def ask(ledger: Ledger) -> dict[str, Any]:
    status: dict[str, Any] = make_client(ledger).get("/api/v1/status").get_json()
    return status


def test_before_anything_was_signed_or_verified_it_says_null(ledger: Ledger) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    status = make_client(ledger).get("/api/v1/status").get_json()
    assert (status["lines"], status["quarantined"]) == (2, 0)
    assert {status[name] for name in status if name.startswith(("checkpoint", "verif"))} == {None}


def test_ages_are_in_seconds_and_trouble_is_told(ledger: Ledger, tmp_path: Path) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    ledger.receive_body(b"junk")
    place = LogPlace("tagtrail.example", tmp_path / "key.pem", tmp_path / "journal")
    LogSigner(ledger.store, place, clock=ledger.clock).sign()
    with ledger.store.writing() as tx:
        keep_verification(tx, Verification(ledger.clock(), 3, "line 1 is not what its hash says"))
    ledger.clock.pass_seconds(90)
    status = make_client(ledger).get("/api/v1/status").get_json()
    assert status["quarantined"] == 1
    assert (status["checkpoint_lines"], status["checkpoint_age_seconds"]) == (3, 90.0)
    assert (status["verified_lines"], status["verified_age_seconds"]) == (3, 90.0)
    assert status["verification_ok"] is False
    assert status["verification_problem"] == "line 1 is not what its hash says"


def spoil_key(place: LogPlace) -> None:
    place.key.chmod(0o644)


def mend_key(place: LogPlace) -> None:
    place.key.chmod(0o600)


def spoil_journal(place: LogPlace) -> None:
    keys = place.journal / "epoch-1" / "keys.vkey"
    keys.rename(keys.with_name("kept"))
    keys.symlink_to("/proc/nowhere/keys.vkey")


def mend_journal(place: LogPlace) -> None:
    keys = place.journal / "epoch-1" / "keys.vkey"
    keys.unlink()
    keys.with_name("kept").rename(keys)


@pytest.mark.parametrize(("spoil", "mend"), [(spoil_key, mend_key), (spoil_journal, mend_journal)])
def test_that_nothing_is_signed_any_more_is_told_until_it_is(
    spoil: Any, mend: Any, ledger: Ledger, place: LogPlace, watch: Watch
) -> None:
    probe = make_probe(ledger)
    ledger.receive(push("1.0.0", "one", 1))
    watch.look(age=0)
    spoil(place)
    ledger.clock.pass_seconds(86_400)
    assert ask(ledger)["signing_ok"], "a checkpoint may be old where nothing has happened since"
    ledger.receive(push("1.0.1", "two", 2), push("1.0.2", "three", 3))
    ledger.clock.pass_seconds(299)
    watch.look(age=0)
    status = ask(ledger)
    assert (status["signing_ok"], status["signing_problem"], status["unsigned_lines"]) == (True, None, 2)
    assert probe.get("/readyz").text == "ready\n"
    ledger.clock.pass_seconds(2)
    watch.look(age=0)
    status, answer = ask(ledger), probe.get("/readyz")
    assert status["signing_ok"] is False
    assert 301 <= status["unsigned_age_seconds"] < 302
    assert status["signing_problem"].startswith("the ledger is no longer signed: 2 lines wait for a checkpoint")
    assert (answer.status_code, answer.text) == (200, f"ready\n{status['signing_problem']}\n")
    mend(place)
    watch.look(age=0)
    status = ask(ledger)
    assert (status["signing_ok"], status["unsigned_lines"], status["unsigned_age_seconds"]) == (True, 0, None)
    assert probe.get("/readyz").text == "ready\n"


def test_a_log_that_was_never_signed_is_told_too(ledger: Ledger) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    assert ask(ledger)["signing_ok"]
    ledger.clock.pass_seconds(400)
    assert "2 lines wait" in ask(ledger)["signing_problem"]


def test_how_long_a_line_may_wait_goes_by_checkpoint_every(ledger: Ledger, tmp_path: Path) -> None:
    client = open_application(ledger, tmp_path, OPEN + "ledger: {checkpoint_every: 10s}\n")
    ledger.receive(push("1.0.0", "one", 1))
    for seconds, is_ok in ((50, True), (1, False)):
        ledger.clock.pass_seconds(seconds)
        assert client.get("/api/v1/status").get_json()["signing_ok"] is is_ok
    assert "is no longer signed" in client.get("/readyz").text
