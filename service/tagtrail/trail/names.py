"""Names of content: repository, tag and digest by the OCI grammar, and the full reference made of them.

The grammar is that of the OCI distribution specification ("Pulling manifests") and, for digests, of the OCI image
specification ("Digests").
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*", re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+", re.ASCII)
_HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_LONGEST = 255  # of a repository or a digest; registries refuse longer ones
_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)
# The name that an operator gives to a registry, an environment, a channel or a token.
NAME_PATTERN: Final = r"[a-z0-9][a-z0-9._-]{0,62}"
_NAME = re.compile(NAME_PATTERN, re.ASCII)
_SHOWN = 12  # digits of a shortened digest, as container tools show it


def is_repository(text: str) -> bool:
    """Whether the text is a repository's `<name>`, such as `team/app`."""
    return len(text) <= _LONGEST and _REPOSITORY.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Whether the text is a tag: at most 128 word characters, dots and dashes."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether the text is `algorithm:encoded`, with the exact length for the algorithms that registries use."""
    if len(text) > _LONGEST or _DIGEST.fullmatch(text) is None:
        return False
    algorithm, _, encoded = text.partition(":")
    length = _HEX_LENGTHS.get(algorithm)
    return length is None or (len(encoded) == length and not encoded.strip("0123456789abcdef"))


def is_host(text: str) -> bool:
    """Whether the text is a registry's `host` or `host:port`."""
    return len(text) <= _LONGEST and _HOST.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether the text can be the name of a registry, an environment, a channel or a token."""
    return _NAME.fullmatch(text) is not None


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine. An IPv6 address with a port has brackets."""
    if host.startswith("["):
        name = host.rpartition("]")[0].removeprefix("[")
    else:
        name = host if host.count(":") > 1 else host.partition(":")[0]
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def short_digest(digest: str) -> str:
    """A digest as it is shown to people, never stored or compared: `sha256:5208e615ff04`."""
    algorithm, colon, encoded = digest.partition(":")
    return f"{algorithm}{colon}{encoded[:_SHOWN]}"


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image: `host/repository:tag@digest`, each part but the repository optional.

    For display, for copying and for reading what people paste; tagtrail itself never connects to what it names.
    """

    repository: str
    tag: str | None = None
    digest: str | None = None
    host: str | None = None

    def __str__(self) -> str:
        return (
            (f"{self.host}/" if self.host else "")
            + self.repository
            + (f":{self.tag}" if self.tag else "")
            + (f"@{self.digest}" if self.digest else "")
        )


def parse_reference(text: str) -> Reference:
    """Read `[host/]repository[:tag][@digest]` as container tools do.

    The first component is a host only if it has a dot or a colon or is `localhost`: the rule of the Docker
    reference grammar (distribution/reference, "normalize"). Raises ValueError that says what does not fit.
    """
    name, _, digest = text.partition("@")
    host, name = _split_host(name)
    repository, colon, tag = name.partition(":")
    if not is_repository(repository):
        raise ValueError(f"{repository!r} is not a repository name such as team/app")
    if colon and not is_tag(tag):
        raise ValueError(f"{tag!r} is not a tag")
    if "@" in text and not is_digest(digest):
        raise ValueError(f"{digest!r} is not a digest such as sha256: and 64 hexadecimal digits")
    return Reference(repository=repository, tag=tag or None, digest=digest or None, host=host)


def _split_host(name: str) -> tuple[str | None, str]:
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first) and is_host(first):
        return first, rest
    return None, name
