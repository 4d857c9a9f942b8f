"""One line of the ledger: its text, its exact bytes, and its proof."""

from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from tagtrail.errors import NotRecorded
from tagtrail.line import Entry, Who
from tagtrail.store.annotations import RecordedAnnotation
from tagtrail.store.database import Connection
from tagtrail.store.entries import LoggedEntry, TagChange, get_entries
from tagtrail.store.lines import Received, get_evidence, get_last_seq
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
    signed_at: int
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
    changes: tuple[TagChange, ...]
    environments: tuple[str, ...]
    annotations: tuple[RecordedAnnotation, ...]
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
        content=_state(context, evidence.seq) if evidence.line is not None else None,
        raw=evidence.received,
        checkpoint=_find_coverage(context.db, seq),
    )


def _state(context: PageContext, seq: int) -> LineContent:
    [logged] = get_entries(context.db, [seq], context.rules)
    [shown] = show_lines(context, [logged])
    entry = logged.entry
    return LineContent(
        entry=entry,
        line=logged.line,
        clauses=shown.clauses,
        occurred_at=parse_instant(entry.occurred) if entry.occurred else None,
        received_at=logged.at,
        reference=_refer(context, entry, logged),
        changes=logged.changes,
        environments=logged.environments,
        annotations=logged.annotations,
        who=logged.who,
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
    return CheckpointCoverage(newest.size, origin, newest.root, newest.signed_at, covers=seq < newest.size)


ENTRY: Final = WebPage("entry", "/log/<int:seq>", make_entry)
