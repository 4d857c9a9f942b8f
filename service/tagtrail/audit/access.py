"""Who may ask, and who may declare a deployment.

Without tokens the service listens on loopback only, and whoever reaches it may ask. A web page on the same machine
could reach it too, through a name of its own that resolves to 127.0.0.1 (DNS rebinding): so then the Host header must
name this machine. With tokens there is nothing that a page could present.
"""

from dataclasses import dataclass
from ipaddress import ip_address

from flask import Request

from tagtrail.access import find_bearer
from tagtrail.errors import TagtrailError


class UnknownToken(TagtrailError):
    """No token, or none that is known (HTTP 401)."""


class NotAllowed(TagtrailError):
    """Known or not, this may not be done (HTTP 403)."""


@dataclass(frozen=True, slots=True)
class Access:
    """The SHA-256 of the tokens for reading and for declaring deployments; `..._is_open`: none is needed.

    Each token opens its own door only; one that is configured for both opens both. Where there are no tokens and the
    door is not open, nobody may.
    """

    read: tuple[bytes, ...] = ()
    deploy: tuple[bytes, ...] = ()
    reading_is_open: bool = True
    declaring_is_open: bool = True

    def check_reading(self, request: Request) -> None:
        """Raises UnknownToken or NotAllowed for whoever may not ask."""
        if self.reading_is_open:
            _check_host(request.host)
        else:
            self._check_token(request, self.read, "ask")

    def check_declaring(self, request: Request) -> None:
        """Raises UnknownToken or NotAllowed for whoever may not declare a deployment."""
        if self.declaring_is_open:
            _check_host(request.host)
        elif not self.deploy:
            raise NotAllowed("no token is configured for declaring deployments (access: deploy:)")
        else:
            self._check_token(request, self.deploy, "declare a deployment")

    def _check_token(self, request: Request, allowed: tuple[bytes, ...], purpose: str) -> None:
        known = {token: token in allowed for token in (*self.read, *self.deploy)}
        is_allowed = find_bearer(request.headers.get("Authorization"), known.items())
        if is_allowed is None:
            raise UnknownToken("a valid token is required")
        if not is_allowed:
            raise NotAllowed(f"this token may not {purpose}")


def _check_host(host: str) -> None:
    if not is_loopback(host):
        raise NotAllowed(
            "without tokens this service answers only to localhost; call it by that name, or configure access: read:"
        )


def is_loopback(host: str) -> bool:
    """Whether a Host header, with or without a port, names this machine."""
    name = host.rpartition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"
