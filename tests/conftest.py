"""The fixtures that most tests use."""

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tagtrail.access.tokens import Sender
from tagtrail.intake.endpoint import accept
from tagtrail.intake.envelope import read_body
from tagtrail.ledger.record import Recorder, record_start
from tagtrail.ledger.submission import Outcome
from tagtrail.store.database import Store
from tagtrail.trail.instant import DAY, SECOND
from tagtrail.trail.rules import Rules
from tests.chat import chat_room  # noqa: F401 - a fixture
from tests.checker import check_ledger
from tests.events import START, SomeEvent, envelope

# No deadline per example, because a busy machine is slow. CI uses the same examples in every run, so that it fails only
# after a change; elsewhere the examples are random.
settings.register_profile("anywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("anywhere"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "anywhere")


class Clock:
    """Our clock, a day after START; it moves only by `pass_seconds`."""

    def __init__(self) -> None:
        self.now = START + DAY

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclass
class Ledger:
    """A store with its recorder, which receives events as from a registry."""

    store: Store
    recorder: Recorder
    clock: Clock
    sender: Sender = Sender("main", authenticates=False)  # noqa: RUF009

    def receive(self, *events: SomeEvent) -> list[Outcome]:
        """Receive each event in its own POST."""
        return [outcome for event in events for outcome in self.receive_body(envelope(event))]

    def receive_body(self, body: bytes) -> list[Outcome]:
        """Receive the body of one POST."""
        return accept(self.recorder, self.sender, read_body(body, self.sender, received_at=self.clock()))

    def put_in_force(self, rules: Rules) -> None:
        """Start the service with these rules."""
        record_start(self.recorder, rules)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        rows: list[tuple[Any, ...]] = self.store.reader().execute(sql, values).fetchall()
        return rows


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape lone surrogates in a test's output, because reports travel between processes as UTF-8."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "data")
    store.prepare()
    return store


@pytest.fixture
def ledger(store: Store, clock: Clock) -> Iterator[Ledger]:
    """A ledger that is checked when the test ends."""
    ledger = Ledger(store, Recorder(store, clock=clock), clock)
    store.catch_up = ledger.recorder.catch_up
    yield ledger
    check_ledger(store)
    store.close()
