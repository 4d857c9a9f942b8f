"""The wiring: for each registry, when its events arrived and how many of them are in quarantine."""

import msgspec

from tagtrail.store.database import Connection
from tagtrail.store.query import Query
from tagtrail.store.registries import MOST_QUARANTINED, KnownRegistry, count_quarantined, find_known_registries
from tagtrail.trail.rules import Rules


class RegistryWiring(KnownRegistry, frozen=True, kw_only=True):
    """A registry and the number of its events in quarantine, counted up to MOST_QUARANTINED."""

    quarantined: int

    @property
    def quarantined_text(self) -> str:
        """How many events are in quarantine, as it is shown."""
        return f"{self.quarantined} or more" if self.quarantined >= MOST_QUARANTINED else str(self.quarantined)

    @property
    def restarts(self) -> int:
        """How often the registry restarted since its first event. A restart loses the events that waited in it."""
        return max(0, self.starts - 1)


def find_wiring(db: Connection, rules: Rules) -> tuple[RegistryWiring, ...]:
    """Every registry, by name."""
    return tuple(
        RegistryWiring(**msgspec.structs.asdict(each), quarantined=count_quarantined(db, each.registry))
        for each in find_known_registries(db, Query(rules)).items
    )
