"""Signing in and out, by forms."""

from urllib.parse import urlsplit

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from tagtrail.audit.access import Access, NotAllowed, UnknownToken
from tagtrail.web.session import sign_in, sign_out


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
            access.recognise(request, token).require("read")
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
