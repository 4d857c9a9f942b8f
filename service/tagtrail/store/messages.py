"""What lines have to tell: moves, deployments and withdrawals, with what was before each and what is there now."""

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

MOST_MOVES: Final = 100  # of all lines of one message; the rest is counted
MOST_LOOKED_BACK: Final = 1_000  # publications looked at for how long a digest stood
_MOST_LINES: Final = 500  # read at a time


@dataclass(frozen=True, slots=True)
class MessageLine:
    """A line, and as a document who was behind it; None where that was not told, or was erased."""

    seq: int
    received_at: int
    occurred_at: int | None
    entry: Entry
    who: bytes | None


@dataclass(frozen=True, slots=True)
class NamedDigest:
    """A digest with the release tags that named it then, and those that name it now: never the tag in question."""

    digest: str
    then: tuple[str, ...]
    now: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """From when until when something was there."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class MessageMove:
    """A tag's move. `digest` is None for a delete, `previous` what the tag named last, for `lasted` where it still did.

    `had` is when it was this digest before; `present` and `present_since` are what it is now (None: deleted).
    """

    registry: str
    repository: str
    tag: str
    kind: MoveKind
    occurred_at: int
    seq: int
    is_release: bool
    violates: bool
    digest: NamedDigest | None
    previous: NamedDigest | None
    lasted: Period | None
    had: Period | None
    present: NamedDigest | None
    present_since: int


@dataclass(frozen=True, slots=True)
class MessageDeployment:
    """A deployment, or (without an answer) a withdrawal of what had been published as `previous`.

    `lasted` is how long `previous` stood, without a break; `had` when the deployment's digest stood there before;
    `state` is how things stand now.
    """

    environment: str
    registry: str
    repository: str
    tag: str | None
    occurred_at: int
    seq: int
    answer: RecordedDeployment | None
    previous: NamedDigest | None
    lasted: Period | None
    had: Period | None
    state: EnvironmentState | None


@dataclass(frozen=True, slots=True)
class MessageData:
    """All that lines have to tell, oldest first; `moves_left_out` are moves beyond MOST_MOVES."""

    lines: tuple[MessageLine, ...]
    moves: tuple[MessageMove, ...]
    deployments: tuple[MessageDeployment, ...]
    moves_left_out: int = 0


def find_message_data(
    db: Connection, seqs: Sequence[int], rules: Rules, *, wants: TagFilter | None = None
) -> MessageData:
    """What these lines have to tell. Those that are no longer kept are left out; at most some hundreds.

    One delete may be of many tags: told are those that somebody `wants`, or all where that is none of them.
    """
    seqs = sorted(seqs)[-_MOST_LINES:]
    releases = Releases(db)
    unwanted = find_unmatched_deletes(db, seqs, wants)
    keys = _find_move_keys(db, seqs, unwanted)
    return MessageData(
        lines=tuple(_find_lines(db, seqs)),
        moves=tuple(_read_move(db, key, releases) for key in keys[:MOST_MOVES]),
        deployments=tuple(_find_deployments(db, seqs, rules, releases, unwanted)),
        moves_left_out=max(0, len(keys) - MOST_MOVES),
    )


def get_newest_line(db: Connection, filters: Filter) -> int | None:
    """The line behind the newest move of the tag that the filter names, in the repository that it names."""
    row = db.execute(
        "SELECT m.seq FROM moves m JOIN tags t ON t.id = m.tag_id JOIN repositories r ON r.id = t.repository_id"
        " JOIN registries g ON g.id = r.registry_id WHERE g.name = ? AND r.name = ? AND t.name = ?"
        " ORDER BY m.occurred_at DESC, m.event DESC LIMIT 1",
        (filters.registry, filters.repository, filters.tag),
    ).fetchone()
    return int(row[0]) if row else None


def find_gathered(db: Connection, seq: int, *, within: int) -> list[int]:
    """The line, and those that tell of the same digest in the same repository within so many nanoseconds of it."""
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


def _find_move_keys(db: Connection, seqs: Sequence[int], unwanted: frozenset[tuple[int, int]]) -> list[list[Any]]:
    """The moves' keys; violations and release tags first, so that what is left out is what matters least."""
    rows = db.execute(
        "SELECT m.seq, m.tag_id, m.occurred_at, m.event FROM moves m JOIN tags t ON t.id = m.tag_id"
        f" WHERE m.seq IN ({marks(seqs)}) ORDER BY m.violates DESC, m.is_release DESC, m.occurred_at, m.event, t.name",
        seqs,
    )
    return [key for seq, *key in rows if (seq, key[0]) not in unwanted]


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
        digest=_named(releases, now_id, now, occurred_at, tag),
        previous=_named(releases, before_id, before, occurred_at - 1, tag),
        lasted=_stood(db, key, before_id, "m.until = ?", occurred_at),
        had=_stood(db, key, now_id, "m.until <= ?", occurred_at) if now_id is not None else None,
        present=_named(releases, head_id, head, occurred_at, tag),
        present_since=head_since,
    )


def _named(
    releases: Releases, manifest_id: int | None, digest: str | None, at: int, tag: str | None
) -> NamedDigest | None:
    if manifest_id is None or digest is None:
        return None
    return NamedDigest(digest, _others(releases.at(manifest_id, at), tag), _others(releases.now(manifest_id), tag))


def _others(named: tuple[ReleaseName, ...], tag: str | None) -> tuple[str, ...]:
    return tuple(release.tag for release in named if release.tag != tag)


def _stood(db: Connection, key: Sequence[Any], manifest_id: int | None, condition: str, until: int) -> Period | None:
    """The tag's last interval with that manifest before the move."""
    row = db.execute(
        "SELECT m.occurred_at, m.until FROM moves m WHERE m.tag_id = ? AND m.manifest_id = ?"
        f" AND (m.occurred_at, m.event) < (?, ?) AND {condition} ORDER BY m.occurred_at DESC, m.event DESC LIMIT 1",
        (key[0], manifest_id, *key[1:], until),
    ).fetchone()
    return Period(*row) if row else None


def _find_deployments(
    db: Connection, seqs: Sequence[int], rules: Rules, releases: Releases, unwanted: frozenset[tuple[int, int]]
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
        _read_deployment(db, row, rules, releases) for row in rows if (row[len(KEY)], row[len(KEY) - 1]) not in unwanted
    ]


def _read_deployment(db: Connection, row: tuple[Any, ...], rules: Rules, releases: Releases) -> MessageDeployment:
    key, (seq, manifest_id, registry, repository, tag, _) = row[: len(KEY)], row[len(KEY) :]
    occurred_at, _, environment, repository_id, _ = key
    answer = read_deployments(db, [key], rules, releases)[0] if manifest_id is not None else None
    before = db.execute(
        "SELECT p.manifest_id, m.digest, p.occurred_at FROM publications p JOIN manifests m ON m.id = p.manifest_id"
        " WHERE p.environment = ? AND p.repository_id = ? AND (p.occurred_at, p.event, p.tag_id) < (?, ?, ?)"
        " ORDER BY p.occurred_at DESC, p.event DESC, p.tag_id DESC LIMIT 1",
        (environment, repository_id, *key[:2], key[4]),
    ).fetchone()
    before_id, before_digest, before_at = before or (None, None, 0)
    previous = _named(releases, before_id, before_digest, occurred_at - 1, None)
    if previous is not None and not previous.then:  # it may have lost its name since it was published
        previous = _named(releases, before_id, before_digest, before_at, None)
    filters = Filter(registry=registry, repository=repository, environment=environment)
    return MessageDeployment(
        environment=environment,
        registry=registry,
        repository=repository,
        tag=tag,
        occurred_at=occurred_at,
        seq=seq,
        answer=answer,
        previous=previous,
        lasted=_find_stretch(db, key, before_id),
        had=_find_stretch(db, key, manifest_id),
        state=next(iter(find_environments(db, Query(rules, filters, limit=1)).items), None),
    )


def _find_stretch(db: Connection, key: tuple[Any, ...], manifest_id: int | None) -> Period | None:
    """When the environment had the manifest last before the publication, without another one between."""
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
