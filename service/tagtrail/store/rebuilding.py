"""Emptying the projection, so that it can be derived anew from the lines."""

from tagtrail.store.database import Connection

PROJECTION = (
    "annotations", "index_members", "publications", "moves", "entries", "tags", "manifests", "repositories",
    "registries", "actors", "quarantine",
)  # fmt: skip


def drop_projection(tx: Connection) -> None:
    """Empty every table that is derived from the lines."""
    for table in PROJECTION:
        tx.execute(f"DELETE FROM {table}")


def dump_projection(db: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every derived table, for comparing one derivation with another."""
    return {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in PROJECTION}
