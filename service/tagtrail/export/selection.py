"""Selects the lines of a bundle: one byte per line of the range, so a million lines take a megabyte.

Lines without a repository are always included, so that every auditor sees gaps and the rules in force.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import compress
from typing import Final

from tagtrail.errors import StorageUnavailable
from tagtrail.export.query import ExportQuery, Sample
from tagtrail.ledger.rulebook import RuleBook
from tagtrail.store.database import Connection, Store
from tagtrail.store.export import Candidate, find_candidates, find_plain, find_pruned
from tagtrail.store.lines import find_window, get_end
from tagtrail.store.names import is_glob
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, compile_glob

WITHHELD: Final = 0
INCLUDED: Final = 1
PRUNED: Final = 2  # only the leaf hash is kept

_WINDOW: Final = 4_096  # lines per page
_REMEMBERED: Final = 20_000  # cached verdicts about repositories

Fits = Callable[[Candidate], bool]


class Reading:
    """One bundle's view of a store, in short snapshots: lines may be added meanwhile, but none removed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.snapshot() as db:
            self._generation = get_end(db).generation

    @contextmanager
    def page(self) -> Iterator[Connection]:
        """A snapshot for one page of lines.

        Raises StorageUnavailable after an erasure, a pruning or a rebuild, because the parts of the bundle would
        contradict each other.
        """
        with self._store.snapshot() as db:
            if get_end(db).generation != self._generation:
                raise StorageUnavailable(
                    "something was erased or pruned, or the trail was derived anew, while the bundle was made;"
                    " make it again"
                )
            yield db


@dataclass(frozen=True, slots=True)
class MarkedRange:
    """A part of the range: from `first` to before `end`, with a mark for each line."""

    first: int
    end: int
    marks: bytearray

    def includes(self, seq: int) -> bool:
        """Whether the line is in the bundle."""
        return self.marks[seq - self.first] == INCLUDED


@dataclass(frozen=True, slots=True)
class Draw:
    """A sample: the matching lines as pairs of first and last, and the drawn ones."""

    sample: Sample
    population: list[tuple[int, int]]
    drawn: list[int]


@dataclass(frozen=True, slots=True)
class Selection:
    """The range from `first` to before `end`, with a mark for each line."""

    first: int
    marks: bytearray
    draw: Draw | None = None

    @property
    def end(self) -> int:
        """The first line after the range."""
        return self.first + len(self.marks)

    def includes(self, seq: int) -> bool:
        """Whether the line is in the bundle; the line may be outside the range."""
        return self.first <= seq < self.end and self.marks[seq - self.first] == INCLUDED

    def count(self, mark: int) -> int:
        """The number of lines with the mark."""
        return self.marks.count(mark)

    def windows(self) -> Iterator[MarkedRange]:
        """The range in parts."""
        for first in range(self.first, self.end, _WINDOW):
            marks = self.marks[first - self.first : first - self.first + _WINDOW]
            yield MarkedRange(first, first + len(marks), marks)

    def included(self) -> Iterator[MarkedRange]:
        """The parts that have included lines; each begins and ends with one."""
        for window in self.windows():
            low, high = window.marks.find(INCLUDED), window.marks.rfind(INCLUDED)
            if low >= 0:
                yield MarkedRange(window.first + low, window.first + high + 1, window.marks[low : high + 1])


def choose(reading: Reading, query: ExportQuery, book: RuleBook, *, size: int) -> Selection:
    """Select from the first `size` lines those that the query means."""
    with reading.page() as db:
        window = find_window(db, replace(query.filter, last_seq=size - 1))
    first, end = window.first, max(window.first, window.last + 1)
    selection = Selection(first, bytearray([WITHHELD if query.is_narrow else INCLUDED]) * (end - first))
    if query.is_narrow:
        fitting = _mark_fitting(reading, selection, query, book)
        selection = _sampled(selection, fitting, query.sample)
    _mark_pruned(reading, selection)
    return selection


def _mark_fitting(reading: Reading, selection: Selection, query: ExportQuery, book: RuleBook) -> bytearray:
    """Mark the lines that are always included; returns a mark for each matching line."""
    fits, first = _make_fits(query, book), selection.first
    fitting = bytearray(len(selection.marks))
    for window in selection.windows():
        with reading.page() as db:
            plain = find_plain(db, window.first, window.end)
            candidates = find_candidates(db, window.first, window.end, query.filter)
            pruned = frozenset(find_pruned(db, window.first, window.end))
        for seq in plain:
            selection.marks[seq - first] = INCLUDED
        for candidate in candidates:
            if candidate.seq not in pruned and fits(candidate):
                fitting[candidate.seq - first] = INCLUDED
    return fitting


def _sampled(selection: Selection, fitting: bytearray, sample: Sample | None) -> Selection:
    """Include the matching lines, or a sample of them."""
    seqs = compress(range(selection.first, selection.end), fitting)
    if sample is None:
        for seq in seqs:
            selection.marks[seq - selection.first] = INCLUDED
        return selection
    drawn = draw(sample, seqs)
    for seq in drawn:
        selection.marks[seq - selection.first] = INCLUDED
    return replace(selection, draw=Draw(sample, list(_runs(fitting, selection.first)), drawn))


def _mark_pruned(reading: Reading, selection: Selection) -> None:
    for window in selection.windows():
        with reading.page() as db:
            pruned = find_pruned(db, window.first, window.end)
        for seq in pruned:
            selection.marks[seq - selection.first] = PRUNED


def draw(sample: Sample, seqs: Iterable[int]) -> list[int]:
    """The drawn lines, by seq: those with the smallest SHA-256 of the seed, followed by the seq in decimal digits."""

    def lot(seq: int) -> bytes:
        return hashlib.sha256(f"{sample.seed}{seq}".encode()).digest()

    return sorted(heapq.nsmallest(sample.count, seqs, key=lot))


def _runs(marks: bytearray, first: int) -> Iterator[tuple[int, int]]:
    """First and last of each unbroken run of marked lines."""
    begin = marks.find(INCLUDED)
    while begin >= 0:
        end = marks.find(WITHHELD, begin)
        end = len(marks) if end < 0 else end
        yield first + begin, first + end - 1
        begin = marks.find(INCLUDED, end)


def _make_fits(query: ExportQuery, book: RuleBook) -> Fits:
    """The conditions that the database cannot check: the repository matches the glob, the tag means the environment."""
    asked = query.filter
    tests = [
        *([_fits_repository(asked.repository)] if asked.repository is not None else []),
        *([_fits_environment(asked.environment, book)] if asked.environment is not None else []),
    ]
    return lambda candidate: all(test(candidate) for test in tests)


def _fits_repository(repository: str) -> Fits:
    if not is_glob(repository):
        return lambda candidate: candidate.repository == repository
    matches = lru_cache(maxsize=_REMEMBERED)(compile_glob(repository, alphabet=REPOSITORY_ALPHABET).matches)
    return lambda candidate: matches(candidate.repository)


def _fits_environment(environment: str, book: RuleBook) -> Fits:
    """Whether a line concerns the environment.

    It may be a declared deployment, a push or delete of the tag that means the environment by the line's rules, or a
    delete that may remove that tag with others.
    """

    @lru_cache(maxsize=_REMEMBERED)
    def meaning(edition: int, registry: str, repository: str) -> str | None:
        rule = book.editions[edition].environments_in(registry, repository).get(environment)
        return rule.tag if rule is not None else None

    def fits(candidate: Candidate) -> bool:
        if candidate.kind == "deployment":
            return candidate.environment == environment
        tag = meaning(book.edition(candidate.seq), candidate.registry, candidate.repository)
        return tag is not None and (candidate.tag == tag or (candidate.tag is None and candidate.kind == "delete"))

    return fits
