"""ServiceAlerts of the service itself: what is amiss, what it means for the record, and what to do."""

from tagtrail.notify.message import Message, MessageTone
from tagtrail.notify.texts.style import MessageContext
from tagtrail.store.alerts import Alert, GivenUp
from tagtrail.trail.instant import SECOND
from tagtrail.wording.text import counted, span


def tell(context: MessageContext, trouble: Alert, given_up: GivenUp | None, *, is_over: bool, identity: str) -> Message:
    """The trouble as a message, or that it is over. `given_up` is known of one about deliveries."""
    title, sentences, tone = _over(context, trouble) if is_over else _begun(context, trouble)
    if given_up is not None:
        sentences = (*sentences, *_lost(trouble.subject, given_up))
    if not is_over and trouble.ended_at is not None:
        sentences = (*sentences, f"It has been over since {context.when(trouble.ended_at)}.")
        tone = "notice"
    return Message(
        id=identity,
        kind="trouble",
        tone=tone,
        title=title,
        sentences=sentences,
        occurred_at=trouble.ended_at if is_over and trouble.ended_at is not None else trouble.began_at,
        lines=(trouble.seq,) if trouble.seq is not None else (),
        registry=trouble.subject if trouble.kind in ("silent", "quarantine") else None,
    )


def tell_given_up(channel: str, given_up: GivenUp, *, identity: str, at: int) -> Message:
    """That messages to a channel were given up."""
    return Message(
        id=identity,
        kind="trouble",
        tone="warning",
        title=f"Channel {channel}: a message was given up",
        sentences=(
            f"Whoever reads {channel} was not told what they should have been told.",
            *_lost(channel, given_up),
        ),
        occurred_at=at,
    )


def tell_template(channel: str, detail: str, *, identity: str, at: int) -> Message:
    """That a channel's template is broken."""
    what = (f"It says: {detail}.",) if detail else ()
    return Message(
        id=identity,
        kind="trouble",
        tone="warning",
        title=f"Channel {channel}: its template cannot be used",
        sentences=(
            *what,
            f"Messages to {channel} are sent in the channel's own form until it is mended: `tagtrail notify explain`.",
        ),
        occurred_at=at,
    )


def tell_nothing(identity: str, at: int, lines: tuple[int, ...]) -> Message:
    """What is left where the ledger no longer has what a delivery was about."""
    which = counted(len(lines), "line", "lines")
    return Message(
        id=identity,
        kind="moved" if lines else "trouble",
        tone="notice",
        title="Something that can no longer be told",
        sentences=(
            f"This was to tell of {which} of the ledger that changed nothing, as is known by now, or that "
            "are no longer kept."
            if lines
            else "This was to tell of a trouble that is no longer known.",
        ),
        occurred_at=at,
        lines=lines,
    )


def _begun(context: MessageContext, trouble: Alert) -> tuple[str, tuple[str, ...], MessageTone]:
    subject, began = trouble.subject, context.when(trouble.began_at)
    match trouble.kind:
        case "silent":
            return (
                f"Registry {subject} is silent",
                (
                    f"Nothing was heard of registry {subject} since {began}.",
                    "If it was in use, what happened there may be missing: a registry keeps events in memory only.",
                    "See whether it runs, reaches tagtrail and has the right token: `tagtrail registry-config`.",
                    "If nothing is pushed for so long, raise `notify.silent_after`.",
                ),
                "warning",
            )
        case "quarantine":
            return (
                f"Registry {subject}: the quarantine grows",
                (
                    f"It sends what cannot be understood: {trouble.detail}, the first {context.at(trouble.began_at)}.",
                    "It is kept, but is no part of the trail; `tagtrail quarantine` shows what it is and why.",
                ),
                "warning",
            )
        case "verification":
            return (
                "The ledger is not what was signed",
                (
                    f"Verifying the whole ledger failed {context.at(trouble.began_at)}: {trouble.detail}.",
                    "Something changed what must never change, or the disk lost it.",
                    "Keep a copy of the data directory as it is now, and look into it: `tagtrail log verify`.",
                ),
                "alarm",
            )
        case "given_up":
            return (
                f"Channel {subject}: messages were given up",
                (f"Whoever reads {subject} was not told what they should have been told.",),
                "warning",
            )
        case "absent":
            return (
                f"Channel {subject} cannot be used",
                (
                    f"It says: {trouble.detail}.",
                    f"Nothing is sent to {subject} until it is mended; then what waits is sent, without a restart.",
                ),
                "warning",
            )


def _over(context: MessageContext, trouble: Alert) -> tuple[str, tuple[str, ...], MessageTone]:
    subject, began = trouble.subject, context.when(trouble.began_at)
    ended_at = trouble.ended_at if trouble.ended_at is not None else context.now
    ended, length = context.when(ended_at), span((ended_at - trouble.began_at) / SECOND)
    match trouble.kind:
        case "silent":
            title = f"Registry {subject} is heard again"
            told = f"It had been silent for {length}, from {began} to {ended}."
        case "quarantine":
            title = f"Registry {subject}: the quarantine grows no more"
            told = f"Nothing that cannot be understood came for an hour. What came from {began} on is kept there."
        case "verification":
            title = "The ledger is what was signed"
            told = f"Verifying the whole ledger found nothing wrong at {ended}, after it had failed since {began}."
        case "given_up":
            title = f"Channel {subject} is reached again"
            told = f"Messages to {subject} had been given up from {began} on."
        case "absent":
            title = f"Channel {subject} can be used again"
            told = f"Nothing had been sent to it for {length}, since {began}."
    return title, (told,), "good"


def _lost(channel: str, given_up: GivenUp) -> tuple[str, ...]:
    """How many, why, and what to type. What a channel answered is not repeated: it may hold the message, with names."""
    if not given_up.count:
        return ("They were tried again since.",)
    reason = f"HTTP status {given_up.status}" if given_up.status is not None else given_up.detail
    why = f"; the newest because of: {reason}" if reason else ""
    return (
        f"{counted(given_up.count, 'message was', 'messages were')} given up{why}.",
        f"`tagtrail notify status` shows how it is; `tagtrail notify retry --channel {channel}` tries them once more.",
    )
