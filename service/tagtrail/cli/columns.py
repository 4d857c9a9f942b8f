"""The columns that several tables share: the image of a row, its release tags, its actor and its line."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from tagtrail.cli.open_trail import OpenTrail
from tagtrail.cli.table import WHOLE, TableColumn
from tagtrail.cli.text import STYLES, CellContent
from tagtrail.store.deployments import EarlierDigest, RecordedDeployment
from tagtrail.wording.text import listed

T = TypeVar("T")


class ImageRow(Protocol):
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


def image_columns(
    trail: OpenTrail, of: Callable[[T], ImageRow], *, deleted: str = "", with_tag: bool = True
) -> list[TableColumn[T]]:
    """The image of a row: a pipe gets its whole reference, a terminal its tag and shortened digest.

    `deleted` stands where there is no digest. A terminal needs no tag where all rows have the same.
    """
    whole, short = trail.style(is_whole=True), trail.style(is_whole=False)

    def name(row: T) -> str:
        image = of(row)
        return whole.name(image.registry, image.host, image.repository, image.tag, image.digest)

    def tag(row: T) -> str:
        image = of(row)
        return short.name(image.registry, image.host, image.repository, image.tag, None)

    def digest(row: T) -> str:
        found = of(row).digest
        return short.digest(found) if found else deleted

    return [
        TableColumn("IMAGE", name, only="pipe"),
        *([TableColumn("TAG", tag, only="terminal", style="bold", unbroken=WHOLE)] if with_tag else []),
        TableColumn("DIGEST", digest, only="terminal", unbroken=WHOLE, narrow="below" if with_tag else "keep"),
    ]


def digest_columns(trail: OpenTrail, title: str, of: Callable[[T], str | None], **options: Any) -> list[TableColumn[T]]:
    """A digest: whole for a pipe, shortened for a terminal, where it has these `options`."""
    whole, short = trail.style(is_whole=True), trail.style(is_whole=False)

    def shown(row: T) -> str:
        digest = of(row)
        return short.digest(digest) if digest else ""

    def written(row: T) -> str:
        digest = of(row)
        return whole.digest(digest) if digest else ""

    return [
        TableColumn(title, written, only="pipe"),
        TableColumn(title, shown, only="terminal", unbroken=WHOLE, **options),
    ]


def line_column(seq: Callable[[T], int | None]) -> TableColumn[T]:
    """The number of the ledger's line behind a row."""

    def number(row: T) -> str:
        found = seq(row)
        return str(found) if found is not None else ""

    return TableColumn("LINE", number, style="dim", right=True)


def release_tags(image: RecordedDeployment | EarlierDigest) -> CellContent:
    """The release tags that name a digest now, and those that named it only then; a warning where there is none."""
    return list_release_tags(image) or ("unpinned", STYLES["warning"])


def list_release_tags(image: RecordedDeployment | EarlierDigest) -> str:
    """The release tags of a digest. One that named it only then is marked, since it no longer leads there."""
    then, now = image.release_tags_then, image.release_tags_now
    return listed((*now, *(f"{tag} (then)" for tag in then if tag not in now)))
