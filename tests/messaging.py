"""A ledger whose outbox sends everything to one channel, and the messages of that channel."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tagtrail.config.channels import ConsoleConfig
from tagtrail.config.model import NotifyConfig, RouteConfig
from tagtrail.ledger.record import Recorder
from tagtrail.notify.composer import MessageComposer
from tagtrail.notify.formatting import plain, presentable
from tagtrail.notify.message import Message
from tagtrail.notify.outbox import OutboxWriter
from tagtrail.notify.routes import Routes
from tagtrail.store.outbox import Delivery, get_delivery
from tagtrail.trail.instant import SECOND
from tests.conftest import Ledger
from tests.events import START, SomeEvent, digest_of

NAMES = {digest_of(content): content.upper() for content in ("one", "two", "other", "spare", "new", "index", "only")}
CHANNEL = ConsoleConfig(name="chat")
NOTIFY = NotifyConfig(channels=(CHANNEL,), routes=(RouteConfig(("chat",)),))


@dataclass
class Chat:
    """The channel. Each event reaches the ledger when it happens; messages are composed after the debounce time."""

    ledger: Ledger
    identities: bool = False
    public_url: str | None = None
    routes: tuple[RouteConfig, ...] = NOTIFY.routes
    seen: set[str] = field(default_factory=set)

    def hear(self, *events: SomeEvent) -> list[Message]:
        """Record the events; returns their messages."""
        for event in events:
            self.ledger.clock.now = max(self.ledger.clock.now, START + int(event.at * SECOND))
            self.ledger.receive(event)
        return self.read()

    def read(self) -> list[Message]:
        """The messages that were not returned yet, oldest first."""
        return [self.compose(delivery) for delivery in self.deliveries()]

    def texts(self, *events: SomeEvent) -> list[str]:
        """The same in plain text, with content names in place of digests."""
        return [text_of(message) for message in self.hear(*events)]

    def deliveries(self) -> list[Delivery]:
        """The deliveries that were not returned yet."""
        db = self.ledger.store.reader()
        ids = [row[0] for row in db.execute("SELECT id FROM deliveries ORDER BY id") if row[0] not in self.seen]
        self.seen.update(ids)
        return [delivery for each in ids if (delivery := get_delivery(db, each)) is not None]

    def compose(self, delivery: Delivery) -> Message:
        """The message of one delivery."""
        return self._composer().compose(delivery, ConsoleConfig(name="chat", identities=self.identities))

    def compose_lines(self, lines: Sequence[int]) -> Message:
        """The message of these lines."""
        return self._composer().compose_lines(lines, CHANNEL, identity="msg")

    def _composer(self) -> MessageComposer:
        routes = Routes(NotifyConfig(channels=(CHANNEL,), routes=self.routes))
        return MessageComposer(self.ledger.store, public_url=self.public_url, routes=routes, clock=self.ledger.clock)


def open_chat(ledger: Ledger, *, identities: bool = False, public_url: str | None = None) -> Chat:
    """The channel of an empty ledger; its clock stands at the story's beginning."""
    ledger.clock.now = START
    ledger.recorder = Recorder(ledger.store, clock=ledger.clock, outbox=OutboxWriter(NOTIFY, clock=ledger.clock))
    return Chat(ledger, identities=identities, public_url=public_url)


def text_of(message: Message) -> str:
    """The message as plain text, without its last line: `sha256:ONE` stands for the digest of `one`."""
    text = plain(presentable(message))
    for digest, name in NAMES.items():
        text = text.replace(digest, f"sha256:{name}").replace(digest[:19], name)
    return text.rpartition("\n\n")[0]
