"""Who asks, and what they may: by a token, or by the word of a trusted proxy, or because the service is open.

Without any token and without a proxy the service listens on loopback only, and whoever reaches it may ask. A web page
on the same machine could reach it too, through a name of its own that resolves to 127.0.0.1 (DNS rebinding): so then
the Host header must name this machine. With tokens there is nothing that a page could present. Where a browser needs
none, a page of another site could have it ask, though not read the answer: but to be asked can be to record something.
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
_LONGEST_USER: Final = 255  # characters of a name that a proxy gives
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
    """No token, or none that is known (HTTP 401)."""


class NotAllowed(TagtrailError):
    """Known or not, this may not be done (HTTP 403)."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, from which socket, and what they may. `name` is a token's, a proxy's user's, or empty (`anybody`).

    A user's name is personal data: it belongs into `who`, never into a line or the log.
    """

    name: str
    scopes: frozenset[Scope]
    kind: Literal["anybody", "token", "user"] = "anybody"
    address: str = ""
    user_agent: str = ""

    @property
    def token(self) -> str | None:
        """The token's name, where it is one."""
        return self.name if self.kind == "token" else None

    @property
    def user(self) -> str:
        """The name that a proxy gave, where it is one."""
        return self.name if self.kind == "user" else ""

    @property
    def sees_identities(self) -> bool:
        """Whether this caller may learn who did it, from where and with what, and see events as received."""
        return "identity" in self.scopes

    def require(self, scope: Scope) -> None:
        """Raises NotAllowed where this caller may not do that."""
        if scope not in self.scopes:
            known = {"anybody": "without a token nobody", "token": "this token", "user": "this user"}[self.kind]
            raise NotAllowed(f"{known} may {'' if self.kind == 'anybody' else 'not '}{_PURPOSES[scope]}")


def _no_tokens() -> list[StoredToken]:
    return []


def _nobody_signed_in(_: Request) -> None:
    return None


class Access:
    """The one door of everything that is asked over HTTP.

    `configured` are the SHA-256 of the configuration's tokens, each with its name and scopes; `find_stored` gives the
    tokens of the store, read again for every request, so that revoking counts at once in every process.
    `find_signed_in` gives the SHA-256 of the token with which the request's browser has signed in. `may_be_open` is for
    a service that only its own machine can reach.
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
        """Whoever asks, if they may do this. Raises UnknownToken, TooManyRefusals or NotAllowed.

        Raises StorageUnavailable when the stored tokens cannot be read.
        """
        if not presents_bearer(request.headers.get("Authorization")):
            _check_site(
                request
            )  # whatever lets them in, their browser sends by itself; this is no failed try of theirs
        caller = self._identify(request)
        caller.require(scope)
        return caller

    def recognise(self, request: Request, token: str) -> Caller:
        """Whose token it is that somebody types into a form. Raises as `require`; a wrong one is counted as there."""
        found = self._by_token(request, f"Bearer {token}", self._find_stored())
        return self._judge(request.remote_addr or "", found)

    def knows_nothing_of(self, request: Request) -> bool:
        """Whether a request presents nothing at all by which somebody could be known: then it is no failed try."""
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
        """The caller, if there is one, and the address was not refused too often."""
        if caller is None:
            self._count_refusal()
        if caller is None or not self._is_shared(peer):
            self._throttle.check(peer)  # beyond the limit a right guess is answered as a wrong one
        if caller is None:
            self._throttle.note(peer)
            raise UnknownToken("a valid token is required")
        return caller

    def _is_open(self, stored: list[StoredToken]) -> bool:
        """Once a token was made it stays closed: that the last one expired is no reason to let everybody in."""
        return self._may_be_open and not (stored or self._configured or self._proxy)

    def _is_shared(self, peer: str) -> bool:
        """Whether many callers stand behind the address, as behind a proxy: then one of them cannot lock out all."""
        address = parse_address(peer)
        is_ours = address is not None and address.is_loopback
        return is_ours or (self._proxy is not None and self._proxy.trusts(peer))

    def _by_token(self, request: Request, authorization: str | None, stored: list[StoredToken]) -> Caller | None:
        found = find_bearer(authorization, self._good_tokens(stored))
        return None if found is None else _caller(request, *found, "token")

    def _by_session(self, request: Request, stored: list[StoredToken]) -> Caller | None:
        """Whoever signed in by a token that is still good; a wrong token beside the session is refused all the same."""
        digest = self._find_signed_in(request)
        if digest is None or presents_bearer(request.headers.get("Authorization")):
            return None
        found = find_token(digest, self._good_tokens(stored))
        return None if found is None else _caller(request, *found, "token")

    def _good_tokens(self, stored: list[StoredToken]) -> tuple[tuple[bytes, tuple[str, frozenset[Scope]]], ...]:
        """The SHA-256 of every token that is good now, with its name and scopes."""
        at = self._clock()
        live = [(token.digest, (token.name, _known(token.scopes))) for token in stored if token.is_live(at)]
        return (*self._configured, *live)

    def _by_proxy(self, request: Request, peer: str) -> Caller | None:
        """The user whom the proxy names; a wrong token beside the name is refused all the same."""
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
    """A header's text, which WSGI hands over as if it were Latin-1."""
    return request.headers.get(name, "").encode("latin-1", "replace").decode("utf-8", "replace").strip()


def _check_host(host: str) -> None:
    if not is_loopback(host):
        raise NotAllowed(
            "without tokens this service answers only to localhost; call it by that name, or configure access: read:"
        )


def _check_site(request: Request) -> None:
    """Every browser says so (https://www.w3.org/TR/fetch-metadata/); a link that somebody follows is a document.

    The same site is not enough: another port of this machine belongs to it, and every host of a company's domain.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site in ("cross-site", "same-site") and request.headers.get("Sec-Fetch-Dest") != "document":
        raise NotAllowed("a page of another site may not ask")
