"""`POST /events`: where a registry's `notifications:` point.

A registry sends an event again, and everything behind it waits, until the answer is 2xx (or 3xx, which loses it). So
a request with a valid token is answered 202 after the commit, whatever its body; 401 means a wrong token, and 503 that
nothing was stored. Any other 4xx would block the registry's queue for ever.

This is plain WSGI in front of the Flask application: Flask's routing and its request and response objects would cost
each event some 70 us more (docs/decisions/0003-http.md).
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tagtrail import logs
from tagtrail.access.tokens import IngestTokens, Sender
from tagtrail.errors import StorageUnavailable
from tagtrail.intake.envelope import quarantine, quarantine_unkept, read_body
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Conflict, Counted, Draft, Item, Outcome, Recorded, Submission
from tagtrail.line import disclosed_value

_log = logging.getLogger(__name__)
_GROUP = 256  # items in one transaction, which other writers wait for


def accept(recorder: Recorder, sender: Sender, items: Sequence[Item]) -> list[Outcome]:
    """Record the items, durably; an outcome for each draft among them.

    An event whose id is recorded with another content is quarantined. So is one that fails on a defect of ours: the
    registry must not be held up by it, and what it sent is kept. Raises StorageUnavailable when some were not stored:
    then the registry sends all of them again, and those that were are known.
    """
    outcomes: list[Outcome] = []
    for at in range(0, len(items), _GROUP):
        group = items[at : at + _GROUP]
        try:
            outcomes += _record(recorder, sender, group)
        except StorageUnavailable:
            raise
        except Exception:
            _log.exception("an envelope could not be recorded as a whole")
            outcomes += [outcome for item in group for outcome in _record_alone(recorder, sender, item)]
    return outcomes


def _record(recorder: Recorder, sender: Sender, items: Sequence[Item]) -> list[Outcome]:
    outcomes = recorder.record(Submission(tuple(items)))
    conflicts = hold_conflicts(items, outcomes, sender)
    return outcomes + recorder.record(Submission(conflicts)) if conflicts else outcomes


def hold_conflicts(items: Sequence[Item], outcomes: Sequence[Outcome], sender: Sender) -> tuple[Draft, ...]:
    """Drafts that quarantine the events whose id is recorded with another content."""
    drafts = [item for item in items if isinstance(item, Draft)]
    return tuple(
        _held_back(draft, sender, f"line {outcome.seq} recorded another event under the id of this one")
        for draft, outcome in zip(drafts, outcomes, strict=True)
        if isinstance(outcome, Conflict)
    )


def _record_alone(recorder: Recorder, sender: Sender, item: Item) -> list[Outcome]:
    """Record an item without its neighbours; if it still fails, its content is quarantined."""
    try:
        return _record(recorder, sender, [item])
    except StorageUnavailable:
        raise
    except Exception as error:
        _log.exception("an event could not be recorded and is quarantined")
        if isinstance(item, Counted):
            return []
        return recorder.record(Submission((hold_failed(item, sender, error),)))


def hold_failed(draft: Draft, sender: Sender, error: Exception) -> Draft:
    """A draft that quarantines an event which could not be recorded."""
    return _held_back(draft, sender, f"tagtrail failed on this event ({type(error).__name__})")


def _held_back(draft: Draft, sender: Sender, reason: str) -> Draft:
    if draft.raw is None or draft.entry.kind == "quarantined":
        return draft
    return quarantine(disclosed_value(draft.raw), sender, reason=reason, instance=draft.entry.instance)


if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, StartResponse, WSGIApplication, WSGIEnvironment

_PATHS = ("/events", "/events/")
_CHUNK = 64 * 1024  # bytes of a body read at a time


@dataclass(frozen=True, slots=True)
class _Answer:
    """A status with at most one header of its own, and a line for the registry's log."""

    status: str
    text: bytes = b""
    header: tuple[str, str] | None = None

    def send(self, start_response: "StartResponse") -> Iterable[bytes]:
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(self.text)))]
        start_response(self.status, [*headers, self.header] if self.header else headers)
        return [self.text]


_RECORDED = _Answer("202 Accepted")
_UNKNOWN = _Answer("401 Unauthorized", b"a valid ingest token is required\n", ("WWW-Authenticate", "Bearer"))
_POST_ONLY = _Answer("405 Method Not Allowed", b"events are posted\n", ("Allow", "POST"))
_NOT_STORED = _Answer("503 Service Unavailable", b"not stored, send it again\n", ("Retry-After", "5"))


class _IncompleteError(Exception):
    """The body ended before it was whole."""


class EventsEndpoint:
    """Answers `/events` and passes every other path on; `body_limit` in bytes, beyond which only a hash is kept."""

    def __init__(
        self,
        application: "WSGIApplication",
        *,
        tokens: IngestTokens,
        recorder: Recorder,
        body_limit: int,
        count_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._application = application
        self._tokens = tokens
        self._recorder = recorder
        self._body_limit = body_limit
        self._count_refusal = count_failure

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """The WSGI call."""
        if environ.get("PATH_INFO") not in _PATHS:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] != "POST":  # a redirected POST arrives as GET: it must fail loudly
            return _POST_ONLY.send(start_response)
        return self._receive(environ).send(start_response)

    def _receive(self, environ: "WSGIEnvironment") -> _Answer:
        sender = self._tokens.find_sender(environ.get("HTTP_AUTHORIZATION"))
        if sender is None:
            self._count_refusal()  # and no more than that: a registry with a wrong token may try as often as it will
            return _UNKNOWN
        try:
            accept(self._recorder, sender, self._read_items(environ, sender))
        except (StorageUnavailable, _IncompleteError) as error:
            logs.error(_log, "events were not stored", registry=sender.registry, reason=str(error))
            return _NOT_STORED
        return _RECORDED

    def _read_items(self, environ: "WSGIEnvironment", sender: Sender) -> list[Item]:
        length = environ.get("CONTENT_LENGTH")
        body = _read_body(environ["wsgi.input"], int(length) if length else None, limit=self._body_limit)
        if body.content is None:
            return [quarantine_unkept(sender, digest=body.digest, size=body.size, reason="the body is too large")]
        encoding = environ.get("HTTP_CONTENT_ENCODING", "identity")
        if encoding != "identity":
            return [quarantine(body.content, sender, reason=f"the body has Content-Encoding {encoding[:40]!r}")]
        return read_body(body.content, sender, received_at=self._recorder.now())


@dataclass(frozen=True, slots=True)
class _Body:
    """The body as read: its content, or None beyond the limit, with its SHA-256; `size` in bytes."""

    content: bytes | None
    size: int
    digest: bytes = b""


def _read_body(stream: "InputStream", expected: int | None, *, limit: int) -> _Body:
    """Read to the end in bounded memory; `expected` bytes, or (None) a chunked body. Raises _IncompleteError."""
    try:
        content = stream.read(limit + 1 if expected is None else min(expected, limit + 1))
        size = len(content)
        if size > limit:
            return _drain(stream, expected, content)
    except Exception as error:
        raise _IncompleteError(f"the body could not be read: {type(error).__name__}") from error
    if expected is not None and size < expected:
        raise _IncompleteError(f"the body ended after {size} of {expected} bytes")
    return _Body(content, size)


def _drain(stream: "InputStream", expected: int | None, beginning: bytes) -> _Body:
    """Read on to the end, keeping nothing but the size and the hash."""
    digest, size = hashlib.sha256(beginning), len(beginning)
    while expected is None or size < expected:
        chunk = stream.read(_CHUNK if expected is None else min(_CHUNK, expected - size))
        if not chunk:
            break
        digest.update(chunk)
        size += len(chunk)
    if expected is not None and size < expected:
        raise EOFError
    return _Body(None, size, digest.digest())


def log_recorded(recorded: Sequence[Recorded]) -> None:
    """Log each line that came from a registry, once it is projected: ids and names, never headers, bodies or people."""
    for outcome in recorded:
        entry = outcome.entry
        if entry.kind in ("push", "delete", "quarantined"):
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
