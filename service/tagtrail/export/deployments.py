"""`deployments.csv`: a row for each deployment that a line of the bundle made, in the order of the lines.

Deployments are derived by environment and repository, and written by line; in between, each takes a few bytes.
Only the first N lines count, and the functions are those that derive the trail.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Final, get_args

from tagtrail.export.selection import Reading, Selection
from tagtrail.ledger.rulebook import RuleBook
from tagtrail.line import Entry, read_line, read_note, read_who
from tagtrail.store.database import Connection
from tagtrail.store.events import find_facts
from tagtrail.store.export import (
    PublishingTag,
    StoredRepository,
    find_declared,
    find_images,
    find_repositories_of_lines,
    find_stored,
    find_tag,
    find_tags_pushed,
)
from tagtrail.store.lines import StoredLine
from tagtrail.store.publications import Place
from tagtrail.trail.deployments import Deployment, Direction, Publication, derive_deployments
from tagtrail.trail.instant import format_instant, parse_instant, seconds_between
from tagtrail.trail.moves import Interval, Moment, Move, derive_moves, intervals
from tagtrail.trail.rules import Hosts
from tagtrail.wording.spreadsheet import MARK, Cell, write_cells, write_row
from tagtrail.wording.text import format_optional

_EVER: Final = Moment(0, b"")
_REMEMBERED: Final = 20_000  # tags


@dataclass(frozen=True, slots=True)
class Past:
    """The first `size` lines, and the rules that were in force at each."""

    book: RuleBook
    size: int

    def derive(self, db: Connection, repository: StoredRepository, environment: str) -> list[Deployment[int]]:
        """The environment's whole history in the repository, oldest first, including withdrawals."""
        reported = (
            Publication(move.moment, move.seq, move.digest)
            for tag in self._tags_of(db, repository, environment)
            for move in self.derive_moves(db, repository.id, tag.id)
            if self._means(environment, repository, tag.name, move.seq)
        )
        declared = find_declared(db, Place(environment, repository.id), size=self.size)
        return derive_deployments([*reported, *declared])

    def _tags_of(self, db: Connection, repository: StoredRepository, environment: str) -> list[PublishingTag]:
        """The tags that ever meant the environment there."""
        deciding = [
            rules.environments_in(repository.registry, repository.name).get(environment) for rules in self.book.editions
        ]
        names = {rule.tag for rule in deciding if rule is not None}
        tags = (find_tag(db, repository.id, name) for name in sorted(names))
        return [tag for tag in tags if tag is not None]

    def _means(self, environment: str, repository: StoredRepository, tag: str, seq: int) -> bool:
        there = self.book.at(seq).environments_of(repository.registry, repository.name, tag)
        return any(rule.name == environment for rule in there)

    def derive_moves(self, db: Connection, repository_id: int, tag_id: int) -> list[Move[int]]:
        """The tag's moves, oldest first."""
        facts = find_facts(db, repository_id=repository_id, tag_id=tag_id, since=_EVER)
        return derive_moves(fact for fact in facts if fact.seq < self.size)


class PastReleaseTags:
    """Which release tags pointed to a manifest, and when, according to the first lines."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._named = OrderedDict[int, list[Interval[int]]]()  # by tag, its digests while it was a release tag
        self._may_be_release = lru_cache(maxsize=_REMEMBERED)(self._was_ever_release)

    def choose(
        self,
        db: Connection,
        tags: Iterable[PublishingTag],
        *,
        repository: StoredRepository,
        manifest_id: int,
        since: int,
        until: int | None,
    ) -> list[str]:
        """The tags that pointed to the manifest at any time from `since` to `until` (None: to the end)."""
        return [
            tag.name
            for tag in tags
            if self._may_be_release(repository.name, tag.name)
            and any(
                named.digest == manifest_id and _meets(named, since, until)
                for named in self._find_named(db, repository, tag)
            )
        ]

    def _was_ever_release(self, repository: str, tag: str) -> bool:
        """Whether the tag was ever a release tag; a moving tag's history may be long and is not read."""
        return any(rules.is_release(repository, tag) for rules in self._past.book.editions)

    def _find_named(self, db: Connection, repository: StoredRepository, tag: PublishingTag) -> list[Interval[int]]:
        known = self._named.get(tag.id)
        if known is None:
            known = self._named[tag.id] = list(self._derive_named(db, repository, tag))
            if len(self._named) > _REMEMBERED:
                self._named.popitem(last=False)
        return known

    def _derive_named(
        self, db: Connection, repository: StoredRepository, tag: PublishingTag
    ) -> Iterator[Interval[int]]:
        moves = self._past.derive_moves(db, repository.id, tag.id)
        naming = (move for move in moves if move.digest is not None)
        for move, interval in zip(naming, intervals(moves), strict=True):
            if self._past.book.at(move.seq).is_release(repository.name, tag.name):
                yield interval


def _meets(named: Interval[int], since: int, until: int | None) -> bool:
    """Whether the interval overlaps the time, which has at least its first instant."""
    begins_in_time = until is None or named.since < max(until, since + 1)
    return begins_in_time and (named.until is None or named.until > since)


_COLUMNS: Final = (
    "image", "environment", "registry", "repository", "tag", "digest", "at", "until", "seconds", "direction", "basis",
    "release_tags", "previous_image", "change", "seq",
)  # fmt: skip
_OF_PERSONS: Final = ("actor", "note")
_DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)
_ROWS: Final = 200  # written in one snapshot
_NEVER: Final = -1


@dataclass(frozen=True, slots=True)
class _Deployed:
    """A deployment until its line is written; `previous` is the line of the one before it, or -1."""

    seq: int
    environment: int
    direction: int
    until: int
    previous: int

    def pack(self) -> bytes:
        """The deployment as bytes that sort by line."""
        return _PACKED.pack(self.seq, self.environment, self.direction, self.until, self.previous)


_PACKED: Final = Struct(">QHBqq")


class Deployments:
    """The table of one bundle. Without `identities` it names no person."""

    def __init__(
        self,
        reading: Reading,
        selection: Selection,
        past: Past,
        hosts: Hosts,
        *,
        environment: str | None,
        identities: bool,
    ) -> None:
        self._reading = reading
        self._selection = selection
        self._past = past
        self._hosts = hosts
        self._environments = sorted(past.book.environments)
        self._asked = environment
        self._identities = identities
        self._release_tags = PastReleaseTags(past)

    def write(self) -> Iterator[bytes]:
        """The table, in pieces."""
        yield MARK + write_row(_COLUMNS + (_OF_PERSONS if self._identities else ())).encode()
        packed = sorted(self._derive())
        for start in range(0, len(packed), _ROWS):
            with self._reading.page() as db:
                some = [_Deployed(*_PACKED.unpack(each)) for each in packed[start : start + _ROWS]]
                text = "".join(self._write_rows(db, some))
            yield text.encode()

    def _derive(self) -> Iterator[bytes]:
        for repository in self._repositories():
            for number, environment in enumerate(self._environments):
                if self._asked in (None, environment):
                    with self._reading.page() as db:
                        history = self._past.derive(db, repository, environment)
                    for deployment in history:
                        seq = deployment.publication.seq
                        if deployment.direction is not None and self._selection.includes(seq):
                            direction = _DIRECTIONS.index(deployment.direction)
                            until = _NEVER if deployment.until is None else deployment.until
                            previous = _NEVER if deployment.previous is None else deployment.previous
                            yield _Deployed(seq, number, direction, until, previous).pack()

    def _repositories(self) -> Iterator[StoredRepository]:
        """The repositories of the lines in the range."""
        after = ("", "")
        while True:
            with self._reading.page() as db:
                found = find_repositories_of_lines(db, self._selection.first, self._selection.end, after=after)
            if not found:
                return
            yield from found
            after = (found[-1].registry, found[-1].name)

    def _write_rows(self, db: Connection, some: Sequence[_Deployed]) -> Iterator[str]:
        stored = find_stored(db, {seq for each in some for seq in (each.seq, each.previous)})
        entries = {seq: read_line(line.line) for seq, line in stored.items()}
        images = find_images(db, [each.seq for each in some])
        tags = find_tags_pushed(db, {manifest for _, manifest in images.values()}, size=self._past.size)
        for each in some:
            entry, (repository_id, manifest) = entries[each.seq], images[each.seq]
            repository = StoredRepository(repository_id, entry.registry or "", entry.repository or "")
            since, until = parse_instant(entry.occurred or entry.at), None if each.until == _NEVER else each.until
            release_tags = self._release_tags.choose(
                db, tags[manifest], repository=repository, manifest_id=manifest, since=since, until=until
            )
            cells = self._show(
                each, entry, entries.get(each.previous), at=since, until=until, release_tags=release_tags
            )
            yield write_cells([*cells, *(_show_persons(stored[each.seq], entry) if self._identities else ())])

    def _show(
        self,
        deployed: _Deployed,
        entry: Entry,
        previous: Entry | None,
        *,
        at: int,
        until: int | None,
        release_tags: list[str],
    ) -> tuple[Cell, ...]:
        return (
            self._image(entry), self._environments[deployed.environment], entry.registry, entry.repository, entry.tag,
            entry.digest, format_instant(at), format_optional(until), seconds_between(at, until),
            _DIRECTIONS[deployed.direction], "declared" if entry.kind == "deployment" else "reported", release_tags,
            self._image(previous) if previous is not None else None, entry.change, entry.seq,
        )  # fmt: skip

    def _image(self, entry: Entry) -> str:
        return self._hosts.reference(entry.registry or "", entry.host, entry.repository or "", entry.tag, entry.digest)


def _show_persons(stored: StoredLine, entry: Entry) -> tuple[Cell, Cell]:
    who = read_who(stored.who)
    note = read_note(stored.raw) if entry.kind == "deployment" else None
    return (who.actor if who is not None else ""), note
