"""Failures as pages, for people; the API answers its own (`audit/problems.py`)."""

from collections.abc import Callable
from typing import Final

from flask import Blueprint, Flask, Response, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as AnyResponse

from tagtrail.access.callers import NotAllowed, UnknownToken
from tagtrail.access.throttle import TooManyFailures
from tagtrail.api import problems
from tagtrail.errors import BadParameter, NotRecorded, Refused, StorageUnavailable, TagtrailError
from tagtrail.web.sign_in import sign_out

# What a browser may do with a page: load only this site's files, send forms only here, put it into no frame.


_HEADERS: Final = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "Vary": "Authorization, Cookie",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def add_headers(response: Response) -> Response:
    """The same answer with the policy, where it does not say otherwise itself."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response


_KINDS: Final[dict[type[TagtrailError], tuple[int, str]]] = {
    BadParameter: (400, "That cannot be looked for"),
    NotAllowed: (403, "Not for you"),
    NotRecorded: (404, "Not recorded"),
    Refused: (422, "That contradicts the trail"),
    TooManyFailures: (429, "Too many tries"),
}
_NOT_A_PAGE: Final = ("/api/", "/log/checkpoint", "/log/proof", "/events", "/healthz", "/readyz")


class SignInNeeded(TagtrailError):
    """Nothing tells who asks: they are shown where to sign in."""


def register_failures(app: Flask, blueprint: Blueprint) -> None:
    """Answer what fails on a page by a page, and an address that leads nowhere too, for whoever wants pages."""
    for kind, (status, title) in _KINDS.items():
        blueprint.register_error_handler(kind, _shown(status, title))
    blueprint.register_error_handler(SignInNeeded, _to_sign_in)
    blueprint.register_error_handler(UnknownToken, _unknown_token)
    blueprint.register_error_handler(StorageUnavailable, _unavailable)
    blueprint.register_error_handler(CSRFError, _forged)
    blueprint.register_error_handler(HTTPException, _http)
    app.register_error_handler(NotFound, _not_found)


def failure(status: int, title: str, detail: str) -> Response:
    """The page that tells of a failure."""
    response = make_response(render_template("failure.html", status=status, title=title, detail=detail), status)
    response.headers["Cache-Control"] = "no-store"
    return add_headers(response)


def _shown(status: int, title: str) -> Callable[[TagtrailError], Response]:
    def answer(error: TagtrailError) -> Response:
        response = failure(status, title, str(error))
        if isinstance(error, TooManyFailures):
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    return answer


def _to_sign_in(_: SignInNeeded) -> AnyResponse:
    """Only what is asked for by its address is returned to afterwards: a form that was sent is not sent again."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("web.sign_in", next=wanted), 303)


def _unknown_token(_: UnknownToken) -> Response:
    sign_out()
    return failure(401, "Signed out", "The token of this browser is no longer good: it was revoked, or it has expired.")


def _unavailable(_: StorageUnavailable) -> Response:
    response = failure(503, "Unavailable", "The ledger cannot be reached. Try again in a few seconds.")
    response.headers["Retry-After"] = problems.RETRY_AFTER
    return response


def _forged(_: CSRFError) -> Response:
    why = "The form was not sent from this page, or is too old. Open the page again, then send it."
    return failure(400, "Not sent from here", why)


def _http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error
    return failure(error.code, error.name, error.description or error.name)


def _not_found(error: NotFound) -> Response | HTTPException:
    """Whether a page was wanted tells the address, and then what the client accepts."""
    wants_page = request.accept_mimetypes.accept_html and not request.path.startswith(_NOT_A_PAGE)
    if wants_page and "Accept" in request.headers:
        return failure(404, "No such page", "Nothing is at this address.")
    return problems.answer_http(error)
