"""The lists that commands print: where the rows of each come from, its columns, and the sentence for none."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from typing import Final, Generic, TypeVar

import msgspec

from tagtrail.cli.columns import digest_columns, image_columns, line_column, list_release_tags, release_tags
from tagtrail.cli.open_trail import OpenTrail
from tagtrail.cli.query import TrailQuery
from tagtrail.cli.table import TableColumn, time_column
from tagtrail.cli.text import STYLES, CellContent, StyledText, duration, local_time
from tagtrail.store.deployments import RecordedDeployment, find_deployments
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

T = TypeVar("T", bound=msgspec.Struct)
_TAGS_AT_ONCE: Final = 100  # tags whose digests are read at once


@dataclass(frozen=True, slots=True)
class TrailList(Generic[T]):
    """A list: the function that finds its rows, now or at an instant, its columns, and the sentence for no rows.

    The sentence may have the places `{tag}` and `{when}`. A row is what the API shows, so `--json` prints it as it is.
    """

    rows: Callable[[TrailQuery, int | None], Iterator[T]]
    columns: Callable[[OpenTrail], Sequence[TableColumn[T]]]
    nothing: str

    def write(self, query: TrailQuery, *, at: int | None = None, is_named: bool = False) -> None:
        """Write the list, now or at the instant `at`. Raises NotRecorded for an empty list where one `is_named`."""
        rows = self.rows(query, at)
        chosen = query.filter
        tag = f" {chosen.repository}:{chosen.tag}" if chosen.repository and chosen.tag else ""
        nothing = self.nothing.format(tag=tag, when="" if at is None else f" at {local_time(at)}")
        columns = self.columns(query.trail)
        query.answer(rows, columns, nothing=nothing, is_named=is_named)


def _entry_columns(trail: OpenTrail) -> list[TableColumn[LoggedEntry]]:
    from tagtrail.wording.line_text import LineText, ReleaseTags  # noqa: PLC0415 - only the log needs it

    reader = ReleaseTags(trail.store.reader)
    whole, short = (LineText(trail.style(is_whole=is_whole), reader) for is_whole in (True, False))

    def sentence(row: LoggedEntry, text: LineText) -> CellContent:
        cell: list[StyledText] = []
        for clause in text.describe(row):
            cell += [("  ", "")] if cell else []
            cell += [(part.text, STYLES.get(part.role, "")) for part in clause]
        return cell

    return [
        time_column("WHEN", lambda row: row.occurred_at),
        line_column(lambda row: row.seq),
        TableColumn("ENTRY", lambda row: sentence(row, whole), only="pipe"),
        TableColumn("ENTRY", lambda row: sentence(row, short), only="terminal", unbroken=56),
    ]


ENTRIES: Final[TrailList[LoggedEntry]] = TrailList(
    rows=lambda query, _: query.rows(find_entries),
    columns=_entry_columns,
    nothing="No line of the ledger matches.",
)


def _tags_by_version(query: TrailQuery, at: int | None) -> Iterator[TaggedDigest]:
    """All tags by registry, repository and version. Only the tags of one repository are in memory."""
    store = query.trail.store
    with store.snapshot() as db:
        repositories = find_repositories(db, query.filter)
    for repository in repositories:
        own = query.narrowed(registry=repository.registry, repository=repository.name).to_store(at=at)
        with store.snapshot() as db:
            heads = sorted(find_heads(db, own), key=lambda head: version_key(head.name))
        yield from _read_tags(query, heads, at)


def _tags_by_time(query: TrailQuery, at: int | None) -> Iterator[TaggedDigest]:
    """All tags, the one that moved last first; or one more than is printed, to show that there are more."""
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
        TableColumn("BY", lambda row: row.actor or "", narrow="below"),
        line_column(lambda row: row.seq),
    ],
    nothing="No tag{tag} pointed at an image{when}.",
)
NEWEST_TAGS: Final = replace(TAGS, rows=_tags_by_time)


def _move(row: TagMove) -> CellContent:
    moved = (MOVE_WORDS[row.kind], STYLES[row.kind])
    return [moved, (" VIOLATION", STYLES["violation"])] if row.violation else moved


HISTORY: Final[TrailList[TagMove]] = TrailList(
    rows=lambda query, _: query.rows(find_history),
    columns=lambda trail: [
        time_column("SINCE", lambda row: row.at),
        time_column("UNTIL", lambda row: row.until, missing="now", only="pipe"),
        TableColumn("FOR", lambda row: duration(row.at, row.until), only="terminal", narrow="below"),
        TableColumn("MOVE", _move),
        *image_columns(trail, lambda row: row, with_tag=False),
        TableColumn("RELEASE", lambda row: listed(row.release_tags)),
        TableColumn("REPEATED", lambda row: f"{row.repeated}x" if row.repeated else "", only="pipe", right=True),
        TableColumn("BY", lambda row: row.actor or "", narrow="below"),
        line_column(lambda row: row.seq),
    ],
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
        TableColumn("BY", lambda row: row.actor or ""),
        TableColumn("CHANGE", lambda row: row.change or "", only="pipe"),
        TableColumn("BEFORE", lambda row: _before(row, trail), narrow="omit"),
        TableColumn("LASTED", _lasted, narrow="below"),
        line_column(lambda row: row.seq),
    ],
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


def _published_image(row: EnvironmentState) -> RecordedDeployment | _Withdrawn:
    return row.published or _Withdrawn(row.registry, row.repository)


def _roll_back(row: EnvironmentState, trail: OpenTrail) -> str:
    target = row.roll_back_to
    if target is None:
        return ""
    return list_release_tags(target) or trail.style(is_whole=False).digest(target.digest)


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
    nothing="Nothing was published for any environment{when}.",
)

_VIOLATION_WORDS = MOVE_WORDS | {"created": "pushed anew"}


def _previous(row: Violation) -> str | None:
    return row.previous_digest


VIOLATIONS: Final[TrailList[Violation]] = TrailList(
    rows=lambda query, _: query.rows(find_violations),
    columns=lambda trail: [
        time_column("WHEN", lambda row: row.at),
        TableColumn("MOVE", lambda row: (_VIOLATION_WORDS[row.kind], STYLES[row.kind])),
        *image_columns(trail, lambda row: row, deleted="none"),
        *digest_columns(trail, "WAS", _previous),
        TableColumn("BY", lambda row: row.actor or "", narrow="below"),
        line_column(lambda row: row.seq),
    ],
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
        line_column(lambda row: row.seq),
    ],
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
    nothing="No such registry is configured, and none sent events.",
)
