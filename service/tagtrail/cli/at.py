"""`tagtrail at`: where everything stood at a time."""

import click

from tagtrail.cli.asked import Asked
from tagtrail.cli.environments import show_environments
from tagtrail.cli.options import asking
from tagtrail.cli.references import find_environment, is_environment, narrow
from tagtrail.cli.tags import show_tags
from tagtrail.cli.when import parse_when
from tagtrail.cli.words import local_time, weekday
from tagtrail.errors import BadParameter
from tagtrail.trail.instant import now


@click.command(short_help="Where a tag or an environment stood at a time.")
@click.argument("words", metavar="TIME [REFERENCE]", nargs=-1, required=True)
@asking("registry")
def at(asked: Asked, words: tuple[str, ...]) -> None:
    """What a tag, all tags of a repository, or every environment stood at.

    TIME needs no quotes: `tagtrail at last tuesday 14:03 team/app:prod`. REFERENCE is a tag (team/app:prod), a
    repository or a glob ('team/**'), or an environment (team/app@production); without it, every environment is shown.
    By the registry's clock.
    """
    instant, reference = _split(words)
    if not asked.as_json:
        asked.screen.head(f"At {local_time(instant)}, a {weekday(instant)}, by the registry's clock:")
    if reference is None:
        show_environments(asked, at=instant, is_named=False)
    elif is_environment(reference):
        subject, environment = find_environment(asked, reference)
        asked = asked.about(registry=subject.registry, repository=subject.repository, environment=environment)
        show_environments(asked, at=instant, is_named=True)
    else:
        show_tags(narrow(asked, reference), at=instant, is_named=True)


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
