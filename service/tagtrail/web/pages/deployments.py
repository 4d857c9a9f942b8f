"""The deployments to the environments, newest first, each with the digest that it replaced."""

from dataclasses import dataclass
from typing import Final

from tagtrail.store.deployments import RecordedDeployment, find_deployments
from tagtrail.store.query import Filter
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.filters import Exports, find_environment_choices, find_registry_choices, make_exports
from tagtrail.web.paging import Paging


@dataclass(frozen=True, slots=True)
class DeploymentsView:
    """One page of the list."""

    filters: Filter
    items: tuple[RecordedDeployment, ...]
    paging: Paging
    exports: Exports
    environments: tuple[str, ...]
    registries: tuple[str, ...]


def make_deployments(context: PageContext) -> DeploymentsView:
    """The deployments that match the query."""
    filters = context.filter("registry", "repository", "tag", "digest", "actor", "environment", "since", "until")
    found = find_deployments(context.db, context.query(filters, (int, bytes, str, int, int)))
    return DeploymentsView(
        filters=filters,
        items=found.items,
        paging=Paging.of(found, context.parameters),
        exports=make_exports(context, "deployments"),
        environments=find_environment_choices(context),
        registries=find_registry_choices(context),
    )


DEPLOYMENTS: Final = WebPage("deployments", "/deployments", make_deployments)
