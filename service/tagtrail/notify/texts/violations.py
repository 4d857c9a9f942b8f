"""The words of violations: a release tag that moved or was deleted, the environments affected, and what to do."""

from collections.abc import Sequence
from typing import Final

from tagtrail.notify.message import Fact
from tagtrail.notify.texts.draft import MessageContext, MessageDraft
from tagtrail.notify.texts.moves import describe_delete, is_current
from tagtrail.notify.texts.phrases import duration, image, join, list_tags, pinned, rescue_tag, retag_command, short
from tagtrail.store.digests import EnvironmentUse
from tagtrail.store.messages import MessageImage, MessageLine, MessageMove
from tagtrail.trail.names import Reference

MOST_DESCRIBED: Final = 5  # release tags with sentences of their own
_MOST_AFFECTED: Final = 5  # environments that are named
_FOREVER: Final = 2**63
_PROTECT: Final = "Protect release tags: configure the registry, or its proxy, to refuse overwriting and deleting them."


def draft(
    context: MessageContext,
    broken: Sequence[MessageMove],
    lines: Sequence[MessageLine],
    affected: Sequence[EnvironmentUse],
    *,
    is_gone: bool,
    left_out: int,
) -> MessageDraft:
    """The message about violations.

    `affected` are the environments that had the images of the first MOST_DESCRIBED tags. `is_gone` means that the
    registry was asked to delete the images themselves. `left_out` counts further violations.
    """
    head = broken[0]
    count = len(broken) + left_out
    sentences = describe_delete(lines) + [part for move in broken[:MOST_DESCRIBED] for part in _describe(context, move)]
    if count > MOST_DESCRIBED:
        rest = count - MOST_DESCRIBED
        sentences.append(f"The same happened to {rest} more release {'tags' if rest > 1 else 'tag'}.")
    if head.previous is not None:
        sentences.append(_describe_affected(context, affected, count=count))
        sentences += [] if _is_repaired(head) else [_advise(head, is_gone=is_gone)]
    entry = lines[-1].entry if lines else None
    host = entry.host if entry else None
    reference = None
    if head.digest is not None:
        now = MessageImage(head.digest.digest, (), (head.tag,) if is_current(head) else ())
        reference = pinned(context, head.registry, host, head.repository, now)
    return MessageDraft(
        kind="violation",
        tone="alarm",
        title=_title(context, broken, count),
        sentences=(*sentences, _PROTECT),
        registry=head.registry,
        repository=head.repository,
        tags=tuple(move.tag for move in broken),
        copy=tuple(_list_copies(context, head, host, is_gone=is_gone)),
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
    is_one_verb = all(_verb(move) == verb for move in broken)
    verb = verb.replace("was ", "were ") if is_one_verb else "were overwritten or deleted"
    return f"{count} release tags of {place} {verb}: {list_tags(move.tag for move in broken)}"


def _verb(move: MessageMove) -> str:
    match move.kind:
        case "deleted":
            return "was deleted"
        case "created":
            return "was created again with another image"
        case "moved_back":
            return "was moved back"
        case _:
            return "was overwritten"


def _describe(context: MessageContext, move: MessageMove) -> list[str]:
    """The image that the tag had, and the one that it got."""
    at = context.at(move.occurred_at)
    before = image(move.previous) if move.previous else "nothing"
    lasted = f" for {duration(move.lasted)}" if move.lasted else ""
    if move.digest is None:
        sentence = f"{move.tag} was {before}{lasted}, until it was deleted {at}."
    elif move.kind == "created":
        sentence = f"{move.tag} was {before} before it was deleted; {at} it was created again as {image(move.digest)}."
    else:
        back = f", which it was before, until {context.when(move.had.until)}" if move.had else ""
        sentence = f"{move.tag} was {before}{lasted}; {at} it became {image(move.digest)}{back}."
    return [sentence, *_describe_present(context, move)]


def _describe_present(context: MessageContext, move: MessageMove) -> list[str]:
    if is_current(move):
        return []
    if _is_repaired(move):
        return [f"Repaired since: {move.tag} is the earlier image again, since {context.when(move.present_since)}."]
    if move.present is None:
        return [f"No longer current: {move.tag} was deleted {context.at(move.present_since)}."]
    since = context.when(move.present_since)
    return [f"No longer current: {move.tag} has been {image(move.present)} since {since}."]


def _is_repaired(move: MessageMove) -> bool:
    return move.present is not None and move.previous is not None and move.present.digest == move.previous.digest


def _describe_affected(context: MessageContext, affected: Sequence[EnvironmentUse], *, count: int) -> str:
    """The environments that had the earlier image: they get another one when they next deploy by this tag."""
    earlier = "earlier image" if count == 1 else "earlier images"
    if not affected:
        return f"No environment is known to have had the {earlier}."
    newest: dict[str, EnvironmentUse] = {}
    for one in sorted(affected, key=lambda one: _FOREVER if one.until is None else one.until, reverse=True):
        newest.setdefault(one.environment, one)
    clauses = [
        f"{one.environment} (until {context.when(one.until)})" if one.until is not None else f"{one.environment} (now)"
        for one in list(newest.values())[:_MOST_AFFECTED]
    ]
    if len(newest) > _MOST_AFFECTED:
        clauses.append(f"{len(newest) - _MOST_AFFECTED} more")
    verb = "was" if count == 1 else "were"
    return f"The {earlier} {verb} published for {join(clauses)}: check what runs there and whether this was intended."


def _advise(head: MessageMove, *, is_gone: bool) -> str:
    if is_gone:
        return "If you still need the earlier image, push it again from where it was built, under a new tag."
    if head.previous is not None and head.previous.now:
        return f"The earlier image still has a release tag: {short(head.previous)}."
    return "Give the earlier image a new tag before a cleanup removes it, and the new content its own version."


def _list_copies(context: MessageContext, head: MessageMove, host: str | None, *, is_gone: bool) -> list[Fact]:
    if head.previous is None or is_gone or _is_repaired(head):
        return []
    earlier = MessageImage(head.previous.digest, (), head.previous.now)
    copies = [
        Fact("The earlier image", pinned(context, head.registry, host, head.repository, earlier), is_code=True),
    ]
    if not head.previous.now:
        tag = rescue_tag(head.tag)
        command = retag_command(context, head.registry, host, Reference(head.repository, tag, earlier.digest))
        copies += [Fact(f"To keep it as {tag}", command, is_code=True)] if command else []
    return copies
