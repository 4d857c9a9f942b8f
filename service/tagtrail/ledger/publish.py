"""Publishes images for environments, by a tag's move or a pipeline's declaration; late ones get their place in time."""

from collections.abc import Sequence
from dataclasses import dataclass

from tagtrail.ledger.rulebook import RuleBook
from tagtrail.store import publications
from tagtrail.store.database import Connection
from tagtrail.store.publications import Place
from tagtrail.trail.deployments import Basis, Deployment, Direction, Publication, derive_deployments, place
from tagtrail.trail.moves import Moment, Move


@dataclass(frozen=True, slots=True)
class KnownTag:
    """A tag by its names and by its ids."""

    registry: str
    repository: str
    repository_id: int
    tag: str
    tag_id: int


@dataclass(frozen=True, slots=True)
class Published:
    """A publication for an environment, with its tag; without a direction it is a withdrawal.

    `is_late` if the environment has a newer publication: then the direction is judged by arrival, not by its place.
    """

    environment: str
    tag: str | None
    basis: Basis
    direction: Direction | None
    is_late: bool


def publish_move(tx: Connection, book: RuleBook, tag: KnownTag, move: Move[int]) -> list[Published]:
    """Publish the tag's newest move for every environment that the tag means, by the rules of the move's line."""
    return [
        publish(
            tx, Place(environment, tag.repository_id), _publication(move),
            basis="reported", tag=tag.tag, tag_id=tag.tag_id,
        )
        for environment in _environments_of(book, tag, move)
    ]  # fmt: skip


def republish(tx: Connection, book: RuleBook, tag: KnownTag, *, since: Moment, moves: Sequence[Move[int]]) -> None:
    """Replace the tag's publications from the moment on by those of these moves."""
    published = [(environment, move) for move in moves for environment in _environments_of(book, tag, move)]
    for environment in sorted(book.environments):
        where = Place(environment, tag.repository_id)
        publications.remove_reported(tx, where, tag_id=tag.tag_id, since=since)
        for meant, move in published:
            if meant == environment:
                placeless = Deployment(_publication(move))
                publications.add_publication(tx, where, basis="reported", tag_id=tag.tag_id, deployment=placeless)
        _derive_history(tx, where)


def publish(
    tx: Connection, where: Place, publication: Publication[int], *, basis: Basis, tag: str | None, tag_id: int
) -> Published:
    """Write a publication; if it is late, also update the later ones."""
    newest = publications.get_newest_moment(tx, where)
    is_newest = newest is None or publication.moment > newest
    if is_newest and newest is not None:
        publications.end_newest(tx, where, publication.moment.occurred_at)
    had = publication.digest is not None and publications.was_published(tx, where, publication.digest)
    deployment = place(publication, last=publications.get_newest_deployment(tx, where), had=had)
    publications.add_publication(tx, where, basis=basis, tag_id=tag_id, deployment=deployment)
    if not is_newest:
        _derive_history(tx, where)
    return Published(where.environment, tag, basis, deployment.direction, not is_newest)


def _environments_of(book: RuleBook, tag: KnownTag, move: Move[int]) -> list[str]:
    rules = book.at(move.seq).environments_of(tag.registry, tag.repository, tag.tag)
    return [rule.name for rule in rules]


def _publication(move: Move[int]) -> Publication[int]:
    return Publication(move.moment, move.seq, move.digest)


def _derive_history(tx: Connection, where: Place) -> None:
    publications.rewrite_history(tx, where, derive_deployments(publications.find_publications(tx, where)))
