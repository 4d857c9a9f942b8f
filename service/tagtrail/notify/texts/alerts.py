"""The words of service alerts: the problem, what it means for the record, and what to do."""

from tagtrail.notify.message import Message, MessageTone
from tagtrail.notify.texts.draft import MessageContext
from tagtrail.store.alerts import Alert, GivenUp
from tagtrail.trail.instant import SECOND
from tagtrail.wording.text import counted, span


def compose(context: MessageContext, alert: Alert, lost: GivenUp | None, *, is_over: bool, identity: str) -> Message:
    """The message that a problem began, or that it is over. `lost` counts the messages of a `given_up` alert."""
    title, sentences, tone = _describe_end(context, alert) if is_over else _describe_begin(context, alert)
    if lost is not None:
        sentences = (*sentences, *_describe_lost(alert.subject, lost))
    if not is_over and alert.ended_at is not None:
        sentences = (*sentences, f"This ended {context.at(alert.ended_at)}.")
        tone = "notice"
    return Message(
        id=identity,
        kind="alert",
        tone=tone,
        title=title,
        sentences=sentences,
        occurred_at=alert.ended_at if is_over and alert.ended_at is not None else alert.began_at,
        lines=(alert.seq,) if alert.seq is not None else (),
        registry=alert.subject if alert.kind in ("silent", "quarantine") else None,
    )


def given_up(channel: str, lost: GivenUp, *, identity: str, at: int) -> Message:
    """The report that messages to a channel were given up."""
    return Message(
        id=identity,
        kind="alert",
        tone="warning",
        title=f"Channel {channel}: a message was given up",
        sentences=(f"Readers of {channel} have missed messages.", *_describe_lost(channel, lost)),
        occurred_at=at,
    )


def template_broken(channel: str, detail: str, *, identity: str, at: int) -> Message:
    """The report that a channel's template is broken."""
    error = (f"Error: {detail}.",) if detail else ()
    return Message(
        id=identity,
        kind="alert",
        tone="warning",
        title=f"Channel {channel}: its template cannot be used",
        sentences=(
            *error,
            f"Until it is fixed, messages to {channel} use the default format.",
            "`tagtrail notify explain` shows how a message looks.",
        ),
        occurred_at=at,
    )


def nothing_left(identity: str, at: int, lines: tuple[int, ...]) -> Message:
    """The message of a delivery whose lines or alert the database no longer has."""
    which = counted(len(lines), "ledger line", "ledger lines")
    return Message(
        id=identity,
        kind="moved" if lines else "alert",
        tone="notice",
        title="Nothing left to report",
        sentences=(
            f"This message was about {which} that turned out to change nothing, or that tagtrail no longer keeps."
            if lines
            else "This message was about an alert that tagtrail no longer keeps.",
        ),
        occurred_at=at,
        lines=lines,
    )


def _describe_begin(context: MessageContext, alert: Alert) -> tuple[str, tuple[str, ...], MessageTone]:
    subject, began = alert.subject, context.when(alert.began_at)
    match alert.kind:
        case "silent":
            return (
                f"Registry {subject} is silent",
                (
                    f"Registry {subject} has sent nothing since {began}.",
                    "If it was in use, events may be missing: a registry keeps unsent events in memory only.",
                    "Check that it runs, reaches tagtrail and has the right token: `tagtrail registry-config`.",
                    "If it is often unused for this long, raise `notify.silent_after`.",
                ),
                "warning",
            )
        case "quarantine":
            return (
                f"Registry {subject}: events in quarantine",
                (
                    f"It sends unreadable events: {alert.detail}, the first {context.at(alert.began_at)}.",
                    "They are stored, but not part of the trail. `tagtrail quarantine` lists them with the reasons.",
                ),
                "warning",
            )
        case "verification":
            return (
                "The ledger does not match its signatures",
                (
                    f"Verifying the whole ledger failed {context.at(alert.began_at)}: {alert.detail}.",
                    "Recorded lines were changed, or the disk lost data.",
                    "Copy the data directory as it is now, then investigate: `tagtrail log verify`.",
                ),
                "alarm",
            )
        case "given_up":
            return (
                f"Channel {subject}: messages were given up",
                (f"Readers of {subject} have missed messages.",),
                "warning",
            )
        case "absent":
            return (
                f"Channel {subject} cannot be used",
                (
                    f"Reason: {alert.detail}.",
                    f"Messages to {subject} wait until this is fixed, and are then sent without a restart.",
                ),
                "warning",
            )


def _describe_end(context: MessageContext, alert: Alert) -> tuple[str, tuple[str, ...], MessageTone]:
    subject, began = alert.subject, context.when(alert.began_at)
    ended_at = alert.ended_at if alert.ended_at is not None else context.now
    ended, length = context.when(ended_at), span((ended_at - alert.began_at) / SECOND)
    match alert.kind:
        case "silent":
            title = f"Registry {subject} sends again"
            sentence = f"It was silent for {length}, from {began} to {ended}."
        case "quarantine":
            title = f"Registry {subject}: no new events in quarantine"
            sentence = f"No unreadable event came for an hour. The events since {began} stay in quarantine."
        case "verification":
            title = "The ledger matches its signatures again"
            sentence = f"Verifying the whole ledger succeeded {context.at(ended_at)}, after failures since {began}."
        case "given_up":
            title = f"Channel {subject} works again"
            sentence = f"Messages to {subject} were given up from {began} on."
        case "absent":
            title = f"Channel {subject} can be used again"
            sentence = f"Nothing was sent to it for {length}, since {began}."
    return title, (sentence,), "good"


def _describe_lost(channel: str, lost: GivenUp) -> tuple[str, ...]:
    """The number of messages, the reason, and the commands. A server's response is left out: it may hold names."""
    if not lost.count:
        return ("They have been retried since.",)
    reason = f"HTTP status {lost.status}" if lost.status is not None else lost.detail
    why = f"; reason of the latest: {reason}" if reason else ""
    return (
        f"{counted(lost.count, 'message was', 'messages were')} given up{why}.",
        f"`tagtrail notify status` shows details; `tagtrail notify retry --channel {channel}` sends them again.",
    )
