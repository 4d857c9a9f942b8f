"""Where messages go: one small file for each kind of channel, named after it, whose `make` makes a channel."""

from importlib import import_module

from tagtrail.config.model import ChannelConfig
from tagtrail.notify.sending import Channel


def make_channel(config: ChannelConfig) -> Channel:
    """The channel; only its own kind's file is loaded, since `apprise` needs what not everybody has installed."""
    channel: Channel = import_module(f"{__name__}.{config.kind}").make(config)
    return channel
