"""`entries.ndjson`, the lines as stored; `disclosures.ndjson`; and `pushes.csv`, a row for each push."""

from binascii import b2a_base64
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from tagtrail.errors import StorageUnavailable
from tagtrail.export.selection import INCLUDED, Reading, Selection
from tagtrail.line import Who, read_who
from tagtrail.store.export import Disclosed, read_disclosures, read_lines, read_persons
from tagtrail.trail.rules import Hosts
from tagtrail.wording.spreadsheet import MARK, write_row

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def write_lines(reading: Reading, selection: Selection, progress: Callable[[int], None]) -> Iterator[bytes]:
    """The included lines by seq, each with a line feed. Raises StorageUnavailable if one is missing."""
    for window in selection.included():
        with reading.page() as db:
            rows = read_lines(db, window.first, window.end)
        lines = [line for seq, line in rows if window.includes(seq)]
        if len(lines) != window.marks.count(INCLUDED):
            raise StorageUnavailable(f"of lines {window.first} to {window.end - 1} some are missing from the ledger")
        yield b"\n".join((*lines, b""))
        progress(len(lines))


def write_disclosures(reading: Reading, selection: Selection, progress: Callable[[int], None]) -> Iterator[bytes]:
    """The disclosures of the included lines, unless erased; by seq."""
    for window in selection.included():
        first = window.first
        while first < window.end:
            with reading.page() as db:
                disclosed = read_disclosures(db, first, window.end)
            yield b"".join([_write(each) for each in disclosed if window.includes(each.seq)])
            first = disclosed[-1].seq + 1 if disclosed else window.end
        progress(window.marks.count(INCLUDED))


def _write(disclosed: Disclosed) -> bytes:
    members = [b'"seq":%d' % disclosed.seq]
    for name, document in ((b"who", disclosed.who), (b"raw", disclosed.raw)):
        if document is not None:
            members.append(b'"%b":"%b"' % (name, _base64url(document)))
    return b"{%b}\n" % b",".join(members)


def _base64url(document: bytes) -> bytes:
    """RFC 4648, section 5, without padding."""
    return b2a_base64(document, newline=False).rstrip(b"=").translate(_URL_SAFE)


# `pushes.csv`: a row for each push in the bundle.


_COLUMNS: Final = (
    "image", "seq", "at", "occurred", "registry", "repository", "tag", "digest", "media_type", "size",
    "actor_assurance",
)  # fmt: skip
_OF_PERSONS: Final = ("actor", "address", "user_agent")
_NOBODY: Final = Who()


class _Line(msgspec.Struct):
    """The fields of a line that the table shows; there may be millions of lines, so no other field is decoded."""

    seq: int
    at: str
    kind: str
    registry: str = ""
    host: str | None = None
    repository: str = ""
    tag: str = ""
    digest: str = ""
    occurred: str = ""
    media_type: str = ""
    size: int | None = None
    actor_assurance: str = ""


_decode = msgspec.json.Decoder(_Line).decode


def write_pushes(
    reading: Reading, selection: Selection, hosts: Hosts, progress: Callable[[int], None], *, identities: bool
) -> Iterator[bytes]:
    """The table, in pieces; `progress` counts the lines that were read."""
    yield MARK + write_row(_COLUMNS + (_OF_PERSONS if identities else ())).encode()
    for window in selection.included():
        with reading.page() as db:
            rows = read_lines(db, window.first, window.end)
            persons = read_persons(db, window.first, window.end) if identities else None
        lines = (_decode(line) for seq, line in rows if window.includes(seq))
        yield "".join([_write_push(line, hosts, persons) for line in lines if line.kind == "push"]).encode()
        progress(window.marks.count(INCLUDED))


def _write_push(line: _Line, hosts: Hosts, persons: dict[int, bytes] | None) -> str:
    image = hosts.reference(line.registry, line.host, line.repository, line.tag or None, line.digest or None)
    cells = [
        image, str(line.seq), line.at, line.occurred, line.registry, line.repository, line.tag, line.digest,
        line.media_type, "" if line.size is None else str(line.size), line.actor_assurance,
    ]  # fmt: skip
    if persons is not None:
        who = read_who(persons.get(line.seq)) or _NOBODY
        cells += [who.actor, who.address, who.user_agent]
    return write_row(cells)
