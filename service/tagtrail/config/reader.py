"""From the nodes of the file to the frozen dataclasses, one function for each section of the file."""

from functools import partial
from pathlib import Path

from tagtrail.access.scopes import SCOPES
from tagtrail.config import fields
from tagtrail.config.document import Node
from tagtrail.config.model import Access, Config, Ledger, Limits, Log, LogFormat, LogLevel, Registry
from tagtrail.config.notify import read_notify
from tagtrail.config.proxy import read_proxy
from tagtrail.config.secrets import Token, check_token, digest_of
from tagtrail.config.sources import Surroundings, Wanted, find_secret
from tagtrail.trail.rules import (
    DEFAULT_ENVIRONMENTS,
    EVERY_REGISTRY,
    Authentication,
    EnvironmentRule,
    Kind,
    Rules,
    TagRule,
)


def read_config(root: Node, surroundings: Surroundings) -> Config:
    """The configuration that the file describes, each key checked by itself. Raises ConfigurationError."""
    section = root.section(
        "listen", "data", "public_url", "log", "registries", "access", "tag_rules", "environments", "ledger",
        "notify", "limits",
    )  # fmt: skip
    default = Config(data=Path("tagtrail-data").absolute())
    registries = section.read("registries", partial(_registries, around=surroundings), default.registries)
    return Config(
        listen=section.read("listen", lambda node: node.parse(fields.address), default.listen),
        data=section.read("data", lambda node: surroundings.folder / node.text(), default.data),
        public_url=section.read("public_url", _public_url, default.public_url),
        log=section.read("log", _log, default.log),
        registries=registries,
        access=section.read("access", partial(_access, around=surroundings), default.access),
        rules=Rules(
            tag_rules=section.read("tag_rules", _tag_rules, ()),
            environments=section.read("environments", _environments, DEFAULT_ENVIRONMENTS),
            registries=tuple(registry.identity for registry in registries),
        ),
        ledger=section.read("ledger", partial(read_ledger, folder=surroundings.folder), default.ledger),
        notify=section.read("notify", partial(read_notify, around=surroundings), default.notify),
        limits=section.read("limits", _limits, default.limits),
    )


def _public_url(node: Node) -> str | None:
    return node.parse(fields.public_url, quoted="@" not in node.text())


def _log(node: Node) -> Log:
    section = node.section("format", "level")
    return Log(
        format=section.read("format", _log_format, Log().format),
        level=section.read("level", _log_level, Log().level),
    )


def _log_format(node: Node) -> LogFormat:
    return node.choice("text", "json")


def _log_level(node: Node) -> LogLevel:
    return node.choice("debug", "info", "warning", "error")


def _registries(node: Node, *, around: Surroundings) -> tuple[Registry, ...]:
    nodes = node.items(example="- name: main")
    if not nodes:
        raise node.refuse(
            "is an empty list", "name at least one registry, or take the key out for one named `registry`"
        )
    return tuple(_registry(item, around) for item in nodes)


def _registry(node: Node, around: Surroundings) -> Registry:
    section = node.section("name", "host", "aliases", "authentication", "tokens")
    return Registry(
        name=section.require("name", example="main").parse(fields.name),
        host=section.read("host", _host, None),
        aliases=section.read("aliases", _aliases, ()),
        authentication=section.read("authentication", _authentication, Registry().authentication),
        tokens=section.read("tokens", partial(_ingest_tokens, around=around), ()),
    )


def _authentication(node: Node) -> Authentication:
    return node.choice("none", "htpasswd", "token")


def _host(node: Node) -> str | None:
    return node.parse(fields.host)


def _aliases(node: Node) -> tuple[str, ...]:
    return tuple(item.parse(fields.host) for item in node.items(example="- localhost:5000"))


def _ingest_tokens(node: Node, *, around: Surroundings) -> tuple[Token, ...]:
    tokens = _tokens(node, around=around, kept=True)
    if not 1 <= len(tokens) <= 2:
        cure = "give it one token, or two while one replaces the other, or take the key out for the one tagtrail makes"
        raise node.refuse(f"has {len(tokens)} tokens", cure)
    return tokens


def _access(node: Node, *, around: Surroundings) -> Access:
    section = node.section(*SCOPES, "proxy")
    tokens = partial(_tokens, around=around, kept=False)
    none: tuple[Token, ...] = ()
    return Access(
        **{scope: section.read(scope, tokens, none) for scope in SCOPES}, proxy=section.read("proxy", read_proxy, None)
    )


def _tokens(node: Node, *, around: Surroundings, kept: bool) -> tuple[Token, ...]:
    return tuple(_token(item, around, kept=kept) for item in node.items(example="- env: REGISTRY_TOKEN"))


def _token(node: Node, around: Surroundings, *, kept: bool) -> Token:
    """A token; `kept` says that its text will be needed to print it."""
    found = find_secret(node, around, Wanted("token", "REGISTRY_TOKEN", "./registry-token", check_token))
    text = found.secret.reveal()
    secret = found.secret if kept else None
    return Token(digest=digest_of(text), origin=found.origin, secret=secret, exposed=found.exposed)


def _tag_rules(node: Node) -> tuple[TagRule, ...]:
    return tuple(_tag_rule(item) for item in node.items(example="- {tag: '*-rc*', kind: moving}"))


def _tag_rule(node: Node) -> TagRule:
    section = node.section("repository", "tag", "tag_regex", "kind")
    pattern = section.require_one("tag", "tag_regex", path=node.path)
    is_glob = "tag" in section.nodes
    kind: Kind = section.require("kind", example="release").choice("release", "moving")
    return TagRule(
        repository=section.read("repository", lambda node: node.parse(fields.repository_glob), "**"),
        tag=pattern.parse(fields.tag_glob if is_glob else fields.tag_expression),
        syntax="glob" if is_glob else "regex",
        kind=kind,
        reason=f"fits {node.path} of the configuration",
    )


def _environments(node: Node) -> tuple[EnvironmentRule, ...]:
    return tuple(_environment(item) for item in node.items(example="- {name: production, tag: prod}"))


def _environment(node: Node) -> EnvironmentRule:
    section = node.section("name", "repository", "tag", "registry")
    return EnvironmentRule(
        name=section.require("name", example="production").parse(fields.name),
        repository=section.read("repository", lambda node: node.parse(fields.repository_glob), "**"),
        tag=section.require("tag", example="prod").parse(fields.tag),
        registry=section.read("registry", _registry_of_environment, EVERY_REGISTRY),
    )


def _registry_of_environment(node: Node) -> str:
    return EVERY_REGISTRY if node.text() == EVERY_REGISTRY else node.parse(fields.name)


def read_ledger(node: Node, *, folder: Path) -> Ledger:
    """How the ledger is signed and watched; relative paths begin at `folder`. Raises ConfigurationError."""
    section = node.section("name", "key", "journal", "anchor", "checkpoint_every", "verify_every")
    default = Ledger()
    return Ledger(
        name=section.read("name", _host, default.name),
        key=section.read("key", lambda node: folder / node.text(), default.key),
        journal=section.read("journal", lambda node: folder / node.text(), default.journal),
        anchor=section.read("anchor", _command, default.anchor),
        checkpoint_every=section.read(
            "checkpoint_every", lambda node: node.duration(least=1, most=3_600), default.checkpoint_every
        ),
        verify_every=section.read(
            "verify_every", lambda node: node.duration(least=60, most=366 * 86_400), default.verify_every
        ),
    )


def _command(node: Node) -> tuple[str, ...]:
    words = tuple(item.text() for item in node.items(example="- /usr/local/bin/keep-checkpoint"))
    if not words:
        raise node.refuse("is an empty list", "name a command, or take the key out")
    return words


def _limits(node: Node) -> Limits:
    section = node.section("body", "workers", "request_timeout", "stop_timeout")
    default = Limits()
    return Limits(
        body=section.read("body", lambda node: node.size(least=2**20, most=2**28), default.body),
        workers=section.read("workers", lambda node: node.integer(least=1, most=64), default.workers),
        request_timeout=section.read(
            "request_timeout", lambda node: node.duration(least=1, most=600), default.request_timeout
        ),
        stop_timeout=section.read("stop_timeout", lambda node: node.duration(least=1, most=600), default.stop_timeout),
    )
