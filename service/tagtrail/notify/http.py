"""Sending: a channel's request posted over HTTP, and what came of it. No redirect is followed."""

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
TOTAL_TIMEOUT: Final = 30.0  # seconds for all of it
_PERMANENT: Final = frozenset({400, 401, 403, 404, 405, 410, 413, 415, 422})
_LONGEST_ANSWER: Final = 16_384  # bytes of an answer that are read
_LONGEST_DETAIL: Final = 300  # characters of an answer that are kept
_SHORTEST_SECRET: Final = 6  # a shorter part of a URL says nothing by itself, and would be hidden in every sentence
_OPEN_HEADERS: Final = frozenset({"content-type", "user-agent", "accept-encoding"})

# urllib3 logs the path of every request at the level `debug`, and the whole URL when an answer's head is malformed as a
# warning. For a webhook that is the secret; what it has to say is in the outcome.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """What came of an attempt. `detail` is for the operator and holds no secret.

    `is_permanent` says that another try would fail as well; `retry_after` is in seconds, where the other side asked.
    `trouble` is what the operator should mend although the message was sent: a broken template.
    """

    is_sent: bool
    detail: str
    status: int | None = None
    is_permanent: bool = False
    retry_after: float | None = None
    trouble: str | None = None


class Channel(Protocol):
    """A place where messages go, made from the configuration once."""

    @property
    def name(self) -> str:
        """What the operator calls it."""

    def send(self, message: Message) -> SendOutcome:
        """Send the message once; what fails is an outcome, never an exception."""

    def preview(self, message: Message) -> str:
        """The message as this channel would get it, without any secret: a JSON body, indented, or plain text."""


@dataclass(frozen=True, slots=True)
class Post:
    """A request to be posted. The URL and the headers may be secret, and so is what `secrets` names of the rest."""

    url: str = field(repr=False)
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: str = "POST"
    secrets: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ChannelResponse:
    """What the other side said: `text` is as much of its body as was read, without any secret of the request."""

    status: int
    text: str
    retry_after: float | None = None


Judge: TypeAlias = Callable[[ChannelResponse], SendOutcome]


def judge(answer: ChannelResponse) -> SendOutcome:
    """What an answer means where HTTP alone decides. Redirects are permanent: a channel's URL is where it says.

    What is answered to a message that was sent is not kept: several services answer with the message itself.
    """
    is_redirect = 300 <= answer.status < 400
    if 200 <= answer.status < 300:
        return SendOutcome(is_sent=True, detail="", status=answer.status)
    return SendOutcome(
        is_sent=False,
        detail="redirects, which is not followed" if is_redirect else one_line(answer.text.strip(), _LONGEST_DETAIL),
        status=answer.status,
        is_permanent=is_redirect or answer.status in _PERMANENT,
        retry_after=answer.retry_after,
    )


def post(request: Post, judge: Judge = judge, *, total: float = TOTAL_TIMEOUT) -> SendOutcome:
    """Post once, in at most `total` seconds. Proxies are those of the environment.

    What fails is an outcome that names no secret: neither a part of the URL nor a header, even where the answer does.
    """
    with Deadline(total) as deadline:
        try:
            return judge(_exchange(request))
        except ValueError:  # of `requests`: a URL, a scheme or a header that cannot be
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
        ) as answer:
            text = _hide(_read(answer), request)
            return ChannelResponse(answer.status_code, text, read_retry_after(answer.headers.get("Retry-After")))


class _Session(requests.Session):
    """Sees no redirect: to be ready to follow one, `requests` would read its whole body, however large that is."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Nobody(AuthBase):
    """Keeps `requests` from looking into ~/.netrc, whose entry would replace a channel's own header."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def _authentication(url: str) -> AuthBase:
    user, password = get_auth_from_url(url)
    return HTTPBasicAuth(user, password) if user else _Nobody()


def _read(answer: requests.Response) -> str:
    """The beginning of the answer's body. What breaks off after the status was there changes nothing any more."""
    try:
        octets = answer.raw.read(_LONGEST_ANSWER, decode_content=True)
    except (urllib3.exceptions.HTTPError, OSError):
        octets = b""
    return str(octets.decode("utf-8", "replace"))


def _hide(text: str, request: Post) -> str:
    for secret in sorted(set(_secrets_of(request)), key=len, reverse=True):
        text = text.replace(secret, "[hidden]")
    return text


def _secrets_of(request: Post) -> Iterator[str]:
    """Everything in the URL after its host, before it (a user and a password), and in the headers; also decoded."""
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
        if name.lower() not in _OPEN_HEADERS:
            found += [value, *value.split()]
    for secret in found:
        yield from (each for each in (secret, unquote(secret)) if len(each) >= _SHORTEST_SECRET)


def _reason(error: BaseException) -> str:
    """Why there was no answer, in our words or the system's; those of `requests` have the URL in them."""
    causes = list(_causes(error))
    names = {type(cause).__name__ for cause in causes}
    said = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return next((words for name, words in _WORDS.items() if name in names), next(iter(said), type(error).__name__))


_WORDS: Final = {
    "ConnectTimeout": "no connection in time",
    "ReadTimeout": "no answer in time",
    "NameResolutionError": "its host's name is not known",
    "RemoteDisconnected": "the connection was closed without an answer",
    "SSLCertVerificationError": "its certificate is not trusted",
    "SSLError": "TLS failed",
}


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made of, as `requests` and urllib3 wrap one into another."""
    waiting: list[object] = [error]
    for _ in range(16):
        cause = waiting.pop(0) if waiting else None
        if isinstance(cause, BaseException):
            yield cause
            waiting += [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]


def read_retry_after(value: str | None, *, now: Callable[[], float] = time.time) -> float | None:
    """The seconds that a `Retry-After` asks for (RFC 9110, section 10.2.3: a number or a date); None without sense."""
    if value is None:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value.strip(), re.ASCII):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # a year, or a zone, that no integer holds
        return None
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now())
