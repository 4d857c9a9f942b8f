"""The blueprint of the pages: static files, the routes of all pages, and their ETags."""

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
from tagtrail.access.callers import Authenticator
from tagtrail.access.disclosures import DisclosureLog
from tagtrail.access.redaction import Redaction
from tagtrail.access.scopes import Scope
from tagtrail.api.requests import read_parameters
from tagtrail.ledger.annotate import RELATIONS
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.web.actions import add_actions, read_fields
from tagtrail.web.addresses import Addresses, add_converters
from tagtrail.web.context import Blocks, PageContext, WebPage
from tagtrail.web.failures import SignInNeeded, register_failures
from tagtrail.web.line_text import make_sentence_filter
from tagtrail.web.pages import PAGES
from tagtrail.web.sign_in import BLUEPRINT, add_sign_in, session_of_forms
from tagtrail.web.values import FILTERS, Times

STATIC_FOLDER: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_LARGEST_FORM: Final = 64 * 1024  # bytes


def mount_pages(
    app: Flask, *, store: Store, recorder: Recorder, access: Authenticator, csrf: CSRFProtect, blocks: Blocks
) -> None:
    """Add the pages to the application. `blocks` render the settings to paste into each configured registry."""
    add_converters(app.url_map)
    app.url_map.merge_slashes = False  # a permanent redirect would lead to any host that the request names
    link = Addresses((page.name, page.rule) for page in PAGES)
    app.jinja_env.filters |= FILTERS | {"sentence": make_sentence_filter(link)}
    app.jinja_env.globals |= {"asset": asset, "link": link, "form_key": _form_key}
    app.jinja_env.globals |= {"relations": RELATIONS, "version": __version__}
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    blueprint = Blueprint(BLUEPRINT, __name__, template_folder="templates")
    disclosures = DisclosureLog(recorder)

    def admit(scope: Scope) -> Redaction:
        if access.has_no_credentials(request):
            raise SignInNeeded("sign in to see this page")
        return Redaction(access.require(request, scope), disclosures)

    @blueprint.before_request
    def refuse_forged_forms() -> None:
        request.max_content_length = _LARGEST_FORM  # otherwise an upload without a token could fill the disk
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            csrf.protect()

    @blueprint.after_request
    def let_the_browser_revalidate(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    _add_static_files(blueprint)
    add_sign_in(blueprint, access=access)
    add_actions(blueprint, store=store, recorder=recorder, admit=admit)
    for page in PAGES:
        _add_page(blueprint, page, store=store, recorder=recorder, admit=admit, blocks=blocks)
    register_failures(app, blueprint)
    app.register_blueprint(blueprint)


def _form_key() -> str:
    """A key under which a form is recorded once, however often it is sent."""
    return f"form-{uuid4()}"


def _add_static_files(blueprint: Blueprint) -> None:
    """Serve the static files to every caller: they hold no data.

    An address holds a hash of the content, so that a browser may keep the file for a year.
    """

    @blueprint.get("/static/<content_hash>/<name>")
    def static(content_hash: str, name: str) -> Response:
        content = _static_files().get(name)
        if content is None or content_hash != _hash(content):
            raise NotFound
        response = Response(content, content_type=_MEDIA_TYPES[Path(name).suffix])
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def asset(name: str) -> str:
    """The address of a static file."""
    return url_for("web.static", content_hash=_hash(_static_files()[name]), name=name)


@cache
def _static_files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in STATIC_FOLDER.iterdir() if path.suffix in _MEDIA_TYPES}


@cache
def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _add_page(
    blueprint: Blueprint,
    page: WebPage,
    *,
    store: Store,
    recorder: Recorder,
    admit: Callable[[Scope], Redaction],
    blocks: Blocks,
) -> None:
    def answer(**named: Any) -> Response:
        redaction = admit(page.scope)
        parameters = read_fields(read_parameters(request))
        with store.snapshot() as db:
            context = PageContext(redaction, db, recorder.book.latest, recorder.now(), parameters, blocks)
            view = context.redact(page.view(context, **named))
        if isinstance(view, Response):
            return view
        tag = _entity_tag(view, context)
        if request.if_none_match.contains_weak(tag):
            return _tagged(make_response("", 304), tag)
        if page.shows_identities:
            redaction.record(request, "html")
        response = _tagged(make_response(_render(page, view, context, tag)), tag)
        if not page.may_be_cached(view):
            response.headers["Cache-Control"] = "no-store"
        return response

    blueprint.add_url_rule(page.rule, page.name, answer)


def _render(page: WebPage, view: object, context: PageContext, tag: str) -> str:
    return render_template(
        f"{page.name}.html",
        page=page.name,
        view=view,
        context=context,
        viewer=context.caller,
        times=Times(context.now),
        parameters=defaultdict(str, context.parameters),
        tag=tag,
    )


def _entity_tag(view: object, context: PageContext) -> str:
    """The ETag of everything that the page shows except relative times and the tokens in its forms."""
    caller = context.caller
    shown = (
        __version__, request.full_path, caller.name, caller.kind, sorted(caller.scopes), session_of_forms(), view,
    )  # fmt: skip
    return hashlib.sha256(msgspec.msgpack.encode(shown, enc_hook=repr)).hexdigest()[:24]


def _tagged(response: Response, tag: str) -> Response:
    response.set_etag(tag, weak=True)
    return response
