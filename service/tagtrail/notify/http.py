"""HTTP for channels: posts a request once and interprets the response. Redirects are not followed."""

import logging
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, Protocol, TypeAlias
from urllib.parse import unquote, urlsplit

import requests
import urllib3
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_auth_from_url

from tagtrail import __version__
from tagtrail.notify.deadline import Deadline, WatchedAdapter
from tagtrail.notify.formatting import one_line
from tagtrail.notify.message import Message

CONNECT_TIMEOUT: Final = 5.0  # seconds
READ_TIMEOUT: Final = 10.0  # seconds without a byte
TOTAL_TIMEOUT: Final = 30.0  # seconds for the whole exchange
_PERMANENT: Final = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 422})
_LONGEST_RESPONSE: Final = 16_384  # bytes of a response that are read
_LONGEST_DETAIL: Final = 300  # characters of a response that are kept
_SHORTEST_SECRET: Final = 6  # hiding shorter parts of a URL would spoil ordinary words
_PUBLIC_HEADERS: Final = frozenset({"content-type", "user-agent", "accept-encoding"})

# urllib3 logs the path of every request at level debug, and the whole URL as a warning when a response's head is
# malformed. The URL of a webhook is a secret; the outcome holds what an operator needs.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """The outcome of one attempt. `detail` is for the operator and holds no secret.

    `is_permanent` means that another attempt would fail as well. `retry_after` is in seconds, if the server asked for
    a wait. `template_error` is set if the message was sent without the channel's template, because that is broken.
    """

    is_sent: bool
    detail: str
    status: int | None = None
    is_permanent: bool = False
    retry_after: float | None = None
    template_error: str | None = None


class Channel(Protocol):
    """A place where messages go."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""

    def send(self, message: Message) -> SendOutcome:
        """Send the message once. A failure is an outcome, never an exception."""

    def preview(self, message: Message) -> str:
        """The message as this channel would get it, without secrets: an indented JSON body, or plain text."""


@dataclass(frozen=True, slots=True)
class Post:
    """A request to post. The URL and the headers may be secret; `secrets` names further secret parts."""

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ChannelResponse:
    """The response to a request: `text` is the beginning of its body, with the request's secrets hidden."""

    status: int
    text: str
    retry_after: float | None = None


Interpret: TypeAlias = Callable[[ChannelResponse], SendOutcome]


def interpret(response: ChannelResponse) -> SendOutcome:
    """The outcome by the HTTP status alone. A redirect is a permanent failure.

    The body of a success is not kept: several services respond with the message itself.
    """
    is_redirect = 300 <= response.status < 400
    if 200 <= response.status < 300:
        return SendOutcome(is_sent=True, detail="", status=response.status)
    return SendOutcome(
        is_sent=False,
        detail="a redirect, which is not followed" if is_redirect else one_line(response.text.strip(), _LONGEST_DETAIL),
        status=response.status,
        is_permanent=is_redirect or response.status in _PERMANENT,
        retry_after=response.retry_after,
    )


def post(request: Post, interpret: Interpret = interpret, *, total: float = TOTAL_TIMEOUT) -> SendOutcome:
    """Post once, in at most `total` seconds, through the proxies of the environment variables.

    The outcome names no secret, neither a part of the URL nor a header, even if the response does.
    """
    with Deadline(total) as deadline:
        try:
            return interpret(_exchange(request))
        except ValueError:  # from `requests`: an invalid URL, scheme or header
            return SendOutcome(is_sent=False, detail="its URL or its token cannot be used", is_permanent=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            detail = f"no answer within {total:g} s" if deadline.is_over else _reason(error)
            return SendOutcome(is_sent=False, detail=detail)


def _exchange(request: Post) -> ChannelResponse:
    with _Session() as session:
        session.mount("http://", WatchedAdapter())
        session.mount("https://", WatchedAdapter())
        with session.request(
            request.method,
            request.url,
            data=request.body,
            headers={"User-Agent": f"tagtrail/{__version__}", "Accept-Encoding": "identity"} | dict(request.headers),
            auth=_authentication(request.url),
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            allow_redirects=False,
            stream=True,
        ) as response:
            text = _hide(_read(response), request)
            return ChannelResponse(response.status_code, text, read_retry_after(response.headers.get("Retry-After")))


class _Session(requests.Session):
    """Ignores redirects: `requests` would read a redirect's whole body, however large, before following it."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _NoNetrc(AuthBase):
    """Keeps `requests` from reading ~/.netrc, whose entry would replace a channel's own header."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _authentication(url: str) -> AuthBase:
    user, password = get_auth_from_url(url)
    return HTTPBasicAuth(user, password) if user else _NoNetrc()


def _read(response: requests.Response) -> str:
    """The beginning of the response's body; empty if the connection breaks, since the status is known by then."""
    try:
        octets = response.raw.read(_LONGEST_RESPONSE, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError):
        octets = b""
    return str(octets.decode("utf-8", "replace"))


def _hide(text: str, request: Post) -> str:
    for secret in sorted(set(_secrets_of(request)), key=len, reverse=True):
        text = text.replace(secret, "[hidden]")
    return text


def _secrets_of(request: Post) -> Iterator[str]:
    """The URL's user, password, path and query, and the values of headers; each also percent-decoded."""
    parts = urlsplit(request.url)
    found = [
        *request.secrets,
        request.url,
        parts.path,
        parts.query,
        *re.split(r"[/?&=;]", f"{parts.path}?{parts.query}"),
    ]
    found += [parts.username or "", parts.password or ""]
    found.append(b64encode(unquote(f"{parts.username}:{parts.password}").encode()).decode() if parts.username else "")
    for name, value in request.headers.items():
        if name.lower() not in _PUBLIC_HEADERS:
            found += [value, *value.split()]
    for secret in found:
        yield from (each for each in (secret, unquote(secret)) if len(each) >= _SHORTEST_SECRET)


def _reason(error: BaseException) -> str:
    """Why there was no response, in our words or the system's; the texts of `requests` contain the URL."""
    causes = list(_causes(error))
    names = {type(cause).__name__ for cause in causes}
    reasons = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return next((words for name, words in _WORDS.items() if name in names), next(iter(reasons), type(error).__name__))


_WORDS: Final = {
    "ConnectTimeout": "the connection timed out",
    "ReadTimeout": "no answer in time",
    "NameResolutionError": "its host name cannot be resolved",
    "RemoteDisconnected": "the connection was closed without an answer",
    "SSLCertVerificationError": "its certificate is not trusted",
    "SSLError": "TLS failed",
}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, as `requests` and urllib3 wrap them."""
    waiting: list[object] = [error]
    for _ in range(16):
        cause = waiting.pop(0) if waiting else None
        if isinstance(cause, BaseException):
            yield cause
            waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]


def read_retry_after(value: str | None, *, now: Callable[[], float] = time.time) -> float | None:
    """The seconds that a `Retry-After` asks for: a number or a date (RFC 9110, section 10.2.3). None if malformed."""
    if value is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip(), re.ASCII):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year, or a zone, that no integer holds
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now())
