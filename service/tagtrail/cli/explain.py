"""`tagtrail tags explain`: whether a tag is fixed or may move, and which rule decides."""

from typing import Literal

import click
import msgspec

from tagtrail.cli.asked import Asked
from tagtrail.cli.options import asking
from tagtrail.cli.references import read_reference
from tagtrail.cli.words import listed, visible
from tagtrail.errors import BadParameter
from tagtrail.trail.rules import Rules, TagRule


class Explanation(msgspec.Struct, frozen=True):
    """What `--json` prints: the tag's kind, and the deciding rule by the name that `tagtrail check` gives it."""

    repository: str
    tag: str
    kind: Literal["release", "moving"]
    reason: str
    rule: str
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
    asked.screen.say(f"Decided by {explanation.rule}; `tagtrail check --all` prints all rules.")
    if explanation.environments:
        asked.screen.say(f"Whatever it points at is deployed to {listed(explanation.environments, most=None)}.")


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
