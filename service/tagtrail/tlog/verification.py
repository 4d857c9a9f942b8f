"""Verifies the whole ledger: every line against its hash, and all hashes against every checkpoint ever signed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from tagtrail.errors import Contradicted
from tagtrail.line import commitment, hash_leaf, read_line
from tagtrail.store import tree as stored
from tagtrail.store.database import Connection, Store
from tagtrail.store.lines import HashedLine, find_lines_of_kind, get_size, iterate_hashed
from tagtrail.store.tree import StoredCheckpoint, StoredHashes, iterate_checkpoints
from tagtrail.tlog.guard import check_ledger, find_journalled, find_verifier_keys
from tagtrail.tlog.journal import Journal
from tagtrail.tlog.note import BadNote, Checkpoint, read_checkpoint, read_note, read_verifier_key
from tagtrail.tlog.statements import read_rotation
from tagtrail.tlog.tree import STORED_LEVELS, Frontier, Tree, root_of_leaves


class _Line(msgspec.Struct):
    """The position and the commitments in a line."""

    seq: int
    at: str
    who: str | None = None
    raw: str | None = None


_lines = msgspec.json.Decoder(_Line)
_Progress = Callable[[int], None]


class _Trouble(Exception):
    """The error, in a sentence."""


def find_trouble(store: Store, journal: Path, *, size: int, progress: _Progress = lambda seq: None) -> str | None:
    """The first error in the first `size` lines, as a sentence; None without an error.

    Reads every line in short snapshots, in constant memory; the service may run meanwhile.
    """
    db = store.reader()
    try:
        signed = _Signed(db, journal)
        _check_lines(db, size, signed, progress)
        signed.refuse_more_than(count_lines(store))  # counted after the checkpoints were read
        _check_subtrees(db, size)
        _check_rotations(db, size)
        check_ledger(store, journal)
    except (_Trouble, BadNote, Contradicted) as trouble:
        return str(trouble)
    return None


def find_unproved(db: Connection) -> list[str]:
    """A sentence for each key that no statement introduces: an earlier version changed the key without one."""
    keys, stated = stored.find_keys(db), {(each.epoch, each.number) for each in stored.find_statements(db)}
    return [
        f"It is not proved that the key before it handed over to {key.key}: there is no rotation statement."
        for key in keys
        if key.number and (key.epoch, key.number) not in stated
    ]


def _check_rotations(db: Connection, size: int) -> None:
    """Each replaced key has signed the statement that names its follower, and the `key` line and root are as stated."""
    keys = {(key.epoch, key.number): key for key in stored.find_keys(db)}
    named = {line.seq + 1: read_line(line.line).key for line in find_lines_of_kind(db, "key")}
    kept = list(_find_kept(db))
    for statement in stored.find_statements(db):
        new, old = keys[statement.epoch, statement.number], keys[statement.epoch, statement.number - 1]
        tree = read_rotation(statement.note, old=read_verifier_key(old.key), new=read_verifier_key(new.key)).tree
        is_lost = any(epoch > new.epoch and tree.size > count for epoch, count in kept)
        if tree.size > size or is_lost:
            continue
        if Tree(StoredHashes(db)).root(tree.size) != tree.root:
            raise _Trouble(f"the first {tree.size} lines are not those of the statement that introduces {new.key}")
        if tree.size != new.since_size or named.get(tree.size, new.key) != new.key:
            raise _Trouble(f"line {tree.size - 1} does not introduce the key {new.key}, against its statement")


def count_lines(store: Store) -> int:
    """The number of lines in the ledger, including pruned ones."""
    return get_size(store.reader())


class _Signed:
    """All checkpoints of the ledger, smallest size first, to compare while the lines are read."""

    def __init__(self, db: Connection, journal: Path) -> None:
        self._keys = {
            key.epoch: find_verifier_keys(db, Journal(journal, epoch=key.epoch)) for key in stored.find_keys(db)
        }
        self._kept = list(_find_kept(db))
        self._following = iterate_checkpoints(db)
        self._next = next(self._following, None)
        self._journalled = find_journalled(db, Journal(journal, epoch=max(self._keys))) if self._keys else None
        newest = stored.find_checkpoint(db)
        self._newest = newest.size if newest is not None else 0

    def refuse_more_than(self, size: int) -> None:
        """Raises _Trouble if more lines were signed than the ledger has."""
        signed = max(self._newest, self._journalled.size if self._journalled else 0)
        if signed > size:
            raise _Trouble(f"{signed} lines were signed, and the ledger has {size}: those at its end are missing")

    def compare(self, frontier: Frontier) -> None:
        """Raises _Trouble if a checkpoint of this size has another root, BadNote for a false signature."""
        while self._next is not None and self._next.size <= frontier.size:
            note = read_note(self._next.note)
            note.verify(self._keys.get(self._next.epoch, []))
            checkpoint = read_checkpoint(note.text)
            if checkpoint.size != self._next.size:
                raise _Trouble(f"the checkpoint of {self._next.size} lines is one of {checkpoint.size}")
            if not self._is_lost(self._next):
                self._compare(frontier, checkpoint)
            self._next = next(self._following, None)
        if self._journalled is not None:
            self._compare(frontier, self._journalled)

    def _is_lost(self, checkpoint: StoredCheckpoint) -> bool:
        """Whether a later epoch's first line says that the lines of this checkpoint are lost."""
        return any(epoch > checkpoint.epoch and checkpoint.size > kept for epoch, kept in self._kept)

    def _compare(self, frontier: Frontier, signed: Checkpoint) -> None:
        if signed.size == frontier.size and signed.root != frontier.root():
            raise _Trouble(f"the first {frontier.size} lines are not those that were signed as {signed.origin}")


def _find_kept(db: Connection) -> Iterator[tuple[int, int]]:
    """Each later epoch, and the number of earlier lines that its first line says to be kept."""
    for line in find_lines_of_kind(db, "gap_opened"):
        entry = read_line(line.line)
        if entry.origin is not None and entry.kept is not None:
            yield int(entry.origin.rpartition("/")[2]), entry.kept


def _check_lines(db: Connection, size: int, signed: _Signed, progress: _Progress) -> None:
    frontier, at = Frontier(), ""
    signed.compare(frontier)
    for stored_line in iterate_hashed(db, first=0, end=size, disclosed=True):
        if stored_line.seq != frontier.size:
            break
        if stored_line.line is not None:
            at = _check_line(stored_line, stored_line.line, at)
        frontier.add(stored_line.leaf)
        signed.compare(frontier)
        if frontier.size % 10_000 == 0:
            progress(frontier.size)
    if frontier.size < size:
        raise _Trouble(f"line {frontier.size} is missing")


def _check_line(stored_line: HashedLine, text: bytes, after: str) -> str:
    """Check one line by itself; returns its time."""
    seq = stored_line.seq
    if hash_leaf(text) != stored_line.leaf:
        raise _Trouble(f"line {seq} is not what its hash says")
    try:
        line = _lines.decode(text)
    except msgspec.MsgspecError:
        raise _Trouble(f"line {seq} cannot be read") from None
    if line.seq != seq:
        raise _Trouble(f"line {seq} says that it is line {line.seq}")
    if line.at <= after:
        raise _Trouble(f"line {seq} is not later than the one before it")
    for name, document, committed in (("who", stored_line.who, line.who), ("raw", stored_line.raw, line.raw)):
        if document is not None and commitment(document) != committed:
            raise _Trouble(f"what line {seq} discloses as {name!r} is not what it is committed to")
    return line.at


def _check_subtrees(db: Connection, size: int) -> None:
    """The stored hashes of subtrees are those of the leaves."""
    hashes = StoredHashes(db)
    for level in STORED_LEVELS:
        for number in range(min(stored.count_subtrees(db, level), size >> level)):
            below = (
                hashes.leaves(number << level, (number + 1) << level)
                if level == STORED_LEVELS[0]
                else hashes.subtrees(level - 8, number << 8, (number + 1) << 8)
            )
            if [root_of_leaves(below)] != hashes.subtrees(level, number, number + 1):
                raise _Trouble(f"the stored hash of subtree {number} of level {level} is not that of its lines")
