"""The Merkle tree over the lines (RFC 6962, section 2.1): roots, inclusion proofs and consistency proofs.

A *node* is a complete subtree: at `level` k it covers 2^k leaves, and `number` counts the nodes of its level from the
left. A tree reads stored nodes from its `Hashes` and computes the others.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

EMPTY_ROOT: Final = hashlib.sha256().digest()
STORED_LEVELS: Final = (8, 16, 24)  # levels of the subtrees whose hashes are stored


class Hashes(Protocol):
    """The known hashes of a tree: its leaves and some complete subtrees."""

    def leaves(self, first: int, end: int) -> Iterable[bytes]:
        """The leaf hashes from `first` to before `end`, in order. Raises LookupError if one is missing."""

    def subtrees(self, level: int, first: int, end: int) -> Sequence[bytes]:
        """The stored hashes of complete subtrees of one of STORED_LEVELS, in order; fewer if some are not stored."""


@dataclass(frozen=True, slots=True)
class Node:
    """A complete subtree and its hash."""

    level: int
    number: int
    hash: bytes


def hash_children(left: bytes, right: bytes) -> bytes:
    """The hash of a node with these children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def find_nodes(first: int, end: int) -> list[tuple[int, int]]:
    """Level and number of the fewest complete subtrees that cover the leaves, from left to right."""
    nodes = []
    while first < end:
        level = (end - first).bit_length() - 1
        if first:
            level = min(level, (first & -first).bit_length() - 1)
        nodes.append((level, first >> level))
        first += 1 << level
    return nodes


class Frontier:
    """The right edge of a growing tree: takes nodes from left to right and gives the root so far."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []  # complete subtrees, each smaller than the one before

    def add(self, hash: bytes, *, level: int = 0) -> None:
        """Append a complete subtree, by default a leaf. Raises ValueError if it does not fit."""
        if self.size & ((1 << level) - 1):
            raise ValueError(f"a subtree of 2^{level} leaves cannot stand after {self.size} leaves")
        self.size += 1 << level
        while self._peaks and self._peaks[-1][0] == level:
            hash = hash_children(self._peaks.pop()[1], hash)
            level += 1
        self._peaks.append((level, hash))

    def root(self) -> bytes:
        """The root of all nodes so far."""
        return join(hash for _, hash in self._peaks)


def join(hashes: Iterable[bytes]) -> bytes:
    """The root over complete subtrees of falling size, from left to right."""
    root: bytes | None = None
    for hash in reversed(list(hashes)):
        root = hash if root is None else hash_children(hash, root)
    return EMPTY_ROOT if root is None else root


class Tree:
    """The tree over `hashes`. All sizes and positions count leaves; every method raises LookupError if a needed hash is
    unknown.
    """

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes

    def root(self, size: int) -> bytes:
        """The root of the first `size` leaves."""
        return join(node.hash for node in self.cover(0, size))

    def cover(self, first: int, end: int) -> list[Node]:
        """The fewest complete subtrees over the leaves from `first` to before `end`, from left to right."""
        return [Node(level, number, self.node(level, number)) for level, number in find_nodes(first, end)]

    def prove_inclusion(self, index: int, size: int) -> list[bytes]:
        """The audit path of a leaf, from its sibling up (RFC 6962, section 2.1.1). Raises ValueError."""
        if not 0 <= index < size:
            raise ValueError(f"a tree of {size} leaves has none at {index}")
        first, end = 0, size
        path = []
        while end - first > 1:
            middle = first + _split(end - first)
            if index < middle:
                path.append(self._root_of(middle, end))
                end = middle
            else:
                path.append(self._root_of(first, middle))
                first = middle
        return path[::-1]

    def prove_consistency(self, old: int, size: int) -> list[bytes]:
        """The proof that the tree of `old` leaves is the beginning of the tree of `size` leaves (section 2.1.2).

        Empty if both are the same or the old tree is empty. Raises ValueError.
        """
        if not 0 <= old <= size:
            raise ValueError(f"a tree of {size} leaves has not grown from one of {old}")
        if old in (0, size):
            return []
        first, end = 0, size
        proof = []
        while end != old:
            middle = first + _split(end - first)
            if old <= middle:
                proof.append(self._root_of(middle, end))
                end = middle
            else:
                proof.append(self._root_of(first, middle))
                first = middle
        if first:  # else this is the old tree itself, and the verifier knows its root
            proof.append(self._root_of(first, end))
        return proof[::-1]

    def node(self, level: int, number: int) -> bytes:
        """The hash of a complete subtree, from the fewest hashes that are stored."""
        for stored in reversed(STORED_LEVELS):
            if stored <= level:
                width = 1 << (level - stored)
                hashes = self._hashes.subtrees(stored, number * width, (number + 1) * width)
                if len(hashes) == width:
                    return _fold(hashes)
        if level <= STORED_LEVELS[0]:
            return _fold(list(self._hashes.leaves(number << level, (number + 1) << level)))
        return hash_children(self.node(level - 1, number * 2), self.node(level - 1, number * 2 + 1))

    def _root_of(self, first: int, end: int) -> bytes:
        """The root over a part of the tree that begins at a multiple of its size."""
        return join(node.hash for node in self.cover(first, end))


def _fold(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes whose number is a power of two."""
    while len(hashes) > 1:
        hashes = [hash_children(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def root_of_leaves(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.add(leaf)
    return frontier.root()


def _split(size: int) -> int:
    """The largest power of two below the size: RFC 6962 splits a tree there."""
    return 1 << (size - 1).bit_length() - 1


def root_by_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an audit path leads to (RFC 9162, section 2.1.3.2). Raises ValueError if it fits no tree."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has none at {index}")
    node, last = index, size - 1
    root = leaf
    for hash in path:
        if last == 0:
            raise ValueError("the path is longer than the tree is high")
        if node & 1 or node == last:
            root = hash_children(hash, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = hash_children(root, hash)
        node, last = node >> 1, last >> 1
    if last:
        raise ValueError("the path is shorter than the tree is high")
    return root


def is_consistent(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the old tree is the beginning of the new one (RFC 9162, section 2.1.4.2)."""
    if not 0 <= old <= size:
        return False
    if old == 0 and old_root != EMPTY_ROOT:
        return False
    if old in (0, size):
        return not proof and (old < size or old_root == root)
    hashes = list(proof)
    if old & (old - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    seen_old = seen = hashes[0]
    for hash in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            seen_old, seen = hash_children(hash, seen_old), hash_children(hash, seen)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            seen = hash_children(seen, hash)
        node, last = node >> 1, last >> 1
    return last == 0 and seen_old == old_root and seen == root
