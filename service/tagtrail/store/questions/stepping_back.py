"""What a tag could be put back to, whether or not it means an environment: by its moves alone."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from tagtrail.store.answers import Published
from tagtrail.store.database import Connection
from tagtrail.store.questions.environments import Step, choose_step
from tagtrail.store.questions.names import Tag
from tagtrail.store.questions.publishing import LAST_HEARD, read_published
from tagtrail.store.questions.releases import Releases
from tagtrail.store.questions.series import Row, Series, Source, Span, walk
from tagtrail.trail.instant import LATEST

MOST_LOOKED_BACK: Final = 1_000  # moves looked at for one to return to

_MOVES = Series("moves", ("occurred_at", "event"), ("tag_id", "manifest_id", "kind", "seq"))
_MOVE = (
    f"SELECT g.name, r.name, t.name, m.digest, p.occurred_at, p.until, p.seq, l.line, p.manifest_id, {LAST_HEARD}"
    " FROM moves p JOIN tags t ON t.id = p.tag_id JOIN repositories r ON r.id = t.repository_id"
    " JOIN registries g ON g.id = r.registry_id JOIN manifests m ON m.id = p.manifest_id"
    " JOIN lines l ON l.seq = p.seq WHERE p.tag_id = ? AND p.occurred_at = ? AND p.event = ?"
)


def find_step_back(db: Connection, tag: Tag) -> Published | None:
    """The digest to put the tag back to, as of an environment; None where it never named another.

    It is chosen by the tag's moves as an environment's is by its deployments (see `choose_step`).
    """
    releases = Releases(db)
    read: dict[Step, Row] = {}

    def is_deleted(step: Step) -> bool:
        read[step] = db.execute(_MOVE, (tag.id, step.occurred_at, step.event)).fetchone()
        return bool(read[step][-1] == "delete")

    choice = choose_step(_look_back(db, tag), is_deleted=is_deleted)
    if choice is None:
        return None
    return read_published(read[choice.step], releases, was_rolled_back=choice.was_rolled_back)


def _look_back(db: Connection, tag: Tag) -> Iterator[Step]:
    rows = walk(db, _MOVES, Source("tag_id = ?", (tag.id,)), Span((LATEST, b"")))
    for occurred_at, event, tag_id, manifest_id, kind, seq in islice(rows, MOST_LOOKED_BACK):
        direction = "back" if kind == "moved_back" else None if manifest_id is None else "forward"
        yield Step(occurred_at, event, tag_id, manifest_id, direction, seq)
