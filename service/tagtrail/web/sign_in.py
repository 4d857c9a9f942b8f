"""Signing in with an API token: a signed cookie that scripts cannot read, and forms that other sites cannot send.

The cookie is Flask's own session; it holds the token's SHA-256, which is looked up anew for every request, so that a
token that was revoked or has expired signs nobody in any more. Forms carry the tokens of Flask-WTF.
"""

from contextlib import suppress
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Flask, make_response, redirect, render_template, request, session, url_for
from flask_wtf.csrf import CSRFProtect, generate_csrf
from werkzeug.wrappers import Response as AnyResponse

from tagtrail.access.callers import Access, NotAllowed, UnknownToken
from tagtrail.access.scopes import hash_token

BLUEPRINT: Final = "web"
_LIFE: Final = timedelta(hours=12)
_TOKEN: Final = "token"  # noqa: S105 - the name under which the session keeps a token's SHA-256
_FORMS: Final = "csrf_token"  # and that under which Flask-WTF keeps its own
_READING: Final = ("GET", "HEAD")


def prepare_sessions(app: Flask, *, key: bytes, is_secure: bool) -> CSRFProtect:
    """Let the application keep sessions, signed with the key; over HTTPS only where `is_secure`.

    Whoever changes anything by a form is checked by the returned protection, which the pages' blueprint calls itself:
    the API has no forms, and nothing that a browser sends by itself opens it to a change.
    """
    app.config.update(
        SECRET_KEY=key,
        # With the prefix a browser takes the cookie from this host only, from no sibling in its domain (RFC 6265bis).
        SESSION_COOKIE_NAME="__Host-tagtrail" if is_secure else "tagtrail",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",  # a link in a chat finds its reader signed in; a form of another site does not
        SESSION_COOKIE_SECURE=is_secure,
        PERMANENT_SESSION_LIFETIME=_LIFE,
        SESSION_REFRESH_EACH_REQUEST=False,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # behind a proxy the scheme is not known; the token is checked all the same
    )
    return CSRFProtect(app)


def sign_in(token: str) -> None:
    """Remember in this browser that it presented the token, which was found to be good."""
    session.clear()  # nothing of an earlier visitor, nor of a session that was put under somebody, is kept
    session[_TOKEN] = hash_token(token).hex()
    session.permanent = True
    generate_csrf()  # now, so that the first page is already of the session that the following ones are of


def sign_out() -> None:
    """Forget whoever was signed in."""
    session.clear()


def session_of_forms() -> str:
    """What the tokens of this browser's forms are made of: forms of another session are refused. Empty before any."""
    return str(session.get(_FORMS, ""))


def find_session() -> bytes | None:
    """The SHA-256 of the token with which the request's browser has signed in, where that counts.

    It counts for reading, and for the pages' own forms, which another site cannot send.
    """
    if request.method not in _READING and request.blueprint != BLUEPRINT:
        return None
    with suppress(ValueError, TypeError):
        return bytes.fromhex(session[_TOKEN]) if _TOKEN in session else None
    return None


# Signing in and out, by forms.


def add_doors(blueprint: Blueprint, *, access: Access) -> None:
    """Add the routes. A wrong token is counted and throttled as everywhere."""

    @blueprint.get("/sign-in", endpoint="sign_in")
    def show_form() -> AnyResponse:
        return _form(request.args.get("next"), status=200)

    @blueprint.post("/sign-in", endpoint="try_to_sign_in")
    def enter() -> AnyResponse:
        token = request.form.get("token", "").strip()
        wanted = request.form.get("next")
        try:
            access.sign_in(request, token).require("read")
        except UnknownToken:
            return _form(wanted, status=401, trouble="No such token is known here, or it has expired.")
        except NotAllowed as error:
            return _form(wanted, status=403, trouble=f"That token is good, but {error}.")
        sign_in(token)
        return redirect(_inside(wanted), 303)

    @blueprint.post("/sign-out", endpoint="sign_out")
    def leave() -> AnyResponse:
        sign_out()
        response = redirect(url_for("web.sign_in"), 303)
        response.headers["Clear-Site-Data"] = '"cache"'  # the button that goes back shows nobody what was read here
        return response


def _form(wanted: str | None, *, status: int, trouble: str | None = None) -> AnyResponse:
    response = make_response(render_template("sign_in.html", next=_inside(wanted), trouble=trouble), status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _inside(wanted: str | None) -> str:
    """Where to go afterwards: a place of this site, whatever the form said; the overview where it said none."""
    if not wanted or not wanted.isprintable() or not wanted.startswith("/") or wanted[1:2] in ("/", "\\"):
        return url_for("web.overview")
    parts = urlsplit(wanted)
    return url_for("web.overview") if parts.scheme or parts.netloc else wanted
