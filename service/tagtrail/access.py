"""Bearer tokens (RFC 6750): known by their SHA-256 only, and compared in the same time whichever it is."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

_SCHEME = "bearer"


def find_bearer(authorization: str | None, known: Iterable[tuple[bytes, T]]) -> T | None:
    """Whatever belongs to the token that the Authorization header carries; None for no, unknown or wrong ones.

    Takes the same time whichever token it is, or none: every known hash is compared, each in constant time.
    """
    scheme, _, presented = (authorization or "").strip().partition(" ")
    digest = hashlib.sha256(presented.strip().encode("utf-8", "surrogateescape")).digest()
    found = None
    for token, holder in known:
        if hmac.compare_digest(token, digest):
            found = holder
    return found if scheme.lower() == _SCHEME else None  # RFC 9110, section 11.1: in any case
