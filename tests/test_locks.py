"""Locks between processes."""

import os
import threading
from pathlib import Path
from time import monotonic

from tagtrail.locks import describe_holder, hold_lock, open_lock, release_lock, take_lock


def test_one_holder_has_the_lock_and_the_other_does_not_wait(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with hold_lock(path, patience=0) as first, hold_lock(path, patience=0) as second:
        assert (first, second) == (True, False)
    with hold_lock(path, patience=0) as again:
        assert again


def test_a_lock_file_is_for_its_owner_only(tmp_path: Path) -> None:
    with hold_lock(tmp_path / "a.lock"):
        assert (tmp_path / "a.lock").stat().st_mode & 0o777 == 0o600


def test_a_wait_ends_after_its_patience(tmp_path: Path) -> None:
    path, began = tmp_path / "a.lock", monotonic()
    with hold_lock(path), hold_lock(path, patience=0.3) as taken:
        assert not taken
    assert monotonic() - began >= 0.3


def test_a_wait_ends_when_it_must_stop(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with hold_lock(path), hold_lock(path, patience=60, must_stop=lambda: True) as taken:
        assert not taken


def test_a_wait_without_patience_lasts_until_the_lock_is_released(tmp_path: Path) -> None:
    path, done = tmp_path / "a.lock", threading.Event()
    held = open_lock(path)
    assert take_lock(held)

    def wait() -> None:
        with hold_lock(path) as taken:
            assert taken
            done.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not done.is_set()
    release_lock(held)
    waiting.join(timeout=10)
    assert done.is_set()


def test_the_holder_of_a_lock_is_named_by_its_process_id(tmp_path: Path) -> None:
    waiting, held = open_lock(tmp_path / "a.lock"), open_lock(tmp_path / "a.lock")
    try:
        assert describe_holder(waiting) is None
        assert take_lock(held)
        assert str(describe_holder(waiting)).startswith(f"process {os.getpid()} (")
    finally:
        os.close(held)
        os.close(waiting)
