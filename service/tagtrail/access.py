"""Bearer tokens (RFC 6750): known by their SHA-256 only, and compared in the same time whichever it is."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

_SCHEME = "Bearer "


def find_bearer(authorization: str | None, known: Iterable[tuple[bytes, T]]) -> T | None:
    """Whatever belongs to the token that the Authorization header carries; None for no, unknown or wrong ones.

    Takes the same time whichever token it is, or none: every known hash is compared, each in constant time.
    """
    presented = (authorization or "").removeprefix(_SCHEME).strip()
    digest = hashlib.sha256(presented.encode("utf-8", "surrogateescape")).digest()
    found = None
    for token, holder in known:
        if hmac.compare_digest(token, digest):
            found = holder
    return found if (authorization or "").startswith(_SCHEME) else None
