"""What `tagtrail check` prints: every effective setting and what to think twice about, but never a secret."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from tagtrail.access.scopes import SCOPES, Proxy
from tagtrail.config.contradictions import tokens_of
from tagtrail.config.model import (
    NOTIFICATION_KINDS,
    Address,
    ChannelConfig,
    Config,
    Ledger,
    NotifyConfig,
    Registry,
    RouteConfig,
)
from tagtrail.config.secrets import INGEST_TOKEN_FILE, Token
from tagtrail.trail.rules import EnvironmentRule, TagRule

_CREATE = "tagtrail token create"
_CLOSED = f"none: only tokens that `{_CREATE}` makes"


def describe(config: Config) -> str:
    """One line for each effective setting, as `key path: value`."""
    return "".join(f"{key}: {value}\n" for key, value in _settings(config))


def find_warnings(config: Config) -> tuple[str, ...]:
    """Sentences about what works, and is not as safe as it could be."""
    return tuple(
        f"{path} comes from {origin}, which every user of this machine can read; chmod o-r it"
        for path, origin in _exposed(config)
    ) + tuple(_open_behind_proxy(config))


def _exposed(config: Config) -> Iterator[tuple[str, str]]:
    for path, token in tokens_of(config):
        if token.exposed:
            yield path, token.origin
    for at, channel in enumerate(config.notify.channels):
        for key in sorted(channel.exposed):
            yield f"notify.channels[{at}].{key}", channel.origins[key]


def _open_behind_proxy(config: Config) -> Iterator[str]:
    if config.public_url is None or not config.may_be_open:
        return
    if not Address(host=urlsplit(config.public_url).hostname or "").is_loopback:
        yield (
            f"public_url is {config.public_url!r}, and access.read has no token, so that whoever reaches that URL may "
            "read, unless `tagtrail token create` has made a token; give access.read one, or make one"
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
    yield from _access(config)
    yield from _rules(config)
    yield from _ledger(config.ledger)
    yield from _notify(config.notify)
    yield "limits.body", f"{config.limits.body} bytes"
    yield "limits.workers", f"{config.limits.workers} processes"
    yield "limits.threads", f"{config.limits.threads} in each process"
    yield "limits.request_timeout", f"{config.limits.request_timeout:g}s"
    yield "limits.stop_timeout", f"{config.limits.stop_timeout:g}s"


def _ledger(ledger: Ledger) -> Iterator[tuple[str, str]]:
    yield "ledger.name", ledger.name or "the host of public_url, or this machine's name; fixed by the first checkpoint"
    yield "ledger.key", str(ledger.key or "log-key.pem in the data directory")
    yield "ledger.journal", str(ledger.journal or "journal in the data directory")
    yield "ledger.anchor", " ".join(ledger.anchor) or "none"
    yield "ledger.checkpoint_every", f"{ledger.checkpoint_every:g}s"
    yield "ledger.verify_every", f"{ledger.verify_every:g}s"


def _notify(notify: NotifyConfig) -> Iterator[tuple[str, str]]:
    yield "notify.settle", f"{notify.settle:g}s"
    yield "notify.give_up_after", f"{notify.give_up_after:g}s"
    yield "notify.silent_after", f"{notify.silent_after:g}s"
    yield "notify.fallback", notify.fallback or "none: a delivery given up is told to nobody else"
    if not notify.channels:
        yield "notify.channels", "none"
    for at, channel in enumerate(notify.channels):
        yield from _channel(f"notify.channels[{at}]", channel)
    yield "notify.match", notify.match
    if not notify.routes:
        yield "notify.routes", "none: nothing is told"
    for at, route in enumerate(notify.routes):
        yield f"notify.routes[{at}]", _route(route)


def _channel(path: str, channel: ChannelConfig) -> Iterator[tuple[str, str]]:
    yield f"{path}.name", channel.name
    yield f"{path}.kind", channel.kind
    for key, value in channel.settings.items():
        yield f"{path}.{key}", value
    for key, origin in channel.origins.items():
        yield f"{path}.{key}", f"from {origin}"
    if channel.to:
        yield f"{path}.to", ", ".join(channel.to)
    yield f"{path}.identities", "told" if channel.identities else "not told"
    yield f"{path}.burst", f"more than {channel.burst} at once become one summary"
    yield f"{path}.template", str(channel.template or "built in")
    yield f"{path}.body", str(channel.body or "built in")


def _route(route: RouteConfig) -> str:
    kinds = [kind for kind in NOTIFICATION_KINDS if kind in route.kinds]
    what = "all kinds" if len(kinds) == len(NOTIFICATION_KINDS) else f"the kinds {', '.join(kinds)}"
    where = f"of the tag {route.tag} in {route.repository} of registry {route.registry}"
    environment = f", published for the environment {route.environment}," if route.environment is not None else ""
    quiet = route.quiet
    hours = f", quiet from {quiet.begins:%H:%M} until {quiet.ends:%H:%M} in the zone {quiet.zone}" if quiet else ""
    return f"{what} {where}{environment} to the channels {', '.join(route.channels)}{hours}"


def _access(config: Config) -> Iterator[tuple[str, str]]:
    for scope in SCOPES:
        is_open = config.may_be_open and scope != "admin"
        without = f"none: open on this machine until `{_CREATE}` makes a token" if is_open else _CLOSED
        if scope == "read" and config.needs_stored_token:
            without = f"none: the service starts only with a token that `{_CREATE}` has made"
        yield from _tokens(f"access.{scope}", getattr(config.access, scope), without)
    yield from _proxy(config.access.proxy)


def _proxy(proxy: Proxy | None) -> Iterator[tuple[str, str]]:
    if proxy is None:
        yield "access.proxy", "none"
        return
    yield "access.proxy.addresses", ", ".join(map(str, proxy.addresses))
    yield "access.proxy.user_header", proxy.user_header
    yield "access.proxy.groups_header", proxy.groups_header or "none"
    for group, scopes in proxy.groups:
        yield f"access.proxy.groups.{group}", ", ".join(scopes)
    yield "access.proxy.everyone", ", ".join(proxy.everyone) or "none: a user's groups decide"


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
