"""The wire format: an event as CNCF Distribution sends it, and an envelope split into its events.

Field names are those of Distribution's `notifications` package, event.go. Each event is decoded alone, so that a bad
event does not lose the good ones beside it.
"""

import re

import msgspec


class Platform(msgspec.Struct, frozen=True):
    """The platform of a manifest in an index."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A manifest that another one refers to."""

    media_type: str = ""
    digest: str = ""
    platform: Platform | None = None


class Target(msgspec.Struct, frozen=True, rename="camel"):
    """The subject of the event."""

    repository: str
    media_type: str = ""
    digest: str = ""
    tag: str = ""
    size: int | None = None
    references: tuple[Descriptor, ...] | None = None


class Request(msgspec.Struct, frozen=True):
    """The request to the registry that caused the event."""

    id: str = ""
    addr: str = ""
    host: str = ""
    method: str = ""
    useragent: str = ""


class Actor(msgspec.Struct, frozen=True):
    """The person behind the event, as far as the registry knows."""

    name: str = ""


class Source(msgspec.Struct, frozen=True):
    """The running registry that reports the event."""

    instance_id: str = msgspec.field(name="instanceID", default="")


class Event(msgspec.Struct, frozen=True):
    """One event of an envelope."""

    id: str
    timestamp: str
    action: str
    target: Target
    request: Request = Request()
    actor: Actor = Actor()
    source: Source = Source()


class _Envelope(msgspec.Struct, frozen=True):
    events: list[msgspec.Raw]


_envelopes = msgspec.json.Decoder(_Envelope)
_events = msgspec.json.Decoder(Event)


def decode_event(raw: bytes) -> Event:
    """Decode one event. Raises ValueError or RecursionError that says what does not fit."""
    raw.decode()  # the decoder below skips fields that it does not use
    return _events.decode(raw)


def split_envelope(body: bytes) -> list[bytes]:
    """The events of an envelope, each as its bytes in the body. Raises ValueError if the body is no envelope."""
    try:
        return [bytes(raw) for raw in _envelopes.decode(body).events]
    except (ValueError, RecursionError) as error:
        events = _split_by_brackets(body)
        if events is None:
            raise ValueError(f"the body is no envelope of events: {error}") from error
        return events


# Possessive, and an unterminated string is one token, so no text is scanned twice.
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[\]{},]', re.DOTALL)
_EVENTS_KEY = re.compile(rb'\{\s*"events"\s*:\s*\[')
_EVENTS_END = re.compile(rb"\s*\}\s*")


def _split_by_brackets(body: bytes) -> list[bytes] | None:
    """Split an envelope that is not valid JSON as a whole because of one event.

    Scans only brackets and strings, so a bad number, a bad escape or too deep nesting cannot hide the other events.
    Returns None if the brackets do not form an envelope.
    """
    opening = _EVENTS_KEY.match(body.strip())
    if opening is None:
        return None
    body = body.strip()
    events, depth, start = [], 0, opening.end()
    for token in _TOKENS.finditer(body, opening.end()):
        symbol = token[0]
        if symbol in (b"{", b"["):
            depth += 1
        elif symbol in (b"}", b"]") and depth:
            depth -= 1
        elif depth == 0 and symbol in (b",", b"]"):
            events.append(body[start : token.start()].strip())
            start = token.end()
            if symbol == b"]":
                return events if _EVENTS_END.fullmatch(body, start) else None
        elif depth == 0 and symbol == b"}":
            return None
    return None
