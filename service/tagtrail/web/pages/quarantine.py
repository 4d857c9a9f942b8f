"""The quarantine: what arrived with a valid token and could not be understood, kept whole, with the reason."""

from dataclasses import dataclass
from typing import Final

from tagtrail.store.answers import Quarantined
from tagtrail.store.registries import find_quarantined
from tagtrail.web.context import Page, Visit
from tagtrail.web.paging import Paging


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A part of the list, newest first."""

    items: tuple[Quarantined, ...]
    paging: Paging


def make_quarantine(visit: Visit) -> Quarantine:
    """What was quarantined, as the query asks for it."""
    found = find_quarantined(visit.db, visit.query(visit.filter("registry", "since", "until"), (int,)))
    return Quarantine(found.items, Paging.of(found, visit.parameters))


QUARANTINE: Final = Page("quarantine", "/quarantine", make_quarantine)
