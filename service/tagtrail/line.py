"""The line: one entry of the ledger as the bytes that are stored, hashed and exported for ever.

UTF-8 JSON, keys sorted, separators `,` and `:`, no line feed, no floats. An empty field is absent. The person and the
event as received are in the line only as commitments (the disclosure form of RFC 9901, SD-JWT). Their disclosures lie
beside the ledger and can be erased without breaking a proof.
"""

import hashlib
import os
import re
from binascii import b2a_base64
from typing import Any, Literal

import msgspec

VERSION = 1
LONGEST = 60_000  # bytes of a line

EntryKind = Literal[
    "push", "delete", "deployment", "observed", "gap_opened", "gap_closed", "quarantined", "annotation", "exported",
    "erased", "pruned", "token", "registry", "configuration", "key", "started", "stopped",
]  # fmt: skip
Assurance = Literal["verified", "claimed", "absent"]


class IndexMember(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A manifest in an index, with its platform (`linux/arm64/v8`) if the registry sent it."""

    digest: str
    platform: str | None = None


class Who(msgspec.Struct, frozen=True):
    """The person behind an event, as the registry reported it."""

    actor: str = ""
    address: str = ""
    user_agent: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One entry of the ledger, with or without its place (`seq`, `at`).

    `at` is this service's clock, `occurred` the registry's, both RFC 3339 in UTC. `registry` is the
    configured name of the sender, found by its token. `references` lists an index's manifests and
    `references_left_out` counts those beyond what a line can hold.

    Lines of the service itself: an `annotation` has `annotates` (a seq), `relation` and `change`; `erased` and
    `pruned` have `lines`, pairs of the first and the last seq concerned, and `pruned` has `before` (a seq); a `token`
    line has `token` (its name), `action`, `scopes` and `expires`; a declared deployment has the `token` it came with;
    `exported` has `token`, `format`, and `action` where a bundle is only begun, `sha256` of its SHA256SUMS where it was
    made; `key` has the new verifier key; the first line of a new epoch (`gap_opened`) has its `origin`,
    the `lost` checkpoint as it was signed, and `kept`, the number of lines before it that are the old log's.
    """

    v: int = 0
    seq: int = -1
    at: str = ""
    kind: EntryKind
    registry: str | None = None
    host: str | None = None
    event: str | None = None
    instance: str | None = None
    occurred: str | None = None
    repository: str | None = None
    tag: str | None = None
    digest: str | None = None
    media_type: str | None = None
    size: int | None = None
    request: str | None = None
    references: tuple[IndexMember, ...] = ()
    references_left_out: int = 0
    actor_assurance: Assurance | None = None
    who: str | None = None
    raw: str | None = None
    environment: str | None = None
    change: str | None = None
    reason: str | None = None
    sha256: str | None = None
    configuration: dict[str, Any] | None = None
    version: str | None = None
    annotates: int | None = None
    relation: str | None = None
    lines: tuple[tuple[int, int], ...] = ()
    before: int | None = None
    token: str | None = None
    action: str | None = None
    scopes: tuple[str, ...] = ()
    expires: str | None = None
    format: str | None = None
    key: str | None = None
    origin: str | None = None
    lost: str | None = None
    kept: int | None = None


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Entry)
_who_encoder = msgspec.json.Encoder()


def place(entry: Entry, *, seq: int, at: str) -> Entry:
    """The entry with its place in the ledger."""
    return msgspec.structs.replace(entry, v=VERSION, seq=seq, at=at)


def write_line(entry: Entry) -> bytes:
    """The bytes of an entry with its place. Raises ValueError over LONGEST bytes."""
    line = _encoder.encode(entry)
    if len(line) > LONGEST:
        raise ValueError(f"a line of {len(line)} bytes is longer than {LONGEST}")
    return line


def read_line(line: bytes) -> Entry:
    """Parse a line. Raises msgspec.ValidationError for a line that this version did not write."""
    return _decoder.decode(line)


def hash_leaf(line: bytes) -> bytes:
    """The line's leaf hash in the tree of RFC 6962, section 2.1."""
    return hashlib.sha256(b"\x00" + line).digest()


def disclosure(name: str, value: bytes) -> bytes:
    """The document `[salt, name, value]` for a value given as JSON, with a fresh 128-bit salt."""
    return b'["%b","%b",%b]' % (_base64url(os.urandom(16)), name.encode(), value)


def commitment(document: bytes) -> str:
    """The commitment to a document: base64url(SHA-256(base64url(document)))."""
    return _base64url(hashlib.sha256(_base64url(document)).digest()).decode()


def commit_to(entry: Entry, *, who: Who, raw: bytes) -> tuple[Entry, bytes, bytes]:
    """The entry with commitments to the person and to `raw`, which is JSON; and the documents of both."""
    who_document, raw_document = disclosure("who", _who_encoder.encode(who)), disclosure("raw", raw)
    entry = msgspec.structs.replace(entry, who=commitment(who_document), raw=commitment(raw_document))
    return entry, who_document, raw_document


def disclosed_value(document: bytes) -> bytes:
    """The value of a disclosed document, as its original JSON."""
    return document[document.index(b",", document.index(b",") + 1) + 1 : -1]


class _Note(msgspec.Struct, frozen=True):
    note: str | None = None


_who_decoder = msgspec.json.Decoder(Who)
_note_decoder = msgspec.json.Decoder(_Note)


def read_who(document: bytes | None) -> Who | None:
    """The person in a disclosed document; None without a document or after it was erased."""
    return None if document is None else _who_decoder.decode(disclosed_value(document))


def read_note(document: bytes | None) -> str | None:
    """The note in the disclosed document of a declared deployment or an annotation, or None."""
    return None if document is None else _note_decoder.decode(disclosed_value(document)).note


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def _base64url(content: bytes) -> bytes:
    """RFC 4648, section 5, without padding; three times as fast as the standard library's wrapper."""
    return b2a_base64(content, newline=False).rstrip(b"=").translate(_URL_SAFE)


def event_key(event: str) -> bytes:
    """The 16 bytes that identify an event: its UUID, or the beginning of the id's SHA-256 if that is no UUID."""
    if _UUID.fullmatch(event):
        return bytes.fromhex(event.replace("-", ""))
    return hashlib.sha256(event.encode()).digest()[:16]
