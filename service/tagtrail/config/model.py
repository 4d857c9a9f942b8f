"""The configuration as frozen structs: the file is read into them, and the program uses them."""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, field

from tagtrail.access.scopes import SCOPES, Proxy, Scope
from tagtrail.config.channels import AnyChannelConfig
from tagtrail.config.secrets import AccessToken, IngestToken
from tagtrail.config.section import Section
from tagtrail.config.values import (
    EnvironmentGlob,
    Header,
    HostName,
    ListenAddress,
    Name,
    Network,
    PublicUrl,
    RegistryName,
    RepositoryGlob,
    Seconds,
    Size,
    TagExpression,
    TagGlob,
    TagName,
    Text,
    TimeOfDay,
    Zone,
    within,
)
from tagtrail.trail.rules import (
    DEFAULT_ENVIRONMENTS,
    EVERY_REGISTRY,
    Authentication,
    EnvironmentRule,
    Kind,
    RegistryIdentity,
    Rules,
    TagRule,
)

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
NotificationKind = Literal["created", "moved", "moved_back", "deleted", "violation", "deployed", "declared", "alert"]

DEFAULT_REGISTRY: Final = "main"
NOTIFICATION_KINDS: Final[tuple[NotificationKind, ...]] = get_args(NotificationKind)

_HOUR: Final = 3_600
_DAY: Final = 24 * _HOUR


class LogConfig(Section, frozen=True):
    """How the service writes its log, to standard error."""

    format: LogFormat = "text"
    level: LogLevel = "info"


class RegistryConfig(Section, frozen=True):
    """A registry that may send events. Without tokens of its own it presents the one in the data directory."""

    name: Name
    host: HostName | None = None
    aliases: tuple[HostName, ...] = ()
    authentication: Authentication = "none"
    tokens: Annotated[
        tuple[IngestToken, ...],
        Meta(
            min_length=1,
            max_length=2,
            description="one token, or two while one replaces the other, or take the key out",
        ),
    ] = ()

    @property
    def identity(self) -> RegistryIdentity:
        """The registry as the ledger knows it."""
        return RegistryIdentity(
            name=self.name, host=self.host, aliases=self.aliases, authentication=self.authentication
        )


Scopes = Annotated[tuple[Scope, ...], Meta(min_length=1, examples=[["read"]])]


class ProxyConfig(Section, frozen=True):
    """A reverse proxy that names its user. Only requests from its own addresses are believed."""

    user_header: Header
    addresses: Annotated[
        tuple[Network, ...],
        Meta(
            min_length=1,
            examples=[["10.0.0.7"]],
            description="the proxy's own addresses, since anyone else who can send the header could name any user",
        ),
    ]
    groups_header: Header | None = None
    groups: Annotated[dict[str, Scopes], Meta(min_length=1, examples=[{"auditors": ["read", "export"]}])] = field(
        default_factory=dict
    )
    everyone: Scopes = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for group in self.groups:
            if not group.strip() or set(group) & set(",|"):
                raise ValueError(f".groups has a group {group[:60]!r}; write a group's name without , and |")
        if bool(self.groups) != (self.groups_header is not None):
            raise ValueError(" has one of groups_header and groups; give it both, or neither")
        if (self.groups_header or "").lower() == self.user_header.lower():
            raise ValueError(
                " has one header for user and groups; name two, else a user is in the group of his own name"
            )
        if not self.groups and not self.everyone:
            raise ValueError(" gives no user a scope; write `everyone: [read]`, or scopes for some groups")

    @property
    def proxy(self) -> Proxy:
        """The proxy as access checks it."""
        return Proxy(
            addresses=tuple(map(ip_network, self.addresses)),
            user_header=self.user_header,
            groups_header=self.groups_header,
            groups=tuple((group.strip(), scopes) for group, scopes in self.groups.items()),
            everyone=self.everyone,
        )


class AccessConfig(Section, frozen=True):
    """For each scope the tokens that have it, and the proxy whose users may have scopes."""

    read: tuple[AccessToken, ...] = ()
    identity: tuple[AccessToken, ...] = ()
    deploy: tuple[AccessToken, ...] = ()
    export: tuple[AccessToken, ...] = ()
    admin: tuple[AccessToken, ...] = ()
    proxy: ProxyConfig | None = None

    def tokens(self) -> tuple[tuple[Scope, int, AccessToken], ...]:
        """Every token with its scope and its position in that list; a token with several scopes comes several times."""
        return tuple((scope, at, token) for scope in SCOPES for at, token in enumerate(getattr(self, scope)))


class TagRuleConfig(Section, frozen=True, kw_only=True):
    """Tags that match `tag` or `tag_regex`, in repositories that match `repository`, are of this kind."""

    kind: Kind
    tag: TagGlob | None = None
    tag_regex: TagExpression | None = None
    repository: RepositoryGlob = "**"

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.tag is None) == (self.tag_regex is None):
            problem = "none" if self.tag is None else "more than one"
            raise ValueError(f" has {problem} of tag, tag_regex; give it exactly one")

    def as_rule(self, position: int) -> TagRule:
        """The rule as the ledger records it; `position` is its place in the list `tag_rules`."""
        return TagRule(
            repository=self.repository,
            tag=self.tag or self.tag_regex or "",
            syntax="glob" if self.tag is not None else "regex",
            kind=self.kind,
            reason=f"fits tag_rules[{position}] of the configuration",
        )


class EnvironmentConfig(Section, frozen=True):
    """In repositories that match `repository`, the image that `tag` points to is released to environment `name`."""

    name: Annotated[Name, Meta(examples=["production"])]
    tag: TagName
    repository: RepositoryGlob = "**"
    registry: RegistryName = EVERY_REGISTRY

    @property
    def rule(self) -> EnvironmentRule:
        """The rule as the ledger records it."""
        return EnvironmentRule(self.name, self.repository, self.tag, self.registry)


class LedgerConfig(Section, frozen=True):
    """How the ledger is signed and verified. `name` stands before `/log/1` in the origin of its checkpoints.

    Without `key` and `journal` both are in the data directory. `anchor` is a command with its arguments, which gets
    each checkpoint on its standard input.
    """

    name: HostName | None = None
    key: Path | None = None
    journal: Path | None = None
    anchor: Annotated[tuple[Text, ...], Meta(min_length=1, examples=[["/usr/local/bin/keep-checkpoint"]])] = ()
    checkpoint_every: Annotated[Seconds, within(Seconds(1), Seconds(_HOUR))] = field(
        default_factory=lambda: Seconds(60)
    )
    verify_every: Annotated[Seconds, within(Seconds(60), Seconds(366 * _DAY))] = field(
        default_factory=lambda: Seconds(_DAY)
    )


class LimitsConfig(Section, frozen=True):
    """`body` is the largest request body that is read as events."""

    body: Annotated[Size, within(Size(2**20), Size(2**28))] = field(default_factory=lambda: Size(8 * 2**20))
    workers: Annotated[int, Meta(ge=1, le=64)] = 2
    request_timeout: Annotated[Seconds, within(Seconds(1), Seconds(600))] = field(default_factory=lambda: Seconds(10))
    stop_timeout: Annotated[Seconds, within(Seconds(1), Seconds(600))] = field(default_factory=lambda: Seconds(30))


class QuietHours(Section, frozen=True, rename={"begins": "from", "ends": "until"}):
    """Hours in which nothing is sent, by the clock of a zone; over midnight where they end before they begin."""

    begins: Annotated[TimeOfDay, Meta(examples=["22:00"])]
    ends: Annotated[TimeOfDay, Meta(examples=["07:00"])]
    zone: Zone

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.begins == self.ends:
            raise ValueError(" ends when it begins; write another time under `until`, or take the key out")


class RouteConfig(Section, frozen=True):
    """Which notifications go to which channels. Without `environment`, published or not makes no difference."""

    channels: Annotated[
        tuple[Name, ...], Meta(min_length=1, examples=[["ops-chat"]], description="at least one channel")
    ]
    repository: RepositoryGlob = "**"
    tag: TagGlob = "*"
    environment: EnvironmentGlob | None = None
    registry: RegistryName = EVERY_REGISTRY
    kinds: Annotated[frozenset[NotificationKind], Meta(min_length=1, examples=[["moved"]])] = frozenset(
        NOTIFICATION_KINDS
    )
    quiet: QuietHours | None = None


class NotifyConfig(Section, frozen=True):
    """Channels and the routes to them. `match`: all routes that match count, or only the first of them."""

    debounce: Annotated[Seconds, within(Seconds(0), Seconds(600))] = field(default_factory=lambda: Seconds(3))
    give_up_after: Annotated[Seconds, within(Seconds(60), Seconds(30 * _DAY))] = field(
        default_factory=lambda: Seconds(_DAY)
    )
    fallback: Name | None = None
    silent_after: Annotated[Seconds, within(Seconds(60), Seconds(366 * _DAY))] = field(
        default_factory=lambda: Seconds(_DAY)
    )
    channels: tuple[AnyChannelConfig, ...] = ()
    match: Literal["all", "first"] = "all"
    routes: tuple[RouteConfig, ...] = ()


def default_environments() -> tuple[EnvironmentConfig, ...]:
    return tuple(
        EnvironmentConfig(name=rule.name, tag=rule.tag, repository=rule.repository) for rule in DEFAULT_ENVIRONMENTS
    )


class ConfigFile(Section, frozen=True, kw_only=True):
    """The keys of the configuration file."""

    listen: ListenAddress = field(default_factory=lambda: ListenAddress("127.0.0.1:8080"))
    data: Path = field(default_factory=lambda: Path("tagtrail-data").absolute())
    public_url: PublicUrl | None = None
    log: LogConfig = field(default_factory=LogConfig)
    registries: Annotated[
        tuple[RegistryConfig, ...],
        Meta(
            min_length=1, description=f"at least one registry, or take the key out for one named `{DEFAULT_REGISTRY}`"
        ),
    ] = (RegistryConfig(DEFAULT_REGISTRY),)
    access: AccessConfig = field(default_factory=AccessConfig)
    tag_rules: tuple[TagRuleConfig, ...] = ()
    environments: tuple[EnvironmentConfig, ...] = default_environments()
    ledger: LedgerConfig = field(default_factory=LedgerConfig)
    notify: NotifyConfig = field(default_factory=NotifyConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)


class Config(ConfigFile, frozen=True, kw_only=True):
    """Everything that is in force. `source` is the file it came from, None without one."""

    source: Path | None = None

    @property
    def rules(self) -> Rules:
        """The rules that the ledger records."""
        return Rules(
            tag_rules=tuple(rule.as_rule(at) for at, rule in enumerate(self.tag_rules)),
            environments=tuple(environment.rule for environment in self.environments),
            registries=tuple(registry.identity for registry in self.registries),
        )

    @property
    def may_be_open(self) -> bool:
        """Whether requests without a token may read and declare, unless the store has or had a token.

        This needs a loopback address, no token and no proxy.
        """
        return self.listen.is_loopback and not self.access.tokens() and self.access.proxy is None

    @property
    def needs_stored_token(self) -> bool:
        """Whether other machines reach the service and no configured token can read: it needs a token in the store."""
        return not (self.listen.is_loopback or self.access.read or self.access.proxy is not None)
