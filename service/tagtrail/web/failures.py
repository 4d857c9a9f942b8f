"""The pages that show a failure to a person; `api/problems.py` answers programs."""

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

_TITLES: Final[dict[type[TagtrailError], tuple[int, str]]] = {
    BadParameter: (400, "This filter cannot be used"),
    NotAllowed: (403, "Not allowed"),
    NotRecorded: (404, "Not recorded"),
    Refused: (422, "Contradicts the trail"),
    TooManyFailures: (429, "Too many failed attempts"),
}
_NOT_A_PAGE: Final = ("/api/", "/log/checkpoint", "/log/proof", "/events", "/healthz", "/readyz")


class SignInNeeded(TagtrailError):
    """The request names no caller, and the service is not open."""


def register_failures(app: Flask, blueprint: Blueprint) -> None:
    """Show a failure of a page as a page; also an unknown address, if the client accepts HTML."""
    for kind, (status, title) in _TITLES.items():
        blueprint.register_error_handler(kind, _shown(status, title))
    blueprint.register_error_handler(SignInNeeded, _to_sign_in)
    blueprint.register_error_handler(UnknownToken, _unknown_token)
    blueprint.register_error_handler(StorageUnavailable, _unavailable)
    blueprint.register_error_handler(CSRFError, _forged)
    blueprint.register_error_handler(HTTPException, _http)
    app.register_error_handler(NotFound, _not_found)


def failure(status: int, title: str, detail: str) -> Response:
    """The page that shows a failure."""
    response = make_response(render_template("failure.html", status=status, title=title, detail=detail), status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _shown(status: int, title: str) -> Callable[[TagtrailError], Response]:
    def answer(error: TagtrailError) -> Response:
        response = failure(status, title, str(error))
        if isinstance(error, TooManyFailures):
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    return answer


def _to_sign_in(_: SignInNeeded) -> AnyResponse:
    """Redirect to the form, which leads back to the page. A form that was sent is not sent again."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("web.sign_in", next=wanted), 303)


def _unknown_token(_: UnknownToken) -> Response:
    sign_out()
    return failure(401, "Signed out", "The token of this browser was revoked or has expired. Sign in with another one.")


def _unavailable(_: StorageUnavailable) -> Response:
    response = failure(503, "Unavailable", "The ledger cannot be reached. Try again in a few seconds.")
    response.headers["Retry-After"] = problems.RETRY_AFTER
    return response


def _forged(_: CSRFError) -> Response:
    why = "The form was not sent from this site, or it is too old. Open the page again, then send the form."
    return failure(400, "Not sent from here", why)


def _http(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:
        return error
    return failure(error.code, error.name, error.description or error.name)


def _not_found(error: NotFound) -> Response | HTTPException:
    """A page if the address is not one of the API's and the client accepts HTML, otherwise a problem document."""
    wants_page = request.accept_mimetypes.accept_html and not request.path.startswith(_NOT_A_PAGE)
    if wants_page and "Accept" in request.headers:
        return failure(404, "No such page", "There is no page at this address.")
    return problems.answer_http(error)
