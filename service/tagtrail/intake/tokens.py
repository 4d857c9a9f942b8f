"""The bearer token of a POST tells which registry sends it."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

_SCHEME = "Bearer "


@dataclass(frozen=True, slots=True)
class Sender:
    """A registry by its name in our configuration; `authenticates` if it verifies who its users are."""

    registry: str
    authenticates: bool


class IngestTokens:
    """The senders by the SHA-256 of their tokens."""

    def __init__(self, senders: Iterable[tuple[bytes, Sender]]) -> None:
        self._senders = tuple(senders)

    def find_sender(self, authorization: str | None) -> Sender | None:
        """The sender whose token the Authorization header carries.

        Takes the same time whichever token it is, or none: every known hash is compared, each in constant time.
        """
        presented = (authorization or "").removeprefix(_SCHEME).strip()
        digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
        found = None
        for known, sender in self._senders:
            if hmac.compare_digest(known, digest):
                found = sender
        return found if (authorization or "").startswith(_SCHEME) else None
