"""Heads, moves, intervals and differences of a tag, derived from its pushes and deletes in the registry's order.

`D` is the type of a digest: its text, or its number in the store.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

D = TypeVar("D", bound=Hashable)
T = TypeVar("T", bound=Hashable)
MoveKind = Literal["created", "moved", "moved_back", "deleted"]


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """The position of an event among its registry's events: the registry's clock, then the event id.

    So a set of events has one order, regardless of arrival.
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

    With a digest, it removes the tag only while the tag points to that digest; without one, it names the tag itself or
    the whole repository.
    """

    moment: Moment
    seq: int
    digest: D | None = None


@dataclass(frozen=True, slots=True)
class Move(Generic[D]):
    """A change of a tag's head. `previous` is the digest that the tag pointed to last, if need be before a delete."""

    moment: Moment
    seq: int
    kind: MoveKind
    digest: D | None
    previous: D | None


@dataclass(frozen=True, slots=True)
class Head(Generic[D]):
    """The state of a tag: the digest it points to (None: no digest), and the last digest it pointed to."""

    digest: D | None = None
    last: D | None = None


def decide(head: Head[D], fact: Push[D] | Delete[D], *, had: Callable[[D], bool]) -> Move[D] | None:
    """The move that a push or delete makes; None for a repeated push or a delete without effect.

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
    """The moves of one tag that follow from the facts, given in any order; oldest first.

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
    """Whether the move, if the tag is a release tag, violates the rule that a release tag never moves.

    A tag that comes back with another digest after a delete violates it too: a client that pulls it again gets another
    image.
    """
    return move.kind != "created" or (move.previous is not None and move.previous != move.digest)


@dataclass(frozen=True, slots=True)
class Difference(Generic[D]):
    """The net effect of a tag's moves between two instants: its digest before the first and after the last.

    None is no digest. There is at least one move.
    """

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
