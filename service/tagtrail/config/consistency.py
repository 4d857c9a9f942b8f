"""Checks between keys: rules that contradict each other, names that are used twice, and what is unwise.

A check gets the whole configuration. It raises ConfigurationError, or yields a warning.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import Final
from urllib.parse import urlsplit

from msgspec.structs import fields, replace

from tagtrail.config.model import (
    DEFAULT_REGISTRY,
    Config,
    EnvironmentConfig,
    NotifyConfig,
    RegistryConfig,
    RouteConfig,
    default_environments,
)
from tagtrail.config.secrets import AccessToken, IngestToken, Secret
from tagtrail.config.values import POSSIBLE_REPOSITORIES
from tagtrail.errors import ConfigurationError
from tagtrail.trail.automaton import find_common
from tagtrail.trail.names import is_loopback
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, TAG_ALPHABET, compile_glob
from tagtrail.trail.rules import EVERY_REGISTRY, MOST_BYTES, EnvironmentRule, TagRule

_EVERYTHING: Final = RouteConfig(())


def refuse_contradictions(config: Config, *, needs_templates: bool) -> None:
    """Every check. Raises ConfigurationError for the first that fails."""
    _check_registries(config)
    _check_tokens(config)
    _check_tag_rules(config)
    _check_environments(config)
    refuse_dead_routes(config.notify)
    _check_routes(config)
    if needs_templates:
        _check_templates(config.notify)
    _check_size_of_rules(config)


def refuse_open_service(config: Config, *, has_stored_token: bool) -> None:
    """Raises ConfigurationError where other machines reach the service and no token can read.

    `has_stored_token`: the store has a token that is live. Ingest always needs a token.
    """
    if config.needs_stored_token and not has_stored_token:
        raise ConfigurationError(
            f"listen is {str(config.listen)!r}, which other machines can reach, and access.read has no token; "
            "give it at least one, or make one with `tagtrail token create NAME --scope read`, or name an "
            "access.proxy, or listen on 127.0.0.1 (ingest always needs a token: without "
            "configured ones, the one in the data directory)"
        )


def _check_registries(config: Config) -> None:
    _refuse_repetition(
        [(f"registries[{at}].name", registry.name) for at, registry in enumerate(config.registries)],
        cure="give every registry a name of its own",
    )
    _refuse_repetition(list(_hosts(config)), cure="one host belongs to one registry, and is named once")
    bare = [f"registries[{at}]" for at, registry in enumerate(config.registries) if not registry.tokens]
    if len(bare) > 1:
        raise ConfigurationError(
            f"{bare[0]} and {bare[1]} have no tokens, and only one registry can use the token that tagtrail makes; "
            "give all registries but one `tokens`, since a registry is known by its token"
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


def _check_tokens(config: Config) -> None:
    seen: dict[bytes, str] = {}
    for path, token in _tokens_of(config):
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


def _tokens_of(config: Config) -> Iterator[tuple[str, IngestToken | AccessToken]]:
    """Every token with its key path."""
    for at, registry in enumerate(config.registries):
        for position, token in enumerate(registry.tokens):
            yield f"registries[{at}].tokens[{position}]", token
    for scope, position, access_token in config.access.tokens():
        yield f"access.{scope}[{position}]", access_token


def _check_tag_rules(config: Config) -> None:
    seen: dict[tuple[str, str | None, str | None], int] = {}
    for at, rule in enumerate(config.tag_rules):
        first = seen.setdefault((rule.repository, rule.tag, rule.tag_regex), at)
        if first != at:
            raise ConfigurationError(
                f"tag_rules[{at}] has the patterns {rule.repository!r} and {rule.tag or rule.tag_regex!r} of "
                f"tag_rules[{first}], which decides first; take one of them out"
            )


def _check_environments(config: Config) -> None:
    environments = config.environments
    if environments == default_environments():
        return  # the operator did not write them; a release tag may not move all the same
    names = {registry.name for registry in config.registries} | {EVERY_REGISTRY}
    for at, environment in enumerate(environments):
        path = f"environments[{at}]"
        for first, earlier in enumerate(environments[:at]):
            if replace(earlier, tag=environment.tag) == environment:
                raise ConfigurationError(
                    f"{path} is {environment.name!r} in the repositories of environments[{first}], which decides; "
                    "an environment has one tag in each repository: take one of the two out, or narrow it"
                )
        if environment.registry not in names:
            known = ", ".join(sorted(names - {EVERY_REGISTRY}))
            raise ConfigurationError(
                f"{path}.registry is {environment.registry!r}, which is not configured; the registries are {known}"
            )
        _refuse_release_tag(config, environment.rule, path)


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
    """A repository of the environment for which this rule decides, and none of those before it."""
    try:
        return find_common(
            [environment.repositories, rule.repositories, POSSIBLE_REPOSITORIES],
            none=[earlier.repositories for earlier in before],
            alphabet=REPOSITORY_ALPHABET,
        )
    except ValueError as error:
        raise ConfigurationError(f"{path}.repository, together with the tag rules, {error}") from None


def _check_routes(config: Config) -> None:
    """A route names registries and environments that exist, or nothing could match it."""
    registries = [registry.name for registry in config.registries]
    environments = list(dict.fromkeys(environment.name for environment in config.environments))
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


def _check_templates(notify: NotifyConfig) -> None:
    for at, channel in enumerate(notify.channels):
        for key, path in (("template", channel.template), ("body", channel.body)):
            if path is not None and not path.is_file():
                raise ConfigurationError(
                    f"notify.channels[{at}].{key} is {str(path)!r}, where there is no file; write the template there, "
                    "or take the key out"
                )


def _check_size_of_rules(config: Config) -> None:
    size = config.rules.size()
    if size > MOST_BYTES:
        raise ConfigurationError(
            f"tag_rules, environments and registries together are {size} bytes, and a line of the ledger, which holds "
            f"them, has room for {MOST_BYTES}; merge rules by wider patterns"
        )


def refuse_dead_routes(notify: NotifyConfig) -> None:
    """Raises ConfigurationError for a name of no channel or of two, and for a route that nothing can match."""
    _refuse_repetition(
        [(f"notify.channels[{at}].name", channel.name) for at, channel in enumerate(notify.channels)],
        cure="give every channel a name of its own",
    )
    channels = [channel.name for channel in notify.channels]
    for key, name in _named_channels(notify):
        if name not in channels:
            known = ", ".join(channels) or "none yet"
            raise ConfigurationError(f"notify.{key} is {name!r}, which is no channel; the channels are {known}")
    for at in range(len(notify.routes)):
        _refuse_dead_route(notify, at, f"notify.routes[{at}]")


def _named_channels(notify: NotifyConfig) -> Iterator[tuple[str, str]]:
    if notify.fallback is not None:
        yield "fallback", notify.fallback
    for at, route in enumerate(notify.routes):
        for position, name in enumerate(route.channels):
            yield f"routes[{at}].channels[{position}]", name


def _refuse_dead_route(notify: NotifyConfig, at: int, path: str) -> None:
    route = notify.routes[at]
    if route.kinds == {"alert"} and not _takes_alerts(route):
        raise ConfigurationError(
            f"{path} sends only alerts, which have no repository, tag and environment; remove these keys"
        )
    for first, earlier in enumerate(notify.routes[:at] if notify.match == "first" else ()):
        if _takes_all_of(earlier, route):
            raise ConfigurationError(
                f"{path} is never reached, since routes[{first}] takes all that it wants and `match` is first; "
                "put it before that one, or take it out"
            )


def _takes_alerts(route: RouteConfig) -> bool:
    every = _EVERYTHING
    return (route.repository, route.tag, route.environment) == (every.repository, every.tag, every.environment)


def _takes_all_of(earlier: RouteConfig, later: RouteConfig) -> bool:
    pairs = (
        (earlier.repository, later.repository, _EVERYTHING.repository),
        (earlier.tag, later.tag, _EVERYTHING.tag),
        (earlier.environment, later.environment, None),
        (earlier.registry, later.registry, EVERY_REGISTRY),
    )
    return earlier.kinds >= later.kinds and all(first in (second, every) for first, second, every in pairs)


def find_warnings(config: Config) -> tuple[str, ...]:
    """Sentences about what works, and is not as safe or as useful as it could be. Keys with one fault share one."""
    grouped: dict[str, list[str]] = {}
    for path, sentence in _each_warning(config):
        grouped.setdefault(sentence, []).append(path)
    return tuple(f"{_listed(paths)}: {sentence}" for sentence, paths in grouped.items())


def _listed(paths: list[str]) -> str:
    return f"{', '.join(paths[:-1])} and {paths[-1]}" if len(paths) > 1 else paths[0]


def _each_warning(config: Config) -> Iterator[tuple[str, str]]:
    """Each warning as a key path and a sentence with its cure."""
    yield from _warn_of_exposed(config)
    yield from _warn_of_open_reading(config)
    yield from _warn_of_hosts(config)
    yield from _warn_of_shared_tags(config.environments)
    yield from _warn_of_unused_channels(config.notify)


def _warn_of_exposed(config: Config) -> Iterator[tuple[str, str]]:
    for path, secret in (*_tokens_of(config), *_channel_secrets(config.notify)):
        if secret.is_exposed:
            yield path, f"every user of this machine can read {secret.origin}; chmod o-r it"


def _channel_secrets(notify: NotifyConfig) -> Iterator[tuple[str, Secret]]:
    for at, channel in enumerate(notify.channels):
        for field in fields(channel):
            value = getattr(channel, field.name)
            if isinstance(value, Secret):
                yield f"notify.channels[{at}].{field.encode_name}", value


def _warn_of_open_reading(config: Config) -> Iterator[tuple[str, str]]:
    if config.public_url is None or not config.may_be_open:
        return
    if not is_loopback(urlsplit(config.public_url).hostname or ""):
        problem = f"there is no token, and everyone who reaches public_url ({config.public_url}) may read"
        cure = "unless `tagtrail token create` has made a token; give access.read one, or make one"
        yield "access.read", f"{problem}, {cure}"


def _warn_of_hosts(config: Config) -> Iterator[tuple[str, str]]:
    for at, registry in enumerate(config.registries):
        if registry.host is None and replace(registry, tokens=()) != RegistryConfig(DEFAULT_REGISTRY):
            problem = "the key is missing, so that references to images have the host that a client used"
            yield f"registries[{at}].host", f"{problem}; write the host and port that stand before an image's name"


def _warn_of_shared_tags(environments: tuple[EnvironmentConfig, ...]) -> Iterator[tuple[str, str]]:
    for (first, one), (second, other) in combinations(enumerate(environments), 2):
        if one.tag == other.tag and one.name != other.name and _overlap(one, other):
            problem = (
                f"both have the tag {one.tag!r} in the same repositories, so that its move is a deployment to both"
            )
            cure = "give each environment a tag of its own"
            yield f"environments[{first}] and environments[{second}]", f"{problem}; {cure}"


def _overlap(one: EnvironmentConfig, other: EnvironmentConfig) -> bool:
    if EVERY_REGISTRY not in (one.registry, other.registry) and one.registry != other.registry:
        return False
    patterns = [one.rule.repositories, other.rule.repositories, POSSIBLE_REPOSITORIES]
    return find_common(patterns, alphabet=REPOSITORY_ALPHABET) is not None


def _warn_of_unused_channels(notify: NotifyConfig) -> Iterator[tuple[str, str]]:
    used = {name for _, name in _named_channels(notify)}
    for at, channel in enumerate(notify.channels):
        if channel.name not in used:
            yield (
                f"notify.channels[{at}]",
                "no route names this channel; name it in a route, or take it out",
            )
