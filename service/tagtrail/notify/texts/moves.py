"""The words of moves: tags that are new, moved or moved back, and deletes of tags outside releases and environments."""

from collections.abc import Sequence

from tagtrail.notify.message import Fact
from tagtrail.notify.texts.draft import MessageContext, MessageDraft
from tagtrail.notify.texts.phrases import duration, from_to, image, list_tags, pinned, short
from tagtrail.store.messages import MessageImage, MessageLine, MessageMove
from tagtrail.trail.names import short_digest


def draft(
    context: MessageContext, moves: Sequence[MessageMove], lines: Sequence[MessageLine], *, left_out: int
) -> MessageDraft:
    """The message about moves of one push; `left_out` counts its further moves."""
    last = moves[-1]
    entry = lines[-1].entry if lines else None
    copy: tuple[Fact, ...] = ()
    reference = None
    if last.digest is not None:
        to = _name_by_own_tag(moves[0], last.digest)
        reference = pinned(context, last.registry, entry.host if entry else None, last.repository, to)
        copy = (Fact("Pinned reference", reference, is_code=True),)
    return MessageDraft(
        kind="moved",
        tone="notice",
        title=_title(context.place(last.registry, last.repository), moves, left_out),
        sentences=(
            *_describe_new(moves, left_out),
            *(sentence for move in moves if not _is_new(move) for sentence in _describe(context, move)),
        ),
        registry=last.registry,
        repository=last.repository,
        tags=tuple(move.tag for move in moves),
        copy=copy,
        digest=last.digest.digest if last.digest else None,
        previous_digest=last.previous.digest if last.previous else None,
        reference=reference,
    )


def draft_deletes(
    context: MessageContext, moves: Sequence[MessageMove], lines: Sequence[MessageLine], *, left_out: int
) -> MessageDraft:
    """The message about deleted tags; `left_out` counts further ones."""
    last = moves[-1]
    place = context.place(last.registry, last.repository)
    tags = [move.tag for move in moves]
    what = f"{len(moves) + left_out} tags" if left_out else list_tags(tags)
    sentences = [sentence for move in moves for sentence in _describe(context, move)]
    return MessageDraft(
        kind="deleted",
        tone="notice",
        title=f"{place}: {what} deleted",
        sentences=(*describe_delete(lines), *sentences, *([f"And {left_out} more tags."] if left_out else [])),
        registry=last.registry,
        repository=last.repository,
        tags=tuple(tags),
        previous_digest=last.previous.digest if last.previous else None,
    )


def describe_delete(lines: Sequence[MessageLine]) -> list[str]:
    """The scope of a delete that took more than one tag."""
    entry = lines[-1].entry if lines else None
    if entry is None or entry.kind != "delete" or entry.tag is not None:
        return []
    if entry.digest is None:
        return ["The whole repository was deleted."]
    return ["The image itself was deleted, together with every tag that named it."]


def list_others(moves: Sequence[MessageMove]) -> list[str]:
    """Further tags of the same push or delete, after a more important change."""
    pushed = [_describe_other(move) for move in moves if move.digest is not None]
    deleted = [move.tag for move in moves if move.digest is None]
    sentences = [f"Pushed with it: {list_tags(pushed)}."] if pushed else []
    return sentences + ([f"Deleted with it: {list_tags(deleted)}."] if deleted else [])


def list_outdated(context: MessageContext, moves: Sequence[MessageMove]) -> list[str]:
    """The present state of tags that have changed since the message's events."""
    return [sentence for move in moves for sentence in _describe_present(context, move)]


def is_current(move: MessageMove) -> bool:
    """Whether the tag is still what it was moved to."""
    digest = move.digest.digest if move.digest else None
    return digest == (move.present.digest if move.present else None)


def _describe_new(moves: Sequence[MessageMove], left_out: int) -> list[str]:
    """The new tags of one push in one sentence. A release tag among them already names their image."""
    new = [move for move in moves if _is_new(move)]
    if not new or new[0].digest is None:
        return []
    named = short_digest(new[0].digest.digest) if any(move.is_release for move in new) else image(new[0].digest)
    tags = list_tags((move.tag for move in new), more=left_out)
    return [f"{tags} {'is' if len(new) == 1 else 'are'} new: {named}."]


def _is_new(move: MessageMove) -> bool:
    """Whether the tag did not exist before, and is still what it was created as."""
    return move.kind == "created" and move.previous is None and is_current(move)


def _name_by_own_tag(move: MessageMove, to: MessageImage) -> MessageImage:
    """The digest with the moved tag as its name, if that is a release tag and still names it."""
    return MessageImage(to.digest, to.then, (move.tag,)) if move.is_release and is_current(move) else to


def _describe_other(move: MessageMove) -> str:
    if move.kind == "created" or move.previous is None:
        return f"{move.tag} (new)"
    return f"{move.tag} (was {short(move.previous)})"


def _title(place: str, moves: Sequence[MessageMove], left_out: int) -> str:
    created = [move.tag for move in moves if move.kind == "created" and (move.previous is None or len(moves) > 1)]
    if len(created) == len(moves):
        return f"{place}: new {'tag' if len(created) == 1 else 'tags'} {list_tags(created, more=left_out)}"
    if len(moves) > 1:
        return f"{place}: {list_tags((move.tag for move in moves), more=left_out)} pushed"
    return f"{place}:{_title_of(moves[0])}{'' if is_current(moves[0]) else ' (no longer current)'}"


def _title_of(move: MessageMove) -> str:
    if move.digest is None or move.kind == "created":
        return f"{move.tag} was created again"
    way = f"back to {short(move.digest)}" if move.kind == "moved_back" else from_to(move.previous, move.digest)
    return f"{move.tag}: {way}"


def _describe(context: MessageContext, move: MessageMove) -> list[str]:
    return [_describe_move(context, move), *_describe_present(context, move)]


def _describe_move(context: MessageContext, move: MessageMove) -> str:
    before = image(move.previous) if move.previous else "nothing"
    if move.digest is None:
        lasted = f" for {duration(move.lasted)}" if move.lasted else ""
        return f"{move.tag} was deleted. It was {before}{lasted}."
    to = image(move.digest)
    match move.kind:
        case "created":
            return f"{move.tag} {'is new' if move.previous is None else 'was created again'}: {to}."
        case "moved_back":
            had = f", which it was for {duration(move.had)} until {context.when(move.had.until)}" if move.had else ""
            return f"{move.tag} moved back from {before} to {to}{had}."
        case _:
            lasted = f" after {duration(move.lasted)}" if move.lasted else ""
            return f"{move.tag} moved from {before} to {to}{lasted}."


def _describe_present(context: MessageContext, move: MessageMove) -> list[str]:
    if is_current(move):
        return []
    if move.present is None:
        return [f"No longer current: {move.tag} was deleted {context.at(move.present_since)}."]
    since = context.when(move.present_since)
    return [f"No longer current: {move.tag} has been {image(move.present)} since {since}."]
