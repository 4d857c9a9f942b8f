"""The guard: compares the ledger with its checkpoints before the service records or signs anything.

The checkpoints are in the journal, outside the database. A ledger with fewer lines than were signed was restored from a
backup; a ledger with another root has another history.
"""

from pathlib import Path

from tagtrail.errors import Contradicted
from tagtrail.line import hash_leaf
from tagtrail.store import tree as stored
from tagtrail.store.database import Connection, Store
from tagtrail.store.lines import get_size
from tagtrail.store.tree import StoredHashes
from tagtrail.tlog.journal import Journal, find_newest_epoch
from tagtrail.tlog.note import BadNote, Checkpoint, VerifierKey, read_checkpoint, read_note, read_verifier_key
from tagtrail.tlog.tree import Tree

_NEW_EPOCH = "tagtrail log new-epoch --reason TEXT"


def check_ledger(store: Store, journal: Path) -> None:
    """Compare the ledger with the newest checkpoint in the journal and with the newest one in the database.

    Reads the stored hashes, not every line (`tagtrail log verify` does). Raises Contradicted with a sentence that names
    the ways out.
    """
    db = store.reader()
    keys = stored.find_keys(db)
    epoch, newest = (keys[-1].epoch if keys else 1), find_newest_epoch(journal)
    if newest > epoch:
        raise Contradicted(
            f"the ledger is of epoch {epoch}, and the journal {journal} is of epoch {newest}: this is a backup from"
            f" before that epoch began; put back a later one, or go on with this one as another: {_NEW_EPOCH}"
        )
    refuse_contradiction(db, Tree(StoredHashes(db)), Journal(journal, epoch=epoch))


def refuse_contradiction(db: Connection, tree: Tree, journal: Journal) -> None:
    """Raises Contradicted if the ledger contradicts its checkpoints, or if the journal is empty."""
    own, journalled, last = stored.find_checkpoint(db), find_journalled(db, journal), journal.find_last()
    size = get_size(db)  # read last, because the ledger may grow and be signed meanwhile
    if own is not None and own.epoch == (epoch := stored.find_keys(db)[-1].epoch) and epoch == journal.epoch:
        _compare(tree, size, read_checkpoint(read_note(own.note).text), "its own newest checkpoint")
        if journalled is None:
            raise Contradicted(
                f"the ledger was signed, but the journal {journal.directory} has no checkpoint: its disk is not"
                " mounted, or its files were left behind; put them there (ledger: journal: names the directory) or, if"
                f" they are lost, begin a new epoch: {_NEW_EPOCH}"
            )
    if journalled is not None:
        _compare(tree, size, journalled, f"the journal {journal.directory}")
    if last is not None:
        _compare_last(db, size, last, f"the journal {journal.directory}")


def find_journalled(db: Connection, journal: Journal) -> Checkpoint | None:
    """The newest checkpoint in the journal, its signature verified; None before the first. Raises Contradicted."""
    note = journal.find_checkpoint()
    if note is None:
        return None
    try:
        read = read_note(note)
        read.verify(find_verifier_keys(db, journal))
        return read_checkpoint(read.text)
    except BadNote as error:
        raise Contradicted(
            f"the newest checkpoint in the journal {journal.directory} cannot be believed ({error}); if a backup from"
            " before a change of key was put back, `tagtrail log recover` appends what is missing; otherwise put back"
            f" the journal that belongs to this ledger, or begin a new epoch: {_NEW_EPOCH}"
        ) from error


def find_verifier_keys(db: Connection, journal: Journal) -> list[VerifierKey]:
    """The keys of the journal's epoch, from the database or, if it has none, from the journal."""
    known = [key.key for key in stored.find_keys(db) if key.epoch == journal.epoch]
    return [read_verifier_key(key) for key in known or journal.keys()]


def _compare(tree: Tree, size: int, signed: Checkpoint, where: str) -> None:
    if signed.size > size:
        raise _missing(size, signed.size, where)
    if _root(tree, signed.size) != signed.root:
        raise _another_history(signed.size, where)


def _compare_last(db: Connection, size: int, last: tuple[int, bytes], where: str) -> None:
    """Compare the newest line, which is newer than the newest checkpoint after a crash or a full disk."""
    seq, line = last
    if seq >= size:
        raise _missing(size, seq + 1, where)
    if _leaf(db, seq) != hash_leaf(line):
        raise _another_history(seq + 1, where)


def _missing(size: int, known: int, where: str) -> Contradicted:
    missing = f"line {size} is" if known == size + 1 else f"lines {size} to {known - 1} are"
    return Contradicted(
        f"the ledger has {size} lines, but {where} has {known}: {missing} missing, as after restoring a backup;"
        " append the missing lines from the journal with `tagtrail log recover`, or continue without them:"
        f" {_NEW_EPOCH}"
    )


def _another_history(size: int, where: str) -> Contradicted:
    return Contradicted(
        f"the first {size} lines of the ledger are not those of {where}: this is another history;"
        " restore the database that belongs to the journal (then `tagtrail log recover` appends missing lines),"
        f" or continue with this one: {_NEW_EPOCH}"
    )


def _root(tree: Tree, size: int) -> bytes | None:
    try:
        return tree.root(size)
    except LookupError:
        return None


def _leaf(db: Connection, seq: int) -> bytes | None:
    try:
        return next(iter(StoredHashes(db).leaves(seq, seq + 1)))
    except LookupError:
        return None
