"""Reports of what goes wrong with telling itself: a delivery given up, a template that is broken.

They are troubles, told on the fallback channel and wherever a route wants troubles, but not on the channel that they
are about. Of a report that is itself given up nothing is reported: nothing here goes in a circle.
"""

from collections.abc import Callable
from typing import Final

from tagtrail.config.model import NotifyConfig, ToldKind
from tagtrail.notify.courier import Mishap
from tagtrail.notify.routes import Happening, Routes
from tagtrail.store.database import Connection
from tagtrail.store.outbox import SERVICE, Delivery, add_delivery, make_id
from tagtrail.store.questions.deliveries import was_made
from tagtrail.trail.instant import SECOND

_TROUBLE: Final[frozenset[ToldKind]] = frozenset({"trouble"})
_ONCE_IN: Final = 3_600 * SECOND  # a channel that is gone may fail thousands of deliveries
_MISHAPS: Final[tuple[Mishap, ...]] = ("given up", "template")


class Reports:
    """Writes reports into the outbox. `clock` gives our time, in nanoseconds."""

    def __init__(self, config: NotifyConfig, *, clock: Callable[[], int]) -> None:
        self._fallback = config.fallback
        self._routes = Routes(config)
        self._clock = clock

    def __call__(self, tx: Connection, mishap: Mishap, delivery: Delivery) -> None:
        """Report what happened to the delivery, where nothing of its channel was reported within the last hour."""
        if read_report(delivery) is not None:
            return
        at = self._clock()
        gathering = f"{mishap}: {delivery.channel}"
        for channel, not_before in self._find_channels(at).items():
            if channel != delivery.channel and not was_made(tx, channel, SERVICE, gathering, since=at - _ONCE_IN):
                add_delivery(
                    tx, Delivery(make_id(at), channel, SERVICE, gathering, "waiting", at, not_before, not_before)
                )

    def _find_channels(self, at: int) -> dict[str, int]:
        """The channels to be told, each with when."""
        channels = self._routes.find_channels([Happening(_TROUBLE)], at=at)
        return channels | ({self._fallback: at} if self._fallback is not None else {})


def read_report(delivery: Delivery) -> tuple[Mishap, str] | None:
    """What a delivery reports, and of which channel; None for one that is no report."""
    if delivery.subject != SERVICE:
        return None
    mishap, _, channel = delivery.gathering.partition(": ")
    return next(((known, channel) for known in _MISHAPS if known == mishap and channel), None)
