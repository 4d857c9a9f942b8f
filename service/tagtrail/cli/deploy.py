"""`tagtrail deploy`: declares a deployment, as a pipeline does over HTTP. Nothing is deployed by it."""

import click

from tagtrail import __version__
from tagtrail.cli import columns
from tagtrail.cli.asked import Asked
from tagtrail.cli.options import asking, make_recorder
from tagtrail.cli.words import visible
from tagtrail.ledger.declare import Declaration, Declared, Origin, declare
from tagtrail.store.deployments import RecordedDeployment
from tagtrail.store.environments import get_declared

_DIRECTIONS = {
    "first": "its first deployment there",
    "forward": "a step forward",
    "back": "a step back to what was there before",
    "again": "what was there already",
}


@click.command(short_help="Declare a deployment, as a pipeline does.")
@click.argument("reference")
@click.option("--environment", required=True, metavar="NAME", help="What it is deployed to.")
@click.option("--change", metavar="TEXT", help="The ticket, or the URL of the commit.")
@click.option("--actor", metavar="NAME", help="Who deploys; nobody is named without it.")
@click.option("--note", metavar="TEXT", help="Anything else worth keeping.")
@click.option("--key", metavar="TEXT", help="The same declaration under the same key is recorded once.")
@asking("registry", is_list=False)
def deploy(
    asked: Asked,
    *,
    reference: str,
    environment: str,
    change: str | None,
    actor: str | None,
    note: str | None,
    key: str | None,
) -> None:
    """Declare that an image is deployed, as a pipeline does over HTTP.

    REFERENCE has a tag, a digest or both; it must not contradict the trail. Printed are the pinned reference to
    deploy, and the one to go back to.
    """
    said = Declaration(environment, reference, asked.filter.registry, change, actor, note)
    origin = Origin(user_agent=f"tagtrail/{__version__} (command line)")
    declared = declare(asked.trail.store, make_recorder(asked.trail.store), said, key=key, origin=origin)
    _show(asked, declared)


def _show(asked: Asked, declared: Declared) -> None:
    with asked.trail.store.snapshot() as db:
        document = get_declared(db, declared.seq, asked.trail.rules)
    if asked.as_json:
        asked.screen.json([document])
        return
    recorded = "Recorded" if declared.is_new else "Had been recorded"
    asked.screen.say(f"{recorded} as line {declared.seq}: {_what(document.deployment)}.")
    asked.screen.say("The image to deploy:")
    asked.screen.whole(f"  {visible(document.deploy)}")
    if document.roll_back_to is not None:
        asked.screen.say("The image to go back to:")
        asked.screen.whole(f"  {visible(document.roll_back_to)}")


def _what(answer: RecordedDeployment) -> str:
    release = str(columns.release(answer))
    return f"{answer.repository} {release} for {visible(answer.environment)}, {_DIRECTIONS[answer.direction]}"
