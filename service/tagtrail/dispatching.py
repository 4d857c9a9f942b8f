"""From what is configured to a dispatcher: a courier for each channel, and what it tells and reports."""

import random
from collections.abc import Callable

from tagtrail.config.model import Config
from tagtrail.notify.channels import make_channel
from tagtrail.notify.clearing import Clearing
from tagtrail.notify.courier import Courier
from tagtrail.notify.dispatch import Dispatcher
from tagtrail.notify.reports import Reports
from tagtrail.notify.routes import Routes
from tagtrail.notify.telling import Teller
from tagtrail.notify.troubles import Troubles
from tagtrail.store.claims import release_claims
from tagtrail.store.database import Store
from tagtrail.trail.instant import now

_chance = random.SystemRandom().random


def make_dispatcher(config: Config, store: Store, *, clock: Callable[[], int] = now) -> Dispatcher:
    """The dispatcher of a prepared store, whose turn it is: what others had claimed is to be sent by this one.

    Raises ConfigurationError for a channel that cannot be made, and StorageUnavailable.
    """
    couriers = make_couriers(config, store, clock=clock, random=_chance)
    with store.writing() as tx:
        release_claims(tx)
    troubles = Troubles(store, config, clock=clock)
    clearing = Clearing(store, config.notify, report=Reports(config.notify, clock=clock), clock=clock)
    return Dispatcher(store, couriers, chores=[troubles.look, clearing.look], clock=clock)


def make_couriers(
    config: Config, store: Store, *, clock: Callable[[], int], random: Callable[[], float]
) -> list[Courier]:
    """A courier for each channel. Raises ConfigurationError."""
    teller = Teller(store, public_url=config.public_url, routes=Routes(config.notify), clock=clock)
    reports = Reports(config.notify, clock=clock)
    return [
        Courier(
            store,
            channel,
            make_channel(channel),
            tell=teller.tell,
            report=reports,
            give_up_after=config.notify.give_up_after,
            clock=clock,
            random=random,
        )
        for channel in config.notify.channels
    ]
