"""A worker takes one channel's deliveries out of the outbox and to the channel, one after the other.

At least once: whoever dies between sending and writing that down leaves the delivery to the next, under the same id.
"""

import logging
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from tagtrail import logs
from tagtrail.config.channels import ChannelConfig
from tagtrail.notify.http import TOTAL_TIMEOUT, Channel, SendOutcome
from tagtrail.notify.message import Message
from tagtrail.store.database import Connection, Store
from tagtrail.store.leases import claim, end_attempt, get_next_time
from tagtrail.store.outbox import Attempt, Delivery
from tagtrail.trail.instant import SECOND

# How long to wait before another try: exponential backoff with full jitter, or as long as the other side asks for.


FIRST: Final = 5.0  # seconds that the first wait lasts at most
LONGEST: Final = 600.0  # seconds that any wait lasts at most
LONGEST_ASKED: Final = 3_600.0  # seconds that the other side may ask for


def wait_after(failures: int, *, random: Callable[[], float], retry_after: float | None = None) -> float:
    """Seconds to wait after so many failures (1 or more) in a row.

    `random` gives a number from 0 to 1: with full jitter the many who failed together do not come back together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). `retry_after` is what the other side
    asked for; it may make the wait longer, never shorter.
    """
    most = min(LONGEST, FIRST * 2.0 ** min(failures - 1, 30))
    return max(random() * most, min(retry_after or 0.0, LONGEST_ASKED))


ReportKind = Literal["given up", "template"]
Tell: TypeAlias = Callable[[Delivery, ChannelConfig], Message]
Report: TypeAlias = Callable[[Connection, ReportKind, Delivery], None]

LEASE: Final = int(6 * TOTAL_TIMEOUT * SECOND)  # a try may post twice, and wait for the resolver besides
# That count: a channel rests for 40 seconds at most, so that a message which it chokes on holds up no other for long.
_MOST_FAILURES: Final = 4
_log = logging.getLogger(__name__)


class DeliveryWorker:
    """One channel's worker; one thread at a time. Several of a channel, in several processes, do each other no harm.

    `tell` makes the message of a delivery, and raises where it cannot. `report` writes down, in the transaction that
    ends an attempt, that something has to be told elsewhere. A delivery is given up when its next try would come more
    than `give_up_after` seconds after it was due. `random` gives numbers from 0 to 1.

    While a channel fails, it rests as a whole: one try then says for all that waits whether it is there again.
    """

    def __init__(
        self,
        store: Store,
        config: ChannelConfig,
        channel: Channel,
        *,
        tell: Tell,
        report: Report,
        give_up_after: float,
        clock: Callable[[], int],
        random: Callable[[], float],
    ) -> None:
        self.name = config.name
        self._store = store
        self._config = config
        self._channel = channel
        self._tell = tell
        self._report = report
        self._give_up_after = int(give_up_after * SECOND)
        self._clock = clock
        self._random = random
        self._failures = 0  # of the channel, in a row
        self._rests_until = 0

    def next_time(self) -> int | None:
        """From when on there is something to do; None while nothing waits. Raises as the store does."""
        at = get_next_time(self._store.reader(), self.name)
        return None if at is None else max(at, self._rests_until)

    def deliver(self) -> bool:
        """Try the delivery that is due next, to its end; false where none is due.

        Raises StorageUnavailable; what was sent and could not be written down will be sent again.
        """
        at = self._clock()
        next_time = self.next_time()
        if next_time is None or next_time > at:
            return False
        with self._store.writing() as tx:
            delivery = claim(tx, self.name, now=at, lease_until=at + LEASE, burst=self._config.burst)
        if delivery is None:
            return False
        try:
            message = self._tell(delivery, self._config)
        except Exception as error:  # one message that cannot be made must not stop the others
            self._end(delivery, SendOutcome(is_sent=False, detail=f"the message could not be made ({_place(error)})"))
            return True
        outcome = self._send(message)
        self._remember(outcome)
        self._end(delivery, outcome)
        return True

    def _send(self, message: Message) -> SendOutcome:
        try:
            return self._channel.send(message)
        except Exception as error:  # which a channel promises never to raise
            return SendOutcome(is_sent=False, detail=f"the channel has a defect ({_place(error)})")

    def _remember(self, outcome: SendOutcome) -> None:
        """Let the channel rest after a failure that may pass; what it refuses for good says nothing of the others."""
        if outcome.is_sent or outcome.is_permanent:
            self._failures = 0
            self._rests_until = 0
            return
        self._failures = min(self._failures + 1, _MOST_FAILURES)
        wait = wait_after(self._failures, random=self._random, retry_after=outcome.retry_after)
        self._rests_until = self._clock() + int(wait * SECOND)

    def _end(self, delivery: Delivery, outcome: SendOutcome) -> None:
        """Write down what came of the attempt, and report what somebody has to see to."""
        at = self._clock()
        not_before = None if outcome.is_sent else self._next_try(delivery, outcome, at)
        is_given_up = not outcome.is_sent and not_before is None
        attempt = Attempt(
            delivery=delivery.id,
            number=delivery.attempts,
            at=at,
            outcome="sent" if outcome.is_sent else "failed" if is_given_up else "postponed",
            detail=outcome.trouble or ("" if outcome.is_sent else outcome.detail),
            status=outcome.status,
        )
        with self._store.writing() as tx:
            is_ours = end_attempt(tx, attempt, not_before=not_before)
            if is_given_up and is_ours:
                self._report(tx, "given up", delivery)
            elif outcome.trouble is not None:
                self._report(tx, "template", delivery)
        _log_attempt(delivery, attempt, has_trouble=outcome.trouble is not None)

    def _next_try(self, delivery: Delivery, outcome: SendOutcome, at: int) -> int | None:
        """When to try again; None where it is given up."""
        if outcome.is_permanent:
            return None
        wait = wait_after(delivery.attempts, random=self._random, retry_after=outcome.retry_after)
        not_before = at + int(wait * SECOND)
        return not_before if not_before <= delivery.due_at + self._give_up_after else None


def _place(error: BaseException) -> str:
    """Which error it was, and where; never its words, in which there may be anything."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{where}"


def _log_attempt(delivery: Delivery, attempt: Attempt, *, has_trouble: bool) -> None:
    """What a channel answered is not logged: it may be anything, even the message."""
    tell = logs.info if attempt.outcome == "sent" and not has_trouble else logs.warning
    tell(
        _log,
        "sent with a broken template" if has_trouble else f"delivery {attempt.outcome}",
        channel=delivery.channel,
        delivery=delivery.id,
        subject=delivery.subject,
        attempt=attempt.number,
        status=attempt.status,
    )
