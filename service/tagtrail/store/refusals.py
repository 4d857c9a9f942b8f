"""Failed authentications, counted per UTC day and door."""

from collections.abc import Mapping

from tagtrail.store.database import Connection


def add_refusals(tx: Connection, counted: Mapping[tuple[str, str], int]) -> None:
    """Add what was counted for each (day, door); the doors are `api` and `events`."""
    tx.executemany(
        "INSERT INTO refusals (day, door, refusals) VALUES (?, ?, ?)"
        " ON CONFLICT (day, door) DO UPDATE SET refusals = refusals + excluded.refusals",
        [(*key, refusals) for key, refusals in counted.items()],
    )
