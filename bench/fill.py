"""Fills a ledger as the recorder would, only faster: the same lines and the same rows, in bulk and without fsync.

Lines are made by `ledger.line`, so their bytes, hashes and commitments are real. The rows say what `history.py` tells;
`tests/test_bench.py` holds them against those that `rebuild` derives from the lines.
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing import Process, Queue
from pathlib import Path

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # the library that the store uses

from bench.history import REPOSITORIES, name_of, tell
from bench.rows import TABLES, Pushed, Row, Rows
from tagtrail.ledger.record import Recorder, record_start
from tagtrail.ledger.submission import Counted, Submission
from tagtrail.line import Entry, commitment, disclosure, hash_leaf, place, write_line
from tagtrail.store.database import Connection, Store
from tagtrail.store.lines import get_last_seq
from tagtrail.trail.instant import DAY, day_of, format_instant, now
from tagtrail.trail.rules import Rules

REGISTRY = "main"
_HOST = "registry.example:5000"
_INSTANCE = "7e12a871-5167-4a32-b893-1775df7d1b5a"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_ACTORS = 50
_SPAN = 400 * DAY  # the time that the history takes, however many lines it has
_DELAY = 20_000_000  # nanoseconds between the registry's clock and ours
_BATCH = 2_000  # lines written at a time
_PATIENCE = 120  # seconds for a batch of lines, after which their maker must have failed
_CACHE = 2_000_000  # KiB; what is inserted at random stays in memory while it is

# A push by digest and tag as Distribution 2.8 sends it, in the compact form in which the intake keeps it.
_RAW = (
    '{"id":"%(event)s","timestamp":"%(occurred)s","action":"push","target":{"mediaType":"'
    + _MANIFEST
    + '","size":417,"digest":"%(digest)s","length":417,"repository":"%(repository)s","url":"http://'
    + _HOST
    + '/v2/%(repository)s/manifests/%(digest)s","tag":"%(tag)s","references":['
    '{"mediaType":"application/vnd.oci.image.config.v1+json","size":173,"digest":"%(digest)s"},'
    '{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":98,"digest":"%(digest)s"}]},'
    '"request":{"id":"%(event)s","addr":"192.0.2.17:59830","host":"'
    + _HOST
    + '","method":"PUT","useragent":"skopeo/1.9.3"},"actor":{"name":"%(actor)s"},'
    '"source":{"addr":"vm:5000","instanceID":"' + _INSTANCE + '"}}'
)
_WHO = '{"actor":"%s","address":"192.0.2.17:59830","user_agent":"skopeo/1.9.3"}'
# Triggers would ask after each row; an index is built faster afterwards, but `entries_by_event` then has pages without
# room, as no ledger has whose events came one by one with their random ids, and the first pushes would split them all.
_DROPPED = (
    "SELECT type, name, sql FROM sqlite_master"
    " WHERE type = 'trigger' OR type = 'index' AND sql IS NOT NULL AND name <> 'entries_by_event'"
)


def fill(data: Path, pushes: int, *, repositories: int = REPOSITORIES) -> None:
    """Make a data directory whose ledger has so many pushes, the last of them a moment ago."""
    store = Store(data)
    store.prepare()
    recorder = Recorder(store, clock=lambda: now() - 2 * _SPAN)
    record_start(recorder, Rules())
    recorder.record(Submission((Counted(REGISTRY, _INSTANCE, _HOST, bytes(16), day_of(now()), "push_blob"),)))
    first = get_last_seq(store.reader()) + 1
    store.close()
    tale = _Tale(pushes, repositories, first, start=now() - _SPAN, step=_SPAN // pushes)
    with _in_bulk(store.path) as db, _made_ahead(tale) as lines:
        for rows in _rows_of(tale):
            made = lines.get(timeout=_PATIENCE)
            rows["lines"] = [line[:3] for line in made]
            rows["disclosures"] = [(line[0], *line[3:]) for line in made]
            _insert(db, rows)
        db.execute("UPDATE derivation SET projected = (SELECT max(seq) FROM lines)")


@dataclass(frozen=True, slots=True)
class _Tale:
    """What is told, from the line `seq` and the instant `start` on; `step` is the time from push to push."""

    pushes: int
    repositories: int
    seq: int
    start: int
    step: int

    def batches(self) -> Iterator[list[Pushed]]:
        """The pushes, each time the same, so that two processes can make each their part of a ledger from them."""
        pushes = self._pushes()
        while batch := list(islice(pushes, _BATCH)):
            yield batch

    def _pushes(self) -> Iterator[Pushed]:
        chance = random.Random(self.seq)
        for number, told in enumerate(tell(self.pushes, repositories=self.repositories)):
            at = self.start + number * self.step
            yield Pushed(
                told=told,
                seq=self.seq + number,
                occurred_at=at,
                received_at=at + _DELAY,
                event=chance.getrandbits(128).to_bytes(16, "big"),
                digest=f"sha256:{hashlib.sha256(b'%d' % told.content).hexdigest()}",
                actor=f"person-{number % _ACTORS:02d}",
            )


def _rows_of(tale: _Tale) -> Iterator[dict[str, list[Row]]]:
    """The rows that each batch completes; the last one completes all."""
    rows, told = Rows(), 0
    for batch in tale.batches():
        for push in batch:
            rows.add_push(push)
        told += len(batch)
        if told == tale.pushes:
            rows.finish()
        yield rows.take()


@contextmanager
def _made_ahead(tale: _Tale) -> Iterator["Queue[list[Row]]"]:
    """The lines of each batch, made by another process while the one before is written."""
    lines: Queue[list[Row]] = Queue(maxsize=2)
    maker = Process(target=_make_lines, args=(tale, lines), daemon=True)
    maker.start()
    try:
        yield lines
    finally:
        maker.terminate()
        maker.join()


def _make_lines(tale: _Tale, lines: "Queue[list[Row]]") -> None:
    for batch in tale.batches():
        lines.put([_line_of(push) for push in batch])
    lines.close()
    lines.join_thread()


def _line_of(push: Pushed) -> Row:
    """A line: its seq, its bytes, its leaf hash, and the documents `who` and `raw` that it commits to."""
    event, repository = _as_uuid(push.event.hex()), name_of(push.told.repository)
    occurred, tag = format_instant(push.occurred_at), push.told.tag
    values = {"event": event, "occurred": occurred, "repository": repository, "tag": tag, "digest": push.digest}
    who = disclosure("who", (_WHO % push.actor).encode())
    raw = disclosure("raw", (_RAW % (values | {"actor": push.actor})).encode())
    entry = Entry(
        kind="push", registry=REGISTRY, host=_HOST, event=event, instance=_INSTANCE, occurred=occurred,
        repository=repository, tag=tag, digest=push.digest, media_type=_MANIFEST, size=417, request=event,
        actor_assurance="claimed", who=commitment(who), raw=commitment(raw),
    )  # fmt: skip
    line = write_line(place(entry, seq=push.seq, at=format_instant(push.received_at, 6)))
    return push.seq, line, hash_leaf(line), who, raw


def _as_uuid(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _insert(db: Connection, rows: dict[str, list[Row]]) -> None:
    db.execute("BEGIN")
    for table, columns in TABLES.items():
        if rows.get(table):
            places = ", ".join("?" * (columns.count(",") + 1))
            db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows[table])  # noqa: S608
    db.execute("COMMIT")


@contextmanager
def _in_bulk(path: Path) -> Iterator[Connection]:
    """A connection without journal, fsync, triggers and the indexes that grow at their end; then all as before."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        for pragma in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            f"cache_size = -{_CACHE}",
        ):
            db.execute(f"PRAGMA {pragma}")
        dropped = db.execute(_DROPPED).fetchall()
        for kind, name, _ in dropped:
            db.execute(f"DROP {kind} {name}")
        yield db
        for _, _, sql in dropped:
            db.execute(sql)
        db.execute("PRAGMA locking_mode = NORMAL")
        db.execute("PRAGMA journal_mode = WAL")
    finally:
        db.close()
