"""A message before it has an id: its draft, and the context that decides what it may say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from tagtrail.line import Who, read_who
from tagtrail.notify.message import Fact, Message, MessageKind, MessageTone
from tagtrail.store.messages import MessageLine
from tagtrail.trail.instant import DAY, format_instant
from tagtrail.trail.rules import Hosts, Rules
from tagtrail.wording.text import listed

_MOST_PEOPLE: Final = 3


@dataclass(frozen=True, slots=True)
class MessageContext:
    """The rules in force, our time, whether readers may see identities, and the address of tagtrail's pages."""

    rules: Rules
    now: int
    identities: bool
    public_url: str | None = None

    @property
    def hosts(self) -> Hosts:
        """The registries' hosts by the rules in force."""
        return self.rules.hosts

    def place(self, registry: str, repository: str) -> str:
        """A repository, with its registry if there are several."""
        return f"{registry}/{repository}" if self.rules.has_several_registries else repository

    def when(self, instant: int) -> str:
        """An instant in UTC, to the minute: `14:03 UTC`, `yesterday 14:03 UTC`, `2026-04-18 14:03 UTC`."""
        text = format_instant(instant, 0)
        clock = f"{text[11:16]} UTC"
        days = self.now // DAY - instant // DAY
        if days == 0:
            return clock
        return f"yesterday {clock}" if days == 1 else f"{text[:10]} {clock}"

    def at(self, instant: int) -> str:
        """The same after a verb: `at 14:03 UTC`, `on 2026-04-18 14:03 UTC`."""
        text = self.when(instant)
        return text if text.startswith("yesterday") else f"{'on' if text[4] == '-' else 'at'} {text}"

    def link(self, registry: str, repository: str, tags: Sequence[str] = ()) -> str | None:
        """The page of the tag if there is only one, else of the repository."""
        if self.public_url is None:
            return None
        tag = f":{quote(tags[0], safe='')}" if len(tags) == 1 else ""
        return f"{self.public_url}/registries/{quote(registry, safe='')}/{quote(repository, safe='/')}{tag}"

    def people(self, lines: Sequence[MessageLine]) -> tuple[Fact, ...]:
        """The actors of the lines and their addresses; empty if readers may not see identities."""
        if not self.identities:
            return ()
        people = [(line, read_who(line.who) or Who()) for line in lines]
        names = _distinct(_name(line, who) for line, who in people)
        origins = _distinct(", ".join(filter(None, (_without_port(who.address), who.user_agent))) for _, who in people)
        facts = (Fact("By", listed(names, most=_MOST_PEOPLE)), Fact("From", "; ".join(origins[:_MOST_PEOPLE])))
        return tuple(fact for fact in facts if fact.value)

    def actor(self, lines: Sequence[MessageLine]) -> str | None:
        """The actor of the newest line; None if readers may not see identities."""
        who = read_who(lines[-1].who) if self.identities and lines else None
        return (who.actor or None) if who else None


@dataclass(frozen=True, slots=True)
class MessageDraft:
    """The content of a message, without its id, its lines and its people."""

    kind: MessageKind
    tone: MessageTone
    title: str
    sentences: tuple[str, ...]
    registry: str
    repository: str
    tags: tuple[str, ...]
    copy: tuple[Fact, ...] = ()
    facts: tuple[Fact, ...] = ()
    environment: str | None = None
    digest: str | None = None
    previous_digest: str | None = None
    reference: str | None = None

    def also(self, *sentences: str) -> "MessageDraft":
        """The draft with further sentences at the end."""
        return replace(self, sentences=self.sentences + sentences)

    def as_message(self, *, identity: str, occurred_at: int, lines: Sequence[int], context: MessageContext) -> Message:
        """The message with this content."""
        return Message(
            id=identity,
            kind=self.kind,
            tone=self.tone,
            title=self.title,
            sentences=self.sentences,
            occurred_at=occurred_at,
            facts=self.facts,
            copy=self.copy,
            link=context.link(self.registry, self.repository, self.tags),
            lines=tuple(lines),
            environment=self.environment,
            registry=self.registry,
            repository=self.repository,
            tags=self.tags,
            digest=self.digest,
            previous_digest=self.previous_digest,
            reference=self.reference,
        )


def _name(line: MessageLine, who: Who) -> str:
    if line.entry.who is not None and line.who is None:
        return "a person whose name was erased"
    if not who.actor:
        return ""
    return f"{who.actor} ({line.entry.actor_assurance})" if line.entry.actor_assurance else who.actor


def _without_port(address: str) -> str:
    """An address without the client's port: `192.0.2.7`, `2001:db8::7`."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
        return address
    return host.strip("[]")


def _distinct(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
