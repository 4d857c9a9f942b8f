"""What single values must look like: addresses, URLs, names and patterns.

Every function returns the value as it is kept, or raises ValueError with a predicate and its cure, such as
`has no port; write 127.0.0.1:8080`.
"""

import re
from datetime import time
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tagtrail.config.model import Address
from tagtrail.trail.automaton import Automaton, find_common
from tagtrail.trail.names import is_host, is_tag
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, TAG_ALPHABET, compile_expression, compile_glob

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII)
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", re.ASCII)
_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/\s]+)):(?P<port>\d{1,5})", re.ASCII)
_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_TIME_OF_DAY = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_LONGEST_TAG = 128

# The OCI grammar of trail/names.py as automata, to tell whether a pattern can match anything at all.
POSSIBLE_REPOSITORIES: Final = compile_expression(f"{_COMPONENT}(/{_COMPONENT})*", alphabet=REPOSITORY_ALPHABET)
_POSSIBLE_ENVIRONMENTS: Final = compile_expression(r"[a-z0-9][a-z0-9._-]*", alphabet=TAG_ALPHABET)
_POSSIBLE_TAGS: Final = compile_expression(r"\w.*", alphabet=TAG_ALPHABET)


def address(text: str) -> Address:
    """Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080`, `localhost:8080`."""
    match = _LISTEN.fullmatch(text)
    host = match["six"] or match["host"] if match else ""
    if match is None or not _is_listening_host(host, six=bool(match["six"])):
        raise ValueError("is no HOST:PORT; write 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080")
    if not 1 <= int(match["port"]) <= 65535:
        raise ValueError("has a port outside 1 to 65535; write 127.0.0.1:8080")
    return Address(host=host, port=int(match["port"]))


def _is_listening_host(host: str, *, six: bool) -> bool:
    try:
        return (ip_address(host).version == 6) == six
    except ValueError:
        looks_numeric = not host.strip("0123456789.")
        return not six and not looks_numeric and _HOST_NAME.fullmatch(host) is not None


def public_url(text: str) -> str:
    """The URL under which registries and people reach the service, without a slash at the end.

    A user and password have no place in it: whoever reads the configuration check would read them.
    """
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isascii() or not text.isprintable() or set(text) & set(" \"'<>\\^`{|}?#@"):
        raise ValueError(
            "is no plain URL; write https://tagtrail.example or https://proxy.example/tagtrail, without a password"
        )
    return text.rstrip("/")


def is_url(text: str) -> bool:
    """Whether it is an http(s) URL that can be posted to; it may well hold a secret."""
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_usable and text.isascii() and text.isprintable() and not set(text) & set(" \"'<>\\^`{|}#")


def name(text: str) -> str:
    """A registry's, an environment's or a channel's name."""
    if not _NAME.fullmatch(text):
        raise ValueError("is no name; write at most 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first")
    return text


def environment_glob(text: str) -> str:
    """A glob that some environment's name can match."""
    _require_match(compile_glob(text, alphabet=TAG_ALPHABET), _POSSIBLE_ENVIRONMENTS, TAG_ALPHABET)
    return text


def zone(text: str) -> str:
    """A time zone's name in the IANA database, as this machine has it."""
    try:
        ZoneInfo(text)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise ValueError("is no time zone; write one such as Europe/Berlin or UTC") from None
    return text


def time_of_day(text: str) -> time:
    """Hours and minutes by a clock of 24 hours."""
    if not _TIME_OF_DAY.fullmatch(text):
        raise ValueError('is no time of day; write one from "00:00" to "23:59", in quotes')
    return time.fromisoformat(text)


def host(text: str) -> str:
    """A registry's `host` or `host:port`, in lower case, as it stands before an image's name."""
    port = text.rpartition(":")[2] if re.search(r":\d+$", text) else "1"
    if not is_host(text) or not 1 <= int(port) <= 65535:
        raise ValueError("is no host or host:port; write registry.example or registry.example:5000, without https://")
    return text.lower()


def tag(text: str) -> str:
    """One tag, no pattern."""
    if not is_tag(text):
        raise ValueError("is no tag; write one tag such as prod, not a pattern")
    return text


def repository_glob(text: str) -> str:
    """A glob that some repository can match."""
    _require_match(compile_glob(text, alphabet=REPOSITORY_ALPHABET), POSSIBLE_REPOSITORIES, REPOSITORY_ALPHABET)
    return text


def tag_glob(text: str) -> str:
    """A glob that some tag can match."""
    _require_match(compile_glob(text, alphabet=TAG_ALPHABET), _POSSIBLE_TAGS, TAG_ALPHABET)
    return text


def tag_expression(text: str) -> str:
    """A regular expression that some tag can match."""
    _require_match(compile_expression(text, alphabet=TAG_ALPHABET), _POSSIBLE_TAGS, TAG_ALPHABET)
    return text


def _require_match(pattern: Automaton, possible: Automaton, alphabet: str) -> None:
    shortest = find_common([pattern, possible], alphabet=alphabet)
    if shortest is None or (alphabet == TAG_ALPHABET and len(shortest) > _LONGEST_TAG):
        raise ValueError("can never match, since no repository or tag is named like that; correct it or take it out")
