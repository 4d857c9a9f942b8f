"""A channel that cannot be made: its secret's file is gone, what it needs is not installed. It delays no other channel.

That is refused when the service starts. When only the dispatcher starts again, nobody is there to see a refusal: what
is to be told to this channel waits, as for one whose server is away, and that is told to others.
"""

from collections.abc import Callable

from tagtrail.errors import ConfigurationError
from tagtrail.notify.http import Channel, SendOutcome
from tagtrail.notify.message import Message


class UnavailableChannel:
    """In the place of a channel until it can be made; `make` tries that and raises ConfigurationError.

    Used by one thread; another may look at it.
    """

    def __init__(self, name: str, make: Callable[[], Channel]) -> None:
        self.name = name
        self._make = make
        self._made: Channel | None = None

    def find_reason(self) -> str | None:
        """Why the channel cannot be made, in one sentence without a secret; None once it is there."""
        try:
            self._made = self._made or self._make()
        except ConfigurationError as error:
            return str(error)
        return None

    def send(self, message: Message) -> SendOutcome:
        """Send the message, if the channel can be made by now."""
        reason = self.find_reason()
        if self._made is None:
            return SendOutcome(is_sent=False, detail=reason or "")
        return self._made.send(message)

    def preview(self, message: Message) -> str:
        """Why there is nothing to see, or what the channel would get."""
        reason = self.find_reason()
        return self._made.preview(message) if self._made is not None else reason or ""
