"""Append first, project later: what a crash at each step leaves behind, and that the trail comes out the same.

Run as a program, this file is a front that kills itself at a step: `python -m tests.test_ledger_front DATA STEP`.
"""

import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagtrail.access.tokens import IngestTokens, Sender
from tagtrail.errors import Refused, StorageUnavailable
from tagtrail.intake.endpoint import accept, hold_conflicts
from tagtrail.intake.envelope import read_body
from tagtrail.intake.front import FrontIntake
from tagtrail.ledger.batch import Projector, rebuild
from tagtrail.ledger.declare import Declaration, declare
from tagtrail.ledger.front import FrontRecorder
from tagtrail.ledger.record import Recorder, record_start
from tagtrail.ledger.submission import Conflict, Line, Outcome, Recorded, Repeated, Submission
from tagtrail.store import moves
from tagtrail.store.alerts import count_quarantined
from tagtrail.store.database import Store, StoreBusy, WriteBack
from tagtrail.store.lines import get_end
from tagtrail.store.rebuilding import dump_projection
from tagtrail.trail.rules import EnvironmentRule, Rules
from tests.checker import check_ledger
from tests.conftest import Clock, Ledger
from tests.events import (
    BLOB,
    INDEX,
    SomeEvent,
    delete_digest,
    delete_repository,
    delete_tag,
    digest_of,
    envelope,
    push,
)

SENDER = Sender("main", authenticates=False)
ROOT = Path(__file__).parent.parent


class FrontLedger:
    """A ledger as the front's process has it: appended to first, projected when told to."""

    def __init__(self, store: Store, **options: Any) -> None:
        self.store = store
        self.recorder = Recorder(store, clock=Clock(), **options)
        self.front = FrontRecorder(self.recorder)

    def append(self, *events: SomeEvent) -> list[Outcome]:
        """Append the events of one POST, and quarantine those in conflict, as the intake does."""
        items = read_body(envelope(*events), SENDER, received_at=Clock()())
        [outcomes] = self.front.append([Submission(tuple(items))])
        if isinstance(outcomes, Exception):
            raise outcomes
        if conflicts := hold_conflicts(items, outcomes, SENDER):
            self.recorder.record(Submission(conflicts))
        return outcomes

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the database holds, projected or not."""
        rows: list[tuple[Any, ...]] = self.store.raw_reader().execute(sql).fetchall()
        return rows


@pytest.fixture
def front(store: Store) -> Iterator[FrontLedger]:
    yield FrontLedger(store)
    check_ledger(store)
    store.close()


def test_an_appended_line_is_durable_and_has_no_meaning_yet(front: FrontLedger) -> None:
    [outcome] = front.append(push("prod", "a", 1))
    assert isinstance(outcome, Recorded)
    assert front.rows("SELECT count(*) FROM lines") == [(2,)]  # the start of the registry, and the push
    assert front.rows("SELECT count(*) FROM disclosures") == [(1,)]
    assert front.rows("SELECT count(*) FROM entries") == [(0,)]
    assert front.front.lag == 2
    front.front.project()
    assert front.rows("SELECT kind FROM moves") == [("created",)]
    assert front.front.lag == 0


def test_a_repeated_event_is_known_before_it_is_projected(front: FrontLedger) -> None:
    event = push("prod", "a", 1)
    [first] = front.append(event)
    assert isinstance(first, Recorded)
    assert front.append(event) == [Repeated(first.seq)]
    assert front.append(event, event) == [Repeated(first.seq), Repeated(first.seq)]
    front.front.project()
    assert front.append(event) == [Repeated(first.seq)]


def test_a_conflict_is_known_before_the_event_is_projected(front: FrontLedger) -> None:
    event = push("prod", "a", 1)
    [first] = front.append(event)
    assert isinstance(first, Recorded)
    for _ in range(2):
        assert front.append(push("prod", "b", 1, id=event.id)) == [Conflict(first.seq)]
    assert front.rows("SELECT kind FROM entries ORDER BY seq") == [("registry",), ("push",), ("quarantined",)]


def test_a_repeated_quarantined_event_is_known_before_it_is_projected(front: FrontLedger) -> None:
    odd = push("not a tag!", "a", 1)
    front.append(odd)
    front.append(odd)
    front.front.project()
    assert front.rows("SELECT count(*) FROM quarantine") == [(1,)]


def test_a_clock_that_was_set_back_is_never_behind_the_ledger(front: FrontLedger) -> None:
    front.append(push("prod", "a", 1))
    appended_at = front.recorder.now()
    front.recorder.clock = lambda: appended_at - 30 * 86_400 * 10**9
    front.append(push("prod", "b", 2))
    assert front.recorder.now() >= appended_at


def test_a_log_that_is_written_back_grows_no_more(front: FrontLedger) -> None:
    write_back = WriteBack(front.store, every=50)
    write_back.start()
    sizes = []
    for number in range(400):
        front.append(push("prod", f"{number}", number))
        front.front.project() if number % 16 == 0 else None
        write_back.note(1)
        if number % 50 == 49:
            time.sleep(0.2)
            sizes.append(front.store.path.with_name("tagtrail.db-wal").stat().st_size)
    assert sizes[-1] <= 2 * sizes[1]


def test_counted_events_are_counted_when_they_are_appended(front: FrontLedger) -> None:
    front.append(push(None, "a", 1, media_type=BLOB))
    assert front.rows("SELECT action, events FROM traffic") == [("push_blob", 1)]


def test_a_reader_sees_what_was_appended_before(front: FrontLedger) -> None:
    reading = Store(front.store.directory)
    reading.catch_up = Recorder(reading).catch_up
    for number in range(20):
        front.append(push("prod", f"{number}", number))
        [(digest,)] = reading.reader().execute(
            "SELECT digest FROM tags JOIN manifests ON manifests.id = head_id"
        )  # fmt: skip
        assert digest == digest_of(f"{number}")
    reading.close()


def test_a_reader_waits_for_a_front_that_projects_soon(front: FrontLedger) -> None:
    reading = Store(front.store.directory)
    asked: list[str] = []
    reading.catch_up = lambda: asked.append("catch up")
    front.append(push("prod", "a", 1))
    projecting = threading.Timer(0.02, front.front.project)
    projecting.start()
    assert reading.reader().execute("SELECT count(*) FROM moves").fetchone() == (1,)
    projecting.join()
    assert asked == []
    reading.close()


def test_a_recorder_of_another_process_projects_what_was_appended_before_it(front: FrontLedger) -> None:
    other = Recorder(Store(front.store.directory), clock=Clock())
    front.append(push("prod", "a", 1))
    accept(other, SENDER, read_body(envelope(push("prod", "b", 2)), SENDER, received_at=Clock()()))
    front.append(push("prod", "c", 3))
    front.front.project()
    assert front.rows("SELECT kind, seq FROM moves ORDER BY seq") == [("created", 1), ("moved", 2), ("moved", 3)]
    other.store.close()


def test_a_process_that_catches_up_knows_the_rules_that_another_put_in_force(front: FrontLedger) -> None:
    """As a dispatcher does that outlives a restart of the service with other rules."""
    another = FrontLedger(front.store)
    front.recorder.now()  # it has read the default rules
    record_start(another.recorder, Rules(environments=(EnvironmentRule("edge", "**", "moving"),)))
    another.append(push("moving", "one", 1))
    front.recorder.catch_up()
    assert front.rows("SELECT environment FROM publications") == [("edge",)]
    check_ledger(front.store)


def test_two_fronts_that_append_in_turn_lose_nothing_and_repeat_nothing(front: FrontLedger) -> None:
    other = FrontLedger(Store(front.store.directory))
    events = [push(f"t{number % 3}", f"{number}", number) for number in range(40)]
    for number, event in enumerate(events):
        (front, other)[number % 2].append(event)
        assert isinstance((other, front)[number % 2].append(event)[0], Repeated)
        if number % 7 == 0:
            front.front.project()
    other.front.project()
    assert front.rows("SELECT count(*), count(DISTINCT event) FROM entries WHERE kind = 'push'") == [(40, 40)]
    other.store.close()


def test_a_busy_ledger_is_told_at_once_and_nothing_is_forgotten(front: FrontLedger) -> None:
    front.append(push("prod", "a", 1))
    other = Store(front.store.directory)
    with other.writing():
        started = time.monotonic()
        with pytest.raises(StoreBusy):
            front.append(push("prod", "b", 2))
        with pytest.raises(StoreBusy):
            front.front.project()
        assert time.monotonic() - started < 1
    assert front.front.lag == 2
    front.append(push("prod", "b", 2))
    front.front.project()
    assert front.rows("SELECT kind FROM moves ORDER BY seq") == [("created",), ("moved",)]
    other.close()


def test_a_front_that_cannot_project_projects_before_it_appends_again(
    front: FrontLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageUnavailable("disk I/O error")

    front.append(push("prod", "a", 1))
    with monkeypatch.context() as broken:
        broken.setattr(Projector, "project", fail)
        with pytest.raises(StorageUnavailable):
            front.front.project()
        with pytest.raises(StorageUnavailable):
            front.append(push("prod", "b", 2))
    assert front.rows("SELECT count(*) FROM lines") == [(2,)]
    front.append(push("prod", "b", 2))
    assert front.rows("SELECT kind FROM moves") == [("created",)]


# --- another process that holds the write lock ----------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tagtrail.store.database._TURN", 0.2)


@pytest.mark.usefixtures("impatient")
def test_no_wait_for_another_writer_is_without_an_end(front: FrontLedger) -> None:
    front.append(push("prod", "a", 1))
    reading, other = Store(front.store.directory), Store(front.store.directory)
    reading.catch_up = Recorder(reading).catch_up
    with other.writing():
        with pytest.raises(StoreBusy, match=rf"process {os.getpid()} .* is writing to the ledger"):
            front.recorder.record(Submission(()))
        with pytest.raises(StoreBusy):
            reading.reader()  # it must not see a line without its meaning
        reading.never_checkpoint()  # a new front begins
        reading.close()
    assert len(reading.reader().execute("SELECT * FROM moves").fetchall()) == 1
    reading.close()
    other.close()


def test_the_front_does_not_wait_to_quarantine_a_conflict(front: FrontLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    intake = FrontIntake(front.recorder, tokens=IngestTokens(()), body_limit=1000_000)
    other, append = Store(front.store.directory), FrontRecorder.append

    def take_the_lock_afterwards(recorder: FrontRecorder, group: Any) -> Any:
        outcomes = append(recorder, group)
        holding.enter_context(other.writing())
        return outcomes

    assert intake.record([(SENDER, envelope(push("prod", "a", 1, id="x")))]) == [True]
    conflict = [(SENDER, envelope(push("prod", "b", 2, id="x")))]
    with ExitStack() as holding, monkeypatch.context() as patched:
        started = time.monotonic()
        patched.setattr(FrontRecorder, "append", take_the_lock_afterwards)
        assert intake.record(conflict) == [False]
        assert time.monotonic() - started < 1
    assert intake.record(conflict) == intake.record(conflict) == [True]
    front.front.project()
    intake.project()
    assert front.rows("SELECT count(*) FROM quarantine") == [(1,)]
    other.close()


# --- a projection that fails ----------------------------------------------------------------------------------------


@pytest.fixture
def cursed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Every line of the tag `cursed` fails to be projected, until the returned function is called."""
    get_tag_state = moves.get_tag_state

    def stumble(db: Any, tag_id: int) -> moves.TagState:
        if db.execute("SELECT name FROM tags WHERE id = ?", (tag_id,)).fetchone() == ("cursed",):
            raise ZeroDivisionError
        return get_tag_state(db, tag_id)

    monkeypatch.setattr(moves, "get_tag_state", stumble)
    yield lambda: monkeypatch.setattr(moves, "get_tag_state", get_tag_state)
    monkeypatch.undo()


def test_a_line_that_cannot_be_projected_stops_no_other_and_does_not_vanish(
    cursed: Callable[[], None], front: FrontLedger
) -> None:
    event = push("cursed", "b", 2)
    front.append(push("prod", "a", 1), event, push("prod", "c", 3))
    front.front.project()
    assert front.rows("SELECT kind FROM moves ORDER BY seq") == [("created",), ("moved",)]
    assert front.rows("SELECT seq, kind, tag_id FROM entries WHERE seq = 2") == [(2, "push", None)]
    [(seq, registry, reason)] = front.rows("SELECT seq, registry, reason FROM quarantine")
    assert (seq, registry) == (2, "main")
    assert "ZeroDivisionError" in reason
    [alert] = count_quarantined(front.store.reader(), since_seq=0)
    assert (alert.registry, alert.count, alert.seq) == ("main", 1, 2)
    assert front.append(event) == [Repeated(2)]


def test_rows_that_contradict_the_mark_stop_no_line_and_a_rebuild_cures_them(front: FrontLedger) -> None:
    front.append(push("prod", "a", 1))
    front.front.project()
    with front.store.writing() as tx:
        tx.execute("UPDATE derivation SET projected = projected - 1")  # as if a row had come from nowhere
    front.append(push("prod", "b", 2))
    front.front.project()
    assert front.rows("SELECT count(*) FROM entries") == [(3,)]
    rebuild(front.store)
    assert front.rows("SELECT kind FROM moves ORDER BY seq") == [("created",), ("moved",)]
    assert front.rows("SELECT count(*) FROM quarantine") == [(0,)]


def test_rebuild_tries_a_line_again_that_could_not_be_projected(front: FrontLedger, cursed: Callable[[], None]) -> None:
    front.append(push("cursed", "a", 1), push("prod", "a", 2))
    front.front.project()
    cursed()
    rebuild(front.store)
    assert front.rows("SELECT name FROM tags WHERE head_id IS NOT NULL ORDER BY 1") == [("cursed",), ("prod",)]
    assert front.rows("SELECT count(*) FROM quarantine") == [(0,)]


def test_a_defect_in_writing_messages_costs_only_the_messages(store: Store) -> None:
    written: list[int] = []

    def write(_: object, line: Line, __: object) -> None:
        if line.entry.tag == "cursed":
            raise ZeroDivisionError
        written.append(line.seq)

    front = FrontLedger(store, outbox=write)
    front.append(push("prod", "a", 1), push("cursed", "b", 2), push("prod", "c", 3))
    front.front.project()
    assert front.rows("SELECT count(*) FROM moves") == [(3,)]
    assert written[-3:] == [0, 1, 3]
    check_ledger(store)
    store.close()


def test_messages_are_written_once_and_in_the_order_of_the_lines(store: Store) -> None:
    written: list[int] = []
    front = FrontLedger(store, outbox=lambda _, line, __: written.append(line.seq))
    for number in range(10):
        front.append(push("prod", f"{number}", number))
        if number % 4 == 3:
            front.recorder.catch_up()
    front.front.project()
    front.front.project()
    assert written == list(range(11))
    store.close()


# --- kills ----------------------------------------------------------------------------------------------------------

# Each step with the function that is reached then, and how often it is reached before.
STEPS = {
    "before the first line": ("tagtrail.ledger.append:append_line", 0),
    "between two lines": ("tagtrail.ledger.append:append_line", 2),
    "after the lines, before the commit": ("tagtrail.ledger.front:LedgerEnd", 0),
    "after the commit, before the answer": ("tagtrail.ledger.front:FrontRecorder.append", -1),
    "before the projection": ("tagtrail.ledger.batch:Projector.project", 0),
    "within the projection": ("tagtrail.store.moves:add_move_rows", 0),
    "after the rows, before the mark": ("tagtrail.ledger.batch:set_projected", 0),
    "after the mark, before the commit": ("tagtrail.ledger.record:_as_recorded", 0),
    "after the projection": ("tagtrail.ledger.front:FrontRecorder.project", -1),
}
EVENTS = [push(f"t{number % 2}", f"{number}", number, id=f"event-{number}") for number in range(4)]


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_loses_nothing_that_was_acknowledged(tmp_path: Path, step: str) -> None:
    store = Store(tmp_path)
    store.prepare()
    command = [sys.executable, "-m", "tests.test_ledger_front", str(tmp_path), step]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    acknowledged = killed.stdout.split()
    front = FrontLedger(store)
    for event in EVENTS:
        [outcome] = front.append(event)
        assert isinstance(outcome, Repeated) or event.id not in acknowledged
    front.front.project()
    assert front.rows("SELECT count(*), count(DISTINCT event) FROM entries WHERE kind = 'push'") == [(4, 4)]
    assert front.rows("SELECT count(*) FROM moves") == [(4,)]
    check_ledger(store)
    store.close()


def kill_at(step: str) -> None:
    """Let the process be killed when it comes to the step."""
    place, before = STEPS[step]
    module_name, _, path = place.partition(":")
    owner: Any = importlib.import_module(module_name)
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    function, reached = getattr(owner, name), iter(range(100))

    def stumble(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options) if before < 0 else None
        if before < 0 or next(reached) == before:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options) if before >= 0 else result

    setattr(owner, name, stumble)


def main(data: str, step: str) -> None:
    """Append two events, acknowledge and project them, then two more."""
    kill_at(step)
    front = FrontLedger(Store(Path(data)))
    for pair in (EVENTS[:2], EVENTS[2:]):
        front.append(*pair)
        print(*(event.id for event in pair), flush=True)
        front.front.project()


# --- random histories -----------------------------------------------------------------------------------------------

TAGS, CONTENTS = ("1.0.0", "prod", "staging"), ("a", "b", "c")
instants = st.integers(min_value=0, max_value=12)  # few, so that ties and late events are common
contents = st.sampled_from(CONTENTS)
members = tuple({"mediaType": "x", "digest": digest_of(name), "size": 1} for name in ("a", "b"))
an_event = st.one_of(
    st.builds(push, st.sampled_from(TAGS), contents, instants),
    st.builds(push, st.sampled_from(TAGS), contents, instants),
    st.builds(push, st.none(), contents, instants, actor=st.sampled_from(("", "alice"))),
    st.builds(push, st.sampled_from(TAGS), contents, instants, media_type=st.just(INDEX), references=st.just(members)),
    st.builds(delete_tag, st.sampled_from(TAGS), instants),
    st.builds(delete_digest, contents, instants),
    st.builds(delete_repository, instants),
    st.builds(push, st.just("not a tag!"), contents, instants),
    st.builds(push, st.sampled_from(TAGS), contents, instants, id=st.sampled_from(("event-x", "event-y"))),  # conflicts
)
a_step = st.one_of(
    st.lists(an_event, min_size=1, max_size=6),
    st.lists(an_event, min_size=1, max_size=6),
    st.sampled_from(("project", "kill", "read", "declare", "rules", "another front", "another recorder")),
)
RULES = (
    Rules(),
    Rules(environments=(EnvironmentRule("production", "**", "prod"), EnvironmentRule("test", "**", "staging"))),
)


class History:
    """A ledger with several processes, which come and go at any step."""

    def __init__(self, directory: str) -> None:
        self.directory = Path(directory)
        self.store = Store(self.directory)
        self.store.prepare()
        self.acknowledged: set[str] = set()
        self.fronts = [FrontLedger(Store(self.directory)), FrontLedger(Store(self.directory))]
        self.rules = 0

    @property
    def front(self) -> FrontLedger:
        return self.fronts[0]

    def take(self, step: "list[SomeEvent] | str") -> None:
        match step:
            case list() as events:
                self.front.append(*events)
                self.acknowledged |= {event.id for event in events}
            case "project":
                self.front.front.project()
            case "kill":
                self.front.store.close()
                self.fronts[0] = FrontLedger(Store(self.directory))
            case "read":
                self.front.recorder.catch_up()
            case "another front":
                self.fronts.reverse()
            case "another recorder":
                other = Recorder(self.store, clock=Clock())
                accept(other, SENDER, read_body(envelope(push("prod", "c", 5)), SENDER, received_at=Clock()()))
            case "rules":
                self.rules += 1
                Ledger(self.store, Recorder(self.store, clock=Clock()), Clock()).put_in_force(RULES[self.rules % 2])
                self.fronts = [FrontLedger(Store(self.directory)), FrontLedger(Store(self.directory))]  # a restart
            case "declare":
                try:
                    declare(self.store, self.front.recorder, Declaration("production", "team/app:prod"))
                except Refused:
                    return


@settings(max_examples=80)
@given(st.lists(a_step, max_size=14))
def test_any_history_of_appending_projecting_and_kills_rebuilds_identically(
    steps: "list[list[SomeEvent] | str]",
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        history = History(directory)
        for step in steps:
            history.take(step)
        Recorder(history.store).catch_up()
        db = history.store.raw_reader()
        end = get_end(db)
        assert end.projected == end.seq
        lines = b"".join(row[0] for row in db.execute("SELECT line FROM lines"))
        quarantined = b"".join(row[0] for row in db.execute("SELECT raw FROM disclosures WHERE raw IS NOT NULL"))
        assert all(event.encode() in lines + quarantined for event in history.acknowledged)
        before = dump_projection(db)
        check_ledger(history.store)
        assert dump_projection(db) == before
        for front in history.fronts:
            front.store.close()
        history.store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
