"""The proof that a checkpoint covers one line, as text: https://c2sp.org/tlog-proof.

It can be kept beside the line. The log's verifier key is enough to check it, without this service.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tagtrail.errors import Contradicted
from tagtrail.line import hash_leaf
from tagtrail.store.database import Connection
from tagtrail.store.tree import StoredCheckpoint, StoredHashes
from tagtrail.tlog.note import BadNote, Checkpoint, VerifierKey, decode_base64, read_checkpoint, read_note
from tagtrail.tlog.tree import Tree, root_by_inclusion

_HEADER: Final = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile("index (0|[1-9][0-9]{0,17})")
_EXTRA: Final = "extra "


@dataclass(frozen=True, slots=True)
class LineProof:
    """Proves that the line at `index` is a leaf of the tree in `note`; `path` leads from it to the root."""

    index: int
    path: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        """The proof's text."""
        path = "".join(f"{b64encode(hash).decode()}\n" for hash in self.path)
        return f"{_HEADER}\nindex {self.index}\n{path}\n{self.note}"

    def verify(self, line: bytes, keys: Iterable[VerifierKey]) -> Checkpoint:
        """The checkpoint that covers the line, signed by one of the keys. Raises BadNote."""
        note = read_note(self.note)
        signed = note.verify(keys)
        checkpoint = read_checkpoint(note.text)
        if checkpoint.origin not in (key.name for key in signed):
            raise BadNote(f"the checkpoint of {checkpoint.origin[:120]!r} is not signed by that log's key")
        try:
            root = root_by_inclusion(hash_leaf(line), self.index, checkpoint.size, self.path)
        except ValueError as error:
            raise BadNote(f"this proves nothing: {error}") from error
        if root != checkpoint.root:
            raise BadNote(f"this is not line {self.index} of the {checkpoint.size} that were signed")
        return checkpoint


def write_proof(db: Connection, seq: int, checkpoint: StoredCheckpoint) -> str:
    """The proof that the checkpoint, which must have more than `seq` lines, covers the line.

    Raises Contradicted if the ledger contradicts the checkpoint: then there is no proof.
    """
    hashes = StoredHashes(db)
    try:
        path = Tree(hashes).prove_inclusion(seq, checkpoint.size)
        root = root_by_inclusion(next(iter(hashes.leaves(seq, seq + 1))), seq, checkpoint.size, path)
    except LookupError as error:
        raise Contradicted(f"the checkpoint of {checkpoint.size} lines cannot be proved: {error}") from error
    if root != checkpoint.root:
        raise Contradicted(f"line {seq} is not under the checkpoint of {checkpoint.size} lines as the ledger is now")
    return str(LineProof(seq, tuple(path), checkpoint.note))


def read_proof(text: str) -> LineProof:
    """Parse a proof; extra data is ignored. Raises BadNote; verifies nothing."""
    above, separator, note = text.partition("\n\n")
    header, *lines = above.split("\n")
    if lines and lines[0].startswith(_EXTRA):
        decode_base64(lines.pop(0).removeprefix(_EXTRA))
    index = _INDEX.fullmatch(lines[0]) if lines else None
    if header != _HEADER or not separator or index is None:
        raise BadNote("this is no proof: a header, an index, hashes, an empty line and a checkpoint")
    path = tuple(decode_base64(line) for line in lines[1:])
    if any(len(hash) != 32 for hash in path):
        raise BadNote("a hash of the proof has not 32 bytes")
    return LineProof(int(index[1]), path, note)
