"""`proof.json`: links the lines of a bundle to the signed root.

The file can be read line by line: every ledger line of the range that is not in the bundle has a line with its leaf
hash.
"""

import json
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tagtrail.errors import Contradicted, NotRecorded, Refused
from tagtrail.export.selection import INCLUDED, PRUNED, MarkedRange, Reading, Selection
from tagtrail.store.database import Connection
from tagtrail.store.export import find_sizes_around
from tagtrail.store.tree import StoredCheckpoint, StoredHashes, find_checkpoint, find_keys, find_statements
from tagtrail.tlog.keys import write_public_key
from tagtrail.tlog.note import BadNote, Checkpoint, VerifierKey, read_checkpoint, read_note, read_verifier_key
from tagtrail.tlog.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class ProvedLog:
    """A checkpoint, the keys of its log up to its size, and their rotation statements; both oldest first."""

    checkpoint: StoredCheckpoint
    keys: tuple[VerifierKey, ...]
    rotations: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.keys[-1].name

    @property
    def size(self) -> int:
        """The number of proved lines."""
        return self.checkpoint.size

    @property
    def vkeys(self) -> str:
        """The keys, one per line."""
        return "".join(f"{key}\n" for key in self.keys)

    @property
    def public_key(self) -> str:
        """The newest key in PEM."""
        return write_public_key(self.keys[-1])


def get_checkpoint(db: Connection, size: int) -> StoredCheckpoint:
    """The checkpoint at the size. Raises NotRecorded with the nearest signed sizes."""
    checkpoint = find_checkpoint(db, size=size)
    if checkpoint is None:
        nearest = " and ".join(map(str, find_sizes_around(db, size)))
        hint = f"signed nearest to it was {nearest}" if nearest else "none was signed yet"
        raise NotRecorded(f"no checkpoint was signed at the size {size}; {hint}")
    return checkpoint


def load_log(db: Connection, checkpoint: StoredCheckpoint) -> ProvedLog:
    """The log at the time of the checkpoint, independent of later lines.

    Raises Contradicted if the ledger contradicts the checkpoint.
    """
    if not _has_root(db, checkpoint.size, checkpoint.root):
        raise Contradicted(
            f"the first {checkpoint.size} lines of the ledger are not those that were signed, so they cannot be proved:"
            " run tagtrail log verify"
        )
    known = [key for key in find_keys(db) if key.epoch == checkpoint.epoch and key.since_size <= checkpoint.size]
    numbers = {key.number for key in known if key.number}
    statements = [each for each in find_statements(db) if each.epoch == checkpoint.epoch and each.number in numbers]
    return ProvedLog(
        checkpoint,
        tuple(read_verifier_key(key.key) for key in known),
        tuple(statement.note for statement in statements),
    )


def read_earlier(db: Connection, text: str, log: ProvedLog) -> Checkpoint:
    """The checkpoint that an auditor kept, if the log has grown from it. Raises Refused with an explanation."""
    try:
        note = read_note(text)
        earlier = read_checkpoint(note.text)
        if earlier.origin == log.origin:
            note.verify(log.keys)
    except BadNote as error:
        raise Refused(f"the earlier checkpoint cannot be believed: {error}; nothing can be proved from it") from error
    if earlier.origin != log.origin:
        raise Refused(
            f"the earlier checkpoint is of the log {earlier.origin}, and this is {log.origin}: another log, or another"
            " epoch; the line that began this epoch says why"
        )
    if earlier.size > log.size:
        raise Refused(
            f"the earlier checkpoint was signed over {earlier.size} lines, and only {log.size} are to be exported:"
            " either a smaller size was asked for, or lines that existed then are missing now"
        )
    if not _has_root(db, earlier.size, earlier.root):
        raise Refused(
            f"this ledger has not grown from the earlier checkpoint: its first {earlier.size} lines are not the lines"
            " that were signed then, so at least one was changed, removed or put in; keep that checkpoint, it is the"
            " evidence"
        )
    return earlier


def _has_root(db: Connection, size: int, root: bytes) -> bool:
    try:
        return Tree(StoredHashes(db)).root(size) == root
    except LookupError:
        return False


def write_proof(reading: Reading, selection: Selection, log: ProvedLog, earlier: Checkpoint | None) -> Iterator[bytes]:
    """The proof, in pieces."""
    yield _write_head(reading, selection, log, earlier).encode()
    separator = b""
    for window in selection.windows():
        if window.marks.count(INCLUDED) == len(window.marks):
            continue
        with reading.page() as db:
            leaves = list(StoredHashes(db).leaves(window.first, window.end))
        yield separator + b",\n".join(_write_withheld(window, leaves))
        separator = b",\n"
    yield b"\n]}\n" if separator else b"]}\n"


def _write_head(reading: Reading, selection: Selection, log: ProvedLog, earlier: Checkpoint | None) -> str:
    with reading.page() as db:
        tree = Tree(StoredHashes(db))
        left, right = tree.cover(0, selection.first), tree.cover(selection.end, log.size)
        proof = tree.prove_consistency(earlier.size, log.size) if earlier is not None else []
    since = None if earlier is None else {"size": earlier.size, "proof": [_base64(hash) for hash in proof]}
    return (
        f'{{"origin":{json.dumps(log.origin)},"size":{log.size},"root":"{_base64(log.checkpoint.root)}",'
        f'"first":{selection.first},"end":{selection.end},\n'
        f'"left":{_write_nodes(left)},\n'
        f'"right":{_write_nodes(right)},\n'
        f'"since":{json.dumps(since, separators=(",", ":"))},\n'
        '"withheld":[\n'
    )


def _write_nodes(nodes: Iterable[Node]) -> str:
    return json.dumps([[node.level, _base64(node.hash)] for node in nodes], separators=(",", ":"))


def _write_withheld(window: MarkedRange, leaves: list[bytes]) -> Iterator[bytes]:
    for seq, (mark, leaf) in enumerate(zip(window.marks, leaves, strict=True), start=window.first):
        if mark != INCLUDED:
            pruned = b',"pruned"' if mark == PRUNED else b""
            yield b'[%d,"%b"%b]' % (seq, b2a_base64(leaf, newline=False), pruned)


def _base64(hash: bytes) -> str:
    return b64encode(hash).decode()
