"""A digest: every tag and environment that ever named it and when, its index or its platforms."""

from dataclasses import dataclass, replace
from typing import Final

from tagtrail.store.digests import RecordedDigest, get_digest
from tagtrail.store.query import Query
from tagtrail.web.context import Page, Visit

_MOST: Final = 200  # tags and environments of each kind


@dataclass(frozen=True, slots=True)
class DigestView:
    """The digest."""

    found: RecordedDigest


def make_digest(visit: Visit, *, digest: str) -> DigestView:
    """A digest, whole or by its beginning. Raises BadParameter and NotRecorded."""
    asked = visit.filter("registry", "repository")
    found = get_digest(visit.db, Query(visit.rules, replace(asked, digest=digest), limit=_MOST))
    return DigestView(found)


DIGEST: Final = Page("digest", "/digests/<digest:digest>", make_digest)
