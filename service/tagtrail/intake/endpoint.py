"""`POST /events`: where a registry's `notifications:` point.

A registry sends an event again, and everything behind it waits, until the answer is 2xx (or 3xx, which loses it). So
whoever has a valid token is answered 202 after the commit, whatever the body; 401 tells a wrong token, and 503 that
nothing was stored. Any other 4xx would hold up the registry's queue for ever.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Request, Response, request

from tagtrail import logs
from tagtrail.errors import StorageUnavailable
from tagtrail.intake.accept import accept
from tagtrail.intake.envelope import quarantine, quarantine_unkept, read_body
from tagtrail.intake.tokens import IngestTokens, Sender
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Item, Outcome, Recorded

_log = logging.getLogger(__name__)
_CHUNK = 64 * 1024  # bytes of a body read at a time
_RETRY_AFTER = "5"  # seconds


@dataclass(frozen=True, slots=True)
class _Body:
    """What was read: the content up to the limit (None beyond it), and the size and SHA-256 of all of it."""

    content: bytes | None
    size: int
    digest: bytes


def make_events_blueprint(
    *, tokens: IngestTokens, recorder: Recorder, clock: Callable[[], int], body_limit: int
) -> Blueprint:
    """The endpoint; `body_limit` in bytes, beyond which only a body's size and hash are kept."""
    blueprint = Blueprint("events", __name__)

    @blueprint.post("/events", provide_automatic_options=False)
    def receive() -> Response:
        sender = tokens.find_sender(request.headers.get("Authorization"))
        if sender is None:
            return _answer(401, "a valid ingest token is required\n", {"WWW-Authenticate": "Bearer"})
        try:
            items = _read_items(request, sender, received_at=clock(), body_limit=body_limit)
            outcomes = accept(recorder, sender, items)
        except (StorageUnavailable, _IncompleteError) as error:
            _log.error("events of registry %s were not stored: %s", sender.registry, error)
            return _answer(503, "not stored, send it again\n", {"Retry-After": _RETRY_AFTER})
        _tell(outcomes)
        return _answer(202, "")

    return blueprint


class _IncompleteError(Exception):
    """The body ended before it was whole."""


def _answer(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return Response(text, status, headers, content_type="text/plain; charset=utf-8")


def _read_items(sent: Request, sender: Sender, *, received_at: int, body_limit: int) -> list[Item]:
    body = _read_body(sent, body_limit)
    if body.content is None:
        return [quarantine_unkept(sender, digest=body.digest, size=body.size, reason="the body is too large")]
    encoding = sent.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        return [quarantine(body.content, sender, reason=f"the body has Content-Encoding {encoding[:40]!r}")]
    return read_body(body.content, sender, received_at=received_at)


def _read_body(sent: Request, limit: int) -> _Body:
    """Read the body to its end in bounded memory, keeping at most `limit` bytes. Raises _IncompleteError."""
    digest, size, kept = hashlib.sha256(), 0, bytearray()
    stream = sent.environ["wsgi.input"]  # not Flask's stream, which answers 413 and 400 by itself
    expected = sent.content_length
    try:
        while expected is None or size < expected:
            chunk = stream.read(_CHUNK if expected is None else min(_CHUNK, expected - size))
            if not chunk:
                break
            size += len(chunk)
            digest.update(chunk)
            if size <= limit:
                kept += chunk
    except Exception as error:
        raise _IncompleteError(f"the body could not be read: {type(error).__name__}") from error
    if expected is not None and size < expected:
        raise _IncompleteError(f"the body ended after {size} of {expected} bytes")
    return _Body(bytes(kept) if size <= limit else None, size, digest.digest())


def _tell(outcomes: list[Outcome]) -> None:
    """One record for each new line: ids and names, never headers, bodies or people."""
    for outcome in outcomes:
        if isinstance(outcome, Recorded):
            entry = outcome.entry
            logs.info(
                _log,
                entry.kind,
                seq=outcome.seq,
                registry=entry.registry,
                repository=entry.repository,
                tag=entry.tag,
                digest=entry.digest,
                reason=entry.reason,
                moves=" ".join(f"{move.tag}:{move.kind}" for move in outcome.moves) or None,
                violation=any(move.violates for move in outcome.moves) or None,
            )
