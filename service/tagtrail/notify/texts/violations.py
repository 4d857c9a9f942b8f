"""Violations: a release tag that moved or was deleted, whom it concerns, and what to do about it."""

from collections.abc import Sequence
from typing import Final

from tagtrail.notify.message import Fact
from tagtrail.notify.texts.moves import how_deleted, is_present
from tagtrail.notify.texts.style import (
    MessageContext,
    MessageDraft,
    image,
    joined,
    lasted,
    listed,
    pinned,
    putting_back,
    renamed,
    short,
)
from tagtrail.store.answers import Publishing
from tagtrail.store.messages import MessageLine, MessageMove, NamedDigest
from tagtrail.trail.names import Reference

MOST_TOLD: Final = 5  # release tags with sentences of their own
_MOST_CONCERNED: Final = 5  # environments that are named
_FOREVER: Final = 2**63
_PROTECT: Final = "Protect release tags: let the registry, or the proxy before it, refuse to overwrite and delete them."


def tell(
    context: MessageContext,
    broken: Sequence[MessageMove],
    lines: Sequence[MessageLine],
    concerned: Sequence[Publishing],
    *,
    is_gone: bool,
    left_out: int,
) -> MessageDraft:
    """The violations as a message.

    `concerned` are the environments that had what the first MOST_TOLD of them were; `is_gone` says that the registry
    was asked to delete the images themselves.
    """
    head = broken[0]
    tags = [move.tag for move in broken]
    count = len(broken) + left_out
    sentences = how_deleted(lines) + [part for move in broken[:MOST_TOLD] for part in _what(context, move)]
    if count > MOST_TOLD:
        sentences.append(f"So {'were' if count - MOST_TOLD > 1 else 'was'} {count - MOST_TOLD} more of its tags.")
    if head.previous is not None:
        sentences.append(_whom(context, concerned, count=count))
        sentences += [] if _is_mended(head) else [_what_to_do(head, is_gone=is_gone)]
    entry = lines[-1].entry if lines else None
    host = entry.host if entry else None
    reference = None
    if head.digest is not None:
        now = NamedDigest(head.digest.digest, (), (head.tag,) if is_present(head) else ())
        reference = pinned(context, head.registry, host, head.repository, now)
    return MessageDraft(
        kind="violation",
        tone="alarm",
        title=_title(context, broken, count),
        sentences=(*sentences, _PROTECT),
        registry=head.registry,
        repository=head.repository,
        tags=tuple(tags),
        copy=tuple(_copies(context, head, host, is_gone=is_gone)),
        digest=head.digest.digest if head.digest else None,
        previous_digest=head.previous.digest if head.previous else None,
        reference=reference,
    )


def _title(context: MessageContext, broken: Sequence[MessageMove], count: int) -> str:
    head = broken[0]
    place = context.place(head.registry, head.repository)
    verb = _verb(head)
    if count == 1:
        return f"Release tag {place}:{head.tag} {verb}"
    verb = (
        verb.replace("was ", "were ") if all(_verb(move) == verb for move in broken) else "were overwritten or deleted"
    )
    return f"{count} release tags of {place} {verb}: {listed(move.tag for move in broken)}"


def _verb(move: MessageMove) -> str:
    match move.kind:
        case "deleted":
            return "was deleted"
        case "created":
            return "came back as another image"
        case "moved_back":
            return "was moved back"
        case _:
            return "was overwritten"


def _what(context: MessageContext, move: MessageMove) -> list[str]:
    """What the tag was and what it is."""
    at = context.at(move.occurred_at)
    before = image(move.previous) if move.previous else "nothing"
    stood = f" for {lasted(move.lasted)}" if move.lasted else ""
    if move.digest is None:
        told = f"{move.tag} had been {before}{stood}, until it was deleted {at}."
    elif move.kind == "created":
        told = f"{move.tag} had been {before} before it was deleted; {at} it came back as {image(move.digest)}."
    else:
        back = f", which it was before, until {context.when(move.had.until)}" if move.had else ""
        told = f"{move.tag} had been {before}{stood}; {at} it became {image(move.digest)}{back}."
    return [told, *_since_then(context, move)]


def _since_then(context: MessageContext, move: MessageMove) -> list[str]:
    if is_present(move):
        return []
    since = context.when(move.present_since)
    if _is_mended(move):
        return [f"It was put back since: {move.tag} is what it had been, since {since}."]
    present = image(move.present) if move.present else "deleted"
    return [f"It has moved on: {move.tag} is {present} since {since}."]


def _is_mended(move: MessageMove) -> bool:
    return move.present is not None and move.previous is not None and move.present.digest == move.previous.digest


def _whom(context: MessageContext, concerned: Sequence[Publishing], *, count: int) -> str:
    """Whom it concerns: whoever deployed the image by this tag gets another one the next time."""
    earlier = "earlier image" if count == 1 else "earlier images"
    if not concerned:
        return f"The trail knows of no environment that had the {earlier}."
    newest: dict[str, Publishing] = {}
    for one in sorted(concerned, key=lambda one: _FOREVER if one.until is None else one.until, reverse=True):
        newest.setdefault(one.environment, one)
    clauses = [
        f"{one.environment} (until {context.when(one.until)})" if one.until is not None else f"{one.environment} (now)"
        for one in list(newest.values())[:_MOST_CONCERNED]
    ]
    if len(newest) > _MOST_CONCERNED:
        clauses.append(f"{len(newest) - _MOST_CONCERNED} more")
    verb = "was" if count == 1 else "were"
    return f"The {earlier} {verb} published for {joined(clauses)}: see what runs there, and whether it was meant."


def _what_to_do(head: MessageMove, *, is_gone: bool) -> str:
    if is_gone:
        return "If it is still wanted, push the earlier image again from where it was built, under a new tag."
    if head.previous is not None and head.previous.now:
        return f"The earlier image still has a name, {short(head.previous)}."
    return "Give the earlier image a new tag before it is cleaned up, and the new content a version of its own."


def _copies(context: MessageContext, head: MessageMove, host: str | None, *, is_gone: bool) -> list[Fact]:
    if head.previous is None or is_gone or _is_mended(head):
        return []
    earlier = NamedDigest(head.previous.digest, (), head.previous.now)
    copies = [
        Fact("The earlier image", pinned(context, head.registry, host, head.repository, earlier), is_code=True),
    ]
    if not head.previous.now:
        tag = renamed(head.tag)
        command = putting_back(context, head.registry, host, Reference(head.repository, tag, earlier.digest))
        copies += [Fact(f"To keep it as {tag}", command, is_code=True)] if command else []
    return copies
