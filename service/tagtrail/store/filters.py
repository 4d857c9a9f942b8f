"""Parses query parameters or command options into a filter; errors name the parameter."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Final, cast, get_args

from tagtrail.errors import BadParameter
from tagtrail.line import EntryKind
from tagtrail.store.names import is_glob
from tagtrail.store.outbox import DeliveryState
from tagtrail.store.query import Filter, Key
from tagtrail.trail.instant import parse_instant
from tagtrail.trail.names import is_repository, is_tag
from tagtrail.trail.patterns import REPOSITORY_ALPHABET, compile_glob

FILTERS: Final = (
    "registry", "repository", "tag", "digest", "actor", "kind", "environment", "channel", "state", "since", "until"
)  # fmt: skip
KINDS: Final[tuple[str, ...]] = get_args(EntryKind)
STATES: Final[tuple[str, ...]] = get_args(DeliveryState)
LONGEST: Final = 500  # characters of a text parameter
DEFAULT_LIMIT: Final = 50
MOST: Final = 1_000

_DIGEST_PREFIX = re.compile(r"([a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]*|[0-9a-f]+)", re.ASCII)

_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:\d\d)$")  # of an offset; in a query a plus means a space


def read_filter(parameters: Mapping[str, str], *, accepted: Collection[str]) -> Filter:
    """Parse the parameters into a filter; `accepted` are the parameters of this query.

    Raises BadParameter for any other parameter, with a suggestion, and for a value that nothing can match.
    """
    refuse_unknown(parameters, accepted=accepted)
    given = {name: read_text(name, text) for name, text in parameters.items() if name in FILTERS}
    _check_names(given)
    since, until = (read_instant(name, given.pop(name)) if name in given else None for name in ("since", "until"))
    if since is not None and until is not None and until <= since:
        raise BadParameter("until", "until does not lie after since; nothing can be found between them")
    return replace(Filter(**cast("dict[str, Any]", given)), since=since, until=until)


def refuse_unknown(parameters: Collection[str], *, accepted: Collection[str]) -> None:
    """Raises BadParameter for an unknown parameter."""
    for name in parameters:
        if name not in accepted:
            raise BadParameter(name[:80], f"there is no parameter {name[:80]!r} here: {_hint(name, sorted(accepted))}")


def _hint(word: str, known: Collection[str]) -> str:
    """The most similar parameter, or all of them."""
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}"


def read_text(name: str, text: str) -> str:
    """Parse a text. Raises BadParameter."""
    if not text:
        raise BadParameter(name, f"{name} is empty; leave it out")
    if len(text) > LONGEST:
        raise BadParameter(name, f"{name} has more than {LONGEST} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadParameter(name, f"{name} is no Unicode text") from None
    return text


def read_instant(name: str, text: str) -> int:
    """Parse an RFC 3339 time into nanoseconds UTC. Raises BadParameter."""
    try:
        return parse_instant(_LOST_PLUS.sub(r"\1+\2", text))
    except ValueError as error:
        raise BadParameter(name, f"{name}: {error}") from error


def read_limit(text: str) -> int:
    """Parse the largest number of rows of a page. Raises BadParameter."""
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII) or not 1 <= int(text) <= MOST:
        raise BadParameter("limit", f"limit is {text[:20]!r}; write a number from 1 to {MOST}")
    return int(text)


def _check_names(given: Mapping[str, str]) -> None:
    if (repository := given.get("repository")) is not None:
        _check_repository(repository)
    if (tag := given.get("tag")) is not None and not is_tag(tag):
        raise BadParameter("tag", f"{tag[:80]!r} is not a tag")
    if (kind := given.get("kind")) is not None and kind not in KINDS:
        raise BadParameter("kind", f"there are no entries of kind {kind[:80]!r}: {_hint(kind, KINDS)}")
    if (state := given.get("state")) is not None and state not in STATES:
        raise BadParameter("state", f"no delivery is ever {state[:80]!r}: {_hint(state, STATES)}")
    if (digest := given.get("digest")) is not None and not _DIGEST_PREFIX.fullmatch(digest):
        raise BadParameter(
            "digest", f"{digest[:80]!r} is not a digest or the beginning of one, such as sha256:5208e615"
        )


def _check_repository(text: str) -> None:
    if not is_glob(text):
        if not is_repository(text):
            raise BadParameter("repository", f"{text[:80]!r} is neither a repository's name nor a glob such as team/**")
        return
    try:
        compile_glob(text, alphabet=REPOSITORY_ALPHABET)
    except ValueError as error:
        raise BadParameter("repository", f"the glob {text[:80]!r} {error}") from error


# A cursor is the key of the last shown row, as opaque text.


_LARGEST = 2**63


def write_cursor(key: Key) -> str:
    """The cursor of a key."""
    values = [part.hex() if isinstance(part, bytes) else part for part in key]
    return urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(text: str, kinds: Sequence[type]) -> Key:
    """The key of a cursor; `kinds` are the types of its parts. Raises BadParameter for any other text."""
    try:
        values = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return tuple(_read_part(value, kind) for value, kind in zip(values, kinds, strict=True))
    except (ValueError, TypeError, RecursionError):
        raise BadParameter("cursor", "this list gave no such cursor; leave it out to begin anew") from None


def _read_part(value: object, kind: type) -> int | str | bytes:
    if kind is bytes and isinstance(value, str):
        return bytes.fromhex(value)
    if not isinstance(value, kind) or isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError("another kind of part")
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise ValueError("a number that no key holds")
    str(value).encode()  # a lone surrogate is no text
    return value
