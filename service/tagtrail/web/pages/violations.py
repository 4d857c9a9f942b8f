"""Violations: release tags that moved or were deleted, with the annotations of each."""

from dataclasses import dataclass
from typing import Final

from tagtrail.store.annotations import RecordedAnnotation, find_annotations
from tagtrail.store.query import Filter
from tagtrail.store.releases import Violation, find_violations
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.filters import Exports, make_exports
from tagtrail.web.paging import Paging


@dataclass(frozen=True, slots=True)
class AnnotatedViolation:
    """A violation with the annotations of its line; a violation without annotations is open."""

    violation: Violation
    annotations: tuple[RecordedAnnotation, ...]


@dataclass(frozen=True, slots=True)
class ViolationsView:
    """One page of the list, newest first."""

    filters: Filter
    items: tuple[AnnotatedViolation, ...]
    paging: Paging
    exports: Exports


def make_violations(context: PageContext) -> ViolationsView:
    """The violations that match the query."""
    filters = context.filter("registry", "repository", "tag", "digest", "actor", "since", "until")
    found = find_violations(context.db, context.query(filters, (int, bytes, int)))
    tied = find_annotations(context.db, [each.seq for each in found.items])
    items = tuple(AnnotatedViolation(each, tuple(tied[each.seq])) for each in found.items)
    return ViolationsView(filters, items, Paging.of(found, context.parameters), make_exports(context, "violations"))


VIOLATIONS: Final = WebPage("violations", "/violations", make_violations)
