"""The messages to channels: what became of each, with every attempt, and a second chance for those who may give it."""

from dataclasses import dataclass
from typing import Final

from tagtrail.errors import NotRecorded
from tagtrail.store.outbox import (
    AttemptedDelivery,
    ChannelState,
    DeliveryAnswer,
    find_channels,
    find_deliveries,
    get_attempted,
    get_channel_state,
)
from tagtrail.web.context import Page, Visit
from tagtrail.web.paging import Paging


@dataclass(frozen=True, slots=True)
class Messages:
    """A part of the list, the youngest first, and how each channel stands."""

    channels: tuple[ChannelState, ...]
    items: tuple[DeliveryAnswer, ...]
    paging: Paging


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `may_retry` if it was given up and this visitor may have it tried again."""

    found: AttemptedDelivery
    may_retry: bool


def make_messages(visit: Visit) -> Messages:
    """The messages that the query asks for."""
    asked = visit.filter("channel", "state", "since", "until")
    found = find_deliveries(visit.db, visit.query(asked, (str,)))
    channels = tuple(get_channel_state(visit.db, channel) for channel in find_channels(visit.db))
    return Messages(channels, found.items, Paging.of(found, visit.parameters))


def make_message(visit: Visit, *, delivery: str) -> Message:
    """A message by its id. Raises NotRecorded."""
    found = get_attempted(visit.db, delivery)
    if found is None:
        raise NotRecorded(f"there is no message {delivery[:80]!r}")
    return Message(found, found.answer.delivery.state == "failed" and "admin" in visit.caller.scopes)


MESSAGES: Final = Page("messages", "/messages", make_messages, tells_of_people=False)
MESSAGE: Final = Page("message", "/messages/<delivery>", make_message)
