"""The configuration as frozen dataclasses: what every other room is handed, each as much of it as it needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal, get_args

from tagtrail.access.scopes import SCOPES, Proxy, Scope
from tagtrail.config.secrets import Secret, Token
from tagtrail.trail.rules import EVERY_REGISTRY, Authentication, RegistryIdentity, Rules

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
ChannelKind = Literal[
    "slack", "discord", "teams", "googlechat", "matrix", "telegram", "ntfy", "gotify", "email", "console", "webhook",
    "apprise",
]  # fmt: skip
NotificationKind = Literal["created", "moved", "moved_back", "deleted", "violation", "deployed", "declared", "alert"]

DEFAULT_REGISTRY: Final = "main"
CHANNEL_KINDS: Final[tuple[ChannelKind, ...]] = get_args(ChannelKind)
NOTIFICATION_KINDS: Final[tuple[NotificationKind, ...]] = get_args(NotificationKind)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the service listens; `host` is an IP address or a name, without brackets."""

    host: str = "127.0.0.1"
    port: int = 8080

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it. A name other than `localhost` is taken to be reachable."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every address of the machine, and so is none that a client could call."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False


@dataclass(frozen=True, slots=True)
class Log:
    """How the service writes its log, to standard error."""

    format: LogFormat = "text"
    level: LogLevel = "info"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry that may send events. Without tokens of its own it presents the one in the data directory."""

    name: str = DEFAULT_REGISTRY
    host: str | None = None
    aliases: tuple[str, ...] = ()
    authentication: Authentication = "none"
    tokens: tuple[Token, ...] = ()

    @property
    def identity(self) -> RegistryIdentity:
        """What the ledger may know of it."""
        return RegistryIdentity(
            name=self.name, host=self.host, aliases=self.aliases, authentication=self.authentication
        )


@dataclass(frozen=True, slots=True)
class Access:
    """Who may do what: for each scope the tokens that have it, and the users that a trusted proxy names."""

    read: tuple[Token, ...] = ()
    identity: tuple[Token, ...] = ()
    deploy: tuple[Token, ...] = ()
    export: tuple[Token, ...] = ()
    admin: tuple[Token, ...] = ()
    proxy: Proxy | None = None

    def tokens(self) -> tuple[tuple[Scope, int, Token], ...]:
        """Every token with its scope and its position there; one that has several scopes comes several times."""
        return tuple((scope, at, token) for scope in SCOPES for at, token in enumerate(getattr(self, scope)))


@dataclass(frozen=True, slots=True)
class Ledger:
    """How the ledger is signed and watched. `name` stands before `/log/1` in its checkpoints' origin.

    Without `key` and `journal` both lie in the data directory. `anchor` is a command, with its arguments, that gets
    each checkpoint on its standard input. Durations are in seconds.
    """

    name: str | None = None
    key: Path | None = None
    journal: Path | None = None
    anchor: tuple[str, ...] = ()
    checkpoint_every: float = 60.0
    verify_every: float = 24 * 3_600.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`body` is in bytes, the timeouts in seconds."""

    body: int = 8 * 1024 * 1024
    workers: int = 2
    request_timeout: float = 10.0
    stop_timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """A channel: where messages go. Which `secrets` and `settings` it has is a matter of its kind.

    `origins` says for each secret where it came from, and `exposed` names those whose file others can read. More than
    `burst` deliveries due at once become one summary. `template` and `body` are files. `trouble` is why its secrets
    could not be found, where whoever read the configuration wanted to go on without them.
    """

    name: str
    kind: ChannelKind
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    to: tuple[str, ...] = ()
    identities: bool = False
    burst: int = 10
    template: Path | None = None
    body: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    exposed: frozenset[str] = frozenset()
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours in which nothing is sent, by the clock of a zone; over midnight where they end before they begin."""

    begins: time
    ends: time
    zone: str


@dataclass(frozen=True, slots=True)
class RouteConfig:
    """What goes to which channels: `repository`, `tag` and `environment` are globs; no environment is any and none."""

    channels: tuple[str, ...]
    repository: str = "**"
    tag: str = "*"
    environment: str | None = None
    registry: str = EVERY_REGISTRY
    kinds: frozenset[NotificationKind] = frozenset(NOTIFICATION_KINDS)
    quiet: Quiet | None = None


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    """What is told, and where. Durations are in seconds; `match` says whether the first route decides, or all do."""

    settle: float = 3.0
    give_up_after: float = 24 * 3_600.0
    fallback: str | None = None
    silent_after: float = 24 * 3_600.0
    channels: tuple[ChannelConfig, ...] = ()
    match: Literal["all", "first"] = "all"
    routes: tuple[RouteConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is in force. `source` is the file it came from, None without one."""

    data: Path
    listen: Address = Address()
    public_url: str | None = None
    log: Log = Log()
    registries: tuple[Registry, ...] = (Registry(),)
    access: Access = Access()
    rules: Rules = field(default_factory=Rules)
    ledger: Ledger = Ledger()
    notify: NotifyConfig = NotifyConfig()
    limits: Limits = Limits()
    source: Path | None = field(default=None, compare=False)

    @property
    def may_be_open(self) -> bool:
        """Whether anybody who reaches the service may ask and declare, unless the store has or had a token.

        Only ever so on loopback, and without any token and proxy here.
        """
        return self.listen.is_loopback and not self.access.tokens() and self.access.proxy is None

    @property
    def needs_stored_token(self) -> bool:
        """Whether other machines reach it and nobody may ask: then it starts only with a live token in the store."""
        return not (self.listen.is_loopback or self.access.read or self.access.proxy is not None)
