"""The registries: how each is wired, what was counted of it, and which repositories it has."""

from dataclasses import dataclass
from typing import Final

from tagtrail.config.notifications import PLACEHOLDER, BlockForm
from tagtrail.errors import NotRecorded
from tagtrail.store.answers import Traffic
from tagtrail.store.query import Filter, Query
from tagtrail.store.registries import find_traffic
from tagtrail.store.search import MOST_COUNTED, Listed, find_listed
from tagtrail.trail.instant import DAY
from tagtrail.web.context import Page, Visit
from tagtrail.web.paging import Paging
from tagtrail.web.wiring import Wired, find_wired

_DAYS: Final = 7  # of traffic that are shown
_MOST_COUNTS: Final = 200
_ROWS: Final = 50  # repositories


@dataclass(frozen=True, slots=True)
class Registries:
    """All of them, by name."""

    items: tuple[Wired, ...]


@dataclass(frozen=True, slots=True)
class RegistryView:
    """One registry; `block` is what to paste into it, without its token. None if it is not configured."""

    wired: Wired
    block: str | None
    form: BlockForm
    traffic: tuple[Traffic, ...]
    repositories: tuple[Listed, ...]
    paging: Paging
    most_counted: int = MOST_COUNTED


def make_registries(visit: Visit) -> Registries:
    """Every registry that is configured or was heard of."""
    visit.filter()
    return Registries(find_wired(visit.db, visit.rules))


def make_registry(visit: Visit, *, registry: str) -> RegistryView:
    """A registry by its name. Raises NotRecorded."""
    asked = visit.filter("repository", "form")
    wired = next((each for each in find_wired(visit.db, visit.rules) if each.registry == registry), None)
    if wired is None:
        raise NotRecorded(f"no registry {registry[:80]} is configured, or was ever heard of")
    since = visit.now - _DAYS * DAY
    render, form = visit.wiring.get(registry), visit.block_form()
    filters = Filter(registry=registry, repository=asked.repository)
    listed = find_listed(visit.db, visit.query(filters, (str, str), rows=_ROWS))
    counted = Query(visit.rules, Filter(registry=registry, since=since), limit=_MOST_COUNTS)
    return RegistryView(
        wired=wired,
        block=render(form=form, token=PLACEHOLDER) if render else None,
        form=form,
        traffic=find_traffic(visit.db, counted).items,
        repositories=listed.items,
        paging=Paging.of(listed, visit.parameters),
    )


REGISTRIES: Final = Page("registries", "/registries", make_registries, tells_of_people=False)
REGISTRY: Final = Page("registry", "/registries/<registry>", make_registry, tells_of_people=False)
