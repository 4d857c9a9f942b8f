"""Deployments: what was published for the environments, newest first, and what each replaced."""

from dataclasses import dataclass
from typing import Final

from tagtrail.store.deployments import RecordedDeployment, find_deployments
from tagtrail.store.query import Filter
from tagtrail.web.context import Page, Visit
from tagtrail.web.filters import Exports, find_environment_choices, make_exports, registry_choices
from tagtrail.web.paging import Paging


@dataclass(frozen=True, slots=True)
class Deployments:
    """A part of the list."""

    asked: Filter
    items: tuple[RecordedDeployment, ...]
    paging: Paging
    exports: Exports
    environments: tuple[str, ...]
    registries: tuple[str, ...]


def make_deployments(visit: Visit) -> Deployments:
    """The deployments that the query asks for."""
    asked = visit.filter("registry", "repository", "tag", "digest", "actor", "environment", "since", "until")
    found = find_deployments(visit.db, visit.query(asked, (int, bytes, str, int, int)))
    return Deployments(
        asked=asked,
        items=found.items,
        paging=Paging.of(found, visit.parameters),
        exports=make_exports(visit, "deployments"),
        environments=find_environment_choices(visit),
        registries=registry_choices(visit),
    )


DEPLOYMENTS: Final = Page("deployments", "/deployments", make_deployments)
