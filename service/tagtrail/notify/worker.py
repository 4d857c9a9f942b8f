"""A delivery worker takes one channel's deliveries out of the outbox and sends them, one after the other.

Each is sent at least once: if a process dies between sending and recording that, the next one sends it again under the
same id.
"""

import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from tagtrail import logs
from tagtrail.config.channels import ChannelConfig
from tagtrail.notify.alerts import ReportKind
from tagtrail.notify.http import TOTAL_TIMEOUT, Channel, SendOutcome
from tagtrail.notify.message import Message
from tagtrail.store.database import Connection, Store
from tagtrail.store.leases import claim, end_attempt, get_next_time
from tagtrail.store.outbox import Attempt, Delivery
from tagtrail.trail.instant import SECOND

Compose: TypeAlias = Callable[[Delivery, ChannelConfig], Message]
Report: TypeAlias = Callable[[Connection, ReportKind, Delivery], None]

LEASE: Final = int(6 * TOTAL_TIMEOUT * SECOND)  # an attempt may post twice, and wait for the resolver besides
FIRST_WAIT: Final = 5.0  # seconds, the upper bound of the first wait
LONGEST_WAIT: Final = 600.0  # seconds, the upper bound of every wait
LONGEST_RETRY_AFTER: Final = 3_600.0  # seconds, the longest `Retry-After` that is honoured
# Failures in a row that are counted. The channel then pauses for at most 40 seconds, so that one message that makes it
# fail does not hold up the others for long.
_MOST_FAILURES: Final = 4
_log = logging.getLogger(__name__)


def backoff(failures: int, *, random: Callable[[], float], retry_after: float | None = None) -> float:
    """Seconds to wait after this number of failures in a row (1 or more): exponential backoff with full jitter.

    `random` gives a number from 0 to 1. Full jitter spreads the retries of many messages that failed together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). `retry_after` is what the server asked
    for; it can make the wait longer, never shorter.
    """
    most = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures - 1, 30))
    return max(random() * most, min(retry_after or 0.0, LONGEST_RETRY_AFTER))


class DeliveryWorker:
    """Delivers to one channel, in one thread. Several processes may run a worker for the same channel at once.

    `compose` makes the message of a delivery, and raises if it cannot. `report` writes a report about the delivery, in
    the transaction that ends the attempt. A delivery is given up when its next attempt would come more than
    `give_up_after` seconds after it was due. `random` gives numbers from 0 to 1.

    After a failure the whole channel pauses; then one attempt shows for all waiting deliveries whether it works again.
    """

    def __init__(
        self,
        store: Store,
        config: ChannelConfig,
        channel: Channel,
        *,
        compose: Compose,
        report: Report,
        give_up_after: float,
        clock: Callable[[], int],
        random: Callable[[], float],
    ) -> None:
        self.name = config.name
        self._store = store
        self._config = config
        self._channel = channel
        self._compose = compose
        self._report = report
        self._give_up_after = int(give_up_after * SECOND)
        self._clock = clock
        self._random = random
        self._failures = 0  # of the channel, in a row
        self._paused_until = 0

    def next_time(self) -> int | None:
        """When the next attempt is due; None if nothing waits. Raises as the store does."""
        at = get_next_time(self._store.reader(), self.name)
        return None if at is None else max(at, self._paused_until)

    def deliver(self) -> bool:
        """Make one attempt for the delivery that is due next; false if none is due.

        Raises StorageUnavailable. A message that was sent, but could not be recorded as sent, is sent again.
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
            message = self._compose(delivery, self._config)
        except Exception as error:  # a message that cannot be made must not stop the others
            self._end(delivery, SendOutcome(is_sent=False, detail=f"the message could not be made ({_where(error)})"))
            return True
        outcome = self._send(message)
        self._remember(outcome)
        self._end(delivery, outcome)
        return True

    def _send(self, message: Message) -> SendOutcome:
        try:
            return self._channel.send(message)
        except Exception as error:  # a channel promises not to raise
            return SendOutcome(is_sent=False, detail=f"the channel's code failed ({_where(error)})")

    def _remember(self, outcome: SendOutcome) -> None:
        """Pause the channel after a temporary failure. A permanent one concerns only its own message."""
        if outcome.is_sent or outcome.is_permanent:
            self._failures = 0
            self._paused_until = 0
            return
        self._failures = min(self._failures + 1, _MOST_FAILURES)
        wait = backoff(self._failures, random=self._random, retry_after=outcome.retry_after)
        self._paused_until = self._clock() + int(wait * SECOND)

    def _end(self, delivery: Delivery, outcome: SendOutcome) -> None:
        """Record the outcome of the attempt, and report a delivery that is given up or a broken template."""
        at = self._clock()
        not_before = None if outcome.is_sent else self._next_attempt(delivery, outcome, at)
        is_given_up = not outcome.is_sent and not_before is None
        attempt = Attempt(
            delivery=delivery.id,
            number=delivery.attempts,
            at=at,
            outcome="sent" if outcome.is_sent else "failed" if is_given_up else "postponed",
            detail=outcome.template_error or ("" if outcome.is_sent else outcome.detail),
            status=outcome.status,
        )
        with self._store.writing() as tx:
            is_ours = end_attempt(tx, attempt, not_before=not_before)
            if is_given_up and is_ours:
                self._report(tx, "given up", delivery)
            elif outcome.template_error is not None:
                self._report(tx, "template", delivery)
        _log_attempt(delivery, attempt, is_template_broken=outcome.template_error is not None)

    def _next_attempt(self, delivery: Delivery, outcome: SendOutcome, at: int) -> int | None:
        """When to try again; None to give up."""
        if outcome.is_permanent:
            return None
        wait = backoff(delivery.attempts, random=self._random, retry_after=outcome.retry_after)
        not_before = at + int(wait * SECOND)
        return not_before if not_before <= delivery.due_at + self._give_up_after else None


def _where(error: BaseException) -> str:
    """The class of the error and the place in the code; never its text, which may hold secrets."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_name}, line {trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{where}"


def _log_attempt(delivery: Delivery, attempt: Attempt, *, is_template_broken: bool) -> None:
    """Log the attempt without the server's response, which may repeat the message."""
    log = logs.info if attempt.outcome == "sent" and not is_template_broken else logs.warning
    log(
        _log,
        "sent with a broken template" if is_template_broken else f"delivery {attempt.outcome}",
        channel=delivery.channel,
        delivery=delivery.id,
        subject=delivery.subject,
        attempt=attempt.number,
        status=attempt.status,
    )
