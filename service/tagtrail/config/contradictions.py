"""What is wrong only in combination: rules that contradict each other, names used twice, doors left open.

Every check is given the whole configuration and raises ConfigurationError.
"""

from collections.abc import Iterator
from dataclasses import replace

from tagtrail.config.fields import POSSIBLE_REPOSITORIES
from tagtrail.config.model import Config
from tagtrail.config.secrets import Token
from tagtrail.errors import ConfigurationError
from tagtrail.trail.automaton import find_common
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, TAG_ALPHABET, compile_glob
from tagtrail.trail.rules import DEFAULT_ENVIRONMENTS, EVERY_REGISTRY, MOST_BYTES, EnvironmentRule, TagRule


def refuse_contradictions(config: Config) -> None:
    """Every check, in the order in which a person would want to hear of them."""
    _registries(config)
    _tokens(config)
    _tag_rules(config)
    _environments(config)
    _routes(config)
    _size_of_rules(config)


def _registries(config: Config) -> None:
    _refuse_repetition(
        [(f"registries[{at}].name", registry.name) for at, registry in enumerate(config.registries)],
        cure="give every registry a name of its own",
    )
    _refuse_repetition(list(_hosts(config)), cure="one host belongs to one registry, and is named once")
    bare = [f"registries[{at}]" for at, registry in enumerate(config.registries) if not registry.tokens]
    if len(bare) > 1:
        raise ConfigurationError(
            f"{bare[0]} and {bare[1]} have no tokens, and only one registry can use the token that tagtrail makes; "
            "give all registries but one `tokens`, since it is by its token that a registry is known"
        )


def _hosts(config: Config) -> Iterator[tuple[str, str]]:
    for at, registry in enumerate(config.registries):
        if registry.host is not None:
            yield f"registries[{at}].host", registry.host
        for position, alias in enumerate(registry.aliases):
            yield f"registries[{at}].aliases[{position}]", alias


def _refuse_repetition(named: list[tuple[str, str]], *, cure: str) -> None:
    seen: dict[str, str] = {}
    for path, value in named:
        if value in seen:
            raise ConfigurationError(f"{path} is {value!r}, as {seen[value]} is already; {cure}")
        seen[value] = path


def _tokens(config: Config) -> None:
    seen: dict[bytes, str] = {}
    for path, token in tokens_of(config):
        first = seen.setdefault(token.digest, path)
        if first != path and not _are_two_scopes(first, path):
            raise ConfigurationError(
                f"{path} is the same token as {first}; give each its own, since a token says who it is, "
                "and a registry prints the one it is given into its log"
            )


def _are_two_scopes(first: str, second: str) -> bool:
    """Whether these are places in two lists of `access`: a token may have several scopes."""
    lists = {path.rpartition("[")[0] for path in (first, second)}
    return len(lists) == 2 and all(path.startswith("access.") for path in lists)


def tokens_of(config: Config) -> Iterator[tuple[str, Token]]:
    """Every token with its key path."""
    for at, registry in enumerate(config.registries):
        for position, token in enumerate(registry.tokens):
            yield f"registries[{at}].tokens[{position}]", token
    for scope, position, token in config.access.tokens():
        yield f"access.{scope}[{position}]", token


def _tag_rules(config: Config) -> None:
    seen: dict[tuple[str, str, str], int] = {}
    for at, rule in enumerate(config.rules.tag_rules):
        first = seen.setdefault((rule.repository, rule.tag, rule.syntax), at)
        if first != at:
            raise ConfigurationError(
                f"tag_rules[{at}] has the patterns {rule.repository!r} and {rule.tag!r} of tag_rules[{first}], "
                "which decides first; take one of them out"
            )


def _environments(config: Config) -> None:
    environments = config.rules.environments
    if environments is DEFAULT_ENVIRONMENTS:
        return  # nobody wrote them, so nobody contradicted himself; a release tag may not move all the same
    names = {registry.name for registry in config.registries} | {EVERY_REGISTRY}
    for at, environment in enumerate(environments):
        path = f"environments[{at}]"
        for first, earlier in enumerate(environments[:at]):
            if replace(earlier, tag=environment.tag) == environment:
                raise ConfigurationError(
                    f"{path} is {environment.name!r} in the repositories of environments[{first}], which decides; "
                    "an environment is meant by one tag in each repository: take one of the two out, or narrow it"
                )
        if environment.registry not in names:
            known = ", ".join(sorted(names - {EVERY_REGISTRY}))
            raise ConfigurationError(
                f"{path}.registry is {environment.registry!r}, which is not configured; the registries are {known}"
            )
        _refuse_release_tag(config, environment, path)


def _refuse_release_tag(config: Config, environment: EnvironmentRule, path: str) -> None:
    """An environment's tag moves with every deployment, so that no rule may call it fixed."""
    before: list[TagRule] = []
    for rule in (*config.rules.tag_rules, *config.rules.default_tag_rules):
        if not rule.tags.matches(environment.tag):
            continue
        example = _common_repository(environment, rule, before, path) if rule.kind == "release" else None
        if example is not None:
            raise ConfigurationError(
                f"{path}.tag is {environment.tag!r}, which is a release tag and may never move, at least in repository "
                f"{example!r} (it {rule.reason}); put a tag rule of kind moving first, or narrow one of the two"
            )
        before.append(rule)


def _common_repository(environment: EnvironmentRule, rule: TagRule, before: list[TagRule], path: str) -> str | None:
    """A repository of the environment for which this rule decides, none of those before it."""
    try:
        return find_common(
            [environment.repositories, rule.repositories, POSSIBLE_REPOSITORIES],
            none=[earlier.repositories for earlier in before],
            alphabet=REPOSITORY_ALPHABET,
        )
    except ValueError as error:
        raise ConfigurationError(f"{path}.repository, together with the tag rules, {error}") from None


def _routes(config: Config) -> None:
    """A route speaks of registries and environments that there are, or nothing could match it."""
    registries = [registry.name for registry in config.registries]
    environments = list(dict.fromkeys(environment.name for environment in config.rules.environments))
    for at, route in enumerate(config.notify.routes):
        if route.registry not in (*registries, EVERY_REGISTRY):
            raise ConfigurationError(
                f"notify.routes[{at}].registry is {route.registry!r}, which is not configured; the registries are "
                f"{', '.join(registries)}"
            )
        if route.environment is not None:
            glob = compile_glob(route.environment, alphabet=TAG_ALPHABET)
            if not any(glob.matches(name) for name in environments):
                raise ConfigurationError(
                    f"notify.routes[{at}].environment is {route.environment!r}, which fits no environment; "
                    f"the environments are {', '.join(environments) or 'none'}"
                )


def _size_of_rules(config: Config) -> None:
    size = config.rules.size()
    if size > MOST_BYTES:
        raise ConfigurationError(
            f"tag_rules, environments and registries together are {size} bytes, and a line of the ledger, which they "
            f"become, has room for {MOST_BYTES}; merge rules by wider patterns"
        )
