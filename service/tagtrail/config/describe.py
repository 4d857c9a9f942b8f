"""The output of `tagtrail check`: the settings in force and the warnings, never a secret."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from tagtrail.access.scopes import SCOPES
from tagtrail.config.consistency import find_warnings
from tagtrail.config.model import NOTIFICATION_KINDS, Config
from tagtrail.config.secrets import INGEST_TOKEN_FILE, Secret
from tagtrail.config.section import Section
from tagtrail.config.values import ListenAddress, Seconds, Size, TimeOfDay

_CREATE: Final = "tagtrail token create"
# What an empty value means.
_UNSET: Final = {
    "registries.host": "taken from each event",
    "ledger.name": "the host of public_url, or this machine's name; fixed by the first checkpoint",
    "ledger.key": "log-key.pem in the data directory",
    "ledger.journal": "journal in the data directory",
    "notify.fallback": "none: no other channel learns that a message was given up",
    "notify.channels.template": "built in",
    "notify.channels.body": "built in",
    "notify.routes": "none: no message is sent",
    "notify.routes.environment": "any or none",
    "access.proxy.everyone": "none: the groups of a user decide",
}


class Setting(Struct, frozen=True):
    """A setting in force: its key path, its value in words, and whether that is the default."""

    key: str
    value: str
    is_default: bool


class CheckReport(Struct, frozen=True):
    """The result of `tagtrail check`. `source` is the configuration file; `error` says why it cannot be used."""

    usable: bool
    source: str | None = None
    error: str | None = None
    settings: tuple[Setting, ...] = ()
    warnings: tuple[str, ...] = ()


def examine(config: Config, *, shows_all: bool = False) -> CheckReport:
    """The report about a usable configuration; the expressions of the default tag rules only with `shows_all`."""
    settings = (*_walk(config, "", _meanings(config)), *_default_tag_rules(config, shows_all=shows_all))
    return CheckReport(
        usable=True,
        source=None if config.source is None else str(config.source),
        settings=tuple(each for each in settings if each.key != "source"),
        warnings=find_warnings(config),
    )


def refused(error: str) -> CheckReport:
    """The report about a configuration that cannot be used."""
    return CheckReport(usable=False, error=error)


def encode(report: CheckReport) -> str:
    """The report as JSON."""
    return msgspec.json.encode(report).decode()


def render(report: CheckReport) -> str:
    """The settings as text: those that differ from the defaults, then the others."""
    lines = [f"configuration file: {report.source or 'none'}"]
    for title, is_default in (("Set:", False), ("Defaults:", True)):
        settings = [each for each in report.settings if each.is_default == is_default]
        if settings:
            lines += ["", title, *(f"  {each.key}: {each.value}" for each in settings)]
    return "\n".join([*lines, ""])


def _meanings(config: Config) -> dict[str, str]:
    """The meaning of empty values in this configuration."""
    closed = f"none: only tokens that `{_CREATE}` makes"
    opened = f"none: open on this machine until `{_CREATE}` makes a token"
    access = {f"access.{scope}": opened if config.may_be_open and scope != "admin" else closed for scope in SCOPES}
    if config.needs_stored_token:
        access["access.read"] = f"none: the service starts only with a token that `{_CREATE}` has made"
    return _UNSET | access | {"registries.tokens": f"file {config.data / INGEST_TOKEN_FILE}"}


def _walk(section: Section, path: str, meanings: dict[str, str], *, is_default: bool = False) -> Iterator[Setting]:
    """Every setting of a section and of the sections in it."""
    tag = section.__struct_config__.tag
    if tag is not None:
        yield Setting(f"{path}kind", str(tag), is_default=False)
    for field in fields(section):
        value = getattr(section, field.name)
        key = f"{path}{field.encode_name}"
        is_same = is_default or value == _default_of(field)
        if isinstance(value, Section):
            yield from _walk(value, f"{key}.", meanings, is_default=is_same)
        elif isinstance(value, tuple) and value and isinstance(value[0], Section | Secret):
            for at, item in enumerate(value):
                if isinstance(item, Section):
                    yield from _walk(item, f"{key}[{at}].", meanings, is_default=is_same)
                else:
                    yield Setting(f"{key}[{at}]", f"from {item.origin}", is_same)
        elif isinstance(value, dict) and value:
            for name, item in value.items():
                yield Setting(f"{key}.{name}", _show(item), is_same)
        else:
            meaning = meanings.get(re.sub(r"\[\d+\]", "", key), "none")
            yield Setting(key, _show(value) if value not in (None, (), {}) else meaning, is_same)


def _default_of(field: FieldInfo) -> object:
    if field.default is not NODEFAULT:
        return field.default
    return field.default_factory() if field.default_factory is not NODEFAULT else NODEFAULT


def _show(value: Any) -> str:  # noqa: PLR0911 - one for each type
    """A value in words."""
    match value:
        case Seconds() | Size():
            return value.text
        case ListenAddress():
            return f"{value} ({'this machine only' if value.is_loopback else 'other machines can reach it'})"
        case TimeOfDay():
            return f"{value:%H:%M}"
        case Secret():
            return f"from {value.origin}"
        case bool():
            return str(value).lower()
        case frozenset():
            return "all" if len(value) == len(NOTIFICATION_KINDS) else ", ".join(sorted(value))
        case tuple():
            return ", ".join(map(str, value))
    return str(value)


def _default_tag_rules(config: Config, *, shows_all: bool) -> Iterator[Setting]:
    for at, rule in enumerate(config.rules.default_tag_rules, start=1):
        pattern = f"; tag {rule.syntax} {rule.tag}" if shows_all else ""
        yield Setting(f"default tag rule {at}", f"{rule.kind}: {rule.reason}{pattern}", is_default=True)
