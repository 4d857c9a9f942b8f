"""Searches repositories and tags by name or a part of a name."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from tagtrail.store.database import Connection
from tagtrail.store.names import iterate_repositories
from tagtrail.store.query import Page, Query
from tagtrail.trail.names import Reference, is_tag

_MOST_EXAMINED = 2_000  # repositories searched for a tag, the newest first


@dataclass(frozen=True, slots=True)
class Hit:
    """A search result: a digest, a repository, or a tag in a repository."""

    registry: str = ""
    repository: str = ""
    tag: str | None = None
    digest: str | None = None


def find_hits(db: Connection, text: str, *, most: int) -> tuple[Hit, ...]:
    """The repository with exactly that name, in each registry; or else names that contain the text.

    Tags match only by their whole name. Repositories come first.
    """
    exact = db.execute(
        "SELECT g.name, r.name FROM registries g JOIN repositories r ON r.registry_id = g.id AND r.name = ?"
        " ORDER BY g.name",
        (text,),
    ).fetchall()
    tags = _find_tags(db, text, most) if is_tag(text) else []
    if exact:
        return tuple(Hit(*row) for row in exact + tags)
    pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    containing = db.execute(
        "SELECT g.name, r.name FROM registries g JOIN repositories r ON r.registry_id = g.id"
        " WHERE r.name LIKE ? ESCAPE '\\' ORDER BY length(r.name), r.name, g.name LIMIT ?",
        (pattern, most),
    ).fetchall()
    return tuple(Hit(*row) for row in (containing + tags)[:most])


def find_image_hits(db: Connection, image: Reference, registries: Collection[str]) -> tuple[Hit, ...]:
    """The image in each of the registries that knows it: as a tag, or by its digest, or else its repository.

    A tag beside a digest is not minded: what is pinned is the digest.
    """
    if image.digest is not None and knows_digest(db, image.digest):
        return (Hit(digest=image.digest),)
    found = []
    for registry in registries:
        row = db.execute(
            "SELECT t.name FROM registries g JOIN repositories r ON r.registry_id = g.id AND r.name = ?"
            " LEFT JOIN tags t ON t.repository_id = r.id AND t.name = ? WHERE g.name = ?",
            (image.repository, image.tag or "", registry),
        ).fetchone()
        if row:
            found.append(Hit(registry, image.repository, row[0]))
    return tuple(found)


def knows_digest(db: Connection, digest: str) -> bool:
    """Whether any line named the digest."""
    return db.execute("SELECT 1 FROM manifests WHERE digest = ? LIMIT 1", (digest,)).fetchone() is not None


def _find_tags(db: Connection, name: str, most: int) -> list[tuple[str, str, str]]:
    return db.execute(
        "SELECT g.name, r.name, t.name FROM (SELECT id, registry_id, name FROM repositories ORDER BY id DESC LIMIT ?) r"
        " CROSS JOIN tags t ON t.repository_id = r.id AND t.name = ? JOIN registries g ON g.id = r.registry_id"
        " ORDER BY r.name LIMIT ?",
        (_MOST_EXAMINED, name, most),
    ).fetchall()


# The repositories by name, each with its number of tags and its latest change.


MOST_COUNTED: Final = 100  # tags of one repository


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository with its number of live `tags`, up to MOST_COUNTED, and `last_at`, our time of its newest line."""

    registry: str
    repository: str
    tags: int
    last_at: int | None


def find_listed(db: Connection, query: Query) -> Page[Listed]:
    """The repositories that the filter asks for, by registry and name. Key: (registry, repository)."""
    filters = query.filters
    start = (str(query.after[0]), str(query.after[1])) if query.after else ("", "")
    found: list[Listed] = []
    for repository in iterate_repositories(db, filters, start=start):
        if (repository.registry, repository.name) == query.after:
            continue
        if len(found) == query.limit:
            return Page(tuple(found), (found[-1].registry, found[-1].repository))
        found.append(Listed(repository.registry, repository.name, *_count(db, repository.id)))
    return Page(tuple(found))


def _count(db: Connection, repository_id: int) -> tuple[int, int | None]:
    (tags,) = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM tags WHERE repository_id = ? AND head_id IS NOT NULL LIMIT ?)",
        (repository_id, MOST_COUNTED),
    ).fetchone()
    last = db.execute(
        "SELECT received_at FROM entries WHERE repository_id = ? ORDER BY seq DESC LIMIT 1", (repository_id,)
    ).fetchone()
    return tags, last[0] if last else None
