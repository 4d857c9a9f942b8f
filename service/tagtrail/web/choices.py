"""What the selects of a filter offer."""

from collections.abc import Iterable

from tagtrail.store.questions.deployments import find_environment_names
from tagtrail.web.visit import Visit


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
