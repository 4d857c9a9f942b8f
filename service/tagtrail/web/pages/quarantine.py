"""The quarantine: bodies that arrived with a valid token and could not be parsed, each with the reason."""

from dataclasses import dataclass
from typing import Final

from tagtrail.store.registries import Quarantined, find_quarantined
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.paging import Paging


@dataclass(frozen=True, slots=True)
class QuarantineView:
    """One page of the list, newest first."""

    items: tuple[Quarantined, ...]
    paging: Paging


def make_quarantine(context: PageContext) -> QuarantineView:
    """The quarantined bodies that match the query."""
    found = find_quarantined(context.db, context.query(context.filter("registry", "since", "until"), (int,)))
    return QuarantineView(found.items, Paging.of(found, context.parameters))


QUARANTINE: Final = WebPage("quarantine", "/quarantine", make_quarantine)
