"""Group commit: one at a time, in order, together when they arrive together, and a failure fails its own group."""

import threading
from collections.abc import Sequence

import pytest

from tagtrail.ledger.commit import GroupCommit


class SlowDisk:
    """Commits only when told to, and remembers the groups it was given."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.proceed = threading.Semaphore(0)

    def commit(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.entered.release()
        assert self.proceed.acquire(timeout=10)
        if 13 in items:
            raise OSError("no space left")
        return [item * 10 for item in items]


def wait_until_pending(commit: GroupCommit[int, int], count: int) -> None:
    """Until so many items wait behind the leader."""
    deadline = threading.Event()
    for _ in range(10_000):
        if len(commit._pending) == count:
            return
        deadline.wait(0.001)
    raise AssertionError("the threads never queued up")


def start(commit: GroupCommit[int, int], item: int, outcomes: dict[int, object]) -> threading.Thread:
    def call() -> None:
        try:
            outcomes[item] = commit(item)
        except OSError as error:
            outcomes[item] = error

    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_a_lone_caller_commits_at_once() -> None:
    commit = GroupCommit[int, int](lambda items: [item + 1 for item in items])
    assert [commit(1), commit(2)] == [2, 3]


def test_those_who_arrive_during_a_commit_are_committed_together() -> None:
    disk, outcomes = SlowDisk(), dict[int, object]()
    commit = GroupCommit[int, int](disk.commit)
    threads = [start(commit, 1, outcomes)]
    assert disk.entered.acquire(timeout=10)
    for count, item in enumerate((2, 3, 4), 1):
        threads.append(start(commit, item, outcomes))
        wait_until_pending(commit, count)
    for _ in range(2):
        disk.proceed.release()
    for thread in threads:
        thread.join(10)
    assert disk.groups == [[1], [2, 3, 4]]
    assert outcomes == {1: 10, 2: 20, 3: 30, 4: 40}


def test_a_group_that_fails_tells_all_of_it_and_the_next_one_goes_on() -> None:
    disk, outcomes = SlowDisk(), dict[int, object]()
    commit = GroupCommit[int, int](disk.commit)
    threads = [start(commit, 13, outcomes)]
    assert disk.entered.acquire(timeout=10)
    threads.append(start(commit, 2, outcomes))
    wait_until_pending(commit, 1)
    for _ in range(2):
        disk.proceed.release()
    for thread in threads:
        thread.join(10)
    assert isinstance(outcomes[13], OSError)
    assert outcomes[2] == 20


def test_a_large_crowd_is_committed_in_groups_of_bounded_size() -> None:
    disk, outcomes = SlowDisk(), dict[int, object]()
    commit = GroupCommit[int, int](disk.commit)
    threads = [start(commit, 100, outcomes)]
    assert disk.entered.acquire(timeout=10)
    for count in range(1, 71):
        threads.append(start(commit, 100 + count, outcomes))
    wait_until_pending(commit, 70)
    for _ in range(3):
        disk.proceed.release()
    for thread in threads:
        thread.join(10)
    assert [len(group) for group in disk.groups] == [1, 64, 6]
    assert outcomes == {item: item * 10 for item in range(100, 171)}


@pytest.mark.parametrize("callers", [2, 8, 32])
def test_nobody_is_forgotten_and_no_two_commits_overlap(callers: int) -> None:
    busy = threading.Lock()
    seen: list[int] = []

    def collect(items: Sequence[int]) -> list[int]:
        assert busy.acquire(blocking=False), "two commits at once"
        seen.extend(items)
        busy.release()
        return list(items)

    commit = GroupCommit[int, int](collect)
    wrong: list[int] = []

    def call(own: int) -> None:
        for number in range(200):
            item = own * 1_000 + number
            if commit(item) != item:
                wrong.append(item)

    threads = [threading.Thread(target=call, args=(own,)) for own in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert wrong == []
    assert len(seen) == len(set(seen)) == callers * 200
