"""What is sent to be recorded: the JSON body of a POST, read into what it says."""

import re
from typing import Final, TypeVar

import msgspec
from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from tagtrail.errors import BadParameter

T = TypeVar("T", bound=msgspec.Struct)

_LARGEST_BODY: Final = 64 * 1024  # bytes
_UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`|required field `([^`]*)`|at `\$\.([^`]*)`")


def read_body(sent: Request, said: type[T], *, what: str) -> T:
    """The body as what it says, which errors call `what`. Raises BadParameter and the HTTP errors 413 and 415.

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
