"""The commands that answer about one thing: a digest, a way to roll back, the rule that decides about a tag."""

from dataclasses import dataclass
from typing import Literal

import click
import msgspec

from tagtrail.cli.columns import digest_columns, line_column, release_tags
from tagtrail.cli.query import TrailQuery, query_options
from tagtrail.cli.references import Subject, find_environment, find_subject, read_reference
from tagtrail.cli.table import WHOLE, TableColumn, time_column
from tagtrail.cli.text import STYLES, duration, local_time
from tagtrail.errors import BadParameter, NotRecorded
from tagtrail.store.deployments import EarlierDigest, RecordedDeployment
from tagtrail.store.digests import (
    EnvironmentUse,
    HoldingRepository,
    IndexUse,
    PlatformManifest,
    RecordedDigest,
    TagUse,
    get_digest,
)
from tagtrail.store.environments import EnvironmentState, find_environments
from tagtrail.store.query import Query
from tagtrail.trail.rules import Rules, TagRule
from tagtrail.wording.rollback import Commands, RollbackPlan, choose_tag, plan_rollback
from tagtrail.wording.text import listed, size

_MOST = 1_000  # tags and environments of one digest, where no limit is given


@click.command()
@click.argument("text", metavar="DIGEST")
@query_options("registry", "repository")
def digest(query: TrailQuery, text: str) -> None:
    """The tags and environments that a digest had, from when to when.

    DIGEST is a whole digest, its first characters (5208e615), or a pinned reference such as team/app@sha256:...
    A node shows the digest of a platform's image; the answer leads from it to the index that it is part of, and so to
    the tag.
    """
    if "@" in text:
        subject = find_subject(query, text)
        query = query.narrowed(registry=subject.registry, repository=subject.repository)
        text = subject.digest or ""
    query = query.narrowed(digest=text)
    with query.trail.store.snapshot() as db:
        answer = get_digest(db, Query(query.trail.rules, query.filter, limit=query.most or _MOST))
    if query.as_json:
        query.output.json([answer])
    else:
        _show_digest(query, answer)


def _show_digest(query: TrailQuery, answer: RecordedDigest) -> None:
    output = query.output
    output.copyable(answer.digest)
    for held in answer.held:
        output.say(_where(query, held))
    _show_uses(query, answer)
    for index in answer.indexes:
        output.say("")
        platform = f" for {index.platform}" if index.platform else ""
        output.copyable(f"It is the image{platform} of the index {index.digest}")
        _show_uses(query, index)
    if answer.platforms:
        output.say("")
        output.say("It is an index of these images:")
        output.table(_PLATFORMS, answer.platforms)
    if not (answer.whole and all(index.whole for index in answer.indexes)):
        output.aside("There are more: use --limit.")


def _where(query: TrailQuery, held: HoldingRepository) -> str:
    name = query.trail.style(is_whole=True).name(held.registry, held.host, held.repository, None, None)
    facts = [held.media_type] if held.media_type else []
    facts += [f"a manifest of {size(held.size)}"] if held.size is not None else []
    facts += [f"first pushed in line {held.seq}" if held.seq is not None else "its push was not seen"]
    return f"in {name}: {', '.join(facts)}"


def _show_uses(query: TrailQuery, found: RecordedDigest | IndexUse) -> None:
    if not (found.tags or found.environments):
        query.output.say("No tag ever named it.")
    if found.tags:
        query.output.say("")
        query.output.table(_tag_columns(query), found.tags)
    if found.environments:
        query.output.say("")
        query.output.table(_environment_columns(query), found.environments)


def _tag_columns(query: TrailQuery) -> list[TableColumn[TagUse]]:
    whole, short = query.trail.style(is_whole=True), query.trail.style(is_whole=False)
    return [
        TableColumn("TAG", lambda row: whole.name(row.registry, row.host, row.repository, row.tag, None), only="pipe"),
        TableColumn(
            "TAG",
            lambda row: short.name(row.registry, row.host, row.repository, row.tag, None),
            only="terminal",
            style="bold",
            unbroken=WHOLE,
        ),
        TableColumn("KIND", lambda row: "release" if row.release else "moving"),
        *_period_columns(),
        TableColumn("BY", lambda row: row.actor or ""),
        line_column(lambda row: row.seq),
    ]


def _environment_columns(query: TrailQuery) -> list[TableColumn[EnvironmentUse]]:
    short = query.trail.style(is_whole=False)
    return [
        TableColumn("ENVIRONMENT", lambda row: row.environment, style="bold"),
        TableColumn("TAG", lambda row: short.name(row.registry, None, row.repository, row.tag, None), unbroken=WHOLE),
        TableColumn("WENT", lambda row: (row.direction, STYLES[row.direction])),
        *_period_columns(),
        TableColumn("BASIS", lambda row: row.basis, only="pipe"),
        line_column(lambda row: row.seq),
    ]


def _period_columns() -> "list[TableColumn[TagUse | EnvironmentUse]]":
    return [
        time_column("SINCE", lambda row: row.since),
        time_column("UNTIL", lambda row: row.until, missing="now"),
    ]


_PLATFORMS: list[TableColumn[PlatformManifest]] = [
    TableColumn("PLATFORM", lambda row: row.platform or "unknown", style="bold"),
    TableColumn("DIGEST", lambda row: row.digest, unbroken=WHOLE, narrow="below"),
]


class RollBack(msgspec.Struct, frozen=True):
    """The answer of `rollback --json`: the environment as the API shows it, the tag to put back, and the commands."""

    environment: EnvironmentState
    tag: str | None
    commands: Commands


@click.command()
@click.argument("place", metavar="REPOSITORY@ENVIRONMENT")
@query_options("registry", is_list=False)
def rollback(query: TrailQuery, place: str) -> None:
    """The image that an environment can go back to, and the commands to roll it back.

    The commands are printed, not run: tagtrail never writes to a registry.
    """
    subject, environment = find_environment(query, place)
    state = _get_state(query, subject, environment)
    target = state.roll_back_to
    if target is None:
        raise NotRecorded(f"{environment} of {subject.repository} never had another digest to go back to")
    with query.trail.store.snapshot() as db:
        tag = choose_tag(query.trail.rules, target, state.environment)
        way = plan_rollback(db, target, tag=tag)
    if query.as_json:
        query.output.json([RollBack(state, way.tag, way.commands)])
        return
    _show_rollback(query, state, way)


def _get_state(query: TrailQuery, subject: Subject, environment: str) -> EnvironmentState:
    wanted = query.narrowed(registry=subject.registry, repository=subject.repository, environment=environment)
    state = next(wanted.rows(find_environments), None)
    if state is not None:
        return state
    others = wanted.narrowed(environment=None).rows(find_environments)
    known = ", ".join(other.environment for other in others) or "none"
    raise NotRecorded(f"nothing of {subject.repository} was published for {environment}; its environments are: {known}")


@dataclass(frozen=True, slots=True)
class _Compared:
    """One of the two images that are compared: the published one, and the one to go back to."""

    role: str
    image: RecordedDeployment | EarlierDigest


def _show_rollback(query: TrailQuery, state: EnvironmentState, way: RollbackPlan) -> None:
    output = query.output
    output.say((f"{state.repository}@{state.environment}", "bold"), f" in registry {state.registry}")
    if state.published is None:
        output.say(f"Nothing is published since {local_time(state.withdrawn_at)}: the tag was deleted.")
    images = [_Compared("published", state.published)] if state.published else []
    output.table(_compared_columns(query), [*images, _Compared("go back to", way.target)])
    for doubt in way.doubts:
        output.say((doubt, STYLES["warning"]))
    output.say("")
    output.say("To deploy it by its digest:")
    output.copyable(f"  {way.pinned}")
    if way.obstacle is not None:
        output.say((way.obstacle, STYLES["warning"]))
    elif way.tag is not None:
        _show_commands(query, way)


def _digest(row: _Compared) -> str | None:
    return row.image.digest


def _compared_columns(query: TrailQuery) -> list[TableColumn[_Compared]]:
    return [
        TableColumn("", lambda row: row.role, style="bold"),
        TableColumn("RELEASE", lambda row: release_tags(row.image)),
        *digest_columns(query.trail, "DIGEST", _digest, narrow="below"),
        time_column("SINCE", lambda row: row.image.at),
        time_column("UNTIL", lambda row: row.image.until, missing="now"),
        TableColumn("FOR", lambda row: duration(row.image.at, row.image.until), narrow="below"),
        line_column(lambda row: row.image.seq),
    ]


def _show_commands(query: TrailQuery, way: RollbackPlan) -> None:
    query.output.say("")
    query.output.say(f"To put the tag {way.tag} back, use one of these (tagtrail never writes to a registry):")
    for command in (*way.commands.skopeo, *way.commands.crane, *way.commands.docker):
        query.output.copyable(f"  {command}")
    if way.docker_doubt is not None:
        query.output.say((way.docker_doubt, STYLES["warning"]))


class Explanation(msgspec.Struct, frozen=True):
    """The answer of `tags explain --json`: the tag's kind, and the rule by the name that `tagtrail check` gives it."""

    repository: str
    tag: str
    kind: Literal["release", "moving"]
    reason: str
    rule: str
    pattern: str
    syntax: Literal["glob", "regex"]
    environments: tuple[str, ...]


@click.command()
@click.argument("tag", metavar="REPOSITORY:TAG")
@query_options("registry", is_list=False)
def explain(query: TrailQuery, tag: str) -> None:
    """Whether a tag is a release tag or a moving tag, and which rule decides.

    The rules are those in force in the ledger. The tag need not exist.
    """
    reference = read_reference(tag)
    if reference.tag is None:
        raise BadParameter("reference", f"{tag[:80]!r} names no tag; write team/app:1.0")
    explanation = _explain(query.trail.rules, query.filter.registry, reference.repository, reference.tag)
    if query.as_json:
        query.output.json([explanation])
        return
    meaning = "a release tag: it may never move" if explanation.kind == "release" else "a moving tag"
    query.output.say(f"{reference.repository}:{reference.tag} is {meaning}. It {explanation.reason}.")
    query.output.say(f"Decided by {explanation.rule}; `tagtrail check --all` prints all rules.")
    if explanation.environments:
        query.output.say(f"The image that it points at is deployed to {listed(explanation.environments, most=None)}.")


def _explain(rules: Rules, registry: str | None, repository: str, tag: str) -> Explanation:
    rule = rules.explain(repository, tag)
    registries = [identity.name for identity in rules.registries if registry in (None, identity.name)]
    environments = [each.name for name in registries for each in rules.environments_of(name, repository, tag)]
    return Explanation(
        repository=repository,
        tag=tag,
        kind=rule.kind,
        reason=rule.reason,
        rule=_name(rules, rule),
        pattern=rule.tag,
        syntax=rule.syntax,
        environments=tuple(dict.fromkeys(environments)),
    )


def _name(rules: Rules, rule: TagRule) -> str:
    if rule in rules.tag_rules:
        return f"tag_rules[{rules.tag_rules.index(rule)}]"
    return f"default tag rule {rules.default_tag_rules.index(rule) + 1}"
