"""The audit log: the ledger's lines, newest first, with what each of them moved and where it published."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tagtrail.store.annotations import find_annotations
from tagtrail.store.answers import Change, Cut, Filter, LoggedEntry, Page
from tagtrail.store.database import Connection
from tagtrail.store.lines import Window, find_window
from tagtrail.store.names import (
    find_actor_id,
    find_manifest_ids,
    find_registry_id,
    find_repositories,
    find_tag_ids,
    restricts_repositories,
)
from tagtrail.store.series import GLANCE, MANY_RANGES, Row, Series, Source, Span, find_sparsest, gather, marks, walk

MOST_CHANGES: Final = 100  # of one line that are shown; deleting a repository may move more tags

_FACTS = ("e.registry_id", "e.repository_id", "e.tag_id", "e.manifest_id", "e.actor_id", "e.kind")
_ENTRIES = Series("entries e", ("e.seq",), _FACTS)
_SEQS = Series("entries e", ("e.seq",))
_PUBLISHING = Series("publications p CROSS JOIN entries e ON e.seq = p.seq", ("p.seq",), _FACTS)

Wanted = dict[str, frozenset[int | str]]  # for each column of `entries` that is asked about, the values that will do


def find_entries(db: Connection, asked: Filter, cut: Cut) -> Page[LoggedEntry]:
    """The lines that the filter asks for, newest first. Key: (seq,)."""
    page = find_seqs(db, asked, cut)
    return Page(tuple(_read_entries(db, page.items)) if page.items else (), page.after)


def get_entries(db: Connection, seqs: Sequence[int]) -> tuple[LoggedEntry, ...]:
    """The lines of these numbers, newest first; those that there are not, or no more, are left out."""
    return tuple(_read_entries(db, seqs)) if seqs else ()


def find_lines(db: Connection, asked: Filter, cut: Cut) -> Page[bytes]:
    """As `find_entries`, but nothing of the lines except their bytes: the evidence itself."""
    if asked == Filter(since=asked.since, until=asked.until, last_seq=asked.last_seq):
        return _read_range(db, find_window(db, asked), cut)
    page = find_seqs(db, asked, cut)
    if not page.items:
        return Page((), page.after)
    rows = db.execute(
        f"SELECT line FROM lines WHERE seq IN ({marks(page.items)}) ORDER BY seq DESC", page.items
    ).fetchall()
    return Page(tuple(row[0] for row in rows), page.after)


def _read_range(db: Connection, window: Window, cut: Cut) -> Page[bytes]:
    """Lines that only a time may bound: all of them, as they lie."""
    rows = db.execute(
        "SELECT line, seq FROM lines WHERE seq < ? AND seq >= ? ORDER BY seq DESC LIMIT ?",
        (cut.after[0] if cut.after else window.last + 1, window.first, cut.limit + 1),
    ).fetchall()
    after = (rows[cut.limit - 1][1],) if len(rows) > cut.limit else None
    return Page(tuple(row[0] for row in rows[: cut.limit]), after)


def find_seqs(db: Connection, asked: Filter, cut: Cut) -> Page[int]:
    """The numbers of the lines that the filter asks for, newest first."""
    wanted = find_wanted(db, asked)
    window = find_window(db, asked)
    if wanted is None:
        return Page(())
    span = Span((cut.after[0] if cut.after else window.last + 1,), window.first)
    series, source = _choose(db, wanted, asked.environment, span)
    if len(source.ids) > MANY_RANGES:
        page = _gather(walk(db, _ENTRIES, Source(), span), _ENTRIES, wanted, cut.limit, most=GLANCE)
        if len(page.items) == cut.limit:
            return page
    rest = {column: values for column, values in wanted.items() if column != source.column}
    shown = series if rest else Series(series.table, series.key)
    return _gather(_drop_repeated(walk(db, shown, source, span)), series, rest, cut.limit)


def _gather(rows: Iterator[Row], series: Series, wanted: Wanted, limit: int, *, most: int | None = None) -> Page[int]:
    """A page of those rows that have the wanted values."""
    tests = [(len(series.key) + series.facts.index(column), values) for column, values in wanted.items()]
    found, after = gather(
        rows, series, limit=limit, keep=lambda row: all(row[at] in values for at, values in tests), most=most
    )
    return Page(tuple(row[0] for row in found), after)


def find_wanted(db: Connection, asked: Filter) -> Wanted | None:
    """What the filter says about the columns of `entries`; None where nothing can fit. Raises BadParameter."""
    wanted: Wanted = {}
    if asked.kind is not None:
        wanted["e.kind"] = frozenset({asked.kind})
    if asked.actor is not None:
        wanted["e.actor_id"] = frozenset({find_actor_id(db, asked.actor) or -1})
    repositories = find_repositories(db, asked) if restricts_repositories(asked) else None
    if asked.registry is not None and repositories is None:
        wanted["e.registry_id"] = frozenset({find_registry_id(db, asked.registry) or -1})
    if asked.tag is not None:
        wanted["e.tag_id"] = frozenset(find_tag_ids(db, asked.tag, repositories))
    if asked.digest is not None:
        wanted["e.manifest_id"] = frozenset(find_manifest_ids(db, asked.digest, repositories))
    if repositories is not None and asked.tag is None and asked.digest is None:
        wanted["e.repository_id"] = frozenset(repository.id for repository in repositories)
    return wanted if all(wanted.values()) else None


def _choose(db: Connection, wanted: Wanted, environment: str | None, span: Span) -> tuple[Series, Source]:
    """The index to walk along, and the table it belongs to."""
    if environment is not None:
        return _PUBLISHING, Source("p.environment = ?", (environment,))
    sources = [
        Source("e.kind <> 'push'" if column == "e.kind" else "1", column=column, ids=tuple(values))
        for column, values in wanted.items()
        if values != {"push"}  # nearly every line is a push: there is no index of them
    ]
    return _ENTRIES, find_sparsest(db, _SEQS, sources, span) if sources else Source()


def _drop_repeated(rows: Iterator[Row]) -> Iterator[Row]:
    """A line that published several times stands once."""
    last = None
    for row in rows:
        if row[0] != last:
            last = row[0]
            yield row


def _read_entries(db: Connection, seqs: Sequence[int]) -> Iterator[LoggedEntry]:
    changes = _find_changes(db, seqs)
    environments = _find_environments(db, seqs)
    annotations = find_annotations(db, seqs)
    rows: list[tuple[Any, ...]] = db.execute(
        "SELECT e.seq, e.received_at, e.kind, l.line, d.who FROM entries e JOIN lines l ON l.seq = e.seq"
        f" LEFT JOIN disclosures d ON d.seq = e.seq WHERE e.seq IN ({marks(seqs)}) ORDER BY e.seq DESC",
        seqs,
    ).fetchall()
    for seq, received_at, kind, line, who in rows:
        yield LoggedEntry(
            seq, received_at, kind, line, who, tuple(changes[seq]), tuple(environments[seq]), tuple(annotations[seq])
        )


def _find_changes(db: Connection, seqs: Sequence[int]) -> dict[int, list[Change]]:
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
    changes = defaultdict[int, list[Change]](list)
    for seq, tag, kind, digest, previous, is_release, violates in rows:
        changes[seq].append(Change(tag, kind, digest, previous, bool(is_release), bool(violates)))
    return changes


def _find_environments(db: Connection, seqs: Sequence[int]) -> dict[int, list[str]]:
    rows = db.execute(
        f"SELECT DISTINCT seq, environment FROM publications WHERE seq IN ({marks(seqs)}) ORDER BY environment", seqs
    )
    environments = defaultdict[int, list[str]](list)
    for seq, environment in rows:
        environments[seq].append(environment)
    return environments
