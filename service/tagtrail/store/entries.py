"""The audit log: the ledger's lines, newest first, with the moves and publications of each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from tagtrail.line import Assurance, Entry, Who, read_line, read_who
from tagtrail.store.annotations import RecordedAnnotation, find_annotations
from tagtrail.store.database import Connection
from tagtrail.store.fields import ActorName, ImageReference, IsRelease, IsViolation, RecordedTime, Seq
from tagtrail.store.lines import Window, find_window
from tagtrail.store.names import (
    find_actor_id,
    find_manifest_ids,
    find_registry_id,
    find_repositories,
    find_tag_ids,
    restricts_repositories,
)
from tagtrail.store.query import Filter, Page, Query
from tagtrail.store.series import (
    GLANCE,
    MANY_RANGES,
    RangeSource,
    Row,
    Series,
    Span,
    find_sparsest,
    gather,
    marks,
    walk,
)
from tagtrail.trail.instant import ServiceInstant, parse_instant
from tagtrail.trail.moves import MoveKind
from tagtrail.trail.rules import Rules

MOST_CHANGES: Final = 100  # shown per line; deleting a repository may move more tags


class TagChange(msgspec.Struct, frozen=True):
    """A tag that a line moved."""

    tag: str
    kind: MoveKind
    digest: str | None
    previous_digest: str | None
    release: IsRelease
    violation: IsViolation


class LoggedEntry(msgspec.Struct, frozen=True):
    """A line of the ledger."""

    seq: Seq
    at: RecordedTime
    kind: str
    reference: ImageReference | None
    actor: ActorName
    actor_assurance: Assurance | None
    who: Annotated[Who | None, Meta(description="Null for lines without a person, and after erasure.")]
    changes: Annotated[tuple[TagChange, ...], Meta(description="The tags that the line moved; at most 100 are shown.")]
    environments: Annotated[tuple[str, ...], Meta(description="Environments that it published to.")]
    annotations: Annotated[
        tuple[RecordedAnnotation, ...], Meta(description="What was tied to it later; the newest 100.")
    ]
    entry: Annotated[Entry, Meta(description="The line, decoded.")]
    line: Annotated[str, Meta(description="The exact line: the bytes that are stored and hashed.")]

    @property
    def occurred_at(self) -> int:
        """The event's time by the registry's clock, or the line's by ours if no registry sent it; nanoseconds UTC."""
        return parse_instant(self.entry.occurred) if self.entry.occurred else self.at


_FACTS = ("e.registry_id", "e.repository_id", "e.tag_id", "e.manifest_id", "e.actor_id", "e.kind")
_ENTRIES = Series("entries e", ("e.seq",), _FACTS)
_SEQS = Series("entries e", ("e.seq",))
_PUBLISHING = Series("publications p CROSS JOIN entries e ON e.seq = p.seq", ("p.seq",), _FACTS)

# For each column that a filter names, the values that match.
EntryConditions = dict[str, frozenset[int | str]]


def find_entries(db: Connection, query: Query) -> Page[LoggedEntry]:
    """The lines that match the filter, newest first. Key: (seq,)."""
    page = find_seqs(db, query)
    return Page(get_entries(db, page.items, query.rules), page.after)


def get_entries(db: Connection, seqs: Sequence[int], rules: Rules) -> tuple[LoggedEntry, ...]:
    """The lines with these numbers, newest first; unknown and pruned ones are left out."""
    return tuple(_read_entries(db, seqs, rules)) if seqs else ()


def find_lines(db: Connection, query: Query) -> Page[bytes]:
    """Like `find_entries`, but only the bytes of the lines, the evidence: in one item, separated by newlines."""
    filters = query.filters
    if filters == Filter(since=filters.since, until=filters.until, last_seq=filters.last_seq):
        return _read_range(db, find_window(db, filters), query)
    page = find_seqs(db, query)
    if not page.items:
        return Page((), page.after)
    (lines,) = db.execute(
        f"SELECT {_JOINED} FROM (SELECT line FROM lines WHERE seq IN ({marks(page.items)}) ORDER BY seq DESC)",
        page.items,
    ).fetchone()
    return Page((lines,) if lines else (), page.after)


_JOINED: Final = "CAST(group_concat(line, char(10)) AS BLOB)"  # copied once, without the interpreter's lock


def _read_range(db: Connection, window: Window, query: Query) -> Page[bytes]:
    """All lines, in order, limited only by time."""
    lines, last = db.execute(
        f"SELECT {_JOINED}, min(seq) FROM"
        " (SELECT line, seq FROM lines WHERE seq < ? AND seq >= ? ORDER BY seq DESC LIMIT ?)",
        (query.after[0] if query.after else window.last + 1, window.first, query.limit),
    ).fetchone()
    if lines is None:
        return Page(())
    more = db.execute("SELECT 1 FROM lines WHERE seq < ? AND seq >= ? LIMIT 1", (last, window.first)).fetchone()
    return Page((lines,), (last,) if more else None)


def find_seqs(db: Connection, query: Query) -> Page[int]:
    """The numbers of the matching lines, newest first."""
    filters = query.filters
    wanted = find_wanted(db, filters)
    window = find_window(db, filters)
    if wanted is None:
        return Page(())
    span = Span((query.after[0] if query.after else window.last + 1,), window.first)
    series, source = _choose(db, wanted, filters.environment, span)
    if len(source.ids) > MANY_RANGES:
        page = _gather(walk(db, _ENTRIES, RangeSource(), span), _ENTRIES, wanted, query.limit, most=GLANCE)
        if len(page.items) == query.limit:
            return page
    rest = {column: values for column, values in wanted.items() if column != source.column}
    shown = series if rest else Series(series.table, series.key)
    return _gather(_drop_repeated(walk(db, shown, source, span)), series, rest, query.limit)


def _gather(
    rows: Iterator[Row], series: Series, wanted: EntryConditions, limit: int, *, most: int | None = None
) -> Page[int]:
    """A page of the rows with the wanted values."""
    tests = [(len(series.key) + series.facts.index(column), values) for column, values in wanted.items()]
    found, after = gather(
        rows, series, limit=limit, keep=lambda row: all(row[at] in values for at, values in tests), most=most
    )
    return Page(tuple(row[0] for row in found), after)


def find_wanted(db: Connection, filters: Filter) -> EntryConditions | None:
    """The filter's conditions on columns of `entries`; None if nothing can match. Raises BadParameter."""
    wanted: EntryConditions = {}
    if filters.kind is not None:
        wanted["e.kind"] = frozenset({filters.kind})
    if filters.actor is not None:
        wanted["e.actor_id"] = frozenset({find_actor_id(db, filters.actor) or -1})
    repositories = find_repositories(db, filters) if restricts_repositories(filters) else None
    if filters.registry is not None and repositories is None:
        wanted["e.registry_id"] = frozenset({find_registry_id(db, filters.registry) or -1})
    if filters.tag is not None:
        wanted["e.tag_id"] = frozenset(find_tag_ids(db, filters.tag, repositories))
    if filters.digest is not None:
        wanted["e.manifest_id"] = frozenset(find_manifest_ids(db, filters.digest, repositories))
    if repositories is not None and filters.tag is None and filters.digest is None:
        wanted["e.repository_id"] = frozenset(repository.id for repository in repositories)
    return wanted if all(wanted.values()) else None


def _choose(db: Connection, wanted: EntryConditions, environment: str | None, span: Span) -> tuple[Series, RangeSource]:
    """The index to walk along, and the table it belongs to."""
    if environment is not None:
        return _PUBLISHING, RangeSource("p.environment = ?", (environment,))
    sources = [
        RangeSource("e.kind <> 'push'" if column == "e.kind" else "1", column=column, ids=tuple(values))
        for column, values in wanted.items()
        if values != {"push"}  # nearly every line is a push, so there is no index for pushes
    ]
    return _ENTRIES, find_sparsest(db, _SEQS, sources, span) if sources else RangeSource()


def _drop_repeated(rows: Iterator[Row]) -> Iterator[Row]:
    """Keep a line with several publications once."""
    last = None
    for row in rows:
        if row[0] != last:
            last = row[0]
            yield row


def _read_entries(db: Connection, seqs: Sequence[int], rules: Rules) -> Iterator[LoggedEntry]:
    changes = _find_changes(db, seqs)
    environments = _find_environments(db, seqs)
    annotations = find_annotations(db, seqs)
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT e.seq, e.received_at, l.line, d.who FROM entries e JOIN lines l ON l.seq = e.seq"
        f" LEFT JOIN disclosures d ON d.seq = e.seq WHERE e.seq IN ({marks(seqs)}) ORDER BY e.seq DESC",
        seqs,
    ).fetchall()
    for seq, received_at, line, document in rows:
        entry, who = read_line(line), read_who(document)
        yield LoggedEntry(
            seq=seq,
            at=ServiceInstant(received_at),
            kind=entry.kind,
            reference=_refer(entry, rules),
            actor=(who.actor or None) if who else None,
            actor_assurance=entry.actor_assurance,
            who=who,
            changes=tuple(changes[seq]),
            environments=tuple(environments[seq]),
            annotations=tuple(annotations[seq]),
            entry=entry,
            line=line.decode(),
        )


def _refer(entry: Entry, rules: Rules) -> str | None:
    if entry.registry is None or entry.repository is None:
        return None
    return rules.hosts.reference(entry.registry, entry.host, entry.repository, entry.tag, entry.digest)


def _find_changes(db: Connection, seqs: Sequence[int]) -> dict[int, list[TagChange]]:
    """The moves that each of the lines caused, at most MOST_CHANGES of one line."""
    rows = db.execute(
        "SELECT seq, name, kind, digest, previous, is_release, violates FROM ("
        " SELECT m.seq, t.name, m.kind, now.digest AS digest, before.digest AS previous, m.is_release, m.violates,"
        " row_number() OVER (PARTITION BY m.seq ORDER BY t.name) AS place"
        " FROM moves m JOIN tags t ON t.id = m.tag_id LEFT JOIN manifests now ON now.id = m.manifest_id"
        f" LEFT JOIN manifests before ON before.id = m.previous_id WHERE m.seq IN ({marks(seqs)})"
        ") WHERE place <= ? ORDER BY seq, name",
        (*seqs, MOST_CHANGES),
    )
    changes = defaultdict[int, list[TagChange]](list)
    for seq, tag, kind, digest, previous, is_release, violates in rows:
        changes[seq].append(TagChange(tag, kind, digest, previous, bool(is_release), bool(violates)))
    return changes


def _find_environments(db: Connection, seqs: Sequence[int]) -> dict[int, list[str]]:
    rows = db.execute(
        f"SELECT DISTINCT seq, environment FROM publications WHERE seq IN ({marks(seqs)}) ORDER BY environment", seqs
    )
    environments = defaultdict[int, list[str]](list)
    for seq, environment in rows:
        environments[seq].append(environment)
    return environments
