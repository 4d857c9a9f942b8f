"""From a line to what it means: writes an entry's row, and what its push, delete or deployment changes in the trail.

`batch.py` calls this for lines that are not ordinary. The same lines give the same rows, in whatever order a registry's
events arrived.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from tagtrail.ledger.publish import KnownTag, Published, publish, publish_move, republish
from tagtrail.ledger.rulebook import RuleBook, rules_of
from tagtrail.ledger.submission import Line, ProjectedMove
from tagtrail.line import Entry, IndexMember, Who, disclosed_value, event_key, read_line, read_who
from tagtrail.store import annotations, moves
from tagtrail.store import events as facts
from tagtrail.store.database import Connection
from tagtrail.store.events import EntryRow
from tagtrail.store.lines import StoredLine
from tagtrail.store.moves import JudgedMove, TagState
from tagtrail.store.names import Names, manifest_id, pushed_manifest_id
from tagtrail.store.publications import NO_TAG, Place
from tagtrail.store.registries import add_quarantined
from tagtrail.trail.deployments import Publication
from tagtrail.trail.instant import parse_instant
from tagtrail.trail.moves import Delete, Moment, Move, Push, breaks_release, derive_moves, follow


@dataclass(frozen=True, slots=True)
class Meaning:
    """The changes of a line: the moves that it caused, of any tag, and its publications."""

    moves: Sequence[ProjectedMove] = ()
    published: Sequence[Published] = ()


class LineProjector:
    """Derives the trail, line by line.

    It remembers ids and rules: throw it away with a transaction that was rolled back.
    """

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self.names = Names()

    def project(self, tx: Connection, line: Line) -> Meaning:
        """Write all that the line means."""
        entry = line.entry
        if entry.kind == "configuration":
            self.book.add(line.seq, rules_of(entry.configuration))
        if entry.repository is None or entry.registry is None or entry.event is None:
            self._add_plain(tx, line)
            return Meaning()
        scope = _Scope(
            line=line,
            moment=line.moment or moment_of(entry),
            registry=entry.registry,
            repository=entry.repository,
            registry_id=self.names.registry_id(tx, entry.registry),
            repository_id=self.names.repository_id(tx, entry.registry, entry.repository),
        )
        if entry.kind == "push":
            return Meaning(self._project_push(tx, scope), scope.published)
        if entry.kind == "delete":
            return Meaning(self._project_delete(tx, scope), scope.published)
        return Meaning(published=[self._project_deployment(tx, scope)])

    def _add_plain(self, tx: Connection, line: Line) -> None:
        """A line that belongs to no repository."""
        entry = line.entry
        if entry.kind == "annotation":
            self._add_annotation(tx, line)
            return
        registry_id = self.names.registry_id(tx, entry.registry) if entry.registry is not None else None
        facts.add_entries(tx, [EntryRow(line.seq, line.received_at, entry.kind, registry_id)])
        if entry.kind == "quarantined" and (content := _quarantined_content(line)) is not None:
            add_quarantined(
                tx,
                seq=line.seq,
                registry=entry.registry or "",
                reason=entry.reason or "",
                size=entry.size or 0,
                content=content,
            )

    def _add_annotation(self, tx: Connection, line: Line) -> None:
        """It is found where the line is found that it is about."""
        entry, annotated = line.entry, line.entry.annotates or 0
        row = EntryRow(line.seq, line.received_at, entry.kind, actor_id=self.actor_id(tx, line))
        facts.add_entries(tx, [annotations.about(tx, annotated, row)])
        annotations.add_annotation(
            tx,
            seq=line.seq,
            annotates=annotated,
            relation=entry.relation or "",
            change=entry.change,
            event=event_key(entry.event) if entry.event is not None else None,
        )

    def actor_id(self, tx: Connection, line: Line) -> int | None:
        """The id of the actor that the line discloses."""
        who = read_who(line.who) or Who()
        return self.names.actor_id(tx, who.actor) if who.actor else None

    def _add_row(self, tx: Connection, scope: "_Scope", *, tag_id: int | None, manifest: int | None) -> None:
        line = scope.line
        row = EntryRow(
            seq=line.seq,
            received_at=line.received_at,
            kind=line.entry.kind,
            registry_id=scope.registry_id,
            repository_id=scope.repository_id,
            tag_id=tag_id,
            manifest_id=manifest,
            actor_id=self.actor_id(tx, line),
            occurred_at=scope.moment.occurred_at,
            event=scope.moment.event,
        )
        facts.add_entries(tx, [row])

    def _project_push(self, tx: Connection, scope: "_Scope") -> list[ProjectedMove]:
        entry = scope.line.entry
        manifest, is_new = pushed_manifest_id(
            tx,
            scope.repository_id,
            entry.digest or "",
            media_type=entry.media_type,
            size=entry.size,
            seq=scope.line.seq,
        )
        add_members(tx, scope.repository_id, manifest, entry.references)
        if entry.tag is None:
            self._add_row(tx, scope, tag_id=None, manifest=manifest)
            return []
        tag_id = self.names.tag_id(tx, scope.repository_id, entry.tag, first=scope.moment)
        self._add_row(tx, scope, tag_id=tag_id, manifest=manifest)
        fact = Push(scope.moment, scope.line.seq, manifest)
        return self._move_tag(tx, scope, tag_id, entry.tag, fact, had_any=not is_new)

    def _project_delete(self, tx: Connection, scope: "_Scope") -> list[ProjectedMove]:
        entry, seq = scope.line.entry, scope.line.seq
        if entry.tag is not None:
            tag_id = self.names.tag_id(tx, scope.repository_id, entry.tag, first=scope.moment)
            self._add_row(tx, scope, tag_id=tag_id, manifest=None)
            return self._move_tag(tx, scope, tag_id, entry.tag, Delete(scope.moment, seq))
        manifest = manifest_id(tx, scope.repository_id, entry.digest) if entry.digest is not None else None
        self._add_row(tx, scope, tag_id=None, manifest=manifest)
        caused: list[ProjectedMove] = []
        for tag_id, tag in facts.find_tags_concerned(tx, scope.repository_id, manifest):
            caused += self._move_tag(tx, scope, tag_id, tag, Delete(scope.moment, seq, manifest))
        facts.note_shared_delete(tx, scope.repository_id, scope.moment)
        return caused

    def _project_deployment(self, tx: Connection, scope: "_Scope") -> Published:
        """A deployment that a pipeline declared."""
        entry = scope.line.entry
        manifest = manifest_id(tx, scope.repository_id, entry.digest or "")
        tag_id = (
            self.names.tag_id(tx, scope.repository_id, entry.tag, first=scope.moment) if entry.tag is not None else None
        )
        self._add_row(tx, scope, tag_id=tag_id, manifest=manifest)
        where = Place(entry.environment or "", scope.repository_id)
        publication = Publication(scope.moment, scope.line.seq, manifest)
        return publish(tx, where, publication, basis="declared", tag=entry.tag, tag_id=tag_id or NO_TAG)

    def _move_tag(
        self,
        tx: Connection,
        scope: "_Scope",
        tag_id: int,
        tag: str,
        fact: Push[int] | Delete[int],
        *,
        had_any: bool = True,
    ) -> list[ProjectedMove]:
        """Derive what the fact does to the tag, from its moment on, and what that publishes.

        Without `had_any` no tag can have had the fact's own digest before.
        """
        state = moves.get_tag_state(tx, tag_id)
        is_latest = fact.moment >= state.latest
        if is_latest:
            head, following = state.head, [fact]
        else:
            head = moves.get_head_before(tx, tag_id, fact.moment)
            following = facts.find_facts(tx, repository_id=scope.repository_id, tag_id=tag_id, since=fact.moment)
        derived = derive_moves(
            following,
            head=head,
            had=lambda manifest: (
                (had_any or manifest != fact.digest) and moves.had_manifest(tx, tag_id, manifest, before=fact.moment)
            ),
        )
        judged = [self._judge(scope, tag, move) for move in derived]
        known = KnownTag(scope.registry, scope.repository, scope.repository_id, tag, tag_id)
        if not is_latest:
            moves.replace_moves(tx, tag_id, since=fact.moment, moves=judged)
            republish(tx, self.book, known, since=fact.moment, moves=derived)
        elif judged:
            moves.append_move(tx, tag_id, judged[0])
            scope.published.extend(publish_move(tx, self.book, known, derived[0]))
        for move in derived:
            head = follow(head, move)
        after = TagState(head, max(state.latest, fact.moment))
        moves.set_tag_state(tx, tag_id, after, last_move=derived[-1] if derived else None)
        return [
            ProjectedMove(scope.repository, tag, move.move.kind, move.violates, not is_latest)
            for move in judged
            if move.move.seq == scope.line.seq
        ]

    def _judge(self, scope: "_Scope", tag: str, move: Move[int]) -> JudgedMove:
        is_release = self.book.at(move.seq).is_release(scope.repository, tag)
        return JudgedMove(move, is_release, is_release and breaks_release(move))


@dataclass(frozen=True, slots=True)
class _Scope:
    """A line that belongs to a repository, with its moment and its names as ids."""

    line: Line
    moment: Moment
    registry: str
    repository: str
    registry_id: int
    repository_id: int
    published: list[Published] = field(default_factory=list)


def as_line(stored: StoredLine) -> Line:
    """The line as it is stored, read."""
    entry = read_line(stored.line)
    return Line(stored.seq, entry, parse_instant(entry.at), stored.who, stored.raw)


def moment_of(entry: Entry) -> Moment:
    """The place of the entry's event among the events of its registry."""
    return Moment(parse_instant(entry.occurred or entry.at), event_key(entry.event or ""))


def add_members(tx: Connection, repository_id: int, index_id: int, members: Sequence[IndexMember]) -> None:
    """Connect an index with the manifests that it refers to."""
    for member in members:
        member_id = manifest_id(tx, repository_id, member.digest)
        facts.add_member(tx, index_id=index_id, manifest_id=member_id, platform=member.platform)


def _quarantined_content(line: Line) -> bytes | None:
    """The SHA-256 of what was quarantined: from the line where it was too large to keep, else from its disclosure."""
    if line.entry.sha256 is not None:
        return bytes.fromhex(line.entry.sha256)
    return hashlib.sha256(disclosed_value(line.raw)).digest() if line.raw is not None else None
