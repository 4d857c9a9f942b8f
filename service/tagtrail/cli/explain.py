"""`tagtrail tags explain`: whether a tag is fixed or may move, and which rule decides."""

from typing import Literal

import click
import msgspec

from tagtrail.cli.asked import Asked
from tagtrail.cli.options import asking
from tagtrail.cli.references import read_reference
from tagtrail.cli.words import listed, visible
from tagtrail.errors import BadParameter
from tagtrail.trail.rules import Rules


class Explanation(msgspec.Struct, frozen=True):
    """What `--json` prints: the deciding rule, its place among the configured or the built-in ones (from 1)."""

    repository: str
    tag: str
    kind: Literal["release", "moving"]
    reason: str
    origin: Literal["configured", "built-in"]
    place: int
    pattern: str
    syntax: Literal["glob", "regex"]
    environments: tuple[str, ...]


@click.command()
@click.argument("image", metavar="REPOSITORY:TAG")
@asking("registry", is_list=False)
def explain(asked: Asked, image: str) -> None:
    """Whether a tag is a release tag or may move, and which rule decides.

    By the rules in force as the ledger holds them; the tag need not exist.
    """
    reference = read_reference(image)
    if reference.tag is None:
        raise BadParameter("reference", f"{image[:80]!r} names no tag; write team/app:1.0")
    explanation = _explain(asked.trail.rules, asked.filter.registry, reference.repository, reference.tag)
    if asked.as_json:
        asked.screen.json([explanation])
        return
    meaning = "a release tag: it may never move" if explanation.kind == "release" else "a moving tag"
    asked.screen.say(f"{reference.repository}:{reference.tag} is {meaning}. It {visible(explanation.reason)}.")
    asked.screen.say(
        f"Decided by {explanation.origin} rule {explanation.place}: {explanation.syntax} {visible(explanation.pattern)}"
    )
    if explanation.environments:
        asked.screen.say(f"Whatever it points at is deployed to {listed(explanation.environments, most=None)}.")


def _explain(rules: Rules, registry: str | None, repository: str, tag: str) -> Explanation:
    rule = rules.explain(repository, tag)
    own = rule in rules.tag_rules
    registries = [identity.name for identity in rules.registries if registry in (None, identity.name)]
    environments = [each.name for name in registries for each in rules.environments_of(name, repository, tag)]
    return Explanation(
        repository=repository,
        tag=tag,
        kind=rule.kind,
        reason=rule.reason,
        origin="configured" if own else "built-in",
        place=(rules.tag_rules if own else rules.default_tag_rules).index(rule) + 1,
        pattern=rule.tag,
        syntax=rule.syntax,
        environments=tuple(dict.fromkeys(environments)),
    )
