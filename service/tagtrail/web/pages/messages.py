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
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.paging import Paging


@dataclass(frozen=True, slots=True)
class MessagesView:
    """A part of the list, the youngest first, and how each channel stands."""

    channels: tuple[ChannelState, ...]
    items: tuple[DeliveryAnswer, ...]
    paging: Paging


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message; `may_retry` if it was given up and this viewer may have it tried again."""

    found: AttemptedDelivery
    may_retry: bool


def make_messages(context: PageContext) -> MessagesView:
    """The messages that the query asks for."""
    filters = context.filter("channel", "state", "since", "until")
    found = find_deliveries(context.db, context.query(filters, (str,)))
    channels = tuple(get_channel_state(context.db, channel) for channel in find_channels(context.db))
    return MessagesView(channels, found.items, Paging.of(found, context.parameters))


def make_message(context: PageContext, *, delivery: str) -> MessageView:
    """A message by its id. Raises NotRecorded."""
    found = get_attempted(context.db, delivery)
    if found is None:
        raise NotRecorded(f"there is no message {delivery[:80]!r}")
    return MessageView(found, found.answer.delivery.state == "failed" and "admin" in context.caller.scopes)


MESSAGES: Final = WebPage("messages", "/messages", make_messages, shows_identities=False)
MESSAGE: Final = WebPage("message", "/messages/<delivery>", make_message)
