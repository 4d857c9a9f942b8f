"""The registries that sent events, the counted traffic, and the quarantine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Annotated, Final, cast

import msgspec
from msgspec import Meta

from tagtrail.store.database import Connection
from tagtrail.store.fields import Count, RecordedTime, Seq
from tagtrail.store.lines import find_window
from tagtrail.store.query import Filter, Page, Query
from tagtrail.store.series import RangeSource, Series, Span, gather, walk
from tagtrail.trail.instant import SECOND, ServiceInstant, day_of
from tagtrail.trail.rules import Authentication, RegistryIdentity

MOST_QUARANTINED: Final = 1_000  # the largest count per registry: an incompatible registry sends nothing else

_QUARANTINE = Series("quarantine", ("seq",), ("registry",))
_LAST_DAY = "9999-12-31"
_READ = 256  # rows read at a time
_AFTER_ALL = "~"  # sorts after every action


class Quarantined(msgspec.Struct, frozen=True):
    """Something received that could not be recorded as what it claims to be."""

    seq: Seq
    at: RecordedTime
    registry: str
    reason: str
    size: Annotated[Count, Meta(description="In bytes.")]
    sha256: Annotated[
        str | None,
        Meta(
            description="Of the content, in hexadecimal digits. It would confirm a guess at its text, so it"
            " takes the scope `identity`."
        ),
    ]


class Traffic(msgspec.Struct, frozen=True):
    """Events of one UTC day that are no evidence of change: `pull_manifest`, `head_blob`, `push_blob` and others."""

    day: Annotated[str, Meta(extra_json_schema={"format": "date"})]
    registry: str
    action: str
    events: Count


class KnownRegistry(msgspec.Struct, frozen=True):
    """A registry that is configured, or that sent events."""

    registry: str
    configured: bool
    host: str | None
    aliases: tuple[str, ...]
    authentication: Authentication | None
    instance: Annotated[str | None, Meta(description="The running registry, by the id it gave itself at its start.")]
    first_seen: ServiceInstant | None
    last_seen: Annotated[
        ServiceInstant | None, Meta(description="When its last event arrived, by this service's clock.")
    ]
    starts: Annotated[Count, Meta(description="The number of its observed starts.")]


def find_quarantined(db: Connection, query: Query) -> Page[Quarantined]:
    """The quarantine, newest first. Key: (seq,). Looks at `registry`, `since`, `until` (our clock)."""
    filters = query.filters
    window = find_window(db, filters)
    span = Span(query.after or (window.last + 1,), window.first)
    found, after = gather(
        walk(db, _QUARANTINE, RangeSource(), span),
        _QUARANTINE,
        limit=query.limit,
        keep=lambda row: filters.registry in (None, row[1]),
    )
    return Page(tuple(_read_quarantined(db, row[0]) for row in found), after)


def count_quarantined(db: Connection, registry: str) -> int:
    """The number of the registry's quarantined lines, counted up to MOST_QUARANTINED."""
    (count,) = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM quarantine WHERE registry = ? LIMIT ?)", (registry, MOST_QUARANTINED)
    ).fetchone()
    return int(count)


def _read_quarantined(db: Connection, seq: int) -> Quarantined:
    row = db.execute(
        "SELECT q.seq, e.received_at, q.registry, q.reason, q.size, q.content FROM quarantine q"
        " JOIN entries e ON e.seq = q.seq WHERE q.seq = ?",
        (seq,),
    ).fetchone()
    seq, received_at, registry, reason, size, content = row
    return Quarantined(
        seq, ServiceInstant(received_at), registry, reason, size, content.hex() if content is not None else None
    )


def find_traffic(db: Connection, query: Query) -> Page[Traffic]:
    """The counts of each registry, UTC day and action, newest day first. Key: (day, registry, action).

    Looks at `registry`, and at `since` and `until` as whole days: those of both instants are included.
    """
    filters = query.filters
    names = [filters.registry] if filters.registry is not None else _find_counted_registries(db)
    walks = (_walk_traffic(db, name, filters, cast("tuple[str, str, str] | None", query.after)) for name in names)
    rows = list(islice(merge(*walks, reverse=True), query.limit + 1))
    items = tuple(Traffic(day, registry, action, events) for day, registry, action, events in rows[: query.limit])
    return Page(items, rows[query.limit - 1][:3] if len(rows) > query.limit else None)


def _walk_traffic(
    db: Connection, registry: str, filters: Filter, after: tuple[str, str, str] | None
) -> Iterator[tuple[str, str, str, int]]:
    """The registry's rows (day, registry, action, events) after the key, newest day first."""
    day, action = (_LAST_DAY if filters.until is None else day_of(filters.until)), _AFTER_ALL
    if after is not None:
        # Of the key's own day, a registry before the key's comes whole, one after it not at all.
        action = after[2] if registry == after[1] else _AFTER_ALL if registry < after[1] else ""
        day = after[0]
    first = "" if filters.since is None else day_of(filters.since)
    while True:
        rows = db.execute(
            "SELECT day, action, events FROM traffic WHERE registry = ? AND (day, action) < (?, ?) AND day >= ?"
            " ORDER BY day DESC, action DESC LIMIT ?",
            (registry, day, action, first, _READ),
        ).fetchall()
        for day, action, events in rows:
            yield day, registry, action, events
        if len(rows) < _READ:
            return


def _find_counted_registries(db: Connection) -> list[str]:
    names: list[str] = []
    while True:
        row = db.execute(
            "SELECT registry FROM traffic WHERE registry > ? ORDER BY registry LIMIT 1", (names[-1] if names else "",)
        ).fetchone()
        if row is None:
            return names
        names.append(row[0])


def find_known_registries(db: Connection, query: Query) -> Page[KnownRegistry]:
    """Every registry that the query's rules configure or that sent events, by name: always all of them."""
    heard = {row[0]: row for row in _find_heard(db)}
    configured = {registry.name: registry for registry in query.rules.registries}
    names = sorted(heard.keys() | configured.keys())
    return Page(tuple(_join_registry(name, configured.get(name), heard.get(name)) for name in names))


def find_last_seen(db: Connection) -> dict[str, int]:
    """When the last event of each registry arrived, by our clock, in nanoseconds UTC."""
    return {row[0]: row[4] for row in _find_heard(db)}


def _find_heard(db: Connection) -> list[tuple[str, str, str, int, int, int]]:
    """(name, host, instance, first seen, last seen, starts) of each registry that sent events.

    Host and instance are those of the running instance: the one that was heard last.
    """
    return db.execute(
        "SELECT c.registry, c.host, c.instance, s.first_seen_at, s.last_seen_at, s.starts FROM ("
        " SELECT registry, min(first_seen_at) AS first_seen_at, max(last_seen_at) AS last_seen_at, count(*) AS starts"
        " FROM contacts GROUP BY registry) s JOIN contacts c ON c.registry = s.registry AND c.instance = ("
        " SELECT n.instance FROM contacts n WHERE n.registry = s.registry"
        " ORDER BY n.last_seen_at DESC, n.first_seen_at DESC, n.instance LIMIT 1) ORDER BY c.registry"
    ).fetchall()


def _join_registry(
    name: str, configured: RegistryIdentity | None, heard: tuple[str, str, str, int, int, int] | None
) -> KnownRegistry:
    _, called, instance, first_seen_at, last_seen_at, starts = heard or (name, None, None, None, None, 0)
    return KnownRegistry(
        registry=name,
        configured=configured is not None,
        host=(configured.host if configured else None) or called or None,
        aliases=configured.aliases if configured else (),
        authentication=configured.authentication if configured else None,
        instance=instance,
        first_seen=ServiceInstant.maybe(first_seen_at),
        last_seen=ServiceInstant.maybe(last_seen_at),
        starts=starts,
    )


# Rows that no line holds: counted events, running registries, the quarantine's index, readiness.


_KEY = 16  # bytes of an event's key
_REMEMBERED = 64  # counted events that a contact remembers


@dataclass(frozen=True, slots=True)
class Contact:
    """One running registry instance; `at` is the time of its last event, by our clock."""

    registry: str
    instance: str
    host: str
    at: int


def touch_contact(tx: Connection, contact: Contact) -> bool:
    """Record, to the second, that the registry sent an event; true the first time after each of its starts."""
    row = tx.execute(
        "SELECT last_seen_at FROM contacts WHERE registry = ? AND instance = ?", (contact.registry, contact.instance)
    ).fetchone()
    if row is None:
        tx.execute(
            "INSERT INTO contacts (registry, instance, host, first_seen_at, last_seen_at, counted)"
            " VALUES (?, ?, ?, ?, ?, x'')",
            (contact.registry, contact.instance, contact.host, contact.at, contact.at),
        )
        return True
    if contact.at >= row[0] + SECOND:
        tx.execute(
            "UPDATE contacts SET last_seen_at = ? WHERE registry = ? AND instance = ?",
            (contact.at, contact.registry, contact.instance),
        )
    return False


def count_event(tx: Connection, *, registry: str, instance: str, event: bytes, day: str, action: str) -> bool:
    """Count an event once; false if the contact remembers it as a repeated event."""
    (counted,) = tx.execute(
        "SELECT counted FROM contacts WHERE registry = ? AND instance = ?", (registry, instance)
    ).fetchone()
    if event in {counted[at : at + _KEY] for at in range(0, len(counted), _KEY)}:
        return False
    tx.execute(
        "UPDATE contacts SET counted = ? WHERE registry = ? AND instance = ?",
        ((counted + event)[-_KEY * _REMEMBERED :], registry, instance),
    )
    tx.execute(
        "INSERT INTO traffic (registry, day, action, events) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (registry, day, action) DO UPDATE SET events = events + 1",
        (registry, day, action),
    )
    return True


def get_quarantined_seq(db: Connection, *, registry: str, content: bytes) -> int | None:
    """The seq of the line that quarantined this content (its SHA-256) for the registry."""
    row = db.execute("SELECT seq FROM quarantine WHERE content = ? AND registry = ?", (content, registry)).fetchone()
    return int(row[0]) if row else None


def add_quarantined(tx: Connection, *, seq: int, registry: str, reason: str, size: int, content: bytes) -> None:
    """Index a quarantined line by its content's SHA-256; `size` in bytes."""
    tx.execute(
        "INSERT INTO quarantine (seq, registry, reason, size, content) VALUES (?, ?, ?, ?, ?)",
        (seq, registry, reason, size, content),
    )


def note_readiness(tx: Connection, at: int) -> None:
    """Write a row, to test whether writing works."""
    tx.execute(
        "INSERT INTO readiness (id, checked_at) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET checked_at = ?", (at, at)
    )


# Failed authentications, counted per UTC day and door.


def add_failed_authentications(tx: Connection, counted: Mapping[tuple[str, str], int]) -> None:
    """Add what was counted for each (day, door); the doors are `api` and `events`."""
    tx.executemany(
        "INSERT INTO refusals (day, door, refusals) VALUES (?, ?, ?)"
        " ON CONFLICT (day, door) DO UPDATE SET refusals = refusals + excluded.refusals",
        [(*key, refusals) for key, refusals in counted.items()],
    )
