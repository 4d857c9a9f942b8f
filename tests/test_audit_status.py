"""`/api/v1/status` tells a monitor how the ledger is doing."""

from pathlib import Path

from tagtrail.ledger.seal.sealer import LogPlace, Sealer
from tagtrail.store.verification import Verification, keep_verification
from tests.asking import make_client
from tests.conftest import Ledger
from tests.events import push


def test_before_anything_was_signed_or_verified_it_says_null(ledger: Ledger) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    status = make_client(ledger).get("/api/v1/status").get_json()
    assert (status["lines"], status["quarantined"]) == (2, 0)
    assert {status[name] for name in status if name.startswith(("checkpoint", "verif"))} == {None}


def test_ages_are_in_seconds_and_trouble_is_told(ledger: Ledger, tmp_path: Path) -> None:
    ledger.receive(push("1.0.0", "one", 1))
    ledger.receive_body(b"junk")
    place = LogPlace("tagtrail.example", tmp_path / "key.pem", tmp_path / "journal")
    Sealer(ledger.store, place, clock=ledger.clock).seal()
    with ledger.store.writing() as tx:
        keep_verification(tx, Verification(ledger.clock(), 3, "line 1 is not what its hash says"))
    ledger.clock.pass_seconds(90)
    status = make_client(ledger).get("/api/v1/status").get_json()
    assert status["quarantined"] == 1
    assert (status["checkpoint_lines"], status["checkpoint_age_seconds"]) == (3, 90.0)
    assert (status["verified_lines"], status["verified_age_seconds"]) == (3, 90.0)
    assert status["verification_ok"] is False
    assert status["verification_trouble"] == "line 1 is not what its hash says"
