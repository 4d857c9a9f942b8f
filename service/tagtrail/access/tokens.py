"""API tokens, each made and revoked by a line of the ledger, and the ingest tokens that identify registries."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from tagtrail.access.scopes import find_bearer
from tagtrail.errors import BadParameter, NotRecorded, Refused
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.submission import Draft
from tagtrail.line import Entry
from tagtrail.store import tokens
from tagtrail.store.database import Connection, Store
from tagtrail.store.tokens import StoredToken
from tagtrail.trail.instant import format_instant
from tagtrail.trail.names import is_name

PREFIX: Final = "tt_"
_BYTES = 32  # 256 random bits


def make_token(recorder: Recorder, name: str, scopes: Iterable[str], *, expires_at: int | None = None) -> str:
    """Make a token durably and return its text, which is stored nowhere.

    `expires_at` is in nanoseconds since 1970, UTC. Raises BadParameter for an invalid name or a time in the past,
    Refused for a name that a token has or had, and StorageUnavailable.
    """
    made_at = recorder.now()
    if not is_name(name):
        raise BadParameter("name", f"{name[:80]!r} is not a name; use at most 63 of a-z, 0-9, dot, dash and underscore")
    if expires_at is not None and expires_at <= made_at:
        raise BadParameter("expires", f"{format_instant(expires_at)} is in the past")
    text = PREFIX + secrets.token_urlsafe(_BYTES)
    digest = hashlib.sha256(text.encode()).digest()
    token = StoredToken(name, digest, tuple(sorted(set(scopes))), made_at, expires_at)
    recorder.record_with(_draft(token, "made"), partial(_add, token))
    return text


def revoke_token(store: Store, recorder: Recorder, name: str) -> StoredToken:
    """Revoke the token in every process at once and return it; a second call returns it unchanged.

    Raises NotRecorded for an unknown name, and StorageUnavailable.
    """
    with store.snapshot() as db:
        token = tokens.get_token(db, name) if is_name(name) else None
    if token is None:
        raise NotRecorded(f"there is no token {name[:80]!r}; `tagtrail token list` names them")
    if token.revoked_at is not None:
        return token
    at = recorder.now()
    recorder.record_with(_draft(token, "revoked"), lambda tx: tokens.revoke_token(tx, name, at=at))
    return replace(token, revoked_at=at)


def _draft(token: StoredToken, action: str) -> Draft:
    expires = format_instant(token.expires_at) if token.expires_at is not None else None
    return Draft(Entry(kind="token", token=token.name, action=action, scopes=token.scopes, expires=expires))


def _add(token: StoredToken, tx: Connection) -> None:
    if tokens.get_token(tx, token.name) is not None:
        raise Refused(f"there is or was a token {token.name!r}; a name is used once, so choose another")
    tokens.add_token(tx, token)


@dataclass(frozen=True, slots=True)
class Sender:
    """The registry that sent a POST, by its configured name; `authenticates` if it authenticates its users."""

    registry: str
    authenticates: bool


class IngestTokens:
    """Finds the registry that an ingest token belongs to; holds the SHA-256 of each token."""

    def __init__(self, senders: Iterable[tuple[bytes, Sender]]) -> None:
        self._senders = tuple(senders)

    def find_sender(self, authorization: str | None) -> Sender | None:
        """The registry whose token is in the Authorization header; None for a missing or unknown token."""
        return find_bearer(authorization, self._senders)
