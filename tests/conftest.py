"""The nouns that most tests are about."""

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
from tagtrail.ledger.lifecycle import record_start
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Outcome
from tagtrail.store.database import Store
from tagtrail.trail.instant import DAY, SECOND
from tagtrail.trail.rules import Rules
from tests.chat import chat_room  # noqa: F401 - a fixture
from tests.checker import check_ledger
from tests.events import START, SomeEvent, envelope

# How long an example takes says nothing on a machine that has other work. What CI tries is the same each time, so that
# it never fails for what nobody changed; everywhere else chance goes on looking.
settings.register_profile("anywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("anywhere"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "anywhere")


class Clock:
    """Our clock, a day after the registry's story begins; it moves only when told to."""

    def __init__(self) -> None:
        self.now = START + DAY

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclass
class Ledger:
    """A store with its recorder, fed as a registry would feed it."""

    store: Store
    recorder: Recorder
    clock: Clock
    sender: Sender = Sender("main", authenticates=False)  # noqa: RUF009

    def receive(self, *events: SomeEvent) -> list[Outcome]:
        """Take each event in as a POST of its own."""
        return [outcome for event in events for outcome in self.receive_body(envelope(event))]

    def receive_body(self, body: bytes) -> list[Outcome]:
        """Take in one POST."""
        return accept(self.recorder, self.sender, read_body(body, self.sender, received_at=self.clock()))

    def put_in_force(self, rules: Rules) -> None:
        """Start the service with these rules."""
        record_start(self.recorder, rules)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database holds."""
        rows: list[tuple[Any, ...]] = self.store.reader().execute(sql, values).fetchall()
        return rows


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test printed or logged travels to the process that tells of it as UTF-8, which has no lone surrogates."""
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
    """A ledger that keeps every promise when the test is over."""
    ledger = Ledger(store, Recorder(store, clock=clock), clock)
    store.catch_up = ledger.recorder.catch_up
    yield ledger
    check_ledger(store)
    store.close()
