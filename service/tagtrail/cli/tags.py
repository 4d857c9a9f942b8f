"""`tagtrail tags`: what every tag points at, now or at a time."""

import click

from tagtrail.cli import columns
from tagtrail.cli.asked import Asked, Nothing
from tagtrail.cli.explain import explain
from tagtrail.cli.group import UsualGroup
from tagtrail.cli.options import When, asking
from tagtrail.cli.references import narrow
from tagtrail.cli.table import Column
from tagtrail.cli.when import end_of_second
from tagtrail.cli.words import listed, local_time
from tagtrail.store.tags import TaggedDigest, find_tags


@click.group(cls=UsualGroup, short_help="What every tag points at; `tags explain`: why a tag is fixed.")
def tags() -> None:
    """What every tag points at; `tags explain` says which rule decides."""


@tags.command("list")
@click.argument("image", metavar="[REPOSITORY]", required=False)
@click.option("--at", type=When(), metavar="TIME", help="What they pointed at then, by the registry's clock.")
@asking("registry", "repository", "tag")
def list_tags(asked: Asked, image: str | None, at: int | None) -> None:
    """What every tag points at, now or at a time.

    REPOSITORY may have a tag, and be a glob such as 'team/**'. `tagtrail tags explain team/app:1.0` says whether a
    tag is a release tag, and which rule decides.
    """
    show_tags(narrow(asked, image) if image else asked, at=at, is_named=image is not None)


def show_tags(asked: Asked, *, at: int | None, is_named: bool) -> None:
    """Write what the tags that the filter asks for point at, now or at the end of the second of `at`.

    Raises NotRecorded for none where one `is_named`.
    """
    then = None if at is None else end_of_second(at)
    when = "" if at is None else f" at {local_time(at)}"
    named = f" {asked.filter.repository}:{asked.filter.tag}" if asked.filter.repository and asked.filter.tag else ""
    asked.answer(
        asked.each(find_tags, at=then),
        [*columns.image(asked.trail, lambda row: row), _RELEASES, _SINCE, columns.BY, columns.LINE],
        lambda row: row,
        nothing=Nothing(f"no tag{named} pointed at anything{when or ' that is recorded'}", is_unknown=is_named),
    )


_RELEASES: Column[TaggedDigest] = Column("RELEASE", lambda row: listed(row.release_tags), folds=True, clause="as")
_SINCE: Column[TaggedDigest] = Column("SINCE", lambda row: local_time(row.since), clause="since")

tags.add_command(explain)
