"""The search box: finds the page for a name, a digest or a pasted reference."""

import re
from dataclasses import dataclass
from typing import Final

from flask import Response, redirect, url_for

from tagtrail.errors import BadParameter, Refused
from tagtrail.ledger.resolve import find_registries
from tagtrail.store.names import find_digest
from tagtrail.store.search import Hit, find_hits, find_image_hits, knows_digest
from tagtrail.trail.names import Reference, is_digest, parse_reference
from tagtrail.web.context import PageContext, WebPage

_DIGEST_LIKE = re.compile(r"(?:[a-z0-9]+:)?[0-9a-f]{4,}", re.ASCII)
_AROUND: Final = " \t\r\n'\"`<>,;"  # characters around a reference in a message or a terminal
_SCHEMES: Final = ("docker://", "oci://", "https://", "http://")
_MOST: Final = 50


@dataclass(frozen=True, slots=True)
class SearchView:
    """The searched text and its hits, unless there is exactly one; `trouble` says why the search is impossible."""

    text: str
    hits: tuple[Hit, ...]
    trouble: str | None = None


def make_search(context: PageContext) -> SearchView | Response:
    """A redirect to the only hit, or the list of hits."""
    text = _clean(context.parameters.get("q", ""))
    if not text.isprintable() or not text:  # no name has such a character, and SQLite would stop at a NUL
        return SearchView(text, ())
    try:
        hits = _find(context, text)
    except (BadParameter, Refused) as error:
        return SearchView(text, (), str(error))
    return _lead_to(hits[0]) if len(hits) == 1 else SearchView(text, hits)


def _clean(text: str) -> str:
    """The text without surrounding characters and scheme."""
    text = text.strip(_AROUND)
    for scheme in _SCHEMES:
        text = text.removeprefix(scheme)
    return text.rstrip("/.")


def _find(context: PageContext, text: str) -> tuple[Hit, ...]:
    """Find a reference's image, the digest with a prefix, or repositories and tags by their names."""
    if is_digest(text):
        return (Hit(digest=text),) if knows_digest(context.db, text) else ()
    hits = find_hits(context.db, text, most=_MOST)
    if _is_reference(text):
        hits = _find_image(context, parse_reference(text)) or hits
    if _DIGEST_LIKE.fullmatch(text) and (digest := _find_beginning(context, text)):
        hits = (Hit(digest=digest), *hits)
    return hits


def _find_image(context: PageContext, image: Reference) -> tuple[Hit, ...]:
    registries = find_registries(context.db, context.rules, image, None)
    return find_image_hits(context.db, image, registries)


def _find_beginning(context: PageContext, text: str) -> str | None:
    """The digest with this prefix; None if there is none or more than one."""
    try:
        return find_digest(context.db, text)
    except BadParameter:
        return None


def _is_reference(text: str) -> bool:
    try:
        image = parse_reference(text)
    except ValueError:
        return False
    return bool(image.tag or image.digest or "/" in text)


def _lead_to(hit: Hit) -> Response:
    return redirect(_address_of(hit), 303)  # type: ignore[return-value]  # Flask's is werkzeug's


def _address_of(hit: Hit) -> str:
    """The page of a hit."""
    if hit.digest is not None:
        return url_for("web.digest", digest=hit.digest)
    if hit.tag is not None:
        return url_for("web.tag", registry=hit.registry, repository=hit.repository, tag=hit.tag)
    return url_for("web.repository", registry=hit.registry, repository=hit.repository)


SEARCH: Final = WebPage("search", "/search", make_search, shows_identities=False)
