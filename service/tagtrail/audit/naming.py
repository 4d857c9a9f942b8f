"""Full references of images: by the host that is configured for a registry, else by the one its clients called."""

from tagtrail.trail.names import Reference
from tagtrail.trail.rules import Rules


class Hosts:
    """The hosts of all registries under the rules in force."""

    def __init__(self, rules: Rules) -> None:
        self._configured = {registry.name: registry.host for registry in rules.registries if registry.host}

    def host(self, registry: str, called: str | None) -> str | None:
        """The registry's host, with its port; `called` is what a client called it by, in the line at hand."""
        return self._configured.get(registry, called)

    def reference(
        self, registry: str, called: str | None, repository: str, tag: str | None = None, digest: str | None = None
    ) -> str:
        """`host/repository:tag@digest`, as far as these are known; for display and copying, never fetched."""
        return str(Reference(repository, tag, digest, self.host(registry, called)))
