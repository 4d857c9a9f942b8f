"""Builds the web application from its parts."""

from collections.abc import Callable
from functools import partial
from typing import Final

from flask import Flask, Response

from tagtrail.access.callers import Authenticator
from tagtrail.access.scopes import Scope
from tagtrail.access.throttle import FailedAuthentications
from tagtrail.access.tokens import IngestTokens, Sender
from tagtrail.api.blueprint import make_api_blueprint
from tagtrail.api.export import make_export_blueprint
from tagtrail.api.log import make_log_blueprint
from tagtrail.api.problems import register_errors
from tagtrail.config.model import Config
from tagtrail.config.notifications import render_notifications
from tagtrail.config.secrets import session_key
from tagtrail.health import Readiness, make_health_blueprint
from tagtrail.intake.endpoint import EventsEndpoint, log_recorded
from tagtrail.intake.front import FrontIntake
from tagtrail.ledger.record import Recorder
from tagtrail.notify.outbox import make_outbox
from tagtrail.store.database import Store
from tagtrail.store.tokens import StoredToken, find_tokens
from tagtrail.tlog.place import make_log_signer
from tagtrail.trail.instant import now
from tagtrail.web.blueprint import mount_pages
from tagtrail.web.context import Blocks
from tagtrail.web.sign_in import find_session, prepare_sessions

_INTAKE = "tagtrail.intake"
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_DATA_POLICY: Final = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
_HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def create_app(config: Config, *, store: Store, clock: Callable[[], int] = now) -> Flask:
    """The WSGI application over a prepared store. `config` has its ingest tokens; `clock` returns our time."""
    app = Flask("tagtrail", static_folder=None)
    is_secure = (config.public_url or "").startswith("https://")
    csrf = prepare_sessions(app, key=session_key(config.data), is_secure=is_secure)
    outbox = make_outbox(config.notify, clock=clock)
    recorder = Recorder(store, clock=clock, outbox=outbox, projected=log_recorded)
    store.catch_up = recorder.catch_up
    failures = FailedAuthentications(store, clock=clock)
    access = access_of(config, store=store, failures=failures, clock=clock)
    register_errors(app)
    app.after_request(add_security_headers)
    app.register_blueprint(
        make_health_blueprint(Readiness(store, checkpoint_every=config.ledger.checkpoint_every, clock=clock))
    )
    api = make_api_blueprint(
        store=store, recorder=recorder, access=access, checkpoint_every=config.ledger.checkpoint_every
    )
    app.register_blueprint(api, url_prefix="/api/v1")
    log_signer = make_log_signer(store, config.ledger, public_url=config.public_url)
    export = make_export_blueprint(store=store, recorder=recorder, access=access, sign=log_signer.sign)
    app.register_blueprint(export, url_prefix="/api/v1")
    app.register_blueprint(make_log_blueprint(store=store, access=access))
    mount_pages(app, store=store, recorder=recorder, access=access, csrf=csrf, blocks=blocks_of(config))
    tokens, body_limit = ingest_tokens(config), config.limits.body
    app.extensions[_INTAKE] = FrontIntake(recorder, tokens=tokens, body_limit=body_limit)
    app.wsgi_app = EventsEndpoint(  # type: ignore[method-assign]  # as Flask's documentation says to wrap it
        app.wsgi_app,
        tokens=tokens,
        recorder=recorder,
        body_limit=body_limit,
        count_failure=lambda: failures.count("events"),
    )
    return app


def begin_intake(app: Flask) -> FrontIntake:
    """The intake of the process that becomes the front."""
    intake: FrontIntake = app.extensions[_INTAKE]
    intake.start()
    return intake


def access_of(
    config: Config, *, store: Store, failures: FailedAuthentications, clock: Callable[[], int] = now
) -> Authenticator:
    """The access rules: the configured tokens and proxy, and the tokens in the store."""
    names: dict[bytes, str] = {}
    scopes: dict[bytes, set[Scope]] = {}
    for scope, at, token in config.access.tokens():
        names.setdefault(token.digest, f"access.{scope}[{at}]")
        scopes.setdefault(token.digest, set()).add(scope)

    def find_stored() -> list[StoredToken]:
        with store.snapshot() as db:
            return find_tokens(db)

    return Authenticator(
        configured=[(digest, name, frozenset(scopes[digest])) for digest, name in names.items()],
        proxy=config.access.proxy.proxy if config.access.proxy is not None else None,
        find_stored=find_stored,
        find_session=find_session,
        may_be_open=config.may_be_open,
        count_failure=lambda: failures.count("api"),
        clock=clock,
    )


def blocks_of(config: Config) -> Blocks:
    """For each registry that has its token, the settings to paste into it."""
    return {
        registry.name: partial(render_notifications, config, registry)
        for registry in config.registries
        if registry.tokens
    }


def ingest_tokens(config: Config) -> IngestTokens:
    """Each ingest token with its registry."""
    return IngestTokens(
        (token.digest, Sender(registry.name, authenticates=registry.authentication != "none"))
        for registry in config.registries
        for token in registry.tokens
    )


def add_security_headers(response: Response) -> Response:
    """Add the headers to an answer.

    A page may load this site's own files and send forms to this site; other content may load nothing. An answer whose
    room says nothing about caching is not cached.
    """
    response.headers.update(_HEADERS)
    is_page = response.mimetype == "text/html"
    response.headers["Content-Security-Policy"] = _PAGE_POLICY if is_page else _DATA_POLICY
    response.headers.setdefault("Cache-Control", "no-store")
    response.vary.update(("Accept", "Authorization", "Cookie"))
    return response
