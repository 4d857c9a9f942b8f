"""From what is configured to a dispatcher: a courier for each channel, and what it tells and reports."""

import random
from collections.abc import Callable, Sequence

from tagtrail.config.model import ChannelConfig, Config
from tagtrail.errors import ConfigurationError
from tagtrail.notify.absent import Absent
from tagtrail.notify.channels import make_channel
from tagtrail.notify.clearing import Clearing
from tagtrail.notify.courier import Courier
from tagtrail.notify.dispatch import Dispatcher
from tagtrail.notify.reports import Reports
from tagtrail.notify.routes import Routes
from tagtrail.notify.sending import Channel
from tagtrail.notify.telling import Teller
from tagtrail.notify.troubles import Troubles
from tagtrail.store.claims import release_claims
from tagtrail.store.database import Store
from tagtrail.trail.instant import now

_chance = random.SystemRandom().random


def make_dispatcher(
    config: Config, store: Store, *, reread: Callable[[], Config] | None = None, clock: Callable[[], int] = now
) -> Dispatcher:
    """The dispatcher of a prepared store, whose turn it is: what others had claimed is to be sent by this one.

    A channel that cannot be made is tried again by what `reread` gives, and delays no other. Without `reread` it raises
    ConfigurationError. Raises StorageUnavailable.
    """
    channels = find_channels(config, reread)
    couriers = make_couriers(config, store, channels=channels, clock=clock, random=_chance)
    with store.writing() as tx:
        release_claims(tx)
    troubles = Troubles(store, config, find_absent=lambda: find_absent(channels), clock=clock)
    clearing = Clearing(store, config.notify, report=Reports(config.notify, clock=clock), clock=clock)
    return Dispatcher(store, couriers, chores=[troubles.look, clearing.look], clock=clock)


def find_channels(config: Config, reread: Callable[[], Config] | None = None) -> list[Channel]:
    """The channels, in order. Raises ConfigurationError for one that cannot be made, unless it may be made later."""
    return [_find_channel(channel, reread) for channel in config.notify.channels]


def _find_channel(config: ChannelConfig, reread: Callable[[], Config] | None) -> Channel:
    try:
        return make_channel(config)
    except ConfigurationError:
        if reread is None:
            raise
        return Absent(config.name, lambda: make_channel(_same(config, reread)))


def _same(config: ChannelConfig, reread: Callable[[], Config]) -> ChannelConfig:
    """The channel as it is written by now; the one that is known, where there is no such channel any more.

    Raises ConfigurationError, which will be told in a chat, and quotes nothing of the file.
    """
    try:
        read = reread().notify.channels
    except ConfigurationError:
        raise ConfigurationError("the configuration cannot be read; `tagtrail check` says why") from None
    return next((one for one in read if (one.name, one.kind) == (config.name, config.kind)), config)


def find_absent(channels: Sequence[Channel]) -> dict[str, str]:
    """The names of channels that cannot be made at the moment, each with the reason."""
    reasons = {one.name: one.find_reason() for one in channels if isinstance(one, Absent)}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def make_couriers(
    config: Config,
    store: Store,
    *,
    channels: Sequence[Channel] | None = None,
    clock: Callable[[], int],
    random: Callable[[], float],
) -> list[Courier]:
    """A courier for each channel. Raises ConfigurationError for one that has to be made, and cannot be."""
    teller = Teller(store, public_url=config.public_url, routes=Routes(config.notify), clock=clock)
    reports = Reports(config.notify, clock=clock)
    return [
        Courier(
            store,
            channel,
            made,
            tell=teller.tell,
            report=reports,
            give_up_after=config.notify.give_up_after,
            clock=clock,
            random=random,
        )
        for channel, made in zip(config.notify.channels, channels or find_channels(config), strict=True)
    ]
