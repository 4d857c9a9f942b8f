"""The one place where the parts of the web application meet."""

from collections.abc import Callable

from flask import Flask

from tagtrail.audit.access import Access
from tagtrail.audit.api import make_api_blueprint
from tagtrail.audit.problems import register_errors
from tagtrail.config.model import Config
from tagtrail.health import Readiness, make_health_blueprint
from tagtrail.intake.endpoint import EventsEndpoint
from tagtrail.intake.tokens import IngestTokens, Sender
from tagtrail.ledger.record import Recorder
from tagtrail.store.database import Store
from tagtrail.trail.instant import now


def create_app(config: Config, *, store: Store, clock: Callable[[], int] = now) -> Flask:
    """The WSGI application over a prepared store. `config` has its ingest tokens; `clock` gives our time."""
    app = Flask("tagtrail", static_folder=None)
    recorder = Recorder(store, clock=clock)
    register_errors(app)
    app.register_blueprint(make_health_blueprint(Readiness(store)))
    app.register_blueprint(
        make_api_blueprint(store=store, recorder=recorder, access=access_of(config)), url_prefix="/api/v1"
    )
    app.wsgi_app = EventsEndpoint(  # type: ignore[method-assign]  # as Flask's documentation says to wrap it
        app.wsgi_app,
        tokens=ingest_tokens(config),
        recorder=recorder,
        body_limit=config.limits.body,
    )
    return app


def access_of(config: Config) -> Access:
    """Who may ask and who may declare, as configured."""
    return Access(
        read=tuple(token.digest for token in config.access.read),
        deploy=tuple(token.digest for token in config.access.deploy),
        reading_is_open=config.reading_is_open,
        declaring_is_open=config.declaring_is_open,
    )


def ingest_tokens(config: Config) -> IngestTokens:
    """Each configured token with the registry it stands for."""
    return IngestTokens(
        (token.digest, Sender(registry.name, authenticates=registry.authentication != "none"))
        for registry in config.registries
        for token in registry.tokens
    )
