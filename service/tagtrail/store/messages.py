"""The data of messages: moves, deployments and withdrawals of some lines, with the state before each and now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tagtrail.line import Entry, read_line
from tagtrail.store.database import Connection
from tagtrail.store.deployments import KEY, RecordedDeployment, read_deployments
from tagtrail.store.environments import EnvironmentState, find_environments
from tagtrail.store.moves import TagFilter, find_unmatched_deletes
from tagtrail.store.query import Filter, Query
from tagtrail.store.releases import ReleaseName, Releases
from tagtrail.store.series import marks
from tagtrail.trail.moves import MoveKind
from tagtrail.trail.rules import Rules

MOST_MOVES: Final = 100  # in one message; further ones are counted
MOST_LOOKED_BACK: Final = 1_000  # publications read to find how long a digest was published
_MOST_LINES: Final = 500  # read at a time


@dataclass(frozen=True, slots=True)
class MessageLine:
    """A line, and the JSON document of the person behind it; None if there is none, or it was erased."""

    seq: int
    received_at: int
    occurred_at: int | None
    entry: Entry
    who: bytes | None


@dataclass(frozen=True, slots=True)
class MessageImage:
    """A digest with the other release tags that named it then, and those that name it now."""

    digest: str
    then: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """A period; both ends are in nanoseconds since 1970 UTC."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class MessageMove:
    """A tag's move. `digest` is None for a delete.

    `previous` is the digest that the tag named last, `lasted` for how long, if it named it until this move. `had` is
    the last earlier period with the new digest. `present` is the tag's digest now, None if it is deleted.
    """

    registry: str
    repository: str
    tag: str
    kind: MoveKind
    occurred_at: int
    seq: int
    is_release: bool
    violates: bool
    digest: MessageImage | None
    previous: MessageImage | None
    lasted: Period | None
    had: Period | None
    present: MessageImage | None
    present_since: int


@dataclass(frozen=True, slots=True)
class MessageDeployment:
    """A deployment, or, without a `recorded` deployment, the withdrawal of `previous`.

    `lasted` is how long `previous` was published without a break, `had` the last earlier period of the new digest,
    `state` the environment's state now.
    """

    environment: str
    registry: str
    repository: str
    tag: str | None
    occurred_at: int
    seq: int
    recorded: RecordedDeployment | None
    previous: MessageImage | None
    lasted: Period | None
    had: Period | None
    state: EnvironmentState | None


@dataclass(frozen=True, slots=True)
class MessageData:
    """The data of one message, oldest first; `moves_left_out` counts the moves beyond MOST_MOVES."""

    lines: tuple[MessageLine, ...]
    moves: tuple[MessageMove, ...]
    deployments: tuple[MessageDeployment, ...]
    moves_left_out: int = 0


def find_message_data(
    db: Connection, seqs: Sequence[int], rules: Rules, *, accepts: TagFilter | None = None
) -> MessageData:
    """The data of a message about these lines; of more than 500 lines only the newest 500.

    Lines that are no longer kept are left out. Of a delete that took several tags only those that the filter accepts
    are read, or all if it accepts none.
    """
    seqs = sorted(seqs)[-_MOST_LINES:]
    releases = Releases(db)
    ignored = find_unmatched_deletes(db, seqs, accepts)
    keys = _find_move_keys(db, seqs, ignored)
    return MessageData(
        lines=tuple(_find_lines(db, seqs)),
        moves=tuple(_read_move(db, key, releases) for key in keys[:MOST_MOVES]),
        deployments=tuple(_find_deployments(db, seqs, rules, releases, ignored)),
        moves_left_out=max(0, len(keys) - MOST_MOVES),
    )


def get_newest_line(db: Connection, filters: Filter) -> int | None:
    """The line of the newest move of the filter's tag in the filter's repository."""
    row = db.execute(
        "SELECT m.seq FROM moves m JOIN tags t ON t.id = m.tag_id JOIN repositories r ON r.id = t.repository_id"
        " JOIN registries g ON g.id = r.registry_id WHERE g.name = ? AND r.name = ? AND t.name = ?"
        " ORDER BY m.occurred_at DESC, m.event DESC LIMIT 1",
        (filters.registry, filters.repository, filters.tag),
    ).fetchone()
    return int(row[0]) if row else None


def find_debounced(db: Connection, seq: int, *, within: int) -> list[int]:
    """The line, and pushes of the same digest to the same repository within so many nanoseconds."""
    rows = db.execute(
        "SELECT e.seq FROM entries n JOIN entries e ON e.manifest_id = n.manifest_id AND e.kind = n.kind"
        " WHERE n.seq = ? AND n.kind = 'push' AND abs(e.received_at - n.received_at) <= ?"
        " AND EXISTS (SELECT 1 FROM moves m WHERE m.seq = e.seq) ORDER BY e.seq LIMIT ?",
        (seq, within, _MOST_LINES),
    )
    return [row[0] for row in rows] or [seq]


def _find_lines(db: Connection, seqs: Sequence[int]) -> list[MessageLine]:
    rows = db.execute(
        "SELECT e.seq, e.received_at, e.occurred_at, l.line, d.who FROM entries e JOIN lines l ON l.seq = e.seq"
        f" LEFT JOIN disclosures d ON d.seq = e.seq WHERE e.seq IN ({marks(seqs)}) ORDER BY e.seq",
        seqs,
    )
    return [MessageLine(seq, received, occurred, read_line(line), who) for seq, received, occurred, line, who in rows]


def _find_move_keys(db: Connection, seqs: Sequence[int], ignored: frozenset[tuple[int, int]]) -> list[list[Any]]:
    """The moves' keys, violations and release tags first, so that less important moves are left out."""
    rows = db.execute(
        "SELECT m.seq, m.tag_id, m.occurred_at, m.event FROM moves m JOIN tags t ON t.id = m.tag_id"
        f" WHERE m.seq IN ({marks(seqs)}) ORDER BY m.violates DESC, m.is_release DESC, m.occurred_at, m.event, t.name",
        seqs,
    )
    return [key for seq, *key in rows if (seq, key[0]) not in ignored]


def _read_move(db: Connection, key: Sequence[Any], releases: Releases) -> MessageMove:
    (
        registry, repository, tag, kind, occurred_at, seq, is_release, violates, now_id, now, before_id, before,
        head_id, head, head_since,
    ) = db.execute(
        "SELECT g.name, r.name, t.name, m.kind, m.occurred_at, m.seq, m.is_release, m.violates, m.manifest_id,"
        " now.digest, m.previous_id, before.digest, t.head_id, head.digest, t.head_since FROM moves m"
        " JOIN tags t ON t.id = m.tag_id JOIN repositories r ON r.id = t.repository_id"
        " JOIN registries g ON g.id = r.registry_id LEFT JOIN manifests now ON now.id = m.manifest_id"
        " LEFT JOIN manifests before ON before.id = m.previous_id LEFT JOIN manifests head ON head.id = t.head_id"
        " WHERE m.tag_id = ? AND m.occurred_at = ? AND m.event = ?",
        key,
    ).fetchone()  # fmt: skip
    return MessageMove(
        registry=registry,
        repository=repository,
        tag=tag,
        kind=kind,
        occurred_at=occurred_at,
        seq=seq,
        is_release=bool(is_release),
        violates=bool(violates),
        digest=_name(releases, now_id, now, occurred_at, tag),
        previous=_name(releases, before_id, before, occurred_at - 1, tag),
        lasted=_find_period(db, key, before_id, "m.until = ?", occurred_at),
        had=_find_period(db, key, now_id, "m.until <= ?", occurred_at) if now_id is not None else None,
        present=_name(releases, head_id, head, occurred_at, tag),
        present_since=head_since,
    )


def _name(
    releases: Releases, manifest_id: int | None, digest: str | None, at: int, tag: str | None
) -> MessageImage | None:
    if manifest_id is None or digest is None:
        return None
    return MessageImage(digest, _others(releases.at(manifest_id, at), tag), _others(releases.now(manifest_id), tag))


def _others(named: tuple[ReleaseName, ...], tag: str | None) -> tuple[str, ...]:
    return tuple(release.tag for release in named if release.tag != tag)


def _find_period(
    db: Connection, key: Sequence[Any], manifest_id: int | None, condition: str, until: int
) -> Period | None:
    """The tag's last period with that manifest before the move."""
    row = db.execute(
        "SELECT m.occurred_at, m.until FROM moves m WHERE m.tag_id = ? AND m.manifest_id = ?"
        f" AND (m.occurred_at, m.event) < (?, ?) AND {condition} ORDER BY m.occurred_at DESC, m.event DESC LIMIT 1",
        (key[0], manifest_id, *key[1:], until),
    ).fetchone()
    return Period(*row) if row else None


def _find_deployments(
    db: Connection, seqs: Sequence[int], rules: Rules, releases: Releases, ignored: frozenset[tuple[int, int]]
) -> list[MessageDeployment]:
    columns = ", ".join(KEY)
    rows = db.execute(
        f"SELECT {columns}, p.seq, p.manifest_id, g.name, r.name, t.name, m.digest FROM publications p"
        " JOIN repositories r ON r.id = p.repository_id JOIN registries g ON g.id = r.registry_id"
        " LEFT JOIN tags t ON t.id = p.tag_id LEFT JOIN manifests m ON m.id = p.manifest_id"
        f" WHERE p.seq IN ({marks(seqs)}) ORDER BY {columns}",
        seqs,
    ).fetchall()
    return [
        _read_deployment(db, row, rules, releases) for row in rows if (row[len(KEY)], row[len(KEY) - 1]) not in ignored
    ]


def _read_deployment(db: Connection, row: tuple[Any, ...], rules: Rules, releases: Releases) -> MessageDeployment:
    key, (seq, manifest_id, registry, repository, tag, _) = row[: len(KEY)], row[len(KEY) :]
    occurred_at, _, environment, repository_id, _ = key
    recorded = read_deployments(db, [key], rules, releases)[0] if manifest_id is not None else None
    before = db.execute(
        "SELECT p.manifest_id, m.digest, p.occurred_at FROM publications p JOIN manifests m ON m.id = p.manifest_id"
        " WHERE p.environment = ? AND p.repository_id = ? AND (p.occurred_at, p.event, p.tag_id) < (?, ?, ?)"
        " ORDER BY p.occurred_at DESC, p.event DESC, p.tag_id DESC LIMIT 1",
        (environment, repository_id, *key[:2], key[4]),
    ).fetchone()
    before_id, before_digest, before_at = before or (None, None, 0)
    previous = _name(releases, before_id, before_digest, occurred_at - 1, None)
    if previous is not None and not previous.then:  # the image may have lost its release tag since it was published
        previous = _name(releases, before_id, before_digest, before_at, None)
    filters = Filter(registry=registry, repository=repository, environment=environment)
    return MessageDeployment(
        environment=environment,
        registry=registry,
        repository=repository,
        tag=tag,
        occurred_at=occurred_at,
        seq=seq,
        recorded=recorded,
        previous=previous,
        lasted=_find_publication(db, key, before_id),
        had=_find_publication(db, key, manifest_id),
        state=next(iter(find_environments(db, Query(rules, filters, limit=1)).items), None),
    )


def _find_publication(db: Connection, key: tuple[Any, ...], manifest_id: int | None) -> Period | None:
    """The environment's last period with the manifest before the publication, without another manifest in between."""
    if manifest_id is None:
        return None
    since = until = None
    rows = db.execute(
        "SELECT occurred_at, coalesce(until, ?), manifest_id FROM publications WHERE environment = ?"
        " AND repository_id = ? AND (occurred_at, event, tag_id) < (?, ?, ?)"
        " ORDER BY occurred_at DESC, event DESC, tag_id DESC LIMIT ?",
        (key[0], key[2], key[3], *key[:2], key[4], MOST_LOOKED_BACK),
    )
    for began_at, ended_at, other in rows:
        if other == manifest_id:
            since, until = began_at, ended_at if until is None else until
        elif since is not None:
            break
    return None if since is None or until is None else Period(since, until)
