"""JSON, CSV or NDJSON: the suffix of the path decides, then the Accept header."""

from typing import Final, Literal, cast

from flask import Request
from werkzeug.exceptions import NotAcceptable

Format = Literal["json", "csv", "ndjson"]

MEDIA_TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
}


def choose_format(request: Request, suffix: str | None) -> Format:
    """The format to answer in. Raises NotAcceptable when the client takes none of them."""
    if suffix is not None:
        return cast("Format", suffix)
    if not request.accept_mimetypes:
        return "json"
    accepted = request.accept_mimetypes.best_match(list(MEDIA_TYPES.values()))
    for name, media_type in MEDIA_TYPES.items():
        if media_type == accepted:
            return name
    raise NotAcceptable(f"this list is there as {', '.join(MEDIA_TYPES.values())}")
