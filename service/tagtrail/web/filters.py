"""What the selects of a filter offer."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tagtrail.export import query as bundle
from tagtrail.store.deployments import find_environment_names
from tagtrail.web.context import Visit


def find_environment_choices(visit: Visit) -> tuple[str, ...]:
    """The environments that are configured or that anything was ever published for, by name."""
    configured = (rule.name for rule in visit.rules.environments)
    return _with_chosen(visit, "environment", {*configured, *find_environment_names(visit.db)})


def registry_choices(visit: Visit) -> tuple[str, ...]:
    """The configured registries, by name."""
    return _with_chosen(visit, "registry", (registry.name for registry in visit.rules.registries))


def _with_chosen(visit: Visit, parameter: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names, and what was chosen by its address: else a form would silently ask for something else."""
    chosen = visit.parameters.get(parameter)
    return tuple(sorted({*names, *((chosen,) if chosen else ())}))


# Exports of exactly what a list shows: the API's addresses with the same filter.


_FORMATS = ("csv", "ndjson", "json")


@dataclass(frozen=True, slots=True)
class Exports:
    """Addresses by the name of their format. `bundle` is None for who may not take it away.

    `not_in_bundle` are the parts of the filter that a bundle cannot be narrowed by: it then holds more than the list.
    """

    lists: tuple[tuple[str, str], ...]
    bundle: str | None = None
    not_in_bundle: tuple[str, ...] = ()


def make_exports(visit: Visit, listing: str, *, has_bundle: bool = False) -> Exports:
    """The exports of one of the API's lists, for this visitor."""
    asked = {name: text for name, text in visit.parameters.items() if name not in ("cursor", "limit")}
    lists = tuple((ending.upper(), _address(f"{listing}.{ending}", asked)) for ending in _FORMATS)
    if not has_bundle or "export" not in visit.caller.scopes:
        return Exports(lists)
    left_out = tuple(name for name in asked if name not in bundle.FILTERS)
    return Exports(lists, _address("export", _only(asked, bundle.FILTERS)), left_out)


def _only(asked: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: text for name, text in asked.items() if name in names}


def _address(path: str, asked: Mapping[str, str]) -> str:
    return f"/api/v1/{path}{f'?{urlencode(asked)}' if asked else ''}"
