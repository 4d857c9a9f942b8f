"""`proof.json`: what joins the lines of a bundle to the root that was signed.

Written so that it can be read line by line: every line of the range that is not in the bundle has a line of its own,
with its leaf hash.
"""

import json
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Iterable, Iterator

from tagtrail.audit.bundle.log import Log
from tagtrail.audit.bundle.reading import Reading
from tagtrail.audit.bundle.selection import INCLUDED, PRUNED, Selection, Window
from tagtrail.ledger.seal.note import Checkpoint
from tagtrail.ledger.seal.tree import Node, Tree
from tagtrail.store.tree import StoredHashes


def write_proof(reading: Reading, selection: Selection, log: Log, earlier: Checkpoint | None) -> Iterator[bytes]:
    """The proof, in pieces."""
    yield _write_head(reading, selection, log, earlier).encode()
    separator = b""
    for window in selection.windows():
        if window.marks.count(INCLUDED) == len(window.marks):
            continue
        with reading.page() as db:
            leaves = list(StoredHashes(db).leaves(window.first, window.end))
        yield separator + b",\n".join(_write_withheld(window, leaves))
        separator = b",\n"
    yield b"\n]}\n" if separator else b"]}\n"


def _write_head(reading: Reading, selection: Selection, log: Log, earlier: Checkpoint | None) -> str:
    with reading.page() as db:
        tree = Tree(StoredHashes(db))
        left, right = tree.cover(0, selection.first), tree.cover(selection.end, log.size)
        proof = tree.prove_consistency(earlier.size, log.size) if earlier is not None else []
    since = None if earlier is None else {"size": earlier.size, "proof": [_base64(hash) for hash in proof]}
    return (
        f'{{"origin":{json.dumps(log.origin)},"size":{log.size},"root":"{_base64(log.checkpoint.root)}",'
        f'"first":{selection.first},"end":{selection.end},\n'
        f'"left":{_write_nodes(left)},\n'
        f'"right":{_write_nodes(right)},\n'
        f'"since":{json.dumps(since, separators=(",", ":"))},\n'
        '"withheld":[\n'
    )


def _write_nodes(nodes: Iterable[Node]) -> str:
    return json.dumps([[node.level, _base64(node.hash)] for node in nodes], separators=(",", ":"))


def _write_withheld(window: Window, leaves: list[bytes]) -> Iterator[bytes]:
    for seq, (mark, leaf) in enumerate(zip(window.marks, leaves, strict=True), start=window.first):
        if mark != INCLUDED:
            pruned = b',"pruned"' if mark == PRUNED else b""
            yield b'[%d,"%b"%b]' % (seq, b2a_base64(leaf, newline=False), pruned)


def _base64(hash: bytes) -> str:
    return b64encode(hash).decode()
