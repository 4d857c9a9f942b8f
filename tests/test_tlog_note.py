"""Signed notes, checkpoints and proofs of one line: the examples of C2SP, and everything malformed refused."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tagtrail.errors import Contradicted
from tagtrail.line import hash_leaf
from tagtrail.store.lines import get_line
from tagtrail.store.tree import StoredCheckpoint, StoredHashes
from tagtrail.tlog.note import (
    BadNote,
    Checkpoint,
    Signer,
    is_key_name,
    read_checkpoint,
    read_note,
    read_verifier_key,
    write_note,
)
from tagtrail.tlog.proofs import LineProof, read_proof, write_proof
from tagtrail.tlog.tree import Tree
from tests.conftest import Ledger
from tests.events import push
from tests.test_tlog_tree import flip

# The example of https://c2sp.org/signed-note
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZX"
    "sYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
SIGNER = Signer("tagtrail.example/log/1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = Signer("witness.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEY = SIGNER.verifier
ROOT = bytes(range(32))
ROOT_TEXT = b64encode(ROOT).decode()


def test_the_example_of_the_specification_verifies() -> None:
    key = read_verifier_key(VKEY)
    assert (str(key), key.name, key.id.hex()) == (VKEY, "example.com/foo", "530d903a")
    note = read_note(EXAMPLE)
    assert note.text == "This is an example message.\n"
    assert note.verify([key]) == [key]


def test_what_is_written_is_read_and_verifies() -> None:
    note = read_note(write_note("one\n\ntwo\n", [SIGNER, OTHER]))
    assert note.text == "one\n\ntwo\n"
    assert note.verify([OTHER.verifier, KEY]) == [KEY, OTHER.verifier]
    assert read_verifier_key(f" {KEY}\n") == KEY


def test_the_private_key_is_not_shown() -> None:
    assert bytes(range(32)).hex() not in repr(SIGNER)


@pytest.mark.parametrize(
    "vkey",
    [
        "", "+", "a+b", VKEY[:-1], VKEY[:-4], VKEY.replace("530d903a", "530d903b"),
        VKEY.replace("530d903a", "530D903A"),
        VKEY.replace("foo", "bar"), VKEY.replace("foo", "f oo"), VKEY.removeprefix("example.com/foo"),
        VKEY.replace("+Aek", "+Bek"), VKEY + "AAAA", VKEY.replace("3U2k", "3U2l"),
    ],
)  # fmt: skip
def test_a_malformed_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(BadNote):
        read_verifier_key(vkey)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\tb", "a\u00a0b", "a\u2028b", "a\x00b", "a\u202eb", "\ud800"])
def test_what_can_name_no_key(name: str) -> None:
    assert not is_key_name(name)


GOOD = write_note("text\n", [SIGNER])
SIGNATURE = GOOD.partition("\n\n")[2]


@pytest.mark.parametrize(
    "note",
    [
        "", "\n", "\n\n", "text\n", "text\n\n", "text\n" + SIGNATURE, "\n" + SIGNATURE, "\n\n" + SIGNATURE, GOOD[:-1],
        GOOD + "\n", GOOD + "more\n", GOOD.replace("— ", "- "), GOOD.replace("— ", "—"), GOOD.replace("=\n", "\n"),
        GOOD.replace("text", "te\rxt"), GOOD.replace("text", "te\x00xt"), GOOD.replace("text", "te\txt"),
        GOOD.replace("text", "\udcff"), GOOD.replace("\n", "\r\n"), GOOD.replace("log/1", "log+1"),
        GOOD.replace("log/1", "log\u2028"), "text\n\n— tagtrail.example/log/1 AAAAAA==\n", "text\n\n— a !!!!\n",
        "text\n\n" + SIGNATURE * 101,
    ],
)  # fmt: skip
def test_a_malformed_note_is_refused(note: str) -> None:
    with pytest.raises(BadNote):
        read_note(note)


def test_a_false_signature_spoils_the_whole_note() -> None:
    forged = read_note(GOOD.replace("text", "test").rstrip("\n") + "\n" + OTHER.sign("test\n"))
    with pytest.raises(BadNote, match=r"the signature of tagtrail\.example/log/1 is false"):
        forged.verify([KEY, OTHER.verifier])
    assert forged.verify([OTHER.verifier]) == [OTHER.verifier]


def test_a_signature_of_the_wrong_length_is_false() -> None:
    for length in (1, 63, 65):
        signature = b64encode(KEY.id + bytes(length)).decode()
        with pytest.raises(BadNote, match="is false"):
            read_note(f"text\n\n— {KEY.name} {signature}\n").verify([KEY])


def test_unknown_keys_are_passed_over_even_by_the_same_name_or_id() -> None:
    namesake = Signer(SIGNER.name, OTHER.private)
    same_id = SIGNATURE.replace(SIGNER.name, "stranger.example")
    unprintable = SIGNATURE.replace(SIGNER.name, "stranger\u200b")
    note = "text\n\n" + namesake.sign("text\n") + same_id + unprintable + SIGNATURE
    assert read_note(note).verify([KEY]) == [KEY]
    for unknown in ([], [OTHER.verifier]):
        with pytest.raises(BadNote, match="no known key"):
            read_note(GOOD).verify(unknown)


@pytest.mark.parametrize("count", [16, 100])
def test_many_signatures_are_accepted_and_one_key_counts_once(count: int) -> None:
    assert read_note("text\n\n" + SIGNATURE * count).verify([KEY]) == [KEY]


# Checkpoints


def test_a_checkpoint_is_read_as_it_is_written() -> None:
    for size in (0, 1, 10, 10**18 - 1):
        checkpoint = Checkpoint("tagtrail.example/log/1", size, ROOT)
        assert read_checkpoint(str(checkpoint)) == checkpoint
        assert read_checkpoint(f"{checkpoint}an extension\n") == checkpoint


@pytest.mark.parametrize("size", ["", "00", "01", "-1", "+1", " 1", "1.0", "1_0", "٣", "²", "a", "9" * 19, "9" * 5_000])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    with pytest.raises(BadNote):
        read_checkpoint(f"origin\n{size}\n{ROOT_TEXT}\n")


@pytest.mark.parametrize(
    "text",
    [
        "", "origin\n", "origin\n1\n", f"\n1\n{ROOT_TEXT}\n", f"origin\n1\n{ROOT_TEXT}", f"origin\n1\n{ROOT_TEXT}\n\n",
        f"origin\n1\n{ROOT_TEXT}\n\nmore\n", "origin\n1\nAAAA\n", f"origin\n1\n {ROOT_TEXT}\n",
        f"origin\n1\n{ROOT_TEXT[:-1]}\n", f"origin\n1\n{ROOT_TEXT.replace('8=', '9=')}\n",
    ],
)  # fmt: skip
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        read_checkpoint(text)


# The proof of one line


@pytest.fixture
def checkpoint(ledger: Ledger) -> StoredCheckpoint:
    """The signed checkpoint of seven lines; there are nine."""
    ledger.receive(*(push("latest", f"image {at}", at) for at in range(1, 10)))
    root = Tree(StoredHashes(ledger.store.reader())).root(7)
    return StoredCheckpoint(1, 7, root, write_note(str(Checkpoint(SIGNER.name, 7, root)), [SIGNER]), 0)


def line(ledger: Ledger, seq: int) -> bytes:
    found = get_line(ledger.store.reader(), seq)
    assert found is not None
    return found.line


def test_every_line_under_a_checkpoint_is_proved(ledger: Ledger, checkpoint: StoredCheckpoint) -> None:
    for seq in range(7):
        text = write_proof(ledger.store.reader(), seq, checkpoint)
        assert text.startswith(f"c2sp.org/tlog-proof@v1\nindex {seq}\n")
        assert text.endswith(f"\n\n{checkpoint.note}")
        proof = read_proof(text)
        assert str(proof) == text
        assert proof.verify(line(ledger, seq), [KEY]).size == 7
        with pytest.raises(BadNote, match=f"this is not line {seq}"):
            proof.verify(line(ledger, seq + 1), [KEY])


def test_extra_data_is_passed_over(ledger: Ledger, checkpoint: StoredCheckpoint) -> None:
    text = write_proof(ledger.store.reader(), 3, checkpoint)
    assert read_proof(text.replace("\nindex", "\nextra AAAA\nindex")) == read_proof(text)


def test_a_changed_proof_proves_nothing(ledger: Ledger, checkpoint: StoredCheckpoint) -> None:
    proof = read_proof(write_proof(ledger.store.reader(), 3, checkpoint))
    path, note = proof.path, proof.note
    wrong = [
        LineProof(2, path, note), LineProof(7, path, note), LineProof(3, path[:-1], note),
        LineProof(3, (*path, ROOT), note), LineProof(3, (flip(path[0]), *path[1:]), note),
        LineProof(3, path, note.replace("\n7\n", "\n8\n")),
        LineProof(3, path, write_note(read_note(note).text.replace("log/1", "log/2"), [SIGNER])),
        LineProof(3, path, write_note("no checkpoint\n", [SIGNER])), LineProof(3, path, ""),
    ]  # fmt: skip
    for each in wrong:
        with pytest.raises(BadNote):
            each.verify(line(ledger, 3), [KEY])
    with pytest.raises(BadNote, match="no known key"):
        proof.verify(line(ledger, 3), [OTHER.verifier])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("@v1", "@v2"), ("index 3", "index 03"), ("index 3", "index"), ("index 3\n", ""), ("index 3", "index 3\nAAAA"),
        ("index 3", "extra !\nindex 3"), ("\n\ntagtrail", "\ntagtrail"), ("index 3", "index " + "9" * 5_000),
    ],
)  # fmt: skip
def test_a_malformed_proof_is_refused(ledger: Ledger, checkpoint: StoredCheckpoint, old: str, new: str) -> None:
    text = write_proof(ledger.store.reader(), 3, checkpoint)
    assert old in text
    with pytest.raises(BadNote):
        read_proof(text.replace(old, new)).verify(line(ledger, 3), [KEY])


def test_no_proof_is_made_of_what_was_not_signed(ledger: Ledger, checkpoint: StoredCheckpoint) -> None:
    db = ledger.store.reader()
    with pytest.raises(Contradicted, match="line 3 is not under the checkpoint"):
        write_proof(db, 3, StoredCheckpoint(1, 7, flip(checkpoint.root), checkpoint.note, 0))
    with pytest.raises(Contradicted, match="missing"):
        write_proof(db, 3, StoredCheckpoint(1, 700, checkpoint.root, checkpoint.note, 0))
    assert hash_leaf(line(ledger, 3)) != hash_leaf(line(ledger, 4))
