"""A bundle as a whole: its files, its line in the ledger, and that it is the same whenever it is made."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tagtrail.access.disclosures import Requester
from tagtrail.errors import Contradicted, NotRecorded, Refused, StorageUnavailable
from tagtrail.export.bundle import INTERRUPTED, hand_over
from tagtrail.line import Who, disclosed_value
from tagtrail.store.lines import begin_generation, get_last_seq, get_line
from tagtrail.tlog.note import Checkpoint, Signer, write_note
from tagtrail.tlog.signer import rotate_key
from tests.checker import check_ledger
from tests.command_line import tell_deletion, tell_story
from tests.conftest import Clock
from tests.events import delete_tag, push
from tests.exports import exported, prepared, unpack, zipped
from tests.signed_log import Log, make_log

FILES = [
    "README.txt", "verify.py", "keys.vkey", "log-key.pem", "checkpoint", "entries.ndjson", "deployments.csv",
    "pushes.csv", "gaps.csv", "proof.json", "manifest.json", "SHA256SUMS",
]  # fmt: skip


@pytest.fixture
def log(tmp_path: Path, clock: Clock) -> Iterator[Log]:
    """A signed ledger with the command line's story in it."""
    log = make_log(tmp_path, clock)
    tell_story(log.ledger)
    yield log
    check_ledger(log.ledger.store)
    log.ledger.store.close()


def newest_line(log: Log) -> dict[str, Any]:
    db = log.ledger.store.reader()
    stored = get_line(db, get_last_seq(db))
    assert stored is not None
    line: dict[str, Any] = json.loads(stored.line)
    for name, document in (("who", stored.who), ("raw", stored.raw)):
        line[name] = json.loads(disclosed_value(document)) if document else None
    return line


def test_it_holds_its_files_in_their_order_and_their_sums(log: Log) -> None:
    export = exported(log)
    assert list(export.files) == FILES
    with_identities = exported(log, identities=True)
    assert list(with_identities.files) == [*FILES[:6], "disclosures.ndjson", *FILES[6:]]
    listed = [f"{hashlib.sha256(export.files[name]).hexdigest()}  {name}" for name in FILES[:-1]]
    assert export.files["SHA256SUMS"].decode().splitlines() == listed


def test_the_lines_are_the_stored_bytes(log: Log) -> None:
    export = exported(log)
    stored = [line for (line,) in log.ledger.rows("SELECT line FROM lines ORDER BY seq")]
    assert export.files["entries.ndjson"].splitlines() == stored[: export.proof["size"]]


@pytest.mark.parametrize("identities", [False, True])
def test_the_checker_in_it_verifies_it(log: Log, tmp_path: Path, identities: bool) -> None:
    assert exported(log, identities=identities).verify(tmp_path).startswith("VERIFIED")


def test_made_again_at_its_size_it_is_the_same_whatever_was_recorded_since(log: Log) -> None:
    questions: list[dict[str, Any]] = [
        {}, {"identities": True}, {"repository": "team/*", "environment": "production"}, {"tag": "prod"},
        {"sample": "4", "seed": "s"}, {"since": "2026-04-21T12:00:00.000004Z", "identities": True}, {"digest": "7692"},
    ]  # fmt: skip
    size = str(log.log_signer.sign().size)
    before = [zipped(log, size=size, **question) for question in questions]
    log.ledger.receive(
        push("prod", "two", 30, actor="late"),  # between what was recorded: it re-orders tags and environments
        push("1.1.0", "one", 40),
        delete_tag("prod", 50),
        push("prod", "7692", 60, repository="team/new"),
        push("staging", "spare", 70, repository="team/worker"),
    )
    tell_deletion(log.ledger)
    log.ledger.clock.pass_seconds(10)
    rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="test")
    log.log_signer.sign()
    assert [zipped(log, size=size, **question) for question in questions] == before


def test_a_bundle_becomes_a_line_that_names_its_sums_and_no_person(log: Log) -> None:
    asker = Requester("auditor", Who("eve", "192.0.2.1", "curl/8"))
    export = unpack(zipped(log, asker=asker, repository="team/app", identities=True))
    line = newest_line(log)
    assert (line["kind"], line["format"], line["token"]) == ("exported", "bundle", "auditor")
    assert line["sha256"] == hashlib.sha256(export.files["SHA256SUMS"]).hexdigest()
    assert line["who"] == {"actor": "eve", "address": "192.0.2.1", "user_agent": "curl/8"}
    assert line["raw"] == {"repository": "team/app", "identities": True, "size": export.proof["size"]}


def test_a_bundle_that_is_broken_off_is_recorded_with_a_reason(log: Log) -> None:
    pieces = hand_over(prepared(log), log.ledger.recorder, Requester())
    next(pieces)
    pieces.close()
    line = newest_line(log)
    assert (line["kind"], line["reason"], "sha256" in line) == ("exported", INTERRUPTED, False)


def test_nothing_is_recorded_of_what_was_never_handed_over(log: Log) -> None:
    before = newest_line(log)
    hand_over(prepared(log), log.ledger.recorder, Requester()).close()
    assert newest_line(log) == before


def test_the_end_is_not_handed_over_without_its_line(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = prepared(log)
    pieces = hand_over(bundle, log.ledger.recorder, Requester())
    handed_over = [next(pieces)]
    monkeypatch.setattr(log.ledger.recorder, "record", fail)
    with pytest.raises(StorageUnavailable):
        handed_over.extend(pieces)
    assert b"PK\x05\x06" not in b"".join(handed_over), "without its directory nobody can open a zip"


@pytest.mark.parametrize("identities", [False, True])
def test_that_it_begins_is_recorded_before_the_first_piece(log: Log, identities: bool) -> None:
    """A process that is killed halfway records nothing any more, and half a zip can be read."""
    pieces = hand_over(prepared(log, identities=identities), log.ledger.recorder, Requester("auditor"))
    next(pieces)
    line = newest_line(log)
    assert (line["kind"], line["format"], line["action"], line["token"]) == ("exported", "bundle", "begun", "auditor")
    assert line["raw"]["identities"] is identities
    rest = b"".join(pieces)
    assert rest.endswith(b"\0\0")
    assert ("action" in newest_line(log), newest_line(log)["seq"]) == (False, line["seq"] + 1)


def test_nothing_is_handed_over_where_that_cannot_be_recorded(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = prepared(log)
    monkeypatch.setattr(log.ledger.recorder, "record", fail)
    with pytest.raises(StorageUnavailable):
        next(hand_over(bundle, log.ledger.recorder, Requester()))


def fail(*_: object) -> None:
    raise StorageUnavailable("the disk is full")


def test_a_bundle_during_which_something_was_taken_away_is_broken_off(log: Log) -> None:
    pieces = hand_over(prepared(log), log.ledger.recorder, Requester())
    next(pieces)
    with log.ledger.store.writing() as tx:
        begin_generation(tx)
    with pytest.raises(StorageUnavailable, match="make it again"):
        list(pieces)
    assert "reason" in newest_line(log)


def test_lines_that_are_recorded_meanwhile_are_not_in_it(log: Log) -> None:
    before = zipped(log, size=str(log.log_signer.sign().size))
    pieces = hand_over(prepared(log, size=str(unpack(before).proof["size"])), log.ledger.recorder, Requester())
    first = next(pieces)
    log.ledger.receive(push("prod", "two", 35), push("prod", "new", 9_999_999))
    assert first + b"".join(pieces) == before


def test_an_empty_ledger_has_a_bundle(tmp_path: Path, clock: Clock) -> None:
    log = make_log(tmp_path, clock)
    export = exported(log, identities=True)
    assert (export.seqs, export.manifest["as_of"], export.manifest["coverage"]) == ([], None, [])
    assert export.verify(tmp_path).startswith("VERIFIED")
    log.ledger.store.close()


def test_a_size_that_was_never_signed_is_refused_with_the_nearest(log: Log) -> None:
    first = log.log_signer.sign().size
    log.ledger.receive(*(push("latest", f"{at}", at) for at in range(5)))
    second = log.log_signer.sign().size
    with pytest.raises(NotRecorded, match=f"nearest to it was {first} and {second}"):
        prepared(log, size=str(first + 1))
    with pytest.raises(NotRecorded, match=f"nearest to it was {second}"):
        prepared(log, size="1000000")


def test_the_log_is_shown_to_have_grown_from_the_checkpoint_that_was_kept(log: Log, tmp_path: Path) -> None:
    kept = log.log_signer.sign().note
    tell_deletion(log.ledger)
    export = exported(log, since_checkpoint=kept)
    assert export.files["since-checkpoint"].decode() == kept
    assert export.proof["since"]["size"] < export.proof["size"]
    (tmp_path / "kept").write_text(kept)
    assert "grown from your own checkpoint" in export.verify(tmp_path, "--checkpoint", str(tmp_path / "kept"))


def test_a_checkpoint_that_cannot_be_one_of_ours_is_refused(log: Log) -> None:
    note = log.log_signer.sign().note
    other = Signer("other.example/log/1", _private(log))
    ours = Signer("tagtrail.example/log/1", _private(log))
    far = Checkpoint(ours.name, 10_000, b"\x01" * 32)
    changed = Checkpoint(ours.name, 5, b"\x01" * 32)
    for kept, said in (
        ("nothing", "no signed note"),
        (re.sub(r"\n\d+\n", "\n5\n", note), "is false"),
        (write_note(str(Checkpoint(other.name, 5, b"\x01" * 32)), [other]), "another log"),
        (write_note(str(changed), [other]), "no known key"),
        (write_note(str(far), [ours]), "lines that existed then are missing"),
        (write_note(str(changed), [ours]), "at least one was changed, removed or put in"),
    ):
        with pytest.raises(Refused, match=said):
            prepared(log, since_checkpoint=kept)


def test_a_ledger_that_is_not_what_was_signed_is_not_exported(log: Log) -> None:
    size = log.log_signer.sign().size
    [(leaf,)] = log.ledger.rows("SELECT leaf FROM lines WHERE seq = 3")
    log.tamper("UPDATE lines SET leaf = zeroblob(32) WHERE seq = 3")
    with pytest.raises(Contradicted, match="not those that were signed"):
        prepared(log, size=str(size))
    log.tamper("UPDATE lines SET leaf = ? WHERE seq = 3", leaf)


def test_rotated_keys_are_followed_and_older_sizes_know_nothing_of_them(log: Log, tmp_path: Path) -> None:
    old_size = str(log.log_signer.sign().size)
    [old_key] = log.log_signer.verifier_keys()
    rotate_key(log.ledger.store, log.ledger.recorder, log.log_signer, log.place, reason="yearly")
    export = exported(log)
    assert len(export.files["keys.vkey"].splitlines()) == 2
    assert "rotations" in export.files
    assert export.verify(tmp_path, "--key", str(old_key)).startswith("VERIFIED")
    assert exported(log, size=old_size).files["keys.vkey"].decode() == f"{old_key}\n"


def _private(log: Log) -> Any:
    from tagtrail.tlog.keys import read_key

    return read_key(log.place.key)
