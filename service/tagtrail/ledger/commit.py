"""Group commit: the first thread to arrive commits for all that arrive while it does so.

A commit to disk costs about the same for one item as for thirty. Nothing waits on purpose and nothing is handed to
another thread while there is no load: a lone thread finds no leader, leads, and returns.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_LARGEST_GROUP = 64  # items in one transaction, so that nobody waits long for the group before theirs


class _Ticket(Generic[Item, Outcome]):
    """One thread's item, and the lock it waits on until the item is committed or it is its turn to lead."""

    __slots__ = ("error", "item", "leads", "outcome", "waiting")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.waiting = threading.Lock()
        self.waiting.acquire()
        self.leads = False
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None


class GroupCommit(Generic[Item, Outcome]):
    """Hands the items of concurrent callers to `commit`, several at a time, by one thread at a time.

    `commit` returns an outcome for each item once all are durable; what it raises, every caller of the group gets.
    """

    def __init__(self, commit: Callable[[Sequence[Item]], Sequence[Outcome]]) -> None:
        self._commit = commit
        self._mutex = threading.Lock()  # guards the two below, never held during a commit
        self._pending: deque[_Ticket[Item, Outcome]] = deque()
        self._has_leader = False

    def __call__(self, item: Item) -> Outcome:
        """Commit the item and return its outcome."""
        ticket = _Ticket[Item, Outcome](item)
        with self._mutex:
            self._pending.append(ticket)
            leads, self._has_leader = not self._has_leader, True
        if not leads:
            ticket.waiting.acquire()
            leads = ticket.leads
        if leads:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcome  # type: ignore[return-value]  # an Outcome may itself be None

    def _lead(self) -> None:
        """Commit the pending group, which begins with this thread's ticket, then pass the lead on."""
        with self._mutex:
            group = [self._pending.popleft() for _ in range(min(len(self._pending), _LARGEST_GROUP))]
        try:
            outcomes = self._commit([ticket.item for ticket in group])
            for ticket, outcome in zip(group, outcomes, strict=True):
                ticket.outcome = outcome
        except BaseException as error:
            for ticket in group:
                ticket.error = error
        with self._mutex:
            successor = self._pending[0] if self._pending else None
            self._has_leader = successor is not None
        for ticket in group:
            ticket.waiting.release()
        if successor is not None:
            successor.leads = True
            successor.waiting.release()
