"""What `tagtrail check` prints: every effective setting and what to think twice about, but never a secret."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from tagtrail.config.contradictions import tokens_of
from tagtrail.config.model import Address, Config, Registry
from tagtrail.config.secrets import INGEST_TOKEN_FILE, Token
from tagtrail.trail.rules import EnvironmentRule, TagRule


def describe(config: Config) -> str:
    """One line for each effective setting, as `key path: value`."""
    return "".join(f"{key}: {value}\n" for key, value in _settings(config))


def find_warnings(config: Config) -> tuple[str, ...]:
    """Sentences about what works, and is not as safe as it could be."""
    return tuple(
        f"{path} comes from {token.origin}, which every user of this machine can read; chmod o-r it"
        for path, token in tokens_of(config)
        if token.exposed
    ) + tuple(_open_behind_proxy(config))


def _open_behind_proxy(config: Config) -> Iterator[str]:
    if config.public_url is None or not config.reading_is_open:
        return
    if not Address(host=urlsplit(config.public_url).hostname or "").is_loopback:
        yield (
            f"public_url is {config.public_url!r}, and access.read has no token, so that whoever reaches that URL may "
            "read; give access.read a token"
        )


def _settings(config: Config) -> Iterator[tuple[str, str]]:
    yield "configuration file", str(config.source or "none")
    yield "listen", f"{config.listen} ({'this machine only' if config.listen.is_loopback else 'reachable'})"
    yield "data", str(config.data)
    yield "public_url", config.public_url or "none"
    yield "log.format", config.log.format
    yield "log.level", config.log.level
    for at, registry in enumerate(config.registries):
        yield from _registry(f"registries[{at}]", registry, config)
    yield from _tokens("access.read", config.access.read, "none: reading is open on this machine")
    closed = "none: nobody may declare a deployment"
    open_ = "none: declaring a deployment is open on this machine"
    yield from _tokens("access.deploy", config.access.deploy, open_ if config.declaring_is_open else closed)
    yield from _rules(config)
    yield "limits.body", f"{config.limits.body} bytes"
    yield "limits.workers", f"{config.limits.workers} processes"
    yield "limits.threads", f"{config.limits.threads} in each process"
    yield "limits.request_timeout", f"{config.limits.request_timeout:g}s"
    yield "limits.stop_timeout", f"{config.limits.stop_timeout:g}s"


def _registry(path: str, registry: Registry, config: Config) -> Iterator[tuple[str, str]]:
    yield f"{path}.name", registry.name
    yield f"{path}.host", registry.host or "taken from each event"
    yield f"{path}.aliases", ", ".join(registry.aliases) or "none"
    yield f"{path}.authentication", registry.authentication
    yield from _tokens(f"{path}.tokens", registry.tokens, f"file {config.data / INGEST_TOKEN_FILE}")


def _tokens(path: str, tokens: tuple[Token, ...], without: str) -> Iterator[tuple[str, str]]:
    if not tokens:
        yield path, without
    for at, token in enumerate(tokens):
        yield f"{path}[{at}]", f"from {token.origin}"


def _rules(config: Config) -> Iterator[tuple[str, str]]:
    for at, rule in enumerate(config.rules.tag_rules):
        yield f"tag_rules[{at}]", _tag_rule(rule)
    for at, rule in enumerate(config.rules.default_tag_rules):
        yield f"default tag rule {at + 1}", f"{_tag_rule(rule)}: {rule.reason}"
    if not config.rules.environments:
        yield "environments", "none"
    for at, environment in enumerate(config.rules.environments):
        yield f"environments[{at}]", _environment(environment)


def _tag_rule(rule: TagRule) -> str:
    return f"in {rule.repository} the tag {rule.syntax} {rule.tag} is {rule.kind}"


def _environment(rule: EnvironmentRule) -> str:
    return f"{rule.name} is what {rule.tag} points at in {rule.repository} of registry {rule.registry}"
