"""Heads, moves and intervals: what a tag's pushes and deletes, put in the registry's order, did to it.

`D` is whatever stands for a digest: its text, or the number under which the store keeps it.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

D = TypeVar("D", bound=Hashable)
MoveKind = Literal["created", "moved", "moved_back", "deleted"]


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Where an event stands among its registry's events: by the registry's clock, and by event id within a tie.

    The same set of events thus has one order, whatever order they arrive in.
    """

    occurred_at: int
    event: bytes


@dataclass(frozen=True, slots=True)
class Push(Generic[D]):
    """A push of this digest under the tag in question; `seq` is its line in the ledger."""

    moment: Moment
    seq: int
    digest: D


@dataclass(frozen=True, slots=True)
class Delete(Generic[D]):
    """A delete that may concern the tag in question.

    With a digest it takes the tag away only while the tag points to that digest; without one it names the tag
    itself, or its whole repository.
    """

    moment: Moment
    seq: int
    digest: D | None = None


@dataclass(frozen=True, slots=True)
class Move(Generic[D]):
    """A tag's head changing. `previous` is the digest the tag named last, before a deletion if need be."""

    moment: Moment
    seq: int
    kind: MoveKind
    digest: D | None
    previous: D | None


@dataclass(frozen=True, slots=True)
class Head(Generic[D]):
    """Where a tag stands: the digest it points to (None: nothing) and the digest it named last."""

    digest: D | None = None
    last: D | None = None


def decide(head: Head[D], fact: Push[D] | Delete[D], *, had: Callable[[D], bool]) -> Move[D] | None:
    """What the fact does to the head; None for a repeated push, or a delete of what is not there.

    `had(digest)` tells whether the tag pointed to the digest at any time before.
    """
    if isinstance(fact, Delete):
        if head.digest is None or fact.digest not in (None, head.digest):
            return None
        return Move(fact.moment, fact.seq, "deleted", None, head.digest)
    if fact.digest == head.digest:
        return None
    if head.digest is None:
        return Move(fact.moment, fact.seq, "created", fact.digest, head.last)
    kind: MoveKind = "moved_back" if had(fact.digest) else "moved"
    return Move(fact.moment, fact.seq, kind, fact.digest, head.digest)


def follow(head: Head[D], move: Move[D]) -> Head[D]:
    """The head after the move."""
    return Head(move.digest, head.last if move.digest is None else move.digest)


def derive_moves(
    facts: Iterable[Push[D] | Delete[D]],
    *,
    head: Head[D] | None = None,
    had: Callable[[D], bool] = lambda digest: False,
) -> list[Move[D]]:
    """The moves that the facts, given in any order, make of one tag; oldest first.

    `head` and `had` say where the tag stood, and which digests it had been, before the first of the facts.
    """
    head = head or Head()
    since: set[D] = set()
    moves: list[Move[D]] = []
    for fact in sorted(facts, key=lambda fact: fact.moment):
        move = decide(head, fact, had=lambda digest: digest in since or had(digest))
        if move is not None:
            head = follow(head, move)
            moves.append(move)
            if move.digest is not None:
                since.add(move.digest)
    return moves


@dataclass(frozen=True, slots=True)
class Interval(Generic[D]):
    """A tag was this digest from `since` until `until` (None: still); both by the registry's clock."""

    digest: D
    since: int
    until: int | None


def intervals(moves: Sequence[Move[D]]) -> list[Interval[D]]:
    """The intervals that the moves of one tag, oldest first, begin and end."""
    ends: list[int | None] = [move.moment.occurred_at for move in moves[1:]]
    return [
        Interval(move.digest, move.moment.occurred_at, end)
        for move, end in zip(moves, [*ends, None], strict=False)
        if move.digest is not None
    ]


def breaks_release(move: Move[D]) -> bool:
    """Whether the move, were it a release tag's, violates the rule that a release tag never moves.

    Also so when the tag comes back with another digest after it was deleted: whoever pulled it before and pulls
    it again gets something else.
    """
    return move.kind != "created" or (move.previous is not None and move.previous != move.digest)


# What changed between two instants: for each tag what its moves in between came to.


T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Difference(Generic[D]):
    """What a tag was before the first of its moves and after the last (None: it named nothing); never without moves."""

    was: D | None
    became: D | None
    moves: tuple[Move[D], ...]

    @property
    def came_to_nothing(self) -> bool:
        """Whether the tag ended where it began."""
        return self.was == self.became


def find_differences(moved: Iterable[tuple[T, Move[D]]]) -> dict[T, Difference[D]]:
    """The difference of each tag that moved, from all moves between the instants, in any order."""
    by_tag: dict[T, list[Move[D]]] = {}
    for tag, move in moved:
        by_tag.setdefault(tag, []).append(move)
    return {tag: _compare(sorted(moves, key=lambda move: move.moment)) for tag, moves in by_tag.items()}


def _compare(moves: list[Move[D]]) -> Difference[D]:
    """A tag that was created named nothing before, whatever it had named before it was deleted."""
    first, last = moves[0], moves[-1]
    return Difference(None if first.kind == "created" else first.previous, last.digest, tuple(moves))
