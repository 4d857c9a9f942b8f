"""Scopes, bearer tokens (RFC 6750) and the trusted proxy, as used by the API, the pages and the intake.

Only the SHA-256 of a token is stored, and every comparison takes constant time.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal, TypeVar, get_args

T = TypeVar("T")

# read: read the trail. identity: see actors, addresses and events as received. deploy: declare a deployment. export:
# make an export. admin: change the service's own records.
Scope = Literal["read", "identity", "deploy", "export", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

_SCHEME = "bearer"


def find_bearer(authorization: str | None, known: Iterable[tuple[bytes, T]]) -> T | None:
    """The holder of the token in the Authorization header; None without a token or for an unknown one.

    Takes the same time for every token, and without one.
    """
    _, _, presented = (authorization or "").strip().partition(" ")
    found = find_token(hash_token(presented.strip()), known)
    return found if presents_bearer(authorization) else None


def find_token(digest: bytes, known: Iterable[tuple[bytes, T]]) -> T | None:
    """The holder of the token with this SHA-256; compares every known hash, each in constant time."""
    found = None
    for token, holder in known:
        if hmac.compare_digest(token, digest):
            found = holder
    return found


def hash_token(text: str) -> bytes:
    """The SHA-256 by which a token is stored and compared; different texts differ, lone surrogates included."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def presents_bearer(authorization: str | None) -> bool:
    """Whether the Authorization header has the scheme `Bearer`, in any case (RFC 9110, section 11.1)."""
    return (authorization or "").strip().partition(" ")[0].lower() == _SCHEME


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """A peer's IP address, None if it is not one; `::ffff:10.0.0.7`, from a dual-stack socket, gives 10.0.0.7."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A reverse proxy whose user headers are trusted if the connection comes from one of its addresses.

    `groups` are pairs of a group and its scopes; `everyone` are the scopes of every user of the proxy.
    """

    addresses: tuple[IPv4Network | IPv6Network, ...]
    user_header: str
    groups_header: str | None = None
    groups: tuple[tuple[str, tuple[Scope, ...]], ...] = ()
    everyone: tuple[Scope, ...] = ()

    def trusts(self, peer: str) -> bool:
        """Whether the socket's peer address is one of the proxy's addresses."""
        address = parse_address(peer)
        return address is not None and any(address in network for network in self.addresses)

    def scopes_of(self, groups: Iterable[str]) -> frozenset[Scope]:
        """The scopes of a user in these groups."""
        named = set(groups)
        granted = {scope for group, scopes in self.groups if group in named for scope in scopes}
        return frozenset(granted.union(self.everyone))
