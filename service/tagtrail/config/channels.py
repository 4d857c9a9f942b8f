"""The list `notify.channels`: what each kind of channel has to be told, and which of it is secret."""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from tagtrail.config import fields
from tagtrail.config.document import Node, Section
from tagtrail.config.model import CHANNEL_KINDS, ChannelConfig, ChannelKind
from tagtrail.config.sources import Found, Surroundings, Wanted, find_secret
from tagtrail.errors import ConfigurationError

_MAIL_ADDRESS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)
_MAIL_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_ROOM = re.compile(r"[!#][!-~]{1,254}", re.ASCII)
_CHAT = re.compile(r"-?\d{1,20}|@\w{1,64}", re.ASCII)
_PORTS: Final = {"starttls": "587", "tls": "465", "none": "25"}


def _check_url(text: str) -> None:
    if not fields.is_url(text):
        raise ValueError("is no URL; give it the whole URL, from https:// on, on one line")


def _check_any_url(text: str) -> None:
    if "://" not in text or not _is_word(text):
        raise ValueError("is no URL that apprise knows; give it one such as service://...")


def _check_bearer(text: str) -> None:
    if not _is_word(text):
        raise ValueError("has a character that no token can hold; give it the token alone, on one line")


def _check_password(text: str) -> None:
    if not text.isprintable():
        raise ValueError("has a control character; give it the password alone, on one line")


def _check_signing(text: str) -> None:
    """One, or several while one replaces the other. 24 to 64 random bytes each:
    https://github.com/standard-webhooks/standard-webhooks, "Signature scheme".
    """
    if not text.split() or not all(24 <= _count_random(secret) <= 64 for secret in text.split()):
        raise ValueError("is no signing secret; give it `whsec_` and 24 to 64 random bytes in Base64")


def _count_random(secret: str) -> int:
    try:
        return len(b64decode(secret.removeprefix("whsec_"), validate=True)) if secret.startswith("whsec_") else 0
    except ValueError:
        return 0


def _is_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _plain_url(node: Node) -> str:
    return node.parse(fields.public_url, quoted="@" not in node.text())


def _port(node: Node) -> str:
    return str(node.integer(least=1, most=65_535))


def _tls(node: Node) -> str:
    return node.choice("starttls", "tls", "none")


@dataclass(frozen=True, slots=True)
class _Setting:
    read: Callable[[Node], str]
    example: str


@dataclass(frozen=True, slots=True)
class _Form:
    """What a kind of channel has to be told; the `optional` of it may be left out."""

    secrets: Mapping[str, Wanted] = field(default_factory=dict)
    settings: Mapping[str, _Setting] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    has_body: bool = True

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.settings, *self.secrets)


def _pattern(pattern: re.Pattern[str], what: str, example: str) -> _Setting:
    """A text that fits the pattern."""

    def read(node: Node) -> str:
        text = node.text()
        if not pattern.fullmatch(text):
            raise node.refuse(f"is {text[:60]!r}, which is no {what}", f"write {example}")
        return text

    return _Setting(read, example)


_URL = Wanted("URL", "OPS_CHAT_URL", "./ops-chat-url", _check_url)
_ANY_URL = Wanted("URL", "APPRISE_URL", "./apprise-url", _check_any_url)
_TOKEN = Wanted("token", "OPS_CHAT_TOKEN", "./ops-chat-token", _check_bearer)
_PASSWORD = Wanted("password", "SMTP_PASSWORD", "./smtp-password", _check_password)
_SIGNING = Wanted("secret", "WEBHOOK_SECRET", "./webhook-secret", _check_signing)
_ADDRESS = _pattern(_MAIL_ADDRESS, "address", "ops@example.org")
_POSTED = _Form({"url": _URL})
_FORMS: Final[Mapping[ChannelKind, _Form]] = {
    "slack": _POSTED,
    "discord": _POSTED,
    "teams": _POSTED,
    "googlechat": _POSTED,
    "matrix": _Form(
        {"token": _TOKEN},
        {
            "homeserver": _Setting(_plain_url, "https://matrix.example"),
            "room": _pattern(_ROOM, "room", '"!id:matrix.example"'),
        },
    ),
    "telegram": _Form(
        {"token": _TOKEN},
        {
            "chat": _pattern(_CHAT, "chat", '"-1001234567890" or "@its_name"'),
            "server": _Setting(_plain_url, "https://telegram.example"),
        },
        optional=("server",),
    ),
    "ntfy": _Form({"url": _URL, "token": _TOKEN}, optional=("token",)),
    "gotify": _Form({"token": _TOKEN}, {"url": _Setting(_plain_url, "https://gotify.example")}),
    "email": _Form(
        {"password": _PASSWORD},
        {
            "host": _pattern(_MAIL_HOST, "host", "mail.example"),
            "port": _Setting(_port, "587"),
            "tls": _Setting(_tls, "starttls"),
            "user": _Setting(Node.text, "tagtrail"),
            "sender": _ADDRESS,
        },
        optional=("port", "tls", "user", "password"),
        has_body=False,
    ),
    "console": _Form(has_body=False),
    "webhook": _Form({"url": _URL, "secret": _SIGNING}),
    "apprise": _Form({"url": _ANY_URL}, has_body=False),
}
_EVERY: Final = ("name", "kind", "identities", "burst", "template")


def read_channel(node: Node, around: Surroundings | None) -> ChannelConfig:
    """A channel. Without `around` its secrets are left alone, by whoever sends nothing. Raises ConfigurationError."""
    known = tuple(dict.fromkeys(key for form in _FORMS.values() for key in form.keys))
    section = node.section(*_EVERY, "body", *known, "to")
    default = ChannelConfig("", "console")
    name = section.require("name", example="ops-chat").parse(fields.name)
    kind: ChannelKind = section.require("kind", example="slack").choice(*CHANNEL_KINDS)
    form = _FORMS[kind]
    _refuse_foreign(section, kind)
    secrets, trouble = _find_secrets_or_trouble(section, form, around) if around is not None else ({}, None)
    return ChannelConfig(
        name=name,
        kind=kind,
        secrets={key: found.secret for key, found in secrets.items()},
        settings=_read_email(section) if kind == "email" else _read_settings(section, form),
        to=_recipients(section.require("to", example="[ops@example.org]")) if kind == "email" else default.to,
        identities=section.read("identities", Node.boolean, default.identities),
        burst=section.read("burst", lambda node: node.integer(least=1, most=1_000), default.burst),
        template=section.read("template", partial(_file, around=around), default.template),
        body=section.read("body", partial(_file, around=around), default.body),
        origins={key: found.origin for key, found in secrets.items()},
        exposed=frozenset(key for key, found in secrets.items() if found.exposed),
        trouble=trouble,
    )


def _refuse_foreign(section: Section, kind: ChannelKind) -> None:
    form = _FORMS[kind]
    own = (*form.keys, *(("to",) if kind == "email" else ()), *(("body",) if form.has_body else ()))
    for key, node in section.nodes.items():
        if key not in (*_EVERY, *own):
            raise node.refuse(f"means nothing to a channel of kind {kind}", f"take it out; it has {', '.join(own)}")


def _find_secrets_or_trouble(
    section: Section, form: _Form, around: Surroundings
) -> tuple[dict[str, Found], str | None]:
    """The trouble will be told in a chat: what was written in place of a secret may be one, and is not quoted."""
    try:
        return _find_secrets(section, form, around), None
    except ConfigurationError:
        if not around.is_patient:
            raise
        return {}, f"{section.prefix}{' and '.join(form.secrets)} cannot be read; `tagtrail check` says why"


def _find_secrets(section: Section, form: _Form, around: Surroundings) -> dict[str, Found]:
    return {
        key: find_secret(section.require(key, example=f"{{env: {wanted.variable}}}"), around, wanted)
        for key, wanted in form.secrets.items()
        if key in section.nodes or key not in form.optional
    }


def _read_settings(section: Section, form: _Form) -> dict[str, str]:
    return {
        key: setting.read(section.require(key, example=setting.example))
        for key, setting in form.settings.items()
        if key in section.nodes or key not in form.optional
    }


def _read_email(section: Section) -> dict[str, str]:
    settings = {"tls": "starttls", **_read_settings(section, _FORMS["email"])}
    settings.setdefault("port", _PORTS[settings["tls"]])
    if ("user" in section.nodes) != ("password" in section.nodes):
        raise ConfigurationError(f"{section.prefix}user goes with {section.prefix}password; give both, or neither")
    if "user" in settings and settings["tls"] == "none" and not _is_loopback(settings["host"]):
        raise section.nodes["tls"].refuse(
            "is 'none', so that the password would cross the network for anybody to read", "write starttls or tls"
        )
    return settings


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _recipients(node: Node) -> tuple[str, ...]:
    recipients = tuple(_ADDRESS.read(item) for item in node.items(example="- ops@example.org"))
    if not recipients:
        raise node.refuse("is an empty list", "name at least one address")
    return recipients


def _file(node: Node, *, around: Surroundings | None) -> Path:
    path = (around.folder if around is not None else Path()) / node.text()
    if around is not None and not around.is_patient and not path.is_file():
        raise node.refuse(f"is {str(path)!r}, where there is no file", "write the template there, or take the key out")
    return path
