"""Two ways out when the ledger contradicts its checkpoints: append the lost lines again, or begin a new epoch.

Both keep the number of every surviving line. The disclosures of lost lines are gone with the database, because the
journal holds no personal data.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tagtrail.errors import Contradicted, Refused
from tagtrail.ledger.batch import Projector
from tagtrail.ledger.prune import RAW
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.rulebook import load_rulebook
from tagtrail.ledger.submission import Draft, Line
from tagtrail.line import Entry, hash_leaf, read_line
from tagtrail.store import tree as stored
from tagtrail.store.database import Connection, Store
from tagtrail.store.erasing import Holding, erase_disclosures
from tagtrail.store.events import get_received_at
from tagtrail.store.lines import (
    append_line,
    begin_generation,
    find_lines_of_kind,
    get_end,
    get_size,
    iterate_hashed,
)
from tagtrail.store.pruning import iterate_prunable, remove_lines, remove_raw
from tagtrail.store.tokens import revoke_token
from tagtrail.store.tree import StoredCheckpoint, StoredHashes, StoredKey, StoredStatement
from tagtrail.tlog.guard import check_ledger, find_journalled, find_verifier_keys
from tagtrail.tlog.journal import Journal, find_newest_epoch
from tagtrail.tlog.keys import make_key, read_key
from tagtrail.tlog.note import BadNote, Signer, VerifierKey, read_checkpoint, read_note, read_verifier_key
from tagtrail.tlog.signer import LogPlace
from tagtrail.tlog.statements import read_rotation
from tagtrail.tlog.tree import Tree
from tagtrail.trail.instant import parse_instant

RECOVERED = "recovered"


def recover(store: Store, recorder: Recorder, directory: Path) -> int:
    """Append the lines that the journal has and the ledger lost, byte for byte; returns their number.

    A new line then lists them, because their disclosures are lost. Erasures, prunings and revocations made after the
    backup are repeated. Nothing changes unless the result matches the checkpoints. The service must be stopped. Raises
    Refused if there is nothing to recover, Contradicted if recovering would not help, and StorageUnavailable.
    """
    epoch = find_newest_epoch(directory)
    if not epoch:
        raise Refused(f"there is no journal in {directory}; name its directory in the configuration (ledger: journal:)")

    def append_lost(tx: Connection) -> Draft:
        first = get_size(tx)
        count = _append_missing(tx, directory, first)
        _remember_keys(tx, directory, epoch)
        _check(tx, directory, epoch)
        if not count:
            raise Refused("the ledger has all lines that the journal has: there is nothing to recover")
        _remember_checkpoints(tx, Journal(directory, epoch=epoch))
        begin_generation(tx)
        last = first + count - 1
        said = f"lines {first} to {last} were appended again from the journal; what they disclosed is lost"
        return Draft(Entry(kind="annotation", annotates=first, lines=((first, last),), relation=RECOVERED, change=said))

    [(first, last)] = recorder.record_after(append_lost).entry.lines
    return last - first + 1


def _append_missing(tx: Connection, directory: Path, first: int) -> int:
    projector = Projector(load_rulebook(tx), end=get_end(tx))
    expected = first
    for seq, line in _all_lines(directory, first):
        if seq != expected:
            raise Contradicted(f"the journal goes on with line {seq} where line {expected} is needed; it cannot help")
        entry = read_line(line)
        append_line(tx, seq, line, hash_leaf(line))
        projector.project(tx, [Line(seq, entry, parse_instant(entry.at))])
        if _take_away_again(tx, entry):
            projector = Projector(load_rulebook(tx), end=get_end(tx))  # the old projector caches rows that may be gone
        expected += 1
    return expected - first


def _take_away_again(tx: Connection, entry: Entry) -> bool:
    """Repeat the erasure, pruning or revocation that this line records; returns whether it records one.

    The prunable lines are computed again: everything that decides about them is as it was then.
    """
    match entry:
        case Entry(kind="erased"):
            concerned = (seq for first, last in entry.lines for seq in range(first, last + 1))
            erase_disclosures(tx, (Holding(seq, who=True, raw=True) for seq in concerned))
        case Entry(kind="pruned", before=int(before)) if entry.format == RAW:
            remove_raw(tx, before=before)
        case Entry(kind="pruned", before=int(before)):
            prunable = (seq for seq, _ in iterate_prunable(tx, before=before))
            deque(remove_lines(tx, prunable, before=before), maxlen=0)
        case Entry(kind="token", action="revoked", token=str(name)):
            revoke_token(tx, name, at=parse_instant(entry.at))
        case _:
            return False
    return True


def _all_lines(directory: Path, first: int) -> Iterator[tuple[int, bytes]]:
    """The journal's lines of all epochs from `first` on, each epoch from its beginning."""
    epochs = [Journal(directory, epoch=epoch) for epoch in range(1, find_newest_epoch(directory) + 1)]
    starts = [next((seq for seq, _ in journal.lines()), None) for journal in epochs]
    for at, journal in enumerate(epochs):
        ends = [start for start in starts[at + 1 :] if start is not None]
        for seq, line in journal.lines(first=first):
            if ends and seq >= min(ends):
                break
            yield seq, line


def _remember_keys(tx: Connection, directory: Path, epoch: int) -> None:
    """Store the keys that are in the journal and not in the database."""
    known = {key.key for key in stored.find_keys(tx)}
    since = {read_line(line.line).key: line.seq + 1 for line in find_lines_of_kind(tx, "key")}
    began = {read_line(line.line).origin: line.seq for line in find_lines_of_kind(tx, "gap_opened")}
    for each in range(1, epoch + 1):
        journal = Journal(directory, epoch=each)
        keys = _read_keys(journal)
        for number, key in enumerate(keys):
            if str(key) not in known:
                size = since.get(str(key), 0) if number else began.get(key.name, 0)
                if number:
                    statement = _find_rotation(tx, journal, keys[number - 1], key, size=size)
                    stored.add_statement(tx, StoredStatement(each, number, statement))
                stored.add_key(tx, StoredKey(each, number, str(key), size))


def _find_rotation(tx: Connection, journal: Journal, old: VerifierKey, new: VerifierKey, *, size: int) -> str:
    """The journal's statement of this rotation. Raises Contradicted if none holds for the ledger's lines."""
    reason = "it has no rotation statement for that"
    for note in journal.statements():
        try:
            tree = read_rotation(note, old=old, new=new).tree
            if tree.size == size and Tree(StoredHashes(tx)).root(size) == tree.root:
                return note
        except (BadNote, LookupError) as error:
            if str(new) in note:
                reason = str(error)
    raise Contradicted(
        f"the journal {journal.directory} does not prove that the key {old} handed over to {new} ({reason}); put back"
        " its file `statements`, or go on with this ledger as another log: tagtrail log new-epoch --reason TEXT"
    )


def _read_keys(journal: Journal) -> list[VerifierKey]:
    try:
        keys = journal.keys()
        return [read_verifier_key(key) for key in keys]
    except BadNote as error:
        raise Contradicted(
            f"the keys in the journal {journal.directory} cannot be read ({error}); put its keys.vkey back: one line"
            " for each key of that epoch, oldest first, as auditors have them"
        ) from error


def _remember_checkpoints(tx: Connection, journal: Journal) -> None:
    """Store the checkpoints signed after the backup."""
    own, keys = stored.find_checkpoint(tx), find_verifier_keys(tx, journal)
    newest = own.size if own is not None and own.epoch == journal.epoch else -1
    for note in journal.checkpoints():
        read = read_note(note)
        signed = read_checkpoint(read.text)
        if signed.size > newest:
            read.verify(keys)
            signed_at = get_received_at(tx, signed.size - 1) or 0
            stored.add_checkpoint(tx, StoredCheckpoint(journal.epoch, signed.size, signed.root, note, signed_at))
            newest = signed.size


def _check(tx: Connection, directory: Path, epoch: int) -> None:
    """Raises Contradicted unless the ledger now matches the journal's checkpoints."""
    signed = find_journalled(tx, Journal(directory, epoch=epoch))
    size = get_size(tx)
    if signed is None or signed.size > size or Tree(StoredHashes(tx)).root(signed.size) != signed.root:
        raise Contradicted(
            "with the journal's lines the ledger would still contradict its checkpoints: this is another history, and"
            " only a new epoch can go on with it (tagtrail log new-epoch --reason TEXT)"
        )


def begin_epoch(store: Store, recorder: Recorder, place: LogPlace, *, reason: str) -> str:
    """Continue with the present ledger as another log; returns its origin.

    Its first line names the last checkpoint of the old log, and how many lines before it belong to the old log. The key
    stays, with the new origin as its name. The service must be stopped. Raises Refused if the ledger matches its
    checkpoints, ConfigurationError for a key that cannot be used, and StorageUnavailable.
    """
    _refuse_without_need(store, place)
    db = store.reader()
    keys = stored.find_keys(db)
    epoch = max(find_newest_epoch(place.journal), keys[-1].epoch if keys else 0) + 1
    name = read_verifier_key(keys[-1].key).name.rpartition("/log/")[0] if keys else place.name
    key = Signer(f"{name}/log/{epoch}", read_key(place.key) or make_key(place.key)).verifier
    entry = Entry(
        kind="gap_opened",
        origin=key.name,
        lost=_find_journalled_note(place.journal) or _own_checkpoint(db),
        kept=_count_kept(db, place.journal),
        reason=reason,
    )

    def switch(tx: Connection) -> None:
        stored.clear_subtrees(tx)
        stored.add_key(tx, StoredKey(epoch, 0, str(key), get_size(tx) - 1))

    recorder.amend(Draft(entry), switch)
    return key.name


def _refuse_without_need(store: Store, place: LogPlace) -> None:
    """Raises Refused unless the ledger contradicts its checkpoints or its key is gone."""
    try:
        check_ledger(store, place.journal)
    except Contradicted:
        return
    keys = stored.find_keys(store.reader())
    private = read_key(place.key)
    if not keys or (private and private.public_key().public_bytes_raw() == read_verifier_key(keys[-1].key).public):
        raise Refused("the ledger matches its checkpoints and its key is present: a new epoch is not needed")


def _find_journalled_note(directory: Path) -> str | None:
    """The newest checkpoint of the newest epoch that has one."""
    epochs = range(find_newest_epoch(directory), 0, -1)
    notes = (Journal(directory, epoch=epoch).find_checkpoint() for epoch in epochs)
    return next((note for note in notes if note is not None), None)


def _own_checkpoint(db: Connection) -> str | None:
    own = stored.find_checkpoint(db)
    return own.note if own is not None else None


def _count_kept(db: Connection, directory: Path) -> int:
    """The number of lines, from the first on, that equal the journal's."""
    size = get_size(db)
    kept = 0
    with suppress(Contradicted):  # the journal confirms nothing after the point where it cannot be read
        for ours, (_, journalled) in zip(iterate_hashed(db, first=0, end=size), _all_lines(directory, 0), strict=False):
            if ours.leaf != hash_leaf(journalled):
                break
            kept += 1
    return kept
