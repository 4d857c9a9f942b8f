"""The signed log of a whole service: real processes, real restarts, an old backup put back."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tagtrail.store.database import Store
from tagtrail.store.tree import iterate_checkpoints
from tagtrail.tlog.note import read_note, read_verifier_key
from tests.checker import check_ledger
from tests.events import envelope, push
from tests.real import TOKEN, Service, eventually
from tests.signed_log import checkpoint_of

SETTINGS: dict[str, Any] = {"ledger": {"name": "tagtrail.example", "checkpoint_every": "1s", "verify_every": "1m"}}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path / "service", SETTINGS)
    yield service
    service.process.kill()


def send(service: Service, first: int, count: int) -> None:
    for at in range(first, first + count):
        body = envelope(push(f"1.0.{at}", f"image {at}", at))
        answer = requests.post(f"{service.url}/events", body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        assert answer.status_code == 202


def published(service: Service) -> int:
    """The size of the checkpoint that the service publishes."""
    answer = requests.get(f"{service.url}/log/checkpoint", timeout=10)
    return checkpoint_of(answer.text).size if answer.status_code == 200 else 0


def run(service: Service, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "tagtrail", *arguments, "--config", str(service.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def stored_lines(service: Service) -> list[bytes]:
    store = Store(service.data)
    lines = [row[0] for row in store.reader().execute("SELECT line FROM lines ORDER BY seq")]
    store.close()
    return lines


def test_it_is_signed_at_start_after_growth_and_at_the_stop(service: Service) -> None:
    service.start()
    eventually(lambda: published(service) == 2, "the rules and the start are signed")
    send(service, 1, 5)
    eventually(lambda: published(service) == 2 + 6, "five pushes and the registry's start are signed")
    service.process.stop()
    lines = stored_lines(service)
    assert json.loads(lines[-1])["kind"] == "stopped"
    printed = run(service, "log", "checkpoint").stdout
    assert checkpoint_of(printed).size == len(lines)
    key = read_verifier_key(run(service, "log", "key", "show").stdout)
    assert read_note(printed).verify([key]) == [key]


def test_of_several_worker_processes_one_signs(service: Service) -> None:
    service.start()
    for at in range(4):
        send(service, 1 + at * 10, 10)
    eventually(lambda: published(service) == 2 + 1 + 40, "all is signed")
    service.process.stop()
    store = Store(service.data)
    sizes = [each.size for each in iterate_checkpoints(store.reader())]
    assert len(sizes) == len(set(sizes))
    check_ledger(store)
    store.close()
    journalled = b"".join(path.read_bytes() for path in sorted(service.data.glob("journal/epoch-1/*.ndjson")))
    assert journalled.splitlines() == stored_lines(service), "each line is in the journal once, in order"


def test_a_kill_leaves_a_log_that_goes_on(service: Service) -> None:
    for round_ in range(4):
        service.start()
        send(service, 1 + round_ * 10, 10)
        service.process.kill()
    service.start()
    service.process.stop()
    assert run(service, "log", "verify").returncode == 0


def test_a_restored_backup_is_refused_at_start_and_recovered(service: Service, tmp_path: Path) -> None:
    service.start()
    send(service, 1, 3)
    service.process.stop()
    shutil.copy(service.data / "tagtrail.db", tmp_path / "backup.db")
    service.start()
    send(service, 10, 3)
    service.process.stop()
    before = stored_lines(service)
    shutil.copy(tmp_path / "backup.db", service.data / "tagtrail.db")
    refused = run(service, "serve")
    assert refused.returncode == 6
    assert "tagtrail log recover" in refused.stderr
    assert "tagtrail log new-epoch" in refused.stderr
    assert run(service, "log", "recover").returncode == 0
    assert stored_lines(service)[: len(before)] == before
    service.start()
    send(service, 20, 1)
    service.process.stop()
    assert run(service, "log", "verify").returncode == 0


def test_two_histories_are_refused_at_start_and_go_on_as_a_new_epoch(service: Service, tmp_path: Path) -> None:
    service.start()
    send(service, 1, 3)
    service.process.stop()
    shutil.copytree(service.data, tmp_path / "elsewhere")
    service.start()
    send(service, 10, 3)
    service.process.stop()
    elsewhere = Service(tmp_path / "other", SETTINGS | {"data": str(tmp_path / "elsewhere")})
    elsewhere.start()
    send(elsewhere, 30, 9)
    elsewhere.process.stop()
    shutil.copy(elsewhere.data / "tagtrail.db", service.data / "tagtrail.db")
    refused = run(service, "serve")
    assert refused.returncode == 6
    assert "another history" in refused.stderr
    assert run(service, "log", "recover").returncode == 6
    assert run(service, "log", "new-epoch", "--reason", "two services ran").returncode == 0
    service.start()
    assert requests.get(f"{service.url}/log/checkpoint", timeout=10).text.startswith("tagtrail.example/log/2\n")
    service.process.stop()
    assert run(service, "log", "verify").returncode == 0


def test_the_whole_ledger_is_verified_in_the_background_and_readyz_tells_of_trouble(service: Service) -> None:
    service.start()
    send(service, 1, 3)
    ready = requests.get(f"{service.url}/readyz", timeout=10)
    assert (ready.status_code, ready.text) == (200, "ready\n")
    service.process.stop()
    store = Store(service.data)
    with store.writing() as tx:
        tx.execute("DROP TRIGGER lines_are_never_changed")
        tx.execute("UPDATE lines SET line = x'7b7d' WHERE seq = 3")
        tx.execute("DELETE FROM verification")
    store.close()
    service.start()

    def detail() -> str:
        return requests.get(f"{service.url}/readyz", timeout=10).text

    eventually(lambda: "line 3 is not what its hash says" in detail(), "the verification finds it", seconds=40)
    assert requests.get(f"{service.url}/readyz", timeout=10).status_code == 200, "events must not be lost meanwhile"
    send(service, 10, 1)


def test_the_anchor_gets_every_checkpoint(service: Service, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    ledger = SETTINGS["ledger"] | {"anchor": ["sh", "-c", f"cat >> {kept}"]}
    anchored = Service(tmp_path / "anchored", {"ledger": ledger}).start()
    send(anchored, 1, 2)
    anchored.process.stop()
    written = "".join(path.read_text() for path in sorted(anchored.data.glob("journal/epoch-1/*.checkpoints")))
    assert kept.read_text() == written


def test_an_anchor_that_fails_is_logged_and_stops_nothing(tmp_path: Path) -> None:
    ledger = SETTINGS["ledger"] | {"anchor": ["sh", "-c", "echo no network >&2; exit 3"]}
    service = Service(tmp_path / "service", {"ledger": ledger}).start()
    send(service, 1, 1)
    service.process.stop()
    log = service.process.log.read_text()
    assert "the anchor command failed" in log
    assert "no network" in log


def test_a_log_is_not_renamed(service: Service, tmp_path: Path) -> None:
    service.start()
    service.process.stop()
    settings = {"ledger": {"name": "other.example"}, "data": str(service.data)}
    renamed = Service(tmp_path / "renamed", settings)
    refused = run(renamed, "serve")
    assert refused.returncode == 3
    assert "tagtrail.example" in refused.stderr


def test_a_journal_that_cannot_be_written_stops_no_event_not_even_at_the_start(service: Service) -> None:
    service.start()
    eventually(lambda: published(service) == 2, "the start is signed")
    keys = service.data / "journal" / "epoch-1" / "keys.vkey"
    keys.unlink()
    keys.symlink_to("/proc/nowhere/keys.vkey")
    send(service, 1, 1)
    eventually(lambda: "the ledger was not signed" in service.process.log.read_text(), "the log says so")
    assert service.process.stop() == 0
    service.start()
    send(service, 2, 1)
    keys.unlink()
    eventually(lambda: published(service) == len(stored_lines(service)), "all is signed as soon as that can be")
    assert service.process.stop() == 0
    assert run(service, "log", "verify").returncode == 0


def test_an_anchor_that_hangs_keeps_no_event_waiting_at_the_start(tmp_path: Path) -> None:
    ledger = SETTINGS["ledger"] | {"anchor": ["sleep", "60"]}
    service = Service(tmp_path / "service", {"ledger": ledger})
    began = time.monotonic()
    service.start()
    send(service, 1, 1)
    assert time.monotonic() - began < 20, "the anchor has 30 seconds"
    service.process.kill()


def test_without_its_key_it_refuses_to_start_and_records_nothing(service: Service) -> None:
    service.start()
    service.process.stop()
    lines = stored_lines(service)
    (service.data / "log-key.pem").unlink()
    refused = run(service, "serve")
    assert refused.returncode == 3
    assert "tagtrail log new-epoch" in refused.stderr
    assert stored_lines(service) == lines
