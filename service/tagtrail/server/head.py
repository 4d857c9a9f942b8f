"""The head of an ordinary `POST /events`, read strictly: a head that means the same to every reader of HTTP/1.1.

Everything else is left to gunicorn's parser.
"""

import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 8_190  # bytes of a head that is read here

# RFC 9110, section 5: a token, a colon, and a value without control characters, which begins and ends with no space.
_HEAD: Final = re.compile(
    rb"POST /events/? HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+.^`|~0-9A-Za-z-]+:[ \t]*"
    rb"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?[ \t]*\r\n)+"
    rb"\r\n"
)
_LENGTH: Final = re.compile(rb"\d{1,9}")
# Fields that change nothing about how the request is read or recorded, besides those that are read here.
_PLAIN: Final = frozenset(
    {
        b"accept", b"accept-encoding", b"authorization", b"connection", b"content-length", b"content-type",
        b"forwarded", b"host", b"traceparent", b"tracestate", b"user-agent", b"via", b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port", b"x-forwarded-proto", b"x-forwarded-server", b"x-real-ip", b"x-request-id",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlainHead:
    """What the head of an ordinary POST says; `length` is that of the body, in bytes."""

    authorization: str
    length: int


def parse_plain_head(head: bytes) -> PlainHead | None:
    """Read a head, given with the empty line that ends it; None for every head that is not ordinary."""
    if len(head) > LONGEST or not _HEAD.fullmatch(head):
        return None
    fields: dict[bytes, bytes] = {}
    for line in head[:-4].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name not in _PLAIN or name in fields:
            return None
        fields[name] = value.strip(b" \t")
    length = fields.get(b"content-length", b"")
    if not _LENGTH.fullmatch(length):
        return None
    return PlainHead(fields.get(b"authorization", b"").decode("latin-1"), int(length))
