"""Projecting many lines at once: the one way from lines to their meaning, for the service, for catching up and for
`rebuild`.

The ordinary line is a push with a tag, no older than what the tag has seen. Its meaning is worked out from what is
remembered of the tag, and the rows of a whole batch are written with a few statements. `LineProjector` projects every
other line, after the rows collected so far are written.

A line whose projection fails is evidence already: it must neither stop the lines after it nor vanish. It gets a row
without meaning and a place in the quarantine, which the service's alerts report. `rebuild` tries it again.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final

from tagtrail import logs
from tagtrail.ledger.project import LineProjector, Meaning, add_members, as_line, moment_of
from tagtrail.ledger.publish import KnownTag, publish_move
from tagtrail.ledger.rulebook import RuleBook, load_rulebook
from tagtrail.ledger.submission import Line, ProjectedMove
from tagtrail.line import event_key, write_line
from tagtrail.store import moves
from tagtrail.store.database import Connection, Store, is_trouble_of_the_disk
from tagtrail.store.events import EntryRow, add_entries, remove_entry
from tagtrail.store.lines import LedgerEnd, begin_generation, get_end, iterate_lines, set_projected
from tagtrail.store.moves import JudgedMove, MoveEnd, MoveRow, TagStateRow, had_manifest
from tagtrail.store.names import find_registry_id, pushed_manifest_id
from tagtrail.store.rebuilding import drop_projection
from tagtrail.store.registries import add_quarantined
from tagtrail.trail.moves import Head, Moment, Push, breaks_release, decide, follow

Outbox = Callable[[Connection, Line, Meaning], None]

_REBUILT: Final = 1_000  # lines that a rebuild projects together
_REMEMBERED = 20_000  # tags whose heads a process remembers
_log = logging.getLogger(__name__)


class Projector:
    """Projects lines, in their order. Throw it away with a transaction that was rolled back.

    It remembers ids, rules and heads; `end` is the state of the ledger that they belong to. `outbox` is called for each
    line, in the same transaction, to write down which messages the line gives.
    """

    def __init__(self, book: RuleBook, *, end: LedgerEnd, outbox: Outbox | None = None) -> None:
        self.generation = end.generation
        self._projected = end.projected
        self._outbox = outbox
        self._lines = LineProjector(book)
        self._tags: dict[int, _Tag] = {}

    @property
    def book(self) -> RuleBook:
        """The rules that the projected lines put in force."""
        return self._lines.book

    def meet(self, tx: Connection, end: LedgerEnd) -> None:
        """Go on from this end of the ledger.

        If others have projected meanwhile, tags have changed and new rules may be in force: forget and read again.
        """
        if end.projected != self._projected:
            self._forget(tx)
            self._projected = end.projected

    def project(self, tx: Connection, lines: Sequence[Line]) -> list[Meaning]:
        """Write what the lines mean, move the mark, and return their meanings."""
        if not lines:
            return []
        meanings = self._project_together(tx, lines) or [self._project_alone(tx, line) for line in lines]
        self._projected = lines[-1].seq
        set_projected(tx, self._projected)
        return meanings

    def _project_together(self, tx: Connection, lines: Sequence[Line]) -> list[Meaning] | None:
        """All lines with a few statements; None, with nothing written, if one of them fails."""
        try:
            with _savepoint(tx):
                batch = _Batch(tx, self._lines, self._tags)
                meanings = [batch.project(line) for line in lines]
                batch.write()
                if self._outbox is not None:
                    for line, meaning in zip(lines, meanings, strict=True):
                        self._outbox(tx, line, meaning)
        except Exception as error:
            if is_trouble_of_the_disk(error):
                raise
            self._forget(tx)
            logs.warning(_log, "lines are projected one by one", first=lines[0].seq, last=lines[-1].seq)
            return None
        return meanings

    def _project_alone(self, tx: Connection, line: Line) -> Meaning:
        try:
            with _savepoint(tx):
                meaning = self._lines.project(tx, line)
        except Exception as error:
            if is_trouble_of_the_disk(error):
                raise
            self._forget(tx)
            logs.error(_log, "a line could not be projected and is quarantined", seq=line.seq, cause=error)
            _quarantine(tx, line, error)
            return Meaning()
        self._write_messages(tx, line, meaning)
        return meaning

    def _write_messages(self, tx: Connection, line: Line, meaning: Meaning) -> None:
        """A defect in writing messages costs the messages of this line, and no part of the trail."""
        if self._outbox is None:
            return
        try:
            with _savepoint(tx):
                self._outbox(tx, line, meaning)
        except Exception as error:
            if is_trouble_of_the_disk(error):
                raise
            logs.error(_log, "the messages of a line were not written", seq=line.seq, cause=error)

    def _forget(self, tx: Connection) -> None:
        """Forget tags, ids and rules; read the rules again."""
        self._tags.clear()
        self._lines = LineProjector(load_rulebook(tx))


class _Tag:
    """The state of a tag in memory: its head, the moment of its latest push or delete, and that of its last move.

    `unwritten` is its newest move while its row is not written, `had` the manifests that it moved to in this batch.
    """

    __slots__ = ("had", "head", "last_move", "latest", "moved", "unwritten")

    def __init__(self, head: Head[int], latest: Moment, last_move: Moment | None) -> None:
        self.head = head
        self.latest = latest
        self.last_move = last_move
        self.unwritten: JudgedMove | None = None
        self.moved: JudgedMove | None = None
        self.had: set[int] = set()


class _Batch:
    """The rows of ordinary pushes, collected and written together."""

    def __init__(self, tx: Connection, lines: LineProjector, tags: dict[int, _Tag]) -> None:
        self._tx = tx
        self._lines = lines
        self._tags = tags
        self._entries: list[EntryRow] = []
        self._moves: list[MoveRow] = []
        self._ends: list[MoveEnd] = []
        self._touched: dict[int, _Tag] = {}

    def project(self, line: Line) -> Meaning:
        """Collect the rows of the line, or write them."""
        entry = line.entry
        if entry.kind == "push" and entry.tag is not None:
            moment = line.moment or moment_of(entry)
            names = self._lines.names
            repository_id = names.repository_id(self._tx, entry.registry or "", entry.repository or "")
            tag_id = names.tag_id(self._tx, repository_id, entry.tag, first=moment)
            tag = self._tag(tag_id)
            if moment >= tag.latest:
                known = KnownTag(entry.registry or "", entry.repository or "", repository_id, entry.tag, tag_id)
                return self._push(line, moment, known, tag)
        if entry.kind not in ("registry", "quarantined") and (entry.kind, entry.tag) != ("push", None):
            self.write()
            self._tags.clear()
        return self._lines.project(self._tx, line)

    def write(self) -> None:
        """Write all rows that were collected."""
        tx, touched = self._tx, self._touched
        for tag_id, tag in touched.items():
            if tag.unwritten is not None:
                self._moves.append(moves.move_row(tag_id, tag.unwritten, None))
        add_entries(tx, self._entries)
        moves.end_moves(tx, self._ends)
        moves.add_move_rows(tx, self._moves)
        moves.set_moved_tags(tx, [_tag_row(tag_id, tag, tag.moved) for tag_id, tag in touched.items() if tag.moved])
        moves.set_repeated_tags(
            tx, [(tag.latest.occurred_at, tag.latest.event, tag_id) for tag_id, tag in touched.items() if not tag.moved]
        )
        for tag in touched.values():
            tag.unwritten = tag.moved = None
            tag.had.clear()
        for rows in (self._entries, self._moves, self._ends, touched):
            rows.clear()

    def _tag(self, tag_id: int) -> _Tag:
        tag = self._tags.get(tag_id)
        if tag is None:
            if len(self._tags) >= _REMEMBERED:
                self.write()
                self._tags.clear()
            state = moves.get_tag_state(self._tx, tag_id)
            tag = self._tags[tag_id] = _Tag(state.head, state.latest, moves.get_last_move(self._tx, tag_id))
        return tag

    def _push(self, line: Line, moment: Moment, known: KnownTag, tag: _Tag) -> Meaning:
        entry, tx = line.entry, self._tx
        manifest, is_new = pushed_manifest_id(
            tx, known.repository_id, entry.digest or "", media_type=entry.media_type, size=entry.size, seq=line.seq
        )
        add_members(tx, known.repository_id, manifest, entry.references)
        self._entries.append(
            EntryRow(
                line.seq, line.received_at, entry.kind, self._lines.names.registry_id(tx, known.registry),
                known.repository_id, known.tag_id, manifest, self._lines.actor_id(tx, line), moment.occurred_at,
                moment.event,
            )
        )  # fmt: skip
        move = decide(
            tag.head,
            Push(moment, line.seq, manifest),
            had=lambda digest: (
                not is_new and (digest in tag.had or had_manifest(tx, known.tag_id, digest, before=moment))
            ),
        )
        self._touched[known.tag_id] = tag
        tag.latest = moment
        if move is None:
            return Meaning()
        is_release = self._lines.book.at(line.seq).is_release(known.repository, known.tag)
        judged = JudgedMove(move, is_release, is_release and breaks_release(move))
        self._follow(known.tag_id, tag, judged)
        published = publish_move(tx, self._lines.book, known, move)
        return Meaning([ProjectedMove(known.repository, known.tag, move.kind, judged.violates, False)], published)

    def _follow(self, tag_id: int, tag: _Tag, judged: JudgedMove) -> None:
        """The tag makes the move, which ends the interval of the move before it."""
        move = judged.move
        if tag.unwritten is not None:
            self._moves.append(moves.move_row(tag_id, tag.unwritten, move.moment.occurred_at))
        elif tag.last_move is not None:
            self._ends.append(MoveEnd(move.moment.occurred_at, tag_id, tag.last_move.occurred_at, tag.last_move.event))
        tag.unwritten = tag.moved = judged
        tag.last_move = move.moment
        tag.head = follow(tag.head, move)
        if move.digest is not None:
            tag.had.add(move.digest)


def _tag_row(tag_id: int, tag: _Tag, moved: JudgedMove) -> TagStateRow:
    since, latest = moved.move.moment.occurred_at, tag.latest
    return TagStateRow(tag.head.digest, tag.head.last, moved.move.seq, since, latest.occurred_at, latest.event, tag_id)


def _quarantine(tx: Connection, line: Line, error: Exception) -> None:
    """Give the line a row that says only that it is there, and by what it is known when it comes again."""
    entry = line.entry
    registry_id = find_registry_id(tx, entry.registry) if entry.registry is not None else None
    is_event = registry_id is not None and entry.event is not None
    event = event_key(entry.event) if is_event and entry.event is not None else None
    try:
        with _savepoint(tx):
            add_entries(tx, [EntryRow(line.seq, line.received_at, entry.kind, registry_id, event=event)])
    except Exception as conflict:  # the projection contradicts itself; only a rebuild helps
        if is_trouble_of_the_disk(conflict):
            raise
        remove_entry(tx, line.seq)
        add_entries(tx, [EntryRow(line.seq, line.received_at, entry.kind)])
    stored = write_line(entry)
    add_quarantined(
        tx,
        seq=line.seq,
        registry=entry.registry or "",
        reason=f"tagtrail failed to project this line ({type(error).__name__}); `tagtrail rebuild` tries it again",
        size=len(stored),
        content=hashlib.sha256(stored).digest(),
    )


@contextmanager
def _savepoint(tx: Connection) -> Iterator[None]:
    """A nested transaction: the block is written as a whole or not at all."""
    tx.execute("SAVEPOINT projecting")
    try:
        yield
    except BaseException:
        if tx.in_transaction:  # a full disk may have ended it
            tx.execute("ROLLBACK TO projecting")
            tx.execute("RELEASE projecting")
        raise
    tx.execute("RELEASE projecting")


def rebuild(store: Store, *, progress: Callable[[int], None] = lambda seq: None) -> int:
    """Drop what is derived and derive it from the first line to the last, in one transaction; the number of lines.

    Nothing can be recorded meanwhile, so the service has to be stopped. No message is written: those of lines that were
    not projected before are lost. Raises StorageUnavailable, and then all is as before. `progress` is told the seq
    reached, now and then.
    """
    count = 0
    with store.writing() as tx:
        drop_projection(tx)
        begin_generation(tx)
        projector = Projector(RuleBook(), end=get_end(tx))
        lines = map(as_line, iterate_lines(tx))
        while batch := list(islice(lines, _REBUILT)):
            projector.project(tx, batch)
            count += len(batch)
            if count % 10_000 == 0:
                progress(batch[-1].seq)
    return count
