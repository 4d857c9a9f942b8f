"""Annotates a line: ties a ticket, a commit, an approval, an incident or a note to it, as a new line."""

from dataclasses import dataclass
from typing import Final, Literal, get_args
from uuid import uuid4

import msgspec

from tagtrail.errors import BadParameter, NotRecorded, Refused
from tagtrail.ledger.declare import KEY, Origin, check_key, check_texts
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Conflict, Draft, Recorded, Submission
from tagtrail.line import Entry, Who, commit_to, read_line
from tagtrail.store.annotations import RecordedAnnotation, get_annotation
from tagtrail.store.database import Connection, Store
from tagtrail.store.lines import get_last_seq, get_line

Relation = Literal["ticket", "commit", "approval", "incident", "note"]
RELATIONS: Final[tuple[str, ...]] = get_args(Relation)
LONGEST: Final = {"change": 500, "note": 2_000, "actor": 255}

_encoder = msgspec.json.Encoder(order="sorted")


class Annotation(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An annotation. `change` names the ticket, commit or approval; a `note` needs only its text.

    `change` stays in the ledger for ever and must not name a person; `note` and `actor` can be erased.
    """

    relation: Relation
    change: str | None = None
    note: str | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """The line of an annotation; `is_new` is false if the same one was recorded before."""

    seq: int
    is_new: bool


def annotate(
    store: Store,
    recorder: Recorder,
    seq: int,
    said: Annotation,
    *,
    key: str | None = None,
    origin: Origin | None = None,
) -> Noted:
    """Tie the annotation to the line `seq`; durable when this returns.

    With a `key`, the same annotation is recorded once, however often it is sent. Raises BadParameter for an invalid
    value, NotRecorded for an unknown line, Refused for a line that cannot be annotated or another annotation under the
    same key, and StorageUnavailable.
    """
    _check(said, key)
    with store.snapshot() as db:
        _check_line(db, seq)
    draft = _draft(seq, said, key or str(uuid4()), origin or Origin())
    [outcome] = recorder.record(Submission((draft,)))
    if isinstance(outcome, Conflict):
        raise Refused(f"line {outcome.seq} recorded something else under this {KEY}; use a new one for each annotation")
    return Noted(outcome.seq, is_new=isinstance(outcome, Recorded))


def read_annotation(store: Store, seq: int) -> RecordedAnnotation:
    """The annotation in the line `seq`. Raises NotRecorded if that line is no annotation."""
    found = get_annotation(store.reader(), seq)
    if found is None:
        raise NotRecorded(f"line {seq} is no annotation")
    return found


def _check(said: Annotation, key: str | None) -> None:
    check_texts(said, LONGEST)
    check_key(key)
    if said.relation == "note" and said.note is None:
        raise BadParameter("note", "note: an annotation that is a note has its text here")
    if said.relation != "note" and said.change is None:
        raise BadParameter("change", f"change: which {said.relation}?")


def _check_line(db: Connection, seq: int) -> None:
    """Raises NotRecorded and Refused."""
    if seq > get_last_seq(db):
        raise NotRecorded(f"there is no line {seq}")
    stored = get_line(db, seq)
    if stored is None:
        raise Refused(f"line {seq} was pruned; what is no longer kept cannot be annotated")
    entry = read_line(stored.line)
    if entry.kind == "annotation":
        raise Refused(f"line {seq} is itself an annotation, of line {entry.annotates}; annotate that one")


def _draft(seq: int, said: Annotation, event: str, origin: Origin) -> Draft:
    who = Who(actor=said.actor or "", address=origin.address, user_agent=origin.user_agent)
    raw = {"annotates": seq} | {name: text for name, text in msgspec.structs.asdict(said).items() if text is not None}
    entry = Entry(
        kind="annotation",
        event=event,
        annotates=seq,
        relation=said.relation,
        change=said.change,
        actor_assurance="claimed" if said.actor else "absent",
        token=origin.token,
    )
    entry, who_document, raw_document = commit_to(entry, who=who, raw=_encoder.encode(raw))
    return Draft(entry, who=who_document, raw=raw_document, may_compare=origin.knows)
