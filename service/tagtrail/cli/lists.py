"""The lists that commands print: where the rows of each come from, its columns, and the sentence for none."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from tagtrail.cli.open_trail import OpenTrail
from tagtrail.cli.query import TrailQuery
from tagtrail.cli.table import WHOLE, TableColumn, time_column
from tagtrail.cli.text import STYLES, Cell, Piece, duration, local_time
from tagtrail.store.deployments import EarlierDigest, RecordedDeployment, find_deployments
from tagtrail.store.entries import LoggedEntry, find_entries
from tagtrail.store.environments import EnvironmentState, find_environments
from tagtrail.store.history import TagMove, find_history
from tagtrail.store.names import find_repositories
from tagtrail.store.registries import (
    KnownRegistry,
    Quarantined,
    Traffic,
    find_known_registries,
    find_quarantined,
    find_traffic,
)
from tagtrail.store.releases import Violation, find_violations
from tagtrail.store.tags import TaggedDigest, TagHead, find_heads, read_heads
from tagtrail.trail.versions import version_key
from tagtrail.wording.clauses import MOVE_WORDS
from tagtrail.wording.text import listed, size

T = TypeVar("T")
_TAGS_AT_ONCE: Final = 100  # tags whose digests are read at once


@dataclass(frozen=True, slots=True)
class TrailList(Generic[T]):
    """A list: `rows` finds them, now or at an instant; `describe` gives the document that `--json` prints of one.

    `nothing` is the sentence for an empty list; it may have the places `{tag}` and `{when}`.
    """

    rows: Callable[[TrailQuery, int | None], Iterator[T]]
    columns: Callable[[OpenTrail], Sequence[TableColumn[T]]]
    describe: Callable[[T, OpenTrail], msgspec.Struct]
    nothing: str

    def write(self, query: TrailQuery, *, at: int | None = None, is_named: bool = False) -> None:
        """Write the list, now or at the instant `at`. Raises NotRecorded for an empty list where one `is_named`."""
        rows = self.rows(query, at)
        chosen = query.filter
        tag = f" {chosen.repository}:{chosen.tag}" if chosen.repository and chosen.tag else ""
        nothing = self.nothing.format(tag=tag, when="" if at is None else f" at {local_time(at)}")
        columns = self.columns(query.trail)
        query.answer(rows, columns, lambda row: self.describe(row, query.trail), nothing=nothing, is_named=is_named)


class ImageRow(Protocol):
    """A row about an image of a registry."""

    @property
    def registry(self) -> str: ...
    @property
    def host(self) -> str | None: ...
    @property
    def repository(self) -> str: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def digest(self) -> str | None: ...


def image_columns(trail: OpenTrail, of: Callable[[T], ImageRow | None], *, deleted: str = "") -> list[TableColumn[T]]:
    """The image of a row: a pipe gets its whole reference, a terminal its tag and shortened digest.

    `deleted` stands where there is no digest.
    """
    whole, short = trail.style(is_whole=True), trail.style(is_whole=False)

    def name(row: T) -> str:
        image = of(row)
        return whole.name(image.registry, image.host, image.repository, image.tag, image.digest) if image else ""

    def tag(row: T) -> str:
        image = of(row)
        return short.name(image.registry, image.host, image.repository, image.tag, None) if image else ""

    def digest(row: T) -> str:
        image = of(row)
        return short.digest(image.digest) if image and image.digest else deleted

    return [
        TableColumn("IMAGE", name, only="pipe"),
        TableColumn("TAG", tag, only="terminal", style="bold", unbroken=WHOLE),
        TableColumn("DIGEST", digest, only="terminal", unbroken=WHOLE, narrow="below"),
    ]


def line_column(seq: Callable[[T], int | None] = lambda row: row.seq) -> TableColumn[T]:  # type: ignore[attr-defined]
    """The number of the ledger's line behind a row."""

    def number(row: T) -> str:
        found = seq(row)
        return str(found) if found is not None else ""

    return TableColumn("LINE", number, style="dim", right=True)


def release_tags(image: RecordedDeployment | EarlierDigest) -> Cell:
    """The release tags that name a digest now, and those that named it only then; a warning where there is none."""
    return both(image.release_tags_then, image.release_tags_now) or ("unpinned", STYLES["warning"])


def both(then: Sequence[str], now: Sequence[str]) -> str:
    """Release tags that name a digest now; one that only named it then is marked, since it no longer leads there."""
    return listed((*now, *(f"{tag} (then)" for tag in then if tag not in now)))


def _actor(row: Any) -> str:
    return row.actor or ""


_BY: Final[TableColumn[Any]] = TableColumn("BY", _actor, narrow="below")


def _entry_columns(trail: OpenTrail) -> list[TableColumn[LoggedEntry]]:
    from tagtrail.wording.line_text import LineText, ReleaseTags  # noqa: PLC0415 - only the log needs it

    reader = ReleaseTags(trail.store.reader)
    whole, short = (LineText(trail.style(is_whole=is_whole), reader) for is_whole in (True, False))

    def sentence(row: LoggedEntry, text: LineText) -> Cell:
        cell: list[Piece] = []
        for clause in text.describe(row):
            cell += [("  ", "")] if cell else []
            cell += [(part.text, STYLES.get(part.role, "")) for part in clause]
        return cell

    return [
        time_column("WHEN", lambda row: row.occurred_at),
        line_column(),
        TableColumn("ENTRY", lambda row: sentence(row, whole), only="pipe"),
        TableColumn("ENTRY", lambda row: sentence(row, short), only="terminal", unbroken=56),
    ]


ENTRIES: Final[TrailList[LoggedEntry]] = TrailList(
    rows=lambda query, _: query.rows(find_entries),
    columns=_entry_columns,
    describe=lambda row, _: row,
    nothing="No line of the ledger matches.",
)


def _tags_by_version(query: TrailQuery, at: int | None) -> Iterator[TaggedDigest]:
    """All tags by registry, repository and version; of one repository at a time, so that memory does not grow."""
    store = query.trail.store
    with store.snapshot() as db:
        repositories = find_repositories(db, query.filter)
    for repository in repositories:
        own = query.narrowed(registry=repository.registry, repository=repository.name).to_store(at=at)
        with store.snapshot() as db:
            heads = sorted(find_heads(db, own), key=lambda head: version_key(head.name))
        yield from _read_tags(query, heads, at)


def _tags_by_time(query: TrailQuery, at: int | None) -> Iterator[TaggedDigest]:
    """All tags, the one that moved last first. One more than is printed, so that the end can be told."""
    with query.trail.store.snapshot() as db:
        heads = find_heads(db, query.to_store(at=at))
        if query.most is None:
            newest = sorted(heads, key=_since, reverse=True)
        else:
            newest = nlargest(query.most + 1, heads, key=_since)
    yield from _read_tags(query, newest, at)


def _since(head: TagHead) -> int:
    return head.since


def _read_tags(query: TrailQuery, heads: Sequence[TagHead], at: int | None) -> Iterator[TaggedDigest]:
    for first in range(0, len(heads), _TAGS_AT_ONCE):
        with query.trail.store.snapshot() as db:
            rows = read_heads(db, query.to_store(at=at), heads[first : first + _TAGS_AT_ONCE])
        yield from rows


TAGS: Final[TrailList[TaggedDigest]] = TrailList(
    rows=_tags_by_version,
    columns=lambda trail: [
        *image_columns(trail, lambda row: row),
        TableColumn("RELEASE", lambda row: listed(row.release_tags)),
        time_column("SINCE", lambda row: row.since),
        _BY,
        line_column(),
    ],
    describe=lambda row, _: row,
    nothing="No tag{tag} pointed at an image{when}.",
)
NEWEST_TAGS: Final = replace(TAGS, rows=_tags_by_time)


def _move(row: TagMove) -> Cell:
    moved = (MOVE_WORDS[row.kind], STYLES[row.kind])
    return [moved, (" VIOLATION", STYLES["violation"])] if row.violation else moved


HISTORY: Final[TrailList[TagMove]] = TrailList(
    rows=lambda query, _: query.rows(find_history),
    columns=lambda trail: [
        time_column("SINCE", lambda row: row.at),
        time_column("UNTIL", lambda row: row.until, missing="now", only="pipe"),
        TableColumn("FOR", lambda row: duration(row.at, row.until), only="terminal", narrow="below"),
        TableColumn("MOVE", _move),
        TableColumn(
            "IMAGE",
            lambda row: trail.style(is_whole=True).name(row.registry, row.host, row.repository, row.tag, row.digest),
            only="pipe",
        ),
        TableColumn(
            "DIGEST",
            lambda row: trail.style(is_whole=False).digest(row.digest) if row.digest else "",
            only="terminal",
            unbroken=WHOLE,
        ),
        TableColumn("RELEASE", lambda row: listed(row.release_tags)),
        TableColumn("REPEATED", lambda row: f"{row.repeated}x" if row.repeated else "", only="pipe", right=True),
        _BY,
        line_column(),
    ],
    describe=lambda row, _: row,
    nothing="The tag{tag} did not move in that time.",
)


def _before(row: RecordedDeployment, trail: OpenTrail) -> str:
    if row.previous is None:
        return ""
    tags = dict.fromkeys(row.previous.release_tags_then + row.previous.release_tags_now)
    return listed(tags) or trail.style(is_whole=False).digest(row.previous.digest)


def _lasted(row: RecordedDeployment) -> str:
    before = row.previous
    return duration(before.at, before.until) if before is not None and before.until is not None else ""


DEPLOYMENTS: Final[TrailList[RecordedDeployment]] = TrailList(
    rows=lambda query, _: query.rows(find_deployments),
    columns=lambda trail: [
        time_column("WHEN", lambda row: row.at),
        TableColumn("ENVIRONMENT", lambda row: row.environment, style="bold"),
        *image_columns(trail, lambda row: row),
        TableColumn("RELEASE", release_tags),
        TableColumn("WENT", lambda row: (row.direction, STYLES[row.direction]), narrow="below"),
        TableColumn("BASIS", lambda row: row.basis, only="pipe"),
        TableColumn("BY", _actor),
        TableColumn("CHANGE", lambda row: row.change or "", only="pipe"),
        TableColumn("BEFORE", lambda row: _before(row, trail), narrow="omit"),
        TableColumn("LASTED", _lasted, narrow="below"),
        line_column(),
    ],
    describe=lambda row, _: row,
    nothing="No recorded deployment matches.",
)


@dataclass(frozen=True, slots=True)
class _Withdrawn:
    """The image of an environment whose tag was deleted."""

    registry: str
    repository: str
    host: str | None = None
    tag: str | None = None
    digest: str | None = None


def _published_image(row: EnvironmentState) -> ImageRow:
    return row.published or _Withdrawn(row.registry, row.repository)


def _roll_back(row: EnvironmentState, trail: OpenTrail) -> str:
    target = row.roll_back_to
    if target is None:
        return ""
    return both(target.release_tags_then, target.release_tags_now) or trail.style(is_whole=False).digest(target.digest)


ENVIRONMENTS: Final[TrailList[EnvironmentState]] = TrailList(
    rows=lambda query, at: query.rows(find_environments, at=at),
    columns=lambda trail: [
        TableColumn("ENVIRONMENT", lambda row: row.environment, style="bold"),
        *image_columns(trail, _published_image),
        TableColumn(
            "RELEASE",
            lambda row: release_tags(row.published) if row.published else ("withdrawn", STYLES["withdrawn"]),
        ),
        time_column("SINCE", lambda row: row.published.at if row.published else row.withdrawn_at),
        TableColumn("BY", lambda row: row.published.actor or "" if row.published else "", narrow="below"),
        TableColumn("BACK TO", lambda row: _roll_back(row, trail)),
        line_column(lambda row: row.published.seq if row.published else None),
    ],
    describe=lambda row, _: row,
    nothing="Nothing was published for any environment{when}.",
)

_VIOLATION_WORDS = MOVE_WORDS | {"created": "pushed anew"}


def _previous(trail: OpenTrail, *, is_whole: bool) -> Callable[[Violation], str]:
    style = trail.style(is_whole=is_whole)
    return lambda row: style.digest(row.previous_digest) if row.previous_digest else ""


VIOLATIONS: Final[TrailList[Violation]] = TrailList(
    rows=lambda query, _: query.rows(find_violations),
    columns=lambda trail: [
        time_column("WHEN", lambda row: row.at),
        TableColumn("MOVE", lambda row: (_VIOLATION_WORDS[row.kind], STYLES[row.kind])),
        *image_columns(trail, lambda row: row, deleted="none"),
        TableColumn("WAS", _previous(trail, is_whole=True), only="pipe"),
        TableColumn("WAS", _previous(trail, is_whole=False), only="terminal", unbroken=WHOLE),
        _BY,
        line_column(),
    ],
    describe=lambda row, _: row,
    nothing="No release tag moved or was deleted, as far as the registry reported.",
)
QUARANTINE: Final[TrailList[Quarantined]] = TrailList(
    rows=lambda query, _: query.rows(find_quarantined),
    columns=lambda _: [
        time_column("WHEN", lambda row: row.at),
        TableColumn("REGISTRY", lambda row: row.registry, style="bold"),
        TableColumn("SIZE", lambda row: size(row.size), right=True),
        TableColumn("REASON", lambda row: row.reason),
        TableColumn("SHA-256", lambda row: row.sha256 or "", only="pipe"),
        line_column(),
    ],
    describe=lambda row, _: row,
    nothing="Nothing is in quarantine.",
)
TRAFFIC: Final[TrailList[Traffic]] = TrailList(
    rows=lambda query, _: query.rows(find_traffic),
    columns=lambda _: [
        TableColumn("DAY", lambda row: row.day),
        TableColumn("REGISTRY", lambda row: row.registry, style="bold"),
        TableColumn("ACTION", lambda row: row.action.replace("_", " ")),
        TableColumn("EVENTS", lambda row: f"{row.events:,}", right=True),
    ],
    describe=lambda row, _: row,
    nothing="No traffic was counted.",
)


def _registries(query: TrailQuery) -> Iterator[KnownRegistry]:
    return (each for each in query.rows(find_known_registries) if query.filter.registry in (None, each.registry))


def _ago(row: KnownRegistry) -> str:
    return f"{duration(row.last_seen, None)} ago" if row.last_seen else ""


REGISTRIES: Final[TrailList[KnownRegistry]] = TrailList(
    rows=lambda query, _: _registries(query),
    columns=lambda _: [
        TableColumn("REGISTRY", lambda row: row.registry, style="bold"),
        TableColumn("HOST", lambda row: ", ".join([row.host or "", *row.aliases]).strip(", ")),
        time_column("LAST EVENT", lambda row: row.last_seen, missing="never"),
        TableColumn("AGO", _ago, right=True),
        time_column("FIRST SEEN", lambda row: row.first_seen, only="pipe"),
        TableColumn("STARTS", lambda row: str(row.starts), right=True),
        TableColumn("LOGIN", lambda row: row.authentication or "not configured", only="pipe"),
        TableColumn("INSTANCE", lambda row: row.instance or "", only="pipe"),
    ],
    describe=lambda row, _: row,
    nothing="No such registry is configured, and none sent events.",
)
