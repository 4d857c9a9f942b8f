"""`deployments.csv`: a row for each deployment that a line of the bundle made, in the order of the lines.

They are derived place by place and told line by line; in between, each is kept in a few bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, get_args

import msgspec

from tagtrail.audit.bundle.deployed import Past, ReleaseTags
from tagtrail.audit.bundle.reading import Reading
from tagtrail.audit.bundle.selection import Selection
from tagtrail.audit.describing import read_who
from tagtrail.audit.naming import Hosts
from tagtrail.audit.spreadsheet import MARK, Cell, write_cells, write_row
from tagtrail.audit.times import format_optional, seconds_between
from tagtrail.ledger.declare import Declaration
from tagtrail.ledger.line import Entry, disclosed_value, read_line
from tagtrail.store.database import Connection
from tagtrail.store.lines import StoredLine
from tagtrail.store.questions.bundles import (
    Named,
    find_images,
    find_repositories_of_lines,
    find_stored,
    find_tags_pushed,
)
from tagtrail.trail.deployments import Direction
from tagtrail.trail.instant import format_instant, parse_instant

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
    """A deployment as it is kept until its line's turn comes; `previous` is the line of the one before it, or -1."""

    seq: int
    environment: int
    direction: int
    until: int
    previous: int

    def pack(self) -> bytes:
        """In bytes that sort by line."""
        return _PACKED.pack(self.seq, self.environment, self.direction, self.until, self.previous)


_PACKED: Final = Struct(">QHBqq")


class Deployments:
    """The table of one bundle. Without `identities` it names nobody."""

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
        self._release_tags = ReleaseTags(past)

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

    def _repositories(self) -> Iterator[Named]:
        """Those to which lines of the range belong."""
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
            repository = Named(repository_id, entry.registry or "", entry.repository or "")
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
    who, note = read_who(stored.who), None
    if stored.raw is not None and entry.kind == "deployment":
        note = msgspec.json.decode(disclosed_value(stored.raw), type=Declaration).note
    return (who.actor if who is not None else ""), note
