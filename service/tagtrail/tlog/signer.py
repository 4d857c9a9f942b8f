"""Signs checkpoints as the ledger grows, one process at a time, and publishes them.

A checkpoint is written to the journal before the database, so that the journal reveals a database that was restored to
an earlier state. A checkpoint that contradicts an earlier one is never signed. A `key` line names a new key, and the
old and the new key sign a rotation statement over the tree that ends with this line; then the new key signs alone.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Final

from tagtrail.errors import ConfigurationError, StorageUnavailable
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft
from tagtrail.line import Entry
from tagtrail.locks import hold_lock
from tagtrail.store import tree as stored
from tagtrail.store.database import Connection, Store
from tagtrail.store.lines import get_size, iterate_hashed
from tagtrail.store.tree import StoredCheckpoint, StoredHashes, StoredKey, StoredStatement
from tagtrail.tlog.guard import refuse_contradiction
from tagtrail.tlog.journal import Journal
from tagtrail.tlog.keys import check_replaceable, make_key, read_key
from tagtrail.tlog.note import Checkpoint, Signer, VerifierKey, read_verifier_key, write_note
from tagtrail.tlog.statements import Rotation
from tagtrail.tlog.tree import STORED_LEVELS, Tree
from tagtrail.trail.instant import format_instant, now

SIGN_LOCK: Final = "sign.lock"


@dataclass(frozen=True, slots=True)
class LogPlace:
    """The log's name for its first checkpoint (`tagtrail.example`), and the paths of its key and journal."""

    name: str
    key: Path
    journal: Path

    @property
    def next_key(self) -> Path:
        """The path of the new key during a rotation."""
        return self.key.with_name(f"{self.key.name}.next")


class LogSigner:
    """Signs checkpoints of one store's ledger; any number of threads and processes may have one each.

    `published` is called with every new checkpoint after it is durable. `clock` returns our time in nanoseconds.
    """

    def __init__(
        self,
        store: Store,
        place: LogPlace,
        *,
        clock: Callable[[], int] = now,
        published: Callable[[StoredCheckpoint], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._place = place
        self._clock = clock
        self._published = published

    def sign(self) -> StoredCheckpoint:
        """The newest checkpoint; signs a new one if the ledger has grown since the last.

        Raises Contradicted, ConfigurationError for a key that cannot be used, and StorageUnavailable.
        """
        with self.locked():
            checkpoint, is_new = self._sign()
        if is_new:
            self._published(checkpoint)
        return checkpoint

    def sign_if_due(self, *, age: int) -> StoredCheckpoint | None:
        """Sign a checkpoint if the ledger has grown and the last one is at least `age` nanoseconds old."""
        db = self._store.reader()
        last = stored.find_checkpoint(db)
        if last is not None and (
            last.size == get_size(db) or 0 <= self._clock() - last.signed_at < age  # the clock may have been set back
        ):
            return None
        return self.sign()

    def check_key(self) -> None:
        """Raises ConfigurationError if no key can sign this log, and StorageUnavailable."""
        with self.locked():
            db = self._store.reader()
            if stored.find_keys(db):
                self._signers(db)
            else:
                read_key(self._place.key)

    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """The keys of the log's epoch, oldest first."""
        keys = stored.find_keys(self._store.reader())
        return tuple(read_verifier_key(key.key) for key in keys if key.epoch == keys[-1].epoch)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Exclude all other signers. Raises StorageUnavailable if the disk fails inside."""
        try:
            with hold_lock(self._store.directory / SIGN_LOCK):
                yield
        except OSError as error:
            raise StorageUnavailable(
                f"the ledger cannot be signed, with its journal in {self._place.journal}: {error}"
            ) from error

    def _sign(self) -> tuple[StoredCheckpoint, bool]:
        db = self._store.reader()
        signers, key = self._signers(db)
        last = stored.find_checkpoint(db)
        size = get_size(db)
        is_signed = last is not None and (last.epoch, last.size) == (key.epoch, size)
        if last is not None and is_signed and len(signers) == 1:
            return last, False
        grown = self._grow(db, size, signed=last.size if last is not None else 0)
        tree = Tree(grown)
        journal = Journal(self._place.journal, epoch=key.epoch)
        refuse_contradiction(db, tree, journal)
        _write_lines(db, journal, size)
        if len(signers) > 1:
            self._hand_over(tree, journal, signers, key)
        _write_keys(db, journal)
        if last is not None and is_signed:  # by an earlier version, before a crash
            return last, False
        root = tree.root(size)
        note = write_note(str(Checkpoint(signers[-1].name, size, root)), signers[-1:])
        new = StoredCheckpoint(key.epoch, size, root, note, self._clock())
        if journal.find_checkpoint() != note:  # else it was written before a crash
            journal.append_checkpoint(note, day=format_instant(new.signed_at)[:10])
        with self._store.writing() as tx:
            for (level, number), hash in grown.added.items():
                stored.add_subtree(tx, level, number, hash)
            stored.add_checkpoint(tx, new)
        return new, True

    def _hand_over(self, tree: Tree, journal: Journal, signers: list[Signer], key: StoredKey) -> None:
        """Write the rotation statement to the journal and the database, then put the new key in its place.

        After a crash in between this is repeated, with the same bytes.
        """
        leaving, following = signers
        signed = Checkpoint(leaving.name, key.since_size, tree.root(key.since_size))
        note = Rotation(signed, leaving.verifier, following.verifier).sign(leaving, following)
        journal.append_statement(note)
        with self._store.writing() as tx:
            stored.add_statement(tx, StoredStatement(key.epoch, key.number, note))
        self._place.next_key.replace(self._place.key)

    def _grow(self, db: Connection, size: int, *, signed: int) -> "_Grown":
        """The tree's hashes with the complete subtrees that are not stored yet.

        Hashes stored beyond the last checkpoint are not trusted, but computed again.
        """
        known = {level: min(stored.count_subtrees(db, level), signed >> level) for level in STORED_LEVELS}
        grown = _Grown(StoredHashes(db), known)
        tree = Tree(grown)
        for level in STORED_LEVELS:
            for number in range(known[level], size >> level):
                grown.added[level, number] = tree.node(level, number)
        return grown

    def _signers(self, db: Connection) -> tuple[list[Signer], StoredKey]:
        """The log's key, or the old and the new one while the rotation between them is not finished."""
        keys = stored.find_keys(db)
        if not keys:
            return self._begin()
        newest = keys[-1]
        signer = self._signer(self._place.key, newest)
        if signer is not None:
            return [signer], newest
        following = self._signer(self._place.next_key, newest)
        leaving = self._signer(self._place.key, keys[-2]) if newest.number else None
        if following is None or leaving is None:
            raise ConfigurationError(
                f"the log's key {self._place.key} is missing or is not the one that this ledger was signed with; put "
                "that one back, or begin a new epoch with another: tagtrail log new-epoch"
            )
        return [leaving, following], newest

    def _signer(self, path: Path, key: StoredKey) -> Signer | None:
        """The private key in the file, if the verifier key belongs to it."""
        private = read_key(path)
        verifier = read_verifier_key(key.key)
        if private is None or private.public_key().public_bytes_raw() != verifier.public:
            return None
        return Signer(verifier.name, private)

    def _begin(self) -> tuple[list[Signer], StoredKey]:
        """The log's first key; makes one unless the operator has provided it."""
        signer = Signer(f"{self._place.name}/log/1", read_key(self._place.key) or make_key(self._place.key))
        key = StoredKey(1, 0, str(signer.verifier), 0)
        with self._store.writing() as tx:
            stored.add_key(tx, key)
        return [signer], key


class _Grown:
    """The stored hashes (the first `known` subtrees of each level) and the `added` ones."""

    def __init__(self, hashes: StoredHashes, known: Mapping[int, int]) -> None:
        self.leaves = hashes.leaves
        self.added: dict[tuple[int, int], bytes] = {}
        self._hashes = hashes
        self._known = known

    def subtrees(self, level: int, first: int, end: int) -> list[bytes]:
        """The stored and the added hashes, in order."""
        known = max(first, min(end, self._known[level]))
        found = self._hashes.subtrees(level, first, known)
        if len(found) < known - first:
            return found
        added = (self.added.get((level, number)) for number in range(known, end))
        return found + [hash for hash in takewhile(bool, added) if hash is not None]


def _write_lines(db: Connection, journal: Journal, size: int) -> None:
    """Write the first `size` lines, as far as the journal lacks them."""
    last = journal.find_last()
    first = stored.get_epoch_start(db) if last is None else last[0] + 1
    lines = iterate_hashed(db, first=first, end=size)
    journal.append(hashed.line for hashed in lines if hashed.line is not None)


def _write_keys(db: Connection, journal: Journal) -> None:
    """Write the keys that the journal lacks, after their lines and statements."""
    for key in stored.find_keys(db):
        if key.epoch == journal.epoch:
            journal.append_key(key.key)


def rotate_key(store: Store, recorder: Recorder, log_signer: LogSigner, place: LogPlace, *, reason: str) -> VerifierKey:
    """Replace the log's key and return the new one; the service may be running.

    The old key signs the present lines, a `key` line names the new key, and both sign the rotation statement. After
    a crash in between, the next signing completes the rotation. Raises the errors of `LogSigner.sign`; raises
    ConfigurationError, before anything is recorded, if the new key could not replace the old one.
    """
    check_replaceable(place.key)
    log_signer.sign()
    with log_signer.locked():
        newest = stored.find_keys(store.reader())[-1]
        private = read_key(place.next_key) or make_key(place.next_key)  # present after a crash before its line
        key = Signer(read_verifier_key(newest.key).name, private).verifier

        def add_key(tx: Connection) -> None:
            size = get_size(tx)
            stored.add_key(tx, StoredKey(newest.epoch, newest.number + 1, str(key), size))

        recorder.amend(Draft(Entry(kind="key", key=str(key), reason=reason)), add_key)
    log_signer.sign()
    return key
