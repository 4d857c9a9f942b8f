"""Parses a request: its parameters, its body, its format and its place in a list."""

import re
from collections.abc import Collection, Mapping
from typing import Final, Literal, TypeVar, cast

import msgspec
from flask import Request
from werkzeug.exceptions import NotAcceptable, RequestEntityTooLarge, UnsupportedMediaType

from tagtrail.api.listings import Listing
from tagtrail.errors import BadParameter
from tagtrail.store.filters import DEFAULT_LIMIT, read_cursor, read_filter, read_instant, read_limit, read_text
from tagtrail.store.query import Query
from tagtrail.trail.rules import Rules


def read_parameters(request: Request) -> dict[str, str]:
    """The query's parameters. Raises BadParameter for a repeated one."""
    for name, values in request.args.lists():
        if len(values) > 1:
            raise BadParameter(name[:80], f"{name[:80]!r} is given {len(values)} times; give it once")
    return request.args.to_dict()


def read_query(parameters: Mapping[str, str], listing: Listing, rules: Rules) -> Query:
    """Parse the parameters into a query. Raises BadParameter."""
    filters = read_filter(parameters, accepted=accepted_by(listing))
    for name in listing.required:
        if name not in parameters:
            raise BadParameter(name, f"{name} is missing: the {listing.name} of which {name}?")
    at = read_instant("at", parameters["at"]) if "at" in parameters else None
    limit = read_limit(parameters["limit"]) if "limit" in parameters else DEFAULT_LIMIT
    after = read_cursor(read_text("cursor", parameters["cursor"]), listing.key) if "cursor" in parameters else None
    return Query(rules, filters, limit, after, at)


def accepted_by(listing: Listing) -> Collection[str]:
    """The parameters of the list."""
    return (*listing.filters, *(("at",) if listing.has_at else ()), *(("limit", "cursor") if listing.key else ()))


# The JSON body of a POST.


T = TypeVar("T", bound=msgspec.Struct)

_LARGEST_BODY: Final = 64 * 1024  # bytes
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`|required field `([^`]*)`|at `\$\.([^`]*)`")


def read_body(sent: Request, said: type[T], *, what: str) -> T:
    """Parse the body, which errors call `what`. Raises BadParameter and the HTTP errors 413 and 415.

    A browser sends this media type to another site only if that site allows it.
    """
    article = "an" if what[0] in "aeiou" else "a"
    if sent.mimetype != "application/json":
        raise UnsupportedMediaType(f"send the {what} as Content-Type: application/json")
    sent.max_content_length = _LARGEST_BODY
    try:
        return msgspec.json.decode(sent.get_data(cache=False), type=said)
    except RequestEntityTooLarge:
        raise RequestEntityTooLarge(f"{article} {what} has at most {_LARGEST_BODY} bytes") from None
    except (ValueError, RecursionError) as error:
        named = _UNKNOWN_FIELD.search(str(error))
        parameter = next(filter(None, named.groups()), "body") if named else "body"
        raise BadParameter(parameter, f"the body is no {what}: {error}") from error


# JSON, CSV or NDJSON: the suffix of the path decides, then the Accept header.


Format = Literal["json", "csv", "ndjson"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
}


def choose_format(request: Request, suffix: str | None) -> Format:
    """The format of the answer. Raises NotAcceptable if the client accepts none."""
    if suffix is not None:
        return cast("Format", suffix)
    if not request.accept_mimetypes:
        return "json"
    accepted = request.accept_mimetypes.best_match(list(MEDIA_TYPES.values()))
    for name, media_type in MEDIA_TYPES.items():
        if media_type == accepted:
            return name
    raise NotAcceptable(f"this list is there as {', '.join(MEDIA_TYPES.values())}")
