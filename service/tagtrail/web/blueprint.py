"""All pages, mounted: each is made for whoever asks, and sent unless their browser has it already."""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
from flask import Blueprint, Flask, Response, make_response, render_template, request, url_for
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import NotFound

from tagtrail import __version__
from tagtrail.access.callers import Access
from tagtrail.access.disclosures import DisclosureLog
from tagtrail.access.redaction import Redaction
from tagtrail.access.scopes import Scope
from tagtrail.api.requests import read_parameters
from tagtrail.ledger.annotate import RELATIONS
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.web.actions import add_actions, read_fields
from tagtrail.web.addresses import Addresses, add_converters
from tagtrail.web.context import Page, Visit, Wiring
from tagtrail.web.failures import SignInNeeded, add_headers, register_failures
from tagtrail.web.line_text import make_sentence_filter
from tagtrail.web.pages import PAGES
from tagtrail.web.sign_in import BLUEPRINT, add_doors, session_of_forms
from tagtrail.web.values import FILTERS, Times

# Static files under addresses that change with their content, so that a browser may keep each for ever.


FOLDER: Final = Path(__file__).parent / "static"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def add_assets(blueprint: Blueprint) -> None:
    """Serve the files to everybody: they tell nothing."""

    @blueprint.get("/static/<mark>/<name>")
    def static(mark: str, name: str) -> Response:
        content = _files().get(name)
        if content is None or mark != _mark(content):
            raise NotFound
        response = Response(content, content_type=_TYPES[Path(name).suffix])
        response.headers["Cache-Control"] = _FOR_EVER
        return response


def asset(name: str) -> str:
    """The address of a static file."""
    return url_for("web.static", mark=_mark(_files()[name]), name=name)


@cache
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in _TYPES}


@cache
def _mark(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


_LARGEST_FORM: Final = 64 * 1024  # bytes


def mount_pages(
    app: Flask, *, store: Store, recorder: Recorder, access: Access, csrf: CSRFProtect, wiring: Wiring
) -> None:
    """Add the pages to the application. `wiring` says how to wire each registry that is configured."""
    add_converters(app.url_map)
    app.url_map.merge_slashes = False  # the redirect would lead, for ever, to whatever host the request named
    link = Addresses((page.name, page.rule) for page in PAGES)
    app.jinja_env.filters |= FILTERS | {"sentence": make_sentence_filter(link)}
    app.jinja_env.globals |= {"asset": asset, "link": link, "form_key": _form_key}
    app.jinja_env.globals |= {"relations": RELATIONS, "version": __version__}
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    blueprint = Blueprint(BLUEPRINT, __name__, template_folder="templates")
    readings = DisclosureLog(recorder)

    def admit(scope: Scope) -> Redaction:
        if access.has_no_credentials(request):
            raise SignInNeeded("nobody is signed in")
        return Redaction(access.require(request, scope), readings)

    @blueprint.before_request
    def refuse_forged_forms() -> None:
        request.max_content_length = _LARGEST_FORM  # or whoever has no token could fill the disk with what they upload
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            csrf.protect()

    blueprint.after_request(add_headers)
    add_assets(blueprint)
    add_doors(blueprint, access=access)
    add_actions(blueprint, store=store, recorder=recorder, admit=admit)
    for page in PAGES:
        _add_page(blueprint, page, store=store, recorder=recorder, admit=admit, wiring=wiring)
    register_failures(app, blueprint)
    app.register_blueprint(blueprint)


def _form_key() -> str:
    """A key under which what a form says is recorded once, however often it is sent."""
    return f"form-{uuid4()}"


def _add_page(
    blueprint: Blueprint,
    page: Page,
    *,
    store: Store,
    recorder: Recorder,
    admit: Callable[[Scope], Redaction],
    wiring: Wiring,
) -> None:
    def answer(**named: Any) -> Response:
        redaction = admit(page.scope)
        parameters = read_fields(read_parameters(request))
        with store.snapshot() as db:
            visit = Visit(redaction, db, recorder.book.latest, recorder.now(), parameters, wiring)
            view = visit.redact(page.view(visit, **named))
        if isinstance(view, Response):
            return view
        tag = _entity_tag(view, visit)
        if request.if_none_match.contains_weak(tag):
            return _tagged(make_response("", 304), tag)
        if page.tells_of_people:
            redaction.record(request, "html")
        response = _tagged(make_response(_render(page, view, visit, tag)), tag)
        if not page.may_be_kept(view):
            response.headers["Cache-Control"] = "no-store"
        return response

    blueprint.add_url_rule(page.rule, page.name, answer)


def _render(page: Page, view: object, visit: Visit, tag: str) -> str:
    return render_template(
        f"{page.name}.html",
        page=page.name,
        view=view,
        visit=visit,
        visitor=visit.caller,
        times=Times(visit.now),
        parameters=defaultdict(str, visit.parameters),
        tag=tag,
    )


def _entity_tag(view: object, visit: Visit) -> str:
    """What changes with anything that the page shows, but for how long ago that was, and with what its forms carry."""
    caller = visit.caller
    shown = (
        __version__, request.full_path, caller.name, caller.kind, sorted(caller.scopes), session_of_forms(), view,
    )  # fmt: skip
    return hashlib.sha256(msgspec.msgpack.encode(shown, enc_hook=repr)).hexdigest()[:24]


def _tagged(response: Response, tag: str) -> Response:
    response.set_etag(tag, weak=True)
    return response
