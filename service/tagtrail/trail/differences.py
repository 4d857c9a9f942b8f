"""What changed between two instants: for each tag what its moves in between came to.

`T` is whatever stands for a tag, `D` for a digest, as in `moves.py`.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tagtrail.trail.moves import D, Move

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
