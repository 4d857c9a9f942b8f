"""The list `notify.channels`: one struct for each kind of channel."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta
from msgspec.structs import fields, force_setattr

from tagtrail.config.secrets import AppriseUrl, ChannelToken, Password, Secret, SecretUrl, SigningSecret
from tagtrail.config.section import Section
from tagtrail.config.values import MailAddress, MailHost, MatrixRoom, Name, ServerUrl, TelegramChat, Text
from tagtrail.trail.names import is_loopback

Tls = Literal["starttls", "tls", "none"]

_PORTS: Final[dict[Tls, int]] = {"starttls": 587, "tls": 465, "none": 25}


class ChannelConfig(Section, frozen=True, kw_only=True, tag_field="kind"):
    """A channel: where messages go. More than `burst` deliveries that are due at once become one summary.

    `identities`: messages say who acted, and from where. `template` is a file with a Jinja2 template.
    """

    name: Annotated[Name, Meta(examples=["ops-chat"])]
    identities: bool = False
    burst: Annotated[int, Meta(ge=1, le=1_000)] = 10
    template: Path | None = None

    @property
    def kind(self) -> str:
        """The kind of channel, such as `slack`."""
        return str(self.__struct_config__.tag)

    @property
    def body(self) -> Path | None:
        """A file with a template of the whole JSON body; only channels that post JSON can have one."""
        return None

    def find_missing(self) -> str | None:
        """The key of a secret that could not be read, if there is one."""
        found = ((field.encode_name, getattr(self, field.name)) for field in fields(self))
        return next((key for key, value in found if isinstance(value, Secret) and value.is_missing), None)


class JsonChannelConfig(ChannelConfig, frozen=True, kw_only=True):
    """A channel that posts JSON."""

    body: Path | None = None


class WebhookUrlConfig(JsonChannelConfig, frozen=True, kw_only=True):
    """A channel that posts to a secret URL."""

    url: SecretUrl


class SlackConfig(WebhookUrlConfig, frozen=True, kw_only=True, tag="slack"):
    """Slack, Mattermost or Rocket.Chat."""


class DiscordConfig(WebhookUrlConfig, frozen=True, kw_only=True, tag="discord"):
    """Discord."""


class TeamsConfig(WebhookUrlConfig, frozen=True, kw_only=True, tag="teams"):
    """A workflow of Microsoft Teams."""


class GoogleChatConfig(WebhookUrlConfig, frozen=True, kw_only=True, tag="googlechat"):
    """Google Chat."""


class MatrixConfig(JsonChannelConfig, frozen=True, kw_only=True, tag="matrix"):
    """A room of Matrix. `room` is its id or an alias."""

    homeserver: ServerUrl
    room: MatrixRoom
    token: ChannelToken


class TelegramConfig(JsonChannelConfig, frozen=True, kw_only=True, tag="telegram"):
    """A chat of Telegram. `server` is another one than Telegram's own."""

    chat: TelegramChat
    token: ChannelToken
    server: Annotated[ServerUrl | None, Meta(examples=["https://telegram.example"])] = None


class NtfyConfig(WebhookUrlConfig, frozen=True, kw_only=True, tag="ntfy"):
    """A topic of ntfy, at the end of the URL."""

    token: ChannelToken | None = None


class GotifyConfig(JsonChannelConfig, frozen=True, kw_only=True, tag="gotify"):
    """A server of Gotify; the token is an application's."""

    url: Annotated[ServerUrl, Meta(examples=["https://gotify.example"])]
    token: ChannelToken


class WebhookConfig(WebhookUrlConfig, frozen=True, kw_only=True, tag="webhook"):
    """CloudEvents, signed as Standard Webhooks says."""

    secret: SigningSecret


class EmailConfig(ChannelConfig, frozen=True, kw_only=True, tag="email"):
    """A mail server and the recipients. The default of `port` depends on `tls`: 587, 465 or 25."""

    host: MailHost
    sender: MailAddress
    to: Annotated[
        tuple[MailAddress, ...], Meta(min_length=1, examples=[["ops@example.org"]], description="at least one address")
    ]
    tls: Tls = "starttls"
    port: Annotated[int, Meta(ge=1, le=65_535)] | None = None
    user: Text | None = None
    password: Password | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.port is None:
            force_setattr(self, "port", _PORTS[self.tls])
        if (self.user is None) != (self.password is None):
            raise ValueError(" has only one of user and password; give both, or neither")
        if self.user is not None and self.tls == "none" and not is_loopback(self.host):
            raise ValueError(
                ".tls is 'none', and the password would cross the network in the clear; write starttls or tls"
            )


class ConsoleConfig(ChannelConfig, frozen=True, kw_only=True, tag="console"):
    """Standard output."""


class AppriseConfig(ChannelConfig, frozen=True, kw_only=True, tag="apprise"):
    """Any service that Apprise knows; needs `pip install 'tagtrail[apprise]'`."""

    url: AppriseUrl


AnyChannelConfig = (
    SlackConfig | DiscordConfig | TeamsConfig | GoogleChatConfig | MatrixConfig | TelegramConfig | NtfyConfig
    | GotifyConfig | EmailConfig | ConsoleConfig | WebhookConfig | AppriseConfig
)  # fmt: skip
CHANNEL_TYPES: Final[Mapping[str, type[AnyChannelConfig]]] = {
    str(each.__struct_config__.tag): each for each in get_args(AnyChannelConfig)
}
