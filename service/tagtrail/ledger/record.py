"""The one write transaction: a request's drafts become lines, and what they mean is written with them.

De-duplication is for ever: a registry's event is known by its id. The same id with another content never replaces
what is recorded; it is quarantined beside it.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from tagtrail.errors import StorageUnavailable
from tagtrail.ledger.commit import GroupCommit
from tagtrail.ledger.project import Line, Meaning, Projector
from tagtrail.ledger.rulebook import RuleBook, load_rulebook
from tagtrail.ledger.submission import Conflict, Counted, Draft, Item, Outcome, Recorded, Repeated, Submission
from tagtrail.line import Entry, disclosed_value, event_key, hash_leaf, place, read_line, write_line
from tagtrail.store import events as facts
from tagtrail.store import registries as counters
from tagtrail.store.annotations import find_annotation
from tagtrail.store.database import Connection, Store, is_trouble_of_the_disk
from tagtrail.store.lines import append_line, get_line
from tagtrail.store.registries import Contact
from tagtrail.trail.instant import MICROSECOND, format_instant, now

Outbox = Callable[[Connection, Line, Meaning], None]

_log = logging.getLogger(__name__)


class Recorder:
    """Appends to the ledger of one store; safe to call from many threads. `clock` gives our time, in nanoseconds.

    `outbox` is called for every new line, in the transaction that writes it, to write down what is to be told of it.
    """

    def __init__(self, store: Store, *, clock: Callable[[], int] = now, outbox: Outbox | None = None) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._projector: Projector | None = None
        self._latest = 0  # when the newest line was written, as far as this process knows
        self._commit: GroupCommit[Submission, list[Outcome] | Exception] = GroupCommit(self._record_group)

    def record(self, submission: Submission) -> list[Outcome]:
        """Record the submission; when this returns, it is durable.

        Returns an outcome for each of its drafts. Raises StorageUnavailable when nothing of it was stored.
        """
        result = self._commit(submission)
        if isinstance(result, Exception):
            raise result
        return result

    def now(self) -> int:
        """Our time, in nanoseconds: never behind the ledger's, to which a clock that was set back has to catch up.

        Raises StorageUnavailable.
        """
        self._prepared()
        return max(self._clock(), self._latest)

    @property
    def book(self) -> RuleBook:
        """The rules in force, as the ledger holds them."""
        return self._prepared().book

    def _prepared(self) -> Projector:
        projector = self._projector
        if projector is None:
            try:
                db = self._store.reader()
                tail = facts.get_tail(db)
                projector = self._projector = Projector(load_rulebook(db), generation=tail.generation)
                self._latest = max(self._latest, tail.received_at)
            except Exception as error:
                if is_trouble_of_the_disk(error):
                    raise StorageUnavailable(f"the ledger cannot be read: {error}") from error
                raise
        return projector

    def _record_group(self, group: Sequence[Submission]) -> list[list[Outcome] | Exception]:
        """One transaction for all; if one of them cannot be recorded, one for each, so that it fails alone."""
        try:
            return list(self._transact(group))
        except StorageUnavailable:
            raise
        except Exception as error:
            if len(group) == 1:
                return [error]
            _log.warning("a group of %d submissions is recorded one by one", len(group))
            return [self._record_group([submission])[0] for submission in group]

    def _transact(self, group: Sequence[Submission]) -> list[list[Outcome]]:
        with self._growing() as tail:
            return [tail.record(submission) for submission in group]

    def record_with(self, draft: Draft, change: Callable[[Connection], None]) -> Recorded:
        """Record a line and, in the same transaction, write beside the ledger what it tells of.

        Raises StorageUnavailable, and whatever `change` raises; nothing was stored then.
        """
        with self._growing() as tail:
            recorded = tail.append(draft)
            change(tail.tx)
        return recorded

    def amend(self, draft: Draft, change: Callable[[Connection], None]) -> Recorded:
        """Record a line and, in the same transaction, take away what it says is taken away.

        Every process then forgets the ids and rules that it remembers. Raises as `record_with`.
        """

        def take_away(tx: Connection) -> None:
            change(tx)
            facts.begin_generation(tx)

        return self.record_with(draft, take_away)

    def record_after(self, change: Callable[[Connection], Draft]) -> Recorded:
        """Let the ledger be changed and, in the same transaction, record the line that tells of it.

        `change` begins a new generation where it adds lines. Raises as `record_with`.
        """
        drafts: list[Draft] = []
        with self._growing(lambda tx: drafts.append(change(tx))) as tail:
            return tail.append(drafts[0])

    @contextmanager
    def _growing(self, change: Callable[[Connection], None] = lambda tx: None) -> Iterator["_Tail"]:
        """The ledger's end, inside the one write transaction, after a change."""
        projector = self._prepared()
        try:
            with self._store.writing() as tx:
                change(tx)
                end = facts.get_tail(tx)
                if end.generation != projector.generation:
                    projector = self._projector = Projector(load_rulebook(tx), generation=end.generation)
                tail = _Tail(tx, projector, end, self._clock(), self._outbox)
                yield tail
        except BaseException:
            self._projector = None  # it may remember ids and rules that were rolled back
            raise
        self._latest = tail.latest


class _Tail:
    """The growing end of the ledger during one transaction."""

    def __init__(
        self, tx: Connection, projector: Projector, end: facts.Tail, clock: int, outbox: Outbox | None
    ) -> None:
        self.tx = tx
        self._outbox = outbox
        self._projector = projector
        self._next_seq = end.seq + 1
        # Our clock may be set back; the ledger's time is not, and no two lines share a microsecond.
        self._received_at = max(clock, end.received_at + MICROSECOND)
        self._heard_of: set[tuple[str, str]] = set()

    @property
    def latest(self) -> int:
        """When the newest line was written."""
        return self._received_at - MICROSECOND

    def record(self, submission: Submission) -> list[Outcome]:
        return [outcome for item in submission.items if (outcome := self._record_item(item)) is not None]

    def _record_item(self, item: Item) -> Outcome | None:
        self._touch(item)
        if isinstance(item, Counted):
            counters.count_event(
                self.tx,
                registry=item.registry,
                instance=item.instance,
                event=item.event,
                day=item.day,
                action=item.action,
            )
            return None
        return self._find_repeated(item) or self.append(item)

    def _touch(self, item: Item) -> None:
        """Remember that the registry was heard of; a start of it that was never seen before becomes a line."""
        source = item.entry if isinstance(item, Draft) else item
        instance = source.instance or ""
        is_event = isinstance(item, Counted) or item.entry.kind in ("push", "delete")
        if source.registry is None or not is_event or (source.registry, instance) in self._heard_of:
            return
        self._heard_of.add((source.registry, instance))
        contact = Contact(source.registry, instance, source.host or "", self._received_at)
        if counters.touch_contact(self.tx, contact):
            started = Entry(kind="registry", registry=contact.registry, instance=instance or None, host=source.host)
            self.append(Draft(started))

    def append(self, draft: Draft) -> Recorded:
        """Write the draft as the next line, with what it means."""
        seq = self._next_seq
        entry = place(draft.entry, seq=seq, at=format_instant(self._received_at, 6))
        line = write_line(entry)
        append_line(self.tx, seq, line, hash_leaf(line), who=draft.who, raw=draft.raw)
        placed = Line(seq, entry, self._received_at, draft.who, draft.raw, draft.moment)
        meaning = self._projector.project(self.tx, placed)
        if self._outbox is not None:
            self._outbox(self.tx, placed, meaning)
        self._next_seq += 1
        self._received_at += MICROSECOND
        return Recorded(seq, entry, tuple(meaning.moves))

    def _find_repeated(self, draft: Draft) -> Outcome | None:
        entry = draft.entry
        if entry.kind == "annotation" and entry.event is not None:
            return self._known(find_annotation(self.tx, event_key(entry.event)), draft)
        if entry.registry is None:
            return None
        if entry.kind == "quarantined" and draft.raw is not None:
            content = hashlib.sha256(disclosed_value(draft.raw)).digest()
            return self._known_quarantined(entry.registry, content)
        if entry.kind == "quarantined" and entry.sha256 is not None:
            return self._known_quarantined(entry.registry, bytes.fromhex(entry.sha256))
        if entry.event is None:
            return None
        registry_id = self._projector.registry_id(self.tx, entry.registry)
        key = draft.moment.event if draft.moment is not None else event_key(entry.event)
        return self._known(facts.find_event(self.tx, registry_id, key), draft)

    def _known(self, seq: int | None, draft: Draft) -> Outcome | None:
        if seq is None:
            return None
        return Repeated(seq) if self._is_same(seq, draft) else Conflict(seq)

    def _known_quarantined(self, registry: str, content: bytes) -> Repeated | None:
        seq = counters.get_quarantined_seq(self.tx, registry=registry, content=content)
        return None if seq is None else Repeated(seq)

    def _is_same(self, seq: int, draft: Draft) -> bool:
        """Whether the line was made of the same event: by the event as received, or by the line where that is erased or
        must not be learned."""
        stored = get_line(self.tx, seq)
        if stored is None:
            return True  # pruned: nothing is left that could differ
        entry = read_line(stored.line)
        if stored.raw is not None and draft.raw is not None and draft.may_compare(entry):
            return disclosed_value(stored.raw) == disclosed_value(draft.raw)
        return _without_place(entry) == _without_place(draft.entry)


def _without_place(entry: Entry) -> Entry:
    """What an entry says, without its place in the ledger and its salted commitments."""
    return msgspec.structs.replace(entry, v=0, seq=-1, at="", who=None, raw=None)
