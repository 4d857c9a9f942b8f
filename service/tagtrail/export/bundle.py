"""Makes a bundle: selects its contents and streams the zip.

A bundle is a pure function of the first N lines, the query and the caller. Two lines record it. The first is recorded
before the first byte is sent, because half a zip is readable too and the service may be killed meanwhile. The second
holds the hash and is recorded before the end of the zip is sent.
"""

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from tagtrail.access.disclosures import Requester, record_export
from tagtrail.export.deployments import Deployments, Past
from tagtrail.export.gaps import Gaps
from tagtrail.export.lines import write_disclosures, write_lines, write_pushes
from tagtrail.export.manifest import write_manifest
from tagtrail.export.proof import ProvedLog, get_checkpoint, load_log, read_earlier, write_proof
from tagtrail.export.query import ExportQuery
from tagtrail.export.selection import INCLUDED, Reading, Selection, choose
from tagtrail.ledger.record import Recorder
from tagtrail.ledger.rulebook import RuleBook, load_rulebook
from tagtrail.store.database import Store
from tagtrail.store.tree import StoredCheckpoint
from tagtrail.tlog.note import Checkpoint

FOLDER: Final = "tagtrail-export"
SUMS: Final = "SHA256SUMS"
_LEVEL: Final = 4  # much faster than the default 6, for a few per cent more bytes
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold
_MODE: Final = 0o100644  # a regular file


FORMAT: Final = "bundle"
COMMAND_LINE: Final = "the command line"
BEGUN: Final = "begun"  # the `action` of the first line
INTERRUPTED: Final = "interrupted by the caller"
FAILED: Final = "interrupted by a failure of the service"

CountLines = Callable[[int], None]


class Archive:
    """A streamed zip with fixed dates, one compression and nothing about time or place.

    `sums` is the input of `sha256sum -c` for all files so far.
    """

    def __init__(self) -> None:
        self.sums = ""
        self._sink = _Sink()
        self._zip = ZipFile(self._sink, "w")  # type: ignore[call-overload]  # it needs no more than write and flush

    def add(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Add a file piece by piece; yields the finished parts of the zip."""
        digest = hashlib.sha256()
        with self._zip.open(_describe(name), "w", force_zip64=True) as member:
            for piece in pieces:
                digest.update(piece)
                member.write(piece)
                yield from self._sink.take()
        self.sums += f"{digest.hexdigest()}  {name}\n"
        yield from self._sink.take()

    def end(self) -> Iterator[bytes]:
        """Yield the zip's directory, without which it cannot be opened."""
        self._zip.close()
        yield from self._sink.take()


def _describe(name: str) -> ZipInfo:
    info = ZipInfo(f"{FOLDER}/{name}", _DATE)
    info.compress_type = ZIP_DEFLATED
    info._compresslevel = _LEVEL  # type: ignore[attr-defined]  # public only from Python 3.13 on
    info.create_system = 3  # Unix, on every system
    info.external_attr = _MODE << 16
    return info


class _Sink:
    """Receives the zip's bytes, and cannot seek."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def take(self) -> Iterator[bytes]:
        """The bytes since the last call, as one piece."""
        pieces, self._pieces = self._pieces, []
        if pieces:
            yield b"".join(pieces)


@dataclass(frozen=True, slots=True)
class Bundle:
    """The contents of a bundle, read and checked, before it is written."""

    reading: Reading
    query: ExportQuery
    log: ProvedLog
    earlier: Checkpoint | None
    book: RuleBook
    selection: Selection
    asked_by: str
    identities: bool

    @property
    def lines(self) -> int:
        """The number of lines in it."""
        return self.selection.count(INCLUDED)

    @property
    def work(self) -> int:
        """How often `progress` counts a line during the making."""
        return self.lines * (3 if self.identities else 2)

    def members(self, progress: CountLines = lambda lines: None) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Each file's name and pieces, in the order of the zip; `progress` counts processed lines."""
        reading, selection, log = self.reading, self.selection, self.log
        hosts = self.book.before(selection.end).latest.hosts
        deployments = Deployments(
            reading,
            selection,
            Past(self.book, log.size),
            hosts,
            environment=self.query.filter.environment,
            identities=self.identities,
        )
        gaps = Gaps(reading, selection)
        yield "README.txt", [_packaged("README.txt")]
        yield "verify.py", [_packaged("verify.py")]
        yield "keys.vkey", [log.vkeys.encode()]
        yield "log-key.pem", [log.public_key.encode()]
        yield "checkpoint", [log.checkpoint.note.encode()]
        if log.rotations:
            yield "rotations", [note.encode() for note in log.rotations]
        if self.query.since_checkpoint is not None:
            yield "since-checkpoint", [self.query.since_checkpoint.encode()]
        yield "entries.ndjson", write_lines(reading, selection, progress)
        if self.identities:
            yield "disclosures.ndjson", write_disclosures(reading, selection, progress)
        yield "deployments.csv", deployments.write()
        yield "pushes.csv", write_pushes(reading, selection, hosts, progress, identities=self.identities)
        yield "gaps.csv", gaps.write()
        yield "proof.json", write_proof(reading, selection, log, self.earlier)
        yield (
            "manifest.json",
            write_manifest(
                reading,
                selection,
                log,
                self.book,
                self.query,
                asked_by=self.asked_by,
                identities=self.identities,
                gaps=gaps.count,
            ),
        )


def prepare(
    store: Store,
    query: ExportQuery,
    *,
    sign: Callable[[], StoredCheckpoint],
    asked_by: str,
    identities: bool,
) -> Bundle:
    """Decide what is in the bundle; `sign` gives the newest checkpoint.

    Raises NotRecorded for a size that was never signed, Refused for an earlier checkpoint that contradicts the ledger,
    Contradicted for a ledger that contradicts its checkpoint, the errors of `sign`, and StorageUnavailable.
    """
    checkpoint = sign() if query.size is None else None
    reading = Reading(store)
    with reading.page() as db:
        log = load_log(db, checkpoint or get_checkpoint(db, query.size or 0))
        earlier = read_earlier(db, query.since_checkpoint, log) if query.since_checkpoint is not None else None
        book = load_rulebook(db).before(log.size)
    selection = choose(reading, query, book, size=log.size)
    return Bundle(reading, query, log, earlier, book, selection, asked_by, identities)


def hand_over(
    bundle: Bundle, recorder: Recorder, requester: Requester, *, progress: CountLines = lambda lines: None
) -> Generator[bytes, None, None]:
    """Stream the zip and record the export; without a reader of the first piece, nothing is recorded.

    An interrupted export is recorded with a reason and without a hash. Raises StorageUnavailable.
    """

    def record(*, action: str | None = None, sha256: str | None = None, reason: str | None = None) -> None:
        query = bundle.query.describe(identities=bundle.identities, size=bundle.log.size)
        said = json.dumps(query, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        record_export(recorder, requester, format=FORMAT, query=said, action=action, sha256=sha256, reason=reason)

    record(action=BEGUN)
    archive = Archive()
    try:
        for name, pieces in bundle.members(progress):
            yield from archive.add(name, pieces)
        sums = archive.sums.encode()
        yield from archive.add(SUMS, [sums])
    except (GeneratorExit, KeyboardInterrupt):
        record(reason=INTERRUPTED)
        raise
    except BaseException:
        record(reason=FAILED)
        raise
    record(sha256=hashlib.sha256(sums).hexdigest())
    yield from archive.end()


def _packaged(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()
