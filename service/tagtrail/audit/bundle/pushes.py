"""`pushes.csv`: a row for each push in the bundle."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from tagtrail.audit.bundle.reading import Reading
from tagtrail.audit.bundle.selection import INCLUDED, Selection
from tagtrail.audit.describing import read_who
from tagtrail.audit.naming import Hosts
from tagtrail.audit.spreadsheet import MARK, write_row
from tagtrail.ledger.project import Who
from tagtrail.store.questions.bundles import read_lines, read_persons

_COLUMNS: Final = (
    "image", "seq", "at", "occurred", "registry", "repository", "tag", "digest", "media_type", "size",
    "actor_assurance",
)  # fmt: skip
_OF_PERSONS: Final = ("actor", "address", "user_agent")
_NOBODY: Final = Who()


class _Line(msgspec.Struct):
    """Of a line, what the view shows; there may be millions, so nothing else is read."""

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
    reading: Reading, selection: Selection, hosts: Hosts, told: Callable[[int], None], *, identities: bool
) -> Iterator[bytes]:
    """The table, in pieces; `told` counts the lines that were looked at."""
    yield MARK + write_row(_COLUMNS + (_OF_PERSONS if identities else ())).encode()
    for window in selection.included():
        with reading.page() as db:
            rows = read_lines(db, window.first, window.end)
            persons = read_persons(db, window.first, window.end) if identities else None
        lines = (_decode(line) for seq, line in rows if window.includes(seq))
        yield "".join([_write(line, hosts, persons) for line in lines if line.kind == "push"]).encode()
        told(window.marks.count(INCLUDED))


def _write(line: _Line, hosts: Hosts, persons: dict[int, bytes] | None) -> str:
    image = hosts.reference(line.registry, line.host, line.repository, line.tag or None, line.digest or None)
    cells = [
        image, str(line.seq), line.at, line.occurred, line.registry, line.repository, line.tag, line.digest,
        line.media_type, "" if line.size is None else str(line.size), line.actor_assurance,
    ]  # fmt: skip
    if persons is not None:
        who = read_who(persons.get(line.seq)) or _NOBODY
        cells += [who.actor, who.address, who.user_agent]
    return write_row(cells)
