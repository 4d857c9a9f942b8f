"""The state of the wiring: what was heard of each registry, and what of it could not be understood."""

from dataclasses import dataclass

from tagtrail.store.database import Connection
from tagtrail.store.registries import MOST_QUARANTINED, count_quarantined, find_registries
from tagtrail.trail.rules import Authentication, Rules


@dataclass(frozen=True, slots=True)
class Wired:
    """A registry that is configured or was heard of. Instants are by our clock; None where nothing was heard yet."""

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
        """How much of it could not be understood: counted only so far."""
        return f"{self.quarantined} or more" if self.quarantined >= MOST_QUARANTINED else str(self.quarantined)

    @property
    def restarts(self) -> int:
        """How often the registry was started again since it was first heard of; what waited in it then is lost."""
        return max(0, self.starts - 1)


def find_wired(db: Connection, rules: Rules) -> tuple[Wired, ...]:
    """Every registry, by name."""
    heard = {registry.registry: registry for registry in find_registries(db)}
    configured = {registry.name: registry for registry in rules.registries}
    found = []
    for name in sorted(heard.keys() | configured.keys()):
        known, told = configured.get(name), heard.get(name)
        found.append(
            Wired(
                registry=name,
                is_configured=known is not None,
                host=(known.host if known else None) or (told.host or None if told else None),
                aliases=known.aliases if known else (),
                authentication=known.authentication if known else None,
                instance=told.instance if told else None,
                first_seen_at=told.first_seen_at if told else None,
                last_seen_at=told.last_seen_at if told else None,
                starts=told.starts if told else 0,
                quarantined=count_quarantined(db, name),
            )
        )
    return tuple(found)
