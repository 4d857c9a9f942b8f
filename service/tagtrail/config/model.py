"""The configuration as frozen dataclasses: what every other room is handed, each as much of it as it needs."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal

from tagtrail.config.secrets import Token
from tagtrail.trail.rules import Authentication, RegistryIdentity, Rules

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

DEFAULT_REGISTRY: Final = "registry"


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
    """Who may ask (`read`) and who may declare a deployment (`deploy`), by token."""

    read: tuple[Token, ...] = ()
    deploy: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """`body` is in bytes, the timeouts in seconds; `threads` are per worker process."""

    body: int = 8 * 1024 * 1024
    workers: int = 2
    threads: int = 16
    request_timeout: float = 10.0
    stop_timeout: float = 30.0


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
    limits: Limits = Limits()
    source: Path | None = field(default=None, compare=False)

    @property
    def reading_is_open(self) -> bool:
        """Whether anybody who reaches the service may ask; only ever so on loopback."""
        return not self.access.read

    @property
    def declaring_is_open(self) -> bool:
        """Whether anybody who reaches the service may declare a deployment; only ever so on loopback.

        Without deploy tokens, and with read tokens or beyond loopback, nobody may.
        """
        return self.listen.is_loopback and not (self.access.read or self.access.deploy)
