"""The words of access that every door shares: scopes, bearer tokens (RFC 6750), and a proxy that is trusted.

Tokens are known by their SHA-256 only, and compared in the same time whichever it is.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal, TypeVar, get_args

T = TypeVar("T")

# What a caller may: ask; see who did it, from where, and the events as received; declare a deployment; take an export
# away; change what the service itself keeps.
Scope = Literal["read", "identity", "deploy", "export", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

_SCHEME = "bearer"


def find_bearer(authorization: str | None, known: Iterable[tuple[bytes, T]]) -> T | None:
    """Whatever belongs to the token that the Authorization header carries; None for no, unknown or wrong ones.

    Takes the same time whichever token it is, or none.
    """
    _, _, presented = (authorization or "").strip().partition(" ")
    found = find_token(hash_token(presented.strip()), known)
    return found if presents_bearer(authorization) else None


def find_token(digest: bytes, known: Iterable[tuple[bytes, T]]) -> T | None:
    """Whatever belongs to the token with this SHA-256. Every known hash is compared, each in constant time."""
    found = None
    for token, holder in known:
        if hmac.compare_digest(token, digest):
            found = holder
    return found


def hash_token(text: str) -> bytes:
    """What a token is known and compared by: its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def presents_bearer(authorization: str | None) -> bool:
    """Whether the Authorization header is of the scheme for tokens (RFC 9110, section 11.1: in any case)."""
    return (authorization or "").strip().partition(" ")[0].lower() == _SCHEME


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """A peer's address; of an IPv4 peer as a socket of both families shows it (`::ffff:10.0.0.7`), the IPv4 one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A reverse proxy that says who its user is; believed only when it calls from one of its own addresses.

    `groups` are pairs of a group and its scopes; `everyone` are the scopes of any user that the proxy names.
    """

    addresses: tuple[IPv4Network | IPv6Network, ...]
    user_header: str
    groups_header: str | None = None
    groups: tuple[tuple[str, tuple[Scope, ...]], ...] = ()
    everyone: tuple[Scope, ...] = ()

    def trusts(self, peer: str) -> bool:
        """Whether the peer's address, as its socket tells it, is one of the proxy's."""
        address = parse_address(peer)
        return address is not None and any(address in network for network in self.addresses)

    def scopes_of(self, groups: Iterable[str]) -> frozenset[Scope]:
        """What a user of these groups may."""
        named = set(groups)
        granted = {scope for group, scopes in self.groups if group in named for scope in scopes}
        return frozenset(granted.union(self.everyone))
