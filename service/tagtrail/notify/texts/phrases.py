"""Phrases that messages of several subjects share: images, durations, lists, references and commands."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from tagtrail.notify.texts.draft import MessageContext
from tagtrail.store.deployments import EarlierDigest, RecordedDeployment
from tagtrail.store.messages import MessageImage, Period
from tagtrail.trail.instant import SECOND
from tagtrail.trail.names import Reference, short_digest
from tagtrail.wording.rollback import make_commands
from tagtrail.wording.text import listed, span

_MOST_RELEASES: Final = 2  # release tags of one digest in a sentence
_MOST_TAGS: Final = 8  # tags in a sentence
_LONGEST_TAG: Final = 128


def short(named: MessageImage) -> str:
    """An image in a title: its release tags, or else its short digest."""
    return _releases(named) or short_digest(named.digest)


def image(named: MessageImage) -> str:
    """An image in a sentence: `1.1.0 (sha256:5208e615ff04)`."""
    releases = _releases(named)
    return f"{releases} ({short_digest(named.digest)})" if releases else short_digest(named.digest)


def from_to(before: MessageImage | None, to: MessageImage) -> str:
    """Two images in a title: `1.0.0 → 1.1.0`; with their digests if they have the same release tags."""
    if before is None:
        return f"→ {short(to)}"
    if short(before) == short(to):
        return f"{short(to)}, {short_digest(before.digest)} → {short_digest(to.digest)}"
    return f"{short(before)} → {short(to)}"


def message_image(published: EarlierDigest | RecordedDeployment) -> MessageImage:
    """The digest that was published, with its release tags."""
    return MessageImage(published.digest, published.release_tags_then, published.release_tags_now)


def duration(period: Period) -> str:
    """How long a period lasted: `3 days 4 h`."""
    return span((period.until - period.since) / SECOND)


def list_tags(tags: Iterable[str], *, more: int = 0) -> str:
    """Tags with commas, the rest counted: `1.0.0, stable and 4 more`; `more` further ones are only counted."""
    return listed(tags, most=_MOST_TAGS, more=more)


def join(clauses: Sequence[str]) -> str:
    """Clauses as one list: `one, two and three`."""
    return " and ".join(filter(None, (", ".join(clauses[:-1]), clauses[-1])))


def pinned(context: MessageContext, registry: str, host: str | None, repository: str, image: MessageImage) -> str:
    """The reference to deploy: by digest, and with a release tag if one names the digest now."""
    return context.hosts.reference(registry, host, repository, next(iter(image.now), None), image.digest)


def retag_command(context: MessageContext, registry: str, host: str | None, image: Reference) -> str | None:
    """The command that makes the reference's tag name its digest; None if the registry's host is not known well enough.

    `host` is the host by which a client called the registry.
    """
    commands = make_commands(replace(image, host=context.hosts.host(registry, host)))
    return next(iter(commands.skopeo), None)


def rescue_tag(tag: str) -> str:
    """A new tag for an image that lost this one: `1.0.0-before`."""
    return f"{tag[: _LONGEST_TAG - len('-before')]}-before"


def _releases(named: MessageImage) -> str:
    return listed(named.then or named.now, most=_MOST_RELEASES)
