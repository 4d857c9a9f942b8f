"""Columns that several tables have: the image, its digest, who, since when, and the ledger line behind it."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from rich.text import Text

from tagtrail.cli.place import Trail
from tagtrail.cli.table import Column
from tagtrail.cli.words import listed, local_time, visible
from tagtrail.store.deployments import RecordedDeployment
from tagtrail.wording.clauses import Manner

T = TypeVar("T")


class Image(Protocol):
    """A row about an image of a registry."""

    @property
    def registry(self) -> str: ...
    @property
    def host(self) -> str | None: ...
    @property
    def repository(self) -> str: ...
    @property
    def tag(self) -> str | None: ...
    @property
    def digest(self) -> str | None: ...


class Acted(Protocol):
    """A row about what somebody did."""

    @property
    def actor(self) -> str | None: ...


class Rested(Protocol):
    """A row that rests on a line of the ledger."""

    @property
    def seq(self) -> int: ...


def image(trail: Trail, of: Callable[[T], Image | None], *, without_digest: str = "") -> list[Column[T]]:
    """The image: in one column, pinned and with its host, where that fits; else its tag and a shortened digest.

    `without_digest` stands where there is no digest.
    """
    return [
        Column("IMAGE", lambda row: name_image(trail.manner(is_whole=True), of(row)), form="wide", style="bold"),
        Column("TAG", lambda row: name_tag(trail, of(row)), form="narrow", style="bold", folds=True),
        Column("DIGEST", lambda row: name_digest(trail, of(row)) or without_digest, form="narrow"),
    ]


def name_image(manner: Manner, image: Image | None) -> str:
    """The whole reference of an image, if there is one."""
    if image is None:
        return ""
    return manner.name(image.registry, image.host, image.repository, image.tag, image.digest)


def name_tag(trail: Trail, image: Image | None) -> str:
    """An image's repository and tag, as short as it is clear."""
    if image is None:
        return ""
    return trail.manner(is_whole=False).name(image.registry, image.host, image.repository, image.tag, None)


def name_digest(trail: Trail, image: Image | None) -> str:
    """An image's digest, shortened."""
    return trail.manner(is_whole=False).digest(image.digest) if image is not None and image.digest else ""


def both(then: tuple[str, ...], now: tuple[str, ...]) -> str:
    """Release tags that name a digest now; and those that only named it then, marked so: they no longer lead to it."""
    return listed((*now, *(f"{tag} (then)" for tag in then if tag not in now)))


def release(deployment: RecordedDeployment) -> str | Text:
    """The release tags of what was deployed, or that it has none: only a moving tag is known of it."""
    return both(deployment.release_tags_then, deployment.release_tags_now) or Text("unpinned", "yellow")


def until(instant: int | None) -> str:
    """The end of an interval."""
    return "now" if instant is None else local_time(instant)


BY: Column[Acted] = Column("BY", lambda row: visible(row.actor or ""), folds=True, clause="by")
LINE: Column[Rested] = Column("LINE", lambda row: str(row.seq), right=True, style="dim", clause="line")
