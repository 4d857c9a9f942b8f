"""Pruning: finds old lines that nothing in the trail depends on, and deletes them.

The kept lines are those behind moves and publications, each digest's first push and latest line, each tag's first and
latest line, the latest delete that may concern several tags, annotated lines, and lines that no registry reported.
"""

from collections.abc import Iterable, Iterator

from tagtrail.line import read_line
from tagtrail.store.database import Connection
from tagtrail.store.erasing import remove_unnamed_actors

_WINDOW = 5_000  # lines looked at in one read transaction
PRUNABLE = ("push", "delete", "observed", "quarantined", "registry", "started", "stopped")

_NOTHING_RESTS_ON = (
    f" e.kind IN ({', '.join(repr(kind) for kind in PRUNABLE)})"
    " AND NOT EXISTS (SELECT 1 FROM moves m WHERE m.seq = e.seq)"
    " AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.seq = e.seq)"
    " AND NOT EXISTS (SELECT 1 FROM annotations a WHERE a.annotates = e.seq)"
    " AND NOT EXISTS (SELECT 1 FROM manifests m WHERE m.id = e.manifest_id AND m.pushed_seq = e.seq)"
    " AND NOT EXISTS (SELECT 1 FROM repositories r"
    " WHERE r.id = e.repository_id AND r.deleted_at = e.occurred_at AND r.deleted_by = e.event)"
    # The last that was heard of a manifest tells whether it was deleted.
    " AND (e.manifest_id IS NULL OR e.seq <> (SELECT n.seq FROM entries n WHERE n.manifest_id = e.manifest_id"
    " AND n.kind IN ('push', 'delete') ORDER BY n.seq DESC LIMIT 1))"
    " AND (e.tag_id IS NULL OR e.seq <> (SELECT n.seq FROM entries n WHERE n.tag_id = e.tag_id ORDER BY n.seq LIMIT 1)"
    " AND e.seq <> (SELECT n.seq FROM entries n WHERE n.tag_id = e.tag_id AND n.kind IN ('push', 'delete')"
    " ORDER BY n.occurred_at DESC, n.event DESC LIMIT 1))"
)


def iterate_prunable(db: Connection, *, before: int) -> Iterator[tuple[int, str]]:
    """Number and kind of the lines before the given one that nothing rests on, in order."""
    for first in range(0, before, _WINDOW):
        rows = db.execute(
            "SELECT e.seq, e.kind, CASE WHEN EXISTS (SELECT 1 FROM index_members i WHERE i.index_id = e.manifest_id)"
            f" THEN e.manifest_id END FROM entries e WHERE e.seq >= ? AND e.seq < ? AND {_NOTHING_RESTS_ON}"
            " ORDER BY e.seq",
            (first, min(first + _WINDOW, before)),
        ).fetchall()
        for seq, kind, index_id in rows:
            if index_id is None or not _tells_more(db, seq, index_id):
                yield seq, kind


def _tells_more(db: Connection, seq: int, index_id: int) -> bool:
    """Whether a repeated push of an index names manifests that its first push does not."""
    (line,) = db.execute("SELECT line FROM lines WHERE seq = ?", (seq,)).fetchone()
    told = set(read_line(line).references)
    first = db.execute(
        "SELECT line FROM lines JOIN manifests m ON m.pushed_seq = seq WHERE m.id = ?", (index_id,)
    ).fetchone()
    return bool(told - (set(read_line(first[0]).references) if first else set()))


def remove_lines(tx: Connection, seqs: Iterable[int], *, before: int) -> Iterator[int]:
    """Take the lines away, all of them before the given one; yields the number of each when it is gone.

    What stays of a line is its leaf hash. `seqs` may be read while this goes on.
    """
    tx.execute("UPDATE pruned SET before_seq = max(before_seq, ?)", (before,))
    for seq in seqs:
        tx.execute("INSERT INTO pruned_leaves (seq, leaf) SELECT seq, leaf FROM lines WHERE seq = ?", (seq,))
        for table in ("disclosures", "quarantine", "entries", "lines"):
            tx.execute(f"DELETE FROM {table} WHERE seq = ?", (seq,))
        yield seq
    _remove_unnamed(tx)


def _remove_unnamed(tx: Connection) -> None:
    """Forget the names that only pruned lines told."""
    remove_unnamed_actors(tx)
    tx.execute(
        "DELETE FROM manifests WHERE pushed_seq IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.manifest_id = manifests.id)"
        " AND NOT EXISTS (SELECT 1 FROM index_members i WHERE i.manifest_id = manifests.id)"
    )
    tx.execute(
        "DELETE FROM registries WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.registry_id = registries.id)"
        " AND NOT EXISTS (SELECT 1 FROM repositories r WHERE r.registry_id = registries.id)"
    )


def count_raw(db: Connection, *, before: int) -> int:
    """How many events as received there are of the lines before the given one."""
    (count,) = db.execute("SELECT count(*) FROM disclosures WHERE seq < ? AND raw IS NOT NULL", (before,)).fetchone()
    return int(count)


def remove_raw(tx: Connection, *, before: int) -> None:
    """Delete the events as received of the lines before the given one, and what was derived from them."""
    tx.execute(
        "DELETE FROM quarantine WHERE seq IN (SELECT seq FROM disclosures WHERE seq < ? AND raw IS NOT NULL)", (before,)
    )
    tx.execute("DELETE FROM disclosures WHERE seq < ? AND who IS NULL", (before,))
    tx.execute("UPDATE disclosures SET raw = NULL WHERE seq < ? AND raw IS NOT NULL", (before,))
