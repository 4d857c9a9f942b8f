"""Scopes, bearer tokens (RFC 6750) and trusted proxies.

Only a token's SHA-256 is known. Comparing takes the same time for every token.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal, TypeVar, get_args

T = TypeVar("T")

# Permissions: queries; actors, addresses and events as received; declared deployments; exports; changes to what the
# service keeps.
Scope = Literal["read", "identity", "deploy", "export", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

_SCHEME = "bearer"


def find_bearer(authorization: str | None, known: Iterable[tuple[bytes, T]]) -> T | None:
    """The value of the token in the Authorization header; None without a token or for an unknown one.

    Takes the same time for every token.
    """
    _, _, presented = (authorization or "").strip().partition(" ")
    found = find_token(hash_token(presented.strip()), known)
    return found if presents_bearer(authorization) else None


def find_token(digest: bytes, known: Iterable[tuple[bytes, T]]) -> T | None:
    """The value of the token with this SHA-256. Compares every known hash, each in constant time."""
    found = None
    for token, holder in known:
        if hmac.compare_digest(token, digest):
            found = holder
    return found


def hash_token(text: str) -> bytes:
    """A token's SHA-256, by which it is stored and compared."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def presents_bearer(authorization: str | None) -> bool:
    """Whether the Authorization header has the scheme `Bearer`, in any case (RFC 9110, section 11.1)."""
    return (authorization or "").strip().partition(" ")[0].lower() == _SCHEME


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """A peer's address; `::ffff:10.0.0.7`, an IPv4 peer on an IPv6 socket, gives the IPv4 address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A reverse proxy that names its user; trusted only if it connects from one of its configured addresses.

    `groups` are pairs of a group and its scopes; `everyone` are the scopes of every user that the proxy names.
    """

    addresses: tuple[IPv4Network | IPv6Network, ...]
    user_header: str
    groups_header: str | None = None
    groups: tuple[tuple[str, tuple[Scope, ...]], ...] = ()
    everyone: tuple[Scope, ...] = ()

    def trusts(self, peer: str) -> bool:
        """Whether the peer's socket address is one of the proxy's."""
        address = parse_address(peer)
        return address is not None and any(address in network for network in self.addresses)

    def scopes_of(self, groups: Iterable[str]) -> frozenset[Scope]:
        """The scopes of a user in these groups."""
        named = set(groups)
        granted = {scope for group, scopes in self.groups if group in named for scope in scopes}
        return frozenset(granted.union(self.everyone))
