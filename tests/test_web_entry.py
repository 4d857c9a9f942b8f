"""A line as a page: what it says, the exact bytes, the proof, what was tied to it, and what is no longer there."""

import json
from base64 import b64encode
from html import unescape
from pathlib import Path

import pytest

from tagtrail.ledger.annotate import RELATIONS
from tagtrail.tlog.signer import LogPlace, LogSigner
from tests.api_client import told
from tests.application import DEPLOYER, GUARDED, READER, SEER, open_application
from tests.conftest import Ledger
from tests.events import digest_of, push
from tests.pages import visit
from tests.test_ledger_erase import forget
from tests.test_ledger_prune import prune_all

__all__ = ("told",)  # a fixture

MOVED_BACK = 9  # carol moves prod back to 1.0.0


def sign(ledger: Ledger) -> None:
    place = LogPlace("tagtrail.example", ledger.store.directory / "log-key.pem", ledger.store.directory / "journal")
    LogSigner(ledger.store, place, clock=ledger.clock).sign()


def line_of(ledger: Ledger, seq: int) -> tuple[bytes, bytes]:
    [(line, leaf)] = ledger.rows("SELECT line, leaf FROM lines WHERE seq = ?", seq)
    return line, leaf


def test_a_line_shows_its_exact_bytes_its_hash_and_its_proof_once_it_is_signed(told: Ledger, tmp_path: Path) -> None:
    client = open_application(told, tmp_path)
    page = visit(client, f"/log/{MOVED_BACK}")
    line, leaf = line_of(told, MOVED_BACK)
    assert {line.decode(), leaf.hex(), b64encode(leaf).decode()} <= set(page.copied)
    assert f"registry.example:5000/team/app:prod@{digest_of('one')}" in page.copied
    assert f"<code>{line.decode()}</code></pre>" in unescape(client.get(f"/log/{MOVED_BACK}").text)
    assert "signed within a minute" in page.text
    assert not any("proof" in link for link in page.links)
    sign(told)
    page = visit(client, f"/log/{MOVED_BACK}")
    assert "tagtrail.example/log/1" in page.text
    assert client.get(f"/log/proof?seq={MOVED_BACK}").status_code == 200
    assert {f"/log/proof?seq={MOVED_BACK}", "/log/checkpoint"} <= set(page.links)
    assert {f"/log/{MOVED_BACK - 1}", f"/log/{MOVED_BACK + 1}"} <= set(page.links)
    told.receive(push("new", "new", 90))
    ((newest,),) = told.rows("SELECT max(seq) FROM lines")
    assert "signed within a minute" in visit(client, f"/log/{newest}").text
    assert f"/log/{newest + 1}" not in visit(client, f"/log/{newest}").links


def test_the_facts_of_a_line_and_its_person_only_for_who_may_know(told: Ledger, tmp_path: Path) -> None:
    client = open_application(told, tmp_path, GUARDED)
    seen = visit(client, f"/log/{MOVED_BACK}", token=SEER)
    facts = ("production", "carol (claimed)", "192.0.2.7:40000", "docker/27", "moved back", "The event as received")
    assert all(fact in seen.text for fact in facts)
    read = visit(client, f"/log/{MOVED_BACK}", token=READER)
    assert "moved back" in read.text
    assert not any(fact in read.text for fact in ("carol", "192.0.2.7", "docker/27", "as received", "relation"))
    [seq] = forget(told, "carol")
    assert "somebody whose name was erased" in visit(client, f"/log/{MOVED_BACK}", token=SEER).text
    assert "erased" not in visit(client, f"/log/{MOVED_BACK}", token=READER).text
    assert "a person's data was erased" in visit(client, f"/log/{seq}", token=SEER).text


def test_a_ticket_is_tied_by_the_form_and_stands_under_its_anchor(told: Ledger, tmp_path: Path) -> None:
    client = open_application(told, tmp_path)
    page = visit(client, f"/log/{MOVED_BACK}")
    assert all(relation in page.text for relation in RELATIONS)
    sent = {name: page.fields[name] for name in ("csrf_token", "key")} | {"relation": "ticket", "change": "OPS-<17>"}
    answer = client.post(f"/log/{MOVED_BACK}/annotations", data={**sent, "note": "as agreed"})
    assert answer.status_code == 303, answer.text
    anchor = answer.headers["Location"].partition("#")[2]
    page = visit(client, f"/log/{MOVED_BACK}")
    assert anchor in page.values("id")
    assert "ticket OPS-<17>: as agreed" in page.text
    assert "relation" not in visit(client, f"/log/{anchor.removeprefix('line-')}").fields  # what ties is not tied to
    forged = client.post(f"/log/{MOVED_BACK}/annotations", data={**sent, "csrf_token": "forged"})
    assert forged.status_code == 400


def test_the_form_is_only_for_who_may_deploy(told: Ledger, tmp_path: Path) -> None:
    client = open_application(told, tmp_path, GUARDED)
    assert "relation" in visit(client, f"/log/{MOVED_BACK}", token=DEPLOYER).fields
    assert "relation" not in visit(client, f"/log/{MOVED_BACK}", token=SEER).fields


def test_a_pruned_line_still_has_its_leaf_hash(told: Ledger, tmp_path: Path) -> None:
    repeated = 8
    _, leaf = line_of(told, repeated)
    assert repeated in prune_all(told)
    page = visit(open_application(told, tmp_path), f"/log/{repeated}")
    assert "was pruned" in page.text
    assert leaf.hex() in page.copied
    assert "relation" not in page.fields


@pytest.mark.parametrize("seq", ["20", "99999999999999999999999999"])
def test_there_is_no_line_beyond_the_end(ledger: Ledger, tmp_path: Path, seq: str) -> None:
    assert "there is no line" in visit(open_application(ledger, tmp_path), f"/log/{seq}", status=404).text


def test_what_was_quarantined_is_shown_with_its_reason_and_in_bounds(told: Ledger, tmp_path: Path) -> None:
    small = b"<script>alert(1)</script>\x1b[31m"
    large = json.dumps({"events": [{"x": "<b>" * 20_000}]}).encode()
    told.receive_body(small)
    told.receive_body(large)
    ((newest,),) = told.rows("SELECT max(seq) FROM lines")
    client = open_application(told, tmp_path, GUARDED)
    page = visit(client, f"/log/{newest - 1}", token=SEER)
    assert "Reason" in page.text
    assert "<script>alert(1)</script>\\x1b[31m" in page.text
    html = visit(client, f"/log/{newest}", token=SEER).html
    assert "Only the beginning is shown" in html
    assert len(html) < 150_000
    assert "&lt;b&gt;&lt;b&gt;" in html
    assert "as received" not in visit(client, f"/log/{newest}", token=READER).text
