"""The commands that add a line to the trail: `deploy` declares a deployment, `annotate` ties a ticket to a line."""

from typing import Final

import click

from tagtrail import __version__
from tagtrail.cli.columns import release_tags
from tagtrail.cli.options import make_recorder, open_recorder
from tagtrail.cli.query import TrailQuery, query_options
from tagtrail.cli.text import plain
from tagtrail.ledger.annotate import RELATIONS, Annotation, read_annotation
from tagtrail.ledger.annotate import annotate as record_annotation
from tagtrail.ledger.declare import Declaration, Declared, Origin, declare
from tagtrail.store.deployments import RecordedDeployment
from tagtrail.store.environments import get_declared
from tagtrail.wording.line_text import annotation

_ORIGIN: Final = Origin(user_agent=f"tagtrail/{__version__} (command line)")
_DIRECTIONS: Final = {
    "first": "its first deployment there",
    "forward": "a step forward",
    "back": "a step back to what was there before",
    "again": "what was there already",
}
_CHANGES: Final = tuple(relation for relation in RELATIONS if relation != "note")


@click.command()
@click.argument("reference")
@click.option("--environment", required=True, metavar="NAME", help="The environment that it is deployed to.")
@click.option("--change", metavar="TEXT", help="The ticket, or the URL of the commit.")
@click.option("--actor", metavar="NAME", help="Who deploys; without it, no name is recorded.")
@click.option("--note", metavar="TEXT", help="A note to keep with the deployment.")
@click.option("--key", metavar="TEXT", help="The same declaration under the same key is recorded once.")
@query_options("registry", is_list=False)
def deploy(
    query: TrailQuery,
    *,
    reference: str,
    environment: str,
    change: str | None,
    actor: str | None,
    note: str | None,
    key: str | None,
) -> None:
    """Declare that an image is deployed, as a pipeline does over HTTP. Nothing is deployed by this command.

    REFERENCE has a tag, a digest or both, and must not contradict the trail. The command prints the pinned reference
    to deploy, and the one to go back to.
    """
    declaration = Declaration(environment, reference, query.filter.registry, change, actor, note)
    recorder = make_recorder(query.trail.store)
    _show_declared(query, declare(query.trail.store, recorder, declaration, key=key, origin=_ORIGIN))


def _show_declared(query: TrailQuery, declared: Declared) -> None:
    with query.trail.store.snapshot() as db:
        document = get_declared(db, declared.seq, query.trail.rules)
    if query.as_json:
        query.output.json([document])
        return
    query.output.say(f"{_recorded(declared.is_new, declared.seq)}: {_describe_deployment(document.deployment)}.")
    query.output.say("The image to deploy:")
    query.output.copyable(f"  {document.deploy}")
    if document.roll_back_to is not None:
        query.output.say("The image to go back to:")
        query.output.copyable(f"  {document.roll_back_to}")


def _recorded(is_new: bool, seq: int) -> str:
    return f"Recorded as line {seq}" if is_new else f"Already recorded as line {seq}"


def _describe_deployment(answer: RecordedDeployment) -> str:
    release = plain(release_tags(answer))
    return f"{answer.repository} {release} for {answer.environment}, {_DIRECTIONS[answer.direction]}"


@click.command()
@click.argument("seq", metavar="LINE", type=click.IntRange(min=0))
@click.option("--ticket", metavar="ID", help="A ticket, such as OPS-17.")
@click.option("--commit", metavar="SHA", help="A commit, by its id or URL.")
@click.option("--approval", metavar="ID", help="An approval, by its number; not by a name.")
@click.option("--incident", metavar="ID", help="An incident, by its number.")
@click.option("--note", metavar="TEXT", help="A note, alone or beside one of these. It can be erased.")
@click.option("--actor", metavar="NAME", help="Who ties it; without it, no name is recorded. It can be erased.")
@click.option("--key", metavar="TEXT", help="The same annotation under the same key is recorded once.")
@query_options(is_list=False)
def annotate(
    query: TrailQuery, *, seq: int, note: str | None, actor: str | None, key: str | None, **changes: str | None
) -> None:
    """Tie a ticket, a commit, an approval, an incident or a note to a line of the ledger.

    `tagtrail log` shows the number of each LINE. The annotation is a line of its own and stays in the ledger for ever:
    write names of persons only in --note and --actor, which can be erased.
    """
    store = query.trail.store
    annotated = _read_annotation(changes, note, actor)
    recorded = record_annotation(store, open_recorder(store), seq, annotated, key=key, origin=_ORIGIN)
    answer = read_annotation(store, recorded.seq)
    if query.as_json:
        query.output.json([answer])
        return
    query.output.say(f"{_recorded(recorded.is_new, recorded.seq)}: {annotation(answer)}, tied to line {seq}.")


def _read_annotation(changes: dict[str, str | None], note: str | None, actor: str | None) -> Annotation:
    given = {relation: changes[relation] for relation in _CHANGES if changes[relation] is not None}
    if len(given) > 1 or not (given or note):
        raise click.UsageError(f"Name one of --{', --'.join(_CHANGES)}, or a --note.")
    for relation, change in given.items():
        return Annotation(relation, change, note, actor)  # type: ignore[arg-type]  # one of RELATIONS
    return Annotation("note", None, note, actor)
