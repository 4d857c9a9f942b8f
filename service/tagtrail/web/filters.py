"""The choices that a filter's form offers, and the exports of what a filtered list shows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from tagtrail.export import query as bundle
from tagtrail.store.deployments import find_environment_names
from tagtrail.web.context import PageContext

_FORMATS: Final = ("csv", "ndjson", "json")


def find_environment_choices(context: PageContext) -> tuple[str, ...]:
    """The environments that are configured or that have a deployment, by name."""
    configured = (rule.name for rule in context.rules.environments)
    return _with_chosen(context, "environment", {*configured, *find_environment_names(context.db)})


def find_registry_choices(context: PageContext) -> tuple[str, ...]:
    """The configured registries, by name."""
    return _with_chosen(context, "registry", (registry.name for registry in context.rules.registries))


def _with_chosen(context: PageContext, parameter: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names and the one in the address: without it, sending the form again would change the filter."""
    chosen = context.parameters.get(parameter)
    return tuple(sorted({*names, *((chosen,) if chosen else ())}))


@dataclass(frozen=True, slots=True)
class Exports:
    """The addresses of a list's exports, by the name of their format. `bundle` is None without the scope `export`.

    `not_in_bundle` names the filters that a bundle does not have: it then holds more than the list.
    """

    lists: tuple[tuple[str, str], ...]
    bundle: str | None = None
    not_in_bundle: tuple[str, ...] = ()


def make_exports(context: PageContext, listing: str, *, has_bundle: bool = False) -> Exports:
    """The exports of one of the API's lists, with the filter of the page."""
    given = {name: text for name, text in context.parameters.items() if name not in ("cursor", "limit")}
    lists = tuple((ending.upper(), _address(f"{listing}.{ending}", given)) for ending in _FORMATS)
    if not has_bundle or "export" not in context.caller.scopes:
        return Exports(lists)
    left_out = tuple(name for name in given if name not in bundle.FILTERS)
    return Exports(lists, _address("export", _only(given, bundle.FILTERS)), left_out)


def _only(given: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: text for name, text in given.items() if name in names}


def _address(path: str, given: Mapping[str, str]) -> str:
    return f"/api/v1/{path}{f'?{urlencode(given)}' if given else ''}"
