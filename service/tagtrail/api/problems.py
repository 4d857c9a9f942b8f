"""Failures as `application/problem+json` (RFC 9457); each kind is translated here."""

from collections.abc import Mapping
from typing import Literal

import msgspec
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from tagtrail.access.callers import NotAllowed, UnknownToken
from tagtrail.access.throttle import TooManyFailures
from tagtrail.errors import BadParameter, ConfigurationError, Contradicted, NotRecorded, Refused, StorageUnavailable

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "5"  # seconds
CANNOT_SIGN = "the service cannot sign its log any more; its own log says why"


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why there is no answer (RFC 9457)."""

    title: str
    status: int
    detail: str
    type: Literal["about:blank"] = "about:blank"
    parameter: str | None = None


def register_errors(app: Flask) -> None:
    """Answer every failure of the application as a problem; an unforeseen one shows no detail."""
    app.register_error_handler(BadParameter, _bad_parameter)
    app.register_error_handler(NotRecorded, lambda error: problem(404, "Not recorded", str(error)))
    app.register_error_handler(Refused, lambda error: problem(422, "Contradicts the trail", str(error)))
    app.register_error_handler(Contradicted, lambda error: problem(500, "Not what was signed", str(error)))
    app.register_error_handler(ConfigurationError, lambda _: problem(500, "Cannot be signed", CANNOT_SIGN))
    app.register_error_handler(
        UnknownToken, lambda error: problem(401, "Unauthorized", str(error), headers={"WWW-Authenticate": "Bearer"})
    )
    app.register_error_handler(NotAllowed, lambda error: problem(403, "Forbidden", str(error)))
    app.register_error_handler(TooManyFailures, _too_many)
    app.register_error_handler(StorageUnavailable, _unavailable)
    app.register_error_handler(HTTPException, answer_http)


def problem(
    status: int, title: str, detail: str, *, parameter: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer with a problem."""
    document = ProblemDocument(title=title, status=status, detail=detail, parameter=parameter)
    response = Response(msgspec.json.encode(document), status, dict(headers or {}), content_type=MEDIA_TYPE)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _bad_parameter(error: BadParameter) -> Response:
    return problem(400, "Bad request", str(error), parameter=error.parameter)


def _too_many(error: TooManyFailures) -> Response:
    return problem(429, "Too many requests", str(error), headers={"Retry-After": str(error.retry_after)})


def _unavailable(_: StorageUnavailable) -> Response:
    return problem(503, "Unavailable", "the ledger cannot be reached, try again", headers={"Retry-After": RETRY_AFTER})


def answer_http(error: HTTPException) -> Response | HTTPException:
    """Answer Flask's own errors: an unknown path, a wrong method, a defect of ours. Redirects stay redirects."""
    if error.code is None or error.code < 400:
        return error
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return problem(error.code, error.name, error.description or error.name, headers=headers)
