"""Empties the projection before a rebuild, and dumps it to compare two rebuilds."""

from typing import Final

from tagtrail.store.database import Connection

PROJECTION = (
    "annotations", "index_members", "publications", "moves", "entries", "tags", "manifests", "repositories",
    "registries", "actors", "quarantine",
)  # fmt: skip

_NAMED: Final = {
    "registries": "SELECT id, name FROM registries",
    "actors": "SELECT id, name FROM actors",
    "repositories": "SELECT id, registry_id, name FROM repositories",
    "manifests": "SELECT id, repository_id, digest FROM manifests",
    "tags": "SELECT id, repository_id, name FROM tags",
}  # each after the tables that it refers to
_REFERS_TO: Final = {
    "registry_id": "registries", "repository_id": "repositories", "manifest_id": "manifests", "index_id": "manifests",
    "head_id": "manifests", "last_id": "manifests", "previous_id": "manifests", "tag_id": "tags", "actor_id": "actors",
}  # fmt: skip
# A tag's latest moment as it counts: with the deletes that concern its whole repository.
_IS_ITS_OWN: Final = "r.deleted_at IS NULL OR (t.occurred_at, t.event) > (r.deleted_at, r.deleted_by)"
_TAGS: Final = (
    "SELECT t.id, t.repository_id, t.name, t.head_id, t.last_id, t.head_seq, t.head_since,"
    f" iif({_IS_ITS_OWN}, t.occurred_at, r.deleted_at), iif({_IS_ITS_OWN}, t.event, r.deleted_by)"
    " FROM tags t JOIN repositories r ON r.id = t.repository_id"
)

ProjectionRow = tuple[object, ...]


def drop_projection(tx: Connection) -> None:
    """Empty every table that is derived from the lines."""
    for table in PROJECTION:
        tx.execute(f"DELETE FROM {table}")


def dump_projection(db: Connection) -> dict[str, list[ProjectionRow]]:
    """Every row of every derived table, with names instead of ids.

    Ids follow the order in which names appear, which changes after pruning or erasing.
    """
    names: dict[str, dict[object, ProjectionRow]] = {}
    for table, sql in _NAMED.items():
        found = db.execute(sql)
        columns = tuple(column[0] for column in found.description)
        names[table] = {row[0]: _with_names(columns, row, names) for row in found.fetchall()}
    return {table: sorted(_read(db, table, names), key=repr) for table in PROJECTION}


def _read(db: Connection, table: str, names: dict[str, dict[object, ProjectionRow]]) -> list[ProjectionRow]:
    columns = tuple(row[1] for row in db.execute(f"PRAGMA table_info({table})"))
    rows = db.execute(_TAGS if table == "tags" else f"SELECT * FROM {table}").fetchall()
    return [_with_names(columns, row, names) for row in rows]


def _with_names(
    columns: tuple[str, ...], row: ProjectionRow, names: dict[str, dict[object, ProjectionRow]]
) -> ProjectionRow:
    """The row without its own id, and with the names of those that it refers to."""
    return tuple(
        names[_REFERS_TO[column]].get(value, value) if column in _REFERS_TO and value is not None else value
        for column, value in zip(columns, row, strict=True)
        if column != "id"
    )
