"""Lists by pages: whole whatever the limit, steady while events arrive, and cheap by their query plans."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tagtrail.ledger.record import Recorder
from tagtrail.store import series
from tagtrail.store.database import Connection, Store
from tagtrail.store.deployments import find_deployments
from tagtrail.store.digests import get_digest
from tagtrail.store.entries import find_entries, find_lines
from tagtrail.store.environments import find_environments
from tagtrail.store.history import find_history
from tagtrail.store.query import Filter, Key, Page, Query
from tagtrail.store.registries import find_quarantined, find_traffic
from tagtrail.store.releases import find_violations
from tagtrail.store.tags import find_tags
from tagtrail.trail.instant import SECOND
from tests.api_client import RULES, some_events, story
from tests.checker import check_ledger
from tests.conftest import Clock, Ledger
from tests.events import START, SomeEvent, digest_of, envelope, push

Find = Callable[..., Page[Any]]


def split_lines(db: Connection, query: Query) -> Page[bytes]:
    """The page with one item for each line; `find_lines` joins them."""
    page = find_lines(db, query)
    return Page(tuple(line for lines in page.items for line in lines.split(b"\n")), page.after)


LISTS: dict[str, tuple[Find, Filter]] = {
    "entries": (find_entries, Filter()),
    "lines": (split_lines, Filter()),
    "lines by repository": (split_lines, Filter(repository="team/*")),
    "entries by tag and kind": (find_entries, Filter(tag="prod", kind="push")),
    "entries by environment": (find_entries, Filter(environment="production")),
    "entries by actor and repository": (find_entries, Filter(actor="alice", repository="*/app")),
    "tags": (find_tags, Filter()),
    "history": (find_history, Filter(repository="team/app", tag="prod")),
    "deployments": (find_deployments, Filter()),
    "deployments by glob": (find_deployments, Filter(repository="team/*")),
    "deployments by digest": (find_deployments, Filter(digest=digest_of("a"))),
    "environments": (find_environments, Filter()),
    "violations": (find_violations, Filter()),
    "quarantine": (find_quarantined, Filter()),
    "traffic": (find_traffic, Filter()),
}


def fill(ledger: Ledger) -> Ledger:
    """Some hundred lines, with something in every list."""
    ledger.receive_body(envelope(*some_events(1, 200), *story()))
    for number in range(5):
        ledger.receive_body(b"junk %d" % number)
        for action in ("pull", "mount"):
            ledger.receive(SomeEvent(action=action, digest=digest_of("a"), at=number * 20_000))
    return ledger


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A full ledger, shared by all tests that only ask."""
    store = Store(tmp_path_factory.mktemp("pages") / "data")
    store.prepare()
    clock = Clock()
    yield fill(Ledger(store, Recorder(store, clock=clock), clock))
    check_ledger(store)
    store.close()


def pages(db: Connection, find: Find, asked: Filter, limit: int) -> Iterator[Page[Any]]:
    """Every page, to the end."""
    after: Key | None = None
    while True:
        page = find(db, Query(RULES, asked, limit, after))
        yield page
        after = page.after
        if after is None:
            return


def whole(db: Connection, find: Find, asked: Filter, limit: int) -> list[Any]:
    """The items of every page."""
    return [item for page in pages(db, find, asked, limit) for item in page.items]


@pytest.mark.parametrize("name", LISTS)
def test_pages_make_the_whole_whatever_the_limit(full: Ledger, name: str) -> None:
    find, asked = LISTS[name]
    db = full.store.reader()
    everything = find(db, Query(RULES, asked, 1_000))
    assert everything.after is None
    assert len(everything.items) > 2
    for limit in (1, 2, 7, len(everything.items)):
        found = list(pages(db, find, asked, limit))
        assert [item for page in found for item in page.items] == list(everything.items)
        assert all(len(page.items) <= limit for page in found)


@pytest.mark.parametrize("name", LISTS)
def test_rare_rows_are_sought_within_bounds_and_all_found(
    full: Ledger, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, asked = LISTS[name]
    db = full.store.reader()
    everything = list(find(db, Query(RULES, asked, 1_000)).items)
    monkeypatch.setattr(series, "MOST_EXAMINED", 5)
    monkeypatch.setattr(series, "_FIRST_READ", 2)
    monkeypatch.setattr(series, "_LARGEST_READ", 4)
    assert whole(db, find, asked, 3) == everything


@pytest.mark.parametrize("name", ["entries", "entries by actor and repository", "deployments", "history"])
def test_pages_are_steady_while_events_arrive(ledger: Ledger, name: str) -> None:
    find, asked = LISTS[name]
    db = fill(ledger).store.reader()
    before = list(find(db, Query(RULES, asked, 1_000)).items)
    first = find(db, Query(RULES, asked, 4))
    ledger.receive(*[push("prod", f"new {number}", 1_000 + number, actor="alice") for number in range(5)])
    rest = [item for page in _from(db, find, asked, first.after) for item in page.items]
    # What a new event ends, such as an interval, is on the first page, which was read before it came.
    assert [item.seq for item in (*first.items, *rest)] == [item.seq for item in before]


def _from(db: Connection, find: Find, asked: Filter, after: Key | None) -> Iterator[Page[Any]]:
    while after is not None:
        page = find(db, Query(RULES, asked, 4, after))
        yield page
        after = page.after


@pytest.mark.parametrize("glob", ["team/*", "**/app", "*", "l?b/*", "[st]*", "team/**", "**"])
def test_a_glob_finds_what_its_repositories_hold_together(full: Ledger, glob: str) -> None:
    from tagtrail.trail.patterns import REPOSITORY_ALPHABET, compile_glob

    db = full.store.reader()
    names = ["team/app", "team/web", "lab/x", "solo"]
    matching = [name for name in names if compile_glob(glob, alphabet=REPOSITORY_ALPHABET).matches(name)]
    for find in (find_entries, find_deployments):
        alone = [item for name in matching for item in whole(db, find, Filter(repository=name), 50)]
        together = whole(db, find, Filter(repository=glob), 3)
        if find is find_entries:
            together = [item for item in together if item.kind in ("push", "delete")]
        assert sorted(item.seq for item in together) == sorted(item.seq for item in alone)
        moments = [getattr(item, "at", item.seq) for item in together]
        assert moments == sorted(moments, reverse=True)


# Tables of which there may be millions of rows.
LARGE = re.compile(r"SCAN (entries|lines|moves|publications|tags|manifests|index_members|disclosures|[delimptvn])\b")


def plans(db: Connection, ask: Callable[[], object]) -> Iterator[tuple[str, str]]:
    """Every statement that the question runs, with each step of its plan."""
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    try:
        ask()
    finally:
        db.set_trace_callback(None)
    for statement in dict.fromkeys(statements):
        for row in db.execute(f"EXPLAIN QUERY PLAN {statement}"):
            yield statement, row[3]


QUESTIONS: list[tuple[Callable[..., object], Filter]] = [
    *((find_entries, asked) for asked in (
        Filter(), Filter(registry="main"), Filter(repository="team/app"), Filter(repository="team/*"),
        Filter(tag="prod"), Filter(tag="prod", repository="team/app"), Filter(digest=digest_of("a")),
        Filter(digest=digest_of("a")[:20]), Filter(actor="alice"), Filter(kind="delete"), Filter(kind="push"),
        Filter(environment="production"), Filter(since=START, until=START + 10**15),
        Filter(registry="main", actor="alice", kind="delete", repository="team/*"),
    )),
    *((find_deployments, asked) for asked in (
        Filter(), Filter(registry="main"), Filter(repository="team/app"), Filter(repository="team/*"),
        Filter(environment="production"), Filter(environment="production", repository="team/*"),
        Filter(digest=digest_of("a")), Filter(actor="alice"), Filter(tag="prod"),
    )),
    *((find, asked) for find in (find_tags, find_environments, find_violations, find_quarantined, find_traffic)
      for asked in (Filter(), Filter(registry="main"), Filter(repository="team/app"), Filter(repository="team/*"))),
    (find_history, Filter(repository="team/app", tag="prod")),
    (get_digest, Filter(digest=digest_of("index"))),
    (get_digest, Filter(digest=digest_of("arm"))),
    (lambda db, query: find_tags(db, replace(query, at=START + 50 * SECOND)), Filter()),
    (lambda db, query: find_environments(db, replace(query, at=START + 50 * SECOND)), Filter()),
]  # fmt: skip


@pytest.mark.parametrize(("find", "asked"), QUESTIONS)
def test_no_question_scans_or_sorts_a_large_table(full: Ledger, find: Callable[..., object], asked: Filter) -> None:
    db = full.store.reader()
    steps = list(plans(db, lambda: find(db, Query(RULES, asked, 3))))
    assert steps
    for statement, step in steps:
        assert not LARGE.match(step), f"{step}\n{statement}"
        if "TEMP B-TREE" in step:
            # What is sorted is what a page or one digest has, or rows of the very same instant.
            is_bounded = " IN (" in statement or "WHERE digest = " in statement or "FROM contacts" in statement
            assert is_bounded or "LAST" in step, f"{step}\n{statement}"


def test_a_search_for_what_is_not_there_stops_and_says_where_to_go_on(
    full: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "MOST_EXAMINED", 5)
    db = full.store.reader()
    page = find_deployments(db, Query(RULES, Filter(actor="nobody"), 3))
    assert page.items == ()
    assert page.after is not None
    found = list(pages(db, find_deployments, Filter(actor="nobody"), 3))
    assert sum(len(page.items) for page in found) == 0
    assert len(found) > 2


def test_no_statement_uses_offset_or_counts_all(full: Ledger) -> None:
    db = full.store.reader()
    for find, asked in QUESTIONS:
        if asked.digest in (digest_of("index"), digest_of("arm")):
            continue
        for statement, _ in plans(db, lambda: find(db, Query(RULES, asked, 3))):  # noqa: B023
            assert "OFFSET" not in statement.upper()
