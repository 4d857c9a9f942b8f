"""Rotation statements: signed notes in which a key of the log hands over to the next.

A checkpoint cannot hand over: its text names no key, so any signature can be added to it. The text of a statement is,
line by line: `tagtrail/key-rotation/v1`, the origin, the size and the root of the tree that ends with the `key` line,
the old key, the new key. The old and the new key sign it. The first line can never be an origin, so no statement is a
checkpoint and no checkpoint is a statement.
"""

import re
from dataclasses import dataclass
from typing import Final

from tagtrail.tlog.note import (
    BadNote,
    Checkpoint,
    Signer,
    VerifierKey,
    read_checkpoint,
    read_note,
    read_verifier_key,
    write_note,
)

ROTATION: Final = "tagtrail/key-rotation/v1"
_NOTE = re.compile("tagtrail/key-rotation/v1\n(?:(?!tagtrail/key-rotation/)[^\n]+\n)+\n(?:\N{EM DASH} [^\n]+\n)+")


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key hands over to another; the last of the `tree.size` lines is the `key` line that names the new key."""

    tree: Checkpoint
    old: VerifierKey
    new: VerifierKey

    def __str__(self) -> str:
        """The note's text."""
        return f"{ROTATION}\n{self.tree}{self.old}\n{self.new}\n"

    def sign(self, old: Signer, new: Signer) -> str:
        """The statement as a signed note."""
        return write_note(str(self), (old, new))


def read_rotation(note: str, *, old: VerifierKey, new: VerifierKey) -> Rotation:
    """The statement by which the old key hands over to the new one.

    Raises BadNote unless the note is exactly that, of the log of both keys, and signed by both.
    """
    read = read_note(note)
    kind, *lines = read.text.split("\n")
    if kind != ROTATION or len(lines) != 6:
        raise BadNote("this is no rotation statement")
    tree = read_checkpoint("".join(f"{line}\n" for line in lines[:3]))
    rotation = Rotation(tree, read_verifier_key(lines[3]), read_verifier_key(lines[4]))
    if str(rotation) != read.text or rotation != Rotation(tree, old, new) or {old.name, new.name} != {tree.origin}:
        raise BadNote(f"the rotation statement does not hand over from {old} to {new}")
    signed = read.verify((old, new))
    for key in (old, new):
        if key not in signed:
            raise BadNote(f"the rotation statement is not signed by {key}")
    return rotation


def find_statements(text: str) -> list[str]:
    """The signed notes in a text that holds one after the other."""
    found: list[str] = _NOTE.findall(text)
    return found
