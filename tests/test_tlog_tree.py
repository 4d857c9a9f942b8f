"""The tree: RFC 6962's known answers, every proof against the RFC's own definition, and no wrong proof accepted."""

import hashlib
import random
from collections.abc import Iterator, Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagtrail.line import hash_leaf
from tagtrail.tlog.tree import (
    EMPTY_ROOT,
    Frontier,
    Tree,
    find_nodes,
    hash_children,
    is_consistent,
    join,
    root_by_inclusion,
    root_of_leaves,
)


class Leaves:
    """Leaf hashes in memory, of which no subtree is stored."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = leaves

    def leaves(self, first: int, end: int) -> Iterator[bytes]:
        if end > len(self._leaves):
            raise LookupError(f"there is no leaf {len(self._leaves)}")
        return iter(self._leaves[first:end])

    def subtrees(self, level: int, first: int, end: int) -> list[bytes]:
        return []


class Definition:
    """The tree as section 2.1 of RFC 6962 defines it, word for word; what was computed once is remembered."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._leaves = leaves
        self.root = cache(self._root)

    def _root(self, first: int, end: int) -> bytes:
        if first == end:
            return hashlib.sha256(b"").digest()
        if end - first == 1:
            return self._leaves[first]
        k = largest_power_below(end - first)
        return hashlib.sha256(b"\x01" + self.root(first, first + k) + self.root(first + k, end)).digest()

    def path(self, m: int, first: int, end: int) -> list[bytes]:
        if end - first == 1:
            return []
        k = largest_power_below(end - first)
        if m < k:
            return [*self.path(m, first, first + k), self.root(first + k, end)]
        return [*self.path(m - k, first + k, end), self.root(first, first + k)]

    def proof(self, m: int, size: int) -> list[bytes]:
        return self._subproof(m, 0, size, whole=True)

    def _subproof(self, m: int, first: int, end: int, *, whole: bool) -> list[bytes]:
        n = end - first
        if m == n:
            return [] if whole else [self.root(first, end)]
        k = largest_power_below(n)
        if m <= k:
            return [*self._subproof(m, first, first + k, whole=whole), self.root(first + k, end)]
        return [*self._subproof(m - k, first + k, end, whole=False), self.root(first, first + k)]


def largest_power_below(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def flip(hash: bytes, bit: int = 0) -> bytes:
    """The hash with one bit changed."""
    return (int.from_bytes(hash, "big") ^ (1 << bit)).to_bytes(len(hash), "big")


def some_leaves(count: int) -> list[bytes]:
    return [hash_leaf(str(seq).encode()) for seq in range(count)]


LEAVES = some_leaves(300)
TREE, DEFINITION = Tree(Leaves(LEAVES)), Definition(LEAVES)

# The known answers of the reference code of Certificate Transparency, as github.com/transparency-dev/merkle has them in
# testonly/constants.go, testonly/reference_test.go and rfc6962/rfc6962_test.go.

INPUTS = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
KNOWN = Tree(Leaves([hash_leaf(text) for text in INPUTS]))
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAF_0, LEAF_1 = ROOTS[1], "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
NODE_1_0, NODE_1_1 = ROOTS[2], "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
NODE_1_2 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
NODE_1_3 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
NODE_2_0, NODE_2_1 = ROOTS[4], "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"


def test_hashes_are_those_of_the_reference_code() -> None:
    assert hash_leaf(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert hash_children(b"N123", b"N456").hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert EMPTY_ROOT.hex() == ROOTS[0]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference_code(size: int) -> None:
    assert KNOWN.root(size).hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (0, 2, [LEAF_1]),
        (1, 2, [LEAF_0]),
        (2, 3, [NODE_1_0]),
        (1, 5, [LEAF_0, NODE_1_1, LEAF_4]),
        (0, 8, [LEAF_1, NODE_1_1, NODE_2_1]),
        (5, 8, [LEAF_4, NODE_1_3, NODE_2_0]),
    ],
)
def test_audit_paths_are_those_of_the_reference_code(index: int, size: int, path: list[str]) -> None:
    assert [hash.hex() for hash in KNOWN.prove_inclusion(index, size)] == path
    root = root_by_inclusion(hash_leaf(INPUTS[index]), index, size, [bytes.fromhex(hash) for hash in path])
    assert root.hex() == ROOTS[size]


@pytest.mark.parametrize(
    ("old", "size", "proof"),
    [
        (1, 1, []),
        (1, 8, [LEAF_1, NODE_1_1, NODE_2_1]),
        (2, 5, [NODE_1_1, LEAF_4]),
        (6, 8, [NODE_1_2, NODE_1_3, NODE_2_0]),
    ],
)
def test_consistency_proofs_are_those_of_the_reference_code(old: int, size: int, proof: list[str]) -> None:
    assert [hash.hex() for hash in KNOWN.prove_consistency(old, size)] == proof
    roots = bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size])
    assert is_consistent(old, roots[0], size, roots[1], [bytes.fromhex(hash) for hash in proof])


# Every tree up to 300 leaves


class RememberingTree(Tree):
    """A tree that computes each node once, so that all proofs of all sizes can be made in a test."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        super().__init__(Leaves(leaves))
        self._compute = cache(super().node)

    def node(self, level: int, number: int) -> bytes:
        return self._compute(level, number)


def test_every_proof_up_to_300_leaves_is_the_one_of_the_definition() -> None:
    tree = RememberingTree(LEAVES)
    for size in range(1, 301):
        root = tree.root(size)
        assert root == TREE.root(size) == DEFINITION.root(0, size)
        for index in range(size):
            path = tree.prove_inclusion(index, size)
            assert path == DEFINITION.path(index, 0, size)
            assert root_by_inclusion(LEAVES[index], index, size, path) == root
        for old in range(1, size + 1):
            proof = tree.prove_consistency(old, size)
            assert proof == DEFINITION.proof(old, size)
            assert is_consistent(old, DEFINITION.root(0, old), size, root, proof)


def leads_to(root: bytes, leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bool:
    try:
        return root_by_inclusion(leaf, index, size, path) == root
    except ValueError:
        return False


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 64, 100, 256, 300])
def test_no_wrong_inclusion_proof_is_accepted(size: int) -> None:
    chance, root = random.Random(size), TREE.root(size)  # noqa: S311 - no secret
    for index in {0, size - 1, size // 2, chance.randrange(size)}:
        leaf, path = LEAVES[index], TREE.prove_inclusion(index, size)
        assert leads_to(root, leaf, index, size, path)
        wrong = [[*path, root], [leaf, *path], *([path[:-1], path[1:], path[::-1]] if len(path) > 1 else [])]
        wrong += [[*path[:at], flip(path[at], chance.randrange(256)), *path[at + 1 :]] for at in range(len(path))]
        assert not any(leads_to(root, leaf, index, size, each) for each in wrong if each != path)
        assert not leads_to(root, flip(leaf), index, size, path)
        others = [other for other in range(-1, size + 2) if other != index]
        assert not any(leads_to(root, leaf, other, size, path) for other in others)
        if path:
            assert not any(
                leads_to(TREE.root(other), leaf, index, other, path) for other in range(301) if other != size
            )


@pytest.mark.parametrize("size", [2, 3, 7, 8, 9, 64, 100, 256, 300])
def test_no_wrong_consistency_proof_is_accepted(size: int) -> None:
    chance, root = random.Random(size), TREE.root(size)  # noqa: S311 - no secret
    for old in {1, size // 2, size - 1, chance.randrange(1, size)}:
        old_root, proof = TREE.root(old), TREE.prove_consistency(old, size)
        assert is_consistent(old, old_root, size, root, proof)
        wrong = [[], proof[:-1], proof[1:], [*proof, root], [old_root, *proof]]
        wrong += [[*proof[:at], flip(proof[at], chance.randrange(256)), *proof[at + 1 :]] for at in range(len(proof))]
        assert not any(is_consistent(old, old_root, size, root, each) for each in wrong)
        assert not is_consistent(old, flip(old_root), size, root, proof)
        assert not is_consistent(old, old_root, size, flip(root), proof)
        for other in range(-1, size + 2):
            if other != old:
                assert not is_consistent(other, TREE.root(max(other, 0)) if other <= 300 else b"", size, root, proof)


def test_a_tree_is_consistent_with_itself_and_with_the_empty_one_only_without_a_proof() -> None:
    root = TREE.root(5)
    assert is_consistent(5, root, 5, root, [])
    assert is_consistent(0, EMPTY_ROOT, 5, root, [])
    assert is_consistent(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    assert not is_consistent(5, root, 5, flip(root), [])
    assert not is_consistent(5, root, 5, root, [root])
    assert not is_consistent(0, root, 5, root, [])
    assert not is_consistent(0, EMPTY_ROOT, 0, root, []), "a tree of no leaves has one root"
    assert not is_consistent(0, root, 0, root, [])
    assert not is_consistent(6, root, 5, root, [])


def test_what_no_tree_has_is_refused() -> None:
    for index, size in ((-1, 5), (5, 5), (0, 0)):
        with pytest.raises(ValueError, match="has none at"):
            TREE.prove_inclusion(index, size)
    for old in (-1, 6):
        with pytest.raises(ValueError, match="has not grown"):
            TREE.prove_consistency(old, 5)
    with pytest.raises(LookupError):
        TREE.root(301)


# Parts


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_the_nodes_over_a_range_touch_and_are_as_large_as_they_can_be(one: int, other: int) -> None:
    first, end = sorted((one, other))
    at = first
    for level, number in find_nodes(first, end):
        assert number << level == at
        larger = 1 << level + 1
        assert at % larger or at + larger > end
        at += 1 << level
    assert at == end


@given(st.data())
@settings(max_examples=60)
def test_a_root_can_be_put_together_from_any_parts(data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 300))
    first = data.draw(st.integers(0, size))
    middle = data.draw(st.integers(first, size))
    frontier = Frontier()
    for begin, end in ((0, first), (first, middle), (middle, size)):
        for node in TREE.cover(begin, end):
            assert node.hash == DEFINITION.root(node.number << node.level, (node.number + 1) << node.level)
            frontier.add(node.hash, level=node.level)
    assert (frontier.size, frontier.root()) == (size, DEFINITION.root(0, size))


def test_a_subtree_stands_only_where_it_fits() -> None:
    frontier = Frontier()
    frontier.add(LEAVES[0])
    with pytest.raises(ValueError, match="cannot stand after 1 leaves"):
        frontier.add(LEAVES[1], level=1)
    assert (frontier.size, frontier.root()) == (1, LEAVES[0])
    assert join([]) == root_of_leaves([]) == EMPTY_ROOT
