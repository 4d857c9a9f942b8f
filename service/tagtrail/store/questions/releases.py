"""Release tags that name a digest: at a moment, during an interval, or now."""

from collections.abc import Collection
from typing import Final

from tagtrail.store.answers import NamedBy
from tagtrail.store.database import Connection
from tagtrail.store.questions.series import marks
from tagtrail.trail.instant import LATEST

MOST_RELEASES: Final = 100  # release tags of one digest that are looked at, the newest ones


class Releases:
    """The release tags of digests, as one page's questions need them; each digest is looked up once."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._newest: dict[int, list[NamedBy]] = {}

    def during(self, manifest_id: int, since: int, until: int | None) -> tuple[NamedBy, ...]:
        """Those that named the manifest at any time from `since` until (not including) `until`, by name.

        Each with the newest such interval.
        """
        before = LATEST if until is None else until
        found: dict[str, NamedBy] = {}
        for named in self._find(manifest_id, before):
            if named.since < before and (named.until is None or named.until > since):
                found.setdefault(named.tag, named)
        return tuple(found[tag] for tag in sorted(found))

    def at(self, manifest_id: int, moment: int) -> tuple[NamedBy, ...]:
        """Those that named the manifest at the moment."""
        return self.during(manifest_id, moment, moment + 1)

    def now(self, manifest_id: int) -> tuple[NamedBy, ...]:
        """Those that name the manifest now, as far as the registry has told."""
        return tuple(named for named in self.during(manifest_id, 0, None) if named.until is None)

    def load(self, manifest_ids: Collection[int]) -> None:
        """Look up several digests at once."""
        wanted = tuple(set(manifest_ids) - self._newest.keys())
        if not wanted:
            return
        rows = self._db.execute(
            "SELECT manifest_id, name, seq, occurred_at, until FROM ("
            " SELECT m.manifest_id, t.name, m.seq, m.occurred_at, m.until,"
            " row_number() OVER (PARTITION BY m.manifest_id ORDER BY m.occurred_at DESC) AS place"
            " FROM moves m JOIN tags t ON t.id = m.tag_id"
            f" WHERE m.manifest_id IN ({marks(wanted)}) AND m.is_release = 1"
            ") WHERE place <= ? ORDER BY manifest_id, occurred_at DESC",
            (*wanted, MOST_RELEASES),
        )
        self._newest |= {manifest_id: [] for manifest_id in wanted}
        for manifest_id, *named in rows:
            self._newest[manifest_id].append(NamedBy(*named))

    def _find(self, manifest_id: int, before: int) -> list[NamedBy]:
        """Intervals in which release tags named the manifest, newest first: all, or MOST_RELEASES from `before` on."""
        newest = self._newest.get(manifest_id)
        if newest is None:
            newest = self._newest[manifest_id] = self._read(manifest_id, LATEST)
        return newest if len(newest) < MOST_RELEASES else self._read(manifest_id, before)

    def _read(self, manifest_id: int, before: int) -> list[NamedBy]:
        rows = self._db.execute(
            "SELECT t.name, m.seq, m.occurred_at, m.until FROM moves m JOIN tags t ON t.id = m.tag_id"
            " WHERE m.manifest_id = ? AND m.is_release = 1 AND m.occurred_at < ? ORDER BY m.occurred_at DESC LIMIT ?",
            (manifest_id, before, MOST_RELEASES),
        )
        return [NamedBy(*row) for row in rows]
