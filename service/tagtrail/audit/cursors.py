"""Where a list goes on, as an opaque text: the key of the last row that was shown."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from tagtrail.errors import BadParameter
from tagtrail.store.answers import Key

_LARGEST = 2**63


def write_cursor(key: Key) -> str:
    """The cursor of a key."""
    values = [part.hex() if isinstance(part, bytes) else part for part in key]
    return urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(text: str, kinds: Sequence[type]) -> Key:
    """The key of a cursor; `kinds` are the types of its parts. Raises BadParameter for any other text."""
    try:
        values = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return tuple(_read_part(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (ValueError, TypeError, RecursionError):
        raise BadParameter("cursor", "this list gave no such cursor; leave it out to begin anew") from None


def _read_part(value: object, kind: type) -> int | str | bytes:
    if kind is bytes and isinstance(value, str):
        return bytes.fromhex(value)
    if not isinstance(value, kind) or isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("another kind of part")
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise ValueError("a number that no key holds")
    str(value).encode()  # a lone surrogate is no text
    return value
