"""The benchmark still measures what it says: its statistics, its filled ledger, and a tiny run of each of its parts."""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from bench.__main__ import MEASURES, main
from bench.envelopes import REPOSITORIES, TAGS, bodies
from bench.figures import per_round, percentile, ratio
from bench.fill import fill
from bench.history import tell
from bench.plan import Bench, Plan
from bench.processes import cpu_seconds, pss_bytes
from bench.questions import PAGES, Known, draw_pages
from bench.servers import ours_filled
from bench.table import Row, as_markdown, as_text, machine
from bench.wrk import NotMeasuredError
from werkzeug.routing import Map, Rule

from tagtrail.access.tokens import Sender
from tagtrail.intake.envelope import read_body
from tagtrail.ledger.submission import Draft
from tagtrail.store.database import Store
from tagtrail.trail.instant import now
from tagtrail.web import pages
from tagtrail.web.addresses import add_converters
from tests.checker import check_ledger
from tests.conftest import Ledger
from tests.events import digest_of
from tests.real import need

TINY = Plan(rounds=1, seconds=1, clients=4, stored=(2_000,), burst=40, asked=2, exported=500, told=2, read=20)
NEEDED = {"slow-disk": "cc", "exports": "sqlite3"}  # what `make bench` installs and `make test` does not


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 5), (90, 9), (91, 10), (99, 10), (100, 10)])
def test_a_percentile_is_a_value_that_was_measured(percent: float, expected: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        percentile([], 50)


def test_one_bad_round_does_not_decide_a_ratio() -> None:
    assert ratio([70, 72, 1], [100, 100, 100]) == 0.70
    assert per_round([70, 72, 1], [100, 100, 100]) == "0.70, 0.72, 0.01"


def test_a_filled_ledger_is_what_the_recorder_and_rebuild_make_of_its_lines(tmp_path: Path) -> None:
    fill(tmp_path / "data", 1_800, repositories=9)
    store = Store(tmp_path / "data")
    store.prepare()
    check_ledger(store)
    db = store.reader()
    kinds = db.execute("SELECT DISTINCT kind, violates FROM moves ORDER BY 1, 2").fetchall()
    assert kinds == [("created", 0), ("moved", 0), ("moved", 1), ("moved_back", 0)]
    directions = db.execute("SELECT DISTINCT direction FROM publications ORDER BY 1").fetchall()
    assert directions == [("back",), ("first",), ("forward",)]
    assert db.execute("SELECT count(*) FROM entries WHERE kind = 'push'").fetchone() == (1_800,)
    store.close()


def test_a_filled_ledger_has_every_guard_and_index_of_the_schema(tmp_path: Path, store: Store) -> None:
    fill(tmp_path / "filled", 200, repositories=9)
    filled = Store(tmp_path / "filled")
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert filled.reader().execute(schema).fetchall() == store.reader().execute(schema).fetchall()
    filled.close()


def test_the_history_pushes_each_release_tag_within_one_build() -> None:
    released: dict[int, list[str]] = {}
    for told in tell(3_000, repositories=3):
        tags = released.setdefault(told.repository, [])
        if told.is_release and told.tag not in tags[-1:]:
            assert told.tag not in tags
            tags.append(told.tag)


def test_every_benched_event_is_a_push_that_moves_its_tag(ledger: Ledger) -> None:
    sent = list(bodies(REPOSITORIES * 2, seed=1))
    assert {len(body) for body in sent} == {len(sent[0])}
    items = [item for body in sent for item in read_body(body, Sender("main", authenticates=False), received_at=now())]
    assert len({item.entry.event for item in items if isinstance(item, Draft)}) == len(sent)
    ledger.clock.now = now()
    for body in bodies(REPOSITORIES * TAGS + 2, seed=2):
        ledger.receive_body(body)
    assert ledger.rows("SELECT kind, count(*) FROM moves GROUP BY kind ORDER BY kind") == [
        ("created", REPOSITORIES * TAGS),
        ("moved", 2),
    ]


def test_every_page_is_measured_but_that_of_a_message_of_which_a_filled_ledger_has_none() -> None:
    routes = Map()
    add_converters(routes)
    for page in pages.PAGES:
        routes.add(Rule(page.rule, endpoint=page.name))
    known = Known(0, now(), 9, ("team-00/app",), (digest_of("one"),), (7,))
    addresses = [address for page in PAGES for address in draw_pages(page, known, 1)]
    measured = {routes.bind("").match(urlsplit(address).path)[0] for address in addresses}
    assert measured == {page.name for page in pages.PAGES} - {"message"}


def test_every_part_of_the_benchmark_measures_something(tmp_path: Path) -> None:
    """All at the same time, since the numbers do not matter here; a filled ledger belongs to one service at a time."""
    need("wrk")
    bench = Bench(TINY, tmp_path)
    bench.filled(TINY.stored[0])
    parts = [
        ["ingest"],
        ["slow-disk"],
        ["crowd", "burst"],
        ["reading"],
        ["stored", "memory", "pages", "exports", "audit"],
        ["chat"],
    ]
    assert {name for part in parts for name in part} == MEASURES.keys()
    missing = {name for name, command in NEEDED.items() if shutil.which(command) is None}

    def measure(part: list[str]) -> list[Row]:
        return [row for name in part if name not in missing for row in MEASURES[name](bench)]

    with ThreadPoolExecutor(len(parts)) as pool:
        rows = [row for found in pool.map(measure, parts) for row in found]
    assert all(row.measured for row in rows)
    measured = {row.what.partition(":")[0]: row.measured for row in rows}
    assert measured["a burst of 40 queued events from one registry with a 1 s timeout"] == "0 timeouts, 0 twice, 0 lost"
    assert measured["64 half-open or idle connections held from outside"].endswith(" 0 refused")


def test_a_ledger_that_only_claims_to_be_filled_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(NotMeasuredError, match="has 0 pushes and should have 10"), ours_filled(tmp_path / "empty", 10):
        pytest.fail("it was measured")


def test_what_a_process_costs_is_known() -> None:
    assert cpu_seconds(os.getpid()) > 0
    assert pss_bytes(os.getpid()) > 1_000_000


def test_the_table_says_what_was_reached_and_how_it_was_measured(tmp_path: Path) -> None:
    rows = [Row("speed", ">= 1", "2", True, "in turns", ("round 1: 2",)), Row("size", "<= 1", "2", False)]
    text = as_markdown(rows, command="make bench", where=machine(tmp_path))
    assert "| speed | >= 1 | 2 | yes | in turns |" in text
    assert "| size | <= 1 | 2 | no |  |" in text
    assert "## speed\n\n- round 1: 2\n" in text
    assert "by `make bench`" in text
    assert "yes       speed: 2 (goal >= 1)" in as_text(rows)


def test_what_cannot_be_measured_is_said_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def broken(_: Bench) -> Iterator[Row]:
        yield Row("first", "", "1", None)
        raise NotMeasuredError("wrk is not installed")

    monkeypatch.setattr("bench.__main__.MEASURES", {"broken": broken})
    assert main(["--only", "broken", "--directory", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "first: 1" in told
    assert "not measured: wrk is not installed" in told
    assert list(tmp_path.iterdir()) == []
