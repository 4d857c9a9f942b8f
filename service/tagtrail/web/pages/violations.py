"""Violations: release tags that moved or were deleted, and what was tied to each since."""

from dataclasses import dataclass
from typing import Final

from tagtrail.store.annotations import find_annotations
from tagtrail.store.answers import Annotated, Violation
from tagtrail.store.query import Filter
from tagtrail.store.releases import find_violations
from tagtrail.web.context import Page, Visit
from tagtrail.web.filters import Exports, make_exports
from tagtrail.web.paging import Paging


@dataclass(frozen=True, slots=True)
class Judged:
    """A violation with what was tied to its line; it is open while that is nothing."""

    violation: Violation
    annotations: tuple[Annotated, ...]


@dataclass(frozen=True, slots=True)
class Violations:
    """A part of the list, newest first."""

    asked: Filter
    items: tuple[Judged, ...]
    paging: Paging
    exports: Exports


def make_violations(visit: Visit) -> Violations:
    """The violations that the query asks for."""
    asked = visit.filter("registry", "repository", "tag", "digest", "actor", "since", "until")
    found = find_violations(visit.db, visit.query(asked, (int, bytes, int)))
    tied = find_annotations(visit.db, [each.seq for each in found.items])
    items = tuple(Judged(each, tuple(tied[each.seq])) for each in found.items)
    return Violations(asked, items, Paging.of(found, visit.parameters), make_exports(visit, "violations"))


VIOLATIONS: Final = Page("violations", "/violations", make_violations)
