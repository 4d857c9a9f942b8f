"""The state of the wiring: what each registry sent, and how much of it could not be understood."""

import msgspec

from tagtrail.store.database import Connection
from tagtrail.store.query import Query
from tagtrail.store.registries import MOST_QUARANTINED, KnownRegistry, count_quarantined, find_known_registries
from tagtrail.trail.rules import Rules


class WiredRegistry(KnownRegistry, frozen=True, kw_only=True):
    """A registry, and how much of what it sent was quarantined, counted up to MOST_QUARANTINED."""

    quarantined: int

    @property
    def quarantined_text(self) -> str:
        """The number as it is shown."""
        return f"{self.quarantined} or more" if self.quarantined >= MOST_QUARANTINED else str(self.quarantined)

    @property
    def restarts(self) -> int:
        """How often the registry was restarted since its first event; events that waited in it then are lost."""
        return max(0, self.starts - 1)


def find_wired(db: Connection, rules: Rules) -> tuple[WiredRegistry, ...]:
    """Every registry, by name."""
    return tuple(
        WiredRegistry(**msgspec.structs.asdict(each), quarantined=count_quarantined(db, each.registry))
        for each in find_known_registries(db, Query(rules)).items
    )
