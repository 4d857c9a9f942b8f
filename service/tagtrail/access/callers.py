"""Authenticate an HTTP caller and check its scopes.

A caller presents an API token, signed in with one, or is named by a trusted proxy. A service without tokens and without
a proxy is open, and then listens on loopback only. A web page can reach a loopback service through DNS rebinding, so an
open service accepts only Host headers that name this machine. A browser also sends sessions and proxy credentials with
requests that another site's page starts. Such a page cannot read the answer, but a request may record a line, so
cross-site requests without a bearer token are refused.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from tagtrail.access.scopes import SCOPES, Proxy, Scope, find_bearer, find_token, parse_address, presents_bearer
from tagtrail.access.throttle import Throttle
from tagtrail.errors import TagtrailError
from tagtrail.store.tokens import StoredToken
from tagtrail.trail.instant import now
from tagtrail.trail.names import is_loopback

CallerKind = Literal["anonymous", "token", "user"]
KnownTokens = tuple[tuple[bytes, tuple[str, frozenset[Scope]]], ...]  # SHA-256, then the token's name and scopes

_OPEN: Final[frozenset[Scope]] = frozenset({"read", "identity", "deploy", "export"})
_LONGEST_USER: Final = 255  # characters of a user name from a proxy
_LONGEST_AGENT: Final = 500  # characters of a User-Agent header
_BETWEEN_GROUPS = re.compile(r"[,|]")
_PURPOSES: Final[dict[Scope, str]] = {
    "read": "read the trail",
    "identity": "see identities",
    "deploy": "declare a deployment",
    "export": "make an export",
    "admin": "change the service's own records",
}


class Headers(Protocol):
    """The headers of a request, by case-insensitive name."""

    def get(self, key: str, default: str, /) -> str: ...


class HttpRequest(Protocol):
    """The parts of a request that authentication reads; Flask's request has them."""

    @property
    def headers(self) -> Headers: ...
    @property
    def host(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query_string(self) -> bytes: ...
    @property
    def remote_addr(self) -> str | None: ...


class UnknownToken(TagtrailError):
    """The request has no token, or an unknown one (HTTP 401)."""


class NotAllowed(TagtrailError):
    """The caller lacks the scope, or the request comes from a place that is not allowed (HTTP 403)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller, its address and its scopes.

    `name` is the name of a token or of a proxy's user, and empty for an anonymous caller. A user's name is personal
    data: it belongs into the disclosure `who`, never into a line or a log record.
    """

    name: str
    scopes: frozenset[Scope]
    kind: CallerKind = "anonymous"
    address: str = ""
    user_agent: str = ""

    @property
    def token(self) -> str | None:
        """The token's name; None for a user and for an anonymous caller."""
        return self.name if self.kind == "token" else None

    @property
    def user(self) -> str:
        """The user's name from a proxy; empty for a token and for an anonymous caller."""
        return self.name if self.kind == "user" else ""

    @property
    def sees_identities(self) -> bool:
        """Whether the caller may see actors, addresses, user agents and events as received."""
        return "identity" in self.scopes

    def require(self, scope: Scope) -> None:
        """Raises NotAllowed if the caller lacks the scope."""
        if scope in self.scopes:
            return
        if self.kind == "anonymous":
            raise NotAllowed(f"a token is required to {_PURPOSES[scope]}")
        raise NotAllowed(f"this {self.kind} may not {_PURPOSES[scope]}")


def _no_tokens() -> list[StoredToken]:
    return []


def _no_session() -> None:
    return None


class Authenticator:
    """Authenticates and authorises every HTTP request except `POST /events`.

    `configured` holds the SHA-256 of each token of the configuration, with its name and scopes. `find_stored` returns
    the tokens of the store; every request calls it, so that a revocation takes effect at once in every process.
    `find_session` returns the SHA-256 of the token with which the request's browser signed in. `may_be_open` is true
    for a service that only its own machine can reach.
    """

    def __init__(
        self,
        *,
        configured: Iterable[tuple[bytes, str, frozenset[Scope]]] = (),
        proxy: Proxy | None = None,
        find_stored: Callable[[], list[StoredToken]] = _no_tokens,
        find_session: Callable[[], bytes | None] = _no_session,
        may_be_open: bool = True,
        count_failure: Callable[[], None] = lambda: None,
        throttle: Throttle | None = None,
        clock: Callable[[], int] = now,
    ) -> None:
        self._configured: KnownTokens = tuple((digest, (name, scopes)) for digest, name, scopes in configured)
        self._proxy = proxy
        self._find_stored = find_stored
        self._find_session = find_session
        self._may_be_open = may_be_open
        self._count_failure = count_failure
        self._throttle = throttle or Throttle()
        self._clock = clock

    def require(self, request: HttpRequest, scope: Scope) -> Caller:
        """The caller, if it has the scope. Raises UnknownToken, TooManyFailures or NotAllowed.

        Raises StorageUnavailable if the stored tokens cannot be read.
        """
        if not _has_bearer(request):
            _check_site(request)  # before authentication: the browser's user did not send this request
        caller = self._identify(request)
        caller.require(scope)
        return caller

    def sign_in(self, request: HttpRequest, token: str) -> Caller:
        """The caller with this token, typed into a form. Raises and counts failures as `require` does."""
        found = self._by_token(request, f"Bearer {token}", self._find_stored())
        return self._judge(request.remote_addr or "", found)

    def has_no_credentials(self, request: HttpRequest) -> bool:
        """Whether a request presents no credentials at all; then it is not a failed authentication."""
        presented = _has_bearer(request) or self._find_session() is not None
        named = self._by_proxy(request, request.remote_addr or "") is not None
        return not (presented or named or self._is_open(self._find_stored()))

    def _identify(self, request: HttpRequest) -> Caller:
        stored = self._find_stored()
        if self._is_open(stored):
            _check_host(request.host)
            return _caller(request, "", _OPEN, "anonymous")
        peer = request.remote_addr or ""
        authorization = request.headers.get("Authorization", "")
        found = self._by_token(request, authorization, stored) or self._by_session(request, stored)
        return self._judge(peer, found or self._by_proxy(request, peer))

    def _judge(self, peer: str, caller: Caller | None) -> Caller:
        """The caller, if it was found and its address has not failed too often."""
        if caller is None:
            self._count_failure()
        if caller is None or not self._is_shared(peer):
            self._throttle.check(peer)  # beyond the limit a right guess gets the same answer as a wrong one
        if caller is None:
            self._throttle.record(peer)
            raise UnknownToken("a valid token is required")
        return caller

    def _is_open(self, stored: list[StoredToken]) -> bool:
        """A service that ever had a token stays closed, even if its last token has expired."""
        return self._may_be_open and not (stored or self._configured or self._proxy)

    def _is_shared(self, peer: str) -> bool:
        """Whether many callers share the address, as behind a proxy: one of them must not lock out the others."""
        address = parse_address(peer)
        is_ours = address is not None and address.is_loopback
        return is_ours or (self._proxy is not None and self._proxy.trusts(peer))

    def _by_token(self, request: HttpRequest, authorization: str, stored: list[StoredToken]) -> Caller | None:
        found = find_bearer(authorization, self._live_tokens(stored))
        return None if found is None else _caller(request, *found, "token")

    def _by_session(self, request: HttpRequest, stored: list[StoredToken]) -> Caller | None:
        """The caller who signed in with a token that is still valid. A wrong bearer token overrides the session."""
        digest = self._find_session()
        if digest is None or _has_bearer(request):
            return None
        found = find_token(digest, self._live_tokens(stored))
        return None if found is None else _caller(request, *found, "token")

    def _live_tokens(self, stored: list[StoredToken]) -> KnownTokens:
        at = self._clock()
        live = [(token.digest, (token.name, _known(token.scopes))) for token in stored if token.is_live(at)]
        return (*self._configured, *live)

    def _by_proxy(self, request: HttpRequest, peer: str) -> Caller | None:
        """The user that the proxy names. A wrong bearer token overrides the proxy's user."""
        proxy = self._proxy
        if proxy is None or not proxy.trusts(peer) or _has_bearer(request):
            return None
        user = _header(request, proxy.user_header)[:_LONGEST_USER]
        groups = _header(request, proxy.groups_header) if proxy.groups_header else ""
        scopes = proxy.scopes_of(group.strip() for group in _BETWEEN_GROUPS.split(groups))
        return _caller(request, user, scopes, "user") if user else None


def _caller(request: HttpRequest, name: str, scopes: frozenset[Scope], kind: CallerKind) -> Caller:
    user_agent = request.headers.get("User-Agent", "")[:_LONGEST_AGENT]
    return Caller(name, scopes, kind, request.remote_addr or "", user_agent)


def _known(scopes: Iterable[str]) -> frozenset[Scope]:
    return frozenset(scope for scope in SCOPES if scope in scopes)


def _has_bearer(request: HttpRequest) -> bool:
    return presents_bearer(request.headers.get("Authorization", ""))


def _header(request: HttpRequest, name: str) -> str:
    """A header as UTF-8 text; WSGI decodes headers as Latin-1 (PEP 3333)."""
    return request.headers.get(name, "").encode("latin-1", "replace").decode("utf-8", "replace").strip()


def _check_host(host: str) -> None:
    if not is_loopback(host):
        raise NotAllowed(
            "without tokens this service answers only to localhost; use that name, or configure access: read:"
        )


def _check_site(request: HttpRequest) -> None:
    """Refuse a request that a page of another site started, except a link that a person follows.

    Browsers send these headers (https://www.w3.org/TR/fetch-metadata/). `same-site` is refused too: it includes every
    port of this machine and every host of the same domain.
    """
    site = request.headers.get("Sec-Fetch-Site", "")
    if site in ("cross-site", "same-site") and request.headers.get("Sec-Fetch-Dest", "") != "document":
        raise NotAllowed("a page of another site may not send this request")
