"""A zip that is handed over while it is made: fixed dates, one compression, nothing that tells when or where."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

FOLDER: Final = "tagtrail-export"
SUMS: Final = "SHA256SUMS"
_LEVEL: Final = 4  # much faster than the usual 6, for a few hundredths more bytes
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
_MODE: Final = 0o100644  # a plain file


class Archive:
    """A zip in the making. `sums` is what `sha256sum -c` reads, for all that was added so far."""

    def __init__(self) -> None:
        self.sums = ""
        self._sink = _Sink()
        self._zip = ZipFile(self._sink, "w")  # type: ignore[call-overload]  # it needs no more than write and flush

    def add(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Add a file; what is ready of the zip comes out while the file's pieces go in."""
        digest = hashlib.sha256()
        with self._zip.open(_describe(name), "w", force_zip64=True) as member:
            for piece in pieces:
                digest.update(piece)
                member.write(piece)
                yield from self._sink.take()
        self.sums += f"{digest.hexdigest()}  {name}\n"
        yield from self._sink.take()

    def end(self) -> Iterator[bytes]:
        """The directory at the end, without which nobody can open it."""
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
    """Takes what the zip writes, and cannot seek."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits here."""

    def take(self) -> Iterator[bytes]:
        """What was written since, as one piece."""
        pieces, self._pieces = self._pieces, []
        if pieces:
            yield b"".join(pieces)
