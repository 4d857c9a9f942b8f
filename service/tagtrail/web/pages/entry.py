"""One line of the ledger: what it says, its exact bytes, and the proof that it is what it was."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from tagtrail.errors import NotRecorded
from tagtrail.line import Entry, Who, read_line, read_who
from tagtrail.store.annotations import find_annotations
from tagtrail.store.answers import Annotated, Change, LoggedEntry
from tagtrail.store.database import Connection
from tagtrail.store.entries import get_entries
from tagtrail.store.lines import Evidence, Received, get_evidence, get_last_seq
from tagtrail.store.tree import find_checkpoint
from tagtrail.trail.instant import parse_instant
from tagtrail.web.context import Page, Visit
from tagtrail.web.line_text import tell
from tagtrail.wording.clauses import Clause


@dataclass(frozen=True, slots=True)
class Signed:
    """The newest checkpoint; `covers` tells whether the line is under it."""

    size: int
    origin: str
    root: bytes
    sealed_at: int
    covers: bool


@dataclass(frozen=True, slots=True)
class Stated:
    """What a line says, read from its bytes. `who` is its person, and missing where `was_erased`."""

    entry: Entry
    line: str
    clauses: tuple[Clause, ...]
    occurred_at: int | None
    received_at: int
    reference: str | None
    changes: tuple[Change, ...]
    environments: tuple[str, ...]
    annotations: tuple[Annotated, ...]
    who: Who | None
    was_erased: bool

    @property
    def may_be_annotated(self) -> bool:
        """Whether something can be tied to it: what ties is not tied to."""
        return self.entry.kind != "annotation"


@dataclass(frozen=True, slots=True)
class EntryView:
    """A line by its number; `stated` is None where it was pruned. `raw` is the event, for who may see it."""

    seq: int
    last_seq: int
    leaf: bytes
    stated: Stated | None
    raw: Received | None
    signed: Signed | None

    @property
    def leaf_in_base64(self) -> str:
        """The leaf hash as proofs and checkpoints write hashes."""
        return b64encode(self.leaf).decode()


def make_entry(visit: Visit, *, seq: int) -> EntryView:
    """The line of that number. Raises NotRecorded."""
    visit.filter()
    last = get_last_seq(visit.db)
    evidence = get_evidence(visit.db, seq, with_received=visit.caller.sees_identities) if seq <= last else None
    if evidence is None:
        raise NotRecorded(f"there is no line {str(seq)[:20]}; the newest is line {last}")
    return EntryView(
        seq=seq,
        last_seq=last,
        leaf=evidence.leaf,
        stated=_state(visit, evidence, evidence.line) if evidence.line is not None else None,
        raw=evidence.received,
        signed=_find_signed(visit.db, seq),
    )


def _state(visit: Visit, evidence: Evidence, line: bytes) -> Stated:
    [logged] = get_entries(visit.db, [evidence.seq])
    [told] = tell(visit, [logged])
    entry = read_line(line)
    return Stated(
        entry=entry,
        line=line.decode(),
        clauses=told.clauses,
        occurred_at=parse_instant(entry.occurred) if entry.occurred else None,
        received_at=logged.received_at,
        reference=_refer(visit, entry, logged),
        changes=logged.changes,
        environments=logged.environments,
        annotations=tuple(find_annotations(visit.db, [evidence.seq])[evidence.seq]),
        who=read_who(logged.who),
        was_erased=entry.who is not None and logged.who is None,
    )


def _refer(visit: Visit, entry: Entry, logged: LoggedEntry) -> str | None:
    """The image that the line is about, whole."""
    if entry.registry is None or entry.repository is None:
        return None
    tag = entry.tag or (logged.changes[0].tag if len(logged.changes) == 1 else None)
    return visit.hosts.reference(entry.registry, entry.host, entry.repository, tag, entry.digest)


def _find_signed(db: Connection, seq: int) -> Signed | None:
    newest = find_checkpoint(db)
    if newest is None:
        return None
    origin = newest.note.partition("\n")[0]
    return Signed(newest.size, origin, newest.root, newest.sealed_at, covers=seq < newest.size)


ENTRY: Final = Page("entry", "/log/<int:seq>", make_entry)
