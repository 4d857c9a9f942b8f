"""Moves: tags that are new, went on, or went back; and deletes of tags that are no release and mean no environment."""

from collections.abc import Sequence

from tagtrail.notify.message import Fact
from tagtrail.notify.texts.style import MessageContext, MessageDraft, from_to, image, lasted, listed, pinned, short
from tagtrail.store.messages import MessageLine, MessageMove, NamedDigest
from tagtrail.trail.names import short_digest


def tell(
    context: MessageContext, moves: Sequence[MessageMove], lines: Sequence[MessageLine], *, left_out: int
) -> MessageDraft:
    """The tags' moves as a message; `left_out` are further ones of the same push."""
    last = moves[-1]
    tags = [move.tag for move in moves]
    place = context.place(last.registry, last.repository)
    entry = lines[-1].entry if lines else None
    copy: tuple[Fact, ...] = ()
    reference = None
    if last.digest is not None:
        to = _as_pinned(moves[0], last.digest)
        reference = pinned(context, last.registry, entry.host if entry else None, last.repository, to)
        copy = (Fact("Pinned reference", reference, is_code=True),)
    return MessageDraft(
        kind="moved",
        tone="notice",
        title=_title(place, moves, left_out),
        sentences=(
            *_new(moves, left_out),
            *(part for move in moves if not _is_new(move) for part in _sentences(context, move)),
        ),
        registry=last.registry,
        repository=last.repository,
        tags=tuple(tags),
        copy=copy,
        digest=last.digest.digest if last.digest else None,
        previous_digest=last.previous.digest if last.previous else None,
        reference=reference,
    )


def tell_deletes(
    context: MessageContext, moves: Sequence[MessageMove], lines: Sequence[MessageLine], *, left_out: int
) -> MessageDraft:
    """Tags that were deleted, as a message."""
    last = moves[-1]
    place = context.place(last.registry, last.repository)
    tags = [move.tag for move in moves]
    count = len(moves) + left_out
    what = f"{listed(tags)} deleted" if count == len(moves) else f"{count} tags deleted"
    sentences = [sentence for move in moves for sentence in _sentences(context, move)]
    return MessageDraft(
        kind="deleted",
        tone="notice",
        title=f"{place}: {what}",
        sentences=(*how_deleted(lines), *sentences, *([f"And {left_out} more tags."] if left_out else [])),
        registry=last.registry,
        repository=last.repository,
        tags=tuple(tags),
        previous_digest=last.previous.digest if last.previous else None,
    )


def how_deleted(lines: Sequence[MessageLine]) -> list[str]:
    """What the registry was asked to delete, where that was more than a tag."""
    entry = lines[-1].entry if lines else None
    if entry is None or entry.kind != "delete" or entry.tag is not None:
        return []
    if entry.digest is None:
        return ["The whole repository was deleted."]
    return ["The image itself was deleted, and every tag that named it with it."]


def _new(moves: Sequence[MessageMove], left_out: int) -> list[str]:
    """The new tags of one push, in one sentence; a release tag among them is name enough for what they name."""
    new = [move for move in moves if _is_new(move)]
    if not new or new[0].digest is None:
        return []
    named = short_digest(new[0].digest.digest) if any(move.is_release for move in new) else image(new[0].digest)
    return [f"{listed((move.tag for move in new), more=left_out)} {'is' if len(new) == 1 else 'are'} new: {named}."]


def _is_new(move: MessageMove) -> bool:
    """Whether it never was anything, and is now what it became."""
    return move.kind == "created" and move.previous is None and is_present(move)


def beside(moves: Sequence[MessageMove]) -> list[str]:
    """Further tags of the same push, or of the same delete, beside what is told first."""
    pushed = [_beside(move) for move in moves if move.digest is not None]
    deleted = [move.tag for move in moves if move.digest is None]
    told = [f"Pushed with it: {listed(pushed)}."] if pushed else []
    return told + ([f"Deleted with it: {listed(deleted)}."] if deleted else [])


def moved_on(context: MessageContext, moves: Sequence[MessageMove]) -> list[str]:
    """Where tags have moved on since: what they are by now."""
    return [sentence for move in moves for sentence in _since_then(context, move)]


def _as_pinned(move: MessageMove, to: NamedDigest) -> NamedDigest:
    """What a tag came to, to be pinned under its release tag: the tag itself if it is one and still names it."""
    return NamedDigest(to.digest, to.then, (move.tag,)) if move.is_release and is_present(move) else to


def _beside(move: MessageMove) -> str:
    if move.kind == "created" or move.previous is None:
        return f"{move.tag} (new)"
    return f"{move.tag} (was {short(move.previous)})"


def _title(place: str, moves: Sequence[MessageMove], left_out: int) -> str:
    created = [move.tag for move in moves if move.kind == "created" and (move.previous is None or len(moves) > 1)]
    if len(created) == len(moves):
        return f"{place}: new {'tag' if len(created) == 1 else 'tags'} {listed(created, more=left_out)}"
    if len(moves) > 1:
        return f"{place}: {listed((move.tag for move in moves), more=left_out)} pushed"
    return f"{place}:{_title_of(moves[0])}{'' if is_present(moves[0]) else ' (moved on since)'}"


def _title_of(move: MessageMove) -> str:
    if move.digest is None or move.kind == "created":
        return f"{move.tag} is back"
    way = f"back to {short(move.digest)}" if move.kind == "moved_back" else from_to(move.previous, move.digest)
    return f"{move.tag}: {way}"


def _sentences(context: MessageContext, move: MessageMove) -> list[str]:
    return [_what(context, move), *_since_then(context, move)]


def _what(context: MessageContext, move: MessageMove) -> str:
    before = image(move.previous) if move.previous else "nothing"
    stood = f", after {lasted(move.lasted)}" if move.lasted else ""
    if move.digest is None:
        was = f"; it had been {before}" + (f" for {lasted(move.lasted)}" if move.lasted else "")
        return f"{move.tag} was deleted{was}."
    to = image(move.digest)
    match move.kind:
        case "created":
            is_new = "is new" if move.previous is None else "is back"
            return f"{move.tag} {is_new}: {to}."
        case "moved_back":
            had = f", which it was for {lasted(move.had)} until {context.when(move.had.until)}" if move.had else ""
            return f"{move.tag} went back from {before} to {to}{had}."
        case _:
            return f"{move.tag} moved from {before} to {to}{stood}."


def _since_then(context: MessageContext, move: MessageMove) -> list[str]:
    if is_present(move):
        return []
    since = context.when(move.present_since)
    if move.present is None:
        return [f"It has moved on: {move.tag} is deleted since {since}."]
    return [f"It has moved on: {move.tag} is {image(move.present)} since {since}."]


def is_present(move: MessageMove) -> bool:
    """Whether the tag is now what it was moved to."""
    told = move.digest.digest if move.digest else None
    return told == (move.present.digest if move.present else None)
