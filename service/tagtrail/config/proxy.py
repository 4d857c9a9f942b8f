"""The section `access.proxy`: a reverse proxy that says who its user is, and from where alone it is believed."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from tagtrail.access.scopes import SCOPES, Proxy, Scope
from tagtrail.config.document import Node
from tagtrail.errors import ConfigurationError

# Without underscores: the WSGI standard cannot tell `Remote_User` from `Remote-User`, so the former is dropped.
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)
_NOT_A_USER: Final = ("authorization", "cookie", "host", "user-agent", "x-forwarded-for", "x-real-ip")


def read_proxy(node: Node) -> Proxy:
    """The proxy; one without addresses would let everybody say who he is. Raises ConfigurationError."""
    section = node.section("addresses", "user_header", "groups_header", "groups", "everyone")
    user_header = section.require("user_header", example="Remote-User").parse(_header)
    if "addresses" not in section.nodes:
        raise ConfigurationError(f"{section.prefix}addresses is missing; {_why_addresses(user_header)}")
    proxy = Proxy(
        addresses=_addresses(section.nodes["addresses"], user_header),
        user_header=user_header,
        groups_header=section.read("groups_header", lambda node: node.parse(_header), None),
        groups=section.read("groups", _groups, ()),
        everyone=section.read("everyone", _scopes, ()),
    )
    if bool(proxy.groups) != (proxy.groups_header is not None):
        raise node.refuse("has one of groups_header and groups", "give it both, or neither")
    if (proxy.groups_header or "").lower() == user_header.lower():
        raise node.refuse("has one header for user and groups", "name two, else a user is in the group of his name")
    if not proxy.groups and not proxy.everyone:
        raise node.refuse("gives nobody a scope", "write `everyone: [read]`, or scopes for some groups")
    return proxy


def _addresses(node: Node, user_header: str) -> tuple[IPv4Network | IPv6Network, ...]:
    addresses = tuple(item.parse(_network) for item in node.items(example="- 10.0.0.7"))
    if not addresses:
        raise node.refuse("is an empty list", _why_addresses(user_header))
    return addresses


def _why_addresses(user_header: str) -> str:
    return (
        f"name the proxy's own addresses, such as `addresses: [10.0.0.7]`, since whoever else can send {user_header} "
        "could say that he is anybody"
    )


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError("is no address or network; write 10.0.0.7, 10.0.0.0/28 or 2001:db8::7") from None
    if network.prefixlen == 0:
        raise ValueError("is every address there is; write those of the proxy")
    return network


def _header(text: str) -> str:
    if not _HEADER.fullmatch(text) or text.lower() in _NOT_A_USER:
        raise ValueError("is no header that a proxy tells a user by; write Remote-User or the like, with dashes")
    return text


def _groups(node: Node) -> tuple[tuple[str, tuple[Scope, ...]], ...]:
    if not isinstance(node.value, dict) or not node.value:
        raise node.refuse("is no mapping of groups", "write it as `groups: {auditors: [read, identity, export]}`")
    return tuple(
        (_group(node, group), _scopes(Node(f"{node.path}.{group}", scopes))) for group, scopes in node.value.items()
    )


def _group(node: Node, group: object) -> str:
    if not isinstance(group, str) or not group.strip() or set(group) & set(",|"):
        raise node.refuse(f"has a group {str(group)[:60]!r}", "write a group's name as a text, without , and |")
    return group.strip()


def _scopes(node: Node) -> tuple[Scope, ...]:
    scopes = tuple(item.choice(*SCOPES) for item in node.items(example="- read"))
    if not scopes:
        raise node.refuse("is an empty list", f"name at least one of {', '.join(SCOPES)}, or take the key out")
    return scopes
