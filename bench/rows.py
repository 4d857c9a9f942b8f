"""The rows of a filled ledger: what each push adds to the tables, told without asking the database.

A move's and a publication's row is complete only when the next one ends it, so each tag holds back its last.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from bench.history import Told, name_of

Row = tuple[Any, ...]

# The columns that are written, in the order of the rows below.
TABLES = {
    "lines": "seq, line, leaf",
    "disclosures": "seq, who, raw",
    "actors": "id, name",
    "repositories": "id, registry_id, name",
    "manifests": "id, repository_id, digest, media_type, size, pushed_seq",
    "entries": "seq, received_at, kind, registry_id, repository_id, tag_id, manifest_id, actor_id, occurred_at, event",
    "tags": "id, repository_id, name, head_id, last_id, head_seq, head_since, occurred_at, event",
    "moves": "tag_id, occurred_at, event, seq, kind, manifest_id, previous_id, until, is_release, violates",
    "publications": "environment, repository_id, occurred_at, event, seq, basis, tag_id, manifest_id, direction,"
    " previous_seq, until",
}
_ENVIRONMENTS = {"prod": "production", "staging": "staging"}  # by tag, as the default rules have them
_REGISTRY_ID = 1
_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"
_SIZE = 417


@dataclass(frozen=True, slots=True)
class Pushed:
    """What is told, with its place in the ledger, its times (nanoseconds) and the event's key."""

    told: Told
    seq: int
    occurred_at: int
    received_at: int
    event: bytes
    digest: str
    actor: str


@dataclass(slots=True)
class _Tag:
    """Where a tag stands, its latest push, and the rows that wait for their end."""

    id: int
    head: int | None = None
    head_seq: int = 0
    head_since: int = 0
    latest: tuple[int, bytes] = (0, b"")
    move: Row | None = None
    publication: Row | None = None


@dataclass(slots=True)
class _Repository:
    """A repository's moving tags, and the newest of its release tags: no other one is pushed again."""

    id: int
    moving: dict[str, _Tag] = field(default_factory=dict)
    release_name: str = ""
    release: _Tag | None = None


class Rows:
    """Collects rows by table, and gives them out whenever it is asked."""

    def __init__(self) -> None:
        self._rows: defaultdict[str, list[Row]] = defaultdict(list)
        self._repositories: dict[int, _Repository] = {}
        self._actors: dict[str, int] = {}
        self._contents = 0
        self._tags = 0

    def take(self) -> dict[str, list[Row]]:
        """The rows that are complete, by table."""
        taken, self._rows = self._rows, defaultdict(list)
        return taken

    def finish(self) -> None:
        """Complete all rows: the tags stand where they stand, and their last moves have no end."""
        for repository in self._repositories.values():
            for name, tag in repository.moving.items():
                self._finish_tag(repository, name, tag)
            if repository.release is not None:
                self._finish_tag(repository, repository.release_name, repository.release)

    def add_push(self, push: Pushed) -> None:
        """What the line means. A content's number is its manifest's id: both count the first pushes."""
        told = push.told
        repository = self._repositories.get(told.repository) or self._add_repository(told.repository)
        if told.content > self._contents:
            self._contents = told.content
            self._rows["manifests"].append((told.content, repository.id, push.digest, _MEDIA_TYPE, _SIZE, push.seq))
        tag = self._tag(repository, told)
        actor = self._actors.get(push.actor) or self._add_actor(push.actor)
        self._rows["entries"].append(
            (
                push.seq, push.received_at, "push", _REGISTRY_ID, repository.id, tag.id, told.content, actor,
                push.occurred_at, push.event,
            )
        )  # fmt: skip
        tag.latest = (push.occurred_at, push.event)
        if tag.head != told.content:
            self._move(repository, tag, push)

    def _move(self, repository: _Repository, tag: _Tag, push: Pushed) -> None:
        told, previous = push.told, tag.head
        kind = "created" if previous is None else "moved_back" if told.was_here else "moved"
        violates = told.is_release and previous is not None
        self._end("moves", tag.move, push.occurred_at)
        tag.move = (
            (tag.id, push.occurred_at, push.event, push.seq, kind, told.content, previous),
            (told.is_release, violates),
        )
        if told.tag in _ENVIRONMENTS:
            self._publish(repository, tag, push)
        tag.head, tag.head_seq, tag.head_since = told.content, push.seq, push.occurred_at

    def _publish(self, repository: _Repository, tag: _Tag, push: Pushed) -> None:
        told, is_first = push.told, tag.head is None
        direction = "first" if is_first else "back" if told.was_here else "forward"
        self._end("publications", tag.publication, push.occurred_at)
        where = (_ENVIRONMENTS[told.tag], repository.id, push.occurred_at, push.event, push.seq)
        what = ("reported", tag.id, told.content, direction, None if is_first else tag.head_seq)
        tag.publication = ((*where, *what), ())

    def _end(self, table: str, waiting: Row | None, until: int | None) -> None:
        if waiting is not None:
            self._rows[table].append((*waiting[0], until, *waiting[1]))

    def _tag(self, repository: _Repository, told: Told) -> _Tag:
        if told.is_release:
            if repository.release is None or repository.release_name != told.tag:
                if repository.release is not None:
                    self._finish_tag(repository, repository.release_name, repository.release)
                repository.release_name, repository.release = told.tag, self._add_tag()
            return repository.release
        tag = repository.moving.get(told.tag)
        if tag is None:
            tag = repository.moving[told.tag] = self._add_tag()
        return tag

    def _finish_tag(self, repository: _Repository, name: str, tag: _Tag) -> None:
        self._end("moves", tag.move, None)
        self._end("publications", tag.publication, None)
        state = (tag.head, tag.head, tag.head_seq, tag.head_since, *tag.latest)
        self._rows["tags"].append((tag.id, repository.id, name, *state))

    def _add_tag(self) -> _Tag:
        self._tags += 1
        return _Tag(self._tags)

    def _add_repository(self, number: int) -> _Repository:
        added = self._repositories[number] = _Repository(len(self._repositories) + 1)
        self._rows["repositories"].append((added.id, _REGISTRY_ID, name_of(number)))
        return added

    def _add_actor(self, name: str) -> int:
        added = self._actors[name] = len(self._actors) + 1
        self._rows["actors"].append((added, name))
        return added
