"""The messages to channels: the state of each, every attempt, and the retry of a failed one."""

from dataclasses import dataclass
from typing import Final

from tagtrail.errors import NotRecorded
from tagtrail.store.outbox import (
    ChannelState,
    DeliveryHistory,
    RecordedDelivery,
    find_channels,
    find_deliveries,
    get_channel_state,
    get_delivery_history,
)
from tagtrail.web.context import PageContext, WebPage
from tagtrail.web.paging import Paging


@dataclass(frozen=True, slots=True)
class MessagesView:
    """One page of the list, newest first, and the state of each channel."""

    channels: tuple[ChannelState, ...]
    items: tuple[RecordedDelivery, ...]
    paging: Paging


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message; `may_retry` if it failed and the caller has the scope `admin`."""

    found: DeliveryHistory
    may_retry: bool


def make_messages(context: PageContext) -> MessagesView:
    """The messages that match the query."""
    filters = context.filter("channel", "state", "since", "until")
    found = find_deliveries(context.db, context.query(filters, (str,)))
    channels = tuple(get_channel_state(context.db, channel) for channel in find_channels(context.db))
    return MessagesView(channels, found.items, Paging.of(found, context.parameters))


def make_message(context: PageContext, *, delivery: str) -> MessageView:
    """A message by its id. Raises NotRecorded."""
    found = get_delivery_history(context.db, delivery)
    if found is None:
        raise NotRecorded(f"there is no message {delivery[:80]!r}")
    return MessageView(found, found.delivery.state == "failed" and "admin" in context.caller.scopes)


MESSAGES: Final = WebPage("messages", "/messages", make_messages, shows_identities=False)
MESSAGE: Final = WebPage("message", "/messages/<delivery>", make_message)
