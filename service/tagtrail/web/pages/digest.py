"""A digest: every tag and environment that ever named it and when, its index or its platforms."""

from dataclasses import dataclass, replace
from typing import Final

from tagtrail.store.answers import DigestAnswer
from tagtrail.store.digests import get_digest
from tagtrail.store.query import Query
from tagtrail.web.context import Page, Visit

_MOST: Final = 200  # tags and environments of each kind


@dataclass(frozen=True, slots=True)
class DigestView:
    """All that is known of the digest, and its reference in each repository that holds it."""

    found: DigestAnswer
    references: tuple[str, ...]


def make_digest(visit: Visit, *, digest: str) -> DigestView:
    """A digest, whole or by its beginning. Raises BadParameter and NotRecorded."""
    asked = visit.filter("registry", "repository")
    found = get_digest(visit.db, Query(visit.rules, replace(asked, digest=digest), limit=_MOST))
    references = tuple(
        visit.hosts.reference(held.registry, held.host, held.repository, digest=found.digest) for held in found.held
    )
    return DigestView(found, references)


DIGEST: Final = Page("digest", "/digests/<digest:digest>", make_digest)
