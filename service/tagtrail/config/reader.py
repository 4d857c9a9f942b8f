"""From the nodes of the file to the frozen dataclasses, one function for each section of the file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tagtrail.config import fields
from tagtrail.config.document import Node
from tagtrail.config.model import Access, Config, Limits, Log, LogFormat, LogLevel, Registry
from tagtrail.config.secrets import Secret, Token, check_token, digest_of, read_token_file
from tagtrail.errors import ConfigurationError
from tagtrail.trail.default_rules import Kind
from tagtrail.trail.rules import (
    DEFAULT_ENVIRONMENTS,
    EVERY_REGISTRY,
    Authentication,
    EnvironmentRule,
    Rules,
    TagRule,
)

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the file's words refer to: paths to its folder, variables to `environ`.

    `exposed` says whether other users of the machine can read the file, and with it the tokens written into it.
    """

    folder: Path
    environ: Mapping[str, str]
    exposed: bool = False


def read_config(root: Node, surroundings: Surroundings) -> Config:
    """The configuration that the file describes, each key checked by itself. Raises ConfigurationError."""
    section = root.section(
        "listen", "data", "public_url", "log", "registries", "access", "tag_rules", "environments", "limits"
    )
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
    section = node.section("read", "deploy")
    tokens = partial(_tokens, around=around, kept=False)
    return Access(read=section.read("read", tokens, ()), deploy=section.read("deploy", tokens, ()))


def _tokens(node: Node, *, around: Surroundings, kept: bool) -> tuple[Token, ...]:
    return tuple(_token(item, around, kept=kept) for item in node.items(example="- env: REGISTRY_TOKEN"))


def _token(node: Node, around: Surroundings, *, kept: bool) -> Token:
    """A token; `kept` says that its text will be needed to print it. Nothing that is found here is ever quoted."""
    if not isinstance(node.value, dict) or set(node.value) not in ({"value"}, {"env"}, {"file"}):
        raise node.refuse("is not one of value, env and file", "write it as `env: REGISTRY_TOKEN` or `file: ./token`")
    (source,) = node.section("value", "env", "file").nodes.items()
    key, value = source
    text, origin, exposed = _TOKEN_SOURCES[key](value, around)
    try:
        check_token(text)
    except ValueError as error:
        raise ConfigurationError(f"{value.path} {error}") from None
    return Token(digest=digest_of(text), origin=origin, secret=Secret(text) if kept else None, exposed=exposed)


def _token_value(node: Node, around: Surroundings) -> tuple[str, str, bool]:
    return node.text(), "the configuration file", around.exposed


def _token_from_environment(node: Node, around: Surroundings) -> tuple[str, str, bool]:
    variable = node.text()
    if not _VARIABLE.fullmatch(variable):
        raise node.refuse("is no variable's name", "write the name in capital letters, such as REGISTRY_TOKEN")
    if not around.environ.get(variable):
        raise node.refuse(f"is {variable}, which is not set", f"start tagtrail with the token in {variable}")
    return around.environ[variable].strip(), f"environment variable {variable}", False


def _token_from_file(node: Node, around: Surroundings) -> tuple[str, str, bool]:
    if "/" not in node.text():
        raise node.refuse(
            "is no path", "write it with a slash, such as ./registry-token or /run/secrets/registry-token"
        )
    path = around.folder / node.text()
    try:
        text, exposed = read_token_file(path)
    except ValueError as error:
        raise ConfigurationError(f"{node.path} is {str(path)!r}, which {error}") from None
    return text, f"file {path}", exposed


_TOKEN_SOURCES = {"value": _token_value, "env": _token_from_environment, "file": _token_from_file}


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


def _limits(node: Node) -> Limits:
    section = node.section("body", "workers", "threads", "request_timeout", "stop_timeout")
    default = Limits()
    return Limits(
        body=section.read("body", lambda node: node.size(least=2**20, most=2**28), default.body),
        workers=section.read("workers", lambda node: node.integer(least=1, most=64), default.workers),
        threads=section.read("threads", lambda node: node.integer(least=1, most=256), default.threads),
        request_timeout=section.read(
            "request_timeout", lambda node: node.duration(least=1, most=600), default.request_timeout
        ),
        stop_timeout=section.read("stop_timeout", lambda node: node.duration(least=1, most=600), default.stop_timeout),
    )
