"""The registries: the wiring, the counted events and the repositories of each."""

from dataclasses import dataclass
from typing import Final

from tagtrail.config.notifications import PLACEHOLDER, BlockForm
from tagtrail.errors import NotRecorded
from tagtrail.store.query import Filter, Query
from tagtrail.store.registries import Traffic, find_traffic
from tagtrail.store.search import MOST_COUNTED, Listed, find_listed
from tagtrail.trail.instant import DAY
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.paging import Paging
from tagtrail.web.wiring import RegistryWiring, find_wiring

_DAYS: Final = 7  # of counted events
_MOST_COUNTS: Final = 200
_ROWS: Final = 50  # repositories


@dataclass(frozen=True, slots=True)
class RegistriesView:
    """All registries, by name."""

    items: tuple[RegistryWiring, ...]


@dataclass(frozen=True, slots=True)
class RegistryView:
    """One registry; `block` is what to paste into it, without its token. None if it is not configured."""

    wiring: RegistryWiring
    block: str | None
    form: BlockForm
    traffic: tuple[Traffic, ...]
    repositories: tuple[Listed, ...]
    paging: Paging
    most_counted: int = MOST_COUNTED


def make_registries(context: PageContext) -> RegistriesView:
    """Every registry that is configured or has sent events."""
    context.filter()
    return RegistriesView(find_wiring(context.db, context.rules))


def make_registry(context: PageContext, *, registry: str) -> RegistryView:
    """A registry by its name. Raises NotRecorded."""
    asked = context.filter("repository", "form")
    wiring = next((each for each in find_wiring(context.db, context.rules) if each.registry == registry), None)
    if wiring is None:
        raise NotRecorded(f"no registry {registry[:80]} is configured, and none has sent an event")
    since = context.now - _DAYS * DAY
    render, form = context.blocks.get(registry), context.block_form()
    filters = Filter(registry=registry, repository=asked.repository)
    listed = find_listed(context.db, context.query(filters, (str, str), rows=_ROWS))
    counted = Query(context.rules, Filter(registry=registry, since=since), limit=_MOST_COUNTS)
    return RegistryView(
        wiring=wiring,
        block=render(form=form, token=PLACEHOLDER) if render else None,
        form=form,
        traffic=find_traffic(context.db, counted).items,
        repositories=listed.items,
        paging=Paging.of(listed, context.parameters),
    )


REGISTRIES: Final = WebPage("registries", "/registries", make_registries, shows_identities=False)
REGISTRY: Final = WebPage("registry", "/registries/<registry>", make_registry, shows_identities=False)
