"""`manifest.json`: the query, the caller and the contents of the bundle; independent of the clock."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tagtrail import __version__
from tagtrail.export.proof import ProvedLog
from tagtrail.export.query import ExportQuery
from tagtrail.export.selection import INCLUDED, PRUNED, WITHHELD, Draw, Reading, Selection
from tagtrail.ledger.rulebook import RuleBook
from tagtrail.store.events import get_received_at
from tagtrail.store.export import find_registries_heard, read_kinds
from tagtrail.trail.instant import format_instant

_REPORTED_ONLY = (
    "What the registry reported, as far as it arrived. Nothing was compared with the registry itself, so an event that"
    " was never delivered is not known of."
)


def write_manifest(
    reading: Reading,
    selection: Selection,
    log: ProvedLog,
    book: RuleBook,
    query: ExportQuery,
    *,
    asked_by: str,
    identities: bool,
    gaps: int,
) -> Iterator[bytes]:
    """The manifest, as one piece."""
    document = {
        "format": 1,
        "tool": f"tagtrail {__version__}",
        "asked_by": asked_by,
        "as_of": _at(reading, log.size - 1),
        "origin": log.origin,
        "size": log.size,
        "first": selection.first,
        "end": selection.end,
        "filter": query.describe_filter(),
        "identities": identities,
        "lines": selection.count(INCLUDED),
        "kinds": _count_kinds(reading, selection),
        "withheld": selection.count(WITHHELD),
        "pruned": selection.count(PRUNED),
        "gaps": gaps,
        "coverage": _coverage(reading, selection, log, book, registry=query.filter.registry),
        "sample": _describe_draw(selection.draw),
    }
    yield f"{json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False)}\n".encode()


def _at(reading: Reading, seq: int) -> str | None:
    """The time of the line; None without a line or if it was pruned."""
    with reading.page() as db:
        at = get_received_at(db, seq)
    return None if at is None else format_instant(at, 6)


def _count_kinds(reading: Reading, selection: Selection) -> dict[str, int]:
    kinds: Counter[str] = Counter()
    for window in selection.included():
        with reading.page() as db:
            rows = read_kinds(db, window.first, window.end)
        kinds.update(kind for seq, kind in rows if window.includes(seq))
    return dict(kinds)


def _coverage(
    reading: Reading, selection: Selection, log: ProvedLog, book: RuleBook, *, registry: str | None
) -> list[dict[str, Any]]:
    """How reliable each registry's record is; at present always REPORTED-ONLY."""
    with reading.page() as db:
        heard = find_registries_heard(db, size=log.size)
    known = sorted({*heard, *(identity.name for identity in book.latest.registries)})
    since, until = _at(reading, selection.first), _at(reading, selection.end - 1)
    return [
        {"registry": name, "from": since, "until": until, "coverage": "REPORTED-ONLY", "means": _REPORTED_ONLY}
        for name in known
        if registry in (None, name)
    ]


def _describe_draw(draw: Draw | None) -> dict[str, Any] | None:
    if draw is None:
        return None
    return {
        "seed": draw.sample.seed,
        "count": draw.sample.count,
        "population": draw.population,
        "drawn": draw.drawn,
    }
