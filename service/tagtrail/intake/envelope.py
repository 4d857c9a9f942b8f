"""Sorts the events of a body: manifest pushes and deletes become drafts, others are counted or quarantined."""

from base64 import b64encode

import msgspec

from tagtrail.access.tokens import Sender
from tagtrail.intake.wire import Event, Platform, decode_event, split_envelope
from tagtrail.ledger.submission import Counted, Draft, Item
from tagtrail.line import Assurance, Entry, IndexMember, Who, commit_to, commitment, disclosure, event_key
from tagtrail.trail.instant import DAY, day_of, format_instant, parse_instant
from tagtrail.trail.moves import Moment
from tagtrail.trail.names import is_digest, is_host, is_repository, is_tag

_BLOB = "application/octet-stream"  # the media type of every blob event
_INDEXES = frozenset(
    ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
)
_LONGEST_TEXT = 255  # characters of a name that is kept in a line
_LONGEST_AGENT = 1_000
_LONGEST_REASON = 300
_MOST_EVENTS = 5_000  # events per envelope; registries send one
_LARGEST_SIZE = 2**63 - 1  # bytes that an integer column can hold
_LONGEST_MEMBERS = 40_000  # bytes of an index's manifests, out of a line's LONGEST
_MOST_AHEAD = DAY  # a registry's clock may be ahead of ours by this much


class _MisfitError(ValueError):
    """An event that cannot be recorded; the message is the reason."""


def read_body(body: bytes, sender: Sender, *, received_at: int) -> list[Item]:
    """Parse a request body into drafts and counts; `received_at` is our clock, in nanoseconds. Never raises."""
    try:
        events = split_envelope(body)
    except ValueError as error:
        return [quarantine(body, sender, reason=str(error))]
    if len(events) > _MOST_EVENTS:
        return [quarantine(body, sender, reason=f"the envelope has more than {_MOST_EVENTS} events")]
    return [_read_event(raw, sender, received_at) for raw in events]


def _read_event(raw: bytes, sender: Sender, received_at: int) -> Item:
    try:
        return _interpret(decode_event(raw), raw, sender, received_at)
    except (ValueError, RecursionError) as error:  # undecodable bytes raise ValueError, too
        return quarantine(raw, sender, reason=str(error))


def quarantine(content: bytes, sender: Sender, *, reason: str, instance: str | None = None) -> Draft:
    """A draft that keeps the content whole, with the reason why it could not be recorded."""
    document = disclosure("raw", msgspec.json.encode(_as_text(content)))
    entry = Entry(
        kind="quarantined",
        registry=sender.registry,
        instance=instance,
        reason=reason[:_LONGEST_REASON],
        size=len(content),
        raw=commitment(document),
    )
    return Draft(entry, raw=document)


def quarantine_unkept(sender: Sender, *, digest: bytes, size: int, reason: str) -> Draft:
    """A draft for a body that is too large to keep: only its SHA-256 and its size in bytes."""
    return Draft(Entry(kind="quarantined", registry=sender.registry, reason=reason, size=size, sha256=digest.hex()))


def _as_text(content: bytes) -> str | dict[str, str]:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(content).decode()}


def _interpret(event: Event, raw: bytes, sender: Sender, received_at: int) -> Item:
    _check(0 < len(event.id) <= _LONGEST_TEXT and event.id.isprintable(), "the event's id is missing or too long")
    occurred_at = parse_instant(event.timestamp)
    _check(
        occurred_at <= received_at + _MOST_AHEAD,
        "the event's timestamp lies more than a day ahead of this service's clock",
    )
    action = _counted_as(event)
    if action is not None:
        return Counted(
            registry=sender.registry,
            instance=_named(event.source.instance_id) or "",
            host=_host(event) or "",
            event=event_key(event.id),
            day=day_of(occurred_at),
            action=action,
        )
    _check(event.action in ("push", "delete"), f"{event.action[:40]!r} is no action of a registry")
    _check_target(event)
    return _draft(event, raw, sender, Moment(occurred_at, event_key(event.id)))


def _counted_as(event: Event) -> str | None:
    """The action under which to count an event that changes no tag; None for an event that becomes a line."""
    is_blob = event.target.media_type == _BLOB and not event.target.tag
    if event.action == "pull":
        verb = "head" if event.request.method == "HEAD" else "pull"
        return f"{verb}_blob" if is_blob else f"{verb}_manifest"
    if event.action == "mount":
        return "mount_blob"
    return "push_blob" if event.action == "push" and is_blob else None


def _check_target(event: Event) -> None:
    target = event.target
    _check(is_repository(target.repository), f"{target.repository[:80]!r} is not a repository name")
    _check(not target.tag or is_tag(target.tag), f"{target.tag[:80]!r} is not a tag")
    _check(not target.digest or is_digest(target.digest), f"{target.digest[:80]!r} is not a digest")
    _check(bool(target.digest) or event.action == "delete", "a push without a digest")


def _draft(event: Event, raw: bytes, sender: Sender, moment: Moment) -> Draft:
    target = event.target
    # The raw event keeps the whole text.
    who = Who(
        actor=event.actor.name[:_LONGEST_TEXT],
        address=event.request.addr[:_LONGEST_TEXT],
        user_agent=event.request.useragent[:_LONGEST_AGENT],
    )
    references, left_out = _members(event)
    entry = Entry(
        kind="push" if event.action == "push" else "delete",
        registry=sender.registry,
        host=_host(event),
        event=event.id,
        instance=_named(event.source.instance_id),
        occurred=format_instant(moment.occurred_at),
        repository=target.repository,
        tag=target.tag or None,
        digest=target.digest or None,
        media_type=_named(target.media_type),
        size=target.size if target.size and 0 < target.size <= _LARGEST_SIZE else None,
        request=_named(event.request.id),
        references=references,
        references_left_out=left_out,
        actor_assurance=_assurance(event, sender),
    )
    entry, who_document, raw_document = commit_to(entry, who=who, raw=msgspec.json.format(raw, indent=-1))
    return Draft(entry, who=who_document, raw=raw_document, moment=moment)


def _members(event: Event) -> tuple[tuple[IndexMember, ...], int]:
    """The manifests of a pushed index, and the number of those that exceed the line."""
    if event.target.media_type not in _INDEXES:
        return (), 0
    found = [
        IndexMember(reference.digest, _platform_of(reference.platform))
        for reference in event.target.references or ()
        if is_digest(reference.digest)
    ]
    kept, length = 0, 0
    for member in found:
        length += len(msgspec.json.encode(member)) + 1
        if length > _LONGEST_MEMBERS:
            break
        kept += 1
    return tuple(found[:kept]), len(found) - kept


def _platform_of(platform: Platform | None) -> str | None:
    parts = (platform.os, platform.architecture, platform.variant) if platform else ()
    return _named("/".join(part[:30] for part in parts if part))


def _assurance(event: Event, sender: Sender) -> Assurance:
    """How reliable the actor's name is: a registry without authentication passes on the client's claim."""
    if not event.actor.name:
        return "absent"
    return "verified" if sender.authenticates else "claimed"


def _host(event: Event) -> str | None:
    return event.request.host if is_host(event.request.host) else None


def _named(text: str) -> str | None:
    """The text, if a line may contain it: not empty, not too long, printable. The raw event keeps any other."""
    return text if 0 < len(text) <= _LONGEST_TEXT and text.isprintable() else None


def _check(condition: bool, reason: str) -> None:
    if not condition:
        raise _MisfitError(reason)
