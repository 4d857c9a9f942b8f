"""Heads and moves as rows: where each tag stands, and every change that brought it there."""

from collections.abc import Sequence
from dataclasses import dataclass

from tagtrail.store.database import Connection
from tagtrail.trail.moves import Head, Moment, Move


@dataclass(frozen=True, slots=True)
class TagState:
    """A tag's head, and the moment of the latest push or delete that may concern it."""

    head: Head[int]
    latest: Moment


@dataclass(frozen=True, slots=True)
class JudgedMove:
    """A move with what the tag rules in force said of it."""

    move: Move[int]
    is_release: bool
    violates: bool


def get_tag_state(db: Connection, tag_id: int) -> TagState:
    """Where the tag stands, after its own pushes and deletes and those deletes of its repository that name no tag."""
    head, last, at, event, deleted_at, deleted_by = db.execute(
        "SELECT head_id, last_id, occurred_at, event, deleted_at, deleted_by FROM tags"
        " JOIN repositories ON repositories.id = repository_id WHERE tags.id = ?",
        (tag_id,),
    ).fetchone()
    latest = Moment(at, event)
    return TagState(Head(head, last), latest if deleted_at is None else max(latest, Moment(deleted_at, deleted_by)))


def get_head_before(db: Connection, tag_id: int, moment: Moment) -> Head[int]:
    """Where the tag stood just before the moment."""
    row = db.execute(
        "SELECT manifest_id, previous_id FROM moves WHERE tag_id = ? AND (occurred_at, event) < (?, ?)"
        " ORDER BY occurred_at DESC, event DESC LIMIT 1",
        (tag_id, moment.occurred_at, moment.event),
    ).fetchone()
    if row is None:
        return Head()
    return Head(row[0], row[1] if row[0] is None else row[0])


def had_manifest(db: Connection, tag_id: int, manifest_id: int, *, before: Moment) -> bool:
    """Whether the tag pointed to the manifest at any time before the moment."""
    row = db.execute(
        # The plus keeps SQLite from reading all moves of the tag instead of the few that led to the manifest.
        "SELECT 1 FROM moves WHERE manifest_id = ? AND +tag_id = ? AND (occurred_at, event) < (?, ?) LIMIT 1",
        (manifest_id, tag_id, before.occurred_at, before.event),
    ).fetchone()
    return row is not None


def replace_moves(tx: Connection, tag_id: int, *, since: Moment, moves: Sequence[JudgedMove]) -> None:
    """Put these moves in the place of all that the tag has from the moment on, and end the interval before them."""
    key = (tag_id, since.occurred_at, since.event)
    tx.execute("DELETE FROM moves WHERE tag_id = ? AND (occurred_at, event) >= (?, ?)", key)
    tx.execute(
        "UPDATE moves SET until = ? WHERE tag_id = ? AND (occurred_at, event) = (SELECT occurred_at, event FROM moves"
        " WHERE tag_id = ? AND (occurred_at, event) < (?, ?) ORDER BY occurred_at DESC, event DESC LIMIT 1)",
        (moves[0].move.moment.occurred_at if moves else None, tag_id, *key),
    )
    add_moves(tx, tag_id, moves)


def append_move(tx: Connection, tag_id: int, move: JudgedMove) -> None:
    """Add a move that is newer than all others of its tag."""
    if move.move.previous is not None:
        tx.execute(
            "UPDATE moves SET until = ? WHERE tag_id = ? AND (occurred_at, event) ="
            " (SELECT occurred_at, event FROM moves WHERE tag_id = ? ORDER BY occurred_at DESC, event DESC LIMIT 1)",
            (move.move.moment.occurred_at, tag_id, tag_id),
        )
    add_moves(tx, tag_id, [move])


def add_moves(tx: Connection, tag_id: int, moves: Sequence[JudgedMove]) -> None:
    """Write moves that follow one another, oldest first."""
    ends: list[int | None] = [judged.move.moment.occurred_at for judged in moves[1:]]
    for judged, until in zip(moves, [*ends, None], strict=False):
        move = judged.move
        tx.execute(
            "INSERT INTO moves (tag_id, occurred_at, event, seq, kind, manifest_id, previous_id, until, is_release,"
            " violates) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                tag_id, move.moment.occurred_at, move.moment.event, move.seq, move.kind, move.digest, move.previous,
                until, judged.is_release, judged.violates,
            ),
        )  # fmt: skip


def set_tag_state(tx: Connection, tag_id: int, state: TagState, *, last_move: Move[int] | None) -> None:
    """Write where the tag stands; `last_move` is None where the head has not changed."""
    if last_move is None:
        tx.execute(
            "UPDATE tags SET occurred_at = ?, event = ? WHERE id = ?",
            (state.latest.occurred_at, state.latest.event, tag_id),
        )
        return
    tx.execute(
        "UPDATE tags SET head_id = ?, last_id = ?, head_seq = ?, head_since = ?, occurred_at = ?, event = ?"
        " WHERE id = ?",
        (
            state.head.digest, state.head.last, last_move.seq, last_move.moment.occurred_at,
            state.latest.occurred_at, state.latest.event, tag_id,
        ),
    )  # fmt: skip
