"""`tagtrail digest`: everything that the trail knows of a digest, whole or given by its first characters."""

import click

from tagtrail.api.describing import describe_digest
from tagtrail.cli import columns
from tagtrail.cli.asked import Asked
from tagtrail.cli.options import asking
from tagtrail.cli.place import Trail
from tagtrail.cli.references import find_subject
from tagtrail.cli.table import Column
from tagtrail.cli.words import local_time, size, visible
from tagtrail.store.answers import DigestAnswer, Held, Member, Naming, Publishing, Usage
from tagtrail.store.digests import get_digest
from tagtrail.store.query import Query

_MOST = 1_000  # tags and environments of one digest, where no limit is given


@click.command(short_help="Which tags and environments a digest was.")
@click.argument("text", metavar="DIGEST")
@asking("registry", "repository")
def digest(asked: Asked, text: str) -> None:
    """Which tags and environments a digest was, from when to when.

    DIGEST is a whole one, its first characters (5208e615), or a pinned reference such as team/app@sha256:... The
    digest of a platform's image, as seen on a node, leads to the index that it is part of, and so to the tag.
    """
    if "@" in text:
        subject = find_subject(asked, text)
        asked = asked.about(registry=subject.registry, repository=subject.repository)
        text = subject.digest or ""
    asked = asked.about(digest=text)
    with asked.trail.store.snapshot() as db:
        answer = get_digest(db, Query(asked.trail.rules, asked.filter, limit=asked.most or _MOST))
    if asked.as_json:
        asked.screen.json([describe_digest(answer, asked.trail.hosts)])
    else:
        _show(asked, answer)


def _show(asked: Asked, answer: DigestAnswer) -> None:
    asked.screen.whole(answer.digest)
    for held in answer.held:
        asked.screen.say(_where(asked.trail, held))
    _show_usage(asked, answer.usage)
    for index in answer.indexes:
        platform = f" for {visible(index.platform)}" if index.platform else ""
        asked.screen.say("")
        asked.screen.whole(f"It is the image{platform} of the index {index.usage.digest}")
        _show_usage(asked, index.usage)
    if answer.platforms:
        asked.screen.say("")
        asked.screen.say("As an index it holds:")
        asked.screen.table(_MEMBERS, answer.platforms)
    if not all(usage.is_whole for usage in (answer.usage, *(index.usage for index in answer.indexes))):
        asked.screen.aside("There are more: ask with --limit.")


def _where(trail: Trail, held: Held) -> str:
    name = trail.manner(is_whole=True).name(held.registry, held.host, held.repository, None, None)
    facts = [visible(held.media_type)] if held.media_type else []
    facts += [f"a manifest of {size(held.size)}"] if held.size is not None else []
    facts += [f"first pushed in line {held.pushed_seq}" if held.pushed_seq is not None else "no push of it was seen"]
    return f"in {name}: {', '.join(facts)}"


def _show_usage(asked: Asked, usage: Usage) -> None:
    if not (usage.tags or usage.environments):
        asked.screen.say("No tag ever named it.")
    if usage.tags:
        asked.screen.say("")
        asked.screen.table(_tag_columns(asked.trail), usage.tags)
    if usage.environments:
        asked.screen.say("")
        asked.screen.table(_environment_columns(asked.trail), usage.environments)


def _tag_columns(trail: Trail) -> list[Column[Naming]]:
    def name(row: Naming, *, is_whole: bool) -> str:
        return trail.manner(is_whole=is_whole).name(row.registry, row.host, row.repository, row.tag, None)

    return [
        Column("TAG", lambda row: name(row, is_whole=True), form="wide", style="bold"),
        Column("TAG", lambda row: name(row, is_whole=False), form="narrow", style="bold", folds=True),
        Column("KIND", lambda row: "release" if row.is_release else "moving"),
        *_PERIOD,
        columns.BY,
        columns.LINE,
    ]


def _environment_columns(trail: Trail) -> list[Column[Publishing]]:
    def place(row: Publishing) -> str:
        return trail.manner(is_whole=False).name(row.registry, None, row.repository, row.tag, None)

    return [
        Column("ENVIRONMENT", lambda row: visible(row.environment), style="bold", folds=True),
        Column("TAG", place, folds=True),
        Column("WENT", lambda row: row.direction),
        *_PERIOD,
        Column("BASIS", lambda row: row.basis, form="wide"),
        columns.LINE,
    ]


_PERIOD: list[Column[Naming | Publishing]] = [
    Column("SINCE", lambda row: local_time(row.since), clause="since"),
    Column("UNTIL", lambda row: columns.until(row.until), clause="until"),
]
_MEMBERS: list[Column[Member]] = [
    Column("PLATFORM", lambda row: visible(row.platform or "unknown"), style="bold"),
    Column("DIGEST", lambda row: visible(row.digest), folds=True),
]
