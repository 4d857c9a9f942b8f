"""The addresses of pages. The page of an image reads like its reference: `/registries/main/team/app:1.0.0`."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, urlencode

from werkzeug.routing import BaseConverter, Map

_PART: Final = re.compile(r"<(?:\w+:)?(\w+)>")
_PLAIN: Final = "/:+="  # characters that a path does not quote


class Addresses:
    """Makes the address of a page from its name, at about half the cost of Flask's `url_for`: a page has hundreds.

    `rules` are pairs of a page's name and its rule.
    """

    def __init__(self, rules: Iterable[tuple[str, str]]) -> None:
        self._forms = {name: (_PART.sub(r"{\1}", rule), _PART.findall(rule)) for name, rule in rules}

    def __call__(self, name: str, **values: object) -> str:
        """The page's address. Values that are not in its rule become its query; None is left out."""
        form, parts = self._forms[name]
        path = form.format_map({part: quote(str(values.pop(part)), safe=_PLAIN) for part in parts})
        query = {key: value for key, value in values.items() if value is not None}
        return f"{path}?{urlencode(query, safe='/:')}" if query else path


class RepositoryConverter(BaseConverter):
    """A repository's name; it may contain slashes, but no colon, so that a tag can follow after a colon."""

    part_isolating = False
    regex = r"[a-z0-9][a-z0-9._/-]*"

    def to_url(self, value: str) -> str:
        """The name as it stands in an address."""
        return quote(value, safe="/")


class TagConverter(BaseConverter):
    """A tag."""

    regex = r"[A-Za-z0-9_][A-Za-z0-9._-]*"


class DigestConverter(BaseConverter):
    """A digest or its prefix."""

    regex = r"[A-Za-z0-9+._:=-]+"

    def to_url(self, value: str) -> str:
        """The digest as it stands in an address: with its colon."""
        return quote(value, safe=":+=")


def add_converters(routes: Map) -> None:
    """Add the converters to the routes."""
    routes.converters |= {"repository": RepositoryConverter, "tag": TagConverter, "digest": DigestConverter}
