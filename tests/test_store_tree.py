"""The tree over what is stored: with subtrees of both levels, with pruned leaves, and with something missing."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tagtrail.store.database import Connection, Store
from tagtrail.store.tree import (
    StoredCheckpoint,
    StoredHashes,
    add_checkpoint,
    add_subtree,
    clear_subtrees,
    count_subtrees,
    find_checkpoint,
)
from tagtrail.tlog.tree import Tree, is_consistent, root_by_inclusion
from tests.test_tlog_tree import Definition, some_leaves

PRUNED = 3_000  # lines at the beginning, of which every third is kept
LEAVES = some_leaves(65_536 + 300)
DEFINITION = Definition(LEAVES)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A ledger of 65,836 leaves, of which some were pruned; its subtrees are stored."""
    store = Store(tmp_path_factory.mktemp("tree") / "data")
    store.prepare()
    with store.writing() as tx:
        rows = list(enumerate(LEAVES))
        pruned = [(seq, leaf) for seq, leaf in rows if seq < PRUNED and seq % 3]
        tx.executemany("INSERT INTO lines (seq, line, leaf) VALUES (?, x'7b7d', ?)", rows)
        tx.executemany("INSERT INTO pruned_leaves (seq, leaf) VALUES (?, ?)", pruned)
        tx.execute("UPDATE pruned SET before_seq = ?", (PRUNED,))
        tx.execute("DELETE FROM lines WHERE seq < ? AND seq % 3", (PRUNED,))
        tree = Tree(StoredHashes(tx))
        for number in range(len(LEAVES) >> 8):
            add_subtree(tx, 8, number, tree.node(8, number))
        add_subtree(tx, 16, 0, tree.node(16, 0))
    yield store
    store.close()


@pytest.fixture
def db(store: Store) -> Connection:
    return store.reader()


class Undo(Exception):
    """Leaves a transaction without committing it."""


@contextmanager
def undone(store: Store) -> Iterator[Connection]:
    """A transaction whose changes are gone when the block is over."""
    with suppress(Undo), store.writing() as tx:
        yield tx
        raise Undo


SIZES = [1, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_836]


@pytest.mark.parametrize("size", SIZES)
def test_proofs_over_stored_subtrees_are_those_of_the_definition(db: Connection, size: int) -> None:
    tree, chance = Tree(StoredHashes(db)), random.Random(size)  # noqa: S311 - no secret
    root = tree.root(size)
    assert root == DEFINITION.root(0, size)
    sampled = {1, size // 2 or 1, max(size - 1, 1), size, *(chance.randint(1, size) for _ in range(12))}
    for old in sampled | {edge for edge in SIZES if edge <= size}:
        path = tree.prove_inclusion(old - 1, size)
        assert path == DEFINITION.path(old - 1, 0, size)
        assert root_by_inclusion(LEAVES[old - 1], old - 1, size, path) == root
        proof = tree.prove_consistency(old, size)
        assert proof == DEFINITION.proof(old, size)
        assert is_consistent(old, DEFINITION.root(0, old), size, root, proof)


def test_without_trust_everything_is_computed_from_the_leaves(store: Store) -> None:
    with undone(store) as tx:
        clear_subtrees(tx)
        assert (count_subtrees(tx, 8), count_subtrees(tx, 16)) == (0, 0)
        add_subtree(tx, 8, 0, bytes(32))
        assert Tree(StoredHashes(tx)).root(512) != DEFINITION.root(0, 512)
        assert Tree(StoredHashes(tx, trusting_subtrees=False)).root(512) == DEFINITION.root(0, 512)
    assert (count_subtrees(store.reader(), 8), count_subtrees(store.reader(), 16)) == (257, 1)


def test_leaves_come_in_order_from_kept_and_pruned_lines(db: Connection) -> None:
    assert list(StoredHashes(db).leaves(0, 20_000)) == LEAVES[:20_000]
    assert list(StoredHashes(db).leaves(PRUNED - 5, PRUNED + 5)) == LEAVES[PRUNED - 5 : PRUNED + 5]
    assert list(StoredHashes(db).leaves(7, 7)) == []


@pytest.mark.parametrize(("missing", "first"), [(1, 0), (10, 0), (8_191, 0), (8_192, 0), (9_000, 8_000)])
def test_a_missing_leaf_is_named(store: Store, missing: int, first: int) -> None:
    with undone(store) as tx:
        tx.execute("UPDATE pruned SET before_seq = 20000")
        tx.execute("DELETE FROM lines WHERE seq = ?", (missing,))
        tx.execute("DELETE FROM pruned_leaves WHERE seq = ?", (missing,))
        with pytest.raises(LookupError, match=f"line {missing} is missing"):
            list(StoredHashes(tx).leaves(first, 20_000))


def test_the_end_of_the_ledger_is_no_leaf(db: Connection) -> None:
    with pytest.raises(LookupError, match="line 65836 is missing"):
        list(StoredHashes(db).leaves(65_000, 65_837))


def test_the_newest_checkpoint_is_of_the_newest_epoch(store: Store) -> None:
    with undone(store) as tx:
        assert find_checkpoint(tx) is None
        made = [StoredCheckpoint(epoch, size, bytes(32), f"{epoch}", 1) for epoch, size in ((1, 5), (1, 9), (2, 5))]
        for each in made:
            add_checkpoint(tx, each)
        assert find_checkpoint(tx) == made[2]
        assert find_checkpoint(tx, size=9) == made[1]
        assert find_checkpoint(tx, size=5) == made[2]
        assert find_checkpoint(tx, size=6) is None
