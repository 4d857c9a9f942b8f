"""Signing in with an API token: the signed session cookie, the forms to sign in and out, and CSRF protection.

The cookie is Flask's session. It holds the token's SHA-256, which every request looks up again, so that a revoked or
expired token ends the session. Forms carry the CSRF tokens of Flask-WTF.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Flask, make_response, redirect, render_template, request, session, url_for
from flask_wtf.csrf import CSRFProtect, generate_csrf
from werkzeug.wrappers import Response as AnyResponse

from tagtrail.access.callers import Authenticator, NotAllowed, UnknownToken
from tagtrail.access.scopes import hash_token

BLUEPRINT: Final = "web"
_LIFE: Final = timedelta(hours=12)
_TOKEN: Final = "token"  # noqa: S105 - the session's name for the token's SHA-256
_FORMS: Final = "csrf_token"  # the session's name for Flask-WTF's secret
_READING: Final = ("GET", "HEAD")


def prepare_sessions(app: Flask, *, key: bytes, is_secure: bool) -> CSRFProtect:
    """Configure sessions, signed with the key; the cookie is sent over HTTPS only if `is_secure`.

    The pages' blueprint applies the returned protection to its forms. The API has no forms, and a cookie never
    authorises a change there.
    """
    app.config.update(
        SECRET_KEY=key,
        # With this prefix a browser accepts the cookie from this host only, not from a sibling domain (RFC 6265bis).
        SESSION_COOKIE_NAME="__Host-tagtrail" if is_secure else "tagtrail",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # a link from a chat keeps the session, a form of another site does not
        SESSION_COOKIE_SECURE=is_secure,
        PERMANENT_SESSION_LIFETIME=_LIFE,
        SESSION_REFRESH_EACH_REQUEST=False,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # behind a proxy the scheme is unknown; the token is still checked
    )
    return CSRFProtect(app)


def sign_in(token: str) -> None:
    """Start a session for a valid token."""
    session.clear()  # nothing of an earlier viewer, nor of a session that was put under somebody, is kept
    session[_TOKEN] = hash_token(token).hex()
    session.permanent = True
    generate_csrf()  # now, so that the first page already belongs to the same session as the next


def sign_out() -> None:
    """End the session."""
    session.clear()


def session_of_forms() -> str:
    """The secret of the session's form tokens; forms of another session are refused. Empty before the first form."""
    return str(session.get(_FORMS, ""))


def find_session() -> bytes | None:
    """The SHA-256 of the session's token, or None.

    The session counts for reading and for the pages' own forms, which another site cannot send.
    """
    if request.method not in _READING and request.blueprint != BLUEPRINT:
        return None
    with suppress(ValueError, TypeError):
        return bytes.fromhex(session[_TOKEN]) if _TOKEN in session else None
    return None


def add_sign_in(blueprint: Blueprint, *, access: Authenticator) -> None:
    """Add the routes. A wrong token counts as a failed authentication."""

    @blueprint.get("/sign-in", endpoint="sign_in")
    def show_form() -> AnyResponse:
        return _form(request.args.get("next"), status=200)

    @blueprint.post("/sign-in", endpoint="try_to_sign_in")
    def submit() -> AnyResponse:
        token = request.form.get("token", "").strip()
        wanted = request.form.get("next")
        try:
            access.sign_in(request, token).require("read")
        except UnknownToken:
            return _form(wanted, status=401, problem="This token is unknown or has expired.")
        except NotAllowed as error:
            return _form(wanted, status=403, problem=f"The token is valid, but {error}.")
        sign_in(token)
        return redirect(_inside(wanted), 303)

    @blueprint.post("/sign-out", endpoint="sign_out")
    def end_session() -> AnyResponse:
        sign_out()
        response = redirect(url_for("web.sign_in"), 303)
        response.headers["Clear-Site-Data"] = '"cache"'  # the back button shows no page of the ended session
        return response


def _form(wanted: str | None, *, status: int, problem: str | None = None) -> AnyResponse:
    response = make_response(render_template("sign_in.html", next=_inside(wanted), problem=problem), status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _inside(wanted: str | None) -> str:
    """The page to open after signing in: an address of this site, or else the overview."""
    if not wanted or not wanted.isprintable() or not wanted.startswith("/") or wanted[1:2] in ("/", "\\"):
        return url_for("web.overview")
    parts = urlsplit(wanted)
    return url_for("web.overview") if parts.scheme or parts.netloc else wanted
