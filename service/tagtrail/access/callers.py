"""Authenticates callers by token or trusted proxy, or admits them under open access, and checks their scopes.

Without any token or proxy, the service listens on loopback only and access is open. A web page could then reach it
through a host name that resolves to 127.0.0.1 (DNS rebinding), so the Host header must name this machine. A page cannot
present a token. If a browser needs no token, a page of another site could make it send a query; the page cannot read
the answer, but a query may record something, so such requests are refused.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from flask import Request

from tagtrail.access.scopes import SCOPES, Proxy, Scope, find_bearer, find_token, parse_address, presents_bearer
from tagtrail.access.throttle import Throttle
from tagtrail.errors import TagtrailError
from tagtrail.store.tokens import StoredToken
from tagtrail.trail.instant import now
from tagtrail.trail.names import is_loopback

_OPEN: Final[frozenset[Scope]] = frozenset({"read", "identity", "deploy", "export"})
_LONGEST_USER: Final = 255  # characters of a user name from a proxy
_LONGEST_AGENT: Final = 500
_BETWEEN_GROUPS = re.compile(r"[,|]")
_PURPOSES: Final[dict[Scope, str]] = {
    "read": "ask",
    "identity": "see who did it",
    "deploy": "declare a deployment",
    "export": "take an export away",
    "admin": "change what the service keeps",
}


class UnknownToken(TagtrailError):
    """No token, or an unknown one (HTTP 401)."""


class NotAllowed(TagtrailError):
    """The caller lacks a scope, or the request comes from another site (HTTP 403)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller, its address and its scopes. `name` is a token's, a proxy's user's, or empty (`anybody`).

    A user's name is personal data: it belongs into `who`, never into a line or the log.
    """

    name: str
    scopes: frozenset[Scope]
    kind: Literal["anybody", "token", "user"] = "anybody"
    address: str = ""
    user_agent: str = ""

    @property
    def token(self) -> str | None:
        """The token's name, if the caller used one."""
        return self.name if self.kind == "token" else None

    @property
    def user(self) -> str:
        """The user's name from a proxy, if there is one."""
        return self.name if self.kind == "user" else ""

    @property
    def sees_identities(self) -> bool:
        """Whether this caller may see actors, addresses, user agents and events as received."""
        return "identity" in self.scopes

    def require(self, scope: Scope) -> None:
        """Raises NotAllowed if this caller lacks the scope."""
        if scope not in self.scopes:
            known = {"anybody": "without a token nobody", "token": "this token", "user": "this user"}[self.kind]
            raise NotAllowed(f"{known} may {'' if self.kind == 'anybody' else 'not '}{_PURPOSES[scope]}")


def _no_tokens() -> list[StoredToken]:
    return []


def _nobody_signed_in(_: Request) -> None:
    return None


class Access:
    """Authenticates every HTTP request except `/events` and the probes.

    `configured` are the SHA-256 of the configured tokens, each with its name and scopes. `find_stored` returns the
    tokens of the store; it is called for every request, so that revoking takes effect at once in every process.
    `find_signed_in` returns the SHA-256 of the token with which the request's browser signed in. `may_be_open` is true
    for a service that only its own machine can reach.
    """

    def __init__(
        self,
        *,
        configured: Iterable[tuple[bytes, str, frozenset[Scope]]] = (),
        proxy: Proxy | None = None,
        find_stored: Callable[[], list[StoredToken]] = _no_tokens,
        find_signed_in: Callable[[Request], bytes | None] = _nobody_signed_in,
        may_be_open: bool = True,
        count_refusal: Callable[[], None] = lambda: None,
        throttle: Throttle | None = None,
        clock: Callable[[], int] = now,
    ) -> None:
        self._configured = tuple((digest, (name, scopes)) for digest, name, scopes in configured)
        self._proxy = proxy
        self._find_stored = find_stored
        self._find_signed_in = find_signed_in
        self._may_be_open = may_be_open
        self._count_refusal = count_refusal
        self._throttle = throttle or Throttle()
        self._clock = clock

    def require(self, request: Request, scope: Scope) -> Caller:
        """The caller of the request, if it has the scope. Raises UnknownToken, TooManyRefusals or NotAllowed.

        Raises StorageUnavailable if the stored tokens cannot be read.
        """
        if not presents_bearer(request.headers.get("Authorization")):
            _check_site(request)  # a browser sends credentials by itself, so this is no failed authentication
        caller = self._identify(request)
        caller.require(scope)
        return caller

    def recognise(self, request: Request, token: str) -> Caller:
        """The owner of a token typed into a form. Raises and counts failures as `require` does."""
        found = self._by_token(request, f"Bearer {token}", self._find_stored())
        return self._judge(request.remote_addr or "", found)

    def knows_nothing_of(self, request: Request) -> bool:
        """Whether a request presents no credentials at all: then it is no failed authentication."""
        presented = presents_bearer(request.headers.get("Authorization")) or self._find_signed_in(request) is not None
        named = self._by_proxy(request, request.remote_addr or "") is not None
        return not (presented or named or self._is_open(self._find_stored()))

    def _identify(self, request: Request) -> Caller:
        stored = self._find_stored()
        if self._is_open(stored):
            _check_host(request.host)
            return _caller(request, "", _OPEN, "anybody")
        peer = request.remote_addr or ""
        authorization = request.headers.get("Authorization")
        found = self._by_token(request, authorization, stored) or self._by_session(request, stored)
        return self._judge(peer, found or self._by_proxy(request, peer))

    def _judge(self, peer: str, caller: Caller | None) -> Caller:
        """The caller, unless its address failed too often."""
        if caller is None:
            self._count_refusal()
        if caller is None or not self._is_shared(peer):
            self._throttle.check(peer)  # beyond the limit, right and wrong guesses get the same answer
        if caller is None:
            self._throttle.note(peer)
            raise UnknownToken("a valid token is required")
        return caller

    def _is_open(self, stored: list[StoredToken]) -> bool:
        """Whether access is open. It never is again after the first token, even if the last token expires."""
        return self._may_be_open and not (stored or self._configured or self._proxy)

    def _is_shared(self, peer: str) -> bool:
        """Whether many callers share the address, as behind a proxy: then one of them must not lock out all."""
        address = parse_address(peer)
        is_ours = address is not None and address.is_loopback
        return is_ours or (self._proxy is not None and self._proxy.trusts(peer))

    def _by_token(self, request: Request, authorization: str | None, stored: list[StoredToken]) -> Caller | None:
        found = find_bearer(authorization, self._good_tokens(stored))
        return None if found is None else _caller(request, *found, "token")

    def _by_session(self, request: Request, stored: list[StoredToken]) -> Caller | None:
        """The caller who signed in with a token that is still valid; a wrong bearer token is refused nevertheless."""
        digest = self._find_signed_in(request)
        if digest is None or presents_bearer(request.headers.get("Authorization")):
            return None
        found = find_token(digest, self._good_tokens(stored))
        return None if found is None else _caller(request, *found, "token")

    def _good_tokens(self, stored: list[StoredToken]) -> tuple[tuple[bytes, tuple[str, frozenset[Scope]]], ...]:
        """The SHA-256 of every valid token, with its name and scopes."""
        at = self._clock()
        live = [(token.digest, (token.name, _known(token.scopes))) for token in stored if token.is_live(at)]
        return (*self._configured, *live)

    def _by_proxy(self, request: Request, peer: str) -> Caller | None:
        """The user that the proxy names; a wrong bearer token is refused nevertheless."""
        proxy = self._proxy
        if proxy is None or not proxy.trusts(peer) or presents_bearer(request.headers.get("Authorization")):
            return None
        user = _header(request, proxy.user_header)[:_LONGEST_USER]
        groups = _header(request, proxy.groups_header) if proxy.groups_header else ""
        scopes = proxy.scopes_of(group.strip() for group in _BETWEEN_GROUPS.split(groups))
        return _caller(request, user, scopes, "user") if user else None


def _caller(request: Request, name: str, scopes: frozenset[Scope], kind: Literal["anybody", "token", "user"]) -> Caller:
    user_agent = request.headers.get("User-Agent", "")[:_LONGEST_AGENT]
    return Caller(name, scopes, kind, request.remote_addr or "", user_agent)


def _known(scopes: Iterable[str]) -> frozenset[Scope]:
    return frozenset(scope for scope in SCOPES if scope in scopes)


def _header(request: Request, name: str) -> str:
    """A header's text, which WSGI decodes as Latin-1."""
    return request.headers.get(name, "").encode("latin-1", "replace").decode("utf-8", "replace").strip()


def _check_host(host: str) -> None:
    if not is_loopback(host):
        raise NotAllowed(
            "without tokens this service answers only to localhost; call it by that name, or configure access: read:"
        )


def _check_site(request: Request) -> None:
    """Refuse requests that a page of another origin makes (https://www.w3.org/TR/fetch-metadata/); followed links pass.

    The same site is not enough: it includes other ports of this machine and every host of a company's domain.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site in ("cross-site", "same-site") and request.headers.get("Sec-Fetch-Dest") != "document":
        raise NotAllowed("a page of another site may not ask")
