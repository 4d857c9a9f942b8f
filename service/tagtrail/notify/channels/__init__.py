"""Where messages go: one small file for each kind of channel, named after it, whose `make` makes a channel."""

from collections.abc import Iterable
from importlib import import_module

from tagtrail.config.channels import ChannelConfig
from tagtrail.errors import ConfigurationError
from tagtrail.notify.http import Channel


def make_channel(config: ChannelConfig) -> Channel:
    """The channel; only its own kind's file is loaded, since `apprise` needs what not everybody has installed.

    Raises ConfigurationError when it cannot be made.
    """
    missing = config.find_missing()
    if missing is not None:
        raise ConfigurationError(f"{missing} of the channel {config.name!r} cannot be read; `tagtrail check` says why")
    channel: Channel = import_module(f"{__name__}.{config.kind}").make(config)
    return channel


def check_channels(channels: Iterable[ChannelConfig]) -> None:
    """What channels need beyond their words in the configuration has to be there when a service starts.

    What goes away afterwards is a trouble of that channel alone. Raises ConfigurationError.
    """
    for channel in channels:
        make_channel(channel)
