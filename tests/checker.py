"""Checks every promise of the ledger and of the trail on a whole database; called at the end of most scenarios."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path

from tagtrail.ledger.batch import rebuild
from tagtrail.ledger.record import Recorder
from tagtrail.line import commitment
from tagtrail.store.database import Connection, Store
from tagtrail.store.rebuilding import dump_projection


def check_ledger(store: Store) -> None:
    """Fail if the ledger has a gap, a line does not match its hash, or the trail does not follow from the lines."""
    Recorder(store).catch_up()  # after a crash lines may be appended and not yet projected
    db = store.reader()
    check_lines(db)
    check_events_once(db)
    check_intervals(db)
    check_deployments(db)
    check_rebuild(store)


def check_lines(db: Connection) -> None:
    """No gaps except pruned lines; every line is canonical, in order of our clock, and matches hash and disclosures."""
    last_at = ""
    (before,) = db.execute("SELECT before_seq FROM pruned").fetchone()
    pruned = {seq for (seq,) in db.execute("SELECT seq FROM pruned_leaves")}
    assert all(seq < before for seq in pruned)
    rows = db.execute("SELECT seq, line, leaf, who, raw FROM lines LEFT JOIN disclosures USING (seq) ORDER BY seq")
    expected = 0
    for seq, line, leaf, who, raw in rows:
        assert set(range(expected, seq)) <= pruned, f"line {expected} is missing"
        assert seq >= expected
        assert seq not in pruned
        expected = seq + 1
        assert hashlib.sha256(b"\x00" + line).digest() == leaf
        values = json.loads(line)
        assert json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == line
        assert (values["v"], values["seq"]) == (1, seq)
        assert values["at"] >= last_at
        last_at = values["at"]
        for name, document in (("who", who), ("raw", raw)):
            if document is not None:
                assert values[name] == commitment(document)
                assert json.loads(document)[1] == name


def check_events_once(db: Connection) -> None:
    """No event of a registry has two lines."""
    events = [
        (line.get("registry"), line["event"])
        for line in (json.loads(row[0]) for row in db.execute("SELECT line FROM lines"))
        if "event" in line
    ]
    assert len(events) == len(set(events))


def check_intervals(db: Connection) -> None:
    """A tag's moves follow one another without overlap, and its last move gives its head."""
    for tag_id, head, since in db.execute("SELECT id, head_id, head_since FROM tags").fetchall():
        moves = db.execute(
            "SELECT occurred_at, until, manifest_id, previous_id, kind FROM moves WHERE tag_id = ?"
            " ORDER BY occurred_at, event",
            (tag_id,),
        ).fetchall()
        for earlier, later in pairwise(moves):
            assert earlier[1] == later[0]
            assert later[2] != earlier[2], "a move must change the head"
            assert later[3] == (earlier[2] if earlier[2] is not None else earlier[3])
        if moves:
            assert (moves[-1][1], moves[-1][2], moves[-1][0]) == (None, head, since)
            assert moves[0][4] == "created"
        else:
            assert head is None


def check_deployments(db: Connection) -> None:
    """In each environment and repository, one publication ends when the next begins."""
    places = db.execute("SELECT DISTINCT environment, repository_id FROM publications").fetchall()
    for place in places:
        rows = db.execute(
            "SELECT occurred_at, until, direction, manifest_id FROM publications"
            " WHERE environment = ? AND repository_id = ? ORDER BY occurred_at, event, tag_id",
            place,
        ).fetchall()
        assert all(earlier[1] == later[0] for earlier, later in pairwise(rows))
        assert rows[-1][1] is None
        assert all((direction is None) == (manifest is None) for _, _, direction, manifest in rows)
        directions = [direction for _, _, direction, _ in rows if direction]
        assert directions.count("first") == (1 if directions else 0)


def check_rebuild(store: Store) -> None:
    """A rebuild from the lines gives the same rows."""
    before = dump_projection(store.reader())
    rebuild(store)
    assert dump_projection(store.reader()) == before


def data_files(directory: Path) -> bytes:
    """Every byte in a data directory."""
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())
