"""The repositories that the trail knows, by name, with how many tags each has had and when it last changed."""

from dataclasses import dataclass
from typing import Final

from tagtrail.store.answers import Cut, Filter, Page
from tagtrail.store.database import Connection
from tagtrail.store.questions.names import iterate_repositories

MOST_COUNTED: Final = 100  # tags of one repository


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository: `tags` that name something now, up to MOST_COUNTED; `last_at`, by our clock, of its newest line."""

    registry: str
    repository: str
    tags: int
    last_at: int | None


def find_listed(db: Connection, asked: Filter, cut: Cut) -> Page[Listed]:
    """The repositories that the filter asks for, by registry and name. Key: (registry, repository)."""
    start = (str(cut.after[0]), str(cut.after[1])) if cut.after else ("", "")
    found: list[Listed] = []
    for repository in iterate_repositories(db, asked, start=start):
        if (repository.registry, repository.name) == cut.after:
            continue
        if len(found) == cut.limit:
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
