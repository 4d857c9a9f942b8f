"""One line of the ledger: its text, its exact bytes, and its proof."""

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
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.line_text import show_lines
from tagtrail.wording.clauses import Clause


@dataclass(frozen=True, slots=True)
class CheckpointCoverage:
    """The newest checkpoint; `covers` says whether it covers the line."""

    size: int
    origin: str
    root: bytes
    sealed_at: int
    covers: bool


@dataclass(frozen=True, slots=True)
class LineContent:
    """The content of a line, read from its bytes. `who` is the person behind it, None if `was_erased`."""

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
        """Whether the line accepts annotations: an annotation does not."""
        return self.entry.kind != "annotation"


@dataclass(frozen=True, slots=True)
class EntryView:
    """A line by its number; `content` is None if it was pruned. `raw` is the received event (scope `identity`)."""

    seq: int
    last_seq: int
    leaf: bytes
    content: LineContent | None
    raw: Received | None
    checkpoint: CheckpointCoverage | None

    @property
    def leaf_in_base64(self) -> str:
        """The leaf hash as proofs and checkpoints write hashes."""
        return b64encode(self.leaf).decode()


def make_entry(context: PageContext, *, seq: int) -> EntryView:
    """The line with that number. Raises NotRecorded."""
    context.filter()
    last = get_last_seq(context.db)
    evidence = get_evidence(context.db, seq, with_received=context.caller.sees_identities) if seq <= last else None
    if evidence is None:
        raise NotRecorded(f"there is no line {str(seq)[:20]}; the newest is line {last}")
    return EntryView(
        seq=seq,
        last_seq=last,
        leaf=evidence.leaf,
        content=_state(context, evidence, evidence.line) if evidence.line is not None else None,
        raw=evidence.received,
        checkpoint=_find_coverage(context.db, seq),
    )


def _state(context: PageContext, evidence: Evidence, line: bytes) -> LineContent:
    [logged] = get_entries(context.db, [evidence.seq])
    [shown] = show_lines(context, [logged])
    entry = read_line(line)
    return LineContent(
        entry=entry,
        line=line.decode(),
        clauses=shown.clauses,
        occurred_at=parse_instant(entry.occurred) if entry.occurred else None,
        received_at=logged.received_at,
        reference=_refer(context, entry, logged),
        changes=logged.changes,
        environments=logged.environments,
        annotations=tuple(find_annotations(context.db, [evidence.seq])[evidence.seq]),
        who=read_who(logged.who),
        was_erased=entry.who is not None and logged.who is None,
    )


def _refer(context: PageContext, entry: Entry, logged: LoggedEntry) -> str | None:
    """The whole reference of the image in the line."""
    if entry.registry is None or entry.repository is None:
        return None
    tag = entry.tag or (logged.changes[0].tag if len(logged.changes) == 1 else None)
    return context.hosts.reference(entry.registry, entry.host, entry.repository, tag, entry.digest)


def _find_coverage(db: Connection, seq: int) -> CheckpointCoverage | None:
    newest = find_checkpoint(db)
    if newest is None:
        return None
    origin = newest.note.partition("\n")[0]
    return CheckpointCoverage(newest.size, origin, newest.root, newest.sealed_at, covers=seq < newest.size)


ENTRY: Final = WebPage("entry", "/log/<int:seq>", make_entry)
