"""The commands that print a list: the audit log, tags, moves, deployments, environments, registries and more."""

import click

from tagtrail.cli import lists
from tagtrail.cli.groups import LazyCommand, ListGroup
from tagtrail.cli.options import When
from tagtrail.cli.query import TrailQuery, query_options
from tagtrail.cli.references import PARAMETER, find_environment, find_subject, is_environment, narrow
from tagtrail.cli.text import local_time, weekday
from tagtrail.cli.when import end_of_second, parse_when
from tagtrail.errors import BadParameter
from tagtrail.trail.instant import now


@click.group(
    cls=ListGroup,
    sections={
        "Commands": {
            "list": LazyCommand("questions:list_entries", "The audit log; `log` alone does this."),
            "verify": LazyCommand("log_commands:verify", "Verify the whole ledger."),
            "checkpoint": LazyCommand("log_commands:checkpoint", "Print the newest signed checkpoint."),
            "key": LazyCommand("log_commands:key", "Show or rotate the key that signs the log."),
            "recover": LazyCommand("log_commands:recover", "Append lost lines again, from the journal."),
            "new-epoch": LazyCommand("log_commands:new_epoch", "Continue a damaged ledger as a new log."),
        }
    },
)
def log() -> None:
    """The audit log, and the signed log behind it."""


@click.command("list")
@query_options("registry", "repository", "tag", "digest", "actor", "kind", "environment", "since", "until")
def list_entries(query: TrailQuery) -> None:
    """The audit log, newest first: one sentence for each line of the ledger.

    WHEN is the time by the registry's clock. --since and --until use tagtrail's clock, in whose order lines are
    written.

    The other commands of this group are about the signed log: `log verify` checks the whole ledger, `log checkpoint`
    prints the newest signature, `log key` the keys; `log recover` and `log new-epoch` repair a damaged ledger.
    """
    lists.ENTRIES.write(query)


@click.group(
    cls=ListGroup,
    sections={
        "Commands": {
            "list": LazyCommand("questions:list_tags", "The digests that tags point at; `tags` alone does this."),
            "explain": LazyCommand("details:explain", "Whether a tag is a release tag, and which rule decides."),
        }
    },
)
def tags() -> None:
    """The digests that tags point at, and the rule that decides about a tag."""


@click.command("list")
@click.argument("name", metavar="[REPOSITORY]", required=False)
@click.option("--at", type=When(), metavar="TIME", help="The digests at this time, by the registry's clock.")
@click.option(
    "--sort",
    type=click.Choice(("version", "newest")),
    default="version",
    help="By version, 1.9.0 before 1.10.0 (the default), or the newest first.",
)
@query_options("registry", "repository", "tag")
def list_tags(query: TrailQuery, name: str | None, at: int | None, sort: str) -> None:
    """The digests that tags point at, now or at a time.

    REPOSITORY may be a glob such as 'team/**', and may have a tag: team/app:1.0.

    `tags explain team/app:1.0` says whether a tag is a release tag, and which rule decides.
    """
    chosen = lists.NEWEST_TAGS if sort == "newest" else lists.TAGS
    chosen.write(_narrow(query, name), at=_moment(at), is_named=name is not None)


@click.command()
@click.argument("tag", metavar="REPOSITORY:TAG")
@query_options("registry", "since", "until")
def history(query: TrailQuery, tag: str) -> None:
    """Every move of a tag, newest first: its digests, since when and for how long."""
    subject = find_subject(query, tag)
    if subject.tag is None:
        raise BadParameter(PARAMETER, f"{tag[:80]!r} names no tag; write team/app:prod, or use `tagtrail tags`")
    lists.HISTORY.write(query.narrowed(registry=subject.registry, repository=subject.repository, tag=subject.tag))


@click.command()
@click.argument("words", metavar="TIME [REFERENCE]", nargs=-1, required=True)
@query_options("registry")
def at(query: TrailQuery, words: tuple[str, ...]) -> None:
    """A tag, the tags of a repository, or all environments, as they were at a time.

    TIME needs no quotes: `tagtrail at last tuesday 14:03 team/app:prod`. REFERENCE is a tag (team/app:prod), a
    repository or a glob ('team/**'), or an environment (team/app@production); without it, every environment is
    listed. Times are by the registry's clock.
    """
    instant, reference = _split(words)
    if not query.as_json:
        query.output.heading(f"At {local_time(instant)}, a {weekday(instant)}, by the registry's clock:")
    if reference is None:
        lists.ENVIRONMENTS.write(query, at=_moment(instant))
    elif is_environment(reference):
        subject, environment = find_environment(query, reference)
        chosen = query.narrowed(registry=subject.registry, repository=subject.repository, environment=environment)
        lists.ENVIRONMENTS.write(chosen, at=_moment(instant), is_named=True)
    else:
        lists.TAGS.write(narrow(query, reference), at=_moment(instant), is_named=True)


@click.command()
@click.argument("name", metavar="[REPOSITORY]", required=False)
@query_options("registry", "repository", "tag", "digest", "actor", "environment", "since", "until")
def deployments(query: TrailQuery, name: str | None) -> None:
    """Deployments: the images that were published for environments, newest first.

    REPOSITORY may be a glob, and may have a tag. WENT is first, forward, back (to an image that the environment had
    before) or again (the same image). RELEASE names the release tags of the image: "unpinned" where it has none, and
    "(then)" after a tag that has moved away since. BEFORE is the release that it replaced, LASTED how long that was
    published.
    """
    lists.DEPLOYMENTS.write(_narrow(query, name), is_named=name is not None)


@click.command()
@click.argument("name", metavar="[REPOSITORY]", required=False)
@click.option("--at", type=When(), metavar="TIME", help="The images at this time, by the registry's clock.")
@query_options("registry", "repository", "environment")
def environments(query: TrailQuery, name: str | None, at: int | None) -> None:
    """The image that is published for each environment, and the one to go back to.

    REPOSITORY may be a glob. Published does not mean running: only the environment itself knows what runs there.
    """
    lists.ENVIRONMENTS.write(_narrow(query, name), at=_moment(at), is_named=name is not None)


@click.command()
@query_options("registry", "repository", "tag", "digest", "actor", "since", "until")
def violations(query: TrailQuery) -> None:
    """Release tags that moved or were deleted, newest first.

    A release tag is expected to name one digest for ever. After it moved, a pull gets another image under the same
    name.
    """
    lists.VIOLATIONS.write(query)


@click.command()
@query_options("registry", "since", "until")
def quarantine(query: TrailQuery) -> None:
    """Received data that could not be recorded as an event, newest first, and why."""
    lists.QUARANTINE.write(query)


@click.command()
@query_options("registry", is_list=False)
def registries(query: TrailQuery) -> None:
    """The registries: when each sent its last event, and how often it was seen to start.

    A registry that is silent for longer than usual may have lost its token or its queue of events.
    """
    lists.REGISTRIES.write(query, is_named=True)


@click.command()
@query_options("registry", "since", "until")
def traffic(query: TrailQuery) -> None:
    """Pulls and uploads by day (UTC) and registry. They are only counted: the ledger has no lines for them."""
    lists.TRAFFIC.write(query)


def _narrow(query: TrailQuery, name: str | None) -> TrailQuery:
    return narrow(query, name) if name else query


def _moment(at: int | None) -> int | None:
    return None if at is None else end_of_second(at)


def _split(words: tuple[str, ...]) -> tuple[int, str | None]:
    """The time, and the reference if there is one: the last word, where it is not part of the time."""
    present = now()
    try:
        return parse_when(" ".join(words), now=present), None
    except ValueError as error:
        if len(words) == 1:
            raise BadParameter("time", str(error)) from None
    try:
        return parse_when(" ".join(words[:-1]), now=present), words[-1]
    except ValueError as error:
        raise BadParameter("time", str(error)) from None
