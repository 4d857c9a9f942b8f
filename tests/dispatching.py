"""A ledger with an outbox and delivery workers, for tests of the delivery."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tagtrail.config.channels import AnyChannelConfig, SlackConfig
from tagtrail.config.model import Config, NotifyConfig, RouteConfig
from tagtrail.config.secrets import SecretUrl
from tagtrail.config.values import Seconds
from tagtrail.ledger.record import Recorder
from tagtrail.notify.channels import make_channels
from tagtrail.notify.dispatcher import make_workers
from tagtrail.notify.outbox import make_outbox
from tagtrail.notify.worker import DeliveryWorker
from tagtrail.store.database import Store
from tagtrail.store.outbox import COLUMNS, Attempt, Delivery, find_attempts, find_lines
from tests.api_client import RULES
from tests.chat import ChatRoom
from tests.conftest import Clock, Ledger

SECRET = "T0-s3cr3t-of-the-webhook"


def slack(room: ChatRoom, name: str = "ops", **more: Any) -> SlackConfig:
    """A Slack channel in the room; its path is the secret."""
    return SlackConfig(name=name, url=SecretUrl(f"{room.url}/services/{name}/{SECRET}"), **more)


@dataclass
class Notifier:
    """A ledger whose outbox leads to these channels, and a worker for each."""

    ledger: Ledger
    config: Config
    workers: dict[str, DeliveryWorker] = field(init=False)

    def __post_init__(self) -> None:
        self.workers = {worker.name: worker for worker in self.make_workers()}

    def make_workers(self, chance: Callable[[], float] = lambda: 1.0) -> list[DeliveryWorker]:
        """Workers as another process would have them; each waits as long as its backoff allows."""
        channels = make_channels(self.config)
        return make_workers(self.config, self.store, channels=channels, clock=self.clock, random=chance)

    @property
    def store(self) -> Store:
        return self.ledger.store

    @property
    def clock(self) -> Clock:
        return self.ledger.clock

    def run(self, name: str = "ops") -> int:
        """Run the channel's worker until nothing is due; returns the number of attempts."""
        return sum(iter(lambda: int(self.workers[name].deliver()), 0))

    def run_until_quiet(self, name: str = "ops", *, most_hours: float = 48) -> None:
        """Advance the clock until nothing is left to deliver."""
        end = self.clock() + int(most_hours * 3_600e9)
        while (at := self.workers[name].next_time()) is not None:
            assert at < end, "it is still at it"
            self.clock.now = max(at, self.clock.now)
            self.run(name)

    def deliveries(self, channel: str | None = None) -> list[Delivery]:
        """The oldest first."""
        rows = self.ledger.rows(f"SELECT {COLUMNS} FROM deliveries ORDER BY id")
        return [each for each in (Delivery(*row) for row in rows) if channel in (None, each.channel)]

    def states(self, channel: str | None = None) -> list[str]:
        return [delivery.state for delivery in self.deliveries(channel)]

    def attempts(self, delivery: Delivery) -> list[Attempt]:
        return find_attempts(self.store.reader(), delivery.id)

    def lines(self, delivery: Delivery) -> tuple[int, ...]:
        return find_lines(self.store.reader(), delivery.id)


def make_notifier(
    ledger: Ledger,
    channels: Sequence[AnyChannelConfig],
    *,
    routes: Sequence[RouteConfig] | None = None,
    data: Path | None = None,
    **notify: Any,
) -> Notifier:
    """Give the ledger an outbox and workers; by default everything goes to the first channel, at once."""
    settings = {"debounce": Seconds(0), "routes": tuple(routes or (RouteConfig((channels[0].name,)),)), **notify}
    config = Config(data=data or ledger.store.directory, notify=NotifyConfig(channels=tuple(channels), **settings))
    outbox = make_outbox(config.notify, clock=ledger.clock)
    ledger.recorder = Recorder(ledger.store, clock=ledger.clock, outbox=outbox)
    ledger.put_in_force(RULES)
    return Notifier(ledger, config)
