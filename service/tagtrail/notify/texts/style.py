"""How things are said in messages: images, places, times; and who is named to whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

from tagtrail.line import Who, read_who
from tagtrail.notify.message import Fact, Message, MessageKind, MessageTone
from tagtrail.store.deployments import EarlierDigest, RecordedDeployment
from tagtrail.store.messages import MessageLine, NamedDigest, Period
from tagtrail.trail.instant import DAY, SECOND, format_instant
from tagtrail.trail.names import Reference, short_digest
from tagtrail.trail.rules import Hosts, Rules
from tagtrail.wording.rollback import make_commands
from tagtrail.wording.text import span

_MOST_RELEASES: Final = 2  # of one digest that are named in a sentence
_MOST_TAGS: Final = 8  # named in a sentence
_MOST_PEOPLE: Final = 3
_LONGEST_TAG: Final = 128


@dataclass(frozen=True, slots=True)
class MessageContext:
    """To whom, and when, something is told. `identities` says whether they may know who did it; `now` is our clock."""

    rules: Rules
    now: int
    identities: bool
    public_url: str | None = None

    @property
    def hosts(self) -> Hosts:
        """The registries' hosts by the rules in force."""
        return self.rules.hosts

    def place(self, registry: str, repository: str) -> str:
        """A repository, with its registry only where there are several."""
        return f"{registry}/{repository}" if self.rules.has_several_registries else repository

    def when(self, instant: int) -> str:
        """An instant, in UTC and to the minute: `14:03 UTC`, `yesterday 14:03 UTC`, `2026-04-18 14:03 UTC`."""
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
        """Where to look closer: the page of the tag, if it is about one alone, or else the repository's."""
        if self.public_url is None:
            return None
        tag = f":{quote(tags[0], safe='')}" if len(tags) == 1 else ""
        return f"{self.public_url}/registries/{quote(registry, safe='')}/{quote(repository, safe='/')}{tag}"

    def people(self, lines: Sequence[MessageLine]) -> tuple[Fact, ...]:
        """Who was behind the lines and from where; nothing for those who must not know."""
        if not self.identities:
            return ()
        told = [(line, read_who(line.who) or Who()) for line in lines]
        names = _distinct(_name(line, who) for line, who in told)
        origins = _distinct(", ".join(filter(None, (_without_port(who.address), who.user_agent))) for _, who in told)
        facts = (Fact("By", listed(names, most=_MOST_PEOPLE)), Fact("From", "; ".join(origins[:_MOST_PEOPLE])))
        return tuple(fact for fact in facts if fact.value)

    def actor(self, lines: Sequence[MessageLine]) -> str | None:
        """The newest line's actor, for those who may know."""
        who = read_who(lines[-1].who) if self.identities and lines else None
        return (who.actor or None) if who else None


@dataclass(frozen=True, slots=True)
class MessageDraft:
    """What a message says, before it has its id, its lines and its people."""

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
        """The same with more to say."""
        return replace(self, sentences=self.sentences + sentences)

    def as_message(self, *, identity: str, occurred_at: int, lines: Sequence[int], context: MessageContext) -> Message:
        """The message that says it."""
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


def short(named: NamedDigest) -> str:
    """A digest in a title: its release tags, or else its beginning."""
    return _names(named) or short_digest(named.digest)


def image(named: NamedDigest) -> str:
    """A digest in a sentence: `1.1.0 (sha256:5208e615ff04)`."""
    names = _names(named)
    return f"{names} ({short_digest(named.digest)})" if names else short_digest(named.digest)


def from_to(before: NamedDigest | None, to: NamedDigest) -> str:
    """Both in a title: `1.0.0 → 1.1.0`; by their digests where the same tag names them."""
    if before is None:
        return f"→ {short(to)}"
    if short(before) == short(to):
        return f"{short(to)}, {short_digest(before.digest)} → {short_digest(to.digest)}"
    return f"{short(before)} → {short(to)}"


def named_digest(published: EarlierDigest | RecordedDeployment) -> NamedDigest:
    """The digest that was published, with its release tags."""
    return NamedDigest(published.digest, published.release_tags_then, published.release_tags_now)


def lasted(stretch: Period) -> str:
    """How long something stood: `3 days 4 h`."""
    return span((stretch.until - stretch.since) / SECOND)


def listed(names: Iterable[str], *, most: int = _MOST_TAGS, more: int = 0) -> str:
    """Names with commas between them, the rest counted: `1.0.0, stable and 4 more`; `more` are not even given."""
    known = list(names)
    left_out = max(0, len(known) - most) + more
    return ", ".join(known[:most]) + (f" and {left_out} more" if left_out else "")


def joined(clauses: Sequence[str]) -> str:
    """Clauses as one list: `one, two and three`."""
    return " and ".join(filter(None, (", ".join(clauses[:-1]), clauses[-1])))


def pinned(context: MessageContext, registry: str, host: str | None, repository: str, image: NamedDigest) -> str:
    """What to deploy: the image by its digest, and under a release tag only if that names it now."""
    return context.hosts.reference(registry, host, repository, next(iter(image.now), None), image.digest)


def putting_back(context: MessageContext, registry: str, host: str | None, image: Reference) -> str | None:
    """The command that makes the image's tag name its digest again; None where its host is not known well enough.

    `host` is what a client called the registry by.
    """
    commands = make_commands(replace(image, host=context.hosts.host(registry, host)))
    return next(iter(commands.skopeo), None)


def renamed(tag: str) -> str:
    """A new tag under which to keep an image that lost this one."""
    return f"{tag[: _LONGEST_TAG - len('-before')]}-before"


def _names(named: NamedDigest) -> str:
    return listed(named.then or named.now, most=_MOST_RELEASES)


def _name(line: MessageLine, who: Who) -> str:
    if line.entry.who is not None and line.who is None:
        return "somebody whose name was erased"
    if not who.actor:
        return ""
    return f"{who.actor} ({line.entry.actor_assurance})" if line.entry.actor_assurance else who.actor


def _without_port(address: str) -> str:
    """An address without the port, which says nothing to anybody: `192.0.2.7`, `2001:db8::7`."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
        return address
    return host.strip("[]")


def _distinct(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
