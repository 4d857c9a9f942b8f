"""The journal: the ledger's lines and checkpoints as plain files outside the database, to be shipped elsewhere.

Each epoch of the log has a directory. It holds, by UTC day, `2026-04-20.ndjson` (the exact lines) and
`2026-04-20.checkpoints` (signed notes, one after the other); `keys.vkey` (the keys that verify them); and, after a
change of key, `statements` (how each key was introduced). It holds no personal data. Files only grow; a half-written
end that a crash left is cut off before the next write. File names rise too, even if the clock was set back, so the file
with the highest name holds the newest line or note.
"""

import os
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

import msgspec

from tagtrail.errors import Contradicted
from tagtrail.tlog.statements import find_statements

_LINES: Final = ".ndjson"
_CHECKPOINTS: Final = ".checkpoints"
_KEYS: Final = "keys.vkey"
_STATEMENTS: Final = "statements"
_NOTE = re.compile(r"[^\n]+\n\d+\n[A-Za-z0-9+/=]+\n\n(?:\N{EM DASH} [^\n]+\n)+")
_EPOCH = re.compile(r"epoch-([1-9]\d{0,8})", re.ASCII)
_TAIL: Final = 128 * 1024  # bytes: more than the longest line and the longest note


class _Place(msgspec.Struct):
    """The fields of a line that the journal needs."""

    seq: int
    at: str


_places = msgspec.json.Decoder(_Place)


class Journal:
    """The journal of one epoch. Every method raises OSError if the disk fails, and Contradicted for a file that was
    changed.
    """

    def __init__(self, directory: Path, *, epoch: int) -> None:
        self.epoch = epoch
        self.directory = directory / f"epoch-{epoch}"

    def append(self, lines: Iterable[bytes]) -> None:
        """Append lines that follow the present ones; durable when this returns."""
        for day, of_day in groupby(lines, key=lambda line: _places.decode(line).at[:10]):
            self._append(f"{day}{_LINES}", (line + b"\n" for line in of_day))

    def append_checkpoint(self, note: str, *, day: str) -> None:
        """Append a signed note that covers the lines before it; durable when this returns. `day` is YYYY-MM-DD."""
        newest = (path.name for path in self._newest_first(_CHECKPOINTS)[:1])
        self._append(max([f"{day}{_CHECKPOINTS}", *newest]), [note.encode()])

    def append_key(self, key: str) -> None:
        """Append a verifier key unless it is present; durable when this returns."""
        if key not in self.keys():
            self._append(_KEYS, [f"{key}\n".encode()])

    def keys(self) -> list[str]:
        """The verifier keys of this epoch, oldest first."""
        path = self.directory / _KEYS
        return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []

    def append_statement(self, note: str) -> None:
        """Append a statement about a key unless it is present; durable when this returns."""
        if note not in self.statements():
            self._append(_STATEMENTS, [note.encode()])

    def statements(self) -> list[str]:
        """The statements about the keys of this epoch, as signed notes, oldest first."""
        path = self.directory / _STATEMENTS
        return find_statements(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else []

    def find_checkpoint(self) -> str | None:
        """The newest signed note as it was written; None before the first."""
        for path in self._newest_first(_CHECKPOINTS):
            notes = _find_notes(_read_end(path)[0]) or _find_notes(path.read_bytes())
            if notes:
                return notes[-1]
        return None

    def checkpoints(self) -> Iterator[str]:
        """All signed notes, oldest first."""
        for path in reversed(self._newest_first(_CHECKPOINTS)):
            yield from _find_notes(path.read_bytes())

    def find_last(self) -> tuple[int, bytes] | None:
        """The newest line with its seq; None before the first."""
        for path in self._newest_first(_LINES):
            lines = _read_end(path)[0].splitlines()
            if lines:
                return _read_seq(lines[-1], path), lines[-1]
        return None

    def lines(self, *, first: int = 0) -> Iterator[tuple[int, bytes]]:
        """The lines from the seq `first` on, with their seq."""
        for path in reversed(self._newest_first(_LINES)):
            with path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n") and (seq := _read_seq(line, path)) >= first:
                        yield seq, line[:-1]

    def _newest_first(self, suffix: str) -> list[Path]:
        return sorted(self.directory.glob(f"*{suffix}"), reverse=True)

    def _append(self, name: str, pieces: Iterable[bytes]) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / name
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            file.seek(_read_end(path)[1])
            file.truncate()
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self.directory)


def find_newest_epoch(directory: Path) -> int:
    """The newest epoch that has a journal; 0 if none has."""
    found = (_EPOCH.fullmatch(path.name) for path in directory.glob("epoch-*"))
    return max((int(match[1]) for match in found if match), default=0)


def _find_notes(text: bytes) -> list[str]:
    notes: list[str] = _NOTE.findall(text.decode(errors="replace"))
    return notes


def _read_seq(line: bytes, path: Path) -> int:
    try:
        return _places.decode(line).seq
    except msgspec.MsgspecError:
        raise Contradicted(
            f"in {path} stands something that is no line of a ledger; put back the journal as it was written, or go on"
            " without it: tagtrail log new-epoch --reason TEXT"
        ) from None


def _read_end(path: Path) -> tuple[bytes, int]:
    """The last whole lines of a file, and where they end; the rest was never finished."""
    end = path.stat().st_size
    with path.open("rb") as file:
        while True:
            first = max(0, end - _TAIL)
            file.seek(first)
            read = file.read(end - first)
            lines = read[: read.rfind(b"\n") + 1]
            if lines or not first:
                return lines, first + len(lines)
            end = first  # a power cut may leave any number of zeros


def sync_directory(directory: Path) -> None:
    """Make the file names of a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
