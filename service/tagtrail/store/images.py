"""Looks up an image before its deployment is declared."""

from dataclasses import dataclass
from typing import Final

from tagtrail.line import read_line
from tagtrail.store.database import Connection

_SHOWN: Final = 5  # tags or digests in an error message
_RECENT: Final = 200  # lines of a repository searched for recent tags


@dataclass(frozen=True, slots=True)
class TagDigests:
    """A tag with the digest that it points to (None: deleted) and the digests that it named, newest first."""

    digest: str | None
    named: tuple[str, ...]


def find_known_tag(db: Connection, repository_id: int, tag: str) -> TagDigests | None:
    """The digest that the tag points at and the digest that it named last; None for an unknown tag."""
    row = db.execute(
        "SELECT t.id, m.digest FROM tags t LEFT JOIN manifests m ON m.id = t.head_id"
        " WHERE t.repository_id = ? AND t.name = ?",
        (repository_id, tag),
    ).fetchone()
    if row is None:
        return None
    named = db.execute(
        "SELECT m.digest FROM moves v JOIN manifests m ON m.id = v.manifest_id WHERE v.tag_id = ?"
        " ORDER BY v.occurred_at DESC, v.event DESC LIMIT ?",
        (row[0], _SHOWN),
    )
    return TagDigests(row[1], tuple(dict.fromkeys(digest for (digest,) in named)))


def had_digest(db: Connection, repository_id: int, tag: str, digest: str) -> bool:
    """Whether the tag ever named the digest."""
    row = db.execute(
        "SELECT 1 FROM manifests m JOIN moves v ON v.manifest_id = m.id JOIN tags t ON t.id = +v.tag_id"
        " WHERE m.digest = ? AND m.repository_id = ? AND t.name = ? LIMIT 1",
        (digest, repository_id, tag),
    ).fetchone()
    return row is not None


def was_pushed(db: Connection, repository_id: int, digest: str) -> bool:
    """Whether the digest was pushed to the repository as a manifest."""
    row = db.execute(
        "SELECT pushed_seq FROM manifests WHERE digest = ? AND repository_id = ?", (digest, repository_id)
    ).fetchone()
    return row is not None and row[0] is not None


def find_called_host(db: Connection, repository_id: int) -> str | None:
    """The host by which a client called the registry when it last pushed to the repository."""
    rows = db.execute(
        "SELECT l.line FROM (SELECT seq FROM entries WHERE repository_id = ? ORDER BY seq DESC LIMIT ?) e"
        " JOIN lines l ON l.seq = e.seq ORDER BY e.seq DESC",
        (repository_id, _SHOWN),
    )
    return next((host for (line,) in rows if (host := read_line(line).host)), None)


def find_recent_tags(db: Connection, repository_id: int) -> list[str]:
    """Tags of the repository that were pushed lately."""
    rows = db.execute(
        "SELECT DISTINCT t.name FROM (SELECT tag_id FROM entries WHERE repository_id = ? ORDER BY seq DESC LIMIT ?) e"
        " JOIN tags t ON t.id = e.tag_id WHERE t.head_id IS NOT NULL LIMIT ?",
        (repository_id, _RECENT, _SHOWN),
    )
    return [name for (name,) in rows]


def find_hosts(db: Connection) -> dict[str, set[str]]:
    """The hosts by which each registry was called, as far as its events told."""
    hosts: dict[str, set[str]] = {}
    for registry, host in db.execute("SELECT DISTINCT registry, host FROM contacts"):
        hosts.setdefault(registry, set()).add(host)
    return hosts
