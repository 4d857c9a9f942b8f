"""The types of single values: addresses, URLs, names, patterns, durations and sizes.

A parser returns the value to keep, or raises ValueError with a predicate and its cure, such as
`has no port; write 127.0.0.1:8080`. Types that msgspec cannot read have a classmethod `parse`.
"""

import datetime
import re
from collections.abc import Callable, Mapping
from datetime import time
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, ClassVar, Final, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from tagtrail.config.section import PARSE, quote
from tagtrail.trail.automaton import Automaton, find_common
from tagtrail.trail.names import NAME_PATTERN, is_host, is_loopback, is_tag
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, TAG_ALPHABET, compile_expression, compile_glob
from tagtrail.trail.rules import EVERY_REGISTRY

_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", re.ASCII)
_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/\s]+)):(?P<port>\d{1,5})", re.ASCII)
_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_LONGEST_TAG = 128
# Without underscores: WSGI cannot tell `Remote_User` from `Remote-User`, so the former is dropped.
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)
_NOT_A_USER: Final = ("authorization", "cookie", "host", "user-agent", "x-forwarded-for", "x-real-ip")
_AMOUNT = re.compile(r"(\d{1,12}) ?([A-Za-z]*)", re.ASCII)
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "true or false"), (int, "a whole number"), (float, "a decimal number"), (str, "a text"),
    (list, "a list"), (dict, "a mapping"), (datetime.date, "a date"),
)  # fmt: skip

# The OCI grammar of trail/names.py as automata, to tell whether a pattern can match anything at all.
POSSIBLE_REPOSITORIES: Final = compile_expression(f"{_COMPONENT}(/{_COMPONENT})*", alphabet=REPOSITORY_ALPHABET)
_POSSIBLE_ENVIRONMENTS: Final = compile_expression(r"[a-z0-9][a-z0-9._-]*", alphabet=TAG_ALPHABET)
_POSSIBLE_TAGS: Final = compile_expression(r"\w.*", alphabet=TAG_ALPHABET)


def name_type(value: object) -> str:
    """The YAML type of a value, in words."""
    return next((name for known, name in _TYPES if isinstance(value, known)), "something else")


def require_text(value: object) -> str:
    """The value, which is a text and not empty. Raises ValueError."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"must be a text and is {name_type(value)}; put it in quotes")
    if not value or not value.strip():
        raise ValueError("is empty; give it a value or take the key out")
    return value


class ListenAddress(str):
    """The address that the service listens on: `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080` or `localhost:8080`."""

    __slots__ = ()
    example: ClassVar = "127.0.0.1:8080"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError."""
        if isinstance(value, int) and not isinstance(value, bool):
            raise ValueError(f"is {value}, which has no host; write 127.0.0.1:{value}")  # noqa: TRY004 - msgspec adds the key
        text = require_text(value)
        match = _LISTEN.fullmatch(text)
        host = match["six"] or match["host"] if match else ""
        if match is None or not _is_listening_host(host, six=bool(match["six"])):
            port = text if re.fullmatch(r"\d{1,5}", text) else "8080"
            raise ValueError(
                f"{quote(text)} is no HOST:PORT; write 127.0.0.1:{port}, [::1]:{port} or 0.0.0.0:{port}".strip()
            )
        if not 1 <= int(match["port"]) <= 65535:
            raise ValueError(f"{quote(text)} has a port outside 1 to 65535; write 127.0.0.1:8080")
        return cls(text)

    @property
    def host(self) -> str:
        """The IP address or name, without brackets."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port."""
        return int(self.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it. A name other than `localhost` is taken to be reachable."""
        return is_loopback(self.host)

    @property
    def is_wildcard(self) -> bool:
        """Whether it means every address of the machine; a client cannot call such an address."""
        try:
            return ip_address(self.host).is_unspecified
        except ValueError:
            return False


def _is_listening_host(host: str, *, six: bool) -> bool:
    try:
        return (ip_address(host).version == 6) == six
    except ValueError:
        looks_numeric = not host.strip("0123456789.")
        return not six and not looks_numeric and _HOST_NAME.fullmatch(host) is not None


class TimeOfDay(time):
    """Hours and minutes of a 24-hour clock, such as `22:00`."""

    example: ClassVar = "22:00"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError."""
        text = require_text(value)
        if not _TIME_OF_DAY.fullmatch(text):
            raise ValueError(f'{quote(text)} is no time of day; write one from "00:00" to "23:59", in quotes')
        return cls.fromisoformat(text)


class Seconds(float):
    """Seconds, written as a whole number and a unit: `500ms`, `30s`, `10m` or `24h`. A bare number is refused."""

    __slots__ = ()
    noun: ClassVar = "duration"
    example: ClassVar = "30s"
    units: ClassVar = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError."""
        return cls(_parse_amount(value, cls.units, suffix="s", noun="duration") / 1_000)

    @property
    def text(self) -> str:
        """The duration as it is written in the file."""
        return _show_amount(round(self * 1_000), self.units)


class Size(int):
    """Bytes, written as a whole number and a unit such as `8MiB`. A bare number is refused."""

    noun: ClassVar = "size"
    example: ClassVar = "8MiB"
    units: ClassVar = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError."""
        return cls(_parse_amount(value, cls.units, suffix="MiB", noun="size"))

    @property
    def text(self) -> str:
        """The size as it is written in the file."""
        return _show_amount(self, self.units)


def within(least: Seconds | Size, most: Seconds | Size) -> Meta:
    """Bounds of a duration or a size, both included."""
    noun = least.noun

    def check(value: Seconds | Size) -> Seconds | Size:
        if not least <= value <= most:
            raise ValueError(f"is {value.text}; write a {noun} from {least.text} to {most.text}")
        return value

    return Meta(description=f"a {noun} from {least.text} to {most.text}", extra={PARSE: check})


def _parse_amount(value: object, units: Mapping[str, int], *, suffix: str, noun: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError(f"is {value}, which has no unit; write {value}{suffix}")  # noqa: TRY004
    text = require_text(value)
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2] not in units:
        raise ValueError(
            f"{quote(text)} is no {noun}; write a whole number and one of {', '.join(units)}, such as 8{suffix}"
        )
    return int(match[1]) * units[match[2]]


def _show_amount(amount: int, units: Mapping[str, int]) -> str:
    """The amount in the largest unit that keeps it whole."""
    unit = max((unit for unit in units if amount % units[unit] == 0), key=units.__getitem__)
    return f"{amount // units[unit]}{unit}"


def _check_public_url(text: str) -> str:
    """The URL under which registries and people reach the service, without a slash at the end.

    It has no user and password, since `tagtrail check` prints it, and no path, since the pages stand at the root.
    """
    if not _is_http(text) or set(text) & set(" \"'<>\\^`{|}?#@"):
        raise ValueError("is no plain URL; write https://tagtrail.example, without a password")
    if urlsplit(text).path.strip("/"):
        host = urlsplit(text).hostname
        raise ValueError(
            f"has a path, and pages stand at the root; give tagtrail a host name of its own, such as "
            f"https://tagtrail.{host}"
        )
    return text.rstrip("/")


def _check_server(text: str) -> str:
    if not _is_http(text) or set(text) & set(" \"'<>\\^`{|}?#@"):
        raise ValueError("is no plain URL; write https:// and the server's name, without a password")
    return text.rstrip("/")


def is_url(text: str) -> bool:
    """Whether it is an http(s) URL that can be posted to; it may hold a secret."""
    return _is_http(text) and not set(text) & set(" \"'<>\\^`{|}#")


def _is_http(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_usable and text.isascii() and text.isprintable()


def _check_host(text: str) -> str:
    port = text.rpartition(":")[2] if re.search(r":\d+$", text) else "1"
    if not is_host(text) or not 1 <= int(port) <= 65535:
        raise ValueError("is no host or host:port; write registry.example or registry.example:5000, without https://")
    return text.lower()


def _check_tag(text: str) -> str:
    if not is_tag(text):
        raise ValueError("is no tag; write one tag such as prod, not a pattern")
    return text


def _check_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("is no time zone; write one such as Europe/Berlin or UTC") from None
    return text


def _check_network(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError("is no address or network; write 10.0.0.7, 10.0.0.0/28 or 2001:db8::7") from None
    if network.prefixlen == 0:
        raise ValueError("is every address there is; write those of the proxy")
    return text


def _check_header(text: str) -> str:
    if not _HEADER.fullmatch(text) or text.lower() in _NOT_A_USER:
        raise ValueError("is no header that names a user; write Remote-User or the like, with dashes")
    return text


def _matching(compile_: Callable[..., Automaton], possible: Automaton, alphabet: str) -> Callable[[str], str]:
    """A check that something can match the pattern."""

    def check(text: str) -> str:
        shortest = find_common([compile_(text, alphabet=alphabet), possible], alphabet=alphabet)
        if shortest is None or (alphabet == TAG_ALPHABET and len(shortest) > _LONGEST_TAG):
            raise ValueError(
                "can never match, since no repository or tag is named like that; correct it or take it out"
            )
        return text

    return check


def _text(noun: str, example: str, *, parse: Callable[[str], str] | None = None, **meta: Any) -> Meta:
    """A text; with `parse` it is checked by that function."""
    extra = {PARSE: parse} if parse is not None else None
    return Meta(title=noun, examples=[example], extra=extra, **{"pattern": r"\S", **meta})


def _pattern(expression: str) -> str:
    """The pattern of a whole text. The look-ahead is for Python, whose `$` also matches before a final line feed."""
    return rf"^(?:{expression})$(?!\n)"


Text = Annotated[str, _text("text", "...")]
Name = Annotated[
    str,
    _text("name", "main", pattern=_pattern(NAME_PATTERN),
          description="at most 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first"),
]  # fmt: skip
RegistryName = Annotated[
    str,
    _text("name", "main", pattern=_pattern(rf"{NAME_PATTERN}|\{EVERY_REGISTRY}"),
          description="a registry's name, or * for all: at most 63 of a-z, 0-9, dot, dash and underscore"),
]  # fmt: skip
PublicUrl = Annotated[str, _text("URL", "https://tagtrail.example", parse=_check_public_url)]
ServerUrl = Annotated[str, _text("URL", "https://matrix.example", parse=_check_server)]
HostName = Annotated[str, _text("host", "registry.example:5000", parse=_check_host)]
TagName = Annotated[str, _text("tag", "prod", parse=_check_tag)]
Zone = Annotated[str, _text("time zone", "Europe/Berlin", parse=_check_zone)]
Network = Annotated[str, _text("network", "10.0.0.7", parse=_check_network)]
Header = Annotated[str, _text("header", "Remote-User", parse=_check_header)]
RepositoryGlob = Annotated[
    str, _text("glob", "team/**", parse=_matching(compile_glob, POSSIBLE_REPOSITORIES, REPOSITORY_ALPHABET))
]
TagGlob = Annotated[str, _text("glob", "v*", parse=_matching(compile_glob, _POSSIBLE_TAGS, TAG_ALPHABET))]
TagExpression = Annotated[
    str, _text("regular expression", r"rel-\d{4}", parse=_matching(compile_expression, _POSSIBLE_TAGS, TAG_ALPHABET))
]
EnvironmentGlob = Annotated[
    str, _text("glob", "prod*", parse=_matching(compile_glob, _POSSIBLE_ENVIRONMENTS, TAG_ALPHABET))
]
MailAddress = Annotated[
    str,
    _text("address", "ops@example.org", description="ops@example.org",
          pattern=_pattern(r"[a-zA-Z0-9_.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")),
]  # fmt: skip
MailHost = Annotated[
    str,
    _text("host", "mail.example", description="mail.example",
          pattern=_pattern(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]")),
]  # fmt: skip
MatrixRoom = Annotated[
    str,
    _text("room", "!id:matrix.example", description='"!id:matrix.example"', pattern=_pattern(r"[!#][!-~]{1,254}")),
]
TelegramChat = Annotated[
    str,
    _text("chat", "-1001234567890", description='"-1001234567890" or "@its_name"',
          pattern=_pattern(r"-?[0-9]{1,20}|@[a-zA-Z0-9_]{1,64}")),
]  # fmt: skip
