"""`entries.ndjson`, the lines as they are stored, and `disclosures.ndjson`, what they disclose."""

from binascii import b2a_base64
from collections.abc import Callable, Iterator

from tagtrail.audit.bundle.reading import Reading
from tagtrail.audit.bundle.selection import INCLUDED, Selection
from tagtrail.errors import StorageUnavailable
from tagtrail.store.questions.bundles import Disclosed, read_disclosures, read_lines

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def write_lines(reading: Reading, selection: Selection, told: Callable[[int], None]) -> Iterator[bytes]:
    """The included lines, by seq, a line feed after each. Raises StorageUnavailable where one is missing."""
    for window in selection.included():
        with reading.page() as db:
            rows = read_lines(db, window.first, window.end)
        lines = [line for seq, line in rows if window.includes(seq)]
        if len(lines) != window.marks.count(INCLUDED):
            raise StorageUnavailable(f"of lines {window.first} to {window.end - 1} some are missing from the ledger")
        yield b"\n".join((*lines, b""))
        told(len(lines))


def write_disclosures(reading: Reading, selection: Selection, told: Callable[[int], None]) -> Iterator[bytes]:
    """What the included lines disclose, as far as it was not erased; by seq."""
    for window in selection.included():
        first = window.first
        while first < window.end:
            with reading.page() as db:
                disclosed = read_disclosures(db, first, window.end)
            yield b"".join([_write(each) for each in disclosed if window.includes(each.seq)])
            first = disclosed[-1].seq + 1 if disclosed else window.end
        told(window.marks.count(INCLUDED))


def _write(disclosed: Disclosed) -> bytes:
    members = [b'"seq":%d' % disclosed.seq]
    for name, document in ((b"who", disclosed.who), (b"raw", disclosed.raw)):
        if document is not None:
            members.append(b'"%b":"%b"' % (name, _base64url(document)))
    return b"{%b}\n" % b",".join(members)


def _base64url(document: bytes) -> bytes:
    """RFC 4648, section 5, without padding."""
    return b2a_base64(document, newline=False).rstrip(b"=").translate(_URL_SAFE)
