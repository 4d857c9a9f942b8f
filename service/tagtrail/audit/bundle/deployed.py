"""What the first N lines published for environments, derived by the same functions as the trail itself.

Not read from the trail: what came later may have re-ordered it.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tagtrail.ledger.rulebook import RuleBook
from tagtrail.store.database import Connection
from tagtrail.store.facts import find_facts
from tagtrail.store.publications import Place
from tagtrail.store.questions.bundles import Named, PublishingTag, find_declared, find_tag
from tagtrail.trail.deployments import Deployment, Publication, derive_deployments
from tagtrail.trail.moves import Interval, Moment, Move, derive_moves, intervals

_EVER: Final = Moment(0, b"")
_REMEMBERED: Final = 20_000  # tags


@dataclass(frozen=True, slots=True)
class Past:
    """The first `size` lines, and the rules that were in force at each."""

    book: RuleBook
    size: int

    def derive(self, db: Connection, repository: Named, environment: str) -> list[Deployment[int]]:
        """The environment's whole history in the repository, oldest first, withdrawals among it."""
        reported = (
            Publication(move.moment, move.seq, move.digest)
            for tag in self._tags_of(db, repository, environment)
            for move in self.derive_moves(db, repository.id, tag.id)
            if self._means(environment, repository, tag.name, move.seq)
        )
        declared = find_declared(db, Place(environment, repository.id), size=self.size)
        return derive_deployments([*reported, *declared])

    def _tags_of(self, db: Connection, repository: Named, environment: str) -> list[PublishingTag]:
        """The tags that have ever meant the environment there."""
        deciding = [
            rules.environments_in(repository.registry, repository.name).get(environment) for rules in self.book.editions
        ]
        names = {rule.tag for rule in deciding if rule is not None}
        tags = (find_tag(db, repository.id, name) for name in sorted(names))
        return [tag for tag in tags if tag is not None]

    def _means(self, environment: str, repository: Named, tag: str, seq: int) -> bool:
        there = self.book.at(seq).environments_of(repository.registry, repository.name, tag)
        return any(rule.name == environment for rule in there)

    def derive_moves(self, db: Connection, repository_id: int, tag_id: int) -> list[Move[int]]:
        """The tag's moves, oldest first."""
        facts = find_facts(db, repository_id=repository_id, tag_id=tag_id, since=_EVER)
        return derive_moves(fact for fact in facts if fact.seq < self.size)


class ReleaseTags:
    """Which release tags named a manifest, and when, as the first lines tell it."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._named = OrderedDict[int, list[Interval[int]]]()  # by tag, what it named while it was a release tag
        self._may_be_release = lru_cache(maxsize=_REMEMBERED)(self._was_ever_release)

    def choose(
        self,
        db: Connection,
        tags: Iterable[PublishingTag],
        *,
        repository: Named,
        manifest_id: int,
        since: int,
        until: int | None,
    ) -> list[str]:
        """Those of the tags that named the manifest at any time from `since` until `until` (None: to the end)."""
        return [
            tag.name
            for tag in tags
            if self._may_be_release(repository.name, tag.name)
            and any(
                named.digest == manifest_id and _meets(named, since, until)
                for named in self._find_named(db, repository, tag)
            )
        ]

    def _was_ever_release(self, repository: str, tag: str) -> bool:
        """Only then is its history worth reading: a moving tag's may be long."""
        return any(rules.is_release(repository, tag) for rules in self._past.book.editions)

    def _find_named(self, db: Connection, repository: Named, tag: PublishingTag) -> list[Interval[int]]:
        known = self._named.get(tag.id)
        if known is None:
            known = self._named[tag.id] = list(self._derive_named(db, repository, tag))
            if len(self._named) > _REMEMBERED:
                self._named.popitem(last=False)
        return known

    def _derive_named(self, db: Connection, repository: Named, tag: PublishingTag) -> Iterator[Interval[int]]:
        moves = self._past.derive_moves(db, repository.id, tag.id)
        naming = (move for move in moves if move.digest is not None)
        for move, interval in zip(naming, intervals(moves), strict=True):
            if self._past.book.at(move.seq).is_release(repository.name, tag.name):
                yield interval


def _meets(named: Interval[int], since: int, until: int | None) -> bool:
    """Whether the interval has any instant in common with that time, which has at least its first."""
    begins_in_time = until is None or named.since < max(until, since + 1)
    return begins_in_time and (named.until is None or named.until > since)
