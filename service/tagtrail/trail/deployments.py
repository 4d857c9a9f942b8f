"""Deployments: the images published for an environment, each with its direction and its end.

`D` is the type of a digest, as in `moves.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Generic, Literal

from tagtrail.trail.moves import D, Moment

Basis = Literal["reported", "declared"]
Direction = Literal["first", "forward", "back", "again"]


@dataclass(frozen=True, slots=True)
class Publication(Generic[D]):
    """A publication for an environment: its tag moved (reported), or a pipeline declared it (declared).

    Without a digest it is a withdrawal: the environment's tag was deleted.
    """

    moment: Moment
    seq: int
    digest: D | None


@dataclass(frozen=True, slots=True)
class Deployment(Generic[D]):
    """A publication in its place in the environment's history.

    `direction` is None for a withdrawal. `previous` is the seq of the line behind the deployment before this one;
    `until` (nanoseconds, UTC; None: still) is when it was replaced or withdrawn.
    """

    publication: Publication[D]
    direction: Direction | None = None
    previous: int | None = None
    until: int | None = None


def derive_deployments(publications: Iterable[Publication[D]]) -> list[Deployment[D]]:
    """The whole history of one environment and repository, oldest first, from its publications in any order."""
    history: list[Deployment[D]] = []
    had: set[D] = set()
    last: Publication[D] | None = None
    for publication in sorted(publications, key=lambda publication: publication.moment):
        if history:
            history[-1] = replace(history[-1], until=publication.moment.occurred_at)
        history.append(place(publication, last=last, had=publication.digest in had))
        if publication.digest is not None:
            last = publication
            had.add(publication.digest)
    return history


def place(publication: Publication[D], *, last: Publication[D] | None, had: bool) -> Deployment[D]:
    """The newest publication as a deployment: `last` is the deployment before it, `had` whether its digest ever was.

    `back` means that the environment had this digest before and another one since.
    """
    direction: Direction | None
    if publication.digest is None:
        direction = None
    elif last is None:
        direction = "first"
    elif last.digest == publication.digest:
        direction = "again"
    else:
        direction = "back" if had else "forward"
    return Deployment(publication, direction, last.seq if last else None)
