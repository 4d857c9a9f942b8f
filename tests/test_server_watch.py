"""The watch of a worker process: what it does when the clock, the disk or the ledger is not as it should be."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagtrail.server.watch import Watch
from tagtrail.store.status import Verification, keep_verification
from tests.conftest import Clock
from tests.events import push
from tests.signed_log import Log, make_log

HOUR = 3_600.0


class Verifying:
    """The command that verifies, counted and not run."""

    def __init__(self) -> None:
        self.begun = 0

    def __call__(self, *_: object, **__: Any) -> "Verifying":
        self.begun += 1
        return self

    def poll(self) -> int:
        """It has ended."""
        return 0


@pytest.fixture
def verifying(monkeypatch: pytest.MonkeyPatch) -> Verifying:
    verifying = Verifying()
    monkeypatch.setattr(subprocess, "Popen", verifying)
    return verifying


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    log = make_log(tmp_path, clock)
    yield log
    log.ledger.store.close()


@pytest.fixture
def watch(log: Log) -> Watch:
    return Watch(
        log.ledger.store,
        log.log_signer,
        checkpoint_every=60,
        verify_every=24 * HOUR,
        verifying=["verify"],
        clock=log.ledger.clock,
    )


def keep(log: Log) -> None:
    with log.ledger.store.writing() as tx:
        keep_verification(tx, Verification(log.ledger.clock(), 1, None))


def test_it_is_verified_once_in_that_time(watch: Watch, log: Log, verifying: Verifying) -> None:
    for hour in range(49):
        before = verifying.begun
        watch.look(age=30)
        if verifying.begun > before:
            assert hour % 24 == 0
            keep(log)
        log.ledger.clock.pass_seconds(HOUR)
    assert verifying.begun == 3


def test_a_verification_that_left_no_outcome_is_not_begun_again_at_once(
    watch: Watch, log: Log, verifying: Verifying
) -> None:
    for _ in range(60):
        watch.look(age=30)
        log.ledger.clock.pass_seconds(30)
    assert verifying.begun == 1
    log.ledger.clock.pass_seconds(HOUR)
    watch.look(age=30)
    assert verifying.begun == 2


def test_a_clock_that_was_set_back_keeps_it_from_nothing(watch: Watch, log: Log, verifying: Verifying) -> None:
    watch.look(age=0)
    keep(log)
    log.ledger.receive(push("1.0.0", "one", 1))
    log.ledger.clock.pass_seconds(-365 * 24 * HOUR)
    watch.look(age=30)
    assert verifying.begun == 2
    assert log.log_signer.sign_if_due(age=0) is None, "it is signed already"


def test_a_ledger_that_cannot_be_signed_is_verified_all_the_same(watch: Watch, log: Log, verifying: Verifying) -> None:
    log.log_signer.sign()
    log.ledger.receive(push("1.0.0", "one", 1))
    log.place.key.unlink()
    watch.look(age=0)
    assert verifying.begun == 1


def test_a_verification_that_is_under_way_ends_with_its_service(log: Log) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    watch = Watch(log.ledger.store, log.log_signer, checkpoint_every=60, verify_every=HOUR, verifying=command)
    watch.stop()  # nothing is under way
    begun: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def note(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
        begun.append(real(*arguments, **options))
        return begun[-1]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess, "Popen", note)
        watch.look(age=60)
    assert [each.poll() for each in begun] == [None]
    watch.stop()
    assert [each.returncode for each in begun] == [-signal.SIGTERM]
