"""Release tags that name a digest: at a moment, during an interval, or now."""

from typing import Final

from tagtrail.store.answers import NamedBy
from tagtrail.store.database import Connection

MOST_RELEASES: Final = 100  # release tags of one digest that are looked at, the newest ones

_FOREVER = 2**63 - 1


class Releases:
    """The release tags of digests, as one page's questions need them; each digest is looked up once."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._found: dict[tuple[int, int], tuple[NamedBy, ...]] = {}

    def during(self, manifest_id: int, since: int, until: int | None) -> tuple[NamedBy, ...]:
        """Those that named the manifest at any time from `since` until (not including) `until`."""
        named = self._before(manifest_id, _FOREVER if until is None else until)
        return tuple(tag for tag in named if tag.until is None or tag.until > since)

    def at(self, manifest_id: int, moment: int) -> tuple[NamedBy, ...]:
        """Those that named the manifest at the moment."""
        return self.during(manifest_id, moment, moment + 1)

    def now(self, manifest_id: int) -> tuple[NamedBy, ...]:
        """Those that name the manifest now, as far as the registry has told."""
        return tuple(tag for tag in self._before(manifest_id, _FOREVER) if tag.until is None)

    def _before(self, manifest_id: int, until: int) -> tuple[NamedBy, ...]:
        """Those that named the manifest at some time before `until`, each with its newest such interval; by name."""
        key = (manifest_id, until)
        if key not in self._found:
            rows = self._db.execute(
                "SELECT t.name, m.seq, m.occurred_at, m.until FROM moves m JOIN tags t ON t.id = m.tag_id"
                " WHERE m.manifest_id = ? AND m.is_release = 1 AND m.occurred_at < ?"
                " ORDER BY m.occurred_at DESC LIMIT ?",
                (manifest_id, until, MOST_RELEASES),
            )
            newest: dict[str, NamedBy] = {}
            for row in rows:
                newest.setdefault(row[0], NamedBy(*row))
            self._found[key] = tuple(newest[tag] for tag in sorted(newest))
        return self._found[key]
