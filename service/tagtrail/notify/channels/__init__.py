"""The channels: one small file for each kind, named after it, whose `make` makes a channel."""

from collections.abc import Callable, Iterable, Sequence
from importlib import import_module

from tagtrail.config.channels import ChannelConfig
from tagtrail.config.model import Config
from tagtrail.errors import ConfigurationError
from tagtrail.notify.http import Channel, SendOutcome
from tagtrail.notify.message import Message


def make_channel(config: ChannelConfig) -> Channel:
    """Make the channel. Only the file of its kind is imported, since the package `apprise` is optional.

    Raises ConfigurationError if it cannot be made.
    """
    missing = config.find_missing()
    if missing is not None:
        raise ConfigurationError(f"{missing} of the channel {config.name!r} cannot be read; `tagtrail check` says why")
    channel: Channel = import_module(f"{__name__}.{config.kind}").make(config)
    return channel


def check_channels(channels: Iterable[ChannelConfig]) -> None:
    """Make every channel once, when a service starts, to find a missing secret or package.

    What goes missing later concerns that channel alone. Raises ConfigurationError.
    """
    for channel in channels:
        make_channel(channel)


class UnavailableChannel:
    """Takes the place of a channel that cannot be made, because its secret or its package is missing.

    When only the dispatcher restarts, no operator sees an error. So the deliveries of this channel wait, as they do for
    a server that is down, and the other channels go on. `make` is called again for every message; it raises
    ConfigurationError. One thread sends; another may call `find_reason`.
    """

    def __init__(self, name: str, make: Callable[[], Channel]) -> None:
        self.name = name
        self._make = make
        self._channel: Channel | None = None

    def find_reason(self) -> str | None:
        """Why the channel cannot be made, in one sentence without secrets; None once it is made."""
        try:
            self._channel = self._channel or self._make()
        except ConfigurationError as error:
            return str(error)
        return None

    def send(self, message: Message) -> SendOutcome:
        """Send the message, if the channel can be made by now."""
        reason = self.find_reason()
        if self._channel is None:
            return SendOutcome(is_sent=False, detail=reason or "")
        return self._channel.send(message)

    def preview(self, message: Message) -> str:
        """The preview of the channel, or why it cannot be made."""
        reason = self.find_reason()
        return self._channel.preview(message) if self._channel is not None else reason or ""


def make_channels(config: Config, reread: Callable[[], Config] | None = None) -> list[Channel]:
    """The configured channels, in order.

    With `reread`, which reads the configuration again, a channel that cannot be made is unavailable until it can.
    Without it such a channel raises ConfigurationError.
    """
    return [_make_or_postpone(channel, reread) for channel in config.notify.channels]


def _make_or_postpone(config: ChannelConfig, reread: Callable[[], Config] | None) -> Channel:
    try:
        return make_channel(config)
    except ConfigurationError:
        if reread is None:
            raise
        return UnavailableChannel(config.name, lambda: make_channel(_find_again(config, reread)))


def _find_again(config: ChannelConfig, reread: Callable[[], Config]) -> ChannelConfig:
    """The channel in the configuration as it is now, or the known one if it is no longer there.

    Raises ConfigurationError. Its sentence goes to a chat, so it quotes nothing of the file.
    """
    try:
        channels = reread().notify.channels
    except ConfigurationError:
        raise ConfigurationError("the configuration cannot be read; `tagtrail check` says why") from None
    return next((one for one in channels if (one.name, one.kind) == (config.name, config.kind)), config)


def find_unavailable(channels: Sequence[Channel]) -> dict[str, str]:
    """The names of the channels that cannot be made now, each with the reason."""
    reasons = {one.name: one.find_reason() for one in channels if isinstance(one, UnavailableChannel)}
    return {name: reason for name, reason in reasons.items() if reason is not None}
