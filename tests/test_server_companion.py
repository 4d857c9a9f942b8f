"""The process beside the workers: started where it is missing, once, and not in a hurry where it does not last."""

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tagtrail.server.companion import Companion


class Seconds:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def command(tmp_path: Path, *, code: int = 0) -> list[str]:
    """A process that leaves a mark and ends."""
    return [sys.executable, "-c", f"open({str(tmp_path / 'marks')!r}, 'a').write('x'); raise SystemExit({code})"]


def marks(tmp_path: Path) -> int:
    path = tmp_path / "marks"
    return len(path.read_text()) if path.exists() else 0


def let_it_end(companion: Companion) -> None:
    running = companion._running
    assert isinstance(running, subprocess.Popen)
    running.wait(20)


def test_it_is_started_only_where_it_is_missing(tmp_path: Path, seconds: Seconds) -> None:
    Companion(command(tmp_path), is_missing=lambda: False, clock=seconds).look()
    time.sleep(0)
    assert marks(tmp_path) == 0


def test_while_it_runs_no_second_one_is_started(tmp_path: Path, seconds: Seconds) -> None:
    companion = Companion([sys.executable, "-c", "input()"], is_missing=lambda: True, clock=seconds)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        companion._running = other
        companion.look()
        assert companion._running is other
        other.kill()


def test_one_that_does_not_last_is_started_again_more_and_more_slowly(
    tmp_path: Path, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    companion = Companion(command(tmp_path, code=3), is_missing=lambda: True, clock=seconds)
    starts = []
    for _ in range(200):
        companion.look()
        if companion._running is not None:
            let_it_end(companion)
            starts.append(seconds.now)
        seconds.now += 2
    waits = [round(after - before) for before, after in pairwise(starts)]
    assert waits[0] <= 6
    assert waits == sorted(waits)
    assert waits[-1] in (60, 62)
    assert marks(tmp_path) == len(starts)
    assert "the dispatcher ended" in caplog.text


def test_one_that_lasted_is_started_again_soon(tmp_path: Path, seconds: Seconds) -> None:
    companion = Companion(command(tmp_path, code=3), is_missing=lambda: True, clock=seconds)
    companion.look()
    let_it_end(companion)
    seconds.now += 3_600
    companion.look()
    seconds.now += 2
    companion.look()
    assert companion._running is not None
    let_it_end(companion)
    assert marks(tmp_path) == 2
