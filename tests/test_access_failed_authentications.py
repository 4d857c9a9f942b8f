"""Failed authentications are counted, and written down seldom."""

from collections.abc import Callable

import pytest

from tagtrail.access.throttle import FailedAuthentications
from tagtrail.access.tokens import IngestTokens
from tagtrail.errors import StorageUnavailable
from tagtrail.intake.endpoint import EventsEndpoint
from tests.conftest import Ledger

Later = list[Callable[[], None]]


@pytest.fixture
def later() -> Later:
    """What is to be done later, in order; it is done when the test says so."""
    return []


@pytest.fixture
def failures(ledger: Ledger, later: Later) -> FailedAuthentications:
    return FailedAuthentications(ledger.store, clock=ledger.clock, later=later.append)


def counted(ledger: Ledger) -> list[tuple[str, str, int]]:
    return ledger.rows("SELECT day, door, refusals FROM refusals ORDER BY day, door")


def test_many_refusals_are_written_at_once_and_later(
    ledger: Ledger, failures: FailedAuthentications, later: Later
) -> None:
    for _ in range(1_000):
        failures.count("api")
    failures.count("events")
    assert (len(later), counted(ledger)) == (1, [])
    later.pop()()
    assert counted(ledger) == [("2026-04-21", "api", 1_000), ("2026-04-21", "events", 1)]
    ledger.clock.pass_seconds(86_400)
    failures.count("api")
    later.pop()()
    assert counted(ledger)[2:] == [("2026-04-22", "api", 1)]


def test_several_processes_add_to_the_same_count(ledger: Ledger, failures: FailedAuthentications, later: Later) -> None:
    another = FailedAuthentications(ledger.store, clock=ledger.clock, later=later.append)
    for one in (failures, another):
        one.count("api")
        one.flush()
    assert counted(ledger) == [("2026-04-21", "api", 2)]


def test_what_cannot_be_written_waits(
    ledger: Ledger, failures: FailedAuthentications, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise StorageUnavailable("the disk is full")

    failures.count("api")
    with monkeypatch.context() as broken:
        broken.setattr(ledger.store, "writing", fail)
        later.pop()()
    failures.count("api")
    later.pop()()
    assert counted(ledger) == [("2026-04-21", "api", 2)]


def test_the_ingest_door_counts_and_never_limits(ledger: Ledger, failures: FailedAuthentications, later: Later) -> None:
    endpoint = EventsEndpoint(
        lambda *_: [],
        tokens=IngestTokens(()),
        recorder=ledger.recorder,
        body_limit=1_000,
        count_failure=lambda: failures.count("events"),
    )
    statuses: list[str] = []
    environ = {"PATH_INFO": "/events", "REQUEST_METHOD": "POST", "HTTP_AUTHORIZATION": "Bearer wrong"}
    for _ in range(50):
        endpoint(dict(environ), lambda status, *_: statuses.append(status))  # type: ignore[arg-type]
    assert statuses == ["401 Unauthorized"] * 50
    later.pop()()
    assert counted(ledger) == [("2026-04-21", "events", 50)]
