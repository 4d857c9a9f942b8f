"""Appending: the evidence of what happened becomes lines at the end of the ledger. Nothing here knows of tags.

A line, its leaf hash and its disclosures are what must be durable before a sender is answered. What the lines mean is
written by `project.py`, in the same transaction or in a later one.

De-duplication is for ever: a registry's event is known by its id. The same id with another content never replaces
what is recorded; it is quarantined beside it.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from tagtrail.ledger.submission import Conflict, Counted, Draft, Item, Line, Outcome, Recorded, Repeated, Submission
from tagtrail.line import Entry, disclosed_value, event_key, hash_leaf, place, read_line, write_line
from tagtrail.store import registries
from tagtrail.store.annotations import find_annotation
from tagtrail.store.database import Connection
from tagtrail.store.events import find_event
from tagtrail.store.lines import append_line, get_line
from tagtrail.store.registries import Contact
from tagtrail.trail.instant import MICROSECOND, SECOND, format_instant

Identity = tuple[str, str, bytes]  # by what a repeated draft is known: its kind of identity, its registry, its key


class Tail:
    """The growing end of the ledger during one write transaction.

    `seq` and `received_at` are those of the newest line, `clock` is our time in nanoseconds. `unprojected` holds the
    identities of lines that are appended and not projected yet: the projection cannot find those. `heard_at` says when
    a registry's instance was heard from last, as far as that was written down.
    """

    def __init__(
        self,
        tx: Connection,
        *,
        seq: int,
        received_at: int,
        clock: int,
        unprojected: Mapping[Identity, int] | None = None,
        heard_at: Mapping[tuple[str, str], int] | None = None,
    ) -> None:
        self.tx = tx
        self.lines: list[Line] = []
        self.identities: dict[Identity, int] = {}
        self._unprojected = unprojected or {}
        self._next_seq = seq + 1
        # Our clock may be set back; the ledger's time is not, and no two lines share a microsecond.
        self._received_at = max(clock, received_at + MICROSECOND)
        self.heard_at = dict(heard_at or {})

    @property
    def seq(self) -> int:
        """The seq of the newest line."""
        return self._next_seq - 1

    @property
    def received_at(self) -> int:
        """When the newest line was appended."""
        return self._received_at - MICROSECOND

    def record(self, submission: Submission) -> list[Outcome]:
        """Append the drafts that are new, and count what is only counted; an outcome for each draft."""
        return [outcome for item in submission.items if (outcome := self._record_item(item)) is not None]

    def append(self, draft: Draft) -> Recorded:
        """Append the draft as the next line. Raises ValueError for a line that is too long."""
        seq = self._next_seq
        entry = place(draft.entry, seq=seq, at=format_instant(self._received_at, 6))
        line = write_line(entry)
        append_line(self.tx, seq, line, hash_leaf(line), who=draft.who, raw=draft.raw)
        self.lines.append(Line(seq, entry, self._received_at, draft.who, draft.raw, draft.moment))
        self._next_seq += 1
        self._received_at += MICROSECOND
        return Recorded(seq, entry)

    def _record_item(self, item: Item) -> Outcome | None:
        self._touch(item)
        if isinstance(item, Counted):
            registries.count_event(
                self.tx,
                registry=item.registry,
                instance=item.instance,
                event=item.event,
                day=item.day,
                action=item.action,
            )
            return None
        identity = _identify(item)
        if identity is None:
            return self.append(item)
        known = self._find(identity)
        if known is not None:
            is_same = identity[0] == "quarantined" or self._is_same(known, item)
            return Repeated(known) if is_same else Conflict(known)
        recorded = self.append(item)
        self.identities[identity] = recorded.seq
        return recorded

    def _touch(self, item: Item) -> None:
        """Remember that we heard from the registry. A new start of the registry becomes a line."""
        source = item.entry if isinstance(item, Draft) else item
        instance = source.instance or ""
        is_event = isinstance(item, Counted) or item.entry.kind in ("push", "delete")
        if source.registry is None or not is_event:
            return
        heard_at = self.heard_at.get((source.registry, instance))
        if heard_at is not None and heard_at <= self._received_at < heard_at + SECOND:
            return
        self.heard_at[source.registry, instance] = self._received_at
        contact = Contact(source.registry, instance, source.host or "", self._received_at)
        if registries.touch_contact(self.tx, contact):
            self.append(
                Draft(Entry(kind="registry", registry=source.registry, instance=instance or None, host=source.host))
            )

    def _find(self, identity: Identity) -> int | None:
        """The seq of the line that has the identity."""
        known = self.identities.get(identity)
        if known is None:
            known = self._unprojected.get(identity)
        return find_identity(self.tx, identity) if known is None else known

    def _is_same(self, seq: int, draft: Draft) -> bool:
        """Whether the line was made of the same event.

        The events as received are compared; the lines, where that is erased or where the sender must not learn it.
        """
        stored = get_line(self.tx, seq)
        if stored is None:
            return True  # pruned: nothing is left that could differ
        entry = read_line(stored.line)
        if stored.raw is not None and draft.raw is not None and draft.may_compare(entry):
            return disclosed_value(stored.raw) == disclosed_value(draft.raw)
        return _without_place(entry) == _without_place(draft.entry)


def find_identity(db: Connection, identity: Identity) -> int | None:
    """The seq of the projected line that has the identity."""
    kind, registry, key = identity
    if kind == "annotation":
        return find_annotation(db, key)
    if kind == "quarantined":
        return registries.get_quarantined_seq(db, registry=registry, content=key)
    return find_event(db, registry, key)


def _identify(draft: Draft) -> Identity | None:
    """By what the draft is known when it comes again; None for one that may come any number of times."""
    entry = draft.entry
    if entry.kind == "annotation":
        return ("annotation", "", event_key(entry.event)) if entry.event is not None else None
    if entry.registry is None:
        return None
    if entry.kind == "quarantined" and draft.raw is not None:
        return "quarantined", entry.registry, hashlib.sha256(disclosed_value(draft.raw)).digest()
    if entry.kind == "quarantined" and entry.sha256 is not None:
        return "quarantined", entry.registry, bytes.fromhex(entry.sha256)
    if entry.event is None:
        return None
    return "event", entry.registry, draft.moment.event if draft.moment is not None else event_key(entry.event)


def _without_place(entry: Entry) -> Entry:
    """The content of an entry, without its place in the ledger and its salted commitments."""
    return msgspec.structs.replace(entry, v=0, seq=-1, at="", who=None, raw=None)
