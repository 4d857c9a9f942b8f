"""The wiring: for each registry, when its events arrived and how many of them are in quarantine."""

from dataclasses import dataclass

from tagtrail.store.database import Connection
from tagtrail.store.registries import MOST_QUARANTINED, count_quarantined, find_registries
from tagtrail.trail.rules import Authentication, Rules


@dataclass(frozen=True, slots=True)
class RegistryWiring:
    """A registry that is configured or has sent events. Instants are by our clock; None before the first event."""

    registry: str
    is_configured: bool
    host: str | None
    aliases: tuple[str, ...]
    authentication: Authentication | None
    instance: str | None
    first_seen_at: int | None
    last_seen_at: int | None
    starts: int
    quarantined: int

    @property
    def quarantined_text(self) -> str:
        """How many events are in quarantine; they are counted up to MOST_QUARANTINED."""
        return f"{self.quarantined} or more" if self.quarantined >= MOST_QUARANTINED else str(self.quarantined)

    @property
    def restarts(self) -> int:
        """How often the registry restarted since its first event. A restart loses the events that waited in it."""
        return max(0, self.starts - 1)


def find_wiring(db: Connection, rules: Rules) -> tuple[RegistryWiring, ...]:
    """Every registry, by name."""
    seen_registries = {registry.registry: registry for registry in find_registries(db)}
    configured = {registry.name: registry for registry in rules.registries}
    found = []
    for name in sorted(seen_registries.keys() | configured.keys()):
        known, seen = configured.get(name), seen_registries.get(name)
        found.append(
            RegistryWiring(
                registry=name,
                is_configured=known is not None,
                host=(known.host if known else None) or (seen.host or None if seen else None),
                aliases=known.aliases if known else (),
                authentication=known.authentication if known else None,
                instance=seen.instance if seen else None,
                first_seen_at=seen.first_seen_at if seen else None,
                last_seen_at=seen.last_seen_at if seen else None,
                starts=seen.starts if seen else 0,
                quarantined=count_quarantined(db, name),
            )
        )
    return tuple(found)
