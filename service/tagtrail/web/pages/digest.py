"""A digest: every tag and environment that named it and when, its index, and its platforms."""

from dataclasses import dataclass, replace
from typing import Final

from tagtrail.store.digests import RecordedDigest, get_digest
from tagtrail.store.query import Query
from tagtrail.web.context import PageContext, WebPage

_MOST: Final = 200  # tags and environments of each kind


@dataclass(frozen=True, slots=True)
class DigestView:
    """The digest."""

    found: RecordedDigest


def make_digest(context: PageContext, *, digest: str) -> DigestView:
    """The digest with this value or prefix. Raises BadParameter and NotRecorded."""
    filters = context.filter("registry", "repository")
    found = get_digest(context.db, Query(context.rules, replace(filters, digest=digest), limit=_MOST))
    return DigestView(found)


DIGEST: Final = WebPage("digest", "/digests/<digest:digest>", make_digest)
